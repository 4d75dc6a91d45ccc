/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_checkpoint.c - any bytes as a checkpoint, a proof and a key. What is a proof is written
 * again as the same bytes; no signature is right that was not made.
 */
#include "watermark/checkpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static void proof(const char *text, size_t bytes)
{
    char again[CHECKPOINT_PROOF_MAX], left[CHECKPOINT_BYTES_MAX];
    struct tree_proof p;
    const char *note;
    int64_t index;
    size_t n;

    if (checkpoint_proof_parse(&index, &p, &note, text, bytes, NULL))
        return;
    must(note >= text && note <= text + bytes && p.count <= TREE_PROOF_MAX && index >= 0);
    n = (size_t)(text + bytes - note);
    if (n >= sizeof(left) || memchr(note, '\0', n))
        return;
    memcpy(left, note, n);
    left[n] = '\0';
    checkpoint_proof_write(again, index, &p, left);
    must(strlen(again) == bytes && !memcmp(again, text, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t key[CHECKPOINT_PUBLIC] = {9};
    char origin[CHECKPOINT_ORIGIN_MAX], *text = malloc(bytes + 1);
    uint8_t other[CHECKPOINT_PUBLIC];
    struct checkpoint c;

    must(text != NULL);
    if (bytes)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    if (checkpoint_parse(&c, text, bytes, NULL) == ST_OK) {
        must(c.size >= 0 && c.size <= TREE_SIZE_MAX && !checkpoint_origin_check(c.origin, NULL));
        must(checkpoint_check(&c, text, bytes, c.origin, key, NULL) == ST_REFUSED);
    }
    proof(text, bytes);
    if (checkpoint_vkey_parse(origin, other, text, NULL) == ST_OK) {
        char again[CHECKPOINT_VKEY_MAX];

        checkpoint_vkey(again, origin, other);
        must(strlen(again) == strlen(text));
    }
    free(text);
    return 0;
}
