/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shapes.h - every convolution and attention of the supported models, by their published configs.
 *
 * The walk is the one of models/unet.c and of the decoder in models/vae_kl.c; shortcuts and
 * everything between tokens are linear layers and not here.
 */
#ifndef TESTS_CUDNN_SHAPES_H
#define TESTS_CUDNN_SHAPES_H

#include "kernels/cuda/plans.h"

struct shapes {
    struct plan_key *keys; /* each once; the caller frees them */
    int count, capacity;
};

/* bf16 at 1 to 64 images; f16 at the same if `all`, or else at 1. */
void shapes_all(struct shapes *s, bool all);

#endif /* TESTS_CUDNN_SHAPES_H */
