/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.h - one picture in this process, step by step, with everything it passes through.
 *
 * What `limner generate` runs, and how anybody compares limner with an oracle: `dump` writes every
 * stage into one safetensors file. Names and shapes (channels last): `ids` I32 [2, T], `context`
 * [2, T, C] (negative first), `noise` [h, w, c], `output.N` (the model's output at step N after
 * guidance) and `latents.N` (after step N) [h, w, c], `rgb` [H, W, 3].
 */
#ifndef ENGINE_GENERATE_H
#define ENGINE_GENERATE_H

#include "models/model.h"
#include "moderation/policy.h"

struct judge;

struct generate_options {
    struct device_options device;
    const char *model_folder;
    struct picture picture; /* fields below 0, or a NULL negative, take the model's default */
    int vae_tile;           /* latents along a tile of the decoded picture; 0: as memory allows */
    bool sampler_default;   /* ignore picture.sampler, take the model's */
    const char *noise_path; /* safetensors with `noise`, or NULL */
    const char *dump_path;  /* or NULL */
    struct judge *judge;    /* of the prompt before anything is loaded, and of the picture before it
                               is handed out; ST_REFUSED: he said no. NULL: nobody judges */
    void (*progress)(void *context, int done, int total); /* or NULL; total counts the decode */
    void *context;
};

struct generate_result {
    struct image image;     /* the caller closes it */
    struct picture picture; /* with the defaults filled in; texts are the caller's own */
    bool prompt_cut;
    char model[MODEL_NAME_MAX];
    enum band action; /* what the judge says: BAND_BLUR is to be shown behind a click */
    int tile;         /* latents along the tiles that the picture was decoded in; 0: it was not */
    double load_ms, encode_ms, denoise_ms, decode_ms, judge_ms;
};

MUST_USE enum status generate_run(const struct generate_options *options,
                                  struct generate_result *result, struct why *why);

#endif /* ENGINE_GENERATE_H */
