/* SPDX-License-Identifier: Apache-2.0 */
/*
 * narrow.h - the large linear layers of a device of PRECISION_FP8, in eight bits (e4m3): twice the
 * matrix units' speed, half of the weights' way through memory.
 *
 * Weights are packed a second time with one scale, so that the largest of them becomes 448, the
 * largest e4m3 there is. What they are multiplied with has one scale for each layer too, found
 * once: between narrow_calibrate(begin) and (end) the layer computes in bf16 and its largest input
 * is written down. Scales never change afterwards, so a picture does not depend on its neighbours;
 * what is larger than anything that was seen, by more than twice, becomes the largest e4m3. A layer
 * that calibration did not meet stays in bf16.
 *
 * Which layers: those with as many weights as are worth it whose input has many rows for each image
 * (device.h says how many). So prompts, time embeddings and the coarsest levels,
 * where there is little to win, lose nothing.
 */
#ifndef KERNELS_CUDA_NARROW_H
#define KERNELS_CUDA_NARROW_H

#include "kernels/cuda/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer in e4m3. The device's list of them is for calibration alone. */
struct narrow {
    void *w; /* [N][K] */
    int64_t count;
    float *scales; /* on the device: a unit of w, a unit of x, the largest x seen */
    bool settled;  /* x has a scale */
    struct narrow *next;
};

enum { NARROW_SCALE_W, NARROW_SCALE_X, NARROW_LARGEST, NARROW_SCALES };

/* Is w one of them? */
bool narrow_suits(const struct device *d, const struct weight *w);

/* Pack the layer's numbers, which are on the device in bf16. NULL when memory runs out. */
struct narrow *narrow_take(struct device *d, const struct weight *w, const void *numbers);
void narrow_give(struct device *d, struct narrow *n);

/* Look at a layer's input while the device is calibrated. */
void narrow_watch(struct device *d, struct narrow *n, struct tensor x);

/* May this x be narrowed for this layer now? */
bool narrow_takes(const struct device *d, const struct narrow *n, struct tensor x);

/* x's rows close together in e4m3, in memory that the next call takes; NULL and a broken device
   without it. */
const void *narrow_rows(struct device *d, const struct narrow *n, struct tensor x);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CUDA_NARROW_H */
