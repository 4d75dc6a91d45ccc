/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts.h - what the text encoders made of the texts that were read last.
 *
 * Most requests have no negative prompt, the pictures of one request share both texts, and people
 * try a prompt again with another seed: what is read once is kept on the device, up to TEXTS_MAX
 * texts, and the least recently used makes room. A text is known by its token ids, all of them, so
 * a picture is the same whether its texts were kept or not.
 */
#ifndef MODELS_TEXTS_H
#define MODELS_TEXTS_H

#include "kernels/device.h"

#define TEXTS_MAX 64

/* One text; views of memory that belongs to `struct texts`. */
struct text {
    const int32_t *ids;    /* [encoders][T] */
    struct tensor context; /* [1, 1, T, context_width] */
    struct tensor pooled;  /* [1, 1, 1, pooled_width]; empty where the pipeline has none */
};

struct texts_shape {
    int encoders, length; /* ids of a text for each */
    int context_width;
    int pooled_width; /* 0: the pipeline has none */
};

struct texts;

/* ST_FULL without memory, host's or device's. */
MUST_USE enum status texts_open(struct texts **out, struct texts_shape shape, struct device *d,
                                struct why *why);
void texts_close(struct texts **t);

/* The text of one row of ids[encoders][2][T]. False: it is not there; then it is the caller's to
   fill *text, in the place of the least recently used, before any other call. */
bool texts_find(struct texts *t, const int32_t *ids, int row, struct text *text);

/* What was kept is not what the encoders would make now. */
void texts_forget(struct texts *t);

#endif /* MODELS_TEXTS_H */
