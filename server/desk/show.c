/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a picture that is kept back. A word to look is given to who has the item, for one way of
 * seeing it, and is good once, for VIEW_S seconds, with his key. It is drawn from chance and kept
 * as a hash. The picture is opened for the one answer and wiped; a look at all of it, in colours or
 * in grey, is written down, and that before it leaves.
 */
#include "base/crypto.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "server/desk/room.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WORD_BYTES 24

/* ---- a word ---- */

static struct view *take_view(struct desk *d, int64_t now_s)
{
    struct view *oldest = &d->view[0];

    for (int i = 0; i < VIEWS_MAX; i++) {
        if (d->view[i].until_s <= now_s)
            return &d->view[i];
        if (d->view[i].until_s < oldest->until_s)
            oldest = &d->view[i];
    }
    return oldest;
}

static bool give_word(struct desk *d, const struct matter *m, enum veil veil, int64_t now_s,
                      char text[2 * WORD_BYTES + 1])
{
    uint8_t word[WORD_BYTES];
    struct view *v = take_view(d, now_s);

    if (crypto_random(word, sizeof(word)))
        return false;
    crypto_hex(text, word, sizeof(word));
    *v = (struct view){.veil = veil, .until_s = now_s + VIEW_S};
    crypto_sha256(v->word, text, strlen(text));
    memcpy(v->item, m->id, sizeof(v->item));
    memcpy(v->reviewer, m->who.prefix, sizeof(v->reviewer));
    memcpy(v->lease, m->lease, sizeof(v->lease));
    return true;
}

static void answer_word(struct desk *d, struct matter *m, const struct person *p, const char *text,
                        int64_t now_s)
{
    int64_t left = d->settings.views_per_hour - people_seen_since(p, now_s - 3599);
    struct answer answer;
    char url[160];

    snprintf(url, sizeof(url), "/v1/review/items/%s/image?view=%s", m->id, text);
    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "url", url);
    json_out_int(&answer.json, "expires_in", VIEW_S);
    json_out_int(&answer.json, "exposure_left", left > 0 ? left : 0);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

void show_word(struct desk *d, struct matter *m)
{
    int64_t now_s = clock_unix_s();
    struct appeal_lease lease = claim_lease(m, now_s);
    enum appeal_refusal refusal = APPEAL_FINE;
    struct person *p = people_find(d, m->who.prefix);
    int veil = veil_find(m->word);
    char text[2 * WORD_BYTES + 1];
    struct store_item item;
    struct why why = {""};
    enum status st;

    if (veil < 0) {
        matter_fail(m, 400, (struct failure){.param = "variant"}, "variant is blur, grey or full");
        return;
    }
    st = appeal_holds(d->store, &lease, &item, &refusal, &why);
    if (st || refusal)
        owner_tried(d, m, "lease");
    if (desk_is_refused(d, m, st, refusal, &why))
        return;
    if (!p || (veil != VEIL_BLUR && !people_may_see(d, m, p, now_s))) {
        if (!p)
            matter_fail_store(m, ST_FULL);
        return;
    }
    if (give_word(d, m, (enum veil)veil, now_s, text))
        answer_word(d, m, p, text, now_s);
    else
        matter_fail(m, 503, (struct failure){0}, "the server has no random numbers");
}

/* ---- a look ---- */

/* The view that the word is for, and the word is used up; NULL: there is none. */
static bool take_word(struct desk *d, const struct matter *m, struct view *out)
{
    int64_t now_s = clock_unix_s();
    struct view *found = NULL;
    uint8_t word[32];

    crypto_sha256(word, m->token, strlen(m->token));
    for (int i = 0; i < VIEWS_MAX; i++) {
        if (d->view[i].until_s > now_s && crypto_equal(word, d->view[i].word, sizeof(word)))
            found = &d->view[i];
    }
    if (!found || strcmp(found->item, m->id) != 0 || strcmp(found->reviewer, m->who.prefix) != 0)
        return false;
    *out = *found;
    crypto_wipe(found, sizeof(*found));
    return true;
}

/* "R-7F3A 2026-11-30 21:40Z" */
static void write_mark(const struct desk *d, char out[48], const struct matter *m)
{
    time_t now = (time_t)clock_unix_s();
    char name[PSEUDONYM_MAX];
    struct tm tm;
    size_t used;

    desk_pseudonym(d, name, m->who.prefix);
    used = (size_t)snprintf(out, 48, "%s ", name);
    if (gmtime_r(&now, &tm))
        strftime(out + used, 48 - used, "%Y-%m-%d %H:%MZ ", &tm);
}

/* From PNG to PNG with the veil over it. */
static enum status draw(struct desk *d, const struct matter *m, const struct judge_kept *kept,
                        enum veil veil, struct bytes *out, struct why *why)
{
    struct image image;
    char mark[48];
    enum status st = decode_png(&image, kept->picture.data, kept->picture.count, why);

    if (st)
        return st;
    write_mark(d, mark, m);
    veil_draw(&image, veil, mark);
    st = encode_image(out, &image, (struct encode_options){.format = FORMAT_PNG});
    crypto_wipe(image.rgb, image_bytes(&image));
    image_close(&image);
    return st;
}

static enum status make(struct desk *d, const struct matter *m, enum veil veil,
                        const struct store_decision *decision, struct bytes *out, struct why *why)
{
    struct judge_kept kept;
    enum status st = judge_keep_open(d->service->judge, decision, &kept, why);

    if (st)
        return st;
    st = kept.picture.count ? draw(d, m, &kept, veil, out, why) : ST_MISSING;
    judge_kept_close(&kept);
    return st;
}

/* Who saw all of it is on the disk before it leaves. */
static bool write_down(struct desk *d, const struct matter *m, const struct view *v,
                       const struct store_decision *decision)
{
    struct store_event event = {.at_ms = desk_now_ms()};
    struct why why = {""};
    enum status st;

    memcpy(event.decision, decision->id, sizeof(event.decision));
    memcpy(event.tenant, decision->tenant, sizeof(event.tenant));
    memcpy(event.item, m->id, sizeof(event.item));
    snprintf(event.actor, sizeof(event.actor), "%s", m->who.prefix);
    snprintf(event.kind, sizeof(event.kind), "item.viewed");
    snprintf(event.text, sizeof(event.text), "{\"variant\":\"%s\"}", veil_name(v->veil));
    st = d->store->ops->event_add(d->store, &event, &why);
    desk_note(d, st, &why);
    return !st;
}

static void answer_look(struct desk *d, struct matter *m, const struct view *v,
                        const struct store_decision *decision)
{
    struct person *p = people_find(d, m->who.prefix);
    int64_t now_s = clock_unix_s();
    struct answer answer;
    struct why why = {""};
    enum status st;

    if (v->veil != VEIL_BLUR && !people_may_see(d, m, p, now_s))
        return;
    answer_text(&answer, 200, "image/png", NULL);
    st = make(d, m, v->veil, decision, &answer.raw, &why);
    if (!st && v->veil != VEIL_BLUR) {
        if (!write_down(d, m, v, decision))
            st = ST_IO;
        else
            people_saw(d, p, now_s);
    }
    if (st) {
        bytes_close(&answer.raw);
        if (st == ST_MISSING)
            matter_fail(m, 404, (struct failure){.code = "not_kept"},
                        "there is no picture of it, or it was deleted");
        else
            matter_fail_store(m, st);
        return;
    }
    answer_header(&answer, "cache-control", "no-store");
    answer_header(&answer, "x-content-type-options", "nosniff");
    answer_header(&answer, "referrer-policy", "no-referrer");
    answer_header(&answer, "cross-origin-resource-policy", "same-origin");
    answer_header(&answer, "content-security-policy", "default-src 'none'; sandbox");
    matter_answer(m, &answer);
}

void show_look(struct desk *d, struct matter *m)
{
    enum appeal_refusal refusal = APPEAL_FINE;
    struct store_decision decision;
    struct appeal_lease lease;
    struct store_item item;
    struct why why = {""};
    struct view v;
    enum status st;

    if (!take_word(d, m, &v)) {
        owner_tried(d, m, "view");
        matter_fail(m, 403, (struct failure){.code = "view_over"},
                    "a word to look is good once, for a minute, for who asked: POST .../view "
                    "gives one");
        return;
    }
    memcpy(m->lease, v.lease, sizeof(m->lease));
    lease = claim_lease(m, clock_unix_s());
    st = appeal_holds(d->store, &lease, &item, &refusal, &why);
    if (st || refusal)
        owner_tried(d, m, "lease");
    if (desk_is_refused(d, m, st, refusal, &why))
        return;
    st = d->store->ops->decision_find(d->store, item.decision, &decision, &why);
    if (desk_is_refused(d, m, st, APPEAL_FINE, &why))
        return;
    if (decision.standing == STORE_SEALED) {
        owner_tried(d, m, "sealed");
        matter_fail(m, 403, (struct failure){.code = "sealed"}, "nobody looks at this any more");
        return;
    }
    answer_look(d, m, &v, &decision);
}
