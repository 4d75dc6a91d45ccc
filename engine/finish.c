/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finish.h"

#include "base/crypto.h"

/* So that anybody can check that the same request makes the same picture, whatever a mark or a
   format makes of it afterwards. */
static void hash_pixels(struct job *job)
{
    uint8_t hash[32];

    crypto_sha256(hash, job->image.rgb, (size_t)job->image.width * (size_t)job->image.height * 3);
    crypto_hex(job->pixels_sha256, hash, sizeof(hash));
}

static enum status encode(const struct job *job, const struct image *image, struct bytes *body)
{
    return encode_image(body, image,
                        (struct encode_options){.format = job->format, .quality = job->quality});
}

enum status finish_preview(const struct job *job, const struct image *image, struct bytes *body)
{
    return encode(job, image, body);
}

enum status finish_run(struct job *job)
{
    enum status st;

    if (atomic_load(&job->cancelled)) {
        image_close(&job->image);
        return why_fail(&job->why, ST_CANCELLED, "nobody waits for this picture");
    }
    hash_pixels(job);
    st = encode(job, &job->image, &job->body);
    image_close(&job->image);
    if (st)
        return why_fail(&job->why, st, "the picture could not be encoded: out of memory");
    return ST_OK;
}
