/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <math.h>
#include <string.h>

#define ROUNDS       10
#define MULTIPLIER_0 0xD2511F53u
#define MULTIPLIER_1 0xCD9E8D57u
#define WEYL_0       0x9E3779B9u /* the golden ratio */
#define WEYL_1       0xBB67AE85u /* sqrt(3) - 1 */

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MULTIPLIER_0 * a;
        uint64_t p1 = (uint64_t)MULTIPLIER_1 * c;

        a = (uint32_t)(p1 >> 32) ^ b ^ k0;
        b = (uint32_t)p1;
        c = (uint32_t)(p0 >> 32) ^ d ^ k1;
        d = (uint32_t)p0;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* Box-Muller: two uniform words to two normal numbers. The half keeps u above zero, where the
   logarithm is finite; the largest number that can come out is 6.76. */
static void normal_pair(float out[2], const uint32_t words[2])
{
    double u = ((double)words[0] + 0.5) * 0x1p-32;
    double angle = 2.0 * M_PI * 0x1p-32 * (double)words[1];
    double radius = sqrt(-2.0 * log(u));

    out[0] = (float)(radius * cos(angle));
    out[1] = (float)(radius * sin(angle));
}

void rng_normal(float *out, size_t count, uint64_t seed, uint32_t stream)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};

    for (size_t i = 0; i < count; i += 4) {
        uint64_t block = i / 4;
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
        uint32_t words[4];
        float four[4];

        rng_philox(words, counter, key);
        normal_pair(four, words);
        normal_pair(four + 2, words + 2);
        memcpy(out + i, four, (count - i < 4 ? count - i : 4) * sizeof(*out));
    }
}
