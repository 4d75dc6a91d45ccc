/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.h - makes the nth allocation fail.
 *
 * Linking this replaces malloc, calloc, realloc and free of the whole test program, guest
 * libraries included. While armed it counts the allocations of every thread and fails the nth.
 *
 *     for (int nth = 1;; nth++) {
 *         fault_arm(nth);
 *         enum status st = thing_open(&thing);
 *         fault_disarm();
 *         if (!fault_fired())
 *             break; // a run that needed fewer than nth allocations: every one was tried
 *         assert_int_equal(st, ST_FULL);
 *         assert_int_equal(fault_live(), 0);
 *     }
 *
 * It forwards to the sanitizers' allocator where there is one, so it works there as well.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>

void fault_arm(long nth); /* nth counts from 1; forgets what was counted before */
void fault_disarm(void);
bool fault_fired(void); /* since it was armed last */

/* Blocks taken and not given back while it was armed: what a failed call has leaked, when all that
   it frees was also taken while armed. */
long fault_live(void);

#endif /* TESTS_FAULT_H */
