/* SPDX-License-Identifier: Apache-2.0 */
#include "models/calibrate.h"

#define STEPS_MAX 12 /* from noise to picture: more noise levels look like their neighbours */

static const char *const prompts[] = {
    "a photograph of a busy street with people, cars and signs, in the sun",
    "a portrait of an old woman, close up, dark background",
    "an oil painting of mountains behind a lake, in mist",
    "a blue vase",
};

static enum status denoise(const struct model *m, struct latent *l, const struct picture *picture,
                           struct why *why)
{
    enum status st = model_latent_start(m, l, picture, NULL, NULL, why);

    while (!st && !model_latent_done(l))
        model_step(m, &l, 1);
    return st;
}

enum status calibrate_run(const struct model *m, struct device *d, struct latent *l, int width,
                          int height, struct why *why)
{
    const struct model_info *info = model_info(m);
    struct picture picture = {.negative = "",
                              .width = width,
                              .height = height,
                              .steps = info->steps_default,
                              .guidance = info->guidance_default,
                              .sampler = info->sampler_default};
    enum status st = ST_OK;

    if (d->precision != PRECISION_FP8)
        return ST_OK;
    if (picture.steps > STEPS_MAX)
        picture.steps = STEPS_MAX;
    device_calibrate_begin(d);
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]) && !st; i++) {
        picture.prompt = prompts[i];
        picture.seed = i;
        st = denoise(m, l, &picture, why);
    }
    model_forget_texts(m);
    if (device_calibrate_end(d) && !st)
        return why_fail(why, ST_DEVICE, "the device failed while %s was calibrated", info->name);
    return st;
}
