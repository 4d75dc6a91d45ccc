/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/judge.h"

#include "base/crypto.h"
#include "base/log.h"
#include "engine/judge/room.h"
#include "moderation/canary.h"
#include "store/store.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US 60000000 /* a policy that was read again may want canaries more often */

/* ---- the policies ---- */

static void rules_close(struct rules **rules)
{
    struct rules *r = *rules;

    if (!r)
        return;
    policy_close(&r->policy);
    policy_close(&r->shadow);
    prompt_close(&r->prompt);
    drift_close(&r->drift);
    free(r);
    *rules = NULL;
}

/* Bands that were chosen for other weights mean nothing. */
static enum status check_weights(const struct policy *p, const struct judge *j, const char *path,
                                 struct why *why)
{
    for (int m = 0; m < SCORES_MODELS; m++) {
        const char *wanted = policy_settings(p)->classifier[m].weights_sha256;
        const char *here = vision_file_sha256(j->vision, (enum scores_model)m);

        if (wanted && strcmp(wanted, here) != 0)
            return why_fail(
                why, ST_INVALID,
                "%s: the policy is for a %s classifier whose SHA-256 is %.16s..., and "
                "the one that is here has %.16s...; put that one back, or make a policy "
                "for this one",
                path, m == SCORES_MAIN ? "main" : "second", wanted, here);
    }
    return ST_OK;
}

static enum status rules_read(struct rules *r, const struct judge *j, const char *policy,
                              const char *shadow, struct why *why)
{
    const char *words;
    enum status st = policy_open(&r->policy, policy, why);

    if (!st && shadow)
        st = policy_open(&r->shadow, shadow, why);
    if (!st)
        st = check_weights(r->policy, j, policy, why);
    if (!st && shadow)
        st = check_weights(r->shadow, j, shadow, why);
    if (st)
        return st;
    words = policy_settings(r->policy)->prompt.rules;
    if (words)
        st = prompt_open(&r->prompt, words, why);
    return st ? st : drift_open(&r->drift, r->policy, why);
}

static enum status rules_open(struct rules **out, struct judge *j, const char *policy,
                              const char *shadow, struct why *why)
{
    struct rules *r = calloc(1, sizeof(*r));
    enum status st;

    *out = r;
    if (!r)
        return why_fail(why, ST_FULL, "no memory for a policy");
    r->holders = 1;
    st = rules_read(r, j, policy, shadow, why);
    if (st)
        rules_close(out);
    else
        reference_restore(j, r);
    return st;
}

struct rules *rules_take(struct judge *j)
{
    struct rules *r;

    pthread_mutex_lock(&j->lock);
    r = j->rules;
    r->holders++;
    pthread_mutex_unlock(&j->lock);
    return r;
}

/* One hold less. The rules when it was the last: they are out of the list, and to be closed. Under
   the lock. */
static struct rules *let_go(struct judge *j, struct rules *r)
{
    struct rules **at = &j->rules;

    if (--r->holders)
        return NULL;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    return r;
}

void rules_put(struct judge *j, struct rules *r)
{
    pthread_mutex_lock(&j->lock);
    r = let_go(j, r);
    pthread_mutex_unlock(&j->lock);
    rules_close(&r);
}

const struct policy *judge_policy(struct judge *j)
{
    return rules_take(j)->policy;
}

void judge_release(struct judge *j, const struct policy *p)
{
    struct rules *r;

    pthread_mutex_lock(&j->lock);
    r = j->rules;
    while (r && r->policy != p)
        r = r->next;
    assert(r && "a policy of this judge that somebody has");
    r = let_go(j, r);
    pthread_mutex_unlock(&j->lock);
    rules_close(&r);
}

enum status judge_reload(struct judge *j, const char *policy, const char *shadow, struct why *why)
{
    struct rules *fresh, *old;
    enum status st = rules_open(&fresh, j, policy, shadow, why);

    if (st)
        return st;
    breaker_set_rules(j->breaker, &policy_settings(fresh->policy)->breaker);
    pthread_mutex_lock(&j->lock);
    old = j->rules;
    fresh->next = old;
    j->rules = fresh;
    old = let_go(j, old);
    pthread_mutex_unlock(&j->lock);
    rules_close(&old);
    return ST_OK;
}

/* ---- the classifiers ---- */

void gate_enter(struct gate *g, bool urgent)
{
    pthread_mutex_lock(&g->lock);
    g->urgent += urgent;
    while (g->busy || (g->urgent && !urgent))
        pthread_cond_wait(&g->changed, &g->lock);
    g->urgent -= urgent;
    g->busy = true;
    pthread_mutex_unlock(&g->lock);
}

void gate_leave(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->busy = false;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* A number that is free; below 0: none is. */
static int take_number(struct judge *j)
{
    int number = 0;

    pthread_mutex_lock(&j->lock);
    while (number < JUDGE_MODELS_MAX && j->model[number].used)
        number++;
    if (number < JUDGE_MODELS_MAX)
        j->model[number].used = true;
    pthread_mutex_unlock(&j->lock);
    return number < JUDGE_MODELS_MAX ? number : -1;
}

enum status judge_add_model(struct judge *j, int *out, const char *name, const char *folder,
                            struct why *why)
{
    int number = take_number(j);
    enum status st;

    *out = -1;
    if (number < 0)
        return why_fail(why, ST_FULL, "more than %d models to judge", JUDGE_MODELS_MAX);
    snprintf(j->model[number].name, sizeof(j->model[number].name), "%s", name);
    gate_enter(&j->gate, true);
    st = vision_add_safety(j->vision, folder, &j->model[number].safety, why);
    gate_leave(&j->gate);
    if (st)
        judge_drop_model(j, number);
    else
        *out = number;
    return st;
}

void judge_drop_model(struct judge *j, int model)
{
    assert(model >= 0 && model < JUDGE_MODELS_MAX);
    pthread_mutex_lock(&j->lock);
    j->model[model].used = false;
    pthread_mutex_unlock(&j->lock);
}

/* Pictures whose scores are known are scored again: when they changed, nothing that is scored here
   can be believed. */
static enum status run_canaries(struct judge *j, struct why *why)
{
    enum status st;

    gate_enter(&j->gate, true);
    st = canary_run(j->vision, why);
    gate_leave(&j->gate);
    j->canary_us = clock_now_us(&j->clock);
    j->canary_wanted = st == ST_FULL; /* memory may be there again */
    if (st == ST_FULL)
        return st;
    atomic_store(&j->counts.canary_unix_s, clock_unix_s());
    atomic_fetch_add(&j->counts.canary_runs, 1);
    if (st)
        atomic_store(&j->unsound, true);
    return st;
}

static int64_t idle(struct judge *j)
{
    struct rules *r = rules_take(j);
    int64_t every_us = (int64_t)policy_settings(r->policy)->canary_minutes * 60000000, left_us;
    struct why why = {""};

    reference_keep(j, r);
    rules_put(j, r);
    if (atomic_load(&j->unsound))
        return -1;
    left_us = j->canary_us + every_us - clock_now_us(&j->clock);
    if (!j->canary_wanted && (!every_us || left_us > 0))
        return every_us && left_us < LOOK_US ? left_us : LOOK_US;
    if (run_canaries(j, &why))
        log_error("canary", "%s", why.text);
    return every_us && every_us < LOOK_US ? every_us : LOOK_US;
}

int64_t judge_idle(struct judge *j)
{
    int64_t us;

    pthread_mutex_lock(&j->bench);
    us = idle(j);
    pthread_mutex_unlock(&j->bench);
    return us;
}

bool judge_is_sound(const struct judge *j)
{
    return !atomic_load(&j->unsound);
}

/* ---- what people have decided before ---- */

struct breaker *judge_breaker(struct judge *j)
{
    return j->breaker;
}

static enum status restore_slice(struct judge *j, const char *body, struct why *why)
{
    struct breaker_slice row;
    enum status st = breaker_parse(&row, body, why);

    if (st)
        return st;
    return breaker_restore(j->breaker, &row)
               ? why_fail(why, ST_FULL, "more than %d slices have a breaker", BREAKER_SLICES_MAX)
               : ST_OK;
}

static enum status restore_breaker(struct judge *j, struct why *why)
{
    char name[STORE_NOTE_NAME_MAX] = "", body[STORE_NOTE_BODY_MAX];
    enum status st;

    if (!j->store)
        return ST_OK;
    do {
        st = j->store->ops->note_next(j->store, JUDGE_BREAKER_NOTE, name, body, why);
        if (!st)
            st = restore_slice(j, body, why);
    } while (!st);
    return st == ST_MISSING ? ST_OK : st;
}

/* ---- opening and closing ---- */

static enum status open_parts(struct judge *j, const struct judge_options *o, struct why *why)
{
    const struct vision_options vision = {.folder = o->weights, .threads = o->threads};
    enum status st = vision_open(&j->vision, &vision, why);

    if (!st)
        st = rules_open(&j->rules, j, o->policy, o->shadow, why);
    if (!st)
        st = breaker_open(&j->breaker, &policy_settings(j->rules->policy)->breaker, why);
    if (!st)
        st = restore_breaker(j, why);
    if (st)
        return st;
    j->docket = calloc(1, sizeof(*j->docket));
    if (!j->docket)
        return why_fail(why, ST_FULL, "no memory to write down what is decided");
    return run_canaries(j, why);
}

enum status judge_open(struct judge **out, const struct judge_options *o, struct why *why)
{
    struct judge *j = calloc(1, sizeof(*j));
    enum status st;

    *out = j;
    if (!j)
        return why_fail(why, ST_FULL, "no memory for a judge");
    assert(!o->store == !o->vault && "what is recorded is sealed");
    j->store = o->store;
    j->vault = o->vault;
    j->tell = o->tell;
    j->context = o->context;
    memcpy(j->secret, o->secret, sizeof(j->secret));
    clock_init_real(&j->clock);
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->bench, NULL);
    pthread_mutex_init(&j->gate.lock, NULL);
    pthread_cond_init(&j->gate.changed, NULL);
    for (int m = 0; m < JUDGE_MODELS_MAX; m++)
        j->model[m].safety = -1;
    st = open_parts(j, o, why);
    if (st)
        judge_close(out);
    return st;
}

void judge_close(struct judge **judge)
{
    struct judge *j = *judge;

    if (!j)
        return;
    assert((!j->rules || (!j->rules->next && j->rules->holders == 1)) && "nobody has a policy");
    rules_close(&j->rules);
    breaker_close(&j->breaker);
    vision_close(&j->vision);
    free(j->docket);
    pthread_cond_destroy(&j->gate.changed);
    pthread_mutex_destroy(&j->gate.lock);
    pthread_mutex_destroy(&j->bench);
    pthread_mutex_destroy(&j->lock);
    crypto_wipe(j->secret, sizeof(j->secret));
    free(j);
    *judge = NULL;
}

/* ---- numbers ---- */

static void read_drift(struct judge *j, struct judge_stats *out)
{
    struct rules *r = rules_take(j);

    out->categories = policy_category_count(r->policy);
    for (int c = 0; c < out->categories; c++) {
        struct drift_reading reading;

        drift_read(r->drift, c, &reading);
        snprintf(out->drift[c].category, sizeof(out->drift[c].category), "%s",
                 policy_category(r->policy, c)->id);
        out->drift[c].psi = reading.level >= DRIFT_CALM ? reading.psi : NAN;
    }
    rules_put(j, r);
}

void judge_get_stats(struct judge *j, struct judge_stats *out)
{
    struct judge_counts *c = &j->counts;

    *out = (struct judge_stats){
        .pictures = atomic_load(&c->pictures),
        .previews = atomic_load(&c->previews),
        .previews_withheld = atomic_load(&c->previews_withheld),
        .prompts = atomic_load(&c->prompts),
        .unrecorded = atomic_load(&c->unrecorded),
        .precedents = atomic_load(&c->precedents),
        .audits = atomic_load(&c->audits),
        .shadow_differs = atomic_load(&c->shadow_differs),
        .batches = atomic_load(&c->batches),
        .canary_runs = atomic_load(&c->canary_runs),
        .canary_unix_s = atomic_load(&c->canary_unix_s),
        .sound = judge_is_sound(j),
    };
    for (int b = 0; b < BAND_COUNT; b++) {
        out->by_action[b] = atomic_load(&c->by_action[b]);
        out->prompts_by_action[b] = atomic_load(&c->prompts_by_action[b]);
    }
    for (int i = 0; i < CAUSE_COUNT; i++)
        out->by_cause[i] = atomic_load(&c->by_cause[i]);
    read_drift(j, out);
}
