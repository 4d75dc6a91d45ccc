/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted of reviews: agreement, middles, a forecast, and who decides too quickly.
 */
#include "server/desk/numbers.h"
#include "server/desk/room.h"
#include "tests/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void close_to(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-9))
        fail_msg("%.12g is not %.12g", value, wanted);
}

/* The example of the textbooks: 20 and 15 alike, 5 and 10 not. */
static void kappa_is_agreement_beyond_chance(void **state)
{
    (void)state;
    close_to(numbers_kappa(&(struct doubles){20, 15, 5, 10}), 0.4);
    close_to(numbers_kappa(&(struct doubles){10, 10, 0, 0}), 1);
    close_to(numbers_kappa(&(struct doubles){25, 25, 25, 25}), 0);
    close_to(numbers_kappa(&(struct doubles){0, 0, 10, 10}), -1);
    assert_true(isnan(numbers_kappa(&(struct doubles){0, 0, 0, 0})));
    assert_true(isnan(numbers_kappa(&(struct doubles){9, 0, 0, 0}))); /* no other word was heard */
}

static void quantiles_are_of_the_sorted_values(void **state)
{
    double values[] = {5, 1, 4, 2, 3};
    (void)state;

    close_to(numbers_quantile(values, 5, 0.5), 3);
    close_to(numbers_quantile(values, 5, 0.95), 5);
    close_to(numbers_quantile(values, 5, 0), 1);
    close_to(numbers_quantile(values, 5, 1), 5);
    assert_true(isnan(numbers_quantile(values, 0, 0.5)));
}

static void a_forecast_says_what_will_be_late_and_when(void **state)
{
    const int64_t due[] = {1000 + 3600, 1000 + 3600, 1000 + 3 * 3600, 1000 + 10 * 3600};
    struct forecast f;
    (void)state;

    /* One an hour: the first is done in time, the second an hour late, the rest in time. */
    numbers_forecast(&f, 2, 1, 4, 2, due, 4, 1000);
    close_to(f.utilisation, 0.25);
    close_to(f.wait_s, 4 * 3600);
    assert_int_equal(f.missed, 1);
    assert_int_equal(f.first_missed_s, 1000 + 3600);

    /* Nothing was done lately: two who can do four an hour each will. */
    numbers_forecast(&f, 2, 0, 4, 2, due, 4, 1000);
    close_to(f.wait_s, 1800);
    assert_int_equal(f.missed, 0);
    assert_int_equal(f.first_missed_s, 0);
}

static void a_queue_that_nobody_works_on_misses_everything(void **state)
{
    const int64_t due[] = {5000, 4000};
    struct forecast f;
    (void)state;

    numbers_forecast(&f, 2, 0, NAN, 2, due, 2, 1000);
    assert_true(isnan(f.utilisation) && isnan(f.wait_s));
    assert_int_equal(f.missed, 2);
    assert_int_equal(f.first_missed_s, 4000);
    numbers_forecast(&f, 0, 0, NAN, 2, due, 0, 1000);
    close_to(f.wait_s, 0);
    assert_int_equal(f.missed, 0);
}

/* ---- who decides too quickly ---- */

#define ITEMS 60

/* `count` decisions, a minute apart, the newest first; two of three let the picture go. */
static struct store_item *decisions(int count, int64_t spent_ms)
{
    struct store_item *items = calloc(ITEMS, sizeof(*items));

    assert_non_null(items);
    for (int i = 0; i < count; i++) {
        memcpy(items[i].reviewer, "lmr-aaaa", 9);
        items[i].outcome = i % 3 ? STORE_OVERTURNED : STORE_UPHELD;
        items[i].spent_ms = spent_ms;
        items[i].decided_s = 100000 - 60 * i;
    }
    return items;
}

static void expect(struct store_item *items, int count, const char *kind, int64_t since_s)
{
    struct pace w;

    pace_person(&w, items, count, "lmr-aaaa");
    if (!kind)
        assert_null(w.kind);
    else
        assert_string_equal(w.kind ? w.kind : "nothing", kind);
    if (since_s)
        assert_int_equal(w.since_s, since_s);
    free(items);
}

static void who_looks_before_he_decides_is_left_alone(void **state)
{
    (void)state;
    expect(decisions(40, 20000), 40, NULL, 0);
    expect(decisions(19, 500), 19, NULL, 0); /* too few to say */
    expect(decisions(20, 2000), 20, NULL, 0);
    expect(decisions(0, 0), 0, NULL, 0);
}

static void who_decides_in_a_second_is_seen(void **state)
{
    struct store_item *some;
    (void)state;

    expect(decisions(20, 1000), 20, "too_fast", 100000 - 60 * 19);
    expect(decisions(30, 1999), 30, "too_fast", 100000 - 60 * 19);
    some = decisions(41, 1000); /* but for a few that he did look at */
    for (int i = 0; i < 20; i++)
        some[2 * i].spent_ms = 60000;
    expect(some, 41, "too_fast", 0);
}

static void who_always_says_the_same_is_seen(void **state)
{
    struct store_item *items = decisions(40, 20000);
    (void)state;

    for (int i = 0; i < 15; i++)
        items[i].outcome = STORE_UPHELD;
    items[15].outcome = STORE_OVERTURNED;
    expect(items, 40, "identical_run", 100000 - 60 * 19);
    items = decisions(40, 20000);
    for (int i = 0; i < 14; i++)
        items[i].outcome = STORE_UPHELD;
    items[14].outcome = items[15].outcome = STORE_OVERTURNED;
    expect(items, 40, NULL, 0);
}

static void others_decisions_are_others(void **state)
{
    struct store_item *items = decisions(40, 500);
    (void)state;

    for (int i = 0; i < 40; i += 2)
        memcpy(items[i].reviewer, "lmr-bbbb", 9);
    items[1].spent_ms = 60000;
    for (int i = 0; i < 21; i++)
        items[i].spent_ms = 60000;
    expect(items, 40, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kappa_is_agreement_beyond_chance),
        cmocka_unit_test(quantiles_are_of_the_sorted_values),
        cmocka_unit_test(a_forecast_says_what_will_be_late_and_when),
        cmocka_unit_test(a_queue_that_nobody_works_on_misses_everything),
        cmocka_unit_test(who_looks_before_he_decides_is_left_alone),
        cmocka_unit_test(who_decides_in_a_second_is_seen),
        cmocka_unit_test(who_always_says_the_same_is_seen),
        cmocka_unit_test(others_decisions_are_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
