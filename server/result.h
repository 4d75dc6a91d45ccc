/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result.h - finished pictures as an answer: base64 in OpenAI's JSON, or one picture's own bytes.
 *
 * They come from jobs that have just been made, or out of the store; the answer is the same. Every
 * picture has its own outcome: what was kept back is said in its place, with the reason and what
 * can be done, and never is a list empty or a picture black.
 */
#ifndef SERVER_RESULT_H
#define SERVER_RESULT_H

#include "server/generation.h"
#include "server/moderated.h"

/* What the store says about the pictures of one request, where that is more than "allowed". */
struct outcomes {
    struct moderated how;
    const char *job; /* whose end tells what becomes of those that wait; or NULL */
    struct store_decision decision[REQUEST_IMAGES_MAX]; /* without an id: there is no more */
};

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
        const char *decision; /* the record's id; empty: nobody judged */
        struct bytes *data;   /* taken, or freed, when the answer is written; empty: kept back */
    } picture[REQUEST_IMAGES_MAX];
    const struct outcomes *outcomes; /* NULL: all are plainly allowed */
};

/* How many of a result's pictures are what. */
struct result_tally {
    int allowed, blurred /* also allowed */, held, blocked;
};

struct result_tally result_count(const struct result *r);

/* Of a generation whose jobs are all done; borrows from both. */
void result_of(struct result *out, const struct generation *g, const struct outcomes *outcomes);
/* The tokens that a prompt was cut to, or 0. */
int result_cut(const struct generation *g);
const char *result_format_name(enum format format);

/* Begin the answer: with the bytes of the only picture, or all of them as JSON; when all were
   blocked, with the 400 that says why. When there is nothing but what waits for a person, the
   answer is not here. */
void result_write(struct answer *a, const struct result *r, bool raw);

/* The decisions of those that were blocked, in order; how many they are. */
int result_blocked(const struct result *r, const struct store_decision **out);

/* Begin the answer that says why there is no picture. */
void result_write_failure(struct answer *a, enum status st, const char *message);

#endif /* SERVER_RESULT_H */
