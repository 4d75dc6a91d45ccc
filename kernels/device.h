/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - one accelerator: its table of ops, its arena, and whether it still makes sense.
 *
 *     device_open(&d, (struct device_options){.threads = 2}, &why);
 *     ... load models: their weights are packed on d ...
 *     device_measure_begin(d);  model_step(...biggest batch...);  device_measure_end(d, &why);
 *     ... run: every forward marks and rewinds d->arena ...
 *     device_close(&d);
 *
 * One thread at a time uses a device. Nothing here is locked.
 */
#ifndef KERNELS_DEVICE_H
#define KERNELS_DEVICE_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum precision {
    PRECISION_AUTO,  /* f32 on a CPU, bf16 on a GPU */
    PRECISION_F32,   /* every product in float32 */
    PRECISION_MIXED, /* bf16 operands in linears, attention and small convolutions, sums and all
                        else float32; the same as f32 where the CPU has no bf16 */
    PRECISION_BF16,  /* weights and activations in bf16, sums in float32: only a GPU */
    PRECISION_F16,   /* the same in f16 */
    PRECISION_FP8, /* bf16, with the operands of large linears in e4m3: only a GPU, once calibrated
                    */
};

enum accelerator {
    ACCELERATOR_CPU,
    ACCELERATOR_CUDA,
};

struct backend; /* what the filling keeps on this device: scratch memory, streams */

struct device {
    struct ops ops;     /* call as d->ops.linear(d, ...) */
    struct arena arena; /* activations */
    enum dtype dtype;   /* of activations: f32 on a CPU */
    enum precision precision;
    enum accelerator accelerator;
    int index;                           /* which one of its kind */
    const char *plans;                   /* while it is opened: as in the options */
    int64_t narrow_weights, narrow_rows; /* as in the options */
    int threads;                         /* compute threads */
    bool broken;                         /* set by a filling, for ever; read through device_sync */
    struct ops parked;                   /* the real table, while measuring */
    struct backend *backend;
};

struct device_options {
    enum accelerator accelerator;
    int index;   /* which GPU, from 0 */
    int threads; /* 0: one per physical core that this process may use */
    enum precision precision;
    unsigned caps_off; /* capabilities to take away */
    const char *plans; /* file where a GPU remembers what it was prepared for; NULL: nowhere */
    /* What makes a linear layer large enough for fp8: weights, 0: 2^20; rows of an image, 0: 128.
     */
    int64_t narrow_weights, narrow_rows;
    bool reference; /* only the judge's plain C: slow, for tests */
};

/* ST_UNSUPPORTED when no filling works here (no such GPU, or a precision that this device does not
   have), ST_FULL without memory. */
MUST_USE enum status device_open(struct device **out, struct device_options options,
                                 struct why *why);
void device_close(struct device **d);

/* Between these two every op does nothing and the arena only counts; the end takes the block that
   was measured (or keeps a block that is already big enough), and `measured` bytes of it are
   the peak. Called again for a bigger run it replaces the block, so nothing may be carved. */
void device_measure_begin(struct device *d);
MUST_USE enum status device_measure_end(struct device *d, struct why *why);

/* The calling thread takes the device over from the one that used it before. */
void device_enter(struct device *d);

/* Between these two, passes like those that will come are run: the device looks at their numbers,
   and settles how to keep them in fewer bits where its precision says so. Whoever opens a device of
   PRECISION_FP8 does so before it is prepared; until then it computes in bf16. */
void device_calibrate_begin(struct device *d);
MUST_USE enum status device_calibrate_end(struct device *d);

/* What was run until now was a rehearsal: make it fast. Seconds to minutes on a GPU that does it
   for the first time. ST_DEVICE as device_sync. */
MUST_USE enum status device_prepare(struct device *d);

/* How many rows to run a repeated forward pass with, to serve `rows`: a GPU is prepared for some
   numbers of rows only, a CPU for any. */
int device_rows(const struct device *d, int rows);

/* Wait for everything asked so far. ST_DEVICE once the device is broken, for ever after. */
MUST_USE enum status device_sync(struct device *d);

/* "cpu: avx512 bf16, oneDNN, 2 threads, mixed" into text. */
void device_describe(const struct device *d, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_DEVICE_H */
