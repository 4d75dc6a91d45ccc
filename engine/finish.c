/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finish.h"

#include "base/log.h"
#include "engine/judge.h"

enum status finish_encode(const struct image *image, enum format format, int quality,
                          struct bytes *body)
{
    return encode_image(body, image, (struct encode_options){.format = format, .quality = quality});
}

enum status finish_preview(const struct job *job, const struct image *image, struct judge *judge,
                           struct bytes *body)
{
    if (judge && !judge_preview(judge, job, image))
        return ST_REFUSED;
    return finish_encode(image, job->format, job->quality, body);
}

/* Nothing of ours brings a picture here that nobody has allowed; if it happens all the same, it is
   not sent. */
static bool is_allowed(const struct job *job)
{
    if (job->judged && job->verdict.action <= BAND_BLUR)
        return true;
    log_error("unjudged", "id=%s: a picture that nobody allowed was about to be sent", job->id);
    return false;
}

enum status finish_run(struct job *job, const struct judge *judge)
{
    enum status st;

    if (atomic_load(&job->cancelled)) {
        image_close(&job->image);
        return why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
    }
    if (judge && !is_allowed(job)) {
        image_close(&job->image);
        return why_fail(&job->why, ST_REFUSED, "the picture was not judged, so it is not sent");
    }
    if (!job->pixels_sha256[0])
        job_hash_pixels(job);
    st = finish_encode(&job->image, job->format, job->quality, &job->body);
    image_close(&job->image);
    if (st)
        return why_fail(&job->why, st, "the picture could not be encoded: out of memory");
    return ST_OK;
}
