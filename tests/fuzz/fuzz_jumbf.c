/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_jumbf.c - any bytes as boxes in boxes. Each lies within the one it is in, has a label that
 * ends, and is found by it.
 */
#include "watermark/jumbf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static void must_lie(const uint8_t *at, size_t count, struct cbor_in in)
{
    must(at >= in.at && at <= in.end && count <= (size_t)(in.end - at));
}

static void walk(struct cbor_in in, int depth)
{
    struct cbor_in rest = in;
    struct jumbf_box box, found;

    while (jumbf_next(&rest, &box)) {
        struct cbor_in content;

        must_lie(box.data, box.count, in);
        must_lie(box.content.at, (size_t)(box.content.end - box.content.at), in);
        must(rest.at > in.at && rest.at <= in.end && strlen(box.label) < JUMBF_LABEL_MAX);
        if (box.type && jumbf_content(&box, &content))
            must_lie(content.at, (size_t)(content.end - content.at), box.content);
        if (box.type)
            must(jumbf_find(in, box.label, &found) && !strcmp(found.label, box.label));
        if (box.type && depth)
            walk(box.content, depth - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes + !bytes); /* so that a step too far is seen */

    must(copy != NULL);
    if (bytes)
        memcpy(copy, data, bytes);
    if (bytes <= 4096) /* a thousand empty boxes are looked for in turn */
        walk((struct cbor_in){copy, copy + bytes, false}, DEPTH);
    free(copy);
    return 0;
}
