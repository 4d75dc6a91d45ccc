/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/wilson.h"
#include "tests/unit.h"

#include <math.h>
#include <stdbool.h>

static bool is_near(double a, double b)
{
    return fabs(a - b) < 5e-5;
}

/* Values from the formula, worked out apart (z = 1.959964). */
static void known_intervals_come_out(void **state)
{
    struct wilson w = wilson_interval(8, 10, 0.95);

    (void)state;
    assert_true(is_near(w.low, 0.4902) && is_near(w.high, 0.9433));
    w = wilson_interval(15, 20, 0.95);
    assert_true(is_near(w.low, 0.5313) && is_near(w.high, 0.8881));
    w = wilson_interval(50, 100, 0.99);
    assert_true(is_near(w.low, 0.3753) && is_near(w.high, 0.6247));
}

static void ends_are_exact(void **state)
{
    struct wilson w = wilson_interval(0, 0, 0.95);

    (void)state;
    assert_true(w.low == 0 && w.high == 1);
    w = wilson_interval(0, 10, 0.95);
    assert_true(w.low == 0 && is_near(w.high, 0.2775));
    w = wilson_interval(10, 10, 0.95);
    assert_true(is_near(w.low, 0.7225) && w.high == 1);
}

static void more_cases_and_less_confidence_are_narrower(void **state)
{
    double few = wilson_interval(3, 10, 0.95).low, many = wilson_interval(300, 1000, 0.95).low;

    (void)state;
    assert_true(few < many && many < 0.3);
    assert_true(wilson_interval(3, 10, 0.8).low > few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_intervals_come_out),
        cmocka_unit_test(ends_are_exact),
        cmocka_unit_test(more_cases_and_less_confidence_are_narrower),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
