/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/half.h"
#include "tests/unit.h"

#include <math.h>
#include <stdbool.h>

/* A 16-bit float described by the standard's words instead of by bits. */
struct format {
    int exponent_bits, fraction_bits;
    float (*widen)(uint16_t half);
    uint16_t (*narrow)(float value);
};

static const struct format half = {5, 10, half_to_float, float_to_half};
static const struct format bf16 = {8, 7, bf16_to_float, float_to_bf16};

/* What the bits mean, by arithmetic: an independent judge of the widening. */
static double meaning(const struct format *f, unsigned bits)
{
    int bias = (1 << (f->exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> f->fraction_bits) & ((1 << f->exponent_bits) - 1);
    int fraction = (int)bits & ((1 << f->fraction_bits) - 1);
    double sign = bits >> 15 ? -1 : 1;

    if (exponent == (1 << f->exponent_bits) - 1)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - f->fraction_bits);
    return sign * ldexp((1 << f->fraction_bits) + fraction, exponent - bias - f->fraction_bits);
}

static void every_value_widens_to_its_meaning(const struct format *f)
{
    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        double expected = meaning(f, bits), got = (double)f->widen((uint16_t)bits);
        bool same =
            isnan(expected) ? isnan(got) : got == expected && !signbit(got) == !signbit(expected);
        if (!same)
            fail_msg("0x%04x widens to %a, means %a", bits, got, expected);
    }
}

static void every_value_comes_back(const struct format *f)
{
    unsigned quiet = 1u << (f->fraction_bits - 1);

    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        unsigned expected = isnan(meaning(f, bits)) ? bits | quiet : bits;
        unsigned got = f->narrow(f->widen((uint16_t)bits));
        if (got != expected)
            fail_msg("0x%04x comes back as 0x%04x", bits, got);
    }
}

/* Between each two neighbours lies a float half way: it goes to the even one, and the floats beside
   it go to the nearer. Past the largest value the neighbour is infinity. */
static void every_tie_goes_to_even(const struct format *f)
{
    unsigned infinity = ((1u << f->exponent_bits) - 1) << f->fraction_bits;

    for (unsigned bits = 0; bits < infinity; bits++) {
        double low = meaning(f, bits), next = meaning(f, bits + 1);
        double gap = bits + 1 < infinity ? next - low : low - meaning(f, bits - 1);
        float middle = (float)(low + gap / 2);
        unsigned even = bits & 1 ? bits + 1 : bits;

        if (f->narrow(middle) != even || f->narrow(-middle) != (even | 0x8000))
            fail_msg("half way after 0x%04x: %a goes to 0x%04x", bits, (double)middle,
                     f->narrow(middle));
        if (f->narrow(nextafterf(middle, 0)) != bits)
            fail_msg("just under half way after 0x%04x does not go back", bits);
        if (f->narrow(nextafterf(middle, INFINITY)) != bits + 1)
            fail_msg("just over half way after 0x%04x does not go on", bits);
    }
}

static void halves_widen_to_what_they_mean(void **state)
{
    (void)state;
    every_value_widens_to_its_meaning(&half);
    every_value_widens_to_its_meaning(&bf16);
}

static void halves_come_back_unchanged_and_nans_quiet(void **state)
{
    (void)state;
    every_value_comes_back(&half);
    every_value_comes_back(&bf16);
}

static void floats_round_to_the_nearest_half_and_ties_to_even(void **state)
{
    (void)state;
    every_tie_goes_to_even(&half);
    every_tie_goes_to_even(&bf16);
}

static void the_far_ends_of_float_have_a_half(void **state)
{
    (void)state;

    assert_int_equal(float_to_half(3e38f), 0x7c00);
    assert_int_equal(float_to_half(-3e38f), 0xfc00);
    assert_int_equal(float_to_half(1e-45f), 0x0000);
    assert_int_equal(float_to_half(-1e-45f), 0x8000);
    assert_int_equal(float_to_bf16(3.4028235e38f), 0x7f80); /* the largest float is past it */
    assert_int_equal(float_to_bf16(1e-45f), 0x0000);
    assert_true(isnan(half_to_float(float_to_half(NAN))));
    assert_true(isnan(bf16_to_float(float_to_bf16(-NAN))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_widen_to_what_they_mean),
        cmocka_unit_test(halves_come_back_unchanged_and_nans_quiet),
        cmocka_unit_test(floats_round_to_the_nearest_half_and_ties_to_even),
        cmocka_unit_test(the_far_ends_of_float_have_a_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
