/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - time, real or virtual.
 *
 * Durations are measured on a clock that never jumps. Whoever waits or schedules takes a `struct
 * clock`, so that tests and the simulator can move time by hand.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clock {
    int64_t virtual_us; /* the time that a test has set; below 0: the real clock */
};

void clock_init_real(struct clock *c);
void clock_init_virtual(struct clock *c, int64_t now_us);

int64_t clock_now_us(const struct clock *c);              /* monotonic microseconds */
void clock_advance(struct clock *c, int64_t duration_us); /* virtual clocks only */

int64_t clock_unix_s(void); /* wall time, for people and headers */

#ifdef __cplusplus
}
#endif

#endif /* BASE_CLOCK_H */
