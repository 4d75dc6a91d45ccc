/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h - how often which value came: from 0 to 10^10, to within 2.5 %, in 5 KiB.
 *
 * Below 100 every whole number has a bucket of its own. Above, each power of ten k has 70: from
 * 1 to 2 times 10^k in steps of 0.05, to 5 in steps of 0.1, to 10 in steps of 0.25. So round
 * numbers - a second, 250 ms, 0.05 - are borders between buckets, and how many values lie below
 * such a border is known exactly. What is larger than HISTOGRAM_MAX counts as HISTOGRAM_MAX.
 *
 * Any thread may record, with relaxed atomic additions and no lock; who reads while others record
 * sees some of the newest and not others. Threads that record often have a histogram each, and
 * whoever reads adds them up.
 *
 * All bytes zero is an empty histogram.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HISTOGRAM_BUCKETS (100 + 8 * 70)
#define HISTOGRAM_MAX     UINT64_C(9999999999)

struct histogram {
    uint64_t count; /* of values; tells an empty one without a look at the buckets */
    uint64_t sum;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t value);

/* What follows writes only to a histogram that nobody records into. */

void histogram_add(struct histogram *to, const struct histogram *from);
/* Of what was counted, what came since `before` was. */
void histogram_subtract(struct histogram *from, const struct histogram *before);

/* Values from `from` to below `to`, which are borders: 0, or a HISTOGRAM_MAX + 1, or a round number
   as above; asserted. */
uint64_t histogram_between(const struct histogram *h, uint64_t from, uint64_t to);
bool histogram_is_border(uint64_t value);

/* The value at a share, above 0 to 1, of all in order: 0.95 is the 95th percentile. Not more than
   2.5 % away from the true one. 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#ifdef __cplusplus
}
#endif

#endif /* BASE_HISTOGRAM_H */
