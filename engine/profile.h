/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - what pictures cost on a device, before the first one comes.
 *
 * Without it the first requests could not be promised a time, and every size of a batch would be
 * tried on somebody's picture. Measured are a model's own size, with guidance, in batches of 1, 2,
 * 4 ... pictures, and one decoding. What an earlier start has measured is not measured again.
 */
#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include "engine/cost.h"
#include "engine/lane.h"

/* Fill in what the costs lack of the lane's models, as far as `budget_us` reaches: what would take
   longer than is left of it is not begun, but for the first step of each model. Nobody sits on the
   lane. ST_DEVICE when the device fails. */
MUST_USE enum status profile_run(struct lane *lane, const struct lane_options *options,
                                 struct costs *costs, int64_t budget_us, struct why *why);

/* What an earlier start knew of such a device, from a file, and what this one knows, for the next.
   Without a path nothing is kept; a file that cannot be written is told in the log, and everything
   in it will be learned again. */
void profile_load(const struct lane *lane, const struct lane_options *options, struct costs *costs,
                  const char *path);
void profile_save(const struct lane *lane, const struct lane_options *options,
                  const struct costs *costs, const char *path);

#endif /* ENGINE_PROFILE_H */
