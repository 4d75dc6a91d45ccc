/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/judge/docket.h"

#include "base/crypto.h"
#include "engine/judge/room.h"
#include "moderation/appeal.h"
#include "moderation/audit.h"
#include "moderation/parcel.h"
#include "moderation/vault.h"
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

/* ---- the parcel ---- */

/* Where cell `i` of PARCEL_PREVIEW begins among `side` pixels. */
static int border(int i, int side)
{
    return (int)((int64_t)i * side / PARCEL_PREVIEW);
}

static void mean_of_cell(uint8_t out[3], const struct image *image, int column, int row)
{
    int x0 = border(column, image->width), x1 = border(column + 1, image->width);
    int y0 = border(row, image->height), y1 = border(row + 1, image->height);
    int64_t sum[3] = {0}, count;

    x1 = x1 > x0 ? x1 : x0 + 1; /* a picture that is smaller than its preview */
    y1 = y1 > y0 ? y1 : y0 + 1;
    for (int y = y0; y < y1; y++) {
        const uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x0);

        for (int i = 0; i < 3 * (x1 - x0); i++)
            sum[i % 3] += p[i];
    }
    count = (int64_t)(x1 - x0) * (y1 - y0);
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sum[c] + count / 2) / count);
}

static void shrink(uint8_t preview[PARCEL_PREVIEW * PARCEL_PREVIEW * 3], const struct image *image)
{
    for (int i = 0; i < PARCEL_PREVIEW * PARCEL_PREVIEW; i++)
        mean_of_cell(preview + (size_t)3 * (size_t)i, image, i % PARCEL_PREVIEW,
                     i / PARCEL_PREVIEW);
}

static void wipe_and_free(void *data, size_t bytes)
{
    if (data)
        crypto_wipe(data, bytes);
    free(data);
}

/* The texts, the picture and its preview as one block, which is the caller's to wipe. */
static enum status pack(struct store_bytes *out, const struct docket_matter *m)
{
    struct parcel parcel = {.prompt = m->prompt, .negative = m->negative};
    struct bytes png = {NULL, 0};
    enum status st = ST_OK;

    if (m->image) {
        st = encode_image(&png, m->image, (struct encode_options){.format = FORMAT_PNG});
        shrink(parcel.preview, m->image);
    }
    parcel.picture = (struct store_bytes){png.data, png.count};
    if (!st)
        st = parcel_pack(out, &parcel);
    wipe_and_free(png.data, png.count);
    return st;
}

static enum status seal(struct store_object *o, const struct judge *j,
                        const struct store_decision *row, const struct docket_matter *m,
                        struct why *why)
{
    struct store_bytes packed = {NULL, 0};
    enum status st;

    *o = (struct store_object){
        .created_s = row->created_s,
        .expires_s =
            row->created_s + (int64_t)policy_settings(m->policy)->retention.held_days * DAY_S,
        .frozen = row->standing == STORE_SEALED,
    };
    memcpy(o->decision, row->id, sizeof(o->decision));
    memcpy(o->tenant, row->tenant, sizeof(o->tenant));
    st = crypto_id(o->id, sizeof(o->id), "obj_", why);
    if (!st && pack(&packed, m))
        st = why_fail(why, ST_FULL, "no memory to keep what was decided about");
    if (!st)
        st = vault_seal(j->vault, o, packed.data, packed.count, why);
    wipe_and_free(packed.data, packed.count);
    return st;
}

/* ---- one decision ---- */

static bool is_appealable(const struct docket_matter *m)
{
    int category = m->verdict->category;

    if (m->verdict->action < BAND_HOLD)
        return false;
    if (!m->image && !policy_settings(m->policy)->prompt.appealable)
        return false;
    return category < 0 || policy_category(m->policy, category)->appealable;
}

/* What the verdict and the policy say. */
static void fill(struct store_decision *row, const struct judge *j, const struct docket_matter *m)
{
    const struct policy_settings *settings = policy_settings(m->policy);
    const struct verdict *v = m->verdict;

    snprintf(row->policy, sizeof(row->policy), "%s", policy_id(m->policy));
    row->policy_version = policy_version(m->policy);
    snprintf(row->policy_sha256, sizeof(row->policy_sha256), "%s", policy_sha256(m->policy));
    if (v->category >= 0)
        snprintf(row->category, sizeof(row->category), "%s",
                 policy_category(m->policy, v->category)->id);
    row->decision = (int)v->decision;
    row->action = (int)v->action;
    row->cause = (int)v->cause;
    row->audited = audit_draw(&settings->audit, j->secret, row->id, v) != AUDIT_NONE &&
                   row->standing != STORE_SEALED;
    row->created_s = clock_unix_s();
    if (is_appealable(m))
        row->appeal_until_s = row->created_s + (int64_t)settings->appeals.window_days * DAY_S;
}

static void note(struct store_event *e, const struct store_decision *row)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *e = (struct store_event){.actor = "system",
                              .kind = "judged",
                              .at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    memcpy(e->decision, row->id, sizeof(e->decision));
    memcpy(e->tenant, row->tenant, sizeof(e->tenant));
    snprintf(e->text, sizeof(e->text),
             "{\"action\":\"%s\",\"cause\":\"%s\",\"policy_version\":%d,\"audited\":%s}",
             band_name((enum band)row->action), cause_name((enum cause)row->cause),
             row->policy_version, row->audited ? "true" : "false");
}

/* What goes with a decision that is not simply sent. */
static void follow(struct docket *d, const struct judge *j, const struct store_decision *row,
                   const struct docket_matter *m)
{
    bool withheld = row->standing == STORE_HELD || row->standing == STORE_BLOCKED;

    note(&d->event[d->events++], row);
    if (row->standing == STORE_HELD || row->audited)
        appeal_item(&d->item[d->items++], m->policy, row,
                    row->standing == STORE_HELD ? STORE_ITEM_HOLD : STORE_ITEM_AUDIT,
                    row->created_s);
    if (withheld && j->tell && j->tell(j->context, row, &d->message[d->messages]))
        d->messages++;
}

enum status docket_add(struct docket *d, const struct judge *j, const struct store_decision *given,
                       const struct docket_matter *m, struct why *why)
{
    struct store_decision *row = &d->decision[d->decisions];
    bool keep;

    assert(d->decisions < JUDGE_BATCH_MAX);
    *row = *given;
    fill(row, j, m);
    keep = m->verdict->action >= BAND_HOLD || row->audited;
    if (keep) {
        enum status st = seal(&d->object[d->objects], j, row, m, why);

        if (st)
            return st;
        memcpy(row->object, d->object[d->objects].id, sizeof(row->object));
        d->objects++;
        follow(d, j, row, m);
    }
    d->decisions++;
    return ST_OK;
}

enum status docket_commit(struct docket *d, const struct judge *j, struct why *why)
{
    const struct store_record record = {.decisions = d->decision,
                                        .decision_count = d->decisions,
                                        .objects = d->object,
                                        .object_count = d->objects,
                                        .items = d->item,
                                        .item_count = d->items,
                                        .events = d->event,
                                        .event_count = d->events,
                                        .messages = d->message,
                                        .message_count = d->messages};

    return d->decisions ? j->store->ops->decision_add(j->store, &record, why) : ST_OK;
}

void docket_clear(struct docket *d)
{
    for (int i = 0; i < d->objects; i++) {
        free(d->object[i].data.data); /* sealed: it says nothing */
        crypto_wipe(&d->object[i], sizeof(d->object[i]));
    }
    d->decisions = d->objects = d->items = d->events = d->messages = 0;
}
