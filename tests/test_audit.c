/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/audit.h"
#include "tests/unit.h"

#include <stdbool.h>
#include <stdio.h>

static const struct policy_audit shares = {
    .auto_block = 0.2, .auto_allow_near = 0.1, .auto_allow_far = 0.01, .near = 0.15};
static const uint8_t key[32] = {1, 2, 3}, other[32] = {1, 2, 4};

static enum audit_draw draw(int i, const uint8_t *with, enum band action, double gap)
{
    struct verdict v = {.action = action, .decision = action, .gap = gap};
    char id[32];

    snprintf(id, sizeof(id), "dec_%d", i);
    return audit_draw(&shares, with, id, &v);
}

static int count(enum band action, double gap, enum audit_draw kind)
{
    int drawn = 0;

    for (int i = 0; i < 20000; i++) {
        enum audit_draw d = draw(i, key, action, gap);

        assert_true(d == AUDIT_NONE || d == kind);
        drawn += d == kind;
    }
    return drawn;
}

static void each_band_has_its_share(void **state)
{
    (void)state;
    assert_in_range(count(BAND_BLOCK, 1, AUDIT_BLOCK), 3800, 4200);
    assert_in_range(count(BAND_ALLOW, 0.15, AUDIT_ALLOW_NEAR), 1850, 2150);
    assert_in_range(count(BAND_BLUR, 0.1, AUDIT_ALLOW_NEAR), 1850, 2150);
    assert_in_range(count(BAND_ALLOW, 0.16, AUDIT_ALLOW_FAR), 150, 250);
}

static void what_people_see_anyway_is_not_drawn(void **state)
{
    struct verdict v = {.action = BAND_BLOCK, .cause = CAUSE_PRECEDENT};
    struct policy_audit all = {1, 1, 1, 0.15};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(draw(i, key, BAND_HOLD, 0), AUDIT_NONE);
    assert_int_equal(audit_draw(&all, key, "d", &v), AUDIT_NONE);
    v.cause = CAUSE_SCORES;
    assert_int_equal(audit_draw(&all, key, "d", &v), AUDIT_BLOCK);
    v.cause = CAUSE_PROMPT;
    assert_int_equal(audit_draw(&all, key, "d", &v), AUDIT_BLOCK);
}

static void a_share_of_nothing_draws_nothing(void **state)
{
    struct policy_audit none = {0, 0, 0, 0.15};
    struct verdict v = {.action = BAND_BLOCK};

    (void)state;
    assert_int_equal(audit_draw(&none, key, "d", &v), AUDIT_NONE);
}

static void drawing_is_replayed_with_the_key_and_not_without(void **state)
{
    int differ = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        enum audit_draw d = draw(i, key, BAND_BLOCK, 1);

        assert_int_equal(draw(i, key, BAND_BLOCK, 1), d);
        differ += draw(i, other, BAND_BLOCK, 1) != d;
    }
    assert_in_range(differ, 500, 800); /* 2 * 0.2 * 0.8 of them */
}

static void draws_have_names(void **state)
{
    (void)state;
    assert_string_equal(audit_draw_name(AUDIT_NONE), "none");
    assert_string_equal(audit_draw_name(AUDIT_ALLOW_FAR), "auto_allow_far");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_band_has_its_share),
        cmocka_unit_test(what_people_see_anyway_is_not_drawn),
        cmocka_unit_test(a_share_of_nothing_draws_nothing),
        cmocka_unit_test(drawing_is_replayed_with_the_key_and_not_without),
        cmocka_unit_test(draws_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
