/* SPDX-License-Identifier: Apache-2.0 */
#include "server/loader.h"

#include "base/log.h"
#include "server/auth.h"
#include "server/folder.h"
#include "server/process.h"
#include "server/routes.h"

#include <stdio.h>
#include <string.h>

#define MIB (1 << 20)

/* For the person in front of a terminal: where it is, and a request that works. */
static void greet(const struct loader *l, const struct engine *engine)
{
    int port = http_port(l->service->http, ROUTES_PUBLIC);
    bool open = auth_count(l->service->auth) == 0;

    printf(
        "\nlimner serves %s on http://127.0.0.1:%d\n\n"
        "  curl -s http://127.0.0.1:%d/v1/images/generations -H 'Content-Type: application/json' "
        "\\\n"
        "    -H 'Accept: image/png'%s -d '{\"prompt\": \"red apple, flat fluent style emoji\", "
        "\"seed\": 1}' -o apple.png\n\n",
        engine_model_info(engine, 0)->name, port, port,
        open ? "" : " -H \"Authorization: Bearer $LIMNER_API_KEY\"");
    printf("http://127.0.0.1:%d/dashboard shows where the time goes.\n\n",
           http_port(l->service->http, ROUTES_METRICS));
    if (open)
        puts("No key was made yet, so whoever is on this machine may ask without one;\n"
             "`limner key create` makes the first.\n");
    fflush(stdout);
}

/* ---- the thread ---- */

static bool is_first(const struct loader *l)
{
    return !l->now.count;
}

/* What the first engine needs and the later ones share. */
static enum status find_devices(struct loader *l)
{
    const struct config *c = l->config;
    struct device_options device = {
        .threads = c->threads, .precision = c->precision, .plans = l->plans};
    enum status st;

    if (l->stages)
        return ST_OK;
    st = devices_find(&l->devices, c->device, device, &l->why);
    if (st)
        return st;
    if (stages_open(&l->stages, l->devices.count, LOADER_NAMES_MAX, c->seats))
        return why_fail(&l->why, ST_FULL, "no memory for the times of pictures");
    return ST_OK;
}

static enum status open_engine(struct loader *l, struct engine **out)
{
    const struct config *c = l->config;
    struct engine_options options = {
        .model_count = l->next.count,
        .seats_max = c->seats,
        .queue_max = c->queue,
        .size_max = c->size_max,
        .queue_s = c->queue_s,
        .costs = l->costs,
        .judge = l->service->judge,
        .marker = l->service->marker,
        .vae_tile = c->vae_tile,
        .beside = !is_first(l),
    };
    enum status st = find_devices(l);

    if (st)
        return st;
    options.devices = l->devices;
    options.stages = l->stages;
    for (int i = 0; i < l->next.count; i++)
        options.model_folder[i] = l->next.folder[i];
    return engine_open(out, &options, &l->why);
}

static void *load(void *memory)
{
    struct loader *l = memory;
    struct service *s = l->service;
    int64_t begun_us = clock_now_us(&s->clock);
    struct engine *engine = NULL;
    char text[512];

    l->outcome = open_engine(l, &engine);
    if (!l->outcome) {
        engine_describe(engine, text, sizeof(text));
        atomic_store(&s->loaded_s, clock_unix_s());
        engines_swap(s->engines, engine);
        log_info(is_first(l) ? "ready" : "swapped", "%s load_ms=%lld", text,
                 (long long)((clock_now_us(&s->clock) - begun_us) / 1000));
        if (is_first(l))
            greet(l, engine);
    }
    atomic_store(&l->ended, true);
    return NULL;
}

static enum status begin(struct loader *l, struct why *why)
{
    atomic_store(&l->ended, false);
    l->started = pthread_create(&l->thread, NULL, load, l) == 0;
    return l->started ? ST_OK : why_fail(why, ST_FULL, "cannot start a thread to load the models");
}

/* ---- what is asked for ---- */

static enum status name_models(struct loader_models *out, const struct config *c, struct why *why)
{
    out->count = c->model_count;
    out->bytes = 0;
    for (int i = 0; i < c->model_count; i++) {
        int bytes = snprintf(out->folder[i], sizeof(out->folder[i]), "%s", c->model[i]);

        if (bytes < 0 || (size_t)bytes >= sizeof(out->folder[i]))
            return why_fail(why, ST_INVALID, "the path of a model is too long: %.64s...",
                            c->model[i]);
    }
    return ST_OK;
}

static enum status look_at_models(struct loader_models *models, struct why *why)
{
    for (int i = 0; i < models->count; i++) {
        struct folder_look look;
        enum status st = folder_look(&look, models->folder[i], why);

        if (st)
            return st;
        models->mark[i] = look.mark;
        models->bytes += look.bytes;
    }
    return ST_OK;
}

static bool is_same(const struct loader_models *a, const struct loader_models *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        if (strcmp(a->folder[i], b->folder[i]) || a->mark[i] != b->mark[i])
            return false;
    }
    return true;
}

/* Weights are in memory at least as they are in their files, while those before still serve. A GPU
   says itself what it has not. */
static enum status check_memory(const struct loader *l, struct why *why)
{
    double left = process_memory_left();

    if (left < 0 || (double)l->next.bytes <= left)
        return ST_OK;
    return why_fail(why, ST_FULL,
                    "their files are %.0f MiB, and beside the models that serve %.0f MiB are left: "
                    "two at once need more memory, or a restart",
                    (double)l->next.bytes / MIB, left / MIB);
}

static void refuse(struct loader *l, const struct why *why)
{
    atomic_fetch_add(&l->service->swaps_failed, 1);
    log_error("not_swapped", "%s: the models are as they were", why->text);
}

void loader_change(struct loader *l, const struct config *fresh)
{
    struct why why = {""};
    enum status st;

    l->wanted = l->started || !engines_sweep(l->service->engines);
    if (l->wanted) {
        log_info("swap_waits", "until the change of models before it is over");
        return;
    }
    st = name_models(&l->next, fresh, &why);
    if (!st)
        st = look_at_models(&l->next, &why);
    if (!st && is_same(&l->now, &l->next))
        return;
    if (!st)
        st = check_memory(l, &why);
    if (!st)
        st = begin(l, &why);
    if (st) {
        refuse(l, &why);
        return;
    }
    atomic_store(&l->service->swapping, true);
    log_info("swapping", "models=%d first=%s", l->next.count, l->next.folder[0]);
}

enum status loader_start(struct loader *l, struct service *service, const struct config *config,
                         struct why *why)
{
    struct why unseen = {""};
    enum status st;

    *l = (struct loader){.service = service, .config = config};
    snprintf(l->plans, sizeof(l->plans), "%s/plans.tsv", config->state);
    snprintf(l->costs, sizeof(l->costs), "%s/costs.tsv", config->state);
    st = name_models(&l->next, config, why);
    if (st)
        return st;
    if (look_at_models(&l->next, &unseen))
        log_debug("model_folder", "%s", unseen.text); /* engine_open says what is wrong */
    return begin(l, why);
}

/* ---- what came of it ---- */

static enum loader_news finish(struct loader *l)
{
    pthread_join(l->thread, NULL);
    l->started = false;
    if (l->outcome && is_first(l))
        return LOADER_FAILED;
    atomic_store(&l->service->swapping, false);
    if (l->outcome) {
        refuse(l, &l->why);
        return LOADER_NOTHING;
    }
    if (!is_first(l))
        atomic_fetch_add(&l->service->swaps, 1);
    l->now = l->next;
    return LOADER_SERVES;
}

enum loader_news loader_look(struct loader *l)
{
    bool swept = !l->started && engines_sweep(l->service->engines);

    if (l->started)
        return atomic_load(&l->ended) ? finish(l) : LOADER_NOTHING;
    if (!l->wanted || !swept)
        return LOADER_NOTHING;
    l->wanted = false;
    return LOADER_AGAIN;
}

bool loader_is_busy(const struct loader *l)
{
    return l->started && !atomic_load((atomic_bool *)(uintptr_t)&l->ended);
}

void loader_close(struct loader *l)
{
    if (l->started)
        pthread_join(l->thread, NULL);
    l->started = false;
    stages_close(&l->stages);
}
