/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/log.h"
#include "engine/judge/room.h"
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A batch while it is judged. */
struct sitting {
    struct judge *judge;
    const struct rules *rules;
    struct job *const *jobs;
    int count;
    struct scores scores[JUDGE_BATCH_MAX];
    bool scored[JUDGE_BATCH_MAX];
    bool listed[JUDGE_BATCH_MAX]; /* its decision is in the docket */
    char weights_sha256[STORE_HASH_MAX];
};

static_assert(JUDGE_BATCH_MAX <= VISION_BATCH_MAX, "a batch is scored at once");

/* ---- precedents ---- */

void subject_of(const struct judge *j, char out[STORE_HASH_MAX], const char *tenant,
                const char *prompt, const char *pixels)
{
    struct crypto_hmac h;
    uint8_t hash[32];

    crypto_hmac(&h, j->secret, sizeof(j->secret));
    crypto_hmac_add_text(&h, "subject");
    crypto_hmac_add_text(&h, tenant);
    crypto_hmac_add_text(&h, prompt);
    crypto_hmac_add_text(&h, pixels);
    crypto_hmac_end(&h, hash);
    crypto_hex(out, hash, sizeof(hash));
}

enum status precedent_of(const struct judge *j, const char *tenant, const char *subject,
                         bool *found, enum store_standing *out, struct why *why)
{
    enum status st = j->store->ops->precedent(j->store, tenant, subject, out, why);

    *found = !st;
    return st == ST_MISSING ? ST_OK : st;
}

/* Where a decision stands when nobody but us has decided. */
static enum store_standing standing_of(enum band action)
{
    static const enum store_standing standings[BAND_COUNT] = {STORE_ALLOWED, STORE_BLURRED,
                                                              STORE_HELD, STORE_BLOCKED};

    return standings[action];
}

/* People have decided about these very bytes: what they let go goes, and what they suspect to be
   illegal stays, whatever the scores say. */
static enum store_standing follow_precedent(struct judge *j, struct verdict *v,
                                            enum store_standing said)
{
    bool stopped = v->action >= BAND_HOLD;

    if (said == STORE_SEALED)
        v->action = BAND_BLOCK;
    else if (stopped && said == STORE_RELEASED)
        v->action = BAND_ALLOW;
    else if (stopped && said == STORE_BLURRED)
        v->action = BAND_BLUR;
    else
        return standing_of(v->action);
    v->cause = CAUSE_PRECEDENT;
    atomic_fetch_add(&j->counts.precedents, 1);
    return said;
}

/* ---- scores ---- */

static void look_for_numbers(struct sitting *s, int i, enum status st, const struct why *why)
{
    s->scored[i] = !st && scores_are_finite(&s->scores[i]);
    if (s->scored[i])
        return;
    s->judge->canary_wanted = true;
    log_error("unscored", "id=%s: %s", s->jobs[i]->id, st ? why->text : "a score is no number");
}

/* All at once; or each by itself when that fails, so that nobody is held for his neighbour. */
static void score(struct sitting *s)
{
    const struct image *images[JUDGE_BATCH_MAX];
    int safety[JUDGE_BATCH_MAX];
    struct vision *vision = s->judge->vision;
    struct why why = {""};
    enum status st;

    for (int i = 0; i < s->count; i++) {
        images[i] = &s->jobs[i]->image;
        safety[i] = s->judge->model[s->jobs[i]->judged_as].safety;
    }
    gate_enter(&s->judge->gate, true);
    snprintf(s->weights_sha256, sizeof(s->weights_sha256), "%s", vision_sha256(vision));
    st = vision_score(vision, s->scores, images, safety, s->count, &why);
    for (int i = 0; i < s->count; i++) {
        if (st)
            look_for_numbers(
                s, i, vision_score(vision, &s->scores[i], &images[i], &safety[i], 1, &why), &why);
        else
            look_for_numbers(s, i, ST_OK, &why);
    }
    gate_leave(&s->judge->gate);
    atomic_fetch_add(&s->judge->counts.batches, 1);
}

/* ---- decisions ---- */

/* By the policy; and the prompt may have said that a person has to look at what comes of it. */
static void decide(struct verdict *out, struct judge *j, const struct policy *policy,
                   const struct job *job, const struct scores *scores, const char *decision)
{
    const struct job_owner *o = &job->owner;
    struct breaker_ask ask = {.breaker = j->breaker, .decision = decision};
    const struct policy_case c = {.scores = scores,
                                  .tenant = o->tenant,
                                  .context = o->context[0] ? o->context : NULL,
                                  .generator = j->model[job->judged_as].name,
                                  .is_open = breaker_ask,
                                  .breakers = &ask};

    policy_decide(policy, &c, out);
    if (!o->held_for[0] || out->action >= BAND_HOLD)
        return;
    out->action = BAND_HOLD;
    out->category = policy_find_category(policy, o->held_for);
    out->cause = CAUSE_PROMPT;
}

/* What a candidate policy would have done; below 0: none runs. */
static int ask_shadow(const struct sitting *s, const struct job *job, const struct scores *scores,
                      const char *decision)
{
    struct verdict v;

    if (!s->rules->shadow)
        return -1;
    decide(&v, s->judge, s->rules->shadow, job, scores, decision);
    if (v.action != job->verdict.action)
        atomic_fetch_add(&s->judge->counts.shadow_differs, 1);
    return (int)v.action;
}

/* What is known of the picture without a verdict. */
static void describe(struct store_decision *row, const struct sitting *s, int i)
{
    const struct job *job = s->jobs[i];
    const struct job_owner *o = &job->owner;

    memcpy(row->tenant, o->tenant, sizeof(row->tenant));
    memcpy(row->context, o->context, sizeof(row->context));
    memcpy(row->user, o->user, sizeof(row->user));
    memcpy(row->request, o->request, sizeof(row->request));
    memcpy(row->job, o->job, sizeof(row->job));
    memcpy(row->pixels_sha256, job->pixels_sha256, sizeof(row->pixels_sha256));
    row->index = o->index;
    row->stage = STORE_STAGE_IMAGE;
    row->seed = (int64_t)job->picture.seed;
    row->width = job->image.width;
    row->height = job->image.height;
    row->format = (int)job->format;
    row->quality = job->quality;
    snprintf(row->model, sizeof(row->model), "%s", s->judge->model[job->judged_as].name);
    memcpy(row->weights_sha256, s->weights_sha256, sizeof(row->weights_sha256));
    if (s->scored[i])
        scores_print(row->scores, &s->scores[i]);
    subject_of(s->judge, row->subject, o->tenant, job->prompt, job->pixels_sha256);
}

/* Into the docket: verdict, precedent, what is kept. */
static enum status decide_and_list(struct sitting *s, int i, struct why *why)
{
    struct judge *j = s->judge;
    struct job *job = s->jobs[i];
    const struct scores *scores = s->scored[i] ? &s->scores[i] : NULL;
    struct store_decision row = {.shadow = -1};
    enum store_standing said;
    bool found = false;
    enum status st = crypto_id(row.id, sizeof(row.id), "dec_", why);

    if (st)
        return st;
    job_hash_pixels(job);
    decide(&job->verdict, j, s->rules->policy, job, scores, row.id);
    row.shadow = ask_shadow(s, job, scores, row.id);
    drift_add(s->rules->drift, job->verdict.p);
    if (!j->store)
        return ST_OK;
    describe(&row, s, i);
    st = precedent_of(j, row.tenant, row.subject, &found, &said, why);
    if (st)
        return st;
    row.standing =
        found ? follow_precedent(j, &job->verdict, said) : standing_of(job->verdict.action);
    st = docket_add(j->docket, j, &row,
                    &(struct docket_matter){.policy = s->rules->policy,
                                            .verdict = &job->verdict,
                                            .prompt = job->prompt,
                                            .negative = job->negative,
                                            .image = &job->image},
                    why);
    s->listed[i] = !st;
    if (!st)
        memcpy(job->decision, row.id, sizeof(job->decision));
    return st;
}

/* ---- outcomes ---- */

static const char *reason_of(const struct rules *r, const struct verdict *v)
{
    return v->category < 0 ? "" : policy_reason(r->policy, v->category, "");
}

/* Why it is not sent, for who made it. */
static void explain(const struct sitting *s, struct job *job)
{
    const struct verdict *v = &job->verdict;
    const char *id =
        v->category < 0 ? "unjudged" : policy_category(s->rules->policy, v->category)->id;
    const char *reason = reason_of(s->rules, v), *colon = reason[0] ? ": " : "";

    if (v->action == BAND_BLOCK)
        why_fail(&job->why, ST_REFUSED, "the picture was blocked (%s)%s%s", id, colon, reason);
    else if (s->judge->store)
        why_fail(&job->why, ST_REFUSED,
                 "the picture waits until a person has looked at it (%s)%s%s", id, colon, reason);
    else
        why_fail(&job->why, ST_REFUSED,
                 "the picture would have to be looked at by a person, and there is none here "
                 "(%s)%s%s",
                 id, colon, reason);
}

static void tally(struct judge *j, const struct verdict *v)
{
    atomic_fetch_add(&j->counts.pictures, 1);
    atomic_fetch_add(&j->counts.by_action[v->action], 1);
    atomic_fetch_add(&j->counts.by_cause[v->cause], 1);
}

static void unrecorded(struct judge *j, struct job *job, const struct why *why)
{
    atomic_fetch_add(&j->counts.unrecorded, 1);
    log_error("unrecorded", "id=%s: %s", job->id, why->text);
    job->decision[0] = '\0';
    job->status = why_fail(&job->why, ST_IO,
                           "what was decided about the picture could not be written down, so it "
                           "is not sent; ask again later");
}

/* Only here is a picture said to be judged, and only what is recorded comes here. */
static void conclude(struct sitting *s, struct job *job)
{
    job->judged = true;
    job->status = job->verdict.action >= BAND_HOLD ? ST_REFUSED : ST_OK;
    if (job->status)
        explain(s, job);
    tally(s->judge, &job->verdict);
}

static void record(struct sitting *s)
{
    struct why why = {""};
    enum status st = s->judge->store ? docket_commit(s->judge->docket, s->judge, &why) : ST_OK;

    for (int i = 0; i < s->count; i++) {
        if (!s->jobs[i]->status && st)
            unrecorded(s->judge, s->jobs[i], &why);
        else if (!s->jobs[i]->status)
            conclude(s, s->jobs[i]);
    }
    for (int i = 0; i < s->judge->docket->decisions && !st; i++)
        atomic_fetch_add(&s->judge->counts.audits, s->judge->docket->decision[i].audited);
    docket_clear(s->judge->docket);
}

void judge_pictures(struct judge *j, struct job *const *jobs, int count)
{
    struct sitting s = {.judge = j, .jobs = jobs, .count = count};
    struct rules *rules;

    assert(count >= 1 && count <= JUDGE_BATCH_MAX);
    for (int i = 0; i < count && !judge_is_sound(j); i++)
        jobs[i]->status = why_fail(&jobs[i]->why, ST_DEVICE,
                                   "pictures cannot be judged any more; ask again when the server "
                                   "has restarted");
    if (!judge_is_sound(j))
        return;
    pthread_mutex_lock(&j->bench);
    rules = rules_take(j);
    s.rules = rules;
    score(&s);
    for (int i = 0; i < count; i++) {
        struct why why = {""};

        jobs[i]->status = ST_OK;
        if (decide_and_list(&s, i, &why))
            unrecorded(j, jobs[i], &why);
    }
    record(&s);
    rules_put(j, rules);
    pthread_mutex_unlock(&j->bench);
}

bool judge_preview(struct judge *j, const struct job *job, const struct image *image)
{
    int safety = j->model[job->judged_as].safety;
    struct rules *rules;
    struct scores scores;
    struct why why = {""};
    struct verdict v;
    bool allowed;
    enum status st;

    if (!judge_is_sound(j))
        return false;
    gate_enter(&j->gate, false);
    st = vision_score(j->vision, &scores, &image, &safety, 1, &why);
    gate_leave(&j->gate);
    rules = rules_take(j);
    decide(&v, j, rules->policy, job, st || !scores_are_finite(&scores) ? NULL : &scores, job->id);
    rules_put(j, rules);
    allowed = v.action == BAND_ALLOW;
    atomic_fetch_add(&j->counts.previews, 1);
    atomic_fetch_add(&j->counts.previews_withheld, !allowed);
    return allowed;
}
