/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.h - the last stretch of a picture, in the only order that is safe.
 *
 * Whatever must happen between pixels and bytes happens here, one after the other, and the first
 * "no" ends it: no byte leaves that did not pass every stage. Today the one stage is the encoder.
 */
#ifndef ENGINE_FINISH_H
#define ENGINE_FINISH_H

#include "engine/job.h"

/* job->image to job->body. The image is given back either way. */
MUST_USE enum status finish_run(struct job *job);

/* A picture of the way to it, through every stage that the picture itself has to pass. Any thread;
   the job is only read. */
MUST_USE enum status finish_preview(const struct job *job, const struct image *image,
                                    struct bytes *body);

#endif /* ENGINE_FINISH_H */
