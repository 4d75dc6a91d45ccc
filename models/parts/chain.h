/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h - layers one after another, as an encoder or decoder of pictures is.
 *
 * Both autoencoders are lists of these stages. Along a list only a stage's input and output live,
 * at the two ends of one block (see seesaw.h), and what a stage needs besides is carved above.
 */
#ifndef MODELS_PARTS_CHAIN_H
#define MODELS_PARTS_CHAIN_H

#include "models/parts/blocks.h"

#define CHAIN_STAGES_MAX 128

enum stage_kind {
    STAGE_CONV,      /* conv[0], then act */
    STAGE_CONV_UP,   /* the same of x made twice as high and wide */
    STAGE_NORM_CONV, /* norm with SiLU, then conv[0] */
    STAGE_RESNET,    /* a resnet without time */
    STAGE_ATTENTION, /* x + one head of attention over all pixels of the normalised x */
    STAGE_TINY,      /* relu(x + three convolutions with act between them) */
};

struct stage {
    enum stage_kind kind;
    int channels; /* of the output */
    int groups;   /* of norm */
    enum act act;
    struct norm norm;
    struct weight conv[4]; /* attention: query, key, value, out */
    struct resnet resnet;
};

struct chain {
    struct stage *stage; /* CHAIN_STAGES_MAX of them */
    int count;
};

MUST_USE enum status chain_open(struct chain *c, struct why *why);
void chain_close(struct chain *c);

/* A fresh stage at the end. Asserts that there is room. */
struct stage *chain_add(struct chain *c, enum stage_kind kind, int channels);

/* Height and width that come out for those that go in. */
void chain_output(const struct chain *c, int64_t *height, int64_t *width);

/* y has the chain's output shape. x is read only. */
void chain_forward(const struct chain *c, struct device *d, struct tensor y, struct tensor x);

#endif /* MODELS_PARTS_CHAIN_H */
