/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wilson.h - how far a share that was counted may be from the true one.
 *
 * Wilson's score interval: right for few cases and for shares near 0 and 1, where the plain one
 * (share plus and minus) claims what it cannot know.
 */
#ifndef MODERATION_WILSON_H
#define MODERATION_WILSON_H

struct wilson {
    double low, high;
};

/* Of `hits` among `count`, two-sided: 0.95 leaves 2.5 % on either side. Nothing counted: 0 to 1. */
struct wilson wilson_interval(long hits, long count, double confidence);

#endif /* MODERATION_WILSON_H */
