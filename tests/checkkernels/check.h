/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - judge and time the slots of the op table.
 *
 * A check reads as a sentence: draw, run. It writes the call under test once, and the loop around
 * it asks everybody: first the judge (plain C in double), then every rung of every filling, twice,
 * and once more with single images of the batch. Between two turns of the loop the numbers are
 * compared, as the slot's bounds in close.c say:
 *
 *     while (check_next_case(c, COUNT(shapes))) {
 *         struct twin *x = draw_input(c, (struct ask){.name = "x", .dim = {batch, 1, rows, cols}});
 *         struct twin *y = draw_output(c, (struct ask){.name = "y", .dim = {batch, 1, rows,
 * cols}}); while (check_next_run(c)) c->device->ops.convert(c->device, y->t, x->t);
 *     }
 *
 * What a check may draw comes from draw.h; everything it draws lives until the next case.
 */
#ifndef CHECKKERNELS_CHECK_H
#define CHECKKERNELS_CHECK_H

#include "kernels/device.h"

#include <stdio.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

enum {
    RUNGS_MAX = 16,
    TWINS_MAX = 12,
    RUNS_TIMED_MAX = 31,
    FAILURES_SHOWN = 3,
    RANDOM_CASES = 40,
};

/* One step of a ladder of capabilities. */
struct rung {
    char name[80]; /* "none", "avx2+avx512", ... */
    char caps[64]; /* as --caps wants them */
    unsigned mask;
    enum accelerator accelerator;
    enum precision precision;
    struct ops ops; /* the table as this rung fills it */
};

struct options {
    const char *pattern; /* of slot names; NULL: all */
    unsigned caps;       /* may be used */
    int precision;       /* one of enum precision, or -1 for both */
    enum accelerator accelerator;
    int gpu;  /* which one */
    int type; /* of activations, enum dtype; -1: f32 on a CPU, all three on a GPU */
    uint64_t seed;
    int repeat;    /* times as many random cases */
    int only_case; /* -1: all */
    int threads;
    bool full;  /* model shapes at full size */
    bool drawn; /* and no model shapes at all */
    bool bench; /* time what passed */
    bool list;
    const char *tsv;
};

/* How far two tensors lie apart. */
struct gap {
    double nmse;  /* squared error over squared size */
    double worst; /* largest error over the root mean square */
    double ulp;   /* largest error in units of the last place */
    char where[160];
};

/* What a rung came to, in memory that outlives the child that found it. */
struct verdict {
    bool judged, crashed;
    int cases, failures;
    struct gap gap; /* the largest of each */
};

/* Shared between the child that checks a slot and its parent. */
struct shared {
    struct verdict verdicts[RUNGS_MAX];
    int rung, index; /* under way; rung -1: the judge */
    char what[600];  /* the case in words */
};

struct check;

struct slot {
    const char *name;
    size_t offset; /* in struct ops */
    void (*check)(struct check *c);
    bool mixes;    /* mixed precision may change what is inside */
    bool winograd; /* so may Winograd */
};

enum role {
    ROLE_IMAGES, /* read; dim[0] counts images */
    ROLE_SHARED, /* read; the same for every image */
    ROLE_OUTPUT,
};

/* A tensor that the judge and the judged see alike. */
struct twin {
    struct tensor t;     /* what the call under test passes now; data NULL if drawn absent */
    struct tensor whole; /* with all images */
    const char *name;
    enum role role;
    struct twin *over; /* an output in the place of this input */
    bool host;         /* stays on the host, whatever the device */
    char *mirror;      /* all of it in the memory of a GPU, or NULL */
    char *bytes;       /* guard band, rows, guard band */
    char *pristine;    /* the same before any run */
    char *answer;      /* the same after the judge's run; outputs only */
    char *before;      /* the same after this rung's first run; outputs only */
    size_t size;
};

enum kind { KIND_NORMAL, KIND_TAILS, KIND_EQUAL, KIND_OFFSET, KIND_ZEROS, KIND_DENORMAL, KINDS };

enum step { STEP_NONE, STEP_JUDGE, STEP_REHEARSE, STEP_FIRST, STEP_AGAIN, STEP_ALONE, STEP_TIMED };

struct check {
    struct device *device; /* the one to ask now */
    int64_t image;         /* where this run's images begin, for arrays on the host */
    int listed;            /* which of the check's own list of shapes, or -1: draw one */
    enum kind kind;        /* of values in this case */
    enum dtype dtype;      /* of activations */

    const struct options *options;
    const struct slot *slot;
    const struct rung *rungs;
    int rung_count;
    bool timing; /* this is the bench pass */
    FILE *tsv;
    struct shared *shared;
    struct device *judge, *devices[RUNGS_MAX];

    int index; /* of the case */
    uint64_t random;
    double flops;
    char note[160];
    struct twin twins[TWINS_MAX];
    int twin_count;

    struct twin *weight_w, *weight_b; /* drawn for this case, or NULL */
    struct weight weights[RUNGS_MAX + 1];
    bool packed[RUNGS_MAX + 1]; /* the last is the judge's */

    enum step step;
    int rung, round;
    int calls, calls_wanted;       /* of a GPU, between two waits */
    double once[RUNGS_MAX];        /* seconds of one call */
    struct device *mirrors_device; /* that the mirrors were taken from */
    double began;
    double seconds[RUNGS_MAX][RUNS_TIMED_MAX];
    int timed[RUNGS_MAX];
};

/* The next random or listed case, after giving back what the last one drew. */
bool check_next_case(struct check *c, int listed);

/* Compare what the last run left; false when everybody has been asked. */
bool check_next_run(struct check *c);

/* Make a weight of two drawn tensors; b may be absent. `check_weight` is it, packed on the device
   that is asked now. */
void check_weight_is(struct check *c, struct twin *w, struct twin *b, int stride, const int *pad);
void check_weight_is_up(struct check *c); /* and conv_up convolves with it */
const struct weight *check_weight(const struct check *c);

/* For the bench: floating point operations of one call. */
void check_flops(struct check *c, double flops);

/* More words about the case, for failures. */
void check_note(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Is rung r the first whose slot has this inside? */
bool check_is_new(const struct check *c, int r);

/* The bounds of close.c. False, with the reason in gap->where, when a is too far from answer. */
bool close_judge(const struct check *c, const struct twin *y, struct gap *gap);
bool close_finite(const struct twin *y);             /* what is shown of y */
const char *close_row(const struct check *c, int r); /* the arithmetic of rung r */
bool close_reduces(const struct check *c, int r);    /* or does it only round? */

extern const struct slot slots[];
extern const int slot_count;

void report_failure(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);
void report_again(const struct check *c, int r, int index);
void report_case(const struct check *c, char *text, size_t bytes);
void report_times(struct check *c);
void report_verdicts(const struct check *c);

void check_open(struct check *c);
void check_memory(struct check *c);
void check_repeat(struct check *c);
void check_weight_pack(struct check *c);
void check_upload(struct check *c);
void check_download(struct check *c);
void check_download_pixels(struct check *c);
void check_noise(struct check *c);
void check_linear(struct check *c);
void check_linear_geglu(struct check *c);
void check_conv(struct check *c);
void check_conv_up(struct check *c);
void check_conv_depthwise(struct check *c);
void check_norm_group(struct check *c);
void check_norm_layer(struct check *c);
void check_attention(struct check *c);
void check_activate(struct check *c);
void check_geglu(struct check *c);
void check_add(struct check *c);
void check_affine(struct check *c);
void check_calibrate(struct check *c);
void check_gather(struct check *c);
void check_advance(struct check *c);
void check_convert(struct check *c);
void check_concat(struct check *c);
void check_blend(struct check *c);
void check_pool(struct check *c);
void check_embed_tokens(struct check *c);
void check_embed_time(struct check *c);

#endif /* CHECKKERNELS_CHECK_H */
