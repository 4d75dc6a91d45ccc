/* SPDX-License-Identifier: Apache-2.0 */
#include "server/desk.h"
#include "tests/unit.h"

#include <sched.h>

#define CALLS 8

struct note {
    int number;
    int *told, *count;
};

static void write_down(void *owner)
{
    struct note *n = owner;

    n->told[(*n->count)++] = n->number;
}

static void desk_runs_in_the_order_of_coming_and_all_before_it_stops(void **state)
{
    const struct desk_options options = {.functions_max = CALLS};
    struct service service = {.images_max = 1};
    int told[CALLS], count = 0;
    struct note notes[CALLS];
    struct why why = {""};
    struct desk *d;
    (void)state;

    clock_init_real(&service.clock);
    assert_int_equal(desk_open(&d, &service, &options, &why), ST_OK);
    for (int i = 0; i < CALLS; i++) {
        notes[i] = (struct note){i, told, &count};
        assert_true(desk_run(d, write_down, &notes[i]));
    }
    desk_stop(d);
    assert_int_equal(count, CALLS);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(told[i], i);
    assert_false(desk_run(d, write_down, &notes[0]));
    desk_close(&d);
    assert_null(d);
}

static void wait_for_leave(void *owner)
{
    while (!atomic_load((atomic_bool *)owner))
        sched_yield();
}

static void desk_with_too_much_to_do_takes_no_more(void **state)
{
    const struct desk_options options = {.functions_max = CALLS};
    struct service service = {.images_max = 1};
    atomic_bool leave = false;
    int told[2 * CALLS], count = 0, taken = 0;
    struct note note = {7, told, &count};
    struct why why = {""};
    struct desk *d;
    (void)state;

    clock_init_real(&service.clock);
    assert_int_equal(desk_open(&d, &service, &options, &why), ST_OK);
    assert_true(desk_run(d, wait_for_leave, &leave));
    for (int i = 0; i < 2 * CALLS; i++)
        taken += desk_run(d, write_down, &note);
    assert_in_range(taken, CALLS - 1, CALLS); /* the one that waits may have left the ring */
    atomic_store(&leave, true);
    desk_close(&d);
    assert_int_equal(count, taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desk_runs_in_the_order_of_coming_and_all_before_it_stops),
        cmocka_unit_test(desk_with_too_much_to_do_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
