/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c - what was decided about pictures and words, read from where it was written down, for
 * those who are told.
 *
 * A record is on the disk before anything of it is sent; so what is sent is what the record says.
 * Pictures that wait for a person get a job, also when nobody asked for one: its end tells what
 * became of them.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "server/async.h"
#include "server/keeper/room.h"
#include "server/webhook.h"

#include <stdio.h>
#include <string.h>

#define NOTE "held-for/" /* and a job's id: a note of the store */

/* ---- reading ---- */

/* A record that is gone, long after its time, said that something was kept back. */
static enum status find(struct keeper *k, const char *id, struct store_decision *out)
{
    struct why why = {""};
    enum status st = k->store->ops->decision_find(k->store, id, out, &why);

    if (st == ST_MISSING) {
        *out = (struct store_decision){.action = BAND_BLOCK, .standing = STORE_EXPIRED};
        snprintf(out->id, sizeof(out->id), "%s", id);
        return ST_OK;
    }
    keeper_note(k, st, &why);
    return st;
}

static void begin(struct keeper *k, struct outcomes *out)
{
    out->job = NULL;
    for (int i = 0; i < REQUEST_IMAGES_MAX; i++)
        out->decision[i].id[0] = '\0';
    moderated_open(&out->how, k->service);
}

void settle_close(struct keeper *k, struct outcomes *o)
{
    moderated_close(&o->how, k->service);
}

enum status settle_read(struct keeper *k, const struct generation *g, struct outcomes *out)
{
    enum status st = ST_OK;

    begin(k, out);
    for (int i = 0; i < g->count && !st; i++) {
        const struct job *job = g->job[i];

        if (job->decision[0] && job->verdict.action != BAND_ALLOW)
            st = find(k, job->decision, &out->decision[i]);
    }
    return st;
}

enum status settle_read_job(struct keeper *k, const struct store_job *job, struct outcomes *out,
                            bool *moderated)
{
    char ids[REQUEST_IMAGES_MAX][STORE_ID_MAX] = {""};
    struct why why = {""};
    enum status st;

    begin(k, out);
    *moderated = false;
    if (job->state == STORE_JOB_OPEN)
        return ST_OK;
    st = k->store->ops->job_decisions(k->store, job, ids, job->images, &why);
    keeper_note(k, st, &why);
    for (int i = 0; i < job->images && !st; i++) {
        if (!ids[i][0])
            continue;
        st = find(k, ids[i], &out->decision[i]);
        *moderated |= out->decision[i].action != BAND_ALLOW;
    }
    out->job = job->id;
    return st;
}

/* ---- pictures of a request that nobody promised ---- */

static void fill_row(struct keeper *k, struct store_job *job, const struct generation *g)
{
    const struct picture *p = &g->job[0]->picture;
    struct tenant_limits tenant;

    tenant_get(k->service->tenants, g->grant.tenant, &tenant);
    *job = (struct store_job){.width = p->width,
                              .height = p->height,
                              .steps = p->steps,
                              .images = g->count,
                              .seed = (int64_t)p->seed,
                              .format = (int)g->job[0]->format,
                              .raw = g->raw,
                              .cut = result_cut(g),
                              .created_s = clock_unix_s(),
                              .starts = 1};
    snprintf(job->tenant, sizeof(job->tenant), "%s", tenant.name);
    snprintf(job->model, sizeof(job->model), "%s", g->model);
}

/* A crash between the two leaves a row with no request in it, which the next start gives up; what
   was decided is kept in any case. */
static enum status hold(struct keeper *k, struct generation *g, struct store_job *job)
{
    struct store_picture pictures[REQUEST_IMAGES_MAX];
    struct why why = {""};
    enum status st;

    fill_row(k, job, g);
    if (crypto_id(job->id, sizeof(job->id), ASYNC_ID_PREFIX, NULL))
        return ST_IO;
    st = k->store->ops->job_add(k->store, job, "", 0, &why);
    keeper_note(k, st, &why);
    if (st)
        return st;
    end_pictures(g, pictures);
    job->state = STORE_JOB_HELD;
    job->finished_s = clock_unix_s();
    job->event = watch_last_of(job);
    return end_store(k, job, pictures, g->count);
}

static void promise(struct keeper *k, struct generation *g, const struct store_job *job)
{
    struct answer answer;

    look_answer(k, &answer, 202, job);
    answer_header(&answer, "location", "/v1/jobs/%s", job->id);
    timing_of(&answer.timing, g->job, g->count);
    timing_write(&answer);
    generation_log(g);
    http_ticket_answer(g->ticket, &answer); /* g may be gone from here on */
}

/* Words to tenants' servers were written down with what was decided. */
static void wake(struct keeper *k)
{
    if (k->service->webhook)
        webhook_wake(k->service->webhook);
}

void settle_count(struct keeper *k, const struct generation *g, bool told)
{
    int withheld = 0;

    for (int i = 0; i < g->count; i++)
        withheld += generation_is_withheld(g->job[i]);
    metrics_stated(&k->service->metrics.moderation, withheld, told);
    if (withheld)
        wake(k);
}

void settle_run(struct keeper *k, struct generation *g)
{
    struct result_tally tally = {0};
    struct outcomes outcomes;
    struct store_job job;
    struct result result;
    enum status st = settle_read(k, g, &outcomes);

    if (!st) {
        result_of(&result, g, &outcomes);
        tally = result_count(&result);
    }
    if (tally.held) {
        st = hold(k, g, &job);
        outcomes.job = job.id;
    }
    settle_count(k, g, !st);
    if (!st && tally.held && !tally.allowed && !g->made)
        promise(k, g, &job);
    else
        g->settled(g, st ? NULL : &outcomes, st);
    settle_close(k, &outcomes);
}

/* ---- words ---- */

/* Who asks again with his key is told the same. */
static void keep_refusal(struct keeper *k, const struct errand *e, const struct store_decision *d)
{
    struct store_picture picture = {.sha256 = ""};
    struct store_job job;
    struct why why = {""};
    enum status st;

    if (!e->key[0] || create_row(k, &job, e))
        return;
    job.starts = 0;
    st = k->store->ops->job_add(k->store, &job, e->body.data, e->body.count, &why);
    keeper_note(k, st, &why);
    if (st)
        return;
    snprintf(picture.decision, sizeof(picture.decision), "%s", d->id);
    job.event = watch_last_of(&job);
    end_fail(&job, ST_REFUSED, MODERATED_CODE, "the request was not carried out");
    st = end_store(k, &job, &picture, 1);
    if (st)
        log_error("job", "id=%s: its end could not be written", job.id);
}

static void tell(struct keeper *k, struct errand *e, const struct store_decision *d)
{
    struct moderated how;
    struct answer answer;

    moderated_open(&how, k->service);
    moderated_refuse(&answer, &how, &d, 1);
    moderated_close(&how, k->service);
    metrics_decided(&k->service->metrics.moderation, STORE_STAGE_PROMPT, d->category,
                    (enum band)d->action, (enum cause)d->cause);
    log_info("generation", "id=%s status=refused stage=prompt decision=%s category=%s", e->request,
             d->id, d->category);
    errand_answer(e, &answer);
}

bool settle_blocked(struct keeper *k, struct errand *e)
{
    struct service *s = k->service;
    const struct request *q = &e->order.request;
    struct store_decision decision;
    struct tenant_limits tenant;
    struct why why = {""};
    bool released = false;
    enum status st;

    tenant_get(s->tenants, e->tenant, &tenant);
    const struct judge_asked asked = {.tenant = tenant.name,
                                      .context = q->context,
                                      .user = q->user,
                                      .request = e->request,
                                      .model =
                                          engine_model_info(e->order.engine, e->order.model)->name,
                                      .prompt = q->prompt,
                                      .negative = q->negative};

    st = judge_record(s->judge, &asked, &e->verdict, &e->finding, &decision, &released, &why);
    keeper_note(k, st, &why);
    if (!st && released)
        return true;
    metrics_stated(&s->metrics.moderation, 1, !st);
    if (st) {
        errand_refuse_store(e, st);
        return false;
    }
    keep_refusal(k, e, &decision);
    tell(k, e, &decision);
    wake(k);
    return false;
}

/* ---- what a promised job's words asked for ---- */

static void name_note(char out[STORE_NOTE_NAME_MAX], const char *id)
{
    snprintf(out, STORE_NOTE_NAME_MAX, NOTE "%s", id);
}

enum status settle_keep_held(struct keeper *k, const char *id, const char *held_for)
{
    char name[STORE_NOTE_NAME_MAX];
    struct why why = {""};
    enum status st;

    if (!held_for[0])
        return ST_OK;
    name_note(name, id);
    st = k->store->ops->note_put(k->store, name, held_for, &why);
    keeper_note(k, st, &why);
    return st;
}

void settle_forget_held(struct keeper *k, const char *id)
{
    char name[STORE_NOTE_NAME_MAX];
    struct why why = {""};

    name_note(name, id);
    keeper_note(k, k->store->ops->note_put(k->store, name, "", &why), &why);
}

enum status settle_held_for(struct keeper *k, const char *id, char held_for[STORE_NAME_MAX])
{
    char name[STORE_NOTE_NAME_MAX], body[STORE_NOTE_BODY_MAX];
    struct why why = {""};
    enum status st;

    held_for[0] = '\0';
    name_note(name, id);
    st = k->store->ops->note_get(k->store, name, body, &why);
    if (st == ST_MISSING)
        return ST_OK;
    keeper_note(k, st, &why);
    if (!st)
        snprintf(held_for, STORE_NAME_MAX, "%.*s", STORE_NAME_MAX - 1, body);
    return st;
}
