/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/breaker.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE "sexual_explicit|clinic|medical|starter"
#define OTHER "sexual_explicit|studio|-|starter"

static const struct policy_breaker rules = {
    .window = 30, .min_n = 20, .max_overturn = 0.2, .confidence = 0.95, .half_open_share = 0.25};

static int setup(void **state)
{
    return breaker_open((struct breaker **)state, &rules, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
    breaker_close((struct breaker **)state);
    return 0;
}

/* How many of `count` outcomes it took until the state changed; 0: it did not. */
static int put(struct breaker *b, const char *slice, bool overturned, int count, int version)
{
    struct breaker_slice row;
    bool changed;

    for (int i = 0; i < count; i++) {
        assert_int_equal(
            breaker_add(b, slice, "dec_1", overturned, version, 1000 + i, &row, &changed), ST_OK);
        if (changed)
            return i + 1;
    }
    return 0;
}

static void approve(struct breaker *b, int version)
{
    struct breaker_slice row;
    struct why why = {""};

    if (breaker_approve(b, SLICE, "lead_ada", version, 5000, &row, &why))
        fail_msg("%s", why.text);
    assert_int_equal(row.state, BREAKER_HALF_OPEN);
    assert_string_equal(row.closed_by, "lead_ada");
    assert_int_equal(row.outcomes, 0);
}

static void twenty_overturned_blocks_open_their_slice_alone(void **state)
{
    struct breaker *b = *state;
    struct breaker_slice row;

    assert_false(breaker_is_open(b, SLICE, "d"));
    assert_int_equal(put(b, SLICE, true, 40, 3), 20); /* not before min_n */
    assert_true(breaker_is_open(b, SLICE, "d"));
    assert_false(breaker_is_open(b, OTHER, "d"));
    assert_int_equal(breaker_open_count(b), 1);
    assert_int_equal(breaker_list(b, 0, &row, 1), 1);
    assert_int_equal(row.state, BREAKER_OPEN);
    assert_int_equal(row.version, 3);
    assert_int_equal(row.since_s, 1019);
    assert_string_equal(row.opened_by, "dec_1");
}

/* 20 % overturned is what is tolerated; 25 % of 30 may still be 20 %; only its lower bound counts.
 */
static void chance_does_not_open(void **state)
{
    struct breaker *b = *state;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(put(b, SLICE, true, 1, 1), 0);
        assert_int_equal(put(b, SLICE, false, 3, 1), 0);
    }
    assert_false(breaker_is_open(b, SLICE, "d"));
}

static void only_the_window_counts(void **state)
{
    struct breaker *b = *state;
    struct breaker_slice row;
    bool changed;

    assert_int_equal(put(b, SLICE, true, 5, 1), 0);
    assert_int_equal(put(b, SLICE, false, 100, 1), 0);
    assert_int_equal(breaker_add(b, SLICE, "d", true, 1, 2000, &row, &changed), ST_OK);
    assert_int_equal(row.outcomes, 30);
    assert_int_equal(row.overturned, 1);
    assert_int_equal(put(b, SLICE, true, 30, 1), 10); /* 11 of 30: from 0.22 on */
}

static void it_stays_open_until_a_newer_policy_is_approved(void **state)
{
    struct breaker *b = *state;
    struct breaker_slice row;
    struct why why = {""};

    put(b, SLICE, true, 20, 3);
    assert_int_equal(put(b, SLICE, false, 500, 3), 0);
    assert_true(breaker_is_open(b, SLICE, "d"));
    assert_int_equal(breaker_approve(b, SLICE, "ada", 3, 5000, &row, &why), ST_REFUSED);
    assert_string_equal(why.text, "the breaker of " SLICE " opened under version 3 of the policy: "
                                  "activate a newer one first");
    assert_int_equal(breaker_approve(b, "none", "ada", 9, 5000, &row, &why), ST_MISSING);
    assert_true(breaker_is_open(b, SLICE, "d"));
    approve(b, 4);
    assert_int_equal(breaker_approve(b, SLICE, "ada", 5, 5000, &row, &why), ST_INVALID);
}

static void half_open_blocks_a_share_and_always_the_same(void **state)
{
    struct breaker *b = *state;
    int blocked = 0;

    put(b, SLICE, true, 20, 1);
    approve(b, 2);
    for (int i = 0; i < 4000; i++) {
        char id[32];
        bool open;

        snprintf(id, sizeof(id), "dec_%d", i);
        open = breaker_is_open(b, SLICE, id);
        blocked += !open;
        assert_int_equal(breaker_is_open(b, SLICE, id), open);
    }
    assert_in_range(blocked, 900, 1100);
}

static void half_open_ends_either_way(void **state)
{
    struct breaker *b = *state;

    put(b, SLICE, true, 20, 1);
    approve(b, 2);
    assert_int_equal(put(b, SLICE, false, 40, 2), 20);
    assert_int_equal(breaker_open_count(b), 0);
    assert_int_equal(put(b, SLICE, true, 40, 2), 11);
    approve(b, 3);
    assert_int_equal(put(b, SLICE, true, 40, 3), 20);
    assert_true(breaker_is_open(b, SLICE, "d"));
}

static void rows_are_read_as_they_were_written(void **state)
{
    struct breaker *b = *state, *again;
    struct breaker_slice row, back;
    char text[BREAKER_TEXT_MAX], twice[BREAKER_TEXT_MAX];
    bool changed;

    for (int i = 0; i < 47; i++)
        assert_int_equal(breaker_add(b, "a\"|b", "dec", i % 3 == 0, 7, i, &row, &changed), ST_OK);
    breaker_print(text, &row);
    assert_int_equal(breaker_parse(&back, text, NULL), ST_OK);
    assert_int_equal(back.overturned, row.overturned);
    breaker_print(twice, &back);
    assert_string_equal(text, twice);
    assert_int_equal(breaker_open(&again, &rules, NULL), ST_OK);
    assert_int_equal(breaker_restore(again, &back), ST_OK);
    for (int i = 0; i < 60; i++) { /* the same outcomes leave the window from now on */
        struct breaker_slice other;
        bool moved;

        assert_int_equal(breaker_add(b, "a\"|b", "d", false, 7, 99, &row, &changed), ST_OK);
        assert_int_equal(breaker_add(again, "a\"|b", "d", false, 7, 99, &other, &moved), ST_OK);
        assert_int_equal(other.overturned, row.overturned);
    }
    breaker_close(&again);
}

static void rows_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"slice\":\"a\",\"state\":\"ajar\",\"since\":1,\"last\":1,\"version\":1,\"opened_by\":"
        "\"\","
        "\"closed_by\":\"\",\"outcomes\":0,\"window\":\"\"}",
        "{\"slice\":\"a\",\"state\":\"open\",\"since\":1,\"last\":1,\"version\":1,\"opened_by\":"
        "\"\","
        "\"closed_by\":\"\",\"outcomes\":9,\"window\":\"00\"}",
        "{\"slice\":\"a\",\"state\":\"open\",\"since\":1,\"last\":1,\"version\":1,\"opened_by\":"
        "\"\","
        "\"closed_by\":\"\",\"outcomes\":1025,\"window\":\"00\"}",
        "{\"slice\":\"a\",\"state\":\"open\",\"since\":1,\"last\":1,\"version\":1,\"opened_by\":"
        "\"\","
        "\"closed_by\":\"\",\"outcomes\":8,\"window\":\"0g\"}",
        "{\"slice\":\"a\",\"state\":\"open\",\"since\":-1,\"last\":1,\"version\":1,\"opened_by\":"
        "\"\","
        "\"closed_by\":\"\",\"outcomes\":8,\"window\":\"01\"}",
    };
    struct breaker_slice row;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(breaker_parse(&row, wrong[i], NULL), ST_INVALID);
}

static void a_full_table_forgets_the_quietest_closed_slice(void **state)
{
    struct breaker *b = *state;
    struct breaker_slice row;
    bool changed;
    char name[32];

    put(b, SLICE, true, 20, 1); /* open: is never forgotten, though it is the quietest */
    for (int i = 1; i <= BREAKER_SLICES_MAX; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(breaker_add(b, name, "d", true, 1, 2000 + i, &row, &changed), ST_OK);
    }
    assert_true(breaker_is_open(b, SLICE, "d"));
    assert_int_equal(breaker_add(b, "s2", "d", true, 1, 9999, &row, &changed), ST_OK);
    assert_int_equal(row.outcomes, 2);
    assert_int_equal(breaker_add(b, "s1", "d", true, 1, 9999, &row, &changed), ST_OK);
    assert_int_equal(row.outcomes, 1); /* was forgotten for the last one */
}

static void narrower_rules_forget_the_oldest(void **state)
{
    struct breaker *b = *state;
    struct policy_breaker narrow = rules;
    struct breaker_slice row;

    put(b, SLICE, true, 5, 1);
    put(b, SLICE, false, 25, 1);
    narrow.window = 26;
    breaker_set_rules(b, &narrow);
    assert_int_equal(breaker_list(b, 0, &row, 1), 1);
    assert_int_equal(row.outcomes, 26);
    assert_int_equal(row.overturned, 1);
}

static void *write_outcomes(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct breaker_slice row;
        bool changed;

        if (breaker_add(arg, i % 2 ? SLICE : OTHER, "d", true, 1, i, &row, &changed))
            abort();
    }
    return NULL;
}

static void judges_read_while_others_write(void **state)
{
    struct breaker *b = *state;
    struct breaker_ask ask = {.breaker = b, .decision = "d"};
    pthread_t writer;
    int seen = 0;

    assert_int_equal(pthread_create(&writer, NULL, write_outcomes, b), 0);
    for (int i = 0; i < 2000; i++)
        seen += breaker_ask(&ask, SLICE);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_in_range(seen, 0, 2000);
    assert_true(breaker_ask(&ask, SLICE) && breaker_ask(&ask, OTHER));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twenty_overturned_blocks_open_their_slice_alone),
        TEST(chance_does_not_open),
        TEST(only_the_window_counts),
        TEST(it_stays_open_until_a_newer_policy_is_approved),
        TEST(half_open_blocks_a_share_and_always_the_same),
        TEST(half_open_ends_either_way),
        TEST(rows_are_read_as_they_were_written),
        TEST(rows_that_are_none_are_refused),
        TEST(a_full_table_forgets_the_quietest_closed_slice),
        TEST(narrower_rules_forget_the_oldest),
        TEST(judges_read_while_others_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
