/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jumbf.h - ISO 19566-5's boxes, as C2PA fills them: a superbox has a description (what it is, and
 * a label) and then its content.
 *
 *     size_t box = jumbf_begin(&out, JUMBF_STORE, "c2pa");
 *     ...
 *     jumbf_end(&out, box);
 *
 * Reading is for strangers' bytes.
 */
#ifndef WATERMARK_JUMBF_H
#define WATERMARK_JUMBF_H

#include "watermark/cbor.h"

#define JUMBF_LABEL_MAX 128 /* with a NUL; longer ones are not ours */

/* The first four bytes of a box's type; the others are the same for all. */
enum jumbf_type {
    JUMBF_FOREIGN = 1,             /* only read: any other superbox, a thumbnail for one */
    JUMBF_STORE = 0x63327061,      /* c2pa */
    JUMBF_MANIFEST = 0x63326d61,   /* c2ma */
    JUMBF_ASSERTIONS = 0x63326173, /* c2as */
    JUMBF_CLAIM = 0x6332636c,      /* c2cl */
    JUMBF_SIGNATURE = 0x63326373,  /* c2cs */
    JUMBF_CBOR = 0x63626f72,       /* cbor */
};

/* ---- writing ---- */

/* Returns what jumbf_end needs. */
size_t jumbf_begin(struct cbor_out *o, enum jumbf_type type, const char *label);
size_t jumbf_begin_content(struct cbor_out *o); /* a box `cbor` */
void jumbf_end(struct cbor_out *o, size_t box);

/* ---- reading ---- */

struct jumbf_box {
    uint32_t type;               /* of a superbox, an enum jumbf_type or its like; else 0 */
    char label[JUMBF_LABEL_MAX]; /* empty: it has none */
    const uint8_t *data;         /* what C2PA hashes: the description and all content */
    size_t count;
    struct cbor_in content; /* behind the description; or of a plain box, all of it */
};

/* The box at `in`, which then stands behind it. False: there is none, or it is damaged. */
bool jumbf_next(struct cbor_in *in, struct jumbf_box *out);
/* The box with this label among those that lie in `in`. */
bool jumbf_find(struct cbor_in in, const char *label, struct jumbf_box *out);
/* The bytes of the box `cbor` that is a superbox's content. */
bool jumbf_content(const struct jumbf_box *box, struct cbor_in *out);

#endif /* WATERMARK_JUMBF_H */
