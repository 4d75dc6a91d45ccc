/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who reviews. How long somebody works and how much he has seen is counted here and kept in a note,
 * so that a restart gives nobody a second helping. A break begins when it is due, or whenever
 * nothing was done for as long as a break takes.
 */
#include "base/json.h"
#include "server/desk/room.h"
#include "store/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S (int64_t)3600
#define DAY_S  (24 * HOUR_S)

static void note_name(char out[STORE_NOTE_NAME_MAX], const char *prefix)
{
    snprintf(out, STORE_NOTE_NAME_MAX, "exposure/%s", prefix);
}

static void read_note(struct person *p, const char *text)
{
    const struct json *seen;
    struct json *root;

    if (json_parse(&root, text, strlen(text), NULL))
        return;
    if (json_get_int(root, "since", &p->since_s, NULL) ||
        json_get_int(root, "last", &p->last_s, NULL) ||
        json_get_int(root, "break_until", &p->break_until_s, NULL))
        p->since_s = p->last_s = p->break_until_s = 0;
    seen = json_get(root, "seen");
    for (size_t i = 0; i < json_size(seen) && i < EXPOSURES_MAX; i++) {
        if (json_type_of(json_at(seen, i)) == JSON_TYPE_INT)
            p->seen[p->seen_count++] = json_as_int(json_at(seen, i));
    }
    p->seen_next = p->seen_count % EXPOSURES_MAX;
    json_close(&root);
}

void people_keep(struct desk *d, const struct person *p)
{
    int64_t day_ago_s = clock_unix_s() - DAY_S;
    char name[STORE_NOTE_NAME_MAX];
    struct json_out o = {.text = NULL};
    struct why why = {""};

    json_out_object(&o, NULL);
    json_out_int(&o, "since", p->since_s);
    json_out_int(&o, "last", p->last_s);
    json_out_int(&o, "break_until", p->break_until_s);
    json_out_array(&o, "seen");
    for (int i = 0; i < p->seen_count; i++) {
        int at = (p->seen_next - p->seen_count + i + EXPOSURES_MAX) % EXPOSURES_MAX;

        if (p->seen[at] > day_ago_s)
            json_out_int(&o, NULL, p->seen[at]);
    }
    json_out_array_end(&o);
    json_out_object_end(&o);
    note_name(name, p->prefix);
    if (!o.failed)
        desk_note(d, d->store->ops->note_put(d->store, name, o.text, &why), &why);
    json_out_close(&o);
}

static struct person *add(struct desk *d, const char *prefix)
{
    char name[STORE_NOTE_NAME_MAX], body[STORE_NOTE_BODY_MAX];
    struct person *p;
    struct why why = {""};

    if (d->person_count == PEOPLE_MAX)
        return NULL;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    snprintf(p->prefix, sizeof(p->prefix), "%s", prefix);
    desk_pseudonym(d, p->name, prefix);
    note_name(name, prefix);
    if (!d->store->ops->note_get(d->store, name, body, &why))
        read_note(p, body);
    d->person[d->person_count++] = p;
    return p;
}

struct person *people_find(struct desk *d, const char *prefix)
{
    for (int i = 0; i < d->person_count; i++) {
        if (!strcmp(d->person[i]->prefix, prefix))
            return d->person[i];
    }
    return add(d, prefix);
}

int people_seen_since(const struct person *p, int64_t since_s)
{
    int count = 0;

    for (int i = 0; i < p->seen_count; i++)
        count += p->seen[i] >= since_s;
    return count;
}

/* Below 0: no break is ever due. */
int64_t people_break_due_s(const struct desk *d, const struct person *p, int64_t now_s)
{
    int64_t due_s = p->since_s + 60 * d->settings.work_minutes;

    if (!d->settings.work_minutes || !p->since_s)
        return -1;
    return due_s > now_s ? due_s - now_s : 0;
}

static void refuse_break(struct matter *m, int64_t left_s)
{
    matter_fail(m, 429,
                (struct failure){.code = "break_due", .retry_after_ms = (int)(left_s * 1000)},
                "a break is due: nothing is given out to you until it is over");
}

bool people_may_claim(struct desk *d, struct matter *m, struct person *p, int64_t now_s)
{
    int64_t break_s = 60 * d->settings.break_minutes;

    if (!p) {
        matter_fail(m, 503, (struct failure){0}, "too many people review at the same time");
        return false;
    }
    if (now_s < p->break_until_s) {
        refuse_break(m, p->break_until_s - now_s);
        return false;
    }
    if (!p->since_s || now_s - p->last_s >= break_s || p->break_until_s > p->since_s)
        p->since_s = now_s; /* he is fresh */
    if (break_s && people_break_due_s(d, p, now_s) == 0) {
        p->break_until_s = now_s + break_s;
        people_keep(d, p);
        refuse_break(m, break_s);
        return false;
    }
    p->last_s = now_s;
    return true;
}

/* When the oldest look of the last hour is an hour ago. */
static int64_t until_next_s(const struct person *p, int64_t now_s)
{
    int64_t oldest_s = now_s;

    for (int i = 0; i < p->seen_count; i++) {
        if (p->seen[i] > now_s - HOUR_S && p->seen[i] < oldest_s)
            oldest_s = p->seen[i];
    }
    return oldest_s + HOUR_S - now_s;
}

bool people_may_see(struct desk *d, struct matter *m, struct person *p, int64_t now_s)
{
    if (p && people_seen_since(p, now_s - HOUR_S + 1) < d->settings.views_per_hour)
        return true;
    matter_fail(m, 429,
                (struct failure){.code = "exposure_cap",
                                 .retry_after_ms = p ? (int)until_next_s(p, now_s) * 1000 : 1000},
                "you have seen as many uncovered pictures as one person should in an hour; blurred "
                "ones are still shown");
    return false;
}

void people_saw(struct desk *d, struct person *p, int64_t now_s)
{
    p->seen[p->seen_next] = now_s;
    p->seen_next = (p->seen_next + 1) % EXPOSURES_MAX;
    if (p->seen_count < EXPOSURES_MAX)
        p->seen_count++;
    p->last_s = now_s;
    d->full_views++;
    people_keep(d, p);
}

/* ---- what one's own numbers are ---- */

static void write_work(struct desk *d, struct json_out *o, const struct person *p, int64_t now_s)
{
    int64_t due_s = people_break_due_s(d, p, now_s);
    int seen = people_seen_since(p, now_s - HOUR_S + 1);

    json_out_int(o, "full_views_hour", seen);
    json_out_int(o, "full_views_per_hour", d->settings.views_per_hour);
    json_out_int(o, "full_views_today", people_seen_since(p, now_s - now_s % DAY_S));
    json_out_int(o, "minutes_since_break", p->since_s ? (now_s - p->since_s) / 60 : 0);
    json_out_int(o, "break_every_minutes", d->settings.work_minutes);
    json_out_int(o, "break_minutes", d->settings.break_minutes);
    if (due_s < 0)
        json_out_string(o, "break_due_in_s", NULL);
    else
        json_out_int(o, "break_due_in_s", due_s);
    moderated_write_date(o, "break_until", p->break_until_s > now_s ? p->break_until_s : 0);
}

/* What was decided since midnight, and what waits; golden items wait for nobody. */
static enum status count_day(struct desk *d, const struct person *p, int64_t now_s,
                             int64_t *decided, int64_t *waiting, struct why *why)
{
    struct store_counts counts;
    int count = ITEMS_MAX;
    enum status st =
        d->store->ops->item_decided(d->store, now_s - now_s % DAY_S, d->items, &count, why);

    if (!st)
        st = d->store->ops->item_counts(d->store, now_s, now_s, &counts, why);
    for (int i = 0; i < count && !st; i++)
        *decided += !strcmp(d->items[i].reviewer, p->prefix);
    for (int k = 0; k < STORE_ITEM_GOLDEN && !st; k++)
        *waiting += counts.items[k][STORE_ITEM_QUEUED];
    return st;
}

void people_mine(struct desk *d, struct matter *m)
{
    struct person *p = people_find(d, m->who.prefix);
    int64_t now_s = clock_unix_s(), decided = 0, waiting = 0;
    struct answer answer;
    struct why why = {""};
    enum status st = p ? count_day(d, p, now_s, &decided, &waiting, &why)
                       : why_fail(&why, ST_FULL, "too many reviewers");

    if (desk_is_refused(d, m, st, APPEAL_FINE, &why))
        return;
    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "reviewer", p->name);
    json_out_string(&answer.json, "role", m->who.scopes & SCOPE_LEAD ? "lead" : "reviewer");
    json_out_int(&answer.json, "decided_today", decided);
    json_out_int(&answer.json, "waiting", waiting);
    write_work(d, &answer.json, p, now_s);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

/* It is a break when it lasts as long as one: then the next claim finds him fresh. */
void people_break(struct desk *d, struct matter *m)
{
    struct person *p = people_find(d, m->who.prefix);

    if (p)
        p->last_s = clock_unix_s();
    people_mine(d, m);
}
