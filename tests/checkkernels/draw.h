/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.h - what checks are made of. Everything drawn is a function of the seed, the slot and the
 * number of the case alone, so a case can be repeated by itself.
 */
#ifndef CHECKKERNELS_DRAW_H
#define CHECKKERNELS_DRAW_H

#include "tests/checkkernels/check.h"

struct ask {
    const char *name;
    int64_t dim[4];
    enum dtype dtype;
    float scale;  /* values are about this large; 0 means 1 */
    bool typed;   /* f32 means f32, not the type of activations */
    bool host;    /* is passed to a GPU as an address on the host */
    bool strided; /* may be a slice of the columns of something wider */
    bool plain;   /* normal values, whatever the kind of the case */
    bool wide;    /* may be f32 where activations are of 16 bits */
    bool stray;   /* row 0 of a normal one may be ten times as large */
    /* Against weights of both signs, or multiplied: an offset of 30 leaves more than it cancels,
       and stays in range. */
    bool summed;
};

/* Between low and high, heavy on edges: 1, around powers of two, primes. */
int64_t draw_size(struct check *c, int64_t low, int64_t high);
int draw_below(struct check *c, int count); /* 0 <= result < count */
bool draw_chance(struct check *c, int percent);
double draw_normal(struct check *c);
enum act draw_act(struct check *c);
const char *draw_act_name(enum act act);
enum dtype draw_dtype(struct check *c); /* of a weight: one that the device keeps exactly */
enum dtype draw_any_dtype(struct check *c);

struct twin *draw_input(struct check *c, struct ask ask);
struct twin *draw_shared(struct check *c, struct ask ask);         /* the same for all images */
struct twin *draw_ids(struct check *c, struct ask ask, int limit); /* 0 <= id < limit */
struct twin *draw_output(struct check *c, struct ask ask);
struct twin *draw_over(struct check *c, const char *name, struct twin *input);
struct twin *draw_absent(struct check *c, const char *name);

/* An output, sometimes in the place of the input. */
struct twin *draw_output_or_over(struct check *c, const char *name, struct twin *input);

/* The same where an output may be wide and an input of any type: they need not be of one type. */
struct twin *draw_wide_or_over(struct check *c, const char *name, struct twin *input);

/* How a linear layer or convolution ends. */
struct ending {
    struct twin *y, *bias, *shift, *add;
    enum act act;
    bool none; /* pass NULL */
};
struct ending draw_ending(struct check *c, struct ask y);
struct epilogue ending_epilogue(const struct ending *end);

void draw_forget(struct check *c); /* frees every twin */

#endif /* CHECKKERNELS_DRAW_H */
