/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.h - the last stretch of a picture, in the only order that is safe.
 *
 * A picture is judged as the model made it, and only what was allowed comes here. Whatever must
 * happen between its pixels and its bytes happens here, one after the other, and the first "no"
 * ends it: no byte leaves that did not pass every stage. Today the one stage is the encoder.
 */
#ifndef ENGINE_FINISH_H
#define ENGINE_FINISH_H

#include "engine/job.h"

struct judge;

/* job->image to job->body. The image is given back either way. With a judge, a picture that he has
   not allowed is ST_REFUSED, whoever brings it. */
MUST_USE enum status finish_run(struct job *job, const struct judge *judge);

/* A picture of the way to it, through every stage that the picture itself has to pass, the judge
   among them. Any thread; the job is only read. */
MUST_USE enum status finish_preview(const struct job *job, const struct image *image,
                                    struct judge *judge, struct bytes *body);

/* Pixels that were allowed to the bytes that are sent: the stages behind the judge. */
MUST_USE enum status finish_encode(const struct image *image, enum format format, int quality,
                                   struct bytes *body);

#endif /* ENGINE_FINISH_H */
