/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "tests/unit.h"

#include <stdalign.h>
#include <string.h>

static alignas(ARENA_ALIGN) char block[16 * ARENA_ALIGN];

static struct arena arena_of_block(void)
{
    struct arena a;

    arena_init(&a, "test");
    a.base = block;
    a.size = sizeof(block);
    return a;
}

static void carves_are_aligned_and_do_not_overlap(void **state)
{
    struct arena a = arena_of_block();
    (void)state;

    char *first = arena_carve(&a, 1);
    char *second = arena_carve(&a, ARENA_ALIGN + 1);
    char *third = arena_carve(&a, 8);

    assert_ptr_equal(first, block);
    assert_ptr_equal(second, block + ARENA_ALIGN);
    assert_ptr_equal(third, block + 3 * ARENA_ALIGN);
}

/* Goal: the measured peak is the size that the same carves need, byte for byte. */
static void measuring_says_what_a_real_run_needs(void **state)
{
    static const size_t sizes[] = {1, 300, 256, 0, 1000};
    struct arena measure, real = arena_of_block();
    (void)state;
    arena_init(&measure, "measure");

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_null(arena_carve(&measure, sizes[i]));
    real.size = measure.peak;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_non_null(arena_carve(&real, sizes[i]));

    assert_int_equal(real.used, real.size);
    assert_int_equal(real.peak, measure.peak);
    assert_null(arena_try(&real, 1));
}

static void rewinding_gives_back_but_the_peak_stays(void **state)
{
    struct arena a = arena_of_block();
    (void)state;

    size_t mark = arena_mark(&a);
    void *first = arena_carve(&a, 5 * ARENA_ALIGN);
    arena_rewind(&a, mark);
    void *second = arena_carve(&a, ARENA_ALIGN);

    assert_ptr_equal(first, second);
    assert_int_equal(a.used, ARENA_ALIGN);
    assert_int_equal(a.peak, 5 * ARENA_ALIGN);
}

static void trying_a_full_arena_says_null_and_changes_nothing(void **state)
{
    struct arena a = arena_of_block();
    (void)state;
    arena_carve(&a, sizeof(block) - ARENA_ALIGN);

    assert_null(arena_try(&a, ARENA_ALIGN + 1));
    assert_null(arena_try(&a, SIZE_MAX));
    assert_int_equal(a.used, sizeof(block) - ARENA_ALIGN);
    assert_non_null(arena_try(&a, ARENA_ALIGN));
    assert_null(arena_try(&a, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carves_are_aligned_and_do_not_overlap),
        cmocka_unit_test(measuring_says_what_a_real_run_needs),
        cmocka_unit_test(rewinding_gives_back_but_the_peak_stays),
        cmocka_unit_test(trying_a_full_arena_says_null_and_changes_nothing),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
