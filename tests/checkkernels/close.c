/* SPDX-License-Identifier: Apache-2.0 */
/* How close is close enough: one row per op and arithmetic. Reductions are held by NMSE and by
   their worst element, in units of the root mean square; rounding ops by units in the last place.
   `floor` is the size below which errors are no longer relative: denormals, and functions that
   cross zero. A bound may be loosened only by a commit that explains the arithmetic. */
#include "kernels/half.h"
#include "tests/checkkernels/check.h"

#include <math.h>
#include <string.h>

struct bound {
    const char *op, *row;
    double nmse, worst; /* of a reduction; 0 if it is not one */
    double ulp;
    double floor;
};

/* About ten times what was measured on a Zen 4 over some thousand cases, then frozen. */
static const struct bound bounds[] = {
    /* op, row, nmse, worst, ulp, floor */
    {"open", "f32", 1e-11, 5e-5, 0, 1e-37},
    {"open", "mixed", 5e-5, 1e-1, 0, 1e-30},
    {"enter", "f32", 0, 0, 0, 0},
    {"calibrate", "f32", 0, 0, 1, 0},
    {"prepare", "f32", 0, 0, 4, 1},
    {"weight_pack", "f32", 1e-11, 5e-5, 0, 1e-37},
    {"weight_pack", "mixed", 5e-5, 1e-1, 0, 1e-30},
    {"upload", "f32", 0, 0, 0, 0},
    {"download", "f32", 0, 0, 0, 0},
    {"download_pixels", "f32", 0, 0, 0, 0},
    {"noise", "f32", 0, 0, 1, 1e-3},
    {"linear", "f32", 1e-11, 5e-5, 0, 1e-37},
    /* Far to the left gelu is as small as exp(-x^2 / 2), and an error of x counts x^2 times. */
    {"linear_geglu", "f32", 1e-11, 5e-5, 0, 1e-6},
    {"linear", "mixed", 5e-5, 1e-1, 0, 1e-30},
    {"linear_geglu", "mixed", 5e-5, 1e-1, 0, 1e-6},
    /* One chain of n products in float32, as on AVX2, keeps an error of n u^2 / 6 at the most, with
       u = 2^-24: 1.4e-11 for the 23,040 of the UNet's widest convolution. */
    {"conv", "f32", 2e-11, 1e-4, 0, 1e-37},
    {"conv_up", "f32", 1e-11, 1e-4, 0, 1e-37},
    {"conv", "winograd", 1e-10, 4e-4, 0, 1e-37},
    {"conv_up", "winograd", 1e-10, 4e-4, 0, 1e-37},
    {"conv", "mixed", 5e-5, 1e-1, 0, 1e-30},
    {"conv_up", "mixed", 5e-5, 1e-1, 0, 1e-30},
    {"conv_depthwise", "f32", 2e-13, 2e-5, 0, 1e-37},
    {"conv_depthwise", "mixed", 2e-13, 2e-5, 0, 1e-37},
    {"norm_group", "f32", 1e-13, 2e-5, 0, 1e-37},
    {"norm_layer", "f32", 2e-13, 2e-5, 0, 1e-37},
    {"attention", "f32", 3e-11, 2e-4, 0, 1e-37},
    /* bf16 moves a score by up to 1/256 of it, so where two sharp ones tie, their weights by more.
     */
    {"attention", "mixed", 1e-3, 5e-1, 0, 1e-30},
    {"activate", "f32", 0, 0, 3, 1},
    {"geglu", "f32", 2e-13, 2e-5, 0, 1e-37},
    {"add", "f32", 0, 0, 0, 0},
    {"affine", "f32", 0, 0, 1, 0},
    {"gather", "f32", 0, 0, 0, 0},
    {"advance", "f32", 0, 0, 0, 0},
    {"convert", "f32", 0, 0, 0, 0},
    {"concat", "f32", 0, 0, 0, 0},
    {"blend", "f32", 0, 0, 0, 0},
    {"pool", "f32", 1e-13, 1e-5, 0, 1e-37},
    {"embed_tokens", "f32", 0, 0, 0, 0},
    {"embed_time", "f32", 0, 0, 1, 1},
    /* Activations of 16 bits, judged by inputs that are of their type already. The judge rounds y
       too, so a kernel that rounds once differs only where its sum lies across a tie. A library may
       round once more before its epilogue, which comes to an nmse of 2.4e-6 in bf16 and 3.7e-8 in
       f16; here stand two to three times that, and for attention, which rounds its weights and
       where two sharp scores tie, twenty times more. A gated product is rounded before
       its gate, value and gate apart, and all roundings of a y of a few numbers may fall badly:
       2^-8 (1 + 1.3 + 1), squared, in bf16; 1.3 is what gelu makes of an error. By arithmetic: no
       GPU has been measured. Once one has, they are frozen at ten times what it does.
       conv_up may also sum filters before they are rounded: relative errors up to 2^-9 and 2^-12 in
       what is multiplied, whose mean squares of 1.3e-6 and 2e-8 grow where sums cancel. Measured:
       9.9e-6 and 1.1e-7, and frozen at three times that. */
    {"open", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"weight_pack", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"linear", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"linear_geglu", "f16", 2.6e-6, 5e-2, 0, 1e-6},
    {"conv", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"conv_up", "f16", 4e-7, 5e-2, 0, 1e-30},
    {"conv_depthwise", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"norm_group", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"norm_layer", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"geglu", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"pool", "f16", 1e-7, 5e-2, 0, 1e-30},
    {"attention", "f16", 2e-6, 5e-2, 0, 1e-30},
    {"enter", "f16", 0, 0, 0, 0},
    {"upload", "f16", 0, 0, 0, 0},
    {"download", "f16", 0, 0, 0, 0},
    {"download_pixels", "f16", 0, 0, 0, 0},
    {"convert", "f16", 0, 0, 0, 0},
    {"concat", "f16", 0, 0, 0, 0},
    {"calibrate", "f16", 0, 0, 1, 0},
    {"blend", "f16", 0, 0, 0, 0},
    {"prepare", "f16", 0, 0, 1, 0},
    {"activate", "f16", 0, 0, 1, 1e-2},
    {"add", "f16", 0, 0, 1, 0},
    {"affine", "f16", 0, 0, 1, 0},
    {"gather", "f16", 0, 0, 1, 0},
    {"advance", "f16", 0, 0, 0, 0},
    {"embed_tokens", "f16", 0, 0, 1, 0},
    {"noise", "f16", 0, 0, 1, 1e-3},
    {"embed_time", "f16", 0, 0, 1, 1e-3},
    {"open", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"weight_pack", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"linear", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"linear_geglu", "bf16", 1.7e-4, 4e-1, 0, 1e-6},
    {"conv", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"conv_up", "bf16", 3e-5, 4e-1, 0, 1e-30},
    {"conv_depthwise", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"norm_group", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"norm_layer", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"geglu", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"pool", "bf16", 5e-6, 4e-1, 0, 1e-30},
    {"attention", "bf16", 1e-4, 4e-1, 0, 1e-30},
    {"enter", "bf16", 0, 0, 0, 0},
    {"upload", "bf16", 0, 0, 0, 0},
    {"download", "bf16", 0, 0, 0, 0},
    {"download_pixels", "bf16", 0, 0, 0, 0},
    {"convert", "bf16", 0, 0, 0, 0},
    {"concat", "bf16", 0, 0, 0, 0},
    {"calibrate", "bf16", 0, 0, 1, 0},
    {"blend", "bf16", 0, 0, 0, 0},
    {"prepare", "bf16", 0, 0, 1, 0},
    {"activate", "bf16", 0, 0, 1, 1e-2},
    {"add", "bf16", 0, 0, 1, 0},
    {"affine", "bf16", 0, 0, 1, 0},
    {"gather", "bf16", 0, 0, 1, 0},
    {"advance", "bf16", 0, 0, 0, 0},
    {"embed_tokens", "bf16", 0, 0, 1, 0},
    {"noise", "bf16", 0, 0, 1, 1e-3},
    {"embed_time", "bf16", 0, 0, 1, 1e-3},
};

/* The arithmetic inside a slot on rung r. */
const char *close_row(const struct check *c, int r)
{
    const struct rung *rung = &c->rungs[r];

    if (c->dtype != DTYPE_F32)
        return dtype_name(c->dtype);
    if (c->slot->mixes && rung->precision == PRECISION_MIXED)
        return "mixed";
    if (c->slot->winograd && (rung->mask & CAP_WINOGRAD))
        return "winograd";
    return "f32";
}

static const struct bound *bound_of(const char *op, const char *row)
{
    for (int i = 0; i < COUNT(bounds); i++)
        if (!strcmp(bounds[i].op, op) && !strcmp(bounds[i].row, row))
            return &bounds[i];
    return NULL;
}

bool close_reduces(const struct check *c, int r)
{
    const struct bound *b = bound_of(c->slot->name, close_row(c, r));

    return b && b->nmse > 0;
}

static double number_at(const char *at, enum dtype dtype)
{
    uint16_t half;
    int32_t whole;
    float f32;

    if (dtype == DTYPE_F32) {
        memcpy(&f32, at, sizeof(f32));
        return (double)f32;
    }
    if (dtype == DTYPE_I32) {
        memcpy(&whole, at, sizeof(whole));
        return whole;
    }
    memcpy(&half, at, sizeof(half));
    return (double)(dtype == DTYPE_F16 ? half_to_float(half) : bf16_to_float(half));
}

/* The distance between neighbours of this size in a type. */
static double last_place(double size, enum dtype dtype)
{
    static const int digits[] = {24, 11, 8, 32}, least[] = {-149, -24, -133, 0};
    int exponent;

    frexp(size, &exponent);
    exponent -= digits[dtype];
    return ldexp(1, exponent > least[dtype] ? exponent : least[dtype]);
}

/* Sums on the way through a tensor. */
struct sums {
    double error, size, worst;
    int64_t count, worst_row, worst_column;
    double mine, answer; /* at the worst */
};

static void worst_is(struct sums *s, const int64_t at[2], double mine, double answer, double off)
{
    s->worst = off;
    s->worst_row = at[0];
    s->worst_column = at[1];
    s->mine = mine;
    s->answer = answer;
}

static void compare(struct sums *s, struct gap *gap, const struct bound *b, enum dtype dtype,
                    const int64_t at[2], const double pair[2])
{
    double mine = pair[0], answer = pair[1], off = fabs(mine - answer), ulp;

    if (!isfinite(answer) || !isfinite(mine)) {
        bool same = (isnan(mine) && isnan(answer)) || mine == answer;
        if (!same && s->worst < INFINITY)
            worst_is(s, at, mine, answer, INFINITY);
        gap->ulp = same ? gap->ulp : INFINITY;
        return;
    }
    s->error += off * off;
    s->size += answer * answer;
    s->count++;
    ulp = off == 0 ? 0 : off / last_place(fmax(fabs(answer), b->floor), dtype);
    gap->ulp = fmax(gap->ulp, ulp);
    if (off > s->worst)
        worst_is(s, at, mine, answer, off);
}

static bool within(const struct bound *b, const struct gap *gap)
{
    if (b->nmse > 0)
        return gap->nmse <= b->nmse && gap->worst <= b->worst;
    return gap->ulp <= b->ulp;
}

static void say(struct gap *gap, const struct bound *b, const struct twin *y, const struct sums *s)
{
    int64_t image_rows = y->t.dim[1] * y->t.dim[2];
    char bound[64];

    if (b->nmse > 0)
        snprintf(bound, sizeof(bound), "nmse %.1e of %.1e, worst %.1e of %.1e", gap->nmse, b->nmse,
                 gap->worst, b->worst);
    else
        snprintf(bound, sizeof(bound), "%.1f ulp of %g", gap->ulp, b->ulp);
    snprintf(gap->where, sizeof(gap->where),
             "%s; %s[image %lld, row %lld, column %lld] is %.9g, should be %.9g", bound, y->name,
             (long long)(s->worst_row / image_rows), (long long)(s->worst_row % image_rows),
             (long long)s->worst_column, s->mine, s->answer);
}

bool close_finite(const struct twin *y)
{
    for (int64_t row = 0; row < tensor_rows(y->t); row++) {
        const char *at = tensor_row(y->t, row);
        for (int64_t i = 0; i < y->t.dim[3]; i++, at += dtype_bytes(y->t.dtype))
            if (!isfinite(number_at(at, y->t.dtype)))
                return false;
    }
    return true;
}

bool close_judge(const struct check *c, const struct twin *y, struct gap *gap)
{
    const struct bound *b = bound_of(c->slot->name, close_row(c, c->rung));
    ptrdiff_t answer = y->answer - y->bytes;
    struct sums s = {0};
    double rms;

    memset(gap, 0, sizeof(*gap));
    if (!b) {
        snprintf(gap->where, sizeof(gap->where), "close.c has no bound for %s %s", c->slot->name,
                 close_row(c, c->rung));
        return false;
    }
    for (int64_t row = 0; row < tensor_rows(y->t); row++) {
        const char *at = tensor_row(y->t, row);
        for (int64_t i = 0; i < y->t.dim[3]; i++, at += dtype_bytes(y->t.dtype)) {
            double pair[2] = {number_at(at, y->t.dtype), number_at(at + answer, y->t.dtype)};
            compare(&s, gap, b, y->t.dtype, (const int64_t[2]){row, i}, pair);
        }
    }
    rms = sqrt(s.size / (double)(s.count ? s.count : 1));
    rms = fmax(rms, fmax(b->floor, 1e-300));
    gap->nmse = s.worst < INFINITY ? s.error / ((double)s.count * rms * rms + 1e-300) : INFINITY;
    gap->worst = s.worst / rms;
    say(gap, b, y, &s);
    return within(b, gap);
}
