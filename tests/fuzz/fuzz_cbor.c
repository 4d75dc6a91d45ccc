/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cbor.c - any bytes as CBOR. What is skipped as one item is written again, item by item, as
 * one that is no longer and reads the same; a map's keys are looked for.
 */
#include "watermark/cbor.h"

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

static void write_item(struct cbor_out *o, const struct cbor_item *item)
{
    switch (item->type) {
    case CBOR_UINT:
        cbor_uint(o, item->value);
        break;
    case CBOR_NEGATIVE:
        cbor_negative(o, item->value >> 63 ? INT64_MIN : -1 - (int64_t)item->value);
        break;
    case CBOR_BYTES:
        cbor_bytes(o, item->data, item->value);
        break;
    case CBOR_TEXT: { /* the writer takes texts without a NUL */
        char *text = calloc(1, item->value + 1);

        must(text != NULL);
        memcpy(text, item->data, item->value);
        cbor_text(o, text);
        free(text);
        break;
    }
    case CBOR_ARRAY:
        cbor_array(o, item->value);
        break;
    case CBOR_MAP:
        cbor_map(o, item->value);
        break;
    case CBOR_TAG:
        cbor_tag(o, item->value);
        break;
    case CBOR_SIMPLE:
        cbor_null(o); /* of the others the writer knows only true and false */
        break;
    }
}

static void look_for(struct cbor_in in)
{
    struct cbor_in value;

    if (cbor_find(&in, "alg", &value))
        must(value.at >= in.at && value.at <= in.end && !value.failed);
    if (cbor_find_int(&in, 33, &value))
        must(value.at >= in.at && value.at <= in.end && !value.failed);
    if (cbor_find_int(&in, -7, &value))
        must(value.at >= in.at && value.at <= in.end && !value.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes + !bytes); /* so that a step too far is seen */
    struct cbor_in in = {copy, copy + bytes, false}, whole = in, again;
    struct cbor_out out = {0};

    must(copy != NULL);
    if (bytes)
        memcpy(copy, data, bytes);
    look_for(in);
    if (cbor_skip(&whole)) {
        must(whole.at > copy && whole.at <= copy + bytes);
        in.end = whole.at;
        while (in.at < in.end) {
            struct cbor_item item;

            must(cbor_next(&in, &item));
            write_item(&out, &item);
        }
        must(out.failed || out.count <= (size_t)(whole.at - copy));
        again = (struct cbor_in){out.data, out.data + out.count, false};
        must(out.failed || (cbor_skip(&again) && again.at == again.end));
    } else
        must(whole.failed && !cbor_skip(&whole));
    cbor_close(&out);
    free(copy);
    return 0;
}
