/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/cbor.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

void cbor_raw(struct cbor_out *o, const void *data, size_t count)
{
    if (o->failed || !count)
        return;
    if (count > o->size - o->count) {
        size_t size = 2 * o->size + count + 256;
        uint8_t *more = realloc(o->data, size);

        if (!more) {
            o->failed = true;
            return;
        }
        o->data = more;
        o->size = size;
    }
    memcpy(o->data + o->count, data, count);
    o->count += count;
}

/* The shortest head of a type and a number. */
static void head(struct cbor_out *o, enum cbor_type type, uint64_t value)
{
    int bytes = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : value >> 32 ? 8 : 4;
    uint8_t out[9];

    out[0] = (uint8_t)((unsigned)type << 5 | (bytes == 0   ? (unsigned)value
                                              : bytes == 1 ? 24u
                                              : bytes == 2 ? 25u
                                              : bytes == 4 ? 26u
                                                           : 27u));
    for (int i = 0; i < bytes; i++)
        out[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    cbor_raw(o, out, (size_t)bytes + 1);
}

void cbor_uint(struct cbor_out *o, uint64_t value)
{
    head(o, CBOR_UINT, value);
}

void cbor_negative(struct cbor_out *o, int64_t value)
{
    head(o, CBOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_bytes(struct cbor_out *o, const void *data, size_t count)
{
    head(o, CBOR_BYTES, count);
    cbor_raw(o, data, count);
}

void cbor_text(struct cbor_out *o, const char *text)
{
    head(o, CBOR_TEXT, strlen(text));
    cbor_raw(o, text, strlen(text));
}

void cbor_array(struct cbor_out *o, size_t items)
{
    head(o, CBOR_ARRAY, items);
}

void cbor_map(struct cbor_out *o, size_t pairs)
{
    head(o, CBOR_MAP, pairs);
}

void cbor_tag(struct cbor_out *o, uint64_t tag)
{
    head(o, CBOR_TAG, tag);
}

void cbor_null(struct cbor_out *o)
{
    head(o, CBOR_SIMPLE, 22);
}

void cbor_bool(struct cbor_out *o, bool value)
{
    head(o, CBOR_SIMPLE, value ? 21 : 20);
}

void cbor_close(struct cbor_out *o)
{
    free(o->data);
    *o = (struct cbor_out){NULL, 0, 0, false};
}

/* ---- reading ---- */

static bool fail(struct cbor_in *in)
{
    in->failed = true;
    return false;
}

bool cbor_next(struct cbor_in *in, struct cbor_item *out)
{
    unsigned low;
    int bytes;

    if (in->failed || in->at == in->end)
        return fail(in);
    out->type = (enum cbor_type)(*in->at >> 5);
    low = *in->at++ & 31;
    if (low > 27) /* of indefinite length, or nothing that there is */
        return fail(in);
    bytes = low < 24 ? 0 : 1 << (low - 24);
    if (bytes > in->end - in->at)
        return fail(in);
    out->value = bytes ? 0 : low;
    for (int i = 0; i < bytes; i++)
        out->value = out->value << 8 | *in->at++;
    out->data = NULL;
    if (out->type != CBOR_BYTES && out->type != CBOR_TEXT)
        return true;
    if (out->value > (uint64_t)(in->end - in->at))
        return fail(in);
    out->data = in->at;
    in->at += out->value;
    return true;
}

bool cbor_skip(struct cbor_in *in)
{
    uint64_t left[CBOR_DEPTH];
    int depth = 0;

    left[0] = 1;
    while (depth >= 0) {
        struct cbor_item item;
        uint64_t inside;

        if (!left[depth]) {
            depth--;
            continue;
        }
        left[depth]--;
        if (!cbor_next(in, &item))
            return false;
        /* Each item has a byte at least: what cannot be there is not waited for. */
        if ((item.type == CBOR_ARRAY || item.type == CBOR_MAP) &&
            item.value > (uint64_t)(in->end - in->at))
            return fail(in);
        inside = item.type == CBOR_ARRAY ? item.value
                 : item.type == CBOR_MAP ? 2 * item.value
                 : item.type == CBOR_TAG ? 1
                                         : 0;
        if (!inside)
            continue;
        if (depth + 1 == CBOR_DEPTH)
            return fail(in);
        left[++depth] = inside;
    }
    return true;
}

bool cbor_expect(struct cbor_in *in, enum cbor_type type, struct cbor_item *out)
{
    return cbor_next(in, out) && (out->type == type || fail(in));
}

bool cbor_is_text(const struct cbor_item *item, const char *text)
{
    return item->type == CBOR_TEXT && item->value == strlen(text) &&
           !memcmp(item->data, text, strlen(text));
}

/* Is this key the one that is looked for: a text, or else a number? */
static bool is_key(const struct cbor_item *item, const char *text, int64_t number)
{
    if (text)
        return cbor_is_text(item, text);
    return number < 0 ? item->type == CBOR_NEGATIVE && item->value == (uint64_t)(-1 - number)
                      : item->type == CBOR_UINT && item->value == (uint64_t)number;
}

static bool find(const struct cbor_in *in, const char *text, int64_t number, struct cbor_in *value)
{
    struct cbor_in at = *in;
    struct cbor_item map, key;

    if (!cbor_expect(&at, CBOR_MAP, &map))
        return false;
    for (uint64_t i = 0; i < map.value; i++) {
        struct cbor_in whole = at;

        if (!cbor_skip(&whole)) /* the key may be anything */
            return false;
        if (cbor_next(&at, &key) && is_key(&key, text, number)) {
            *value = whole;
            return true;
        }
        at = whole;
        if (!cbor_skip(&at))
            return false;
    }
    return false;
}

bool cbor_find(const struct cbor_in *in, const char *key, struct cbor_in *value)
{
    return find(in, key, 0, value);
}

bool cbor_find_int(const struct cbor_in *in, int64_t key, struct cbor_in *value)
{
    return find(in, NULL, key, value);
}
