/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server. The network opens first, so that health checks are answered while a big
 * model loads on a thread of its own; the main thread waits for signals. To stop: refuse new work
 * and close the door, let what is under way finish, up to a limit, then end the engine (which
 * answers the rest), the network, and the pools. A second signal ends the waiting at once.
 *
 * The main thread is also the one that may wait for a disk: twice a second it looks whether
 * somebody made or revoked a key, and SIGHUP makes it read the tenants, their limits and the
 * policies again, and load other models beside those that serve (loader.h). Requests under way keep
 * what they were granted, and their models.
 */
#include "base/log.h"
#include "base/sign.h"
#include "server/addresses.h"
#include "server/api_dashboard.h"
#include "server/auth.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/desk.h"
#include "server/detector.h"
#include "server/generation.h"
#include "server/grants.h"
#include "server/history.h"
#include "server/judging.h"
#include "server/keeper.h"
#include "server/listen.h"
#include "server/loader.h"
#include "server/logbook.h"
#include "server/marks.h"
#include "server/matter.h"
#include "server/restart.h"
#include "server/routes.h"
#include "server/sole.h"
#include "server/webhook.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PENDING_MAX  (256 << 20) /* ten large pictures in base64 that a client has not taken yet */
#define LOOK_MS      100
#define HEALTH_LOOKS 50   /* between two looks at the GPUs: 5 s */
#define KEY_LOOKS    5    /* between two looks at the store: 0.5 s */
#define USAGE_LOOKS  10   /* between two notes of what was used: what a crash may forget */
#define FLUSH_MS     2000 /* for answers to leave after the last one was written */
#define ERRANDS_MAX  512  /* requests about jobs at the same time, those who listen included */
#define CALLS_MAX    512  /* what waits for the desk */
#define MATTERS_MAX  256  /* requests about decisions among them */
#define JOBS_SPARE   16   /* pictures that are being encoded, or whose answer is on its way */

struct server {
    struct config config;
    int arg_count; /* what it was read from, to be read again */
    char **args;
    struct service service;
    int sole; /* the hold on the state folder */
    struct judging judging;
    struct marks marks;
    struct store *store;
    bool store_failed;         /* as it was said already */
    struct store_usage *usage; /* room for STORE_USAGE_MAX */
    struct loader loader;
    bool serves, failed; /* the first models are there, or cannot be had */
};

/* ---- start ---- */

static enum status open_http(struct server *s, int jobs_max, struct why *why)
{
    struct http_options options = {
        .listener_count = 2,
        .listener[ROUTES_METRICS].until_end = true,
        .io_threads = s->config.io_threads,
        .connections_max = s->config.connections,
        .tickets_max =
            jobs_max + ERRANDS_MAX + MATTERS_MAX + LOGBOOK_QUESTIONS + DETECTOR_WAITING + 1,
        .body_max = (size_t)s->config.body_max,
        .pending_max = PENDING_MAX,
        .handle = routes_handle,
        .refuse = routes_refuse,
        .decorate = routes_decorate,
        .answered = routes_answered,
        .context = &s->service,
    };
    const char *const addresses[] = {s->config.listen, s->config.metrics};

    for (int i = 0; i < options.listener_count; i++) {
        enum status st = listen_parse(options.listener[i].host, sizeof(options.listener[i].host),
                                      &options.listener[i].port, addresses[i], why);

        if (st)
            return st;
    }
    return http_open(&s->service.http, &options, why);
}

/* ---- who may ask ---- */

/* Whoever is let in without a key is on this machine. */
static enum status check_reach(struct server *s, struct why *why)
{
    struct service *service = &s->service;
    const char *const addresses[] = {s->config.listen, s->config.metrics};
    bool near[2];

    for (int i = 0; i < 2; i++) {
        char host[64];
        int port;
        enum status st = listen_parse(host, sizeof(host), &port, addresses[i], why);

        if (st)
            return st;
        near[i] = listen_is_loopback(host);
    }
    service->metrics_open = s->config.metrics_auth == CONFIG_ACCESS_OPEN ||
                            (s->config.metrics_auth == CONFIG_ACCESS_AUTO && near[1]);
    if (auth_count(service->auth))
        return ST_OK;
    if (!near[0])
        return why_fail(why, ST_REFUSED,
                        "no key was made yet, and other machines can reach %s: make one first "
                        "(limner key create --state %s), or listen on 127.0.0.1",
                        s->config.listen, s->config.state);
    log_warn("no_key", "no key was made yet: whoever is on this machine may ask without one");
    return ST_OK;
}

/* What tenants had of this day before the last start. */
static enum status restore_usage(struct server *s, struct why *why)
{
    int64_t today = service_time(&s->service).unix_s / (24 * 3600);
    enum status st;
    int count;

    s->usage = calloc(STORE_USAGE_MAX, sizeof(*s->usage));
    if (!s->usage)
        return why_fail(why, ST_FULL, "no memory for what tenants have used");
    st = s->store->ops->usage_list(s->store, today, s->usage, &count, why);
    for (int i = 0; i < count && !st; i++)
        tenant_restore(s->service.tenants, &s->usage[i]);
    return st;
}

static enum status open_keys(struct server *s, struct why *why)
{
    struct service *service = &s->service;
    bool changed;
    enum status st = sole_take(&s->sole, s->config.state, why);

    if (!st)
        st = store_open(&s->store, s->config.state, why);
    if (st)
        return st;
    if (tenant_open(&service->tenants) ||
        tenant_configure(service->tenants, &s->config.others, s->config.tenant,
                         s->config.tenant_count) ||
        auth_open(&service->auth, service->tenants))
        return why_fail(why, ST_FULL, "no memory for keys and tenants");
    st = restore_usage(s, why);
    if (!st)
        st = auth_load(service->auth, s->store, &changed, why);
    return st ? st : check_reach(s, why);
}

/* A store that fails is told once, and what is known goes on. */
static void note_store(struct server *s, enum status st, const struct why *why)
{
    if (st && !s->store_failed)
        log_error("store", "%s", why->text);
    s->store_failed = st != ST_OK;
}

static void save_usage(struct server *s)
{
    int count = tenant_changes(s->service.tenants, s->usage, STORE_USAGE_MAX);
    struct why why = {""};

    if (count)
        note_store(s, s->store->ops->usage_put(s->store, s->usage, count, &why), &why);
}

/* What somebody else wrote into the store. */
static void look_at_keys(struct server *s)
{
    int before = auth_count(s->service.auth);
    struct why why = {""};
    bool changed;

    note_store(s, auth_load(s->service.auth, s->store, &changed, &why), &why);
    note_store(s, grants_load(s->service.grants, s->store, &why), &why);
    if (!changed)
        return;
    log_info("keys", "count=%d%s", auth_count(s->service.auth),
             before ? "" : ": from now on every request needs one");
}

static void set_limits(struct service *s, const struct config *c)
{
    atomic_store(&s->images_max, c->images_max);
    atomic_store(&s->steps_max, c->steps_max);
    atomic_store(&s->prompt_max, c->prompt_max);
}

/* The tenants of a configuration that was read again take the place of those before. */
static enum status take_tenants(struct server *s, const struct config *fresh, struct why *why)
{
    if (tenant_configure(s->service.tenants, &fresh->others, fresh->tenant, fresh->tenant_count))
        return why_fail(why, ST_FULL, "more than %d tenants were known since the start",
                        TENANT_MAX);
    s->config.others = fresh->others;
    memcpy(s->config.tenant, fresh->tenant, sizeof(fresh->tenant));
    s->config.tenant_count = fresh->tenant_count;
    return ST_OK;
}

static void reload(struct server *s)
{
    struct config fresh;
    struct why why = {""};
    char other[512];
    enum status st = config_read(&fresh, s->arg_count, s->args, &why);

    if (!st)
        st = config_add_shipped(&fresh, &why);
    if (!st)
        st = take_tenants(s, &fresh, &why);
    if (st) {
        log_error("not_reloaded", "%s: everything is as it was", why.text);
    } else {
        set_limits(&s->service, &fresh);
        judging_reload(&s->service, &fresh);
        addresses_reload(&s->service, &fresh);
        loader_change(&s->loader, &fresh);
        log_info("reloaded", "tenants=%d", fresh.tenant_count);
        config_compare(&s->config, &fresh, other, sizeof(other));
        if (other[0])
            log_warn("restart_needed", "these settings change only with a restart: %s", other);
    }
    config_close(&fresh);
    look_at_keys(s);
}

/* The pictures on their way, and the jobs that are promised. */
static enum status open_jobs(struct server *s, int jobs_max, struct why *why)
{
    const struct keeper_options options = {
        .errands_max = ERRANDS_MAX,
        .jobs_max = jobs_max,
        .keep = {.seconds = s->config.jobs_keep_s, .bytes = (int64_t)s->config.jobs_mib << 20},
    };

    if (generations_open(&s->service.generations, jobs_max))
        return why_fail(why, ST_FULL, "no memory for %d pictures on their way", jobs_max);
    return keeper_open(&s->service.keeper, &s->service, s->store, &options, why);
}

/* What is decided, and those who contest it. */
static enum status open_desk(struct server *s, struct why *why)
{
    const struct desk_options options = {.store = s->store, .functions_max = CALLS_MAX};
    enum status st = addresses_open(&s->service, &s->config, s->store, why);

    if (st)
        return st;
    if (matters_open(&s->service.matters, MATTERS_MAX))
        return why_fail(why, ST_FULL, "no memory for appeals");
    return desk_open(&s->service.desk, &s->service, &options, why);
}

/* Whoever turns it off is answered to the log: pictures leave that nobody can trace. */
static enum status open_marks(struct server *s, struct why *why)
{
    const struct marks_options options = {.state = s->config.state,
                                          .provider = s->config.provider,
                                          .public_url = s->config.public_url,
                                          .store = s->store};
    struct detect_tools tools;
    uint8_t key[SIGN_PUBLIC_MAX];
    size_t bytes;
    enum status st;

    if (!s->config.marks) {
        log_warn("unmarked",
                 "marks are off: pictures leave without a mark, a manifest or a record");
        return ST_OK;
    }
    st = marks_open(&s->marks, &options, why);
    if (st)
        return st;
    s->service.marker = s->marks.marker;
    tools = (struct detect_tools){.keys = (const struct mark_key *const *)s->marks.keys->mark,
                                  .key_count = s->marks.keys->mark_count,
                                  .fingerprint_key = s->marks.keys->fingerprint,
                                  .ledger = s->marks.ledger,
                                  .own = s->marks.keys->certs,
                                  .provider = s->config.provider};
    st = detector_open(&s->service.detector, &tools, why);
    if (st)
        return st;
    sign_public(key, &bytes, s->marks.keys->ledger);
    return logbook_open(&s->service.logbook, s->marks.ledger, key, why);
}

static enum status start(struct server *s, struct why *why)
{
    int jobs_max = s->config.queue + s->config.seats + JOBS_SPARE;
    enum status st;

    clock_init_real(&s->service.clock);
    s->service.started_s = clock_unix_s();
    set_limits(&s->service, &s->config);
    s->service.size_max = s->config.size_max;
    s->service.seats = s->config.seats;
    st = engines_open(&s->service.engines) ? why_fail(why, ST_FULL, "no memory for the models")
                                           : open_keys(s, why);
    if (!st)
        st = judging_open(&s->judging, &s->service, &s->config, s->store, why);
    if (!st)
        st = open_marks(s, why);
    if (st)
        return st;
    st = open_jobs(s, jobs_max, why);
    if (!st)
        st = open_desk(s, why);
    if (!st && history_open(&s->service.history))
        st = why_fail(why, ST_FULL, "no memory for what is to be drawn");
    if (!st)
        st = open_http(s, jobs_max, why);
    if (st)
        return st;
    log_info("listening", "api=%d metrics=%d", http_port(s->service.http, ROUTES_PUBLIC),
             http_port(s->service.http, ROUTES_METRICS));
    return loader_start(&s->loader, &s->service, &s->config, why);
}

/* ---- run and stop ---- */

/* The signal that came, or 0. */
static int next_signal(const sigset_t *signals, int wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};
    int signal = sigtimedwait(signals, NULL, &wait);

    return signal > 0 ? signal : 0;
}

/* Asking takes milliseconds, which an io thread does not have. */
static void look_at_gpus(struct server *s, struct health *health)
{
    struct health_gpu gpus[HEALTH_GPUS_MAX] = {0};
    int count = health_read(health, gpus);

    pthread_mutex_lock(&s->service.gpus_lock);
    memcpy(s->service.gpus, gpus, sizeof(gpus));
    s->service.gpu_count = count;
    pthread_mutex_unlock(&s->service.gpus_lock);
}

/* False: there is nothing to serve with. */
static bool look_at_models(struct server *s)
{
    switch (loader_look(&s->loader)) {
    case LOADER_SERVES:
        s->serves = true;
        break;
    case LOADER_AGAIN:
        reload(s);
        break;
    case LOADER_FAILED:
        s->failed = true;
        return false;
    case LOADER_NOTHING:
        break;
    }
    return engines_are_healthy(s->service.engines);
}

/* Until a signal to end comes, or there is nothing left to serve with. */
static void run(struct server *s, struct health *health, const sigset_t *signals)
{
    for (int looks = 0;; looks++) {
        int signal = next_signal(signals, LOOK_MS);
        /* Before the signal is heard: they may serve since the last look, and somebody wait. */
        bool alive = look_at_models(s);

        if (signal == SIGHUP)
            reload(s);
        else if (signal)
            return;
        if (health && looks % HEALTH_LOOKS == 0)
            look_at_gpus(s, health);
        api_dashboard_look(&s->service);
        if (looks % KEY_LOOKS == 0)
            look_at_keys(s);
        if (looks % USAGE_LOOKS == 0)
            save_usage(s);
        if (!alive)
            return;
    }
}

/* False when a second signal asked to hurry, or time ran out. */
static bool wait_for_answers(struct server *s, int wait_ms, const sigset_t *signals)
{
    struct clock *clock = &s->service.clock;
    int64_t until_us = clock_now_us(clock) + (int64_t)wait_ms * 1000;

    while (http_busy(s->service.http) > 0 || keeper_busy(s->service.keeper) > 0) {
        int signal = next_signal(signals, 10);

        if (clock_now_us(clock) >= until_us || (signal && signal != SIGHUP))
            return false;
    }
    return true;
}

static void tear_down(struct server *s)
{
    keeper_stop(s->service.keeper);
    desk_stop(s->service.desk);
    detector_close(&s->service.detector);
    http_close(&s->service.http);
    webhook_close(&s->service.webhook);
    keeper_close(&s->service.keeper);
    desk_close(&s->service.desk);
    matters_close(&s->service.matters);
    generations_close(&s->service.generations);
    loader_close(&s->loader);
    engines_close(&s->service.engines);
    history_close(&s->service.history);
    judging_close(&s->judging, &s->service);
    logbook_close(&s->service.logbook);
    marks_close(&s->marks);
    auth_close(&s->service.auth);
    tenant_close(&s->service.tenants);
    store_close(&s->store);
    sole_give(&s->sole);
    free(s->usage);
}

/* False: other models are still being loaded, and whatever that uses cannot be closed. */
static bool stop(struct server *s, const sigset_t *signals)
{
    bool finished, loading;

    atomic_store(&s->service.draining, true);
    http_drain(s->service.http);
    judging_drain(&s->service);
    keeper_drain(s->service.keeper);
    log_info("draining", "requests=%d jobs=%d limit_s=%d", http_busy(s->service.http),
             keeper_busy(s->service.keeper), s->config.drain_s);
    finished = wait_for_answers(s, s->config.drain_s * 1000, signals);
    save_usage(s);
    loading = loader_is_busy(&s->loader);
    engines_stop(s->service.engines);
    keeper_stop(s->service.keeper);
    desk_stop(s->service.desk);
    wait_for_answers(s, FLUSH_MS, signals);
    if (!loading)
        tear_down(s);
    log_info("stopped", "%s", finished ? "everything was answered" : "not everything was made");
    return !loading;
}

/* The code to end with; s is torn down, unless it is COMMAND_ABANDON. A device that failed needs a
   fresh process. */
static int serve(struct server *s, const sigset_t *signals)
{
    struct why why = {""};
    struct health *health = health_open();
    enum status st = start(s, &why);
    int code = 0;

    if (st) {
        log_error("cannot_start", "%s", why.text);
        health_close(&health);
        tear_down(s);
        return 1;
    }
    run(s, health, signals);
    health_close(&health);
    if (!s->serves && !s->failed) {
        log_info("stopped", "while the models were being loaded");
        return COMMAND_ABANDON;
    }
    if (s->failed) {
        log_error("cannot_load", "%s", s->loader.why.text);
        code = 1;
    } else if (!engines_are_healthy(s->service.engines)) {
        code = restart_may(clock_unix_s()) ? COMMAND_RESTART : 1;
        log_error("device_failed", "%s",
                  code == 1 ? "too often: a supervisor should look at it"
                            : "this program starts again");
    }
    if (!stop(s, signals) && !code)
        code = COMMAND_ABANDON;
    return code;
}

/* Signals are taken by the main thread alone, so every thread starts with them blocked. */
static void take_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int command_serve(int count, char **args)
{
    struct server s = {.arg_count = count,
                       .args = args,
                       .sole = -1,
                       .service.gpus_lock = PTHREAD_MUTEX_INITIALIZER};
    struct why why = {""};
    sigset_t signals;
    int code = 0;

    if (config_read(&s.config, count, args, &why) ||
        (!s.config.help && config_add_shipped(&s.config, &why))) {
        fprintf(stderr, "limner serve: %s\n", why.text);
        code = 2;
    } else if (s.config.help) {
        config_help(stdout);
    } else if (s.config.check_only) {
        code = config_print(&s.config, stdout) ? 1 : 0;
    } else {
        take_signals(&signals);
        code = serve(&s, &signals);
    }
    if (code != COMMAND_ABANDON)
        config_close(&s.config);
    return code;
}
