/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rows.h"

#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char rows_folder[128];

int rows_open(void **state)
{
    (void)state;
    snprintf(rows_folder, sizeof(rows_folder), "%s/limner-store.XXXXXX", P_tmpdir);
    return mkdtemp(rows_folder) ? 0 : 1;
}

int rows_close(void **state)
{
    (void)state;
    program_remove(rows_folder);
    return 0;
}

struct store *rows_store(void)
{
    struct store *s;
    struct why why = {""};

    if (store_open(&s, rows_folder, &why))
        fail_msg("%s", why.text);
    return s;
}

void rows_good(enum status st, const struct why *why)
{
    if (st)
        fail_msg("%s: %s", status_name(st), why->text);
}

struct store_decision rows_decision(int number, enum store_standing standing)
{
    struct store_decision d = {.tenant = "clinic",
                               .request = "req_1",
                               .user = "patient 7",
                               .index = 1,
                               .stage = STORE_STAGE_IMAGE,
                               .model = "tiny",
                               .context = "medical",
                               .policy = "default",
                               .policy_version = 3,
                               .policy_sha256 = "aa",
                               .weights_sha256 = "bb",
                               .scores = "0.1,0.9",
                               .category = "sexual_explicit",
                               .decision = 3,
                               .action = 2,
                               .cause = 1,
                               .shadow = -1,
                               .standing = standing,
                               .pixels_sha256 = "cc",
                               .audited = true,
                               .seed = INT64_C(1) << 52,
                               .width = 512,
                               .height = 768,
                               .format = 1,
                               .quality = 90,
                               .created_s = ROWS_NOW + number,
                               .appeal_until_s = ROWS_NOW + 86400};

    snprintf(d.id, sizeof(d.id), "dec_%d", number);
    snprintf(d.object, sizeof(d.object), "obj_%d", number);
    snprintf(d.subject, sizeof(d.subject), "subject %d", number);
    return d;
}

struct store_item rows_item(int number, int decision, enum store_item_kind kind)
{
    struct store_item i = {.kind = kind,
                           .tenant = "clinic",
                           .queue = "general",
                           .category = "sexual_explicit",
                           .severity = 2,
                           .version = 1,
                           .created_s = ROWS_NOW,
                           .due_first_s = ROWS_NOW + 3600,
                           .due_s = ROWS_NOW + 7200,
                           .reason = "medical",
                           .text = "It is an \"anatomy\" plate"};

    snprintf(i.id, sizeof(i.id), "item_%d", number);
    snprintf(i.decision, sizeof(i.decision), "dec_%d", decision);
    memset(i.hash, number, sizeof(i.hash));
    return i;
}

struct store_event rows_event(const struct store_item *item, const char *kind)
{
    struct store_event e = {.tenant = "clinic", .actor = "lmr-1", .text = "{}", .at_ms = ROWS_NOW};

    snprintf(e.decision, sizeof(e.decision), "%s", item->decision);
    snprintf(e.item, sizeof(e.item), "%s", item->id);
    snprintf(e.kind, sizeof(e.kind), "%s", kind);
    return e;
}

struct store_object rows_object(int number, int64_t expires_s)
{
    struct store_object o = {.tenant = "clinic",
                             .key = "the wrapped key of this object",
                             .key_bytes = 30,
                             .master = "first",
                             .created_s = ROWS_NOW,
                             .expires_s = expires_s,
                             .data = {"sealed bytes of this object", 27}};

    snprintf(o.id, sizeof(o.id), "obj_%d", number);
    snprintf(o.decision, sizeof(o.decision), "dec_%d", number);
    return o;
}

void rows_add(struct store *s, int number, enum store_standing standing, int kind)
{
    struct store_decision d = rows_decision(number, standing);
    struct store_object o = rows_object(number, ROWS_NOW + 1000);
    struct store_item i =
        rows_item(number, number, kind < 0 ? STORE_ITEM_HOLD : (enum store_item_kind)kind);
    struct why why = {""};

    rows_good(s->ops->decision_add(s,
                                   &(struct store_record){.decisions = &d,
                                                          .decision_count = 1,
                                                          .objects = &o,
                                                          .object_count = 1,
                                                          .items = &i,
                                                          .item_count = kind >= 0},
                                   &why),
              &why);
    assert_true(d.seq > 0);
}

struct store_item rows_claim(struct store *s, const char *reviewer)
{
    struct store_want want = {.reviewer = reviewer,
                              .kinds = ~0u,
                              .now_ms = (int64_t)ROWS_NOW * 1000,
                              .lease = {1, 2, 3},
                              .lease_until_s = ROWS_NOW + 600};
    struct store_item item;
    struct why why = {""};

    rows_good(s->ops->item_claim(s, &want, &item, &why), &why);
    return item;
}

enum store_standing rows_standing(struct store *s, const char *id)
{
    struct store_decision d;
    struct why why = {""};

    rows_good(s->ops->decision_find(s, id, &d, &why), &why);
    return d.standing;
}

enum status rows_release(struct store *s, struct store_item item, const struct store_decision *d)
{
    struct store_event e = rows_event(&item, "item.decided");
    struct store_release r = {.picture = {.seed = 5, .sha256 = "dd", .data = {"PNG of it", 9}},
                              .format = 1};
    struct store_message m = {.tenant = "clinic",
                              .kind = "decision.released",
                              .payload = "{}",
                              .created_s = ROWS_NOW,
                              .next_s = ROWS_NOW};
    struct store_move move = {.item = &item,
                              .event = &e,
                              .decision = d,
                              .release = &r,
                              .standing = STORE_RELEASED,
                              .message = &m,
                              .now_s = ROWS_NOW + 9,
                              .keep_until_s = ROWS_NOW + 5000};
    struct why why = {""};

    snprintf(m.id, sizeof(m.id), "m%.30s", item.id);
    item.state = STORE_ITEM_DECIDED;
    item.outcome = STORE_OVERTURNED;
    item.decided_s = ROWS_NOW + 9;
    return s->ops->item_move(s, &move, &why);
}

enum status rows_let_go(struct store *s, struct store_item item)
{
    struct store_decision d;
    struct why why = {""};

    rows_good(s->ops->decision_find(s, item.decision, &d, &why), &why);
    return rows_release(s, item, &d);
}

int64_t rows_messages(struct store *s)
{
    struct store_message m;
    struct why why = {""};
    int64_t count = 0;

    while (!s->ops->message_next(s, ROWS_NOW + 1000, &m, &why)) {
        m.delivered_s = ROWS_NOW + 1000;
        m.tries = 1;
        rows_good(s->ops->message_put(s, &m, ROWS_NOW + 1000, &why), &why);
        count++;
    }
    return count;
}

struct store_item rows_find(struct store *s, const char *id)
{
    struct store_item item;
    struct why why = {""};

    rows_good(s->ops->item_find(s, id, &item, &why), &why);
    return item;
}

int rows_events(struct store *s, const char *decision, const char *kind)
{
    struct store_event *events = calloc(64, sizeof(*events));
    struct why why = {""};
    int count = 64, found = 0;

    assert_non_null(events);
    rows_good(s->ops->event_list(s, decision, events, &count, &why), &why);
    for (int i = 0; i < count; i++)
        found += !kind || !strcmp(events[i].kind, kind);
    free(events);
    return found;
}
