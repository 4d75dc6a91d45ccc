/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - Every class has its own default for what the file leaves out, and `X.from_config` of another
 *   class's file takes X's default, not the file's class's: spacing is "leading" for DDIM and LCM
 *   and "linspace" for the others; LCM alone has Stable Diffusion's betas by default.
 * - diffusers computes betas in float32 and keeps alphas_cumprod in float32. 1 - beta rounded a
 *   thousand times is 1e-6 away from the real product, and 1 - alphas_cumprod[0] has four digits
 *   left: so the same roundings are made here.
 * - DDIM's clip_sample is true by default, but StableDiffusionPipeline turns it off; silence means
 *   false here. A file that asks for it is refused: clipping is not linear.
 * - Zero terminal SNR: DDIM and LCM keep the last alphas_cumprod at 0, the others put 2^-24 there.
 */
#include "models/sampler.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES_MAX (1 << 20)

/* The first failure sticks; later questions leave everything as it is. */
struct reader {
    const struct json *config;
    struct why *why;
    enum status status;
};

static void want_bool(struct reader *r, const char *key, bool *out)
{
    if (!r->status)
        r->status = json_get_bool(r->config, key, out, r->why);
}

static void want_int(struct reader *r, const char *key, int min, int max, int *out)
{
    int64_t value = *out;

    if (!r->status)
        r->status = json_get_int(r->config, key, &value, r->why);
    if (!r->status && (value < min || value > max))
        r->status = why_fail(r->why, ST_UNSUPPORTED, "%s is %lld, limner takes %d to %d", key,
                             (long long)value, min, max);
    if (!r->status)
        *out = (int)value;
}

static void want_real(struct reader *r, const char *key, double *out)
{
    if (!r->status)
        r->status = json_get_real(r->config, key, out, r->why);
}

/* One of `words` (NULL ends them); *out is its index. */
static void want_word(struct reader *r, const char *key, const char *const *words, int *out)
{
    const char *value = NULL;

    if (!r->status)
        r->status = json_get_string(r->config, key, &value, r->why);
    if (r->status || !value)
        return;
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], value) == 0) {
            *out = i;
            return;
        }
    r->status = why_fail(r->why, ST_UNSUPPORTED, "%s \"%.40s\" is not supported", key, value);
}

/*
 * Betas.
 */

/* torch.linspace in float32: from both ends towards the middle. */
static float linspace(float start, float end, int count, int i)
{
    float step = count > 1 ? (end - start) / (float)(count - 1) : 0;

    return i < count / 2 ? start + step * (float)i : end - step * (float)(count - i - 1);
}

static float beta_cosine(int count, int i)
{
    double before = cos(((double)i / count + 0.008) / 1.008 * M_PI / 2);
    double after = cos(((double)(i + 1) / count + 0.008) / 1.008 * M_PI / 2);

    return (float)fmin(1 - after * after / (before * before), 0.999);
}

static void want_trained_betas(struct reader *r, const struct json *list, float *betas, int count)
{
    if (json_type_of(list) != JSON_TYPE_ARRAY || json_size(list) != (size_t)count) {
        r->status =
            why_fail(r->why, ST_INVALID, "trained_betas must be a list of %d numbers", count);
        return;
    }
    for (int i = 0; i < count; i++) {
        const struct json *item = json_at(list, (size_t)i);
        enum json_type type = json_type_of(item);

        if (type != JSON_TYPE_REAL && type != JSON_TYPE_INT) {
            r->status = why_fail(r->why, ST_INVALID, "trained_betas[%d] is not a number", i);
            return;
        }
        betas[i] = (float)json_as_real(item);
    }
}

enum beta_schedule { BETA_LINEAR, BETA_SCALED_LINEAR, BETA_SQUAREDCOS };

static void want_betas(struct reader *r, bool lcm, float *betas, int count)
{
    static const char *const names[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};
    const struct json *trained = json_get(r->config, "trained_betas");
    double start = lcm ? 0.00085 : 0.0001, end = lcm ? 0.012 : 0.02;
    int kind = lcm ? BETA_SCALED_LINEAR : BETA_LINEAR;

    if (json_type_of(trained) != JSON_TYPE_NULL) {
        want_trained_betas(r, trained, betas, count);
        return;
    }
    want_real(r, "beta_start", &start);
    want_real(r, "beta_end", &end);
    want_word(r, "beta_schedule", names, &kind);
    if (!r->status && !(start >= 0 && start < 1 && end >= 0 && end < 1))
        r->status = why_fail(r->why, ST_INVALID, "beta_start and beta_end must be within [0, 1)");
    for (int i = 0; i < count && !r->status; i++) {
        float root = linspace((float)sqrt(start), (float)sqrt(end), count, i);

        if (kind == BETA_SQUAREDCOS)
            betas[i] = beta_cosine(count, i);
        else
            betas[i] =
                kind == BETA_LINEAR ? linspace((float)start, (float)end, count, i) : root * root;
    }
}

/* torch.cumprod of 1 - beta: the product runs in double, each result is rounded. */
static void cumulate(float *products, const float *betas, int count)
{
    double product = 1;

    for (int i = 0; i < count; i++) {
        product *= (double)(1.0f - betas[i]);
        products[i] = (float)product;
    }
}

/* Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1. */
static void rescale_zero_snr(float *betas, int count)
{
    float bar[SCHEDULE_STEPS_MAX];
    float first, last;

    cumulate(bar, betas, count);
    first = sqrtf(bar[0]);
    last = sqrtf(bar[count - 1]);
    for (int i = 0; i < count; i++) {
        float root = (sqrtf(bar[i]) - last) * (first / (first - last));

        bar[i] = root * root;
    }
    betas[0] = 1.0f - bar[0];
    for (int i = 1; i < count; i++)
        betas[i] = 1.0f - bar[i] / bar[i - 1];
}

static void want_alphas(struct reader *r, struct schedule_view *view, enum sampler sampler,
                        int count)
{
    float betas[SCHEDULE_STEPS_MAX] = {0};
    bool zero_snr = false;

    want_betas(r, sampler == SAMPLER_LCM, betas, count);
    want_bool(r, "rescale_betas_zero_snr", &zero_snr);
    for (int i = 0; i < count && !r->status; i++)
        if (!(betas[i] >= 0 && betas[i] < 1))
            r->status = why_fail(r->why, ST_INVALID, "beta %d is outside [0, 1)", i);
    if (r->status)
        return;
    if (zero_snr)
        rescale_zero_snr(betas, count);
    cumulate(view->alphas_cumprod, betas, count);
    if (zero_snr && sampler != SAMPLER_DDIM && sampler != SAMPLER_LCM)
        view->alphas_cumprod[count - 1] = 0x1p-24f;
}

/*
 * One class's view of the file.
 */

static void refuse(struct schedule_view *view, const char *key)
{
    if (!view->unsupported[0])
        snprintf(view->unsupported, sizeof(view->unsupported), "%s", key);
}

static void refuse_true(struct reader *r, struct schedule_view *view, const char *key)
{
    bool value = false;

    want_bool(r, key, &value);
    if (value)
        refuse(view, key);
}

static void refuse_present(struct reader *r, struct schedule_view *view, const char *key)
{
    if (json_type_of(json_get(r->config, key)) != JSON_TYPE_NULL)
        refuse(view, key);
}

static void want_sigmas(struct reader *r, struct schedule_view *view)
{
    static const char *const finals[] = {"zero", "sigma_min", NULL};
    int final = 0;

    want_bool(r, "use_karras_sigmas", &view->karras);
    want_word(r, "final_sigmas_type", finals, &final);
    view->sigma_min_final = final == 1;
    refuse_true(r, view, "use_exponential_sigmas");
    refuse_true(r, view, "use_beta_sigmas");
    if (view->karras) {
        refuse_present(r, view, "sigma_min");
        refuse_present(r, view, "sigma_max");
    }
}

static void want_euler(struct reader *r, struct schedule_view *view)
{
    static const char *const interpolations[] = {"linear", "log_linear", NULL};
    static const char *const types[] = {"discrete", "continuous", NULL};
    int interpolation = 0, type = 0;

    want_sigmas(r, view);
    want_word(r, "interpolation_type", interpolations, &interpolation);
    want_word(r, "timestep_type", types, &type);
    if (interpolation != 0)
        refuse(view, "interpolation_type");
    if (type != 0)
        refuse(view, "timestep_type");
}

static void want_dpmpp(struct reader *r, struct schedule_view *view)
{
    static const char *const algorithms[] = {
        "dpmsolver++", "deis", "dpmsolver", "sde-dpmsolver", "sde-dpmsolver++", NULL};
    static const char *const solvers[] = {"midpoint", "heun", "logrho", "bh1", "bh2", NULL};
    int algorithm = 0, solver = 0;

    want_sigmas(r, view);
    want_word(r, "algorithm_type", algorithms, &algorithm);
    want_word(r, "solver_type", solvers, &solver);
    want_int(r, "solver_order", 1, 3, &view->solver_order);
    want_bool(r, "lower_order_final", &view->lower_order_final);
    want_bool(r, "euler_at_final", &view->euler_at_final);
    want_real(r, "lambda_min_clipped", &view->lambda_min_clipped);
    view->heun = solver == 1;
    if (algorithm > 1) /* the next two are other equations; diffusers reads "deis" as its own */
        refuse(view, "algorithm_type");
    if (view->solver_order > 2)
        refuse(view, "solver_order");
    refuse_true(r, view, "use_lu_lambdas");
    refuse_true(r, view, "use_flow_sigmas");
    refuse_true(r, view, "thresholding");
    refuse_present(r, view, "variance_type");
}

static void want_alpha_steps(struct reader *r, struct schedule_view *view, int train_steps)
{
    want_bool(r, "set_alpha_to_one", &view->set_alpha_to_one);
    want_int(r, "original_inference_steps", 1, train_steps, &view->original_steps);
    want_real(r, "timestep_scaling", &view->timestep_scaling);
    refuse_true(r, view, "clip_sample");
    refuse_true(r, view, "thresholding");
}

static void want_view(struct reader *r, struct schedule *s, enum sampler sampler)
{
    static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
    static const char *const spacings[] = {"leading", "trailing", "linspace", NULL};
    struct schedule_view *view = &s->view[sampler];
    int prediction = PREDICTION_EPSILON;
    int spacing =
        sampler == SAMPLER_DDIM || sampler == SAMPLER_LCM ? SPACING_LEADING : SPACING_LINSPACE;

    *view = (struct schedule_view){
        .set_alpha_to_one = true,
        .lower_order_final = true,
        .solver_order = 2,
        .lambda_min_clipped = -INFINITY,
        .original_steps = s->train_steps < 50 ? s->train_steps : 50,
        .timestep_scaling = 10,
    };
    want_word(r, "prediction_type", predictions, &prediction);
    want_word(r, "timestep_spacing", spacings, &spacing);
    want_int(r, "steps_offset", 0, SCHEDULE_STEPS_MAX, &view->steps_offset);
    view->prediction = (enum prediction)prediction;
    view->spacing = (enum spacing)spacing;
    want_alphas(r, view, sampler, s->train_steps);
    if (sampler == SAMPLER_EULER)
        want_euler(r, view);
    else if (sampler == SAMPLER_EULER_ANCESTRAL && prediction == PREDICTION_SAMPLE)
        refuse(view, "prediction_type");
    else if (sampler == SAMPLER_DPMPP_2M)
        want_dpmpp(r, view);
    else if (sampler == SAMPLER_DDIM || sampler == SAMPLER_LCM)
        want_alpha_steps(r, view, s->train_steps);
}

/*
 * The file.
 */

static const struct {
    const char *name;
    enum sampler sampler;
    bool stand_in;
} classes[] = {
    {"EulerDiscreteScheduler", SAMPLER_EULER, false},
    {"EulerAncestralDiscreteScheduler", SAMPLER_EULER_ANCESTRAL, false},
    {"DDIMScheduler", SAMPLER_DDIM, false},
    {"DPMSolverMultistepScheduler", SAMPLER_DPMPP_2M, false},
    {"LCMScheduler", SAMPLER_LCM, false},
    {"PNDMScheduler", SAMPLER_DPMPP_2M, true},
};

static enum status find_class(struct schedule *out, const char *name, struct why *why)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
        if (strcmp(classes[i].name, name) == 0) {
            out->sampler = classes[i].sampler;
            out->stand_in = classes[i].stand_in;
            return ST_OK;
        }
    return why_fail(why, ST_UNSUPPORTED, "scheduler class \"%.60s\" is not supported", name);
}

enum status schedule_read(struct schedule *out, const struct json *config, struct why *why)
{
    struct reader r = {.config = config, .why = why};
    const char *name = NULL;

    *out = (struct schedule){.train_steps = 1000};
    if (json_type_of(config) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "a scheduler's configuration must be an object");
    r.status = json_get_string(config, "_class_name", &name, why);
    if (!r.status && !name)
        return why_fail(why, ST_INVALID, "_class_name is missing");
    if (!r.status)
        r.status = find_class(out, name, why);
    want_int(&r, "num_train_timesteps", 2, SCHEDULE_STEPS_MAX, &out->train_steps);
    for (int i = 0; i < SAMPLER_COUNT && !r.status; i++)
        want_view(&r, out, (enum sampler)i);
    if (!r.status && out->view[out->sampler].unsupported[0])
        return why_fail(why, ST_UNSUPPORTED, "%s: this value of %s is not supported", name,
                        out->view[out->sampler].unsupported);
    return r.status;
}

/* Blank out every -Infinity that is not inside a string: the key before it gets null. */
static void forgive_infinity(char *text, size_t bytes)
{
    static const char word[] = "-Infinity";
    const size_t length = sizeof(word) - 1;
    bool quoted = false;

    for (size_t i = 0; i < bytes; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && bytes - i >= length && memcmp(text + i, word, length) == 0)
            memcpy(text + i, "null     ", length);
    }
}

enum status schedule_load(struct schedule *out, const char *path, struct why *why)
{
    char *text = malloc(CONFIG_BYTES_MAX);
    FILE *file = text ? fopen(path, "rb") : NULL;
    struct json *config = NULL;
    enum status st = ST_OK;
    struct why inner = {0};
    size_t bytes = 0;

    if (!text)
        return why_fail(why, ST_FULL, "%s: no memory", path);
    if (!file) {
        free(text);
        return why_fail(why, errno == ENOENT ? ST_MISSING : ST_IO, "%s: %s", path, strerror(errno));
    }
    bytes = fread(text, 1, CONFIG_BYTES_MAX, file);
    if (ferror(file))
        st = why_fail(&inner, ST_IO, "%s", strerror(errno));
    else if (bytes == CONFIG_BYTES_MAX)
        st = why_fail(&inner, ST_INVALID, "a scheduler's configuration is not this long");
    fclose(file);
    forgive_infinity(text, bytes);
    if (!st)
        st = json_parse(&config, text, bytes, &inner);
    if (!st)
        st = schedule_read(out, config, &inner);
    json_close(&config);
    free(text);
    return st ? why_fail(why, st, "%s: %s", path, inner.text) : ST_OK;
}
