/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations out of stamps, and where they are kept. Times are made up.
 */
#include "engine/stages.h"
#include "tests/unit.h"

#include <stdlib.h>

/* A job is a quarter of a megabyte: one for all tests. */
static int open_job(void **state)
{
    *state = calloc(1, sizeof(struct job));
    return !*state;
}

static int close_job(void **state)
{
    free(*state);
    return 0;
}

static struct job_times whole(void)
{
    return (struct job_times){.received_us = 1000,
                              .admitted_us = 1001,
                              .seated_us = 1011,
                              .text_us = 1111,
                              .first_step_us = 2111,
                              .last_step_us = 12111,
                              .decoded_us = 112111,
                              .judged_us = 1112111,
                              .marked_us = 1112131,
                              .encoded_us = 11112131,
                              .logged_us = 11112161,
                              .ended_us = 11112163};
}

static struct histogram of_stage(const struct stages *s, int model, enum stages_outcome outcome,
                                 enum stage stage)
{
    struct histogram h = {.count = 0};

    stages_add(s, model, outcome, stage, &h);
    return h;
}

static struct histogram of_pictures(const struct stages *s, int model, enum stages_outcome outcome)
{
    struct histogram h = {.count = 0};

    stages_add_pictures(s, model, outcome, &h);
    return h;
}

static struct histogram of_steps(const struct stages *s, int model, int count)
{
    struct histogram h = {.count = 0};

    stages_add_steps(s, model, count, &h);
    return h;
}

static void stages_lie_between_their_borders(void **state)
{
    static const int64_t expected[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 20, 10000000, 30};
    const struct job_times t = whole();
    int64_t us[STAGE_COUNT];

    (void)state;
    stages_of(us, &t);
    for (int i = 0; i < STAGE_COUNT; i++)
        assert_int_equal(us[i], expected[i]);
}

/* Goal: the stage in which a picture ended counts until then, and those after it are not there.
   Method: one border after another is taken away, from the last. */
static void a_picture_that_ended_early_has_its_stages_until_then(void **state)
{
    struct job_times t = whole();
    int64_t *const border[] = {&t.admitted_us,  &t.seated_us,  &t.text_us,   &t.first_step_us,
                               &t.last_step_us, &t.decoded_us, &t.judged_us, &t.marked_us,
                               &t.encoded_us,   &t.logged_us};
    int64_t us[STAGE_COUNT];

    (void)state;
    for (int last = STAGE_COUNT - 1; last >= 0; last--) {
        int64_t sum = 0;

        *border[last] = 0;
        stages_of(us, &t);
        for (int i = 0; i < STAGE_COUNT; i++) {
            if (i > last ? us[i] != -1 : us[i] < 0)
                fail_msg("ended in %s, and %s is %lld", stage_name((enum stage)last),
                         stage_name((enum stage)i), (long long)us[i]);
            sum += us[i] > 0 ? us[i] : 0;
        }
        assert_int_equal(sum, t.ended_us - t.received_us);
    }
}

static void jobs_are_recorded_by_model_and_outcome(void **state)
{
    struct job *job = *state;
    struct stages *s;

    assert_int_equal(stages_open(&s, 2, 3, 4), ST_OK);
    job->slot = 1;
    job->times = whole();
    job->status = ST_OK;
    stages_ended(s, job);
    job->entry.lane = 1;
    stages_ended(s, job);
    job->times.text_us = job->times.first_step_us = job->times.last_step_us = 0;
    job->status = ST_LATE;
    stages_ended(s, job);
    job->status = ST_DEVICE;
    job->entry.lane = -1;
    stages_ended(s, job);
    job->status = ST_REFUSED;
    stages_ended(s, job);

    assert_int_equal(of_stage(s, 1, OUTCOME_OK, STAGE_DECODE).count, 2);
    assert_int_equal(of_stage(s, 1, OUTCOME_OK, STAGE_DECODE).sum, 200000);
    assert_int_equal(of_pictures(s, 1, OUTCOME_OK).sum, 2 * 11111163);
    assert_int_equal(of_stage(s, 1, OUTCOME_LATE, STAGE_TEXT).count, 1);
    assert_int_equal(of_stage(s, 1, OUTCOME_LATE, STAGE_WAIT).count, 0);
    assert_int_equal(of_pictures(s, 1, OUTCOME_LATE).count, 1);
    assert_int_equal(of_pictures(s, 1, OUTCOME_FAILED).count, 1);
    assert_int_equal(of_pictures(s, 1, OUTCOME_WITHHELD).count, 1);
    assert_int_equal(of_pictures(s, 1, OUTCOME_CANCELLED).count, 0);
    for (enum stages_outcome o = 0; o < OUTCOME_COUNT; o++)
        assert_int_equal(of_pictures(s, 0, o).count + of_pictures(s, 2, o).count, 0);
    for (int count = 1; count <= 4; count++)
        assert_int_equal(of_steps(s, 0, count).count + of_steps(s, 1, count).count, 0);
    stages_close(&s);
}

/* Goal: a step is recorded by its pictures, and stamps the first and the last step of each. */
static void steps_are_stamped_and_recorded_by_their_pictures(void **state)
{
    struct job *a = *state, *b = calloc(1, sizeof(*b)), *jobs[2] = {a, b};
    struct stages *s;

    assert_non_null(b);
    *a = (struct job){.slot = 1, .entry = {.done = 1, .steps = 2}};
    b->slot = 1;
    b->entry = (struct entry){.done = 1, .steps = 1};
    assert_int_equal(stages_open(&s, 1, 2, 2), ST_OK);
    stages_stepped(s, 0, jobs, 2, (struct stages_span){100, 350});
    assert_int_equal(a->times.first_step_us, 100);
    assert_int_equal(a->times.last_step_us, 0);
    assert_int_equal(b->times.last_step_us, 350);
    a->entry.done = 2;
    stages_stepped(s, 0, jobs, 1, (struct stages_span){400, 500});

    assert_int_equal(a->times.first_step_us, 100);
    assert_int_equal(a->times.last_step_us, 500);
    assert_int_equal(a->batch_most, 2);
    assert_int_equal(of_steps(s, 1, 2).count, 1);
    assert_int_equal(of_steps(s, 1, 2).sum, 250);
    assert_int_equal(of_steps(s, 1, 1).sum, 100);
    assert_int_equal(of_steps(s, 0, 1).count, 0);
    stages_close(&s);
    free(b);
}

/* Goal: an error of forecast is told as a share of what was promised, by its direction. */
static void promises_are_judged_by_their_share(void **state)
{
    struct histogram early = {.count = 0}, late = {.count = 0};
    struct job *job = *state;
    struct stages *s;

    *job = (struct job){.status = ST_OK, .times = whole()};
    assert_int_equal(stages_open(&s, 1, 1, 1), ST_OK);
    stages_ended(s, job); /* nothing was promised */
    job->times.logged_us = 1000 + 1500000;
    job->promised_us = 1000 + 1000000;
    stages_ended(s, job);
    job->promised_us = 1000 + 2000000;
    stages_ended(s, job);
    stages_ended(s, job);

    stages_add_early(s, &early);
    stages_add_late(s, &late);
    assert_int_equal(late.count, 1);
    assert_int_equal(late.sum, 500);
    assert_int_equal(early.count, 2);
    assert_int_equal(early.sum, 2 * 250);
    assert_int_equal(stages_promises(s).count, 3);
    assert_int_equal(stages_promises(s).wrong_us, 3 * 500000);
    stages_close(&s);
}

/* Goal: a model that comes again goes on counting, and one too many is told. */
static void stages_model_keeps_its_number(void **state)
{
    struct stages *s;

    (void)state;
    assert_int_equal(stages_open(&s, 1, 2, 1), ST_OK);
    assert_int_equal(stages_models(s), 0);
    assert_int_equal(stages_model(s, "a"), 0);
    assert_int_equal(stages_model(s, "b"), 1);
    assert_int_equal(stages_model(s, "a"), 0);
    assert_int_equal(stages_model(s, "c"), -1);
    assert_int_equal(stages_models(s), 2);
    assert_string_equal(stages_model_name(s, 1), "b");
    stages_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_model_keeps_its_number),
        cmocka_unit_test(stages_lie_between_their_borders),
        cmocka_unit_test(a_picture_that_ended_early_has_its_stages_until_then),
        cmocka_unit_test(jobs_are_recorded_by_model_and_outcome),
        cmocka_unit_test(steps_are_stamped_and_recorded_by_their_pictures),
        cmocka_unit_test(promises_are_judged_by_their_share),
    };

    return cmocka_run_group_tests(tests, open_job, close_job);
}
