/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people say of automatic blocks goes to the breaker (moderation/breaker.h), which turns the
 * blocks of a slice into holds when too many were wrong. Each row is kept as a note of the store,
 * where the judge finds it at the next start; a slice that opens or closes is an event.
 */
#include "base/log.h"
#include "moderation/wilson.h"
#include "server/desk/room.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_MAX   400 /* bytes of what a lead says when he closes one */
#define LISTED_MAX 64

static void keep(struct desk *d, const struct breaker_slice *row)
{
    char name[STORE_NOTE_NAME_MAX + 16], body[BREAKER_TEXT_MAX];
    struct why why = {""};

    snprintf(name, sizeof(name), "%s%s", JUDGE_BREAKER_NOTE, row->slice);
    name[STORE_NOTE_NAME_MAX - 1] = '\0';
    breaker_print(body, row);
    desk_note(d, d->store->ops->note_put(d->store, name, body, &why), &why);
}

static void tell(struct desk *d, const struct store_decision *decision, const char *actor,
                 const struct breaker_slice *row, const char *note)
{
    struct json_out o = {.text = NULL};
    char kind[STORE_REASON_MAX];

    snprintf(kind, sizeof(kind), "breaker.%s", breaker_state_name(row->state));
    json_out_object(&o, NULL);
    json_out_string(&o, "slice", row->slice);
    json_out_int(&o, "overturned", row->overturned);
    json_out_int(&o, "outcomes", row->outcomes);
    json_out_int(&o, "policy_version", row->version);
    if (note)
        json_out_string(&o, "note", note);
    json_out_object_end(&o);
    if (!o.failed)
        desk_event(d, decision, "", actor, kind, o.text);
    json_out_close(&o);
    log_warn("breaker", "slice=%s state=%s overturned=%d of=%d", row->slice,
             breaker_state_name(row->state), row->overturned, row->outcomes);
}

/* Was it blocked by itself, or held only because its breaker was open? */
static bool is_automatic_block(const struct store_decision *decision)
{
    return decision->decision == BAND_BLOCK &&
           (decision->action == BAND_BLOCK || decision->cause == CAUSE_BREAKER);
}

void slices_outcome(struct desk *d, const struct policy *p, const struct store_decision *decision,
                    const struct store_item *item)
{
    int category = policy_find_category(p, decision->category);
    const struct policy_case c = {.tenant = decision->tenant,
                                  .context = decision->context[0] ? decision->context : NULL,
                                  .generator = decision->model};
    bool overturned = item->outcome == STORE_OVERTURNED || item->outcome == STORE_PARTLY;
    char slice[POLICY_SLICE_MAX];
    struct breaker_slice row;
    bool changed = false;

    if (category < 0 || !is_automatic_block(decision) || item->kind == STORE_ITEM_GOLDEN)
        return;
    policy_slice(slice, p, category, &c);
    if (breaker_add(judge_breaker(d->service->judge), slice, decision->id, overturned,
                    policy_version(p), clock_unix_s(), &row, &changed)) {
        log_error("breaker", "no room for slice %s: its outcomes are not counted", slice);
        return;
    }
    keep(d, &row);
    if (changed)
        tell(d, decision, "system", &row, NULL);
}

/* ---- for leads ---- */

static void write_slice(struct json_out *o, const struct desk *d, const struct breaker_slice *row)
{
    struct wilson w = wilson_interval(row->overturned, row->outcomes, 0.95);
    char date[DATE_MAX], who[PSEUDONYM_MAX];

    moderated_date(date, row->since_s);
    desk_pseudonym(d, who, row->closed_by);
    json_out_object(o, NULL);
    json_out_string(o, "slice", row->slice);
    json_out_string(o, "state", breaker_state_name(row->state));
    json_out_string(o, "opened_at", row->since_s ? date : NULL);
    json_out_object(o, "overturned");
    json_out_int(o, "k", row->overturned);
    json_out_int(o, "n", row->outcomes);
    json_out_real(o, "rate", row->outcomes ? (double)row->overturned / row->outcomes : NAN);
    json_out_real(o, "low", w.low);
    json_out_real(o, "high", w.high);
    json_out_object_end(o);
    json_out_object(o, "policy");
    json_out_int(o, "version", row->version);
    json_out_object_end(o);
    json_out_text(o, "opened_by", row->opened_by);
    json_out_string(o, "closed_by", row->closed_by[0] ? who : NULL);
    json_out_object_end(o);
}

/* Those that are open or half open. */
void slices_write(struct desk *d, struct json_out *o, const char *name)
{
    struct breaker *b = judge_breaker(d->service->judge);
    struct breaker_slice *rows = calloc(LISTED_MAX, sizeof(*rows));
    int from = 0, count, told = 0;

    json_out_array(o, name);
    while (rows && (count = breaker_list(b, from, rows, LISTED_MAX)) > 0) {
        for (int i = 0; i < count && told < LISTED_MAX; i++) {
            if (rows[i].state == BREAKER_CLOSED)
                continue;
            write_slice(o, d, &rows[i]);
            told++;
        }
        from += count;
    }
    json_out_array_end(o);
    free(rows);
}

/* The version that is said has to be the one that decides now: who closes a slice has put another
   policy in the place of the one that was wrong, and means that one. */
static enum status approve(struct desk *d, const struct matter *m, struct breaker_slice *row,
                           struct why *why)
{
    struct judge *judge = d->service->judge;
    const struct policy *policy = judge_policy(judge);
    int live = policy_version(policy);

    judge_release(judge, policy);
    if (m->number[0] != live)
        return why_fail(why, ST_REFUSED, "policy version %d decides now, not version %lld", live,
                        (long long)m->number[0]);
    return breaker_approve(judge_breaker(judge), m->slice, m->who.prefix, live, clock_unix_s(), row,
                           why);
}

void slices_close(struct desk *d, struct matter *m)
{
    struct breaker_slice row;
    struct answer answer;
    struct why why = {""};
    enum status st;

    if (!m->text[0] || strlen(m->text) > NOTE_MAX) {
        matter_fail(m, 400, (struct failure){.param = "note"},
                    "note says in 1 to 400 bytes why this slice may block again");
        return;
    }
    st = approve(d, m, &row, &why);
    if (st == ST_MISSING) {
        matter_fail(m, 404, (struct failure){.code = "slice_not_found"}, why.text);
    } else if (st) {
        matter_fail(m, 409,
                    (struct failure){.code = st == ST_REFUSED ? "policy_not_newer" : "not_open"},
                    why.text);
    } else {
        keep(d, &row);
        tell(d, NULL, m->who.prefix, &row, m->text);
        desk_answer(&answer, 200);
        write_slice(&answer.json, d, &row);
        answer_json_end(&answer);
        matter_answer(m, &answer);
    }
}
