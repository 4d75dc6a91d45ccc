/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/profile.h"

#include "base/clock.h"
#include "base/log.h"

struct profile {
    struct lane *lane;
    struct costs *costs;
    struct clock clock;
    struct cost_shape shape;
    int64_t end_us;
    struct why *why;
};

/* The lane's seats at step 0 of `count` pictures. */
static enum status start(const struct profile *p, struct latent **latents, int count)
{
    const struct model *model = p->lane->models[p->shape.model];
    const struct model_info *info = model_info(model);
    const struct picture picture = {.prompt = "",
                                    .negative = "",
                                    .width = p->shape.width,
                                    .height = p->shape.height,
                                    .steps = info->steps_default,
                                    .guidance = 2,
                                    .sampler = info->sampler_default};
    enum status st = ST_OK;

    for (int i = 0; i < count && !st; i++) {
        latents[i] = &p->lane->batch.seat[i].latent[p->shape.model];
        st = model_latent_start(model, latents[i], &picture, NULL, NULL, p->why);
    }
    return st;
}

static enum status failed(const struct profile *p)
{
    return why_fail(p->why, ST_DEVICE, "the device failed while %s was measured",
                    model_info(p->lane->models[p->shape.model])->name);
}

/* Twice where there is time: the first time also prepares what the next ones find. */
static enum status time_step(struct profile *p, int count)
{
    struct latent *latents[BATCH_SEATS_MAX];
    int64_t least = 0;

    for (int tries = 0; tries < 2; tries++) {
        int64_t begun, us;
        enum status st = start(p, latents, count);

        if (!st && device_sync(p->lane->device))
            st = failed(p);
        if (st)
            return st;
        begun = clock_now_us(&p->clock);
        model_step(p->lane->models[p->shape.model], latents, count);
        if (device_sync(p->lane->device))
            return failed(p);
        us = clock_now_us(&p->clock) - begun;
        least = tries && least < us ? least : us;
        if (begun + 2 * us > p->end_us)
            break;
    }
    cost_learn_step(p->costs, p->shape, 2 * count, least);
    return ST_OK;
}

static enum status time_rest(struct profile *p)
{
    const struct model *model = p->lane->models[p->shape.model];
    struct latent *latent = NULL;
    struct image image = {0};
    int64_t begun = clock_now_us(&p->clock);
    enum status st = start(p, &latent, 1);

    if (!st)
        st = model_decode(model, latent, &image, NULL, p->why);
    image_close(&image);
    if (!st)
        cost_learn_rest(p->costs, p->shape, clock_now_us(&p->clock) - begun);
    return st;
}

/* A decoding is taken to be as long as a step of one picture until one was measured. */
static enum status time_model(struct profile *p, int batch_max)
{
    double alone_us;
    enum status st = ST_OK;

    if (!cost_is_measured(p->costs, p->shape, 2))
        st = time_step(p, 1);
    alone_us = cost_step(p->costs, p->shape, 2);
    if (!st && !cost_is_measured(p->costs, p->shape, 0) &&
        (double)clock_now_us(&p->clock) + alone_us < (double)p->end_us)
        st = time_rest(p);
    for (int count = 2; count <= batch_max && !st; count *= 2) {
        double us = cost_step(p->costs, p->shape, 2 * count);

        if ((double)clock_now_us(&p->clock) + us >= (double)p->end_us)
            break;
        if (!cost_is_measured(p->costs, p->shape, 2 * count))
            st = time_step(p, count);
    }
    return st;
}

enum status profile_run(struct lane *lane, const struct lane_options *o, struct costs *costs,
                        int64_t budget_us, struct why *why)
{
    struct profile p = {.lane = lane, .costs = costs, .why = why};
    enum status st = ST_OK;

    clock_init_real(&p.clock);
    for (int m = 0; m < o->model_count && !st; m++) {
        int size = model_info(lane->models[m])->size_default;

        if (o->size_max > 0 && size > o->size_max)
            continue;
        p.shape = (struct cost_shape){m, size, size};
        p.end_us = clock_now_us(&p.clock) + budget_us / o->model_count;
        st = time_model(&p, o->batch_max);
    }
    return st;
}

/* Whom a file is of. */
struct owner {
    char device[128];
    const char *model[BATCH_MODELS_MAX];
};

static struct owner owner_of(const struct lane *lane, const struct lane_options *o)
{
    struct owner owner = {.device = ""};

    device_describe(lane->device, owner.device, sizeof(owner.device));
    for (int m = 0; m < o->model_count; m++)
        owner.model[m] = model_info(lane->models[m])->name;
    return owner;
}

void profile_load(const struct lane *lane, const struct lane_options *o, struct costs *costs,
                  const char *path)
{
    const struct owner owner = owner_of(lane, o);

    if (path)
        cost_load(costs, path, owner.device, owner.model, o->model_count);
}

void profile_save(const struct lane *lane, const struct lane_options *o, const struct costs *costs,
                  const char *path)
{
    const struct owner owner = owner_of(lane, o);
    struct why why = {""};

    if (path && cost_save(costs, path, owner.device, owner.model, o->model_count, &why))
        log_warn("costs_not_saved", "%s", why.text);
}
