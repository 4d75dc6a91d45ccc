/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/jumbf.h"

#include <string.h>

#define HEAD      8 /* length and type of a box */
#define TYPE      16
#define TOGGLES   0x03 /* it may be asked for by its label, which is there */
#define LABEL_BIT 0x02
#define UNKNOWN   0xe0

static const uint8_t type_tail[12] = {0x00, 0x11, 0x00, 0x10, 0x80, 0x00,
                                      0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};

/* ---- writing ---- */

static void put_be32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t begin(struct cbor_out *o, const char type[5])
{
    size_t at = o->count;

    cbor_raw(o, "\0\0\0\0", 4);
    cbor_raw(o, type, 4);
    return at;
}

size_t jumbf_begin(struct cbor_out *o, enum jumbf_type type, const char *label)
{
    size_t box = begin(o, "jumb"), description = begin(o, "jumd");
    uint8_t id[4];

    put_be32(id, (uint32_t)type);
    cbor_raw(o, id, sizeof(id));
    cbor_raw(o, type_tail, sizeof(type_tail));
    cbor_raw(o, (const uint8_t[]){TOGGLES}, 1);
    cbor_raw(o, label, strlen(label) + 1);
    jumbf_end(o, description);
    return box;
}

size_t jumbf_begin_content(struct cbor_out *o)
{
    return begin(o, "cbor");
}

void jumbf_end(struct cbor_out *o, size_t box)
{
    if (!o->failed)
        put_be32(o->data + box, (uint32_t)(o->count - box));
}

/* ---- reading ---- */

static uint32_t get_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A plain box: its type and what is in it. */
static bool next_plain(struct cbor_in *in, const uint8_t **type, struct cbor_in *inside)
{
    size_t left = (size_t)(in->end - in->at), whole;

    if (left < HEAD)
        return false;
    whole = get_be32(in->at);
    if (whole < HEAD ||
        whole > left) /* no boxes that are larger than 4 GiB, or end with the file */
        return false;
    *type = in->at + 4;
    *inside = (struct cbor_in){in->at + HEAD, in->at + whole, false};
    in->at += whole;
    return true;
}

static bool read_label(char out[JUMBF_LABEL_MAX], const uint8_t *text, size_t left)
{
    const uint8_t *nul = memchr(text, 0, left);

    if (!nul || nul - text >= JUMBF_LABEL_MAX)
        return false;
    memcpy(out, text, (size_t)(nul - text) + 1);
    return true;
}

static bool describe(struct jumbf_box *out, struct cbor_in inside)
{
    const uint8_t *type, *at;
    struct cbor_in description;
    size_t left;

    if (!next_plain(&inside, &type, &description) || memcmp(type, "jumd", 4))
        return false;
    at = description.at;
    left = (size_t)(description.end - at);
    if (left < TYPE + 1 || at[TYPE] & UNKNOWN)
        return false;
    if (at[TYPE] & LABEL_BIT && !read_label(out->label, at + TYPE + 1, left - TYPE - 1))
        return false;
    out->type = memcmp(at + 4, type_tail, sizeof(type_tail)) ? JUMBF_FOREIGN : get_be32(at);
    out->content = inside;
    return true;
}

bool jumbf_next(struct cbor_in *in, struct jumbf_box *out)
{
    struct cbor_in inside;
    const uint8_t *type;

    *out = (struct jumbf_box){.type = 0};
    if (!next_plain(in, &type, &inside))
        return false;
    out->data = inside.at;
    out->count = (size_t)(inside.end - inside.at);
    out->content = inside;
    return memcmp(type, "jumb", 4) || describe(out, inside);
}

bool jumbf_find(struct cbor_in in, const char *label, struct jumbf_box *out)
{
    while (jumbf_next(&in, out)) {
        if (out->type && !strcmp(out->label, label))
            return true;
    }
    return false;
}

bool jumbf_content(const struct jumbf_box *box, struct cbor_in *out)
{
    struct cbor_in in = box->content;
    const uint8_t *type;

    return next_plain(&in, &type, out) && !memcmp(type, "cbor", 4);
}
