/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviewers whose decisions are too quick to be looks, or all alike. That is no proof of anything,
 * so nobody is stopped: a lead is told, and others look again at what was decided so.
 */
#include "base/json.h"
#include "base/log.h"
#include "server/desk/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKED_AT 50 /* of his newest decisions */
#define FAST_MIN  20 /* decisions, of which the middle one took */
#define FAST_MS   2000
#define RUN_MIN   15 /* alike, one after another */
#define DAY_S     (24 * 3600)

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void pace_person(struct pace *out, const struct store_item *items, int count, const char *prefix)
{
    enum store_outcome last = STORE_UNDECIDED;
    int64_t spent[LOOKED_AT];
    int run = 0, seen = 0;

    *out = (struct pace){.kind = NULL};
    for (int i = 0; i < count && seen < LOOKED_AT; i++) {
        if (strcmp(items[i].reviewer, prefix) != 0)
            continue;
        run = items[i].outcome == last ? run + 1 : 1;
        last = items[i].outcome;
        if (run > out->longest_run)
            out->longest_run = run;
        if (seen < FAST_MIN || run == seen + 1)
            out->since_s = items[i].decided_s;
        spent[seen++] = items[i].spent_ms;
    }
    if (!seen)
        return;
    qsort(spent, (size_t)seen, sizeof(spent[0]), by_number);
    out->median_ms = spent[seen / 2];
    out->decisions = seen;
    if (seen >= FAST_MIN && out->median_ms < FAST_MS)
        out->kind = "too_fast";
    else if (out->longest_run >= RUN_MIN)
        out->kind = "identical_run";
}

/* ---- what follows ---- */

static bool has_second(const struct store_item *of, const struct store_item *list, int count)
{
    for (int i = 0; i < count; i++) {
        if (list[i].kind == STORE_ITEM_SECOND && !strcmp(list[i].parent, of->id))
            return true;
    }
    return false;
}

/* Somebody else looks at it. False: somebody does already, or it cannot be had. */
static bool ask_again(struct desk *d, const struct policy *policy, const struct store_item *of)
{
    struct store_item *list = calloc(16, sizeof(*list)), second;
    struct store_decision decision;
    struct why why = {""};
    int count = 16;
    bool asked = false;

    if (list && !d->store->ops->item_list(d->store, of->decision, list, &count, &why) &&
        !has_second(of, list, count) &&
        !d->store->ops->decision_find(d->store, of->decision, &decision, &why)) {
        appeal_item(&second, policy, &decision, STORE_ITEM_SECOND, clock_unix_s());
        memcpy(second.parent, of->id, sizeof(second.parent));
        memcpy(second.queue, of->queue, sizeof(second.queue));
        asked = !d->store->ops->item_add(d->store, &second, &why);
    }
    free(list);
    return asked;
}

static void write_alarm(char out[STORE_EVENT_MAX], const struct pace *w, int requeued)
{
    snprintf(out, STORE_EVENT_MAX,
             "{\"kind\":\"%s\",\"since\":%lld,\"decisions\":%d,\"median_ms\":%lld,"
             "\"longest_run\":%d,\"requeued\":%d}",
             w->kind, (long long)w->since_s, w->decisions, (long long)w->median_ms, w->longest_run,
             requeued);
}

/* How many of his were asked again already today: the note of before. */
static int requeued_before(struct desk *d, const char *name, bool *fresh)
{
    char body[STORE_NOTE_BODY_MAX];
    struct json *root = NULL;
    int64_t since_s = 0, requeued = 0;
    struct why why = {""};

    *fresh = true;
    if (d->store->ops->note_get(d->store, name, body, &why) ||
        json_parse(&root, body, strlen(body), &why))
        return 0;
    if (!json_get_int(root, "since", &since_s, &why) &&
        !json_get_int(root, "requeued", &requeued, &why) && clock_unix_s() - since_s < DAY_S)
        *fresh = false;
    json_close(&root);
    return *fresh ? 0 : (int)requeued;
}

static void raise(struct desk *d, const char *prefix, const struct pace *w, int requeued)
{
    char name[STORE_NOTE_NAME_MAX], text[STORE_EVENT_MAX];
    struct why why = {""};
    bool fresh;

    snprintf(name, sizeof(name), "alarm/%s", prefix);
    requeued += requeued_before(d, name, &fresh);
    write_alarm(text, w, requeued);
    desk_note(d, d->store->ops->note_put(d->store, name, text, &why), &why);
    if (!fresh)
        return;
    d->alarms++;
    desk_event(d, NULL, "", "system", "reviewer.alarm", text);
    log_warn("reviewer_alarm", "kind=%s decisions=%d", w->kind, w->decisions);
}

void pace_after(struct desk *d, const char *prefix)
{
    int64_t day_ago_s = clock_unix_s() - DAY_S;
    const struct policy *policy;
    int count = ITEMS_MAX, requeued = 0;
    struct why why = {""};
    struct pace w;

    if (d->store->ops->item_decided(d->store, day_ago_s, d->items, &count, &why))
        return;
    pace_person(&w, d->items, count, prefix);
    if (!w.kind)
        return;
    policy = judge_policy(d->service->judge);
    for (int i = 0; i < count; i++) {
        const struct store_item *item = &d->items[i];

        if (!strcmp(item->reviewer, prefix) && item->decided_s >= w.since_s &&
            (item->kind == STORE_ITEM_HOLD || item->kind == STORE_ITEM_APPEAL))
            requeued += ask_again(d, policy, item);
    }
    judge_release(d->service->judge, policy);
    raise(d, prefix, &w, requeued);
}
