/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine with a judge: real turns of a tiny random pipeline, whose pictures are judged beside
 * the next ones. Nothing comes out that he did not allow, and nobody is lost.
 */
#include "base/log.h"
#include "engine/engine.h"
#include "engine/finish.h"
#include "tests/program.h"
#include "tests/unit.h"
#include "tests/verdicts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TINY     "tests/golden/tiny_sd1"
#define JOBS_MAX 32

struct fixture {
    struct verdicts v;
    struct engine *engine;
    struct job_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int returned[JOBS_MAX]; /* by the job's index: how often it came back */
    int all, shown;
    struct job *job[JOBS_MAX];
    int count;
};

/* What steps cost here is measured once. */
static char folder[128], costs[160];

static int open_costs(void **state)
{
    (void)state;
    log_set_level(LOG_OFF);
    snprintf(folder, sizeof(folder), "%s/limner-judged.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(costs, sizeof(costs), "%s/costs.tsv", folder);
    return 0;
}

static int close_costs(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static struct engine_options options_of(const struct verdicts *v)
{
    return (struct engine_options){
        .devices = {.device = {{.threads = 1, .reference = true}}, .count = 1},
        .model_folder = {TINY},
        .model_count = 1,
        .seats_max = 4,
        .queue_max = JOBS_MAX,
        .costs = costs,
        .judge = v->judge};
}

static void job_returned(struct job *job)
{
    struct fixture *f = job->ticket;

    pthread_mutex_lock(&f->lock);
    f->returned[job->owner.index]++;
    f->all++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void previewed(struct job *job, int index, const struct bytes *body)
{
    struct fixture *f = job->ticket;

    (void)index;
    assert_true(body->count > 0);
    pthread_mutex_lock(&f->lock);
    f->shown++;
    pthread_mutex_unlock(&f->lock);
}

static int open_with(void **state, const char *members)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct engine_options options;
    struct why why = {""};

    if (!f || job_pool_open(&f->pool, JOBS_MAX))
        return 1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    verdicts_open(&f->v, members);
    options = options_of(&f->v);
    if (engine_open(&f->engine, &options, &why)) {
        print_error("%s\n", why.text);
        return 1;
    }
    *state = f;
    return 0;
}

static int open_open(void **state)
{
    return open_with(state, VERDICTS_OPEN);
}

static int open_blocking(void **state)
{
    return open_with(state, VERDICTS_ALL("block") VERDICTS_NO_AUDIT);
}

static int close_all(void **state)
{
    struct fixture *f = *state;

    engine_close(&f->engine, 60000);
    for (int i = 0; i < f->count; i++)
        job_put(f->pool, f->job[i]);
    job_pool_close(&f->pool);
    verdicts_close(&f->v);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    free(f);
    return 0;
}

static struct job *submit(struct fixture *f, int steps, int previews)
{
    struct job *job;

    assert_int_equal(job_take(f->pool, &job, 1), ST_OK);
    assert_int_equal(job_set_texts(job, "a red fox", 9, "", 0, NULL), ST_OK);
    job->picture.width = job->picture.height = engine_model_info(f->engine, 0)->size_min;
    job->picture.steps = steps;
    job->picture.guidance = 4;
    job->picture.sampler = SAMPLER_DDIM;
    job->picture.seed = (uint64_t)f->count;
    job->owner.index = f->count;
    job->done = job_returned;
    job->previewed = previewed;
    job->ticket = f;
    atomic_store(&job->previews, previews);
    f->job[f->count++] = job;
    assert_int_equal(engine_submit(f->engine, &job, 1, NULL), ST_OK);
    return job;
}

static void wait_for_all(struct fixture *f)
{
    struct timespec limit;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 600; /* a sanitized build on a busy machine is slow */
    pthread_mutex_lock(&f->lock);
    while (f->all < f->count && !failed)
        failed = pthread_cond_timedwait(&f->changed, &f->lock, &limit);
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(failed, 0);
}

static void assert_back_once(const struct fixture *f)
{
    for (int i = 0; i < f->count; i++) {
        if (f->returned[i] != 1)
            fail_msg("job %d came back %d times", i, f->returned[i]);
    }
}

static struct engine_stats stats_of(const struct fixture *f)
{
    struct engine_stats stats;

    engine_get_stats(f->engine, &stats);
    return stats;
}

static uint64_t judged(const struct fixture *f, enum stages_outcome outcome)
{
    struct histogram h = {.count = 0};

    stages_add(engine_stages(f->engine), 0, outcome, STAGE_JUDGE, &h);
    return h.count;
}

/* ---- outcomes ---- */

static void an_allowed_picture_comes_out_judged(void **state)
{
    struct fixture *f = *state;
    struct store_decision d;

    for (int i = 0; i < 6; i++)
        submit(f, 2 + i % 3, 0);
    wait_for_all(f);

    assert_back_once(f);
    for (int i = 0; i < f->count; i++) {
        const struct job *job = f->job[i];

        assert_int_equal(job->status, ST_OK);
        assert_true(job->judged && job->body.count > 100);
        assert_true(job->times.decoded_us <= job->times.judged_us &&
                    job->times.judged_us <= job->times.encoded_us);
        assert_int_equal(f->v.real->ops->decision_find(f->v.real, job->decision, &d, NULL), ST_OK);
        assert_string_equal(d.pixels_sha256, job->pixels_sha256);
    }
    assert_int_equal(judged(f, OUTCOME_OK), 6);
    assert_int_equal(stats_of(f).withheld, 0);
}

/* Goal: of a picture that is blocked nothing leaves: no bytes, no pixels, no preview. */
static void nothing_of_a_blocked_picture_leaves(void **state)
{
    struct fixture *f = *state;
    struct judge_stats stats;

    for (int i = 0; i < 6; i++)
        submit(f, 8, 3);
    wait_for_all(f);

    assert_back_once(f);
    for (int i = 0; i < f->count; i++) {
        const struct job *job = f->job[i];

        assert_int_equal(job->status, ST_REFUSED);
        assert_int_equal(job->verdict.action, BAND_BLOCK);
        assert_int_equal(atomic_load(&job->state), JOB_FAILED);
        assert_null(job->body.data);
        assert_null(job->image.rgb);
        assert_true(job->decision[0] && job->why.text[0]);
        assert_int_equal(job->times.encoded_us, 0);
    }
    judge_get_stats(f->v.judge, &stats);
    assert_int_equal(f->shown, 0);
    assert_true(stats.previews > 0);
    assert_int_equal(stats.previews, stats.previews_withheld);
    assert_int_equal(stats_of(f).withheld, 6);
    assert_int_equal(stats_of(f).failed, 0);
    assert_int_equal(stats_of(f).finishing, 0);
    assert_int_equal(judged(f, OUTCOME_WITHHELD), 6);
}

static void an_allowed_preview_is_shown(void **state)
{
    struct fixture *f = *state;

    submit(f, 12, 3);
    wait_for_all(f);
    assert_int_equal(f->job[0]->status, ST_OK);
    assert_true(f->shown >= 1);
}

static void a_record_that_fails_sends_nothing(void **state)
{
    struct fixture *f = *state;

    f->v.add = ST_FULL;
    for (int i = 0; i < 3; i++)
        submit(f, 2, 0);
    wait_for_all(f);

    assert_back_once(f);
    for (int i = 0; i < f->count; i++) {
        assert_int_equal(f->job[i]->status, ST_IO);
        assert_null(f->job[i]->body.data);
    }
    assert_int_equal(stats_of(f).failed, 3);
}

/* Goal: when pictures cannot be judged any more, the engine says that it is not well, and whoever
   comes is told so. */
static void classifiers_that_break_are_not_healthy(void **state)
{
    struct fixture *f = *state;
    const struct timespec nap = {.tv_nsec = 2000000};

    assert_true(engine_is_healthy(f->engine));
    verdicts_say(VERDICTS_FAIL);
    submit(f, 2, 0);
    wait_for_all(f);
    assert_int_equal(f->job[0]->status, ST_REFUSED);
    assert_int_equal(f->job[0]->verdict.cause, CAUSE_UNJUDGED);
    while (engine_is_healthy(f->engine))
        nanosleep(&nap, NULL);
    submit(f, 2, 0);
    wait_for_all(f);
    assert_int_equal(f->job[1]->status, ST_DEVICE);
    assert_null(f->job[1]->body.data);
}

/* ---- the last gate ---- */

/* Goal: whatever brings a picture to the encoder, with a judge it needs his word. */
static void the_encoder_takes_nothing_that_nobody_allowed(void **state)
{
    static const struct {
        bool judged;
        enum band action;
        enum status status;
    } cases[] = {
        {false, BAND_ALLOW, ST_REFUSED}, {true, BAND_HOLD, ST_REFUSED},
        {true, BAND_BLOCK, ST_REFUSED},  {false, BAND_BLOCK, ST_REFUSED},
        {true, BAND_ALLOW, ST_OK},       {true, BAND_BLUR, ST_OK},
    };
    struct fixture *f = *state;
    const struct clock clock = {.virtual_us = -1};
    const struct finish finish = {.judge = f->v.judge, .clock = &clock};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct job *job;

        assert_int_equal(job_take(f->pool, &job, 1), ST_OK);
        assert_int_equal(image_open(&job->image, 8, 8), ST_OK);
        job->judged = cases[i].judged;
        job->verdict.action = cases[i].action;
        if (finish_run(job, &finish) != cases[i].status ||
            (job->body.data != NULL) != (cases[i].status == ST_OK) || job->image.rgb)
            fail_msg("case %zu", i);
        job_put(f->pool, job);
    }
}

/* ---- the end ---- */

/* Goal: a stopping engine judges what was made, and hands everybody back once, whenever it stops.
   Method: stop at different times, with time to finish and without. */
static void an_engine_that_stops_loses_nobody(void **state)
{
    struct fixture *f = *state;
    const struct engine_options options = options_of(&f->v);
    struct why why = {""};

    for (int round = 0; round < 6; round++) {
        const struct timespec nap = {.tv_nsec = 5000000L * round * round};

        for (int i = 0; i < 10; i++)
            submit(f, 1 + i % 4, i % 3);
        nanosleep(&nap, NULL);
        engine_close(&f->engine, round % 2 ? 60000 : 0);

        assert_int_equal(f->all, f->count);
        assert_back_once(f);
        for (int i = 0; i < f->count; i++) {
            const struct job *job = f->job[i];

            if (job->status != ST_OK && job->status != ST_CANCELLED)
                fail_msg("round %d, job %d: %s", round, i, job->why.text);
            assert_int_equal(job->status == ST_OK, job->judged && job->body.data);
            job_put(f->pool, f->job[i]);
        }
        f->count = f->all = 0;
        memset(f->returned, 0, sizeof(f->returned));
        if (engine_open(&f->engine, &options, &why))
            fail_msg("%s", why.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_allowed_picture_comes_out_judged, open_open, close_all),
        cmocka_unit_test_setup_teardown(nothing_of_a_blocked_picture_leaves, open_blocking,
                                        close_all),
        cmocka_unit_test_setup_teardown(an_allowed_preview_is_shown, open_open, close_all),
        cmocka_unit_test_setup_teardown(a_record_that_fails_sends_nothing, open_open, close_all),
        cmocka_unit_test_setup_teardown(classifiers_that_break_are_not_healthy, open_open,
                                        close_all),
        cmocka_unit_test_setup_teardown(the_encoder_takes_nothing_that_nobody_allowed, open_open,
                                        close_all),
        cmocka_unit_test_setup_teardown(an_engine_that_stops_loses_nobody, open_open, close_all),
    };

    return cmocka_run_group_tests_name("judged", tests, open_costs, close_costs);
}
