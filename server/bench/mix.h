/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mix.h - what is asked for: kinds of requests, and how often each comes.
 *
 * A kind has a weight, what it says to the server, whose key it comes with, and the deadline that
 * it states and is judged by. Kinds come from a JSON file,
 *
 *     {"kinds": [{"name": "small", "weight": 3, "size": "512x512", "steps": 4, "deadline_ms":
 * 2000},
 *                {"name": "large", "size": "1024x1024", "steps": 30, "key_env": "KEY_OF_B"}]}
 *
 * or one by one from text with the same fields:
 *
 *     name=small,weight=3,size=512x512,steps=4,deadline_ms=2000
 *
 * What is left out is not sent, so that the server's own defaults hold. Whether a value makes sense
 * to it is for the server to say: its refusals are counted like any others.
 */
#ifndef SERVER_BENCH_MIX_H
#define SERVER_BENCH_MIX_H

#include "base/json.h"

#define MIX_KINDS_MAX   32
#define MIX_FILE_MAX    ((size_t)1 << 20)
#define MIX_DEADLINE_MS 86400000 /* the longest that can be stated */

struct mix_kind {
    char name[32]; /* letters, digits, '.', '_', '-' */
    double weight; /* above 0, or 0: only by name from a trace */
    char model[64], prompt[1024], negative[1024], size[24], sampler[32], format[8], priority[8];
    int64_t steps, images, seed; /* below 0: not said; without a seed every request has its own */
    double guidance;             /* below 0: not said */
    int64_t deadline_ms;         /* 0: none */
    char key_env[64];            /* the environment variable that holds the API key */
};

struct mix {
    struct mix_kind kind[MIX_KINDS_MAX];
    int count;
};

/* The errors name the field and the kind. On failure the mix is as it was. */
MUST_USE enum status mix_add(struct mix *m, const char *text, struct why *why);
MUST_USE enum status mix_parse(struct mix *m, const char *text, size_t bytes, struct why *why);
MUST_USE enum status mix_load(struct mix *m, const char *path, struct why *why);

/* Once all kinds are there: one that says nothing when there is none, `deadline_ms` for those that
   have none, `key_env` likewise. ST_INVALID when no kind has a weight. */
MUST_USE enum status mix_complete(struct mix *m, int64_t deadline_ms, const char *key_env,
                                  struct why *why);

int mix_find(const struct mix *m, const char *name, size_t bytes); /* -1: no such kind */

/* The kind that a number from 0 to below 1 stands for. */
int mix_draw(const struct mix *m, double number);

/* The body of one request of a kind. */
void mix_body(struct json_out *o, const struct mix_kind *kind, uint64_t seed);

#endif /* SERVER_BENCH_MIX_H */
