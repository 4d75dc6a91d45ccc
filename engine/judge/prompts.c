/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/json.h"
#include "engine/judge/room.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_UNJUDGED "-" /* no category's name */

static const char *said(const char *text)
{
    return text ? text : "";
}

/* ---- what is done ---- */

static void decide(struct verdict *out, const struct rules *r, const struct prompt_finding *finding,
                   const char *context)
{
    if (!finding->found)
        return;
    out->cause = CAUSE_PROMPT;
    out->category = policy_find_category(r->policy, finding->category);
    /* Rules that know more categories than the policy: a person has to say what that means. */
    out->action =
        out->category < 0 ? BAND_HOLD : policy_prompt_action(r->policy, out->category, context);
    out->decision = out->action;
}

void judge_prompt(struct judge *j, const struct judge_asked *asked, struct verdict *out,
                  struct prompt_finding *finding)
{
    const char *context = said(asked->context)[0] ? asked->context : NULL;
    struct rules *r = rules_take(j);
    struct why why = {""};

    *out = (struct verdict){.action = BAND_ALLOW, .category = -1, .gap = 1};
    *finding = (struct prompt_finding){.found = false};
    for (int c = 0; c < POLICY_CATEGORIES_MAX; c++)
        out->p[c] = NAN;
    if (!r->prompt) {
        ; /* this policy looks at pictures alone */
    } else if (prompt_score(r->prompt, finding, asked->prompt, strlen(asked->prompt), context,
                            &why)) {
        out->decision = out->action = BAND_HOLD;
        out->cause = CAUSE_UNJUDGED;
    } else {
        decide(out, r, finding, context);
    }
    rules_put(j, r);
    atomic_fetch_add(&j->counts.prompts, 1);
    atomic_fetch_add(&j->counts.prompts_by_action[out->action], 1);
}

const char *judge_held_for(const struct verdict *v, const struct prompt_finding *finding)
{
    if (v->action != BAND_HOLD)
        return "";
    return finding->found && finding->category[0] ? finding->category : HELD_UNJUDGED;
}

/* ---- the record ---- */

/* The finding, but never the words. */
static enum status write_finding(char out[STORE_SCORES_MAX], const struct prompt_finding *f)
{
    struct json_out o = {0};
    bool fits;

    json_out_object(&o, NULL);
    json_out_string(&o, "category", f->category);
    json_out_string(&o, "rule", f->rule);
    if (f->harmless[0])
        json_out_string(&o, "harmless", f->harmless);
    json_out_object_end(&o);
    fits = !o.failed && o.bytes < STORE_SCORES_MAX;
    if (fits)
        memcpy(out, o.text, o.bytes + 1);
    json_out_close(&o);
    return fits ? ST_OK : ST_FULL;
}

static enum status describe(struct store_decision *row, const struct judge *j,
                            const struct rules *r, const struct judge_asked *a,
                            const struct prompt_finding *finding, struct why *why)
{
    enum status st = crypto_id(row->id, sizeof(row->id), "dec_", why);

    if (st)
        return st;
    if (write_finding(row->scores, finding))
        return why_fail(why, ST_FULL, "no memory for what was found in a prompt");
    row->stage = STORE_STAGE_PROMPT;
    row->standing = STORE_BLOCKED;
    row->shadow = -1;
    snprintf(row->tenant, sizeof(row->tenant), "%s", said(a->tenant));
    snprintf(row->context, sizeof(row->context), "%s", said(a->context));
    snprintf(row->user, sizeof(row->user), "%s", said(a->user));
    snprintf(row->request, sizeof(row->request), "%s", said(a->request));
    snprintf(row->model, sizeof(row->model), "%s", said(a->model));
    if (r->prompt)
        snprintf(row->weights_sha256, sizeof(row->weights_sha256), "%s", prompt_sha256(r->prompt));
    subject_of(j, row->subject, row->tenant, a->prompt, "");
    return ST_OK;
}

static enum status write_down(struct docket *d, struct judge *j, const struct rules *r,
                              const struct judge_asked *a, const struct verdict *verdict,
                              struct store_decision *row, struct why *why)
{
    const struct docket_matter matter = {.policy = r->policy,
                                         .verdict = verdict,
                                         .prompt = a->prompt,
                                         .negative = said(a->negative)};
    enum status st = docket_add(d, j, row, &matter, why);

    if (!st)
        st = docket_commit(d, j, why);
    if (!st)
        *row = d->decision[0];
    docket_clear(d);
    return st;
}

static enum status record(struct judge *j, const struct rules *r, const struct judge_asked *a,
                          const struct verdict *verdict, const struct prompt_finding *finding,
                          struct store_decision *out, bool *released, struct why *why)
{
    struct docket *d;
    struct verdict v = *verdict;
    enum store_standing before;
    enum status st = describe(out, j, r, a, finding, why);

    if (!st)
        st = precedent_of(j, out->tenant, out->subject, released, &before, why);
    if (st)
        return st;
    *released = *released && (before == STORE_RELEASED || before == STORE_BLURRED);
    if (*released) {
        atomic_fetch_add(&j->counts.precedents, 1);
        return ST_OK;
    }
    /* The policy may be another one than when the prompt was judged. */
    v.category = policy_find_category(r->policy, finding->category);
    d = calloc(1, sizeof(*d));
    if (!d)
        return why_fail(why, ST_FULL, "no memory to write down what was decided");
    st = write_down(d, j, r, a, &v, out, why);
    free(d);
    return st;
}

enum status judge_record(struct judge *j, const struct judge_asked *asked,
                         const struct verdict *verdict, const struct prompt_finding *finding,
                         struct store_decision *out, bool *released, struct why *why)
{
    struct rules *r;
    enum status st;

    *released = false;
    *out = (struct store_decision){.shadow = -1};
    if (!j->store)
        return why_fail(why, ST_UNSUPPORTED, "nothing is recorded here");
    r = rules_take(j);
    st = record(j, r, asked, verdict, finding, out, released, why);
    rules_put(j, r);
    return st;
}
