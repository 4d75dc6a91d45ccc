/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording.c - what it costs to watch: nanoseconds of everything that is recorded, stamped and
 * logged on the way of a picture, the median of rounds, and what a step, a picture and a request
 * pay in all. Run it with stderr where the log goes: the access log is written for real.
 *
 *     bench_recording 2>/dev/null
 */
#include "base/clock.h"
#include "engine/stages.h"
#include "server/access.h"
#include "server/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS   21
#define PICTURES 8 /* of the large step */

struct bench {
    struct clock clock;
    struct histogram histogram;
    struct stages *stages;
    struct job *job[PICTURES];
    struct http_request request;
    struct answer answer;
    int64_t sink; /* so that nothing is left out */
};

static void read_clock(struct bench *b, int i)
{
    (void)i;
    b->sink += clock_now_us(&b->clock);
}

/* Values that spread over the buckets as times do. */
static void record(struct bench *b, int i)
{
    histogram_record(&b->histogram, (uint64_t)(i * 7919 % 3000000));
}

static void step_one(struct bench *b, int i)
{
    stages_stepped(b->stages, 0, b->job, 1, (struct stages_span){i, i + 40000});
}

static void step_many(struct bench *b, int i)
{
    stages_stepped(b->stages, 0, b->job, PICTURES, (struct stages_span){i, i + 90000});
}

static void end_job(struct bench *b, int i)
{
    b->job[0]->times.ended_us = 1112113 + i % 1000;
    stages_ended(b->stages, b->job[0]);
}

static void take_trace(struct bench *b, int i)
{
    (void)i;
    trace_take(&b->request.trace, NULL, 0);
}

static void tell_timing(struct bench *b, int i)
{
    (void)i;
    answer_text(&b->answer, 200, "image/png", NULL);
    timing_of(&b->answer.timing, b->job, 1);
    timing_write(&b->answer);
}

static void log_access(struct bench *b, int i)
{
    access_log(&(struct access){
        .request = &b->request, .status = 200, .took_us = 812000 + i, .tenant = "default"});
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double measure(struct bench *b, void (*what)(struct bench *b, int i), int count)
{
    double ns[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        int64_t begun = clock_now_us(&b->clock);

        for (int i = 0; i < count; i++)
            what(b, i);
        ns[round] = (double)(clock_now_us(&b->clock) - begun) * 1000 / count;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    return ns[ROUNDS / 2];
}

static bool open_bench(struct bench *b)
{
    clock_init_real(&b->clock);
    for (int i = 0; i < PICTURES; i++) {
        b->job[i] = calloc(1, sizeof(*b->job[i]));
        if (!b->job[i])
            return false;
        b->job[i]->entry.steps = 20;
        b->job[i]->times = (struct job_times){1000,   1001,   1011,   1111,    2111,    12111,
                                              112111, 141111, 146111, 1112111, 1112112, 1112113};
        b->job[i]->promised_us = 1000000;
    }
    b->request.method = (struct http_text){"POST", 4};
    b->request.path = (struct http_text){"/v1/images/generations", 22};
    snprintf(b->request.id, sizeof(b->request.id), "req_0123456789ab00000001");
    return stages_open(&b->stages, 1, 1, PICTURES) == ST_OK;
}

static void close_bench(struct bench *b)
{
    for (int i = 0; i < PICTURES; i++)
        free(b->job[i]);
    stages_close(&b->stages);
}

static void run(struct bench *b)
{
    double clock = measure(b, read_clock, 100000), one = measure(b, record, 100000);
    double step = measure(b, step_one, 100000), steps = measure(b, step_many, 100000);
    double ended = measure(b, end_job, 100000), trace = measure(b, take_trace, 10000);
    double timing = measure(b, tell_timing, 10000), line;

    b->request.timing = b->answer.timing;
    line = measure(b, log_access, 10000);
    printf("a look at the clock            %8.0f ns\n"
           "one value into a histogram     %8.0f\n"
           "a step of 1 picture            %8.0f\n"
           "a step of %d pictures           %8.0f\n"
           "the end of a picture           %8.0f\n"
           "a trace and its ids            %8.0f\n"
           "stages into headers            %8.0f\n"
           "a line of the access log       %8.0f\n",
           clock, one, step, PICTURES, steps, ended, trace, timing, line);
    /* Beside what is there anyway: received, begin and end of a step and of a decode. */
    printf("a picture in all               %8.0f\n"
           "a request in all, of 1 picture %8.0f\n",
           ended + 5 * clock, ended + 6 * clock + trace + timing + line + 2 * one);
}

int main(void)
{
    struct bench b = {.sink = 0};
    bool opened = open_bench(&b);

    if (opened)
        run(&b);
    close_bench(&b);
    return opened && b.sink ? 0 : 1;
}
