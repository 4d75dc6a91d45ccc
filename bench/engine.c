/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.c - is the device busy with pictures, and does one tenant feel another?
 *
 *     bench_engine FOLDER [--device=cpu|cuda|cuda:N] [--threads=N] [--plans=FILE] [--seats=N]
 *                  [--steps=N] [--seconds=N] [--only=busy] [--judge=POLICY [--rounds=N]]
 *
 * Three questions to an engine of 4 seats, or so many, without HTTP:
 *
 *   busy     four clients a seat ask, each for pictures of 10 steps, or so many, and ask again as
 * soon as they are answered: which share of the wall time does the device spend in texts, steps and
 * decodings? And how much of that is not kernels: the same calls on a device whose ops do nothing
 * (hollow). behind   a picture of 4 steps comes when another tenant's 16 pictures of 50 steps wait:
 * how many times as long does it take as alone? beside   one tenant asks for a picture of 4 steps
 * again and again, first alone, then while another has 100 of 150 steps waiting: how does its p95
 * change?
 *
 * The last two are ratios of one run. With a policy, instead of them:
 *
 *   judged   two engines, of which one has a judge with a store of its own, are busy in turn: how
 * much fewer pictures come out with a judge, how much more of the processors does each take (which
 * says it better where others use the machine too), and how long do they wait for him?
 */
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/judge.h"
#include "moderation/vault.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { JOBS_MAX = 256, SEATS_MAX = 32, CLIENTS = 16, ROUNDS = 20, BEHIND_ROUNDS = 6, CROWD = 100 };

struct bench {
    struct engine *engine;
    struct job_pool *pool;
    struct clock clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *back[JOBS_MAX]; /* answered, not yet looked at */
    int back_count;
    uint64_t seed;
    int seats, steps, failed;
};

static void job_back(struct job *job)
{
    struct bench *b = job->ticket;

    pthread_mutex_lock(&b->lock);
    b->back[b->back_count++] = job;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* The next that was answered; its numbers are read before it goes back to the pool. */
static struct job *next_back(struct bench *b)
{
    struct job *job;

    pthread_mutex_lock(&b->lock);
    while (!b->back_count)
        pthread_cond_wait(&b->changed, &b->lock);
    job = b->back[--b->back_count];
    pthread_mutex_unlock(&b->lock);
    b->failed += job->status && job->status != ST_CANCELLED && job->status != ST_REFUSED;
    return job;
}

/* Another picture; the pool and the queue have room for all. */
static struct job *ask(struct bench *b, int tenant, int steps)
{
    const struct model_info *info = engine_model_info(b->engine, 0);
    struct why why = {""};
    struct job *job = NULL;
    char prompt[64];
    int bytes = snprintf(prompt, sizeof(prompt), "number %llu", (unsigned long long)b->seed);

    if (job_take(b->pool, &job, 1) || job_set_texts(job, prompt, (size_t)bytes, "", 0, &why))
        exit(1);
    job->picture.width = job->picture.height = info->size_default;
    job->picture.steps = steps;
    job->picture.guidance = 5;
    job->picture.sampler = info->sampler_default;
    job->picture.seed = b->seed++;
    job->tenant = tenant;
    job->done = job_back;
    job->ticket = b;
    if (engine_submit(b->engine, &job, 1, NULL)) {
        fprintf(stderr, "bench_engine: the engine refuses\n");
        exit(1);
    }
    return job;
}

/* Milliseconds of one picture for itself. */
static double alone_ms(struct bench *b, int tenant, int steps)
{
    int64_t begun = clock_now_us(&b->clock);
    struct job *job = ask(b, tenant, steps), *back;
    double ms = -1;

    do {
        back = next_back(b);
        if (back == job)
            ms = (double)(clock_now_us(&b->clock) - begun) / 1e3;
        job_put(b->pool, back);
    } while (back != job);
    return ms;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(double *values, int count, double q)
{
    qsort(values, (size_t)count, sizeof(*values), by_size);
    return values[(int)(q * (count - 1) + 0.5)];
}

/* --- busy -------------------------------------------------------------------------------- */

static double cpu_s(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

struct rate {
    double per_s, cpu_s; /* pictures a second, and processor time of each */
};

static struct rate bench_busy(struct bench *b, int seconds)
{
    struct engine_stats before, after;
    int64_t begun, took_us;
    int clients = 4 * b->seats, made = 0;
    double cpu;

    for (int i = 0; i < clients; i++)
        ask(b, 0, b->steps);
    cpu = cpu_s();
    engine_get_stats(b->engine, &before);
    begun = clock_now_us(&b->clock);
    do {
        job_put(b->pool, next_back(b));
        ask(b, 0, b->steps);
        made++;
        took_us = clock_now_us(&b->clock) - begun;
    } while (took_us < 1000000LL * seconds);
    engine_get_stats(b->engine, &after);
    cpu = cpu_s() - cpu;
    for (int i = 0; i < clients; i++)
        job_put(b->pool, next_back(b));
    printf("busy\t%.2f pictures/s\t%.2f %% of the time in texts, steps and decodings\t%.0f ms of "
           "the processors a picture\n",
           1e6 * made / (double)took_us,
           100.0 * (double)(after.busy_us - before.busy_us) / (double)took_us, 1e3 * cpu / made);
    return (struct rate){1e6 * made / (double)took_us, cpu / made};
}

/* What of that is not kernels: the same calls on a device whose ops do nothing. */
static void bench_hollow(const struct device_options *options, const char *folder, int seats)
{
    enum { TIMES = 200 };
    struct clock clock;
    struct why why = {""};
    struct device *d = NULL;
    struct model *m = NULL;
    int64_t begun;

    clock_init_real(&clock);
    if (device_open(&d, *options, &why) || model_open(&m, d, folder, &why)) {
        fprintf(stderr, "bench_engine: %s\n", why.text);
        exit(1);
    }
    device_measure_begin(d);
    begun = clock_now_us(&clock);
    for (int i = 0; i < TIMES; i++)
        if (model_rehearse(m, seats, model_info(m)->size_default, model_info(m)->size_default,
                           &why))
            exit(1);
    printf("hollow\t%.3f ms of a text, a step of %d pictures and a decoding are not kernels\n",
           (double)(clock_now_us(&clock) - begun) / 1e3 / TIMES, seats);
    if (device_measure_end(d, &why))
        exit(1);
    model_close(&m);
    device_close(&d);
}

/* --- behind ------------------------------------------------------------------------------ */

/* A small picture of tenant 1 when tenant 0's long ones sit and wait, who are called off behind
   it. Returns how long it took. */
static double behind_ms(struct bench *b)
{
    struct job *crowd[CLIENTS], *back;
    struct engine_stats stats;
    double ms;

    for (int i = 0; i < CLIENTS; i++)
        crowd[i] = ask(b, 0, 50);
    do
        engine_get_stats(b->engine, &stats);
    while (stats.seated < b->seats);
    ms = alone_ms(b, 1, 4);
    for (int i = 0; i < CLIENTS; i++)
        atomic_store(&crowd[i]->cancelled, true);
    for (int i = 0; i < CLIENTS; i++) {
        back = next_back(b);
        job_put(b->pool, back);
    }
    return ms;
}

static void bench_behind(struct bench *b)
{
    double alone[BEHIND_ROUNDS], behind[BEHIND_ROUNDS];

    for (int i = 0; i < BEHIND_ROUNDS; i++) {
        alone[i] = alone_ms(b, 1, 4);
        behind[i] = behind_ms(b);
    }
    double a = quantile(alone, BEHIND_ROUNDS, 0.5), w = quantile(behind, BEHIND_ROUNDS, 0.5);

    printf("behind\t%.1f ms alone\t%.1f ms behind 16 of 50 steps\t%.2f times\n", a, w, w / a);
}

/* --- beside ------------------------------------------------------------------------------ */

static double p95_ms(struct bench *b)
{
    double ms[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        ms[i] = alone_ms(b, 1, 4);
    return quantile(ms, ROUNDS, 0.95);
}

static void bench_beside(struct bench *b)
{
    struct job *crowd[CROWD];
    double alone = p95_ms(b), beside;
    int left = 0;

    for (int i = 0; i < CROWD; i++)
        crowd[i] = ask(b, 0, 150);
    beside = p95_ms(b);
    for (int i = 0; i < CROWD; i++) {
        left += !atomic_load(&crowd[i]->cancelled);
        atomic_store(&crowd[i]->cancelled, true);
    }
    for (int i = 0; i < CROWD; i++)
        job_put(b->pool, next_back(b));
    printf("beside\t%.1f ms p95 alone\t%.1f ms beside 100 of another\t%.2f times\n", alone, beside,
           beside / alone);
}

/* --- judged ------------------------------------------------------------------------------ */

/* A judge as a server has one. */
struct bar {
    char folder[64];
    struct store *store;
    struct vault *vault;
    struct judge *judge;
};

static void open_bar(struct bar *bar, const char *policy)
{
    static const char key[] =
        "bench 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    struct judge_options options = {.weights = "moderation/weights", .policy = policy};
    struct why why = {""};

    snprintf(bar->folder, sizeof(bar->folder), "/tmp/limner-bench.XXXXXX");
    if (!mkdtemp(bar->folder) || store_open(&bar->store, bar->folder, &why) ||
        vault_open_text(&bar->vault, key, &why))
        goto fail;
    options.store = bar->store;
    options.vault = bar->vault;
    if (!judge_open(&bar->judge, &options, &why))
        return;
fail:
    fprintf(stderr, "bench_engine: %s\n", why.text);
    exit(1);
}

static void close_bar(struct bar *bar)
{
    judge_close(&bar->judge);
    vault_close(&bar->vault);
    store_close(&bar->store);
    fprintf(stderr, "the store of this run is left in %s\n", bar->folder);
}

static void bench_judged(struct bench *plain, struct bench *judged, struct judge *judge,
                         int seconds, int rounds)
{
    double ratio[ROUNDS], cost[ROUNDS], sum[2] = {0};
    struct histogram waits = {.count = 0};
    struct judge_stats stats;

    for (int i = 0; i < rounds; i++) {
        struct bench *order[2] = {i % 2 ? judged : plain, i % 2 ? plain : judged};
        struct rate rate[2];

        for (int k = 0; k < 2; k++)
            rate[order[k] == judged] = bench_busy(order[k], seconds);
        ratio[i] = rate[1].per_s / rate[0].per_s;
        cost[i] = rate[1].cpu_s / rate[0].cpu_s;
        sum[0] += rate[0].per_s;
        sum[1] += rate[1].per_s;
    }
    judge_get_stats(judge, &stats);
    stages_add(engine_stages(judged->engine), 0, OUTCOME_OK, STAGE_JUDGE, &waits);
    stages_add(engine_stages(judged->engine), 0, OUTCOME_WITHHELD, STAGE_JUDGE, &waits);
    printf("judged\t%.3f pictures/s without\t%.3f with\t%+.1f %%, median of rounds %+.1f %%\n",
           sum[0] / rounds, sum[1] / rounds, 100 * (sum[1] / sum[0] - 1),
           100 * (quantile(ratio, rounds, 0.5) - 1));
    printf("cost\t%+.1f %% processor time of a picture, median of rounds\n",
           100 * (quantile(cost, rounds, 0.5) - 1));
    printf("judge\t%.1f ms p50\t%.1f ms p95\t%llu pictures in %llu batches\n",
           (double)histogram_quantile(&waits, 0.5) / 1e3,
           (double)histogram_quantile(&waits, 0.95) / 1e3, (unsigned long long)stats.pictures,
           (unsigned long long)stats.batches);
}

/* --- the command line -------------------------------------------------------------------- */

static void open_bench(struct bench *b, const struct devices *devices, const char *folder,
                       struct judge *judge)
{
    const struct engine_options options = {.devices = *devices,
                                           .model_folder = {folder},
                                           .model_count = 1,
                                           .seats_max = b->seats,
                                           .queue_max = JOBS_MAX,
                                           .judge = judge};
    struct why why = {""};

    clock_init_real(&b->clock);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    if (job_pool_open(&b->pool, JOBS_MAX) || engine_open(&b->engine, &options, &why)) {
        fprintf(stderr, "bench_engine: %s\n", why.text);
        exit(1);
    }
}

struct wish {
    struct device_options options;
    const char *folder, *device, *policy;
    int seconds, rounds;
    bool only_busy;
};

static bool read_wish(struct wish *w, struct bench *b, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            w->folder = argv[i];
        else if (!strncmp(argv[i], "--device=", 9))
            w->device = argv[i] + 9;
        else if (!strncmp(argv[i], "--plans=", 8))
            w->options.plans = argv[i] + 8;
        else if (!strncmp(argv[i], "--judge=", 8))
            w->policy = argv[i] + 8;
        else if (!strcmp(argv[i], "--only=busy"))
            w->only_busy = true;
        else if (sscanf(argv[i], "--threads=%d", &w->options.threads) != 1 &&
                 sscanf(argv[i], "--seats=%d", &b->seats) != 1 &&
                 sscanf(argv[i], "--steps=%d", &b->steps) != 1 &&
                 sscanf(argv[i], "--rounds=%d", &w->rounds) != 1 &&
                 sscanf(argv[i], "--seconds=%d", &w->seconds) != 1)
            return false;
    }
    return w->folder && b->seats >= 1 && b->seats <= SEATS_MAX && b->steps >= 1 &&
           w->seconds >= 1 && w->rounds >= 1 && w->rounds <= ROUNDS;
}

static void close_bench(struct bench *b)
{
    engine_close(&b->engine, 60000);
    job_pool_close(&b->pool);
}

static int run_judged(struct bench *plain, const struct devices *devices, const struct wish *w)
{
    static struct bench judged;
    struct bar bar = {.store = NULL};

    judged.seed = plain->seed;
    judged.seats = plain->seats;
    judged.steps = plain->steps;
    open_bar(&bar, w->policy);
    open_bench(&judged, devices, w->folder, bar.judge);
    bench_judged(plain, &judged, bar.judge, w->seconds, w->rounds);
    close_bench(&judged);
    close_bar(&bar);
    return judged.failed > 0;
}

int main(int argc, char **argv)
{
    static struct bench b = {.seed = 1, .seats = 4, .steps = 10};
    struct wish w = {.device = "cpu", .seconds = 20, .rounds = 5};
    int failed = 0;
    struct devices devices;
    struct why why = {""};

    if (!read_wish(&w, &b, argc, argv) || devices_find(&devices, w.device, w.options, &why)) {
        fprintf(stderr,
                "usage: bench_engine FOLDER [--device=cpu|cuda|cuda:N] [--threads=N] "
                "[--plans=FILE] [--seats=1..%d] [--steps=N] [--seconds=N] [--only=busy] "
                "[--judge=POLICY [--rounds=N]]\n%s\n",
                SEATS_MAX, why.text);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_bench(&b, &devices, w.folder, NULL);
    if (w.policy)
        failed = run_judged(&b, &devices, &w);
    else
        bench_busy(&b, w.seconds);
    if (!w.only_busy && !w.policy) {
        bench_hollow(&devices.device[0], w.folder, b.seats);
        bench_behind(&b);
        bench_beside(&b);
    }
    close_bench(&b);
    return failed || b.failed > 0;
}
