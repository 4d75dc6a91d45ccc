/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/ring.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct ring *open_ring(size_t capacity)
{
    struct ring *r;

    assert_int_equal(ring_open(&r, capacity), ST_OK);
    return r;
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    struct ring *r = open_ring(3);
    int items[10];
    (void)state;

    for (int i = 0; i < 10; i++) { /* goes round the end of the array three times */
        assert_int_equal(ring_put(r, &items[i]), ST_OK);
        if (i == 0)
            continue;
        assert_int_equal(ring_count(r), 2);
        assert_ptr_equal(ring_take(r, 0), &items[i - 1]);
    }
    assert_ptr_equal(ring_take(r, -1), &items[9]);
    assert_null(ring_take(r, 0));
    ring_close(&r);
    assert_null(r);
}

static void ring_put_on_a_full_ring_says_full(void **state)
{
    struct ring *r = open_ring(2);
    int items[3];
    (void)state;

    assert_int_equal(ring_put(r, &items[0]), ST_OK);
    assert_int_equal(ring_put(r, &items[1]), ST_OK);
    assert_int_equal(ring_put(r, &items[2]), ST_FULL);
    assert_int_equal(ring_count(r), 2);

    assert_ptr_equal(ring_take(r, 0), &items[0]);
    assert_int_equal(ring_put(r, &items[2]), ST_OK);
    assert_ptr_equal(ring_take(r, 0), &items[1]);
    assert_ptr_equal(ring_take(r, 0), &items[2]);
    ring_close(&r);
}

static void a_shut_ring_refuses_and_hands_out_what_it_holds(void **state)
{
    struct ring *r = open_ring(2);
    int items[2];
    (void)state;
    assert_int_equal(ring_put(r, &items[0]), ST_OK);
    assert_false(ring_is_over(r));

    ring_shut(r);
    ring_shut(r);

    assert_int_equal(ring_put(r, &items[1]), ST_CANCELLED);
    assert_false(ring_is_over(r));
    assert_ptr_equal(ring_take(r, -1), &items[0]);
    assert_true(ring_is_over(r));
    assert_null(ring_take(r, -1));
    assert_null(ring_take(r, 60 * 1000 * 1000));
    ring_close(&r);
}

static void taking_waits_as_long_as_it_was_told(void **state)
{
    struct ring *r = open_ring(1);
    struct clock clock;
    (void)state;
    clock_init_real(&clock);

    int64_t start = clock_now_us(&clock);
    assert_null(ring_take(r, 30 * 1000));
    int64_t waited = clock_now_us(&clock) - start;

    assert_in_range(waited, 30 * 1000, 20 * 1000 * 1000);
    ring_close(&r);
}

static void *take_forever(void *ring)
{
    return ring_take(ring, -1);
}

static void *take_for_ages(void *ring)
{
    return ring_take(ring, INT64_MAX);
}

static void putting_wakes_one_who_waits(void **state)
{
    struct ring *r = open_ring(1);
    pthread_t taker;
    void *got;
    int item;
    (void)state;
    pthread_create(&taker, NULL, take_for_ages, r);

    assert_int_equal(ring_put(r, &item), ST_OK);

    pthread_join(taker, &got);
    assert_ptr_equal(got, &item);
    ring_close(&r);
}

static void shutting_wakes_everybody_who_waits(void **state)
{
    struct ring *r = open_ring(1);
    pthread_t takers[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&takers[i], NULL, i % 2 ? take_forever : take_for_ages, r);

    ring_shut(r);

    for (int i = 0; i < 4; i++) {
        void *got = r;

        pthread_join(takers[i], &got);
        assert_null(got);
    }
    ring_close(&r);
}

#define PUTTERS 3
#define TAKERS  3
#define ITEMS   20000

struct crowd {
    struct ring *ring;
    atomic_int next_putter;
    atomic_uchar seen[PUTTERS * ITEMS]; /* item i is &seen[i]; taken when it is 1 */
};

static void *put_many(void *arg)
{
    struct crowd *crowd = arg;
    int first = ITEMS * atomic_fetch_add(&crowd->next_putter, 1);

    for (int i = first; i < first + ITEMS; i++)
        while (ring_put(crowd->ring, &crowd->seen[i]) == ST_FULL)
            sched_yield();
    return NULL;
}

/* Takes until the ring is shut and empty. Says whether one putter's items ever came back out of
   their order, which a queue must never do. */
static void *take_many(void *arg)
{
    struct crowd *crowd = arg;
    long last[PUTTERS] = {-1, -1, -1};
    atomic_uchar *item;
    int disorder = 0;

    while ((item = ring_take(crowd->ring, -1))) {
        long index = item - crowd->seen;

        disorder |= index <= last[index / ITEMS];
        last[index / ITEMS] = index;
        atomic_fetch_add(item, 1);
    }
    return disorder ? arg : NULL;
}

/* Goal: among many threads no item is lost, doubled or passed by a later one.
   Method: a ring far too small for them, so that both its ends are hit all the time. */
static void every_item_of_a_crowd_arrives_once_and_in_order(void **state)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    pthread_t putters[PUTTERS], takers[TAKERS];
    (void)state;
    assert_non_null(crowd);
    crowd->ring = open_ring(7);

    for (int i = 0; i < TAKERS; i++)
        pthread_create(&takers[i], NULL, take_many, crowd);
    for (int i = 0; i < PUTTERS; i++)
        pthread_create(&putters[i], NULL, put_many, crowd);
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(putters[i], NULL);
    ring_shut(crowd->ring);
    for (int i = 0; i < TAKERS; i++) {
        void *disorder;

        pthread_join(takers[i], &disorder);
        assert_null(disorder);
    }

    for (int i = 0; i < PUTTERS * ITEMS; i++)
        if (crowd->seen[i] != 1)
            fail_msg("item %d was taken %d times", i, crowd->seen[i]);
    ring_close(&crowd->ring);
    free(crowd);
}

static void a_ring_that_memory_cannot_hold_is_refused(void **state)
{
    struct ring *r = (struct ring *)state;

    fault_arm(1);
    enum status st = ring_open(&r, 8);
    fault_disarm();

    assert_int_equal(st, ST_FULL);
    assert_null(r);
    assert_int_equal(ring_open(&r, SIZE_MAX / 4), ST_FULL);
    assert_null(r);
    ring_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(ring_put_on_a_full_ring_says_full),
        cmocka_unit_test(a_shut_ring_refuses_and_hands_out_what_it_holds),
        cmocka_unit_test(taking_waits_as_long_as_it_was_told),
        cmocka_unit_test(putting_wakes_one_who_waits),
        cmocka_unit_test(shutting_wakes_everybody_who_waits),
        cmocka_unit_test(every_item_of_a_crowd_arrives_once_and_in_order),
        cmocka_unit_test(a_ring_that_memory_cannot_hold_is_refused),
    };

    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
