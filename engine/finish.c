/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finish.h"

enum status finish_run(struct job *job)
{
    enum status st;

    if (atomic_load(&job->cancelled)) {
        image_close(&job->image);
        return why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
    }
    st = encode_image(&job->body, &job->image,
                      (struct encode_options){.format = job->format, .quality = job->quality});
    image_close(&job->image);
    if (st)
        return why_fail(&job->why, st, "the picture could not be encoded: out of memory");
    return ST_OK;
}
