/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many at once: threads over two connections to one store, as two processes would have.
 */
#include "tests/appeals.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 20
#define ITEMS   60

static struct store *stores[2];
static pthread_barrier_t start;

struct worker {
    pthread_t thread;
    int number, count;
    char ids[ITEMS][STORE_ID_MAX];
    enum status last;
    enum appeal_refusal refusal;
    bool replayed;
    const struct appeals_hand *hand;
    const struct store_decision *decision;
};

/* Nothing in a thread may fail the test: what it did is looked at afterwards. */
static void run_all(struct worker workers[THREADS], void *(*run)(void *))
{
    stores[0] = rows_store();
    stores[1] = rows_store();
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_barrier_destroy(&start);
    store_close(&stores[0]);
    store_close(&stores[1]);
}

/* ---- claims ---- */

static void *claim_all(void *memory)
{
    struct worker *w = memory;
    struct appeals_hand h;
    char reviewer[16];

    snprintf(reviewer, sizeof(reviewer), "lmr-%d", w->number);
    pthread_barrier_wait(&start);
    while (w->count < ITEMS) {
        w->last = appeals_try_claim(stores[w->number % 2], reviewer, ~0u, ROWS_NOW, &h);
        if (w->last)
            break;
        memcpy(w->ids[w->count++], h.item.id, STORE_ID_MAX);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void twenty_who_claim_at_once_never_hold_the_same(void **state)
{
    struct worker *workers = calloc(THREADS, sizeof(*workers));
    char(*ids)[STORE_ID_MAX] = calloc(ITEMS + 1, STORE_ID_MAX);
    struct store *s = rows_store();
    int count = 0;

    (void)state;
    assert_non_null(workers);
    assert_non_null(ids);
    for (int i = 0; i < ITEMS; i++)
        rows_add(s, i, STORE_HELD, STORE_ITEM_HOLD);
    run_all(workers, claim_all);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].last, ST_MISSING);
        for (int k = 0; k < workers[i].count; k++) {
            assert_true(count < ITEMS);
            memcpy(ids[count++], workers[i].ids[k], STORE_ID_MAX);
        }
    }
    assert_int_equal(count, ITEMS);
    qsort(ids, ITEMS, STORE_ID_MAX, compare);
    for (int i = 1; i < ITEMS; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
    store_close(&s);
    free(ids);
    free(workers);
}

/* ---- decisions ---- */

static void *decide(void *memory)
{
    struct worker *w = memory;
    const struct appeal_ruling ruling =
        appeals_ruling(w->number % 2 ? STORE_UPHELD : STORE_OVERTURNED);

    pthread_barrier_wait(&start);
    w->last = appeals_decide(stores[w->number % 2], w->hand, &ruling, true, &w->refusal);
    return NULL;
}

/* Goal: one word counts, whole; the others change nothing. */
static void of_twenty_who_decide_at_once_one_does(void **state)
{
    struct worker *workers = calloc(THREADS, sizeof(*workers));
    struct store *s = rows_store();
    struct store_release released;
    struct appeals_hand h;
    struct why why = {""};
    int won = -1;
    bool goes;

    (void)state;
    assert_non_null(workers);
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    h = appeals_claim(s, "lmr-1", ~0u);
    for (int i = 0; i < THREADS; i++)
        workers[i].hand = &h;
    run_all(workers, decide);
    for (int i = 0; i < THREADS; i++) {
        if (!workers[i].last) {
            assert_int_equal(won, -1);
            won = i;
        } else if (workers[i].last != ST_REFUSED || !workers[i].refusal) {
            fail_msg("%s, %s", status_name(workers[i].last),
                     appeal_refusal_code(workers[i].refusal));
        }
    }
    assert_true(won >= 0);
    goes = won % 2 == 0;
    assert_int_equal(rows_standing(s, "dec_1"), goes ? STORE_RELEASED : STORE_BLOCKED);
    assert_int_equal(s->ops->release_find(s, "dec_1", &released, &why), goes ? ST_OK : ST_MISSING);
    if (goes)
        free(released.picture.data.data);
    assert_int_equal(rows_events(s, "dec_1", "item.decided"), 1);
    assert_int_equal(rows_messages(s), 1);
    store_close(&s);
    free(workers);
}

/* ---- filing ---- */

static void *file_same(void *memory)
{
    const struct appeal_filing filing = {
        .reason = "art", .text = "It is art", .key = "one key", .now_s = ROWS_NOW};
    struct worker *w = memory;
    struct store_item out;
    struct why why = {""};

    pthread_barrier_wait(&start);
    w->last = appeal_file(stores[w->number % 2], appeals_policy, w->decision, &filing, &out,
                          &w->replayed, &w->refusal, &why);
    memcpy(w->ids[0], out.id, STORE_ID_MAX);
    return NULL;
}

static void the_same_filed_by_twenty_at_once_is_one_appeal(void **state)
{
    struct worker *workers = calloc(THREADS, sizeof(*workers));
    struct store *s = rows_store();
    struct store_decision d;
    struct why why = {""};
    int made = 0;

    (void)state;
    assert_non_null(workers);
    rows_add(s, 1, STORE_BLOCKED, -1);
    rows_good(s->ops->decision_find(s, "dec_1", &d, &why), &why);
    for (int i = 0; i < THREADS; i++)
        workers[i].decision = &d;
    run_all(workers, file_same);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].last, ST_OK);
        assert_string_equal(workers[i].ids[0], workers[0].ids[0]);
        made += !workers[i].replayed;
    }
    assert_int_equal(made, 1);
    assert_int_equal(rows_events(s, "dec_1", "appeal.filed"), 1);
    assert_int_equal(rows_messages(s), 1);
    store_close(&s);
    free(workers);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, appeals_open, appeals_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(twenty_who_claim_at_once_never_hold_the_same),
        CLAIM(of_twenty_who_decide_at_once_one_does),
        CLAIM(the_same_filed_by_twenty_at_once_is_one_appeal),
    };

    return cmocka_run_group_tests_name("appeal_race", tests, NULL, NULL);
}
