/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/drift.h"
#include "tests/unit.h"

#include <math.h>
#include <string.h>

/* In this policy category 0 has a reference, 1 has none; 100 pictures teach, 50 are compared. */
struct fixture {
    struct policy *policy;
    struct drift *drift;
};

static int setup(void **state)
{
    static struct fixture f;
    struct why why = {""};

    if (policy_open(&f.policy, "tests/policies/full.json", &why))
        fail_msg("%s", why.text);
    assert_int_equal(drift_open(&f.drift, f.policy, NULL), ST_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    drift_close(&f->drift);
    policy_close(&f->policy);
    return 0;
}

static void put(struct drift *d, double first, double second, int count)
{
    double p[POLICY_CATEGORIES_MAX] = {first, second, NAN, NAN, NAN};

    for (int i = 0; i < count; i++)
        drift_add(d, p);
}

static void bins_are_narrow_near_nothing(void **state)
{
    (void)state;
    assert_int_equal(drift_bin(0), 0);
    assert_int_equal(drift_bin(0.001), 1);
    assert_int_equal(drift_bin(0.0999), 3);
    assert_int_equal(drift_bin(0.9), 9);
    assert_int_equal(drift_bin(1), 9);
}

static void the_index_is_what_the_formula_says(void **state)
{
    double a[POLICY_BINS] = {0.5, 0.5}, b[POLICY_BINS] = {0.6, 0.4}, c[POLICY_BINS] = {0, 1};

    (void)state;
    assert_true(drift_psi(a, a) == 0);
    assert_true(fabs(drift_psi(a, b) - (0.1 * log(1.2) + -0.1 * log(0.8))) < 1e-12);
    assert_true(fabs(drift_psi(a, b) - drift_psi(b, a)) < 1e-12);
    assert_true(isfinite(drift_psi(a, c)) && drift_psi(a, c) > 1);
}

static void a_full_window_is_compared(void **state)
{
    struct fixture *f = *state;
    struct drift_reading r;

    put(f->drift, 0.0005, 0, 25); /* as in the reference: half, a fifth, ... */
    put(f->drift, 0.005, 0, 10);
    put(f->drift, 0.02, 0, 5);
    drift_read(f->drift, 0, &r);
    assert_int_equal(r.level, DRIFT_FILLING);
    assert_int_equal(r.pictures, 40);
    put(f->drift, 0.07, 0, 3);
    put(f->drift, 0.15, 0, 2);
    for (int i = 0; i < 5; i++)
        put(f->drift, (double[]){0.3, 0.4, 0.6, 0.8, 0.95}[i], 0, 1);
    drift_read(f->drift, 0, &r);
    assert_int_equal(r.level, DRIFT_CALM);
    assert_true(r.psi > 0 && r.psi < 0.02);
    put(f->drift, 0.95, 0, 5); /* the oldest leave the window */
    drift_read(f->drift, 0, &r);
    assert_int_equal(r.level, DRIFT_ALERT);
    assert_true(r.now[9] == 0.12 && r.now[0] == 0.4);
    put(f->drift, 0.95, 0, 45);
    drift_read(f->drift, 0, &r);
    assert_int_equal(r.level, DRIFT_PAGE);
    assert_int_equal(r.pictures, 50);
}

static void without_a_reference_the_first_pictures_are_it(void **state)
{
    struct fixture *f = *state;
    struct drift_reading r;

    put(f->drift, 0, 0.3, 60);
    put(f->drift, 0, NAN, 1000); /* no number, not counted */
    put(f->drift, 0, 0.6, 39);
    drift_read(f->drift, 1, &r);
    assert_int_equal(r.level, DRIFT_LEARNING);
    assert_int_equal(r.pictures, 99);
    put(f->drift, 0, 0.6, 1);
    put(f->drift, 0, 0.3, 30);
    put(f->drift, 0, 0.6, 20);
    drift_read(f->drift, 1, &r);
    assert_int_equal(r.level, DRIFT_CALM);
    assert_true(r.reference[5] == 0.6 && r.reference[7] == 0.4 && r.psi == 0);
}

static void a_learned_reference_is_given_back(void **state)
{
    struct fixture *f = *state;
    double reference[POLICY_BINS] = {[5] = 0.6, [7] = 0.4};
    struct drift_reading r;

    drift_set_reference(f->drift, 1, reference);
    put(f->drift, 0, 0.95, 50);
    drift_read(f->drift, 1, &r);
    assert_int_equal(r.level, DRIFT_PAGE);
    assert_string_equal(drift_level_name(r.level), "page");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_narrow_near_nothing),
        cmocka_unit_test(the_index_is_what_the_formula_says),
        TEST(a_full_window_is_compared),
        TEST(without_a_reference_the_first_pictures_are_it),
        TEST(a_learned_reference_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
