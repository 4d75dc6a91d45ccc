/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "tests/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 400000 /* enough for a fourth moment within a few hundredths */

/* Goal: the generator is Philox4x32-10 and no other.
   Method: the three vectors that its authors publish for it (Random123, kat_vectors). */
static void philox_gives_the_published_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint32_t out[4];

        rng_philox(out, known[i].counter, known[i].key);
        for (int j = 0; j < 4; j++)
            if (out[j] != known[i].out[j])
                fail_msg("vector %zu word %d is %08x, not %08x", i, j, out[j], known[i].out[j]);
    }
}

/* Goal: seeds mean the same picture for ever.
   Method: numbers worked out by another implementation, in Python's doubles. */
static void normal_numbers_are_the_ones_agreed_on(void **state)
{
    static const double seed_42[] = {-0.9701897898778522,  0.19401895606956673,
                                     -1.2356207419107479,  1.9239267506573894,
                                     -0.07318150834378521, 0.13913749635697806};
    static const double stream_7[] = {0.23827043435719888, 0.43182948564830603, -0.4303217220381346,
                                      -0.9039640570278809, 0.6619068391991056,  1.9311833764467607};
    float a[6], b[6];
    (void)state;

    rng_normal(a, 6, 42, 0);
    rng_normal(b, 6, 0x123456789abcdef0, 7);

    for (int i = 0; i < 6; i++) {
        assert_true(fabs((double)a[i] - seed_42[i]) < 1e-7 + fabs(seed_42[i]) * 1e-7);
        assert_true(fabs((double)b[i] - stream_7[i]) < 1e-7 + fabs(stream_7[i]) * 1e-7);
    }
}

/* Goal: element i does not depend on how many are asked for, nor writes past the count. */
static void an_element_is_the_same_whatever_the_count(void **state)
{
    float whole[67], part[68];
    (void)state;
    rng_normal(whole, 67, 9, 3);

    for (size_t count = 0; count <= 67; count++) {
        part[count] = 1234.5f;
        rng_normal(part, count, 9, 3);
        if (memcmp(part, whole, count * sizeof(float)) != 0)
            fail_msg("%zu numbers differ from the first of 67", count);
        if (part[count] != 1234.5f)
            fail_msg("%zu numbers wrote one more", count);
    }
}

static double correlation(const float *a, const float *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum / (double)count;
}

/* A sum of n products of independent standard normals has deviation sqrt(n): 5 of them never
   happen, and the seeds are fixed. */
static void seeds_and_streams_are_independent(void **state)
{
    static const uint64_t seeds[] = {1, 2, 1ull << 32, 1};
    static const uint32_t streams[] = {0, 0, 0, 1};
    const double bound = 5.0 / sqrt(COUNT);
    float *a = malloc(COUNT * sizeof(*a)), *b = malloc(COUNT * sizeof(*b));
    (void)state;
    assert_non_null(a);
    assert_non_null(b);

    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            rng_normal(a, COUNT, seeds[i], streams[i]);
            rng_normal(b, COUNT, seeds[j], streams[j]);
            if (fabs(correlation(a, b, COUNT)) > bound)
                fail_msg("pairs %d and %d are correlated", i, j);
        }
        if (fabs(correlation(a, a + 1, COUNT - 1)) > bound)
            fail_msg("neighbours of pair %d are correlated", i);
    }
    free(a);
    free(b);
}

/* Mean, variance, skewness and kurtosis of a standard normal: 0, 1, 0, 3; five deviations each. */
static void the_moments_are_those_of_a_normal(void **state)
{
    static const double want[] = {0, 1, 0, 3}, variance[] = {1, 2, 15, 96};
    float *x = malloc(COUNT * sizeof(*x));
    double sum[4] = {0};
    (void)state;
    assert_non_null(x);

    rng_normal(x, COUNT, 2024, 0);

    for (size_t i = 0; i < COUNT; i++) {
        double power = 1;

        for (int k = 0; k < 4; k++)
            sum[k] += power *= (double)x[i];
    }
    for (int k = 0; k < 4; k++)
        if (fabs(sum[k] / COUNT - want[k]) > 5.0 * sqrt(variance[k] / COUNT))
            fail_msg("moment %d is %f, not %f", k + 1, sum[k] / COUNT, want[k]);
    free(x);
}

/* Goal: no infinity, whatever the words. Method: the tails hold as many numbers as they should. */
static void tails_are_as_heavy_as_they_should_be(void **state)
{
    const double beyond_3 = COUNT * 0.0026997960632601866;
    float *x = malloc(COUNT * sizeof(*x));
    int count = 0;
    (void)state;
    assert_non_null(x);

    rng_normal(x, COUNT, 77, 5);

    for (size_t i = 0; i < COUNT; i++) {
        assert_true(fabsf(x[i]) < 6.77f);
        count += fabsf(x[i]) > 3.0f;
    }
    assert_true(fabs(count - beyond_3) < 5.0 * sqrt(beyond_3));
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(normal_numbers_are_the_ones_agreed_on),
        cmocka_unit_test(an_element_is_the_same_whatever_the_count),
        cmocka_unit_test(seeds_and_streams_are_independent),
        cmocka_unit_test(the_moments_are_those_of_a_normal),
        cmocka_unit_test(tails_are_as_heavy_as_they_should_be),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
