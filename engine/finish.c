/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finish.h"

#include "base/log.h"
#include "engine/judge.h"
#include "engine/marking.h"

/* Nothing of ours brings a picture here that nobody has allowed; if it happens all the same, it is
   not sent. */
static bool is_allowed(const struct job *job)
{
    if (job->judged && job->verdict.action <= BAND_BLUR)
        return true;
    log_error("unjudged", "id=%s: a picture that nobody allowed was about to be sent", job->id);
    return false;
}

static struct marking marking_of(const struct job *job, const char *endpoint)
{
    return (struct marking){.format = job->format,
                            .quality = job->quality,
                            .model = job->model_name,
                            .weights_sha256 = job->weights_sha256,
                            .tenant = job->owner.tenant,
                            .request = job->owner.request,
                            .decision = job->decision,
                            .endpoint = endpoint,
                            .prompt = job->prompt,
                            .negative = job->negative,
                            .user = job->owner.user,
                            .seed = job->picture.seed};
}

enum status finish_preview(const struct job *job, struct image *image, const struct finish *f,
                           struct bytes *body)
{
    struct marking m = marking_of(job, "preview");
    struct why why = {""};
    enum status st;

    if (f->judge && !judge_preview(f->judge, job, image))
        return ST_REFUSED;
    m.decision = NULL; /* nothing is written down about it */
    st = marking_run(f->marker, &m, image, body, &why);
    if (st)
        log_error("preview", "id=%s: %s: it is not sent", job->id, why.text);
    return st;
}

static enum status leave(struct job *job, const struct finish *f)
{
    struct marking m = marking_of(job, "picture");
    enum status st;

    if (!job->pixels_sha256[0])
        job_hash_pixels(job);
    m.unmarked_sha256 = job->pixels_sha256;
    st = marking_embed(f->marker, &m, &job->image, &job->why);
    if (st)
        return st;
    job->times.marked_us = clock_now_us(f->clock);
    st = marking_seal(f->marker, &m, &job->image, &job->body, &job->why);
    if (st)
        return st;
    job->times.encoded_us = clock_now_us(f->clock);
    st = marking_log(f->marker, &m, &job->body, &job->why);
    if (!st)
        job->times.logged_us = clock_now_us(f->clock);
    return st;
}

enum status finish_run(struct job *job, const struct finish *f)
{
    enum status st;

    if (atomic_load(&job->cancelled))
        st = why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
    else if (f->judge && !is_allowed(job))
        st = why_fail(&job->why, ST_REFUSED, "the picture was not judged, so it is not sent");
    else
        st = leave(job, f);
    if (st)
        bytes_close(&job->body);
    image_close(&job->image);
    return st;
}
