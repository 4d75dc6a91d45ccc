/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine with a tiny random pipeline, on one thread of plain C: real turns, real pictures.
 */
#include "base/clock.h"
#include "engine/engine.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TINY     "tests/golden/tiny_sd1"
#define JOBS_MAX 16

/* Whoever waits for jobs: counts how often each came back. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int returned;
};

struct fixture {
    struct engine *engine;
    struct job_pool *pool;
    struct waiter waiter;
};

static void job_returned(struct job *job)
{
    struct waiter *w = job->ticket;

    pthread_mutex_lock(&w->lock);
    w->returned++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for(struct waiter *w, int count)
{
    struct timespec limit;
    int failed = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 120;
    pthread_mutex_lock(&w->lock);
    while (w->returned < count && !failed)
        failed = pthread_cond_timedwait(&w->changed, &w->lock, &limit);
    pthread_mutex_unlock(&w->lock); /* first: an engine that is closed still hands jobs back */
    assert_int_equal(failed, 0);
}

static int open_with(void **state, int seats, int queue, int tile)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct engine_options options = {
        .devices = {.device = {{.threads = 1, .reference = true}}, .count = 1},
        .model_folder = {TINY},
        .model_count = 1,
        .seats_max = seats,
        .queue_max = queue,
        .vae_tile = tile};
    struct why why = {{0}};

    if (!f || job_pool_open(&f->pool, JOBS_MAX))
        return 1;
    pthread_mutex_init(&f->waiter.lock, NULL);
    pthread_cond_init(&f->waiter.changed, NULL);
    if (engine_open(&f->engine, &options, &why)) {
        print_error("%s\n", why.text);
        return 1;
    }
    *state = f;
    return 0;
}

static int open_four_seats(void **state)
{
    return open_with(state, 4, 8, 0);
}

static int open_one_seat(void **state)
{
    return open_with(state, 1, 2, 0);
}

static int open_tiled(void **state, int tile)
{
    return open_with(state, 1, 2, tile);
}

static int close_all(void **state)
{
    struct fixture *f = *state;

    engine_close(&f->engine, 60000);
    job_pool_close(&f->pool);
    pthread_mutex_destroy(&f->waiter.lock);
    pthread_cond_destroy(&f->waiter.changed);
    free(f);
    return 0;
}

static struct job *new_job(struct fixture *f, uint64_t seed, int steps)
{
    const struct model_info *info = engine_model_info(f->engine, 0);
    struct why why = {{0}};
    struct job *job;

    assert_int_equal(job_take(f->pool, &job, 1), ST_OK);
    assert_int_equal(job_set_texts(job, "a red fox", 9, "", 0, &why), ST_OK);
    job->picture.width = job->picture.height = info->size_min; /* a sanitizer has time for that */
    job->picture.steps = steps;
    job->picture.guidance = 4;
    job->picture.sampler = SAMPLER_DDIM;
    job->picture.seed = seed;
    job->done = job_returned;
    job->ticket = &f->waiter;
    assert_int_equal(engine_check(f->engine, 0, &job->picture, &why), ST_OK);
    return job;
}

static void assert_times_rise(const struct job_times *t)
{
    const int64_t border[] = {t->received_us,   t->admitted_us,  t->seated_us,  t->text_us,
                              t->first_step_us, t->last_step_us, t->decoded_us, t->judged_us,
                              t->marked_us,     t->encoded_us,   t->logged_us,  t->ended_us};

    for (size_t i = 1; i < sizeof(border) / sizeof(border[0]); i++) {
        if (border[i] < border[i - 1] || border[i - 1] == 0)
            fail_msg("border %zu is at %lld, and the one before at %lld", i, (long long)border[i],
                     (long long)border[i - 1]);
    }
}

/* Everything that this engine has recorded of its one model's pictures with an outcome. */
static uint64_t recorded(const struct fixture *f, enum stages_outcome outcome, int stage)
{
    struct histogram h = {.count = 0};

    if (stage < STAGE_COUNT)
        stages_add(engine_stages(f->engine), 0, outcome, (enum stage)stage, &h);
    else
        stages_add_pictures(engine_stages(f->engine), 0, outcome, &h);
    return h.count;
}

static void a_job_comes_back_with_its_picture_and_times(void **state)
{
    struct fixture *f = *state;
    struct job *job = new_job(f, 1, 3);
    static const uint8_t png[] = {0x89, 'P', 'N', 'G'};
    struct histogram steps = {.count = 0};
    struct engine_stats stats;

    assert_int_equal(engine_submit(f->engine, &job, 1, NULL), ST_OK);
    wait_for(&f->waiter, 1);

    assert_int_equal(job->status, ST_OK);
    assert_int_equal(atomic_load(&job->state), JOB_DONE);
    assert_int_equal(atomic_load(&job->step), 3);
    assert_true(job->body.count > sizeof(png));
    assert_memory_equal(job->body.data, png, sizeof(png));
    assert_times_rise(&job->times);
    engine_get_stats(f->engine, &stats);
    assert_int_equal(stats.done, 1);
    assert_int_equal(stats.steps, 3);
    assert_int_equal(stats.seats, 4);
    for (int stage = 0; stage <= STAGE_COUNT; stage++)
        assert_int_equal(recorded(f, OUTCOME_OK, stage), 1);
    stages_add_steps(engine_stages(f->engine), 0, 1, &steps);
    assert_int_equal(steps.count, 3);
    job_put(f->pool, job);
}

/* Goal: a picture depends on its request, never on who shared the batch.
   Method: eight different pictures, alone one after another, then all at once over four seats, so
   that they join and leave in the middle of each other; the files must be the same bytes. */
static void a_picture_is_the_same_alone_and_in_company(void **state)
{
    struct fixture *f = *state;
    struct job *alone[8], *together[8];

    for (int i = 0; i < 8; i++) {
        struct job **set[2] = {alone, together};

        for (int s = 0; s < 2; s++) {
            set[s][i] = new_job(f, (uint64_t)i, 2 + i % 4);
            set[s][i]->picture.sampler = i % SAMPLER_COUNT;
            set[s][i]->picture.guidance = i % 3 ? 3.0 + i : 1.0;
            if (i == 5)
                set[s][i]->picture.width *= 2;
        }
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(engine_submit(f->engine, &alone[i], 1, NULL), ST_OK);
        wait_for(&f->waiter, i + 1);
    }
    assert_int_equal(engine_submit(f->engine, together, 8, NULL), ST_OK);
    wait_for(&f->waiter, 16);

    for (int i = 0; i < 8; i++) {
        assert_int_equal(alone[i]->status, ST_OK);
        assert_int_equal(together[i]->status, ST_OK);
        assert_int_equal(alone[i]->body.count, together[i]->body.count);
        assert_memory_equal(alone[i]->body.data, together[i]->body.data, alone[i]->body.count);
        job_put(f->pool, alone[i]);
        job_put(f->pool, together[i]);
    }
}

/* What came of a job's previews: one byte each that says its number. */
struct shown {
    int count, index[JOB_PREVIEWS_MAX], returned_before;
    size_t bytes;
};

static struct shown shown;

static void previewed(struct job *job, int index, const struct bytes *body)
{
    struct waiter *w = job->ticket;

    assert_true(shown.count < JOB_PREVIEWS_MAX);
    pthread_mutex_lock(&w->lock);
    shown.index[shown.count++] = index;
    shown.bytes += body->count;
    shown.returned_before += w->returned;
    pthread_mutex_unlock(&w->lock);
}

/* Goal: previews come in order and before the picture, which they do not change. */
static void previews_come_first_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct job *plain = new_job(f, 5, 8), *watched = new_job(f, 5, 8);

    shown = (struct shown){.count = 0};
    watched->previews = 3;
    watched->previewed = previewed;
    assert_int_equal(engine_submit(f->engine, &watched, 1, NULL), ST_OK);
    wait_for(&f->waiter, 1);
    assert_int_equal(watched->status, ST_OK);
    assert_true(shown.count >= 1 && shown.bytes > 100);
    assert_int_equal(shown.returned_before, 0);
    for (int i = 1; i < shown.count; i++)
        assert_true(shown.index[i] > shown.index[i - 1] && shown.index[i] < 3);
    assert_int_equal(engine_submit(f->engine, &plain, 1, NULL), ST_OK);
    wait_for(&f->waiter, 2);
    assert_string_equal(plain->pixels_sha256, watched->pixels_sha256);
    job_put(f->pool, plain);
    job_put(f->pool, watched);
}

/* Goal: previews may be asked for when the picture is under way; until then none is made. */
static void previews_may_be_wanted_later(void **state)
{
    struct fixture *f = *state;
    struct job *job = new_job(f, 5, 60);
    const struct timespec nap = {.tv_nsec = 1000000};

    shown = (struct shown){.count = 0};
    job->previewed = previewed;
    assert_int_equal(engine_submit(f->engine, &job, 1, NULL), ST_OK);
    while (atomic_load(&job->step) < 41)
        nanosleep(&nap, NULL);
    assert_int_equal(shown.count, 0);
    atomic_store(&job->previews, 2);
    wait_for(&f->waiter, 1);
    assert_int_equal(job->status, ST_OK);
    assert_int_equal(shown.count, 1);
    assert_int_equal(shown.index[0], 1);
    job_put(f->pool, job);
}

/* Goal: whoever goes while a preview is on its way is handed back once. */
static void a_cancelled_preview_comes_back_once(void **state)
{
    struct fixture *f = *state;
    const struct timespec nap = {.tv_nsec = 3000000};

    for (int round = 0; round < 6; round++) {
        struct job *job = new_job(f, 5, 8);

        shown = (struct shown){.count = 0};
        job->previews = 3;
        job->previewed = previewed;
        assert_int_equal(engine_submit(f->engine, &job, 1, NULL), ST_OK);
        for (int i = 0; i < round * 8; i++)
            nanosleep(&nap, NULL);
        atomic_store(&job->cancelled, true);
        wait_for(&f->waiter, round + 1);
        assert_int_equal(f->waiter.returned, round + 1);
        job_put(f->pool, job);
    }
}

static void a_full_queue_takes_none_of_a_request(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[6];
    struct engine_stats stats;
    const struct timespec nap = {.tv_nsec = 2000000};

    for (int i = 0; i < 6; i++)
        jobs[i] = new_job(f, (uint64_t)i, 50);
    assert_int_equal(engine_submit(f->engine, jobs, 1, NULL), ST_OK);
    do {
        nanosleep(&nap, NULL);
        engine_get_stats(f->engine, &stats);
    } while (!stats.seated);

    assert_int_equal(engine_submit(f->engine, jobs + 1, 3, NULL), ST_FULL);
    assert_int_equal(engine_submit(f->engine, jobs + 1, 2, NULL), ST_OK);
    assert_int_equal(engine_submit(f->engine, jobs + 3, 1, NULL), ST_FULL);
    engine_get_stats(f->engine, &stats);
    assert_int_equal(stats.refused[ENGINE_FULL], 2);
    assert_int_equal(stats.waiting, 2);
    assert_true(stats.oldest_us > 0);

    for (int i = 0; i < 3; i++)
        atomic_store(&jobs[i]->cancelled, true);
    wait_for(&f->waiter, 3);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(jobs[i]->status, i < 3 ? ST_CANCELLED : ST_OK);
        assert_null(jobs[i]->body.data);
        job_put(f->pool, jobs[i]);
    }
}

/* Goal: what waits to be encoded takes room too, and its room comes back.
   Method: a done callback that does not return holds the only finish thread; then no more jobs are
   taken than the engine can own, however fast it makes them. */
static void pictures_that_wait_to_be_finished_count_as_taken(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[10];
    int taken = 0;
    struct engine_stats stats;
    const struct timespec nap = {.tv_nsec = 2000000};

    pthread_mutex_lock(&f->waiter.lock); /* job_returned waits here */
    for (int tries = 0; tries < 1000 && taken < 10; tries++) {
        struct job *job = new_job(f, 1, 1);

        if (engine_submit(f->engine, &job, 1, NULL) == ST_OK)
            jobs[taken++] = job;
        else
            job_put(f->pool, job);
        nanosleep(&nap, NULL);
    }
    engine_get_stats(f->engine, &stats);
    pthread_mutex_unlock(&f->waiter.lock);

    /* at most one is handed back and held in its callback, per finish thread; four are owned: two
       wait, one sits, one more could */
    assert_in_range(stats.done, 0, 2);
    assert_in_range(taken, 1, 4 + 2);
    wait_for(&f->waiter, taken);
    for (int i = 0; i < taken; i++) {
        assert_int_equal(jobs[i]->status, ST_OK);
        job_put(f->pool, jobs[i]);
    }
}

static int64_t now_us(void)
{
    struct clock clock;

    clock_init_real(&clock);
    return clock_now_us(&clock);
}

/* Goal: from the first request on, what cannot be in time is refused at once, and told when it
   would be; what can be is taken, and is in time. */
static void a_deadline_that_cannot_be_met_is_refused(void **state)
{
    struct fixture *f = *state;
    struct job *job = new_job(f, 2, 10);
    struct engine_stats stats;
    int64_t finish_us = -1;

    job->deadline_us = now_us() + 2000;
    assert_int_equal(engine_submit(f->engine, &job, 1, &finish_us), ST_LATE);
    assert_true(finish_us > job->deadline_us);
    job->deadline_us = now_us() + 600000000;
    assert_int_equal(engine_submit(f->engine, &job, 1, &finish_us), ST_OK);
    assert_true(finish_us > 0 && finish_us < job->deadline_us);
    wait_for(&f->waiter, 1);

    assert_int_equal(job->status, ST_OK);
    engine_get_stats(f->engine, &stats);
    assert_int_equal(stats.refused[ENGINE_DEADLINE], 1);
    assert_int_equal(stats.promises.count, 1);
    job_put(f->pool, job);
}

/* Goal: who cannot be in time any more, because others came who weigh more, frees the place at
   once; nobody else's picture ends for it. */
static void a_deadline_that_passes_frees_the_place(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[5];
    struct engine_stats stats;
    int64_t begun, alone_us;

    for (int i = 0; i < 5; i++) {
        jobs[i] = new_job(f, (uint64_t)i, 20);
        jobs[i]->tenant = i >= 2;
        jobs[i]->weight = i < 2 ? 1 : 50;
    }
    begun = now_us();
    assert_int_equal(engine_submit(f->engine, jobs, 1, &alone_us), ST_OK);
    alone_us -= begun;
    atomic_store(&jobs[0]->cancelled, true);
    wait_for(&f->waiter, 1);

    jobs[1]->deadline_us = now_us() + alone_us + alone_us / 2; /* of four times that */
    assert_int_equal(engine_submit(f->engine, jobs + 1, 1, NULL), ST_OK);
    assert_int_equal(engine_submit(f->engine, jobs + 2, 3, NULL), ST_OK);
    wait_for(&f->waiter, 5);

    assert_int_equal(jobs[0]->status, ST_CANCELLED);
    assert_int_equal(jobs[1]->status, ST_LATE);
    for (int i = 2; i < 5; i++)
        assert_int_equal(jobs[i]->status, ST_OK);
    for (int i = 0; i < 5; i++)
        job_put(f->pool, jobs[i]);
    engine_get_stats(f->engine, &stats);
    assert_int_equal(stats.late, 1);
    assert_int_equal(recorded(f, OUTCOME_LATE, STAGE_COUNT), 1);
    assert_int_equal(recorded(f, OUTCOME_LATE, STAGE_QUEUE), 1);
    assert_int_equal(recorded(f, OUTCOME_LATE, STAGE_DECODE), 0);
    assert_int_equal(recorded(f, OUTCOME_OK, STAGE_DECODE), 3);
}

/* Goal: a picture of few steps is not held up by another tenant's long ones: it is finished before
   any of them, although they came first and fill the batch. */
static void a_small_tenant_passes_a_large_one(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[7];
    struct engine_stats stats;
    const struct timespec nap = {.tv_nsec = 2000000};

    for (int i = 0; i < 7; i++) {
        jobs[i] = new_job(f, (uint64_t)i, i < 6 ? 20 : 4);
        jobs[i]->tenant = i == 6;
    }
    assert_int_equal(engine_submit(f->engine, jobs, 6, NULL), ST_OK);
    do {
        nanosleep(&nap, NULL);
        engine_get_stats(f->engine, &stats);
    } while (stats.steps < 4);
    assert_int_equal(engine_submit(f->engine, jobs + 6, 1, NULL), ST_OK);
    wait_for(&f->waiter, 7);

    for (int i = 0; i < 7; i++) {
        assert_int_equal(jobs[i]->status, ST_OK);
        assert_true(i == 6 || jobs[i]->times.last_step_us > jobs[6]->times.last_step_us);
        job_put(f->pool, jobs[i]);
    }
}

/* Goal: closing hands back every job exactly once, whether it sat or waited. */
static void closing_hands_back_who_sits_and_who_waits(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[3];

    for (int i = 0; i < 3; i++)
        jobs[i] = new_job(f, (uint64_t)i, 150);
    assert_int_equal(engine_submit(f->engine, jobs, 2, NULL), ST_OK);

    engine_close(&f->engine, 0);

    assert_int_equal(f->waiter.returned, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(jobs[i]->status, ST_CANCELLED);
        assert_string_equal(jobs[i]->why.text, "the server is shutting down");
    }
    for (int i = 0; i < 3; i++)
        job_put(f->pool, jobs[i]);
}

static void closing_with_time_finishes_what_was_taken(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[2] = {new_job(f, 1, 4), new_job(f, 2, 4)};

    assert_int_equal(engine_submit(f->engine, jobs, 2, NULL), ST_OK);

    engine_close(&f->engine, 60000);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(jobs[i]->status, ST_OK);
        job_put(f->pool, jobs[i]);
    }
}

static void engine_open_says_which_option_is_wrong(void **state)
{
    struct engine_options options = {
        .model_folder = {TINY, TINY},
        .model_count = 2,
        .devices = {.device = {{.threads = 1, .reference = true}}, .count = 1}};
    struct engine *engine;
    struct why why = {{0}};
    (void)state;

    assert_int_equal(engine_open(&engine, &options, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "tiny_sd1"));
    options.model_count = 0;
    assert_int_equal(engine_open(&engine, &options, &why), ST_INVALID);
    options.model_count = 1;
    options.seats_max = 1000;
    assert_int_equal(engine_open(&engine, &options, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "1000"));
    options.seats_max = 1;
    options.vae_tile = 10;
    assert_int_equal(engine_open(&engine, &options, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "multiple of 4"));
    options.vae_tile = 0;
    options.model_folder[0] = "tests/golden/nowhere";
    assert_int_not_equal(engine_open(&engine, &options, &why), ST_OK);
    assert_non_null(strstr(why.text, "nowhere"));
    assert_null(engine);
}

/* Goal: an operator who asks for tiles reads that they are there, and gets other pixels of the same
   picture where it is larger than a tile, the same bytes where it is not. */
static void vae_tile_is_told_and_used(void **state)
{
    struct fixture *f[2];
    struct job *job[2][2];
    char text[256];
    (void)state;

    for (int i = 0; i < 2; i++) {
        void *opened = NULL;

        assert_int_equal(open_tiled(&opened, 8 * i), 0);
        f[i] = opened;
        engine_describe(f[i]->engine, text, sizeof(text));
        assert_true(!!strstr(text, "tiny_sd1 decodes in tiles of 8 latents") == (i == 1));
        for (int j = 0; j < 2; j++) {
            job[i][j] = new_job(f[i], 3, 2);
            if (j == 1)
                job[i][j]->picture.width = job[i][j]->picture.height = 128;
            assert_int_equal(engine_submit(f[i]->engine, &job[i][j], 1, NULL), ST_OK);
            wait_for(&f[i]->waiter, j + 1);
            assert_int_equal(job[i][j]->status, ST_OK);
        }
    }
    assert_int_equal(job[0][0]->body.count, job[1][0]->body.count);
    assert_memory_equal(job[0][0]->body.data, job[1][0]->body.data, job[0][0]->body.count);
    assert_true(job[0][1]->body.count != job[1][1]->body.count ||
                memcmp(job[0][1]->body.data, job[1][1]->body.data, job[0][1]->body.count));
    for (int i = 0; i < 2; i++) {
        void *opened = f[i];

        for (int j = 0; j < 2; j++)
            job_put(f[i]->pool, job[i][j]);
        close_all(&opened);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_comes_back_with_its_picture_and_times,
                                        open_four_seats, close_all),
        cmocka_unit_test_setup_teardown(a_picture_is_the_same_alone_and_in_company, open_four_seats,
                                        close_all),
        cmocka_unit_test_setup_teardown(previews_come_first_and_change_nothing, open_four_seats,
                                        close_all),
        cmocka_unit_test_setup_teardown(previews_may_be_wanted_later, open_four_seats, close_all),
        cmocka_unit_test_setup_teardown(a_cancelled_preview_comes_back_once, open_four_seats,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_full_queue_takes_none_of_a_request, open_one_seat,
                                        close_all),
        cmocka_unit_test_setup_teardown(pictures_that_wait_to_be_finished_count_as_taken,
                                        open_one_seat, close_all),
        cmocka_unit_test_setup_teardown(a_deadline_that_cannot_be_met_is_refused, open_one_seat,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_deadline_that_passes_frees_the_place, open_four_seats,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_small_tenant_passes_a_large_one, open_four_seats,
                                        close_all),
        cmocka_unit_test_setup_teardown(closing_hands_back_who_sits_and_who_waits, open_one_seat,
                                        close_all),
        cmocka_unit_test_setup_teardown(closing_with_time_finishes_what_was_taken, open_one_seat,
                                        close_all),
        cmocka_unit_test(vae_tile_is_told_and_used),
        cmocka_unit_test(engine_open_says_which_option_is_wrong),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
