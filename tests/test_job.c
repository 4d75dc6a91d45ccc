/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/job.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static int open_pool(void **state)
{
    return job_pool_open((struct job_pool **)state, 4) != ST_OK;
}

static int close_pool(void **state)
{
    job_pool_close((struct job_pool **)state);
    return 0;
}

static void job_take_gives_all_or_none(void **state)
{
    struct job_pool *pool = *state;
    struct job *first[3], *second[2];

    assert_int_equal(job_take(pool, first, 3), ST_OK);
    assert_int_equal(job_take(pool, second, 2), ST_FULL);
    assert_int_equal(job_take(pool, second, 1), ST_OK);

    for (int i = 0; i < 3; i++)
        job_put(pool, first[i]);
    job_put(pool, second[0]);
}

/* Goal: what one request left in a job never shows in the next one. */
static void job_put_and_take_again_gives_a_clean_job(void **state)
{
    struct job_pool *pool = *state;
    struct job *jobs[4], *again[4];

    assert_int_equal(job_take(pool, jobs, 4), ST_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(job_set_texts(jobs[i], "a cat", 5, "dogs", 4, NULL), ST_OK);
        jobs[i]->status = ST_IO;
        jobs[i]->picture.seed = 7;
        jobs[i]->body = (struct bytes){.data = malloc(8), .count = 8};
        assert_int_equal(image_open(&jobs[i]->image, 4, 4), ST_OK);
        atomic_store(&jobs[i]->cancelled, true);
        atomic_store(&jobs[i]->state, JOB_FAILED);
        job_put(pool, jobs[i]);
    }

    assert_int_equal(job_take(pool, again, 4), ST_OK);

    for (int i = 0; i < 4; i++) {
        assert_string_equal(again[i]->prompt, "");
        assert_string_equal(again[i]->negative, "");
        assert_ptr_equal(again[i]->picture.prompt, again[i]->prompt);
        assert_int_equal(again[i]->status, ST_OK);
        assert_int_equal(again[i]->picture.seed, 0);
        assert_null(again[i]->body.data);
        assert_null(again[i]->image.rgb);
        assert_false(atomic_load(&again[i]->cancelled));
        assert_int_equal(atomic_load(&again[i]->state), JOB_RECEIVED);
        job_put(pool, again[i]);
    }
}

static void job_set_texts_takes_the_longest_prompt_and_no_longer(void **state)
{
    struct job_pool *pool = *state;
    struct job *job;
    struct why why = {{0}};
    char *text = malloc(JOB_PROMPT_BYTES_MAX + 1);

    assert_non_null(text);
    memset(text, 'x', JOB_PROMPT_BYTES_MAX + 1);
    assert_int_equal(job_take(pool, &job, 1), ST_OK);

    assert_int_equal(job_set_texts(job, text, JOB_PROMPT_BYTES_MAX, "", 0, &why), ST_OK);
    assert_int_equal(strlen(job->prompt), JOB_PROMPT_BYTES_MAX);
    assert_int_equal(job_set_texts(job, text, JOB_PROMPT_BYTES_MAX + 1, "", 0, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "128000"));

    job_put(pool, job);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(job_take_gives_all_or_none, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(job_put_and_take_again_gives_a_clean_job, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(job_set_texts_takes_the_longest_prompt_and_no_longer,
                                        open_pool, close_pool),
    };

    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
