/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result.h - finished pictures as an answer: base64 in OpenAI's JSON, or one picture's own bytes.
 *
 * They come from jobs that have just been made, or out of the store; the answer is the same.
 */
#ifndef SERVER_RESULT_H
#define SERVER_RESULT_H

#include "server/generation.h"

struct result {
    const char *model;
    int width, height;
    enum format format;
    int cut;        /* tokens that the prompt was cut to; 0: it was not */
    int64_t made_s; /* wall time */
    int count;
    struct {
        uint64_t seed;
        const char *sha256;
        struct bytes *data; /* taken, or freed, when the answer is written */
    } picture[REQUEST_IMAGES_MAX];
};

/* Of a generation whose jobs are all done; borrows from it. */
void result_of(struct result *out, const struct generation *g);
/* The tokens that a prompt was cut to, or 0. */
int result_cut(const struct generation *g);
const char *result_format_name(enum format format);

/* Begin the answer: with the bytes of the only picture, or all of them as JSON. */
void result_write(struct answer *a, const struct result *r, bool raw);

/* Begin the answer that says why there is no picture. */
void result_write_failure(struct answer *a, enum status st, const char *message);

#endif /* SERVER_RESULT_H */
