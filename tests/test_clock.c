/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "tests/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void a_real_clock_goes_forward_in_microseconds(void **state)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct clock c;
    (void)state;
    clock_init_real(&c);

    int64_t before = clock_now_us(&c);
    nanosleep(&pause, NULL);
    int64_t passed = clock_now_us(&c) - before;

    assert_in_range(passed, 20 * 1000, 60 * 1000 * 1000);
}

static void a_virtual_clock_stands_until_it_is_moved(void **state)
{
    struct clock c;
    (void)state;
    clock_init_virtual(&c, 5000000);

    assert_int_equal(clock_now_us(&c), 5000000);
    clock_advance(&c, 250);
    clock_advance(&c, 0);
    assert_int_equal(clock_now_us(&c), 5000250);
}

static void a_virtual_clock_may_start_at_zero(void **state)
{
    struct clock c;
    (void)state;
    clock_init_virtual(&c, 0);

    assert_int_equal(clock_now_us(&c), 0);
    clock_advance(&c, 1);
    assert_int_equal(clock_now_us(&c), 1);
}

static void moving_a_real_clock_is_a_broken_promise(void **state)
{
    int how = 0;
    (void)state;

    pid_t child = fork();
    if (child == 0) {
        struct clock c;

        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        clock_init_real(&c);
        clock_advance(&c, 1);
        _exit(0);
    }

    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

static void wall_time_is_the_systems(void **state)
{
    (void)state;

    assert_in_range(clock_unix_s() - (int64_t)time(NULL) + 5, 0, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_clock_goes_forward_in_microseconds),
        cmocka_unit_test(a_virtual_clock_stands_until_it_is_moved),
        cmocka_unit_test(a_virtual_clock_may_start_at_zero),
        cmocka_unit_test(moving_a_real_clock_is_a_broken_promise),
        cmocka_unit_test(wall_time_is_the_systems),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
