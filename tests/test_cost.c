/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cost.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cost_shape small = {0, 512, 512}, large = {0, 1024, 1024};
static const char *const names[] = {"one", "two"};

static struct costs *fresh(void)
{
    static struct costs c;

    memset(&c, 0, sizeof(c));
    return &c;
}

static void what_was_measured_is_said_again(void **state)
{
    struct costs *c = fresh();
    (void)state;

    assert_true(cost_step(c, small, 2) == 0);
    cost_learn_step(c, small, 2, 1000);
    cost_learn_rest(c, small, 500);
    assert_true(cost_step(c, small, 2) == 1000);
    assert_true(cost_rest(c, small) == 500);
    cost_learn_step(c, small, 2, 1800); /* one in eight of the difference */
    assert_true(cost_step(c, small, 2) == 1100);
}

/* Goal: the first measurement, which also made plans, does not count for long. */
static void a_slow_first_step_is_forgotten_at_once(void **state)
{
    struct costs *c = fresh();
    (void)state;

    cost_learn_step(c, small, 2, 900000);
    cost_learn_step(c, small, 2, 1000);
    assert_true(cost_step(c, small, 2) == 1000);
}

static void what_lies_between_is_on_a_line(void **state)
{
    struct costs *c = fresh();
    (void)state;

    cost_learn_step(c, small, 2, 1000);
    cost_learn_step(c, small, 8, 2500);
    assert_true(cost_step(c, small, 4) == 1500);
    assert_true(cost_step(c, small, 1) == 500);
    assert_true(cost_step(c, small, 16) > 2500 && cost_step(c, small, 16) < 5000);
}

static void another_size_is_guessed_by_its_pixels(void **state)
{
    struct costs *c = fresh();
    (void)state;

    cost_learn_step(c, small, 2, 1000);
    assert_true(cost_step(c, large, 2) == 4000);
    assert_true(cost_step(c, (struct cost_shape){1, 512, 512}, 2) == 0); /* another model */
    cost_learn_step(c, large, 2, 5000);
    assert_true(cost_step(c, large, 2) == 5000);
    assert_true(cost_step(c, small, 2) == 1000);
}

/* Goal: where a batch is no faster than one after another, one at a time is enough; where it is,
   it is as large as pays; and what is not known yet is tried. */
static void a_batch_is_as_large_as_it_pays(void **state)
{
    struct costs *c = fresh();
    (void)state;

    assert_int_equal(cost_batch(c, small, 2, 8), 8); /* nothing is known */
    cost_learn_step(c, small, 2, 1000);
    assert_true(cost_batch(c, small, 2, 8) > 1);
    for (int n = 2; n <= 8; n++)
        cost_learn_step(c, small, 2 * n, 1000 * n);
    assert_int_equal(cost_batch(c, small, 2, 8), 1);
    for (int n = 1; n <= 8; n++)
        cost_learn_step(c, large, 2 * n, n <= 4 ? 1000 : 250 * n);
    assert_int_equal(cost_batch(c, large, 2, 8), 4);
}

static void the_shape_used_least_recently_makes_room(void **state)
{
    struct costs *c = fresh();
    (void)state;

    for (int i = 0; i < COST_SHAPES_MAX; i++)
        cost_learn_step(c, (struct cost_shape){0, 8 * (i + 1), 8}, 2, 100 + i);
    cost_learn_step(c, (struct cost_shape){0, 8, 8}, 2, 100);
    cost_learn_step(c, (struct cost_shape){1, 8, 8}, 2, 777);
    assert_true(cost_step(c, (struct cost_shape){0, 8, 8}, 2) == 100);
    assert_true(cost_step(c, (struct cost_shape){1, 8, 8}, 2) == 777);
}

static void a_file_brings_it_to_the_next_start(void **state)
{
    char folder[] = "/tmp/test_cost_XXXXXX", path[64];
    static struct costs a, b;
    struct why why = {""};
    (void)state;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/costs", folder);
    cost_load(&b, path, "a device", names, 2); /* absent */
    cost_learn_step(&a, large, 4, 1234);
    cost_learn_rest(&a, (struct cost_shape){1, 64, 32}, 99);
    assert_int_equal(cost_save(&a, path, "a device", names, 2, &why), ST_OK);
    cost_load(&b, path, "another", names, 2);
    assert_true(cost_step(&b, large, 4) == 0);
    cost_load(&b, path, "a device", names, 2);
    assert_true(cost_step(&b, large, 4) == 1234);
    assert_true(cost_rest(&b, (struct cost_shape){1, 64, 32}) == 99);
    unlink(path);
    rmdir(folder);
}

/* Goal: lines that somebody spoiled are left out, and the others count. */
static void a_spoiled_file_costs_only_its_lines(void **state)
{
    char path[] = "/tmp/test_cost_XXXXXX";
    static struct costs c;
    FILE *file = fdopen(mkstemp(path), "w");
    (void)state;

    memset(&c, 0, sizeof(c));
    fputs("# limner costs 1, d\none 512 512 2 10\none 512 512 999 10\none -1 512 2 10\n"
          "three 512 512 2 10\none 512 512 4 nan\none 512 512 4 -5\ntwo\n\n\xff\xfe\n"
          "two 8 8 2 20",
          file);
    fclose(file);
    cost_load(&c, path, "d", names, 2);
    assert_true(cost_step(&c, small, 2) == 10 && cost_step(&c, small, 4) < 20);
    assert_true(cost_step(&c, (struct cost_shape){1, 8, 8}, 2) == 20);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_measured_is_said_again),
        cmocka_unit_test(a_slow_first_step_is_forgotten_at_once),
        cmocka_unit_test(what_lies_between_is_on_a_line),
        cmocka_unit_test(another_size_is_guessed_by_its_pixels),
        cmocka_unit_test(a_batch_is_as_large_as_it_pays),
        cmocka_unit_test(the_shape_used_least_recently_makes_room),
        cmocka_unit_test(a_file_brings_it_to_the_next_start),
        cmocka_unit_test(a_spoiled_file_costs_only_its_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
