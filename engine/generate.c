/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/generate.h"

#include "base/clock.h"
#include "engine/judge.h"
#include "engine/sizing.h"
#include "models/calibrate.h"
#include "models/weights.h"

#include <stdio.h>
#include <stdlib.h>

/* Everything a run holds, so that one function can give it all back. */
struct run {
    const struct generate_options *options;
    struct generate_result *result;
    struct why *why;
    struct device *device;
    struct model *model;
    struct latent latent;
    struct weights_out *dump; /* NULL: nobody asked */
    float *scratch;           /* host copies of what is dumped */
    struct clock clock;
};

static double elapsed_ms(const struct run *r, int64_t since_us)
{
    return (double)(clock_now_us(&r->clock) - since_us) / 1000.0;
}

static void fill_defaults(struct picture *p, const struct generate_options *o,
                          const struct model_info *info)
{
    *p = o->picture;
    if (!p->negative)
        p->negative = "";
    if (p->width < 0)
        p->width = info->size_default;
    if (p->height < 0)
        p->height = info->size_default;
    if (p->steps < 0)
        p->steps = info->steps_default;
    if (p->guidance < 0)
        p->guidance = info->guidance_default;
    if (o->sampler_default)
        p->sampler = info->sampler_default;
}

static void carve(void *context)
{
    struct run *r = context;
    const struct picture *p = &r->result->picture;

    model_latent_carve(r->model, &r->latent, p->width, p->height);
}

static enum status rehearse(void *context, int model, struct why *why)
{
    struct run *r = context;
    const struct picture *p = &r->result->picture;

    (void)model; /* there is one */
    return model_rehearse(r->model, 1, p->width, p->height, why);
}

static enum status size_memory(struct run *r)
{
    const struct sizing sizing = {.device = r->device,
                                  .models = &r->model,
                                  .model_count = 1,
                                  .tile = r->options->vae_tile,
                                  .carve = carve,
                                  .rehearse = rehearse,
                                  .context = r};

    return sizing_take(&sizing, r->why);
}

/* As result->tile. */
static int tile_of(const struct model_info *info, const struct picture *p)
{
    int pixels = info->tile * info->latent_scale;

    return p->width > pixels || p->height > pixels ? info->tile : 0;
}

static enum status load(struct run *r)
{
    const struct generate_options *o = r->options;
    struct picture *p = &r->result->picture;
    enum status st;

    st = device_open(&r->device, o->device, r->why);
    if (st)
        return st;
    st = model_open(&r->model, r->device, o->model_folder, r->why);
    if (st)
        return st;
    fill_defaults(p, o, model_info(r->model));
    st = model_check(r->model, p, r->why);
    if (st)
        return st;
    st = size_memory(r);
    if (st)
        return st;
    r->result->tile = tile_of(model_info(r->model), p);
    return calibrate_run(r->model, r->device, &r->latent, p->width, p->height, r->why);
}

/* --- the dump ---------------------------------------------------------------------------- */

static enum status dump_host(struct run *r, const char *name, struct tensor t, int dims_min)
{
    return r->dump ? weights_out_add(r->dump, name, t, dims_min, r->why) : ST_OK;
}

static enum status dump_device(struct run *r, const char *name, struct tensor t, int dims_min)
{
    struct tensor host = t;

    if (!r->dump)
        return ST_OK;
    host.data = r->scratch;
    r->device->ops.download(r->device, r->scratch, t);
    return dump_host(r, name, host, dims_min);
}

static enum status dump_start(struct run *r)
{
    const struct picture *p = &r->result->picture;
    size_t pixels = (size_t)p->width * (size_t)p->height * 3;
    size_t context = tensor_bytes(r->latent.context) / sizeof(float);

    if (!r->options->dump_path)
        return ST_OK;
    r->scratch = malloc((pixels > context ? pixels : context) * sizeof(float));
    if (!r->scratch)
        return why_fail(r->why, ST_FULL, "no memory to hold the stages for the dump");
    return weights_out_open(&r->dump, r->options->dump_path, r->why);
}

/* --- noise from a file ------------------------------------------------------------------- */

static enum status read_noise(struct run *r, struct weights *file, const float **out)
{
    const struct model_info *info = model_info(r->model);
    const struct picture *p = &r->result->picture;
    const int64_t dim[4] = {1, p->height / info->latent_scale, p->width / info->latent_scale,
                            info->latent_channels};
    struct tensor t;
    enum status st = weights_need(file, "noise", dim, &t, r->why);

    if (st)
        return st;
    if (t.dtype != DTYPE_F32)
        return why_fail(r->why, ST_INVALID, "tensor noise is %s, it must be f32",
                        dtype_name(t.dtype));
    *out = t.data;
    return ST_OK;
}

static enum status start_with(struct run *r, const float *noise)
{
    static const char *const names[] = {"ids", "ids_2"};
    int tokens = model_info(r->model)->prompt_tokens, encoders = model_info(r->model)->encoders;
    int32_t *ids = malloc(2 * (size_t)(encoders * tokens) * sizeof(*ids));
    enum status st;

    if (!ids)
        return why_fail(r->why, ST_FULL, "no memory for %d token ids", 2 * encoders * tokens);
    st = model_latent_start(r->model, &r->latent, &r->result->picture, noise, ids, r->why);
    for (int i = 0; i < encoders && !st; i++)
        st = dump_host(r, names[i], tensor_view(ids + 2 * i * tokens, DTYPE_I32, 1, 1, 2, tokens),
                       2);
    free(ids);
    return st;
}

static enum status start(struct run *r)
{
    struct weights *file = NULL;
    const float *noise = NULL;
    enum status st = ST_OK;

    if (r->options->noise_path) {
        st = weights_open(&file, r->options->noise_path, r->why);
        if (!st)
            st = read_noise(r, file, &noise);
    }
    if (!st)
        st = start_with(r, noise);
    weights_close(&file);
    if (st)
        return st;
    r->result->prompt_cut = r->latent.prompt_cut;
    const struct tensor context = r->latent.context, pooled = r->latent.pooled;
    st = dump_device(r, "context",
                     tensor_reshape(context, 1, context.dim[0], context.dim[2], context.dim[3]), 3);
    if (st || !pooled.data)
        return st;
    return dump_device(r, "pooled", tensor_reshape(pooled, 1, 1, pooled.dim[0], pooled.dim[3]), 2);
}

/* --- steps and pixels -------------------------------------------------------------------- */

/* latents before the first step are init_noise * noise; the dump wants the noise itself. */
static enum status dump_noise(struct run *r)
{
    if (!r->dump)
        return ST_OK;
    struct tensor host = r->latent.x;

    host.data = r->scratch;
    r->device->ops.download(r->device, r->scratch, r->latent.x);
    for (int64_t i = 0; i < tensor_count(host); i++)
        r->scratch[i] /= r->latent.plan.init_noise;
    return dump_host(r, "noise", host, 3);
}

static enum status denoise(struct run *r)
{
    struct latent *latent = &r->latent;
    int total = latent->plan.count + 1;
    enum status st = dump_noise(r);

    while (!st && !model_latent_done(latent)) {
        char name[32];
        int step = latent->step;

        model_step(r->model, &latent, 1);
        st = device_sync(r->device);
        if (st)
            return why_fail(r->why, st, "the device failed at step %d", step + 1);
        if (r->options->progress)
            r->options->progress(r->options->context, latent->step, total);
        snprintf(name, sizeof(name), "output.%d", step);
        st = dump_device(r, name, latent->output, 3);
        if (st)
            return st;
        snprintf(name, sizeof(name), "latents.%d", step);
        st = dump_device(r, name, latent->x, 3);
    }
    return st;
}

static enum status decode(struct run *r)
{
    enum status st = model_decode(r->model, &r->latent, &r->result->image, r->scratch, r->why);

    if (!st && r->options->progress)
        r->options->progress(r->options->context, r->latent.plan.count + 1,
                             r->latent.plan.count + 1);
    return st;
}

/* Last, so that pixels nobody allowed are in no file. */
static enum status dump_finish(struct run *r)
{
    const struct picture *p = &r->result->picture;
    enum status st;

    if (!r->dump)
        return ST_OK;
    st = dump_host(r, "rgb", tensor_view(r->scratch, DTYPE_F32, 1, p->height, p->width, 3), 3);
    return st ? st : weights_out_finish(r->dump, r->why);
}

/* --- the judge --------------------------------------------------------------------------- */

/* Nobody is there to look at what would be held, so nothing is made of it. */
static enum status judge_words(struct run *r)
{
    const struct picture *p = &r->options->picture;
    const struct judge_asked asked = {.prompt = p->prompt, .negative = p->negative};
    struct prompt_finding finding;
    const struct policy *policy;
    struct verdict v;

    if (!r->options->judge)
        return ST_OK;
    judge_prompt(r->options->judge, &asked, &v, &finding);
    if (v.action == BAND_ALLOW)
        return ST_OK;
    policy = judge_policy(r->options->judge);
    why_fail(r->why, ST_REFUSED, "the prompt %s (%s)%s%s",
             v.action == BAND_BLOCK
                 ? "was blocked"
                 : "needs a person who looks at the picture, and there is none here",
             finding.found ? finding.category : "unjudged", v.category < 0 ? "" : ": ",
             v.category < 0 ? "" : policy_reason(policy, v.category, ""));
    judge_release(r->options->judge, policy);
    return ST_REFUSED;
}

static enum status judge_it(struct run *r, struct job *job)
{
    struct generate_result *result = r->result;

    job->picture = result->picture;
    job->image = result->image;
    judge_pictures(r->options->judge, &job, 1);
    result->action = job->verdict.action;
    if (job->judged && !job->status)
        return ST_OK;
    return why_fail(r->why, job->status ? job->status : ST_REFUSED, "%s", job->why.text);
}

static enum status judge_picture(struct run *r)
{
    struct job *job;
    enum status st;
    int number;

    if (!r->options->judge)
        return ST_OK;
    st = judge_add_model(r->options->judge, &number, model_info(r->model)->name,
                         r->options->model_folder, r->why);
    if (st)
        return st;
    job = calloc(1, sizeof(*job));
    if (!job)
        return why_fail(r->why, ST_FULL, "no memory to judge the picture");
    job->judged_as = number;
    st = judge_it(r, job);
    free(job);
    return st;
}

static enum status run_stages(struct run *r)
{
    int64_t since = clock_now_us(&r->clock);
    enum status st = judge_words(r);

    if (!st)
        st = load(r);
    if (!st)
        st = dump_start(r);
    if (st)
        return st;
    r->result->load_ms = elapsed_ms(r, since);
    snprintf(r->result->model, sizeof(r->result->model), "%s", model_info(r->model)->name);

    since = clock_now_us(&r->clock);
    st = start(r);
    if (st)
        return st;
    r->result->encode_ms = elapsed_ms(r, since);

    since = clock_now_us(&r->clock);
    st = denoise(r);
    if (st)
        return st;
    r->result->denoise_ms = elapsed_ms(r, since);

    since = clock_now_us(&r->clock);
    st = decode(r);
    if (st)
        return st;
    r->result->decode_ms = elapsed_ms(r, since);

    since = clock_now_us(&r->clock);
    st = judge_picture(r);
    if (st)
        return st;
    r->result->judge_ms = elapsed_ms(r, since);
    return dump_finish(r);
}

enum status generate_run(const struct generate_options *options, struct generate_result *result,
                         struct why *why)
{
    struct run r = {.options = options, .result = result, .why = why};
    enum status st;

    *result = (struct generate_result){0};
    clock_init_real(&r.clock);
    st = run_stages(&r);
    if (st)
        image_close(&result->image);
    weights_out_close(&r.dump);
    free(r.scratch);
    model_close(&r.model);
    device_close(&r.device);
    return st;
}
