/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.h - a 64-bit id as bits that survive when many of them are hurt.
 *
 * The id, a CRC-24 (OpenPGP's polynomial) and six zero bits go through the convolutional code of
 * constraint length 7 and rate 1/3 (133, 171, 165 octal). Decoding is soft: each bit comes with how
 * sure it is. A list of the best words is kept, and the first whose check sum holds is the answer.
 * A check sum that holds is no proof: the caller must also see that the word fits well enough.
 */
#ifndef WATERMARK_PAYLOAD_H
#define WATERMARK_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAYLOAD_STEPS 94                  /* 64 + 24 + 6 */
#define PAYLOAD_BITS  (3 * PAYLOAD_STEPS) /* after coding */
#define PAYLOAD_LIST  8                   /* words that are looked at */

/* Each +1 for a zero or -1 for a one. */
void payload_encode(int8_t out[PAYLOAD_BITS], uint64_t id);

/* soft: above 0 for +1, below for -1, larger when surer, on any common scale; all finite. False: no
   word of the list has a check sum that holds. */
bool payload_decode(uint64_t *id, const float soft[PAYLOAD_BITS]);

/* How well a word fits: the sum of soft times the id's coded bits. */
double payload_fit(const float soft[PAYLOAD_BITS], uint64_t id);

#ifdef __cplusplus
}
#endif

#endif /* WATERMARK_PAYLOAD_H */
