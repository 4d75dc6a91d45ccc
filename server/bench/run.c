/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/run.h"

#include "base/clock.h"
#include "server/bench/load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PROGRESS_US 1000000

struct run {
    const struct arrivals *arrivals;
    const struct run_options *options;
    struct samples *samples;
    struct clock clock;
    struct load *load;
    size_t next; /* to be sent */
    int64_t start_us, told_us;
    int timer, signals;
    sigset_t mask; /* to be put back */
    bool ended;
};

static enum status open_samples(struct samples *out, const struct arrivals *a)
{
    *out = (struct samples){.warmup_us = a->warmup_us, .end_us = a->end_us, .count = a->count};
    out->of = calloc(a->count, sizeof(*out->of));
    if (!out->of)
        return ST_FULL;
    for (size_t i = 0; i < a->count; i++) {
        struct sample *s = &out->of[i];

        *s = (struct sample){.intended_us = a->of[i].at_us,
                             .sent_us = -1,
                             .ended_us = -1,
                             .kind = a->of[i].kind,
                             .code = -1,
                             .predicted_ms = -1};
        for (int stage = 0; stage < LABELS_MAX; stage++)
            s->stage_ms[stage] = -1;
    }
    return ST_OK;
}

/* Signals become something to be read, so that nothing is ever interrupted half-way. */
static enum status open_fds(struct run *r, struct why *why)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &r->mask);
    r->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->signals < 0 || r->timer < 0)
        return why_fail(why, ST_IO, "no timer: %s", strerror(errno));
    return ST_OK;
}

/* Wake at `at_us` of the run; a moment that has passed wakes at once. */
static void arm(const struct run *r, int64_t at_us)
{
    int64_t us = r->start_us + at_us;
    struct itimerspec when = {.it_value = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}};

    timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int64_t now_of(const struct run *r)
{
    return clock_now_us(&r->clock) - r->start_us;
}

static void expire(struct run *r, int64_t now_us)
{
    static const char word[] = "no connection was free";

    while (r->next < r->arrivals->count &&
           r->arrivals->of[r->next].at_us + r->options->timeout_us <= now_us) {
        struct sample *s = &r->samples->of[r->next++];

        s->fate = FATE_TIMEOUT;
        s->ended_us = s->intended_us + r->options->timeout_us;
        s->code = labels_find(&r->samples->codes, word, sizeof(word) - 1);
    }
}

/* Send what is due, as far as connections reach, and say when to look again. */
static enum status send_due(struct run *r, struct why *why)
{
    const struct arrival *a = r->arrivals->of;
    int64_t now_us = now_of(r);

    expire(r, now_us);
    while (r->next < r->arrivals->count && a[r->next].at_us <= now_us && load_has_room(r->load)) {
        if (load_send(r->load, r->samples, &r->samples->of[r->next], &a[r->next]))
            return why_fail(why, ST_FULL, "out of memory");
        r->next++;
    }
    if (r->next < r->arrivals->count)
        arm(r, a[r->next].at_us + (a[r->next].at_us <= now_us ? r->options->timeout_us : 0));
    return ST_OK;
}

static void tell(struct run *r)
{
    int64_t now_us = now_of(r);

    if (!r->options->progress || now_us < r->told_us + PROGRESS_US)
        return;
    r->told_us = now_us;
    fprintf(stderr, "\r%.0f s of %.0f: %zu of %zu due, %d under way   ", (double)now_us / 1e6,
            (double)r->arrivals->end_us / 1e6, r->next, r->arrivals->count, load_busy(r->load));
}

static enum status send_all(struct run *r, struct why *why)
{
    const int fds[] = {r->timer, r->signals};
    struct signalfd_siginfo signal_info;
    uint64_t times;

    while (r->next < r->arrivals->count || load_busy(r->load)) {
        enum status st = send_due(r, why);

        if (!st)
            st = load_wait(r->load, fds, 2, why);
        if (st)
            return st;
        while (read(r->timer, &times, sizeof(times)) > 0)
            ;
        if (read(r->signals, &signal_info, sizeof(signal_info)) > 0) {
            r->ended = true;
            return ST_OK;
        }
        tell(r);
    }
    return ST_OK;
}

/* What the run would have been, had it been planned as long as it was. */
static void shorten(struct samples *s, size_t next, int64_t now_us)
{
    while (next < s->count && s->of[next].intended_us <= now_us)
        next++; /* due, and waiting for a connection */
    s->count = next;
    if (now_us < s->end_us)
        s->end_us = now_us > s->warmup_us ? now_us : s->warmup_us;
}

enum status run_bench(struct samples *out, const struct arrivals *arrivals, const struct mix *mix,
                      const struct run_options *options, bool *ended, struct why *why)
{
    struct run r = {.arrivals = arrivals, .options = options, .samples = out, .timer = -1};
    struct load_options load = {.url = options->url,
                                .mix = mix,
                                .connections = options->connections,
                                .timeout_us = options->timeout_us};
    enum status st;

    clock_init_real(&r.clock);
    st = open_samples(out, arrivals);
    if (st)
        return why_fail(why, st, "out of memory for %zu samples", arrivals->count);
    st = open_fds(&r, why);
    if (!st)
        st = load_open(&r.load, &load, why);
    if (!st) {
        r.start_us = clock_now_us(&r.clock);
        load_begin(r.load, r.start_us);
        st = send_all(&r, why);
    }
    if (options->progress)
        fprintf(stderr, "\r%*s\r", 70, "");
    if (!st && r.ended)
        shorten(out, r.next, now_of(&r));
    *ended = r.ended;
    load_close(&r.load);
    close(r.timer);
    close(r.signals);
    sigprocmask(SIG_SETMASK, &r.mask, NULL);
    if (st)
        run_close(out);
    return st;
}

void run_close(struct samples *s)
{
    free(s->of);
    *s = (struct samples){0};
}
