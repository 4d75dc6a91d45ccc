/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cbor.h - RFC 8949, as much of it as manifests need.
 *
 * Writing is deterministic (4.2.1) as long as the caller puts the keys of a map in their order:
 * the shorter first, then by bytes. Reading is for strangers' bytes: one item after another,
 * nothing of indefinite length, nothing deeper than CBOR_DEPTH; after a mistake everything fails.
 *
 *     cbor_map(&out, 1);
 *     cbor_text(&out, "alg");
 *     cbor_text(&out, "sha256");
 */
#ifndef WATERMARK_CBOR_H
#define WATERMARK_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_DEPTH 16

/* ---- writing ---- */

struct cbor_out {
    uint8_t *data; /* owned: cbor_close */
    size_t count, size;
    bool failed; /* memory ran out */
};

void cbor_uint(struct cbor_out *o, uint64_t value);
void cbor_negative(struct cbor_out *o, int64_t value); /* below 0 */
void cbor_bytes(struct cbor_out *o, const void *data, size_t count);
void cbor_text(struct cbor_out *o, const char *text);
void cbor_array(struct cbor_out *o, size_t items);
void cbor_map(struct cbor_out *o, size_t pairs);
void cbor_tag(struct cbor_out *o, uint64_t tag);
void cbor_null(struct cbor_out *o);
void cbor_bool(struct cbor_out *o, bool value);
void cbor_raw(struct cbor_out *o, const void *data, size_t count); /* an item, or bytes of a box */
void cbor_close(struct cbor_out *o);

/* ---- reading ---- */

enum cbor_type {
    CBOR_UINT,
    CBOR_NEGATIVE, /* -1 - value */
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE, /* false 20, true 21, null 22; also numbers with a point */
};

struct cbor_in {
    const uint8_t *at, *end;
    bool failed;
};

struct cbor_item {
    enum cbor_type type;
    uint64_t value;      /* the number, or how many items, pairs or bytes */
    const uint8_t *data; /* of bytes and text; borrowed, without a NUL */
};

/* The head of the next item, with its bytes or text. False: there is none. */
bool cbor_next(struct cbor_in *in, struct cbor_item *out);
/* The next item with all that is in it. */
bool cbor_skip(struct cbor_in *in);

/* The next item has to be this. */
bool cbor_expect(struct cbor_in *in, enum cbor_type type, struct cbor_item *out);
bool cbor_is_text(const struct cbor_item *item, const char *text);
/* The value of a key of the map that comes next; `in` stays where it is. False: it is no map, or
   has no such key. */
bool cbor_find(const struct cbor_in *in, const char *key, struct cbor_in *value);
bool cbor_find_int(const struct cbor_in *in, int64_t key, struct cbor_in *value);

#endif /* WATERMARK_CBOR_H */
