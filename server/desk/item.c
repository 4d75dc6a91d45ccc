/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reviewer sees of an item. Whatever could lean on him is left out until he has decided:
 * scores, what was done with the picture, what somebody else said about it, and whether it is an
 * audit, a second opinion or an item whose answer is known. These look like a hold, or like the
 * appeal that they were made of.
 */
#include "moderation/scores.h"
#include "server/desk/room.h"
#include "server/statement.h"
#include "store/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 200
#define DAY_S    (24LL * 3600)

static const char *const states[STORE_ITEM_STATES] = {
    [STORE_ITEM_QUEUED] = "queued",       [STORE_ITEM_CLAIMED] = "claimed",
    [STORE_ITEM_ASKED] = "asked",         [STORE_ITEM_DECIDED] = "decided",
    [STORE_ITEM_WITHDRAWN] = "withdrawn", [STORE_ITEM_SUPERSEDED] = "superseded"};

static const char *const codes[] = {
    "medical_or_educational", "art_or_history",     "not_what_it_says",
    "harmless_word",          "context_granted",    "other_allowed",
    "explicit_content",       "suggestive_content", "violence",
    "not_in_context",         "other_rule",         "suspected_illegal"};

static const char *const kinds[STORE_ITEM_KINDS] = {[STORE_ITEM_HOLD] = "hold",
                                                    [STORE_ITEM_APPEAL] = "appeal",
                                                    [STORE_ITEM_AUDIT] = "audit",
                                                    [STORE_ITEM_SECOND] = "second",
                                                    [STORE_ITEM_GOLDEN] = "golden"};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What is told of one item, together. */
struct showing {
    const struct store_item *item, *owner; /* whose words are the owner's; NULL: he wrote nothing */
    struct store_decision decision, told;  /* as it is; and as its owner saw it when he wrote */
    bool asker_decided, whole; /* he has decided it; he may see everything that happened */
};

bool item_is_code(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (!strcmp(codes[i], code))
            return true;
    }
    return false;
}

bool item_is_blind(const struct store_item *item)
{
    return item->kind == STORE_ITEM_AUDIT || item->kind == STORE_ITEM_SECOND ||
           item->kind == STORE_ITEM_GOLDEN;
}

static const char *const outcomes[STORE_OUTCOMES] = {[STORE_OVERTURNED] = "overturn",
                                                     [STORE_PARTLY] = "partly",
                                                     [STORE_UPHELD] = "uphold",
                                                     [STORE_ILLEGAL] = "illegal"};

enum store_outcome item_outcome(const char *word)
{
    for (int i = STORE_UNDECIDED + 1; i < STORE_OUTCOMES; i++) {
        if (!strcmp(outcomes[i], word))
            return (enum store_outcome)i;
    }
    return STORE_UNDECIDED;
}

static void write_reviewer(struct desk *d, struct json_out *o, const struct store_item *item)
{
    char name[PSEUDONYM_MAX];

    desk_pseudonym(d, name, item->reviewer);
    json_out_string(o, "reviewer", item->reviewer[0] ? name : NULL);
}

/* ---- what all see ---- */

/* A golden item has waited for ever and is never late; what is told is what a usual one has. */
static void disguise(struct store_item *item)
{
    int64_t seen_s = item->claimed_ms ? item->claimed_ms / 1000 : clock_unix_s();
    int64_t age_s = 600 + 97 * (item->seq % 53);

    item->due_first_s = seen_s - age_s + DAY_S;
    item->due_s = seen_s - age_s + 3 * DAY_S;
    item->created_s = seen_s - age_s;
}

/* The name of a kind is for leads; `shown` is what a reviewer may know. */
static void write_head(struct desk *d, struct json_out *o, const struct store_item *from,
                       const char *shown)
{
    struct store_item copy = *from, *item = &copy;
    int64_t now_s = clock_unix_s();
    bool leased = item->state == STORE_ITEM_CLAIMED && item->lease_until_s > now_s;

    if (item->kind == STORE_ITEM_GOLDEN)
        disguise(item);
    json_out_string(o, "id", item->id);
    json_out_string(o, "object", "review.item");
    json_out_string(o, "kind", shown);
    json_out_string(
        o, "state",
        states[item->state == STORE_ITEM_CLAIMED && !leased ? STORE_ITEM_QUEUED : item->state]);
    json_out_int(o, "version", item->version);
    json_out_string(o, "queue", item->queue);
    json_out_string(o, "tenant", item->tenant);
    json_out_int(o, "severity", item->severity);
    moderated_write_date(o, "created_at", item->created_s);
    moderated_write_date(o, "due_first_review", item->due_first_s);
    moderated_write_date(o, "due", item->due_s);
    json_out_bool(o, "escalated", item->escalated_s != 0);
    json_out_int(o, "skips", item->skips);
    moderated_write_date(o, "lease_until", leased ? item->lease_until_s : 0);
    if (leased || item->state == STORE_ITEM_DECIDED)
        write_reviewer(d, o, item);
    else
        json_out_string(o, "reviewer", NULL);
}

static void write_outcome(struct json_out *o, const struct store_item *item)
{
    bool decided = item->state == STORE_ITEM_DECIDED;

    json_out_string(o, "outcome", decided ? outcomes[item->outcome] : NULL);
    json_out_text(o, "code", decided ? item->code : "");
    json_out_text(o, "clause", decided ? item->clause : "");
    json_out_text(o, "answer", decided ? item->answer : "");
    if (decided && item->confidence)
        json_out_int(o, "confidence", item->confidence);
    else
        json_out_string(o, "confidence", NULL);
}

void item_write_short(struct desk *d, struct json_out *o, const char *name,
                      const struct store_item *item)
{
    json_out_object(o, name);
    write_head(d, o, item, kinds[item->kind]);
    json_out_text(o, "category", item->category);
    json_out_string(o, "decision_id", item->decision);
    write_outcome(o, item);
    json_out_object_end(o);
}

/* ---- what the one sees who has it ---- */

/* What the owner was told, as lines. */
static void write_statement(struct json_out *o, const struct moderated *mo, const struct showing *s)
{
    struct bytes text = {.data = NULL};
    char *copy = NULL;

    if (s->owner && !statement_text(&text, mo, &s->told))
        copy = strndup((const char *)text.data, text.count);
    json_out_string(o, "statement", copy);
    free(copy);
    bytes_close(&text);
}

static void write_decision(struct json_out *o, const struct moderated *mo, const struct showing *s)
{
    const struct store_decision *decision = &s->decision;

    json_out_object(o, "decision");
    json_out_string(o, "id", decision->id);
    json_out_string(o, "stage", decision->stage == STORE_STAGE_PROMPT ? "prompt" : "image");
    json_out_string(o, "action", s->asker_decided ? band_name((enum band)decision->action) : NULL);
    if (s->item->category[0]) {
        json_out_object(o, "category");
        json_out_string(o, "id", s->item->category);
        json_out_int(o, "severity", s->item->severity);
        json_out_object_end(o);
    } else {
        json_out_string(o, "category", NULL);
    }
    json_out_text(o, "context", decision->context);
    moderated_write_date(o, "created_at", s->told.created_s);
    json_out_string(o, "model", decision->model);
    json_out_object(o, "policy");
    json_out_string(o, "id", decision->policy);
    json_out_int(o, "version", decision->policy_version);
    json_out_object_end(o);
    write_statement(o, mo, s);
    json_out_object_end(o);
}

static void write_picture(struct json_out *o, const struct store_decision *decision)
{
    if (decision->stage != STORE_STAGE_IMAGE || !decision->object[0] ||
        decision->standing == STORE_SEALED) {
        json_out_string(o, "picture", NULL);
        return;
    }
    json_out_object(o, "picture");
    json_out_int(o, "width", decision->width);
    json_out_int(o, "height", decision->height);
    json_out_object_end(o);
}

/* The words are kept with the picture, and go with it. */
static void write_prompt(struct desk *d, struct json_out *o, const struct store_decision *decision)
{
    struct judge_kept kept;
    struct why why = {""};
    bool sealed = decision->standing == STORE_SEALED || !decision->object[0];

    if (sealed || judge_keep_open(d->service->judge, decision, &kept, &why)) {
        json_out_string(o, "prompt", NULL);
        json_out_string(o, "negative_prompt", NULL);
        return;
    }
    json_out_string(o, "prompt", kept.prompt);
    json_out_string(o, "negative_prompt", kept.negative && kept.negative[0] ? kept.negative : NULL);
    judge_kept_close(&kept);
}

static void write_owner(struct json_out *o, const struct store_item *from)
{
    struct store_item copy, *owner = from ? &copy : NULL;

    if (from)
        copy = *from;
    if (owner && owner->kind == STORE_ITEM_GOLDEN)
        disguise(owner);
    if (!owner) {
        json_out_string(o, "owner", NULL);
        return;
    }
    json_out_object(o, "owner");
    json_out_string(o, "reason", owner->reason);
    json_out_string(o, "text", owner->text);
    moderated_write_date(o, "submitted_at", owner->created_s);
    json_out_text(o, "question", owner->question);
    json_out_text(o, "reply", owner->reply);
    json_out_object_end(o);
}

/* Nothing of what another reviewer thought, or that there was one, but for what he asked. */
static bool is_told(const struct showing *s, const struct store_event *event)
{
    return s->whole ||
           (s->owner && (!strcmp(event->actor, "owner") || !strcmp(event->kind, "judged") ||
                         strstr(event->kind, "ask") != NULL));
}

/* What happened after its owner wrote would say that it is no usual item. */
static void look_back(struct showing *s)
{
    struct store_item item = *s->item;

    s->told = s->decision;
    if (!item_is_blind(&item) || s->whole)
        return;
    s->told.standing = STORE_BLOCKED;
    s->told.decided_s = 0;
    if (item.kind != STORE_ITEM_GOLDEN)
        return;
    disguise(&item);
    s->told.appeal_until_s += item.created_s - s->told.created_s;
    s->told.created_s = item.created_s - 300;
}

static void write_history(struct desk *d, struct json_out *o, const struct showing *s)
{
    int count = EVENTS_MAX;
    struct why why = {""};
    enum status st = d->store->ops->event_list(d->store, s->decision.id, d->events, &count, &why);

    json_out_array(o, "history");
    for (int i = 0; i < count && !st; i++) {
        const struct store_event *event = &d->events[i];
        char name[PSEUDONYM_MAX];

        if (!is_told(s, event))
            continue;
        desk_pseudonym(d, name, event->actor);
        json_out_object(o, NULL);
        moderated_write_date(o, "at",
                             s->told.created_s + event->at_ms / 1000 - s->decision.created_s);
        json_out_string(o, "actor", name);
        json_out_string(o, "kind", event->kind);
        json_out_string(o, "text", NULL);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void write_clause(struct json_out *o, const struct moderated *mo, int i)
{
    const struct policy_category *category = policy_category(mo->policy, i);

    json_out_object(o, NULL);
    json_out_string(o, "id", category->clause);
    json_out_string(o, "category", category->id);
    json_out_string(o, "url", category->clause_url);
    json_out_string(o, "text", policy_reason(mo->policy, i, mo->language ? mo->language : ""));
    json_out_array(o, "examples");
    json_out_array_end(o);
    json_out_object_end(o);
}

/* The one that it is about comes first. */
static void write_clauses(struct json_out *o, const struct moderated *mo,
                          const struct store_item *item)
{
    int first = policy_find_category(mo->policy, item->category);

    json_out_array(o, "clauses");
    if (first >= 0)
        write_clause(o, mo, first);
    for (int i = 0; i < policy_category_count(mo->policy); i++) {
        if (i != first)
            write_clause(o, mo, i);
    }
    json_out_array_end(o);
    json_out_array(o, "codes");
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        json_out_string(o, NULL, codes[i]);
    json_out_array_end(o);
}

static void write_model(struct json_out *o, const struct scores *scores, enum scores_model model)
{
    double p[SCORES_CLASSES];

    if (!scores->has[model])
        return;
    scores_softmax(p, scores, model, 1);
    json_out_object(o, NULL);
    json_out_string(o, "id", model == SCORES_MAIN ? "main" : "second opinion");
    json_out_array(o, "classes");
    for (int c = 0; c < SCORES_CLASSES; c++) {
        json_out_object(o, NULL);
        json_out_string(o, "id", scores_class_name((enum scores_class)c));
        json_out_real(o, "p", p[c]);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    json_out_object_end(o);
}

static void write_categories(struct json_out *o, const struct moderated *mo,
                             const struct showing *s, const struct scores *scores)
{
    const struct policy_case c = {.scores = scores,
                                  .tenant = s->decision.tenant,
                                  .context = s->decision.context[0] ? s->decision.context : NULL,
                                  .generator = s->decision.model};
    struct verdict verdict;

    policy_decide(mo->policy, &c, &verdict);
    json_out_array(o, "categories");
    for (int i = 0; i < policy_category_count(mo->policy); i++) {
        json_out_object(o, NULL);
        json_out_string(o, "id", policy_category(mo->policy, i)->id);
        json_out_real(o, "p", verdict.p[i]);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    json_out_array(o, "models");
    write_model(o, scores, SCORES_MAIN);
    write_model(o, scores, SCORES_SECOND);
    json_out_array_end(o);
}

/* Once it can lead nobody any more. */
static void write_scores(struct json_out *o, const struct moderated *mo, const struct showing *s)
{
    struct scores scores;
    struct why why = {""};

    if (!s->asker_decided) {
        json_out_string(o, "scores", NULL);
        return;
    }
    json_out_object(o, "scores");
    json_out_string(o, "decision", band_name((enum band)s->decision.decision));
    json_out_string(o, "action", band_name((enum band)s->decision.action));
    json_out_string(o, "cause", cause_name((enum cause)s->decision.cause));
    if (s->item->kind == STORE_ITEM_GOLDEN)
        json_out_string(o, "expected", outcomes[s->item->expected]);
    if (s->decision.stage == STORE_STAGE_IMAGE && !scores_parse(&scores, s->decision.scores, &why))
        write_categories(o, mo, s, &scores);
    json_out_object_end(o);
}

static void write_all(struct desk *d, struct json_out *o, const char *name, const struct matter *m,
                      const struct showing *s)
{
    const struct store_item *item = s->item;
    struct moderated mo;

    moderated_open(&mo, d->service);
    mo.language = m->language[0] ? m->language : NULL;
    mo.secret = NULL; /* who has a link with its token may speak as the owner */
    json_out_object(o, name);
    write_head(d, o, item, s->owner ? "appeal" : "hold");
    json_out_bool(o, "mine",
                  item->state == STORE_ITEM_CLAIMED && !strcmp(item->reviewer, m->who.prefix) &&
                      item->lease_until_s > mo.now_s);
    write_decision(o, &mo, s);
    write_picture(o, &s->decision);
    write_prompt(d, o, &s->decision);
    write_owner(o, s->owner);
    write_history(d, o, s);
    write_clauses(o, &mo, item);
    write_outcome(o, item);
    write_scores(o, &mo, s);
    json_out_object_end(o);
    moderated_close(&mo, d->service);
}

/* The item whose owner wrote something: itself, or what it is a second look at. */
static const struct store_item *owner_of(struct desk *d, const struct store_item *item,
                                         struct store_item *parent)
{
    struct why why = {""};

    if (item->reason[0])
        return item;
    if (item->kind == STORE_ITEM_SECOND && item->parent[0] &&
        !d->store->ops->item_find(d->store, item->parent, parent, &why) && parent->reason[0])
        return parent;
    return NULL;
}

void item_write(struct desk *d, struct json_out *o, const char *name, const struct matter *m,
                const struct store_item *item)
{
    struct store_item parent;
    struct showing s = {.item = item, .owner = owner_of(d, item, &parent)};
    struct why why = {""};
    enum status st = d->store->ops->decision_find(d->store, item->decision, &s.decision, &why);

    if (st) {
        desk_note(d, st, &why);
        json_out_string(o, name, NULL);
        return;
    }
    s.asker_decided = item->state == STORE_ITEM_DECIDED && !strcmp(item->reviewer, m->who.prefix);
    s.whole = s.asker_decided || (m->who.scopes & SCOPE_LEAD);
    look_back(&s);
    write_all(d, o, name, m, &s);
}

void item_answer(struct desk *d, struct matter *m, const struct store_item *item)
{
    struct answer answer;

    desk_answer(&answer, 200);
    item_write(d, &answer.json, NULL, m, item);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

void item_run(struct desk *d, struct matter *m)
{
    struct store_item item;
    struct why why = {""};
    enum status st = d->store->ops->item_find(d->store, m->id, &item, &why);

    if (!desk_is_refused(d, m, st, APPEAL_FINE, &why))
        item_answer(d, m, &item);
}

/* ---- the lead's list ---- */

static int find(const char *const *names, int count, const char *word)
{
    for (int i = 0; i < count; i++) {
        if (!strcmp(names[i], word))
            return i;
    }
    return -1;
}

/* What a lead asks for; below 0: any. */
struct filter {
    int state, kind, limit, told;
    enum store_outcome outcome;
    const char *reviewer;
};

static bool fits(const struct desk *d, const struct filter *f, const struct store_item *item)
{
    char name[PSEUDONYM_MAX];

    if ((f->kind >= 0 && (int)item->kind != f->kind) || (f->outcome && item->outcome != f->outcome))
        return false;
    if (!f->reviewer[0])
        return true;
    desk_pseudonym(d, name, item->reviewer);
    return item->reviewer[0] && !strcmp(name, f->reviewer);
}

static enum status write_some(struct desk *d, struct json_out *o, struct filter *f, unsigned open,
                              struct why *why)
{
    int count = ITEMS_MAX;
    enum status st = open ? d->store->ops->item_open(d->store, (1u << STORE_ITEM_KINDS) - 1, open,
                                                     d->items, &count, why)
                          : d->store->ops->item_decided(d->store, 0, d->items, &count, why);

    for (int i = 0; i < count && !st && f->told < f->limit; i++) {
        if (!fits(d, f, &d->items[i]))
            continue;
        item_write_short(d, o, NULL, &d->items[i]);
        f->told++;
    }
    return st;
}

/* What is open, then what was decided last; or what is in the one state. */
static void answer_list(struct desk *d, struct matter *m, struct filter *f)
{
    unsigned open = f->state < 0 ? 7u : f->state == STORE_ITEM_DECIDED ? 0 : 1u << f->state;
    struct answer answer;
    struct why why = {""};
    enum status st = ST_OK;

    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "object", "list");
    json_out_array(&answer.json, "data");
    if (open)
        st = write_some(d, &answer.json, f, open, &why);
    if (!st && (f->state < 0 || f->state == STORE_ITEM_DECIDED))
        st = write_some(d, &answer.json, f, 0, &why);
    json_out_array_end(&answer.json);
    json_out_bool(&answer.json, "has_more", f->told == f->limit);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    if (!st) {
        matter_answer(m, &answer);
        return;
    }
    answer_close(&answer);
    desk_note(d, st, &why);
    matter_fail_store(m, st);
}

void item_list(struct desk *d, struct matter *m)
{
    struct filter f = {
        .state = m->word[0] ? find(states, STORE_ITEM_STATES, m->word) : -1,
        .kind = m->kinds[0] ? find(kinds, STORE_ITEM_KINDS, m->kinds) : -1,
        .limit = m->number[0] < 1 || m->number[0] > LIST_MAX ? LIST_MAX : (int)m->number[0],
        .outcome = m->code[0] ? item_outcome(m->code) : STORE_UNDECIDED,
        .reviewer = m->reason,
    };

    if ((m->word[0] && f.state < 0) || (m->kinds[0] && f.kind < 0) ||
        (m->code[0] && f.outcome == STORE_UNDECIDED))
        matter_fail(m, 400, (struct failure){0}, "there is no such state, kind or outcome");
    else
        answer_list(d, m, &f);
}
