/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.h - the last stretch of a picture, in the only order that is safe.
 *
 * A picture is judged as the model made it, and only what was allowed comes here. Whatever must
 * happen between its pixels and its bytes happens here, one after the other, and the first "no"
 * ends it: it is marked, encoded with its manifest, and logged (marking.h). No byte leaves that did
 * not pass every stage.
 */
#ifndef ENGINE_FINISH_H
#define ENGINE_FINISH_H

#include "base/clock.h"
#include "engine/job.h"

struct judge;
struct marker;

/* Whom a picture meets. Borrowed; NULL: nobody does that here. */
struct finish {
    struct judge *judge;
    struct marker *marker;
    const struct clock *clock; /* what stamps */
};

/* job->image to job->body. The image is given back either way. With a judge, a picture that he has
   not allowed is ST_REFUSED, whoever brings it. */
MUST_USE enum status finish_run(struct job *job, const struct finish *f);

/* A picture of the way to it, through every stage that the picture itself has to pass, the judge
   among them. Any thread; the job is only read, and the image is marked. */
MUST_USE enum status finish_preview(const struct job *job, struct image *image,
                                    const struct finish *f, struct bytes *body);

#endif /* ENGINE_FINISH_H */
