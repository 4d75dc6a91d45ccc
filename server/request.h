/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - the body of POST /v1/images/generations, from bytes to a plain struct.
 *
 * OpenAI's fields, with the extensions that vLLM-Omni gave them. Every limit is checked here, once:
 * behind request_picture nobody checks again. A field that is not known is refused by name, and
 * null is the same as absent.
 *
 *     prompt               text, 1 to 32,000 characters, required; a server may allow less
 *     negative_prompt      text, up to as many characters
 *     model                a name that GET /v1/models lists
 *     n                    1 to 10: picture k has the seed `seed` + k
 *     size                 "WIDTHxHEIGHT" or "auto", within the model's limits
 *     num_inference_steps  1 to 150
 *     guidance_scale       0 to 100; up to 1 the negative prompt is not looked at
 *     seed                 0 to 2^53 - 1, which every JSON reader can hold; absent: random
 *     sampler              "euler", "euler_ancestral", "ddim", "dpmpp_2m" or "lcm"
 *     priority             "high", "normal" or "low": beside the caller's other requests
 *     output_format        "png", "webp" or "jpeg"
 *     output_compression   0 to 100, with webp and jpeg
 *     response_format      "b64_json"; raw bytes come by the header Accept: image/...
 *     stream               true: every picture is an event, as soon as it is there
 *     partial_images       0 to 3, with stream: events with previews before it
 *     user                 up to 64 bytes: the caller's own word for whom it is, which the record
 * of what was decided has; safety_identifier is the same context              what it is for, as
 * "medical": one that the tenant was granted moderation           "auto" or "low"; what is decided
 * is the server's policy, in both cases
 *
 * quality, style and background are read as OpenAI's clients send them; what they ask for and
 * limner has not (a transparent background) is refused.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "base/json.h"
#include "codec/encode.h"
#include "engine/job.h"
#include "models/model.h"

#define REQUEST_PROMPT_MAX   32000 /* characters */
#define REQUEST_IMAGES_MAX   10
#define REQUEST_GUIDANCE_MAX 100
#define REQUEST_SEED_MAX     ((INT64_C(1) << 53) - 1)
#define REQUEST_USER_MAX     64 /* bytes */
#define REQUEST_CONTEXT_MAX  48

struct request {
    struct json *document; /* owns every text below */
    const char *prompt, *negative;
    int prompt_characters, negative_characters;
    const char *model; /* NULL: the default */
    int images;
    int width, height; /* 0: the model's default */
    int steps;         /* 0: the model's default */
    double guidance;   /* below 0: the model's default */
    bool sampler_given;
    enum sampler sampler;
    bool seed_given;
    uint64_t seed;
    enum priority priority;
    bool format_given;
    enum format format;
    int compression;            /* 0..100; below 0: not given */
    bool stream;                /* pictures as events */
    int partials;               /* previews of each; only with stream */
    const char *user, *context; /* NULL: not said */
};

struct request_error {
    char param[64];   /* the field; empty when it is the whole body */
    const char *code; /* a constant, or NULL */
    int http;         /* 0: what the status says */
    struct why why;
};

/* ST_INVALID, ST_UNSUPPORTED or, without memory, ST_FULL; then *out is empty. */
MUST_USE enum status request_parse(struct request *out, const char *body, size_t bytes,
                                   struct request_error *error);
void request_close(struct request *r);

/* The picture that is asked for, with the model's defaults. `size_max` limits pixels per side on
   top of the model (0: no). The texts stay the request's. The seed is left 0 when none was given.
   ST_INVALID names the field. */
MUST_USE enum status request_picture(const struct request *r, const struct model_info *info,
                                     int size_max, struct picture *out,
                                     struct request_error *error);

#endif /* SERVER_REQUEST_H */
