/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a whole pipeline folder in diffusers layout: prompt in, pixels out, one step at a time.
 * StableDiffusionPipeline and StableDiffusionXLPipeline go the same way; the second's prompts are
 * read by two text encoders, and its UNet is told of a picture's size.
 *
 * A `struct model` is what is loaded: it never changes while pictures are made. A `struct latent`
 * is one picture in motion, with its own plan and place in it. A step takes any set of latents of
 * one size, at whichever step each one is: this is what batches at every denoising step.
 *
 *     model_latent_carve(m, &l, width_max, height_max);                once per seat
 *     model_latent_start(m, &l, &request, NULL, why);                  a picture sits down
 *     while (!model_latent_done(&l)) model_step(m, seats, count);      everybody one step
 *     model_decode(m, &l, &image, NULL);                               and stands up
 */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "base/image.h"
#include "kernels/device.h"
#include "models/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_NAME_MAX 64

struct model;

struct model_info {
    char name[MODEL_NAME_MAX]; /* the folder's own name */
    int latent_channels, latent_scale;
    int size_default;  /* pixels: sample_size of the UNet times latent_scale */
    int size_multiple; /* width and height are multiples of this */
    int size_min, size_max;
    int tile_own; /* latents along a tile, if pictures are decoded in tiles; 0: they cannot be */
    int tile;     /* the same, as it is now; 0: they are decoded whole */
    int prompt_tokens; /* ids per prompt, start and end included */
    int encoders;      /* text encoders, each with ids of its own */
    int context_width;
    enum sampler sampler_default; /* what the scheduler's class is */
    int steps_default;            /* these two come from limner.json; without it see model.c */
    double guidance_default;
    uint64_t weight_bytes;
};

/* What a picture is asked to be; every field within the ranges that model_check says. */
struct picture {
    const char *prompt, *negative; /* UTF-8; negative may be "" */
    int width, height;             /* pixels */
    int steps;
    double
        guidance; /* <= 1: the negative prompt is not looked at, one row per step instead of two */
    enum sampler sampler;
    uint64_t seed;
};

struct latent {
    struct tensor x;        /* [1, h, w, C] f32, on the device, as all below */
    struct tensor previous; /* denoised estimate of the step before */
    struct tensor output;   /* the model's output of the last step, guidance applied */
    struct tensor noise;    /* what a step adds */
    struct tensor context;  /* [2, 1, T, width]: negative prompt, prompt */
    struct tensor prompt;   /* the same as the UNet reads it, [2, 1, T, prompt_width] */
    struct tensor pooled;   /* SDXL: both prompts as a whole, [2, 1, 1, pooled_width] */
    struct tensor added;    /* the same, and the picture's size, as the UNet reads them */
    struct tensor shift;    /* what time adds to steps as the UNet reads it (parts/shifts.h) */
    struct sampler_plan plan;
    int step; /* steps done */
    double guidance;
    uint64_t seed;
    bool prompt_cut; /* the prompt had more tokens than the model reads */
};

/* Load a folder with model_index.json. ST_UNSUPPORTED / ST_INVALID name the part and the reason. */
MUST_USE enum status model_open(struct model **out, struct device *d, const char *folder,
                                struct why *why);
void model_close(struct model **m);
const struct model_info *model_info(const struct model *m);

/* Look at a folder without loading its numbers: every part's class, sizes and files, and for each
   whether limner can run it, as lines of text to `out`. ST_OK only if all of it would load. */
MUST_USE enum status model_check_folder(const char *folder, char *out, size_t bytes,
                                        struct why *why);

/* Is this picture one that the model can make? The sentence names the field and the range. */
MUST_USE enum status model_check(const struct model *m, const struct picture *picture,
                                 struct why *why);

/* Pictures larger than `tile` x `tile` latents are decoded in such tiles from now on (vae.h); 0:
   whole. Other pixels come out, so this is said before memory is measured, once and for all. A
   model that cannot is left as it is. */
void model_set_tile(struct model *m, int tile);

/* The device computes other numbers from now on than it did (kernels/device.h, calibration): texts
   that were read before are read again. */
void model_forget_texts(const struct model *m);

/* Carve and rewind, on a measuring device, everything that one step of `seats` latents of this size
   and one decode need beside the latents themselves. For whoever sizes the arena: between
   device_measure_begin and _end, after its own model_latent_carve calls. */
MUST_USE enum status model_rehearse(const struct model *m, int seats, int width_max, int height_max,
                                    struct why *why);

/* Memory for a picture up to this size, from the device's arena; the caller never rewinds it. */
void model_latent_carve(const struct model *m, struct latent *l, int width_max, int height_max);

/* Seat a picture: tokens, text embeddings, plan, noise. `noise` (host, [h][w][C] f32, standard
   normal) replaces the seed's own when not NULL. `ids` (host, [encoders][2][prompt_tokens]) takes
   the token ids when not NULL: negative, prompt. */
MUST_USE enum status model_latent_start(const struct model *m, struct latent *l,
                                        const struct picture *picture, const float *noise,
                                        int32_t *ids, struct why *why);
bool model_latent_done(const struct latent *l);

/* One denoising step for `count` latents of equal size, none of them done. */
void model_step(const struct model *m, struct latent *const *latents, int count);

/* Pixels of a finished (or unfinished) latent. `rgb` (host, [height][width][3] f32) takes the
   floats before rounding when not NULL. image is opened here, with the picture's size. */
MUST_USE enum status model_decode(const struct model *m, const struct latent *l,
                                  struct image *image, float *rgb, struct why *why);

/* Pixels of what the last step made of the picture: the clean latent that the sampler has foretold.
   The latent is only read. Not before the first step. */
MUST_USE enum status model_preview(const struct model *m, const struct latent *l,
                                   struct image *image, struct why *why);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_MODEL_H */
