/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/wilson.h"

#include <assert.h>
#include <math.h>

/* The z for which a normal variable stays within -z..z with this probability, by halving: erf is in
   the C library, its inverse is not. */
static double z_of(double confidence)
{
    double low = 0, high = 40;

    for (int i = 0; i < 64; i++) {
        double z = (low + high) / 2;

        if (erf(z / sqrt(2)) < confidence)
            low = z;
        else
            high = z;
    }
    return (low + high) / 2;
}

struct wilson wilson_interval(long hits, long count, double confidence)
{
    double n = (double)count, p, z2, middle, half;

    assert(hits >= 0 && hits <= count && confidence > 0 && confidence < 1);
    if (count == 0)
        return (struct wilson){0, 1};
    p = (double)hits / n;
    z2 = pow(z_of(confidence), 2);
    middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    half = sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n);
    return (struct wilson){hits == 0 ? 0 : fmax(0, middle - half),
                           hits == count ? 1 : fmin(1, middle + half)};
}
