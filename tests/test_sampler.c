/* SPDX-License-Identifier: Apache-2.0 */
/* Goldens: tools/oracle/sampler_golden.py. */
#include "models/sampler.h"
#include "models/weights.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT      16 /* numbers in a golden's latents */
#define STEPS_GOLD 50
#define BOUND      1e-5
#define BOUND_T    1e-3 /* on Karras sigmas t is interpolated between float32 logarithms */

struct golden {
    struct json *cases;
    struct weights *file;
    const float *noise, *middle, *final, *t;
};

static const float *numbers(const struct golden *g, const char *name)
{
    struct tensor t;
    struct why why = {0};

    assert_int_equal(weights_find(g->file, name, &t, &why), ST_OK);
    assert_int_equal(t.dtype, DTYPE_F32);
    return t.data;
}

static int open_golden(void **state)
{
    static struct golden g;
    struct why why = {0};

    assert_int_equal(json_load(&g.cases, "tests/golden/sampler.json", 1 << 20, &why), ST_OK);
    assert_int_equal(weights_open(&g.file, "tests/golden/sampler.safetensors", &why), ST_OK);
    g.noise = numbers(&g, "noise");
    g.middle = numbers(&g, "middle");
    g.final = numbers(&g, "final");
    g.t = numbers(&g, "t");
    *state = &g;
    return 0;
}

static int close_golden(void **state)
{
    struct golden *g = *state;

    json_close(&g->cases);
    weights_close(&g->file);
    return 0;
}

static struct schedule *schedule_from(const char *text)
{
    struct schedule *s = malloc(sizeof(*s));
    struct json *config = NULL;
    struct why why = {0};

    assert_non_null(s);
    assert_int_equal(json_parse(&config, text, strlen(text), &why), ST_OK);
    if (schedule_read(s, config, &why))
        fail_msg("%s: %s", text, why.text);
    json_close(&config);
    return s;
}

/* sampler_golden.py: model. */
static float model_output(enum prediction prediction, float x, float t, int i)
{
    double wave = sin(2.0 * (double)x + (double)t / 100.0 + 0.3 * i);

    if (prediction == PREDICTION_EPSILON)
        return (float)(0.9 * (double)x + 0.2 * wave);
    if (prediction == PREDICTION_V)
        return (float)(-0.3 * (double)x + 0.5 * wave);
    return (float)(0.5 * (double)x + 0.3 * wave);
}

/* One step in float32, as the op `advance` does it. */
static void step(const struct sampler_step *s, enum prediction prediction, const float *noise,
                 float *x, float *previous)
{
    for (int i = 0; i < COUNT; i++) {
        float out = model_output(prediction, s->in_scale * x[i], s->t, i);
        float denoised = s->x0_x * x[i] + s->x0_out * out;
        float next = s->next_x * x[i] + s->next_out * out + s->next_prev * previous[i] +
                     s->next_noise * noise[i];

        previous[i] = denoised;
        x[i] = next;
    }
}

static double relative_l2(const float *a, const float *b)
{
    double difference = 0, size = 0;

    for (int i = 0; i < COUNT; i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    return sqrt(difference / size);
}

struct errors {
    double middle, final, t;
};

static struct errors run_case(const struct golden *g, size_t index, const struct sampler_plan *plan,
                              enum prediction prediction)
{
    struct errors e = {0};
    float x[COUNT], previous[COUNT] = {0};

    for (int i = 0; i < COUNT; i++)
        x[i] = plan->init_noise * g->noise[i];
    for (int i = 0; i < plan->count; i++) {
        double t = (double)g->t[index * STEPS_GOLD + (size_t)i];

        e.t = fmax(e.t, fabs((double)plan->step[i].t - t));
        step(&plan->step[i], prediction, g->noise + (i + 1) * COUNT, x, previous);
        if (i == (plan->count - 1) / 2)
            e.middle = relative_l2(x, g->middle + index * COUNT);
    }
    e.final = relative_l2(x, g->final + index * COUNT);
    return e;
}

/* One line of the golden: a configuration, and the row of its first number of steps. */
struct line {
    const struct json *json;
    struct schedule *schedule;
    enum sampler sampler;
    size_t number, row;
};

static bool judge(const struct golden *g, const struct line *line, size_t k, struct errors *worst)
{
    int steps = (int)json_as_int(json_at(json_get(line->json, "steps"), k));
    int count = (int)json_as_int(json_at(json_get(line->json, "counts"), k));
    struct sampler_plan plan;
    struct why why = {0};
    struct errors e;

    if (sampler_make_plan(&plan, line->sampler, line->schedule, steps, &why))
        fail_msg("line %zu: %s", line->number, why.text);
    if (plan.count != count)
        fail_msg("line %zu: %d steps, diffusers takes %d", line->number, plan.count, count);
    e = run_case(g, line->row + k, &plan, line->schedule->view[line->sampler].prediction);
    worst->middle = fmax(worst->middle, e.middle);
    worst->final = fmax(worst->final, e.final);
    worst->t = fmax(worst->t, e.t);
    if (e.final <= BOUND && e.middle <= BOUND && e.t <= BOUND_T)
        return true;
    print_error("line %zu, %s, %d steps: middle %.2e, final %.2e, t %.2e\n", line->number,
                sampler_name(line->sampler), steps, e.middle, e.final, e.t);
    return false;
}

static void read_line(struct line *line, const struct golden *g, size_t index)
{
    const char *name = NULL;
    struct why why = {0};

    line->json = json_at(g->cases, index);
    line->number = index + 2;
    assert_int_equal(json_get_string(line->json, "sampler", &name, &why), ST_OK);
    assert_int_equal(sampler_from_name(&line->sampler, name, &why), ST_OK);
    if (schedule_read(line->schedule, json_get(line->json, "config"), &why))
        fail_msg("line %zu: %s", line->number, why.text);
}

/* Goal: limner's latents are diffusers' latents, for every class, option and number of steps.
   Method: the same fixed model, the same noise; the plan is applied in float32. */
static void latents_are_those_of_diffusers(void **state)
{
    const struct golden *g = *state;
    struct line line = {.schedule = malloc(sizeof(struct schedule))};
    struct errors worst = {0};
    int bad = 0;

    assert_non_null(line.schedule);
    for (size_t i = 0; i < json_size(g->cases); i++) {
        size_t count;

        read_line(&line, g, i);
        count = json_size(json_get(line.json, "steps"));
        for (size_t k = 0; k < count; k++)
            bad += !judge(g, &line, k, &worst);
        line.row += count;
    }
    print_message("worst of %zu: middle %.2e, final %.2e, t %.2e\n", line.row, worst.middle,
                  worst.final, worst.t);
    free(line.schedule);
    assert_true(line.row > 400);
    assert_int_equal(bad, 0);
}

static const char *const sd_configs[] = {
    "{\"_class_name\":\"DDIMScheduler\",\"beta_start\":0.00085,\"beta_end\":0.012,"
    "\"beta_schedule\":\"scaled_linear\",\"steps_offset\":1}",
    "{\"_class_name\":\"EulerDiscreteScheduler\",\"beta_start\":0.00085,\"beta_end\":0.012,"
    "\"beta_schedule\":\"scaled_linear\",\"timestep_spacing\":\"trailing\","
    "\"prediction_type\":\"v_prediction\",\"rescale_betas_zero_snr\":true}",
    "{\"_class_name\":\"DPMSolverMultistepScheduler\",\"beta_schedule\":\"linear\","
    "\"use_karras_sigmas\":true,\"timestep_spacing\":\"linspace\"}",
};

static void check_plan(const struct sampler_plan *plan, const struct schedule *schedule,
                       const char *what, int steps)
{
    float before = INFINITY;

    if (plan->count < 1 || plan->count > steps || !(plan->init_noise > 0))
        fail_msg("%s: %d steps of %d, init_noise %g", what, plan->count, steps,
                 (double)plan->init_noise);
    for (int i = 0; i < plan->count; i++) {
        const struct sampler_step *s = &plan->step[i];
        bool last = i == plan->count - 1;

        if (!(s->t >= 0 && s->t <= (float)(schedule->train_steps - 1) && s->t <= before))
            fail_msg("%s: step %d of %d is at t = %g after %g", what, i, steps, (double)s->t,
                     (double)before);
        if (!(s->in_scale > 0 && s->in_scale <= 1))
            fail_msg("%s: step %d of %d scales by %g", what, i, steps, (double)s->in_scale);
        if (last && s->next_noise != 0)
            fail_msg("%s: noise is left in the picture after %d steps", what, steps);
        before = s->t;
    }
}

/* Goal: timesteps fall, stay within what the model knows, and no plan ends in noise.
   Method: every number of steps, for every sampler, on three schedules. */
static void every_plan_goes_down_and_ends_clean(void **state)
{
    (void)state;

    for (size_t c = 0; c < sizeof(sd_configs) / sizeof(*sd_configs); c++) {
        struct schedule *schedule = schedule_from(sd_configs[c]);

        for (int k = 0; k < SAMPLER_COUNT * SAMPLER_STEPS_MAX; k++) {
            enum sampler sampler = (enum sampler)(k / SAMPLER_STEPS_MAX);
            int steps = k % SAMPLER_STEPS_MAX + 1;
            struct sampler_plan plan;
            struct why why = {0};

            if (sampler == SAMPLER_LCM && steps > 50)
                continue;
            if (sampler_make_plan(&plan, sampler, schedule, steps, &why))
                fail_msg("%s, %d steps: %s", sampler_name(sampler), steps, why.text);
            check_plan(&plan, schedule, sampler_name(sampler), steps);
        }
        free(schedule);
    }
}

/* Goal: a model that always knows the answer gets there, whatever the sampler.
   Method: an x0-predicting model that says 0.5; samplers that take x0 end on it exactly. */
static void a_perfect_model_is_believed(void **state)
{
    struct schedule *schedule = schedule_from("{\"_class_name\":\"DDIMScheduler\","
                                              "\"beta_schedule\":\"scaled_linear\","
                                              "\"beta_start\":0.00085,\"beta_end\":0.012,"
                                              "\"prediction_type\":\"sample\"}");
    static const enum sampler samplers[] = {SAMPLER_EULER, SAMPLER_DDIM, SAMPLER_DPMPP_2M};
    (void)state;

    for (int k = 0; k < 3 * 40; k++) {
        enum sampler sampler = samplers[k / 40];
        struct sampler_plan plan;
        struct why why = {0};
        float x = 0, previous = 0;

        assert_int_equal(sampler_make_plan(&plan, sampler, schedule, k % 40 + 1, &why), ST_OK);
        x = 1.7f * plan.init_noise;
        for (int i = 0; i < plan.count; i++) {
            const struct sampler_step *s = &plan.step[i];
            float next = s->next_x * x + s->next_out * 0.5f + s->next_prev * previous;

            previous = s->x0_x * x + s->x0_out * 0.5f;
            x = next;
        }
        if (fabsf(x - 0.5f) > 1e-4f)
            fail_msg("%s ends at %g after %d steps", sampler_name(sampler), (double)x, plan.count);
    }
    free(schedule);
}

static void steps_out_of_range_are_refused_with_the_range(void **state)
{
    struct schedule *schedule = schedule_from("{\"_class_name\":\"LCMScheduler\"}");
    struct sampler_plan plan;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 0, &why), ST_INVALID);
    assert_string_equal(why.text, "steps must be 1 to 150 with sampler ddim");
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 151, &why), ST_INVALID);
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, -1, &why), ST_INVALID);
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 150, &why), ST_OK);
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_LCM, schedule, 51, &why), ST_INVALID);
    assert_string_equal(why.text, "steps must be 1 to 50 with sampler lcm");
    free(schedule);
}

static void a_short_training_schedule_limits_the_steps(void **state)
{
    struct schedule *schedule = schedule_from("{\"_class_name\":\"EulerDiscreteScheduler\","
                                              "\"num_train_timesteps\":30}");
    struct sampler_plan plan;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_make_plan(&plan, SAMPLER_EULER, schedule, 30, &why), ST_OK);
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_EULER, schedule, 31, &why), ST_INVALID);
    assert_string_equal(why.text, "steps must be 1 to 30 with sampler euler");
    free(schedule);
}

struct refusal {
    const char *config;
    enum status status;
    const char *word; /* must be in the sentence */
};

static const struct refusal refusals[] = {
    {"{}", ST_INVALID, "_class_name"},
    {"[]", ST_INVALID, "object"},
    {"{\"_class_name\":7}", ST_INVALID, "_class_name"},
    {"{\"_class_name\":\"HeunDiscreteScheduler\"}", ST_UNSUPPORTED, "HeunDiscreteScheduler"},
    {"{\"_class_name\":\"DDIMScheduler\",\"clip_sample\":true}", ST_UNSUPPORTED, "clip_sample"},
    {"{\"_class_name\":\"DDIMScheduler\",\"thresholding\":true}", ST_UNSUPPORTED, "thresholding"},
    {"{\"_class_name\":\"DDIMScheduler\",\"beta_schedule\":\"laplace\"}", ST_UNSUPPORTED,
     "laplace"},
    {"{\"_class_name\":\"DDIMScheduler\",\"beta_start\":\"0.1\"}", ST_INVALID, "beta_start"},
    {"{\"_class_name\":\"DDIMScheduler\",\"beta_end\":1.5}", ST_INVALID, "beta_end"},
    {"{\"_class_name\":\"DDIMScheduler\",\"trained_betas\":[0.1]}", ST_INVALID, "trained_betas"},
    {"{\"_class_name\":\"DDIMScheduler\",\"trained_betas\":[0.1,\"x\"],\"num_train_timesteps\":2}",
     ST_INVALID, "trained_betas[1]"},
    {"{\"_class_name\":\"DDIMScheduler\",\"trained_betas\":[0.1,2],\"num_train_timesteps\":2}",
     ST_INVALID, "beta 1"},
    {"{\"_class_name\":\"DDIMScheduler\",\"num_train_timesteps\":4000}", ST_UNSUPPORTED,
     "num_train_timesteps"},
    {"{\"_class_name\":\"DDIMScheduler\",\"num_train_timesteps\":0}", ST_UNSUPPORTED,
     "num_train_timesteps"},
    {"{\"_class_name\":\"DDIMScheduler\",\"prediction_type\":\"flow\"}", ST_UNSUPPORTED, "flow"},
    {"{\"_class_name\":\"DDIMScheduler\",\"timestep_spacing\":\"x\"}", ST_UNSUPPORTED,
     "timestep_spacing"},
    {"{\"_class_name\":\"DDIMScheduler\",\"steps_offset\":-1}", ST_UNSUPPORTED, "steps_offset"},
    {"{\"_class_name\":\"EulerDiscreteScheduler\",\"use_beta_sigmas\":true}", ST_UNSUPPORTED,
     "use_beta_sigmas"},
    {"{\"_class_name\":\"EulerDiscreteScheduler\",\"timestep_type\":\"continuous\"}",
     ST_UNSUPPORTED, "timestep_type"},
    {"{\"_class_name\":\"EulerDiscreteScheduler\",\"use_karras_sigmas\":true,\"sigma_min\":0.1}",
     ST_UNSUPPORTED, "sigma_min"},
    {"{\"_class_name\":\"EulerAncestralDiscreteScheduler\",\"prediction_type\":\"sample\"}",
     ST_UNSUPPORTED, "prediction_type"},
    {"{\"_class_name\":\"DPMSolverMultistepScheduler\",\"solver_order\":3}", ST_UNSUPPORTED,
     "solver_order"},
    {"{\"_class_name\":\"DPMSolverMultistepScheduler\",\"algorithm_type\":\"sde-dpmsolver++\"}",
     ST_UNSUPPORTED, "algorithm_type"},
    {"{\"_class_name\":\"DPMSolverMultistepScheduler\",\"variance_type\":\"learned\"}",
     ST_UNSUPPORTED, "variance_type"},
    {"{\"_class_name\":\"LCMScheduler\",\"original_inference_steps\":0}", ST_UNSUPPORTED,
     "original_inference_steps"},
};

static void what_cannot_be_honoured_is_named(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct schedule *schedule = malloc(sizeof(*schedule));
        struct json *config = NULL;
        struct why why = {0};
        enum status st;

        assert_non_null(schedule);
        assert_int_equal(json_parse(&config, r->config, strlen(r->config), &why), ST_OK);
        st = schedule_read(schedule, config, &why);
        if (st != r->status || !strstr(why.text, r->word))
            fail_msg("%s: %s, \"%s\"", r->config, status_name(st), why.text);
        json_close(&config);
        free(schedule);
    }
}

/* A key that only another sampler would look at keeps that one away, not the model's own. */
static void a_key_of_another_class_refuses_only_that_sampler(void **state)
{
    struct schedule *schedule = schedule_from("{\"_class_name\":\"EulerDiscreteScheduler\","
                                              "\"clip_sample\":true,\"solver_order\":3}");
    struct sampler_plan plan;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_make_plan(&plan, SAMPLER_EULER, schedule, 10, &why), ST_OK);
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 10, &why), ST_UNSUPPORTED);
    assert_string_equal(why.text, "sampler ddim cannot honour this model's clip_sample");
    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DPMPP_2M, schedule, 10, &why),
                     ST_UNSUPPORTED);
    assert_non_null(strstr(why.text, "solver_order"));
    free(schedule);
}

/* Epsilon says nothing at zero signal: DDIM divides by zero there, and must say so, not do it. */
static void a_schedule_without_an_answer_is_refused(void **state)
{
    struct schedule *schedule = schedule_from("{\"_class_name\":\"DDIMScheduler\","
                                              "\"rescale_betas_zero_snr\":true,"
                                              "\"timestep_spacing\":\"trailing\"}");
    struct sampler_plan plan;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 10, &why), ST_UNSUPPORTED);
    assert_string_equal(why.text, "this sampler has no step 1 of 10 on this noise schedule");
    free(schedule);
}

static void an_offset_beyond_training_is_refused(void **state)
{
    struct schedule *schedule =
        schedule_from("{\"_class_name\":\"DDIMScheduler\",\"steps_offset\":200}");
    struct sampler_plan plan;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_make_plan(&plan, SAMPLER_DDIM, schedule, 10, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "steps_offset 200"));
    free(schedule);
}

static void pndm_gets_a_stand_in(void **state)
{
    struct schedule *schedule =
        schedule_from("{\"_class_name\":\"PNDMScheduler\",\"skip_prk_steps\":true}");
    (void)state;

    assert_int_equal(schedule->sampler, SAMPLER_DPMPP_2M);
    assert_true(schedule->stand_in);
    free(schedule);
}

/* Goal: what diffusers writes for an unbounded lambda_min_clipped is not an error.
   Method: a file as it writes them, with the same word inside a string left alone. */
static void minus_infinity_in_a_file_is_read(void **state)
{
    char path[] = "/tmp/limner-sampler-XXXXXX";
    static const char text[] = "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"note\": "
                               "\"\\\"-Infinity\", \"lambda_min_clipped\": -Infinity}";
    struct schedule *schedule = malloc(sizeof(*schedule));
    struct why why = {0};
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "wb");
    (void)state;

    assert_non_null(schedule);
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof(text) - 1, file), sizeof(text) - 1);
    assert_int_equal(fclose(file), 0);

    assert_int_equal(schedule_load(schedule, path, &why), ST_OK);
    assert_int_equal(schedule->sampler, SAMPLER_DPMPP_2M);
    assert_int_equal(remove(path), 0);
    assert_int_equal(schedule_load(schedule, path, &why), ST_MISSING);
    assert_non_null(strstr(why.text, path));
    free(schedule);
}

static void names_go_both_ways(void **state)
{
    (void)state;

    for (int i = 0; i < SAMPLER_COUNT; i++) {
        enum sampler back;
        struct why why = {0};

        assert_int_equal(sampler_from_name(&back, sampler_name((enum sampler)i), &why), ST_OK);
        assert_int_equal(back, i);
    }
}

static void an_unknown_name_gets_the_list(void **state)
{
    enum sampler sampler;
    struct why why = {0};
    (void)state;

    assert_int_equal(sampler_from_name(&sampler, "heun", &why), ST_INVALID);
    assert_non_null(strstr(why.text, "euler, euler_ancestral, ddim, dpmpp_2m, lcm"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(latents_are_those_of_diffusers, open_golden, close_golden),
        cmocka_unit_test(every_plan_goes_down_and_ends_clean),
        cmocka_unit_test(a_perfect_model_is_believed),
        cmocka_unit_test(steps_out_of_range_are_refused_with_the_range),
        cmocka_unit_test(a_short_training_schedule_limits_the_steps),
        cmocka_unit_test(what_cannot_be_honoured_is_named),
        cmocka_unit_test(a_key_of_another_class_refuses_only_that_sampler),
        cmocka_unit_test(a_schedule_without_an_answer_is_refused),
        cmocka_unit_test(an_offset_beyond_training_is_refused),
        cmocka_unit_test(pndm_gets_a_stand_in),
        cmocka_unit_test(minus_infinity_in_a_file_is_read),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(an_unknown_name_gets_the_list),
    };

    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
