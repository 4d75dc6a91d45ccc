/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for people: the most urgent first, to one of them at a time, with every step kept.
 */
#include "tests/rows.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the queue ---- */

static void the_most_urgent_comes_first(void **state)
{
    static const char *const medical[] = {"art", "medical"};
    struct store *s = rows_store();
    struct store_want want = {.reviewer = "r",
                              .kinds = ~0u,
                              .now_ms = (int64_t)ROWS_NOW * 1000,
                              .lease_until_s = ROWS_NOW + 600};
    struct store_item item;
    struct why why = {""};

    (void)state;
    rows_add(s, 9, STORE_BLOCKED, -1);
    for (int i = 1; i <= 5; i++) {
        item = rows_item(i, 9, i == 5 ? STORE_ITEM_GOLDEN : STORE_ITEM_AUDIT);
        item.due_first_s = i == 4 ? ROWS_NOW : ROWS_NOW + 10;
        item.severity = i == 3 ? 9 : 1;
        if (i == 2)
            snprintf(item.queue, sizeof(item.queue), "medical");
        rows_good(s->ops->item_add(s, &item, &why), &why);
    }
    want.queues = medical;
    want.queue_count = 2;
    rows_good(s->ops->item_claim(s, &want, &item, &why), &why);
    assert_string_equal(item.id, "item_2");
    assert_int_equal(s->ops->item_claim(s, &want, &item, &why), ST_MISSING);
    want.queues = NULL;
    want.kinds = 1 << STORE_ITEM_GOLDEN;
    rows_good(s->ops->item_claim(s, &want, &item, &why), &why);
    assert_string_equal(item.id, "item_5");
    want.kinds = ~0u;
    for (int i = 0; i < 3; i++) {
        static const char *const order[] = {"item_4", "item_3", "item_1"};

        rows_good(s->ops->item_claim(s, &want, &item, &why), &why);
        assert_string_equal(item.id, order[i]);
    }
    assert_int_equal(s->ops->item_claim(s, &want, &item, &why), ST_MISSING);
    want.now_ms += 600000; /* all leases are over */
    want.reviewer = "other";
    rows_good(s->ops->item_claim(s, &want, &item, &why), &why);
    assert_string_equal(item.id, "item_4");
    assert_string_equal(item.reviewer, "other");
    store_close(&s);
}

static void a_lease_lives_as_long_as_it_beats(void **state)
{
    struct store *s = rows_store();
    struct store_item item, out;
    const uint8_t forged[32] = {9};
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    rows_good(s->ops->item_beat(s, item.id, item.lease, ROWS_NOW + 900, ROWS_NOW + 599, &why),
              &why);
    assert_int_equal(s->ops->item_beat(s, item.id, forged, ROWS_NOW + 999, ROWS_NOW + 599, &why),
                     ST_LATE);
    assert_int_equal(
        s->ops->item_beat(s, item.id, item.lease, ROWS_NOW + 999, ROWS_NOW + 900, &why), ST_LATE);
    rows_good(s->ops->item_find(s, item.id, &out, &why), &why);
    assert_int_equal(out.lease_until_s, ROWS_NOW + 900);
    assert_int_equal(out.version, item.version);
    store_close(&s);
}

static void what_was_put_aside_comes_back_to_others_first(void **state)
{
    struct store *s = rows_store();
    struct store_item item, out;
    struct store_event e;
    struct store_want want = {.reviewer = "lmr-1",
                              .kinds = ~0u,
                              .now_ms = (int64_t)ROWS_NOW * 1000,
                              .lease_until_s = ROWS_NOW + 1};
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    e = rows_event(&item, "item.skipped");
    item.state = STORE_ITEM_QUEUED;
    item.reviewer[0] = '\0';
    rows_good(s->ops->item_move(s,
                                &(struct store_move){.item = &item,
                                                     .event = &e,
                                                     .now_s = ROWS_NOW,
                                                     .aside_until_s = ROWS_NOW + 100},
                                &why),
              &why);
    assert_int_equal(s->ops->item_claim(s, &want, &out, &why), ST_MISSING);
    want.reviewer = "lmr-2";
    rows_good(s->ops->item_claim(s, &want, &out, &why), &why);
    want.reviewer = "lmr-1";
    want.now_ms += 100000;
    rows_good(s->ops->item_claim(s, &want, &out, &why), &why);
    store_close(&s);
}

static void what_is_late_is_marked_once(void **state)
{
    struct store *s = rows_store();
    struct store_item item, out[4];
    struct store_counts counts;
    struct why why = {""};
    int count;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    rows_add(s, 2, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    rows_good(s->ops->item_escalate(s, ROWS_NOW + 10, &count, &why), &why);
    assert_int_equal(count, 0);
    rows_good(s->ops->item_escalate(s, ROWS_NOW + 3600, &count, &why), &why);
    assert_int_equal(count, 2); /* the lease is over by then */
    rows_good(s->ops->item_escalate(s, ROWS_NOW + 3600, &count, &why), &why);
    assert_int_equal(count, 0);
    count = 4;
    rows_good(s->ops->item_open(s, ~0u, 1 << STORE_ITEM_CLAIMED, out, &count, &why), &why);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].escalated_s, ROWS_NOW + 3600);
    assert_int_equal(out[0].version, item.version);
    rows_good(s->ops->item_counts(s, ROWS_NOW + 3601, ROWS_NOW, &counts, &why), &why);
    assert_int_equal(counts.items[STORE_ITEM_HOLD][STORE_ITEM_QUEUED], 2);
    assert_int_equal(counts.overdue, 2);
    assert_int_equal(counts.oldest_s, ROWS_NOW);
    assert_int_equal(counts.arrived, 2);
    assert_int_equal(counts.decided, 0);
    store_close(&s);
}

/* ---- appeals ---- */

static enum status file(struct store *s, int number, int decision, const char *key,
                        struct store_item *out, bool *replayed)
{
    struct store_item item = rows_item(number, decision, STORE_ITEM_APPEAL);
    struct store_event e = rows_event(&item, "appeal.filed");
    struct store_filing filing = {&item, &e, NULL};
    struct why why = {""};

    snprintf(item.key, sizeof(item.key), "%s", key);
    memset(item.hash, decision, sizeof(item.hash));
    return s->ops->appeal_add(s, &filing, out, replayed, &why);
}

static void one_appeal_of_a_decision_is_open(void **state)
{
    struct store *s = rows_store();
    struct store_item out, item;
    struct why why = {""};
    bool replayed;

    (void)state;
    for (int i = 1; i <= 3; i++)
        rows_add(s, i, i == 3 ? STORE_HELD : STORE_BLOCKED, -1);
    rows_good(file(s, 1, 1, "a", &out, &replayed), &why);
    assert_false(replayed);
    rows_good(file(s, 2, 1, "a", &out, &replayed), &why);
    assert_true(replayed);
    assert_string_equal(out.id, "item_1");
    assert_int_equal(file(s, 2, 2, "a", &out, &replayed), ST_INVALID);
    assert_string_equal(out.key, "a");
    assert_int_equal(file(s, 2, 1, "", &out, &replayed), ST_INVALID);
    assert_string_equal(out.id, "item_1");
    assert_int_equal(file(s, 3, 3, "", &out, &replayed), ST_LATE);
    assert_int_equal(file(s, 4, 7, "", &out, &replayed), ST_MISSING);
    rows_good(file(s, 5, 2, "", &out, &replayed), &why);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    assert_int_equal(file(s, 6, 1, "", &out, &replayed), ST_LATE);
    store_close(&s);
}

/* ---- events ---- */

/* Method: the file itself is changed, past the triggers. */
static void an_event_that_was_changed_is_found(void **state)
{
    struct store *s = rows_store();
    struct store_chain chain;
    struct why why = {""};
    char path[192], *data;
    FILE *file;
    char *at;
    long size;

    (void)state;
    for (int i = 1; i <= 70; i++)
        rows_add(s, i, STORE_HELD, STORE_ITEM_HOLD);
    rows_good(s->ops->event_verify(s, &chain, &why), &why);
    assert_int_equal(chain.count, 70);
    assert_int_equal(strlen(chain.head), 64);
    store_close(&s);
    snprintf(path, sizeof(path), "%s/%s", rows_folder, STORE_FILE);
    file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = malloc((size_t)size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), (size_t)size);
    at = memmem(data, (size_t)size, "dec_66item_66clinicsystemitem.queued", 36);
    assert_non_null(at);
    fseek(file, (long)(at - data) + 13, SEEK_SET);
    fputc('k', file);
    fclose(file);
    free(data);
    s = rows_store();
    assert_int_equal(s->ops->event_verify(s, &chain, &why), ST_INVALID);
    assert_int_equal(chain.bad, 66);
    assert_int_equal(chain.count, 65);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, rows_open, rows_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(the_most_urgent_comes_first),
        CLAIM(a_lease_lives_as_long_as_it_beats),
        CLAIM(what_was_put_aside_comes_back_to_others_first),
        CLAIM(what_is_late_is_marked_once),
        CLAIM(one_appeal_of_a_decision_is_open),
        CLAIM(an_event_that_was_changed_is_found),
    };

    return cmocka_run_group_tests_name("items", tests, NULL, NULL);
}
