/* SPDX-License-Identifier: Apache-2.0 */
#include "server/restart.h"
#include "tests/unit.h"

#include <stdlib.h>

#define NAME "LIMNER_RESTARTED"

static void restart_may_counts_and_then_says_enough(void **state)
{
    (void)state;
    unsetenv(NAME);

    for (int i = 0; i < RESTARTS_MAX; i++)
        assert_true(restart_may(1000 + i));
    assert_false(restart_may(1000 + RESTARTS_MAX));
    assert_false(restart_may(1000 + RESTARTS_SECONDS - 1));
}

static void restart_may_begins_anew_after_a_quiet_time(void **state)
{
    (void)state;
    setenv(NAME, "5 1000", 1);

    assert_true(restart_may(1000 + RESTARTS_SECONDS));
    assert_string_equal(getenv(NAME), "1 1600");
}

/* The environment may hold anything, and clocks may jump back. */
static void restart_may_takes_nonsense_for_never(void **state)
{
    static const char *const nonsense[] = {"", "x", "5", "-7 1000", "5 99999"};
    (void)state;

    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        setenv(NAME, nonsense[i], 1);
        if (!restart_may(2000))
            fail_msg("'%s' was taken for too often", nonsense[i]);
        assert_string_equal(getenv(NAME), "1 2000");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restart_may_counts_and_then_says_enough),
        cmocka_unit_test(restart_may_begins_anew_after_a_quiet_time),
        cmocka_unit_test(restart_may_takes_nonsense_for_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
