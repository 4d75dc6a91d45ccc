/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng.h - counter-based noise: a number is a function of (seed, stream, index) and nothing else.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11). There is no
 * state to advance, so a picture's noise depends on its seed alone: not on its place in a batch,
 * not on who came before, not on the number of threads.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One block: four words from a 128-bit counter and a 64-bit key. */
void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* `count` standard normal numbers: element i of stream `stream` of `seed`. Box-Muller in double,
   rounded to float. Stream 0 is a picture's initial noise, stream 1 + s what step s adds. */
void rng_normal(float *out, size_t count, uint64_t seed, uint32_t stream);

#ifdef __cplusplus
}
#endif

#endif /* BASE_RNG_H */
