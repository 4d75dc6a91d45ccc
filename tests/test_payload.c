/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "tests/unit.h"
#include "watermark/payload.h"

#include <stdio.h>

#define ID 0x0123456789abcdefu

static void soft_word(float soft[PAYLOAD_BITS], uint64_t id)
{
    int8_t bits[PAYLOAD_BITS];

    payload_encode(bits, id);
    for (int i = 0; i < PAYLOAD_BITS; i++)
        soft[i] = bits[i];
}

/* What a single one does is the generators themselves, from their lowest binary digit on: 133, 171
   and 165 are 1011011, 1111001 and 1110101. */
static void test_generators(void **state)
{
    static const char expected[] = "111 100 001 110 111 011 111";
    int8_t zero[PAYLOAD_BITS], one[PAYLOAD_BITS];
    char text[32] = "";

    (void)state;
    payload_encode(zero, 0);
    payload_encode(one, 1ull << 63);
    for (int step = 0; step < 7; step++)
        for (int i = 0; i < 3; i++)
            snprintf(text + 4 * step + i, 3, "%d ", zero[3 * step + i] != one[3 * step + i]);
    text[27] = 0;
    assert_string_equal(text, expected);
}

static void test_round_trip(void **state)
{
    static const uint64_t ids[] = {0, 1, ID, UINT64_MAX, 1ull << 63, 0xaaaaaaaaaaaaaaaau};

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        float soft[PAYLOAD_BITS];
        uint64_t id;

        soft_word(soft, ids[i]);
        assert_float_equal(payload_fit(soft, ids[i]), PAYLOAD_BITS, 1e-9);
        assert_true(payload_decode(&id, soft));
        assert_int_equal(id, ids[i]);
    }
}

/* Every sixth bit turned round, and a tenth erased. */
static void test_hurt(void **state)
{
    float soft[PAYLOAD_BITS];
    uint64_t id;

    (void)state;
    soft_word(soft, ID);
    for (int i = 0; i < PAYLOAD_BITS; i++)
        soft[i] *= i % 6 == 0 ? -1.0f : i % 10 == 3 ? 0.0f : 1.0f;
    assert_true(payload_decode(&id, soft));
    assert_int_equal(id, ID);
}

/* Noise as strong as the bits themselves, in the middle of what a marked picture gives. */
static void test_noise(void **state)
{
    int read = 0;

    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        float soft[PAYLOAD_BITS], noise[PAYLOAD_BITS];
        uint64_t id, expected = (uint64_t)trial * 0x9e3779b97f4a7c15u;

        soft_word(soft, expected);
        rng_normal(noise, PAYLOAD_BITS, 5, (uint32_t)trial);
        for (int i = 0; i < PAYLOAD_BITS; i++)
            soft[i] += noise[i];
        if (payload_decode(&id, soft)) {
            assert_int_equal(id, expected);
            read++;
        }
    }
    assert_true(read >= 190);
}

/* Without a word in it, the check sum holds by chance only: PAYLOAD_LIST in 2^24. */
static void test_nothing(void **state)
{
    float soft[PAYLOAD_BITS] = {0};
    uint64_t id;

    (void)state;
    for (int trial = 0; trial < 500; trial++) {
        rng_normal(soft, PAYLOAD_BITS, 6, (uint32_t)trial);
        assert_false(payload_decode(&id, soft));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generators), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hurt),       cmocka_unit_test(test_noise),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
