/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "codec/decode.h"
#include "engine/judge/room.h"
#include "engine/marking.h"
#include "moderation/parcel.h"
#include "moderation/vault.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

static enum status unpack(struct judge_kept *out, struct parcel *parcel, struct why *why)
{
    enum status st = parcel_unpack(parcel, out->bytes, why);

    if (st)
        return st;
    out->prompt = parcel->prompt;
    out->negative = parcel->negative;
    out->picture = parcel->picture;
    memcpy(out->preview, parcel->preview, sizeof(out->preview));
    return ST_OK;
}

enum status judge_keep_open(struct judge *j, const struct store_decision *d, struct judge_kept *out,
                            struct why *why)
{
    struct store_object object;
    struct parcel parcel;
    enum status st;

    *out = (struct judge_kept){.prompt = ""};
    if (!j->store || !d->object[0])
        return why_fail(why, ST_MISSING, "nothing is kept of this decision");
    st = j->store->ops->object_find(j->store, d->object, &object, why);
    if (st)
        return st;
    st = vault_unseal(j->vault, &object, &out->bytes, why);
    free(object.data.data);
    if (!st)
        st = unpack(out, &parcel, why);
    if (st)
        judge_kept_close(out);
    return st;
}

void judge_kept_close(struct judge_kept *k)
{
    if (k->bytes.data)
        crypto_wipe(k->bytes.data, k->bytes.count);
    free(k->bytes.data);
    *k = (struct judge_kept){.prompt = ""};
}

/* Through the stages behind the judge. Which weights made it is not known any more. */
static enum status leave(struct marker *marker, const struct store_decision *d,
                         const struct judge_kept *kept, struct store_release *out, struct why *why)
{
    struct marking m = {.format = (enum format)d->format,
                        .quality = d->quality,
                        .model = d->model,
                        .unmarked_sha256 = d->pixels_sha256,
                        .tenant = d->tenant,
                        .request = d->request,
                        .decision = d->id,
                        .endpoint = "release",
                        .prompt = kept->prompt,
                        .negative = kept->negative,
                        .user = d->user,
                        .seed = (uint64_t)d->seed};
    struct image image;
    struct bytes body = {NULL, 0};
    enum status st;

    if (!kept->picture.count)
        return why_fail(why, ST_MISSING, "no picture was made: its prompt was blocked");
    st = decode_png(&image, kept->picture.data, kept->picture.count, why);
    if (st)
        return st;
    st = marking_run(marker, &m, &image, &body, why);
    image_close(&image);
    if (st)
        return st;
    *out = (struct store_release){.picture = {.seed = d->seed, .data = {body.data, body.count}},
                                  .format = d->format};
    memcpy(out->picture.sha256, d->pixels_sha256, sizeof(out->picture.sha256));
    memcpy(out->picture.decision, d->id, sizeof(out->picture.decision));
    return ST_OK;
}

enum status judge_release_picture(struct judge *j, struct marker *marker,
                                  const struct store_decision *d, struct store_release *out,
                                  struct why *why)
{
    struct judge_kept kept;
    enum status st = judge_keep_open(j, d, &kept, why);

    *out = (struct store_release){.format = FORMAT_PNG};
    if (st)
        return st;
    st = leave(marker, d, &kept, out, why);
    judge_kept_close(&kept);
    return st;
}
