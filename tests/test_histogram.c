/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"
#include "base/rng.h"
#include "tests/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 20000
#define THREADS 4
#define EACH    50000

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

enum shape { UNIFORM, LOG_UNIFORM, HEAVY, TWO_HUMPS, CONSTANT, SMALL, SHAPES };

/* Bounded below HISTOGRAM_MAX, as times are that anybody waits for. */
static uint64_t draw(enum shape shape, uint32_t i)
{
    const uint32_t counter[4] = {i}, key[2] = {7};
    uint32_t word[4];
    double u;

    rng_philox(word, counter, key);
    u = ((double)word[0] + 0.5) / 4294967296.0;
    switch (shape) {
    case UNIFORM:
        return (uint64_t)(u * 5e6);
    case LOG_UNIFORM:
        return (uint64_t)pow(10, u * 9.9);
    case HEAVY:
        return (uint64_t)fmin(20000 / pow(u, 1.2), 9e9);
    case TWO_HUMPS:
        return (uint64_t)(u < 0.9 ? 3000 + 1000 * u : 4e6 * u);
    case CONSTANT:
        return 1234567;
    default:
        return (uint64_t)(u * 150);
    }
}

/* Goal: every quantile lies within 2.5 % of the one that sorting finds; below 100 it is that one.
   Method: values of many shapes, sorted; shares from the first to the last. */
static void quantiles_are_near_those_of_a_sorted_list(void **state)
{
    static const double shares[] = {0.00001, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    static uint64_t values[SAMPLES];

    (void)state;
    for (enum shape shape = 0; shape < SHAPES; shape++) {
        struct histogram h = {.count = 0};
        uint64_t sum = 0;

        for (int i = 0; i < SAMPLES; i++) {
            values[i] = draw(shape, (uint32_t)i);
            sum += values[i];
            histogram_record(&h, values[i]);
        }
        qsort(values, SAMPLES, sizeof(values[0]), by_value);
        assert_int_equal(h.count, SAMPLES);
        assert_int_equal(h.sum, sum);
        for (size_t s = 0; s < sizeof(shares) / sizeof(shares[0]); s++) {
            uint64_t rank = (uint64_t)ceil(shares[s] * SAMPLES);
            double truth = (double)values[rank - 1];
            double told = (double)histogram_quantile(&h, shares[s]);

            if (fabs(told - truth) > (truth < 100 ? 0 : 0.025 * truth))
                fail_msg("shape %d, share %g: %g told, %g true", (int)shape, shares[s], told,
                         truth);
        }
    }
}

/* Goal: no value falls between two buckets, and none is told by more than 2.5 % wrong.
   Method: one value at a time, around every power of ten and two, and many between. */
static void every_value_is_told_within_a_fortieth(void **state)
{
    (void)state;
    for (uint64_t value = 0; value <= HISTOGRAM_MAX; value += value < 2100 ? 1 : 1 + value / 997) {
        struct histogram h = {.count = 0};
        double told;

        histogram_record(&h, value);
        told = (double)histogram_quantile(&h, 1);
        if (fabs(told - (double)value) > 0.025 * (double)value)
            fail_msg("%.0f told for %llu", told, (unsigned long long)value);
    }
}

static void values_beyond_the_last_bucket_count_in_it(void **state)
{
    struct histogram h = {.count = 0};

    (void)state;
    histogram_record(&h, UINT64_MAX / 2);
    histogram_record(&h, HISTOGRAM_MAX);
    assert_int_equal(histogram_between(&h, 0, HISTOGRAM_MAX + 1), 2);
    assert_int_equal(histogram_between(&h, 0, UINT64_C(9750000000)), 0);
    assert_true(histogram_quantile(&h, 0.5) > UINT64_C(9750000000));
}

/* Goal: what lies below a border is counted exactly, and nothing else calls itself a border. */
static void counts_below_round_numbers_are_exact(void **state)
{
    static const uint64_t borders[] = {0,      7,       99,       100,      105,       2500,
                                       250000, 1000000, 10000000, 25000000, 600000000, 1050};
    struct histogram h = {.count = 0};

    (void)state;
    for (uint64_t value = 0; value < 3000; value++)
        histogram_record(&h, value);
    for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
        uint64_t below = borders[i] < 3000 ? borders[i] : 3000;

        assert_true(histogram_is_border(borders[i]));
        assert_int_equal(histogram_between(&h, 0, borders[i]), below);
    }
    assert_int_equal(histogram_between(&h, 1050, 2500), 1450);
    assert_true(histogram_is_border(HISTOGRAM_MAX + 1));
    assert_false(histogram_is_border(101));
    assert_false(histogram_is_border(1024));
    assert_false(histogram_is_border(HISTOGRAM_MAX));
    assert_false(histogram_is_border(UINT64_MAX));
}

static void an_empty_histogram_tells_zero(void **state)
{
    struct histogram h = {.count = 0}, sum = {.count = 0};

    (void)state;
    histogram_add(&sum, &h);
    assert_int_equal(histogram_quantile(&sum, 0.5), 0);
    assert_int_equal(histogram_between(&sum, 0, HISTOGRAM_MAX + 1), 0);
}

/* Goal: parts that are added tell what one would have told, and what came since a moment is what
   was counted less what had been. */
static void parts_add_up_and_subtract(void **state)
{
    struct histogram whole = {.count = 0}, part[2] = {{.count = 0}}, sum = {.count = 0};

    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t value = draw(HEAVY, (uint32_t)i);

        histogram_record(&whole, value);
        histogram_record(&part[i % 3 == 0], value);
    }
    histogram_add(&sum, &part[0]);
    histogram_add(&sum, &part[1]);
    assert_memory_equal(&sum, &whole, sizeof(sum));
    histogram_subtract(&sum, &part[1]);
    assert_memory_equal(&sum, &part[0], sizeof(sum));
}

struct crowd {
    struct histogram h;
    bool stop;
};

static void *record_many(void *memory)
{
    struct crowd *c = memory;

    for (int i = 0; i < EACH; i++)
        histogram_record(&c->h, (uint64_t)i % 5000);
    return NULL;
}

static void *read_often(void *memory)
{
    struct crowd *c = memory;

    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        struct histogram seen = {.count = 0};

        histogram_add(&seen, &c->h);
        if (histogram_between(&seen, 0, HISTOGRAM_MAX + 1) != seen.count)
            return c;
    }
    return NULL;
}

/* Goal: no record is lost among threads, and a reader in their midst sees a whole. */
static void threads_record_and_read_together(void **state)
{
    static struct crowd crowd;
    pthread_t thread[THREADS], reader;
    void *wrong;

    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_often, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, record_many, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    __atomic_store_n(&crowd.stop, true, __ATOMIC_RELAXED);
    pthread_join(reader, &wrong);
    assert_null(wrong);
    assert_int_equal(crowd.h.count, THREADS * EACH);
    assert_int_equal(histogram_between(&crowd.h, 0, HISTOGRAM_MAX + 1), THREADS * EACH);
    assert_int_equal(crowd.h.sum, (uint64_t)THREADS * (EACH / 5000) * (5000 * 4999 / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_near_those_of_a_sorted_list),
        cmocka_unit_test(every_value_is_told_within_a_fortieth),
        cmocka_unit_test(values_beyond_the_last_bucket_count_in_it),
        cmocka_unit_test(counts_below_round_numbers_are_exact),
        cmocka_unit_test(an_empty_histogram_tells_zero),
        cmocka_unit_test(parts_add_up_and_subtract),
        cmocka_unit_test(threads_record_and_read_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
