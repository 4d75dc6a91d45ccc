/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stages.h"
#include "server/answer.h"
#include "server/timing.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static const char *header(const struct answer *a, const char *name)
{
    for (int i = 0; i < a->header_count; i++) {
        if (!strcmp(a->header[i].name, name))
            return a->header_text + a->header[i].value_at;
    }
    return NULL;
}

static int open_jobs(void **state)
{
    *state = calloc(2, sizeof(struct job));
    return !*state;
}

static int close_jobs(void **state)
{
    free(*state);
    return 0;
}

static struct job_times times(int64_t text_us)
{
    return (struct job_times){.received_us = 1000,
                              .admitted_us = 1200,
                              .seated_us = 4200,
                              .text_us = 4200 + text_us,
                              .first_step_us = 90000,
                              .last_step_us = 190000,
                              .decoded_us = 200000,
                              .judged_us = 204000,
                              .marked_us = 205000,
                              .encoded_us = 210000 + text_us,
                              .logged_us = 210500 + text_us,
                              .ended_us = 220000};
}

static void an_answer_tells_the_longest_of_each_stage(void **state)
{
    struct job *all = *state, *jobs[2] = {&all[0], &all[1]};
    struct answer a;

    jobs[0]->times = times(5000);
    jobs[1]->times = times(60000);
    jobs[1]->batch_most = 2;
    jobs[0]->promised_us = jobs[1]->promised_us = 1000 + 123456;
    answer_json(&a);
    timing_of(&a.timing, jobs, 2);
    timing_write(&a);

    assert_string_equal(header(&a, "server-timing"),
                        "admit;dur=0.2, queue;dur=3.0, text;dur=60.0, wait;dur=80.8, "
                        "denoise;dur=100.0, decode;dur=10.0, judge;dur=4.0, mark;dur=1.0, "
                        "encode;dur=65.0, log;dur=0.5");
    assert_string_equal(header(&a, "x-limner-predicted-ms"), "123");
    assert_string_equal(header(&a, "x-limner-batch"), "2");
    assert_true(a.timing.told);
    assert_int_equal(a.timing.logged_us, 270500);
}

/* Goal: what a failed picture never came to is not told, and its request never counts as ready.
 */
static void a_failure_tells_the_stages_it_came_to(void **state)
{
    struct job *all = *state, *jobs[2] = {&all[0], &all[1]};
    struct answer a;

    for (int i = 0; i < 2; i++) {
        jobs[i]->promised_us = jobs[i]->batch_most = 0;
        jobs[i]->status = ST_LATE;
        jobs[i]->times = (struct job_times){
            .received_us = 1000, .admitted_us = 2000, .ended_us = 12000 + 1000 * i};
    }
    answer_json(&a);
    timing_of(&a.timing, jobs, 2);
    timing_write(&a);

    assert_string_equal(header(&a, "server-timing"), "admit;dur=1.0, queue;dur=11.0");
    assert_null(header(&a, "x-limner-predicted-ms"));
    assert_null(header(&a, "x-limner-batch"));
    assert_int_equal(a.timing.logged_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_tells_the_longest_of_each_stage),
        cmocka_unit_test(a_failure_tells_the_stages_it_came_to),
    };

    return cmocka_run_group_tests(tests, open_jobs, close_jobs);
}
