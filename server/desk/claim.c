/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "server/desk/room.h"
#include "server/webhook.h"

#include <stdio.h>
#include <string.h>

#define USUAL                                                                                      \
    (1u << STORE_ITEM_HOLD | 1u << STORE_ITEM_APPEAL | 1u << STORE_ITEM_AUDIT |                    \
     1u << STORE_ITEM_SECOND)

struct appeal_lease claim_lease(const struct matter *m, int64_t now_s)
{
    return (struct appeal_lease){.item = m->id,
                                 .reviewer = m->who.prefix,
                                 .token = m->lease,
                                 .now_s = now_s,
                                 .now_ms = desk_now_ms()};
}

/* ---- a claim ---- */

/* Audits, second opinions and golden items pass for what they look like, so who wants holds gets
   all of them, and who wants appeals gets second opinions too. 0: a kind that there is not. */
static unsigned kinds_of(const char *lines)
{
    unsigned kinds = 0;

    if (!lines[0])
        return USUAL;
    while (*lines) {
        size_t bytes = strcspn(lines, "\n");

        if (bytes == 4 && !memcmp(lines, "hold", 4))
            kinds |= USUAL & ~(1u << STORE_ITEM_APPEAL);
        else if (bytes == 6 && !memcmp(lines, "appeal", 6))
            kinds |= 1u << STORE_ITEM_APPEAL | 1u << STORE_ITEM_SECOND;
        else
            return 0;
        lines += bytes + (lines[bytes] == '\n');
    }
    return kinds;
}

static int queues_of(char *lines, const char *queues[STORE_QUEUES_MAX])
{
    int count = 0;

    for (char *end; *lines; lines = end + 1) {
        end = strchr(lines, '\n');
        if (count == STORE_QUEUES_MAX || !end)
            return -1;
        *end = '\0';
        queues[count++] = lines;
    }
    return count;
}

/* Is it the turn of an item whose answer is known? Nobody can tell beforehand. */
static bool is_golden_turn(const struct desk *d)
{
    uint8_t byte[2];

    if (!d->settings.golden_percent || crypto_random(byte, sizeof(byte)))
        return false;
    return (byte[0] * 256 + byte[1]) % 10000 < d->settings.golden_percent * 100;
}

/* In a golden turn a golden item when there is one; else what is usual. */
static enum status claim(struct desk *d, struct store_want *want, struct store_item *item,
                         char token[APPEAL_TOKEN_MAX], struct why *why)
{
    unsigned usual = want->kinds;
    enum status st = ST_MISSING;

    if (is_golden_turn(d)) {
        want->kinds = 1u << STORE_ITEM_GOLDEN;
        st = appeal_claim(d->store, want, item, token, why);
        want->kinds = usual;
    }
    return st == ST_MISSING ? appeal_claim(d->store, want, item, token, why) : st;
}

static void answer_claim(struct desk *d, struct matter *m, const struct store_item *item,
                         const char *token)
{
    char date[DATE_MAX];
    struct answer answer;

    moderated_date(date, item->lease_until_s);
    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    item_write(d, &answer.json, "item", m, item);
    json_out_string(&answer.json, "lease_token", token);
    json_out_string(&answer.json, "lease_until", date);
    json_out_int(&answer.json, "lease_s", APPEAL_LEASE_S);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

static void answer_nothing(struct matter *m)
{
    struct answer answer;

    answer_text(&answer, 204, "application/json", NULL);
    answer_header(&answer, "cache-control", "no-store");
    matter_answer(m, &answer);
}

void claim_run(struct desk *d, struct matter *m)
{
    struct person *p = people_find(d, m->who.prefix);
    const char *queues[STORE_QUEUES_MAX];
    unsigned kinds = kinds_of(m->kinds);
    int queue_count = queues_of(m->queues, queues);
    struct store_want want = {.reviewer = m->who.prefix,
                              .queues = queue_count ? queues : NULL,
                              .queue_count = queue_count,
                              .kinds = kinds,
                              .now_ms = desk_now_ms()};
    char token[APPEAL_TOKEN_MAX];
    struct store_item item;
    struct why why = {""};
    enum status st;

    if (!kinds || queue_count < 0) {
        matter_fail(m, 400, (struct failure){.param = kinds ? "queues" : "kinds"},
                    kinds ? "too many queues" : "kinds are hold and appeal");
        return;
    }
    if (!people_may_claim(d, m, p, clock_unix_s()))
        return;
    st = claim(d, &want, &item, token, &why);
    if (st == ST_MISSING)
        answer_nothing(m);
    else if (!desk_is_refused(d, m, st, APPEAL_FINE, &why))
        answer_claim(d, m, &item, token);
}

/* ---- while it is his ---- */

void claim_beat(struct desk *d, struct matter *m)
{
    struct appeal_lease lease = claim_lease(m, clock_unix_s());
    enum appeal_refusal refusal = APPEAL_FINE;
    struct person *p = people_find(d, m->who.prefix);
    int64_t until_s = 0;
    struct answer answer;
    struct why why = {""};
    char date[DATE_MAX];
    enum status st = appeal_beat(d->store, &lease, &until_s, &refusal, &why);

    if (desk_is_refused(d, m, st, refusal, &why))
        return;
    if (p)
        p->last_s = lease.now_s;
    moderated_date(date, until_s);
    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "lease_until", date);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

static void answer_item(struct desk *d, struct matter *m, enum status st,
                        enum appeal_refusal refusal, struct why *why)
{
    struct store_item *item = d->items;

    if (desk_is_refused(d, m, st, refusal, why))
        return;
    st = d->store->ops->item_find(d->store, m->id, item, why);
    if (!desk_is_refused(d, m, st, APPEAL_FINE, why))
        item_answer(d, m, item);
}

static void count_skip(struct desk *d, const char *reason)
{
    int i = 0;

    while (i < SKIPS_MAX - 1 && d->skip[i].count && strcmp(d->skip[i].reason, reason) != 0)
        i++;
    if (!d->skip[i].count)
        snprintf(d->skip[i].reason, sizeof(d->skip[i].reason), "%s",
                 i < SKIPS_MAX - 1 ? reason : "others");
    d->skip[i].count++;
}

void claim_put_back(struct desk *d, struct matter *m)
{
    struct appeal_lease lease = claim_lease(m, clock_unix_s());
    enum appeal_refusal refusal = APPEAL_FINE;
    struct why why = {""};
    enum status st = appeal_put_back(d->store, &lease, m->kind == MATTER_SKIP ? m->reason : NULL,
                                     &refusal, &why);

    if (!st && !refusal && m->kind == MATTER_SKIP)
        count_skip(d, m->reason);
    answer_item(d, m, st, refusal, &why);
}

void claim_ask(struct desk *d, struct matter *m)
{
    struct appeal_lease lease = claim_lease(m, clock_unix_s());
    enum appeal_refusal refusal = APPEAL_FINE;
    struct why why = {""};
    enum status st = appeal_ask(d->store, &lease, m->text, &refusal, &why);

    if (!st)
        webhook_wake(d->service->webhook);
    answer_item(d, m, st, refusal, &why);
}
