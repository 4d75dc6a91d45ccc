/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that have caused bugs
 * - numpy's arange(n, 0, -n / steps) is start + i * ((start + step) - start): halves round the way
 *   that product falls, not the way the exact one would. For some counts (61, 103, 121, 122 of
 *   1000) it also yields one number too many, and diffusers then asks the model about t = -1; those
 *   plans have `steps` steps here.
 * - Zero terminal SNR starts Euler at sigma 4096, where float32 has three digits behind the point:
 *   float32 diffusers is up to 3e-4 from its own formulas there. A plan follows the formulas.
 * - DDIM's "timestep before" is t - train_steps / steps whatever the spacing; below zero it is the
 *   final alpha. LCM's last step looks at its own t instead and adds no noise.
 * - DPM++ 2M rounds Karras timesteps for the model, Euler does not.
 */
#include "models/sampler.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const names[SAMPLER_COUNT] = {
    [SAMPLER_EULER] = "euler", [SAMPLER_EULER_ANCESTRAL] = "euler_ancestral",
    [SAMPLER_DDIM] = "ddim",   [SAMPLER_DPMPP_2M] = "dpmpp_2m",
    [SAMPLER_LCM] = "lcm",
};

const char *sampler_name(enum sampler sampler)
{
    assert(sampler < SAMPLER_COUNT);
    return names[sampler];
}

enum status sampler_from_name(enum sampler *out, const char *name, struct why *why)
{
    for (int i = 0; i < SAMPLER_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum sampler)i;
            return ST_OK;
        }
    return why_fail(why, ST_INVALID,
                    "sampler must be one of euler, euler_ancestral, ddim, dpmpp_2m, lcm");
}

/* What a plan is made from, once per picture. */
struct draft {
    const struct schedule_view *view;
    int train_steps, steps;
    double t[SAMPLER_STEPS_MAX];
    float sigma[SAMPLER_STEPS_MAX + 1]; /* [steps] is the last one; float32 as diffusers keeps it */
    float log_sigma[SCHEDULE_STEPS_MAX];
};

/*
 * Timesteps.
 */

static double spaced_linear(double last, int count, int i)
{
    double step = count > 1 ? last / (count - 1) : 0;

    return count > 1 && i == count - 1 ? last : i * step;
}

/* `first` is train_steps, or less where the noisiest steps are clipped: then there are fewer. */
static void space_trailing(struct draft *d, int first)
{
    double step = -(double)d->train_steps / d->steps;
    double delta = (first + step) - first;

    d->steps = (int)fmin(d->steps, ceil(first / -step));
    for (int i = 0; i < d->steps; i++)
        d->t[i] = rint(i == 1 ? first + step : first + i * delta) - 1;
}

/* Euler, Euler ancestral, DDIM; only DDIM rounds. */
static void space(struct draft *d, bool whole)
{
    int ratio = d->train_steps / d->steps;

    if (d->view->spacing == SPACING_TRAILING) {
        space_trailing(d, d->train_steps);
        return;
    }
    for (int i = 0; i < d->steps; i++) {
        int up = d->steps - 1 - i;
        double linear = spaced_linear(d->train_steps - 1, d->steps, up);

        if (d->view->spacing == SPACING_LEADING)
            d->t[i] = up * ratio + d->view->steps_offset;
        else
            d->t[i] = whole ? rint(linear) : (double)(float)linear;
    }
}

/* How many of the noisiest timesteps lie below lambda_min_clipped. */
static int clipped_steps(const struct draft *d)
{
    int clipped = 0;

    for (int i = d->train_steps - 1; i >= 0; i--) {
        float a = d->view->alphas_cumprod[i];
        float lambda = logf(sqrtf(a)) - logf(sqrtf(1 - a));

        if (!((double)lambda < d->view->lambda_min_clipped))
            break;
        clipped++;
    }
    return clipped;
}

/* DPM++ 2M: one more than asked for, the last of which is dropped. */
static void space_dpmpp(struct draft *d)
{
    int last = d->train_steps - clipped_steps(d);
    int ratio = last / (d->steps + 1);

    if (d->view->spacing == SPACING_TRAILING) {
        space_trailing(d, last);
        return;
    }
    for (int i = 0; i < d->steps; i++) {
        int up = d->steps - i;

        d->t[i] = d->view->spacing == SPACING_LEADING
                      ? up * ratio + d->view->steps_offset
                      : rint(spaced_linear(last - 1, d->steps + 1, up));
    }
}

static void space_lcm(struct draft *d)
{
    int original = d->view->original_steps, skip = d->train_steps / original;
    double step = (double)original / d->steps;

    for (int i = 0; i < d->steps; i++)
        d->t[i] = (original - (int)floor(i * step)) * skip - 1;
}

/*
 * Sigmas.
 */

static float train_sigma(const struct draft *d, int i)
{
    float a = d->view->alphas_cumprod[i];

    return sqrtf((1 - a) / a);
}

static void fill_log_sigmas(struct draft *d)
{
    for (int i = 0; i < d->train_steps; i++)
        d->log_sigma[i] = logf(train_sigma(d, i));
}

static double interpolated_sigma(const struct draft *d, double t)
{
    int low = (int)fmax(0, fmin(floor(t), d->train_steps - 2));
    double a = (double)train_sigma(d, low), b = (double)train_sigma(d, low + 1);

    return a + (b - a) * fmax(0, fmin(t - low, 1));
}

/* Where in training this sigma lies, between two timesteps, linear in its logarithm. */
static double sigma_to_t(const struct draft *d, double sigma)
{
    double log_sigma = log(fmax(sigma, 1e-10)), a, b;
    int low = 0;

    while (low + 2 < d->train_steps && log_sigma >= (double)d->log_sigma[low + 1])
        low++;
    a = (double)d->log_sigma[low];
    b = (double)d->log_sigma[low + 1];
    return low + fmax(0, fmin((a - log_sigma) / (a - b), 1));
}

/* Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", (5). */
static void space_karras(struct draft *d, double sigma_max, double sigma_min, bool whole)
{
    const double rho = 7;
    double from = pow(sigma_max, 1 / rho), to = pow(sigma_min, 1 / rho);

    for (int i = 0; i < d->steps; i++) {
        double sigma = pow(from + spaced_linear(1, d->steps, i) * (to - from), rho);
        double t = sigma_to_t(d, sigma);

        d->sigma[i] = (float)sigma;
        d->t[i] = whole ? rint(t) : (double)(float)t;
    }
}

/* Karras' own are there already. */
static void fill_sigmas(struct draft *d, enum sampler sampler)
{
    bool karras = d->view->karras && sampler != SAMPLER_EULER_ANCESTRAL;

    for (int i = 0; i < d->steps && !karras; i++)
        d->sigma[i] = (float)interpolated_sigma(d, d->t[i]);
    d->sigma[d->steps] = d->view->sigma_min_final ? train_sigma(d, 0) : 0;
}

/*
 * Coefficients. A step is first written in double, then rounded once.
 */

struct linear {
    double x, out; /* of the latents, of the model's output */
};

struct exact_step {
    double t, in_scale;
    struct linear x0, next;
    double previous, noise;
};

static void put_step(struct sampler_step *to, const struct exact_step *s)
{
    *to = (struct sampler_step){
        .t = (float)s->t,
        .in_scale = (float)s->in_scale,
        .x0_x = (float)s->x0.x,
        .x0_out = (float)s->x0.out,
        .next_x = (float)s->next.x,
        .next_out = (float)s->next.out,
        .next_prev = (float)s->previous,
        .next_noise = (float)s->noise,
    };
}

/* The denoised picture where the latents are sqrt(a) * picture + sqrt(1 - a) * noise. */
static struct linear denoised(enum prediction prediction, double alpha, double sigma)
{
    switch (prediction) {
    case PREDICTION_EPSILON:
        return (struct linear){1 / alpha, -sigma / alpha};
    case PREDICTION_V:
        return (struct linear){alpha, -sigma};
    case PREDICTION_SAMPLE:
        break;
    }
    return (struct linear){0, 1};
}

/* The same where the latents are picture + sigma * noise. */
static struct linear denoised_euler(enum prediction prediction, double sigma)
{
    double square = sigma * sigma + 1;

    switch (prediction) {
    case PREDICTION_EPSILON:
        return (struct linear){1, -sigma};
    case PREDICTION_V:
        return (struct linear){1 / square, -sigma / sqrt(square)};
    case PREDICTION_SAMPLE:
        break;
    }
    return (struct linear){0, 1};
}

/* How far down an ancestral step goes before it adds *up times noise. */
static double ancestral_down(double from, double to, double *up)
{
    *up = to * sqrt((from - to) * (from + to)) / from;
    return to * to / from;
}

static void plan_euler(struct sampler_plan *plan, const struct draft *d, bool ancestral)
{
    float sigma_max = 0;

    for (int i = 0; i < d->steps; i++) {
        double sigma = (double)d->sigma[i], down = (double)d->sigma[i + 1], drop;
        struct exact_step s = {.t = d->t[i]};

        if (ancestral)
            down = ancestral_down(sigma, down, &s.noise);
        drop = (down - sigma) / sigma;
        s.in_scale = 1 / sqrt(sigma * sigma + 1);
        s.x0 = denoised_euler(d->view->prediction, sigma);
        s.next.x = 1 + (1 - s.x0.x) * drop;
        s.next.out = -s.x0.out * drop;
        put_step(&plan->step[i], &s);
        sigma_max = fmaxf(sigma_max, d->sigma[i]);
    }
    plan->init_noise =
        d->view->spacing == SPACING_LEADING ? sqrtf(sigma_max * sigma_max + 1) : sigma_max;
}

/* prev = sqrt(a') * x0 + sqrt(1 - a') * noise, both as functions of x and out. */
static void plan_ddim(struct sampler_plan *plan, const struct draft *d)
{
    const float *alphas = d->view->alphas_cumprod;
    float final = d->view->set_alpha_to_one ? 1 : alphas[0];

    for (int i = 0; i < d->steps; i++) {
        int t = (int)d->t[i], before = t - d->train_steps / d->steps;
        double a = (double)alphas[t], b = (double)(before >= 0 ? alphas[before] : final);
        double alpha = sqrt(a), sigma = sqrt(1 - a);
        struct exact_step s = {.t = t, .in_scale = 1};
        struct linear noise = {0, 1};

        s.x0 = denoised(d->view->prediction, alpha, sigma);
        if (d->view->prediction == PREDICTION_V)
            noise = (struct linear){sigma, alpha};
        else if (d->view->prediction == PREDICTION_SAMPLE)
            noise = (struct linear){1 / sigma, -alpha / sigma};
        s.next.x = sqrt(b) * s.x0.x + sqrt(1 - b) * noise.x;
        s.next.out = sqrt(b) * s.x0.out + sqrt(1 - b) * noise.out;
        put_step(&plan->step[i], &s);
    }
    plan->init_noise = 1;
}

static bool is_first_order(const struct draft *d, int i)
{
    bool last = i == d->steps - 1;

    return i == 0 || d->view->solver_order == 1 ||
           (last && (d->view->euler_at_final || !d->view->sigma_min_final ||
                     (d->view->lower_order_final && d->steps < 15)));
}

/* Lu et al., "DPM-Solver++", second-order multistep: x' = a x + b x0 + c (x0 - previous x0). With
   lambda = -log(sigma), exp(-h) is the quotient of two sigmas. */
static void plan_dpmpp(struct sampler_plan *plan, const struct draft *d)
{
    for (int i = 0; i < d->steps; i++) {
        double from = (double)d->sigma[i], to = (double)d->sigma[i + 1];
        double alpha = 1 / sqrt(from * from + 1), alpha_to = 1 / sqrt(to * to + 1);
        double shrink = to / from, h = -log(shrink), slope = 0;
        double x = to * alpha_to / (from * alpha);
        struct exact_step s = {.t = d->t[i], .in_scale = 1};

        s.x0 = denoised(d->view->prediction, alpha, from * alpha);
        if (!is_first_order(d, i)) {
            double r = log((double)d->sigma[i - 1] / from) / h;

            slope =
                (d->view->heun ? alpha_to * ((shrink - 1) / h + 1) : alpha_to * (1 - shrink) / 2) /
                r;
        }
        s.next.x = x + (alpha_to * (1 - shrink) + slope) * s.x0.x;
        s.next.out = (alpha_to * (1 - shrink) + slope) * s.x0.out;
        s.previous = -slope;
        put_step(&plan->step[i], &s);
    }
    plan->init_noise = 1;
}

static void plan_lcm(struct sampler_plan *plan, const struct draft *d)
{
    const float *alphas = d->view->alphas_cumprod;

    for (int i = 0; i < d->steps; i++) {
        bool last = i == d->steps - 1;
        double a = (double)alphas[(int)d->t[i]];
        double b = last ? 1 : (double)alphas[(int)d->t[i + 1]];
        double scaled = d->t[i] * d->view->timestep_scaling, square = scaled * scaled + 0.25;
        double skip = 0.25 / square, take = scaled / sqrt(square);
        struct exact_step s = {.t = d->t[i], .in_scale = 1};
        struct linear x0 = denoised(d->view->prediction, sqrt(a), sqrt(1 - a));

        s.x0 = (struct linear){take * x0.x + skip, take * x0.out};
        s.next = (struct linear){sqrt(b) * s.x0.x, sqrt(b) * s.x0.out};
        s.noise = sqrt(1 - b);
        put_step(&plan->step[i], &s);
    }
    plan->init_noise = 1;
}

/* Every sampler's t are fixed before anything is looked up by them. */
static void space_all(struct draft *d, enum sampler sampler)
{
    bool dpmpp = sampler == SAMPLER_DPMPP_2M;

    fill_log_sigmas(d);
    if (sampler == SAMPLER_LCM)
        space_lcm(d);
    else if (dpmpp && d->view->karras)
        space_karras(d, train_sigma(d, d->train_steps - 1), train_sigma(d, 0), true);
    else if (dpmpp)
        space_dpmpp(d);
    else
        space(d, sampler == SAMPLER_DDIM);
    if (sampler == SAMPLER_EULER && d->view->karras)
        space_karras(d, interpolated_sigma(d, d->t[0]), interpolated_sigma(d, d->t[d->steps - 1]),
                     false);
}

static enum status check_range(const struct draft *d, struct why *why)
{
    for (int i = 0; i < d->steps; i++)
        if (!(d->t[i] >= 0 && d->t[i] <= d->train_steps - 1))
            return why_fail(why, ST_INVALID,
                            "steps_offset %d puts step %d of %d outside the model's %d timesteps",
                            d->view->steps_offset, i + 1, d->steps, d->train_steps);
    return ST_OK;
}

static enum status check_finite(const struct sampler_plan *plan, struct why *why)
{
    for (int i = 0; i < plan->count; i++) {
        const struct sampler_step *s = &plan->step[i];
        float all[] = {s->t,      s->in_scale, s->x0_x,      s->x0_out,
                       s->next_x, s->next_out, s->next_prev, s->next_noise};

        for (size_t j = 0; j < sizeof(all) / sizeof(*all); j++)
            if (!isfinite(all[j]))
                return why_fail(why, ST_UNSUPPORTED,
                                "this sampler has no step %d of %d on this noise schedule", i + 1,
                                plan->count);
    }
    return ST_OK;
}

static void fill_plan(struct sampler_plan *plan, struct draft *d, enum sampler sampler)
{
    bool in_sigmas = sampler != SAMPLER_DDIM && sampler != SAMPLER_LCM;

    if (in_sigmas)
        fill_sigmas(d, sampler);
    switch (sampler) {
    case SAMPLER_EULER:
    case SAMPLER_EULER_ANCESTRAL:
        plan_euler(plan, d, sampler == SAMPLER_EULER_ANCESTRAL);
        break;
    case SAMPLER_DDIM:
        plan_ddim(plan, d);
        break;
    case SAMPLER_DPMPP_2M:
        plan_dpmpp(plan, d);
        break;
    case SAMPLER_LCM:
        plan_lcm(plan, d);
        break;
    }
    plan->count = d->steps;
}

enum status sampler_make_plan(struct sampler_plan *out, enum sampler sampler,
                              const struct schedule *schedule, int steps, struct why *why)
{
    const struct schedule_view *view = &schedule->view[sampler];
    struct draft draft = {.view = view, .train_steps = schedule->train_steps, .steps = steps};
    int most =
        schedule->train_steps < SAMPLER_STEPS_MAX ? schedule->train_steps : SAMPLER_STEPS_MAX;
    enum status st;

    assert(sampler < SAMPLER_COUNT);
    *out = (struct sampler_plan){0};
    if (view->unsupported[0])
        return why_fail(why, ST_UNSUPPORTED, "sampler %s cannot honour this model's %s",
                        names[sampler], view->unsupported);
    if (sampler == SAMPLER_LCM && view->original_steps < most)
        most = view->original_steps;
    if (steps < 1 || steps > most)
        return why_fail(why, ST_INVALID, "steps must be 1 to %d with sampler %s", most,
                        names[sampler]);
    space_all(&draft, sampler);
    st = check_range(&draft, why);
    if (st)
        return st;
    fill_plan(out, &draft, sampler);
    return check_finite(out, why);
}
