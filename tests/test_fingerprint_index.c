/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "tests/fault.h"
#include "tests/unit.h"
#include "watermark/fingerprint_index.h"

#include <stdlib.h>
#include <string.h>

enum { PRINTS = 5000 };

static void draw(uint8_t print[FINGERPRINT_BYTES], uint32_t number)
{
    for (uint32_t i = 0; i < FINGERPRINT_BYTES / 16; i++) {
        uint32_t words[4], counter[4] = {number, i, 0, 0}, seed[2] = {7, 0};

        rng_philox(words, counter, seed);
        memcpy(print + 16 * i, words, 16);
    }
}

static void turn(uint8_t print[FINGERPRINT_BYTES], int bits)
{
    for (int b = 0; b < bits; b++)
        print[b * 5 % 256 / 8] ^= (uint8_t)(1 << b * 5 % 256 % 8);
}

static struct fingerprint_index *filled(int count)
{
    struct fingerprint_index *x;

    assert_int_equal(fingerprint_index_open(&x, PRINTS, NULL), ST_OK);
    for (int i = 0; i < count; i++) {
        uint8_t print[FINGERPRINT_BYTES];

        draw(print, (uint32_t)i);
        assert_int_equal(fingerprint_index_add(x, print, i, NULL), ST_OK);
    }
    assert_int_equal(fingerprint_index_count(x), count);
    return x;
}

static void an_empty_index_finds_nothing(void **state)
{
    struct fingerprint_index *x = filled(0);
    struct fingerprint_found found[1];
    uint8_t print[FINGERPRINT_BYTES] = {0};
    (void)state;

    assert_int_equal(fingerprint_index_search(x, print, FINGERPRINT_BITS, found, 1), 0);
    fingerprint_index_close(&x);
    assert_null(x);
    fingerprint_index_close(&x);
}

static void a_changed_picture_is_found_among_many(void **state)
{
    struct fingerprint_index *x = filled(PRINTS);
    struct fingerprint_found found[FINGERPRINT_FOUND_MAX];
    uint8_t print[FINGERPRINT_BYTES];
    (void)state;

    for (int i = 0; i < PRINTS; i += 97) {
        draw(print, (uint32_t)i);
        turn(print, FINGERPRINT_NEAR);
        assert_int_equal(fingerprint_index_search(x, print, FINGERPRINT_NEAR, found, 100), 1);
        assert_int_equal(found[0].leaf, i);
        assert_int_equal(found[0].distance, FINGERPRINT_NEAR);
        assert_int_equal(fingerprint_index_search(x, print, FINGERPRINT_NEAR - 1, found, 100), 0);
    }
    fingerprint_index_close(&x);
}

static int by_distance(const void *a, const void *b)
{
    const struct fingerprint_found *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->leaf < y->leaf ? -1 : 1;
}

/* Goal: the nearest come, in order, ties by leaf. Method: against sorting all of them. */
static void the_nearest_come_first(void **state)
{
    static const int rooms[] = {1, 2, 17, FINGERPRINT_FOUND_MAX};
    static struct fingerprint_found all[PRINTS];
    struct fingerprint_index *x = filled(PRINTS);
    uint8_t print[FINGERPRINT_BYTES], other[FINGERPRINT_BYTES];
    (void)state;

    draw(print, 1 << 20);
    for (int i = 0; i < PRINTS; i++) {
        draw(other, (uint32_t)i);
        all[i] = (struct fingerprint_found){i, fingerprint_distance(print, other)};
    }
    qsort(all, PRINTS, sizeof(all[0]), by_distance);
    for (int r = 0; r < 4; r++) {
        struct fingerprint_found found[FINGERPRINT_FOUND_MAX];

        assert_int_equal(fingerprint_index_search(x, print, FINGERPRINT_BITS, found, rooms[r]),
                         rooms[r]);
        for (int i = 0; i < rooms[r]; i++) {
            assert_int_equal(found[i].leaf, all[i].leaf);
            assert_int_equal(found[i].distance, all[i].distance);
        }
    }
    fingerprint_index_close(&x);
}

static void a_full_index_says_so_and_keeps_what_it_has(void **state)
{
    struct fingerprint_index *x;
    struct fingerprint_found found[4];
    struct why why = {{0}};
    uint8_t print[FINGERPRINT_BYTES];
    (void)state;

    assert_int_equal(fingerprint_index_open(&x, 3, NULL), ST_OK);
    draw(print, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fingerprint_index_add(x, print, 10 + i, &why), ST_OK);
    assert_int_equal(fingerprint_index_add(x, print, 13, &why), ST_FULL);
    assert_non_null(strstr(why.text, "3 fingerprints"));
    assert_int_equal(fingerprint_index_search(x, print, 0, found, 4), 3);
    assert_int_equal(found[2].leaf, 12);
    fingerprint_index_close(&x);
}

static void what_retention_took_is_not_found(void **state)
{
    struct fingerprint_index *x = filled(PRINTS);
    struct fingerprint_found found[1];
    uint8_t print[FINGERPRINT_BYTES];
    (void)state;

    fingerprint_index_forget(x, 0);
    assert_int_equal(fingerprint_index_count(x), PRINTS);
    fingerprint_index_forget(x, 4000);
    assert_int_equal(fingerprint_index_count(x), PRINTS - 4000);
    draw(print, 3999);
    assert_int_equal(fingerprint_index_search(x, print, FINGERPRINT_NEAR, found, 1), 0);
    draw(print, 4000);
    assert_int_equal(fingerprint_index_search(x, print, 0, found, 1), 1);
    assert_int_equal(found[0].leaf, 4000);
    assert_int_equal(fingerprint_index_add(x, print, PRINTS, NULL), ST_OK);
    fingerprint_index_forget(x, INT64_MAX);
    assert_int_equal(fingerprint_index_count(x), 0);
    fingerprint_index_close(&x);
}

static void memory_that_is_short_loses_nothing(void **state)
{
    (void)state;

    for (int nth = 1;; nth++) {
        struct fingerprint_index *x;
        enum status st;
        int added = 0;

        fault_arm(nth);
        st = fingerprint_index_open(&x, PRINTS, NULL);
        while (!st && added < PRINTS) {
            uint8_t print[FINGERPRINT_BYTES];

            draw(print, (uint32_t)added);
            st = fingerprint_index_add(x, print, added, NULL);
            added += !st;
        }
        if (x) {
            struct fingerprint_found found[1];
            uint8_t print[FINGERPRINT_BYTES];

            draw(print, 0);
            assert_int_equal(fingerprint_index_count(x), added);
            assert_int_equal(fingerprint_index_search(x, print, 0, found, 1), added > 0);
        }
        fingerprint_index_close(&x);
        fault_disarm();
        assert_int_equal(fault_live(), 0);
        if (!fault_fired())
            break;
        assert_int_equal(st, ST_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(a_changed_picture_is_found_among_many),
        cmocka_unit_test(the_nearest_come_first),
        cmocka_unit_test(a_full_index_says_so_and_keeps_what_it_has),
        cmocka_unit_test(what_retention_took_is_not_found),
        cmocka_unit_test(memory_that_is_short_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
