/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler.h - which timesteps a picture visits, and what one step does to its latents.
 *
 * Every sampler limner has is linear in what it reads: the latents x, the model's (guided) output,
 * the denoised estimate of the step before, and fresh noise. So a sampler is not code that runs
 * while denoising: it is a plan, a row of coefficients per step, computed once in double from the
 * model's scheduler_config.json. The device does the arithmetic in one op (`advance`), and pictures
 * at different steps, with different samplers, sit in the same batch.
 *
 *     denoised = x0_x * x + x0_out * out
 *     x'       = next_x * x + next_out * out + next_prev * previous + next_noise * noise
 *     previous' = denoised
 *
 * Sources: diffusers 0.32 EulerDiscrete-, EulerAncestralDiscrete-, DDIM-, DPMSolverMultistep- and
 * LCMScheduler, whose options are read with diffusers' defaults and judged against it.
 */
#ifndef MODELS_SAMPLER_H
#define MODELS_SAMPLER_H

#include "base/json.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAMPLER_STEPS_MAX 150

enum sampler {
    SAMPLER_EULER,
    SAMPLER_EULER_ANCESTRAL,
    SAMPLER_DDIM,
    SAMPLER_DPMPP_2M,
    SAMPLER_LCM,
};
#define SAMPLER_COUNT 5

enum prediction { PREDICTION_EPSILON, PREDICTION_V, PREDICTION_SAMPLE };
enum spacing { SPACING_LEADING, SPACING_TRAILING, SPACING_LINSPACE };

/* Most training steps that a schedule may have. */
#define SCHEDULE_STEPS_MAX 1000

/* scheduler_config.json as one sampler reads it: what the file says where the sampler's class knows
   the key, that class's own default where the file is silent. */
struct schedule_view {
    char unsupported[64]; /* the key that keeps this sampler from honouring the file, or "" */
    enum prediction prediction;
    enum spacing spacing;
    int steps_offset;
    bool set_alpha_to_one;                    /* DDIM, LCM */
    bool karras;                              /* Euler, DPM++ 2M */
    bool sigma_min_final;                     /* final_sigmas_type "sigma_min", not "zero" */
    bool lower_order_final, euler_at_final;   /* DPM++ 2M, as the two below */
    bool heun;                                /* solver_type "heun" instead of "midpoint" */
    int solver_order;                         /* 1 or 2 */
    double lambda_min_clipped;                /* -inf: nothing is clipped */
    int original_steps;                       /* LCM: original_inference_steps */
    double timestep_scaling;                  /* LCM */
    float alphas_cumprod[SCHEDULE_STEPS_MAX]; /* rounded to float32 where diffusers rounds */
};

/* What scheduler_config.json says, whichever class wrote it. */
struct schedule {
    enum sampler sampler; /* the model's own: what its scheduler class is */
    bool stand_in;        /* the class is not one of ours (PNDM): `sampler` takes its place */
    int train_steps;      /* 1000 */
    struct schedule_view view[SAMPLER_COUNT];
};

struct sampler_step {
    float t;        /* what the model is told */
    float in_scale; /* model input = in_scale * x */
    float x0_x, x0_out;
    float next_x, next_out, next_prev, next_noise;
};

struct sampler_plan {
    int count;        /* model calls: some samplers add or drop one */
    float init_noise; /* first latents = init_noise * noise */
    struct sampler_step step[SAMPLER_STEPS_MAX];
};

/* Read a scheduler's configuration. What limner cannot honour (thresholding, clip_sample,
   another solver order, unknown classes or beta schedules) is ST_UNSUPPORTED and names the key.
   PNDMScheduler, the class of most SD 1.5 folders, needs four outputs back, which a plan has not:
   DPM++ 2M stands in for it, the second-order solver of the same equation. */
MUST_USE enum status schedule_read(struct schedule *out, const struct json *config,
                                   struct why *why);

/* The same from a file. diffusers writes the infinite lambda_min_clipped as -Infinity, which is not
   JSON: it is read as if the key were absent. */
MUST_USE enum status schedule_load(struct schedule *out, const char *path, struct why *why);

/* Plan `steps` steps (1..SAMPLER_STEPS_MAX, at most train_steps). Another sampler than the model's
   own takes diffusers' `from_config` view of the same file. ST_INVALID says the range,
   ST_UNSUPPORTED what in the file this sampler cannot honour. */
MUST_USE enum status sampler_make_plan(struct sampler_plan *out, enum sampler sampler,
                                       const struct schedule *schedule, int steps, struct why *why);

/* "euler", "euler_ancestral", "ddim", "dpmpp_2m", "lcm" */
const char *sampler_name(enum sampler sampler);
MUST_USE enum status sampler_from_name(enum sampler *out, const char *name, struct why *why);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_SAMPLER_H */
