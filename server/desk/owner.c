/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/marking.h"
#include "moderation/link.h"
#include "server/desk/room.h"
#include "server/statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX       100
#define PREVIEW_PIXELS 192
#define TRIES_MAX      60 /* that are written down in a minute: nobody fills the disk with them */

/* ---- who may look ---- */

void owner_tried(struct desk *d, const struct matter *m, const char *what)
{
    struct store_decision decision;
    struct why why = {""};
    bool known = m->id[0] && !d->store->ops->decision_find(d->store, m->id, &decision, &why);
    int64_t minute = clock_unix_s() / 60;
    char text[96];

    d->refused_views++;
    if (minute != d->minute) {
        d->minute = minute;
        d->tries = 0;
    }
    if (++d->tries > TRIES_MAX) {
        d->tries_left_out++;
        return;
    }
    snprintf(text, sizeof(text), "{\"what\":\"%s\",\"left_out_before\":%d}", what,
             d->tries_left_out);
    d->tries_left_out = 0;
    desk_event(d, known ? &decision : NULL, m->id, m->who.prefix[0] ? m->who.prefix : "stranger",
               "view.refused", text);
}

static void refuse_missing(struct matter *m)
{
    matter_fail(m, 404, (struct failure){.code = "decision_not_found"},
                "there is no such decision, or this key or link is not for it");
}

void owner_nothing(struct desk *d, struct matter *m)
{
    owner_tried(d, m, "path");
    refuse_missing(m);
}

/* A link is looked at before the store is asked: who guesses one costs nothing but the guess. */
static bool is_let_in(struct desk *d, struct matter *m)
{
    enum status st = ST_OK;

    if (m->token[0]) {
        st = link_check(d->service->secret, MODERATED_LINK, m->id, m->token, clock_unix_s());
        m->who.link = !st;
    }
    if (!st && (m->token[0] || m->who.tenant >= 0))
        return true;
    if (!m->token[0]) {
        matter_fail(m, 401, (struct failure){.code = "missing_api_key"},
                    "send an API key as Authorization: Bearer KEY, or the token of the decision's "
                    "link");
        return false;
    }
    owner_tried(d, m, st == ST_LATE ? "old_token" : "token");
    if (st == ST_LATE)
        matter_fail(m, 410, (struct failure){.code = "expired"},
                    "this link is not valid any more; ask for a new one where you got it");
    else
        refuse_missing(m);
    return false;
}

bool owner_find(struct desk *d, struct matter *m, struct store_decision *out)
{
    struct why why = {""};
    enum status st;

    if (!is_let_in(d, m))
        return false;
    st = d->store->ops->decision_find(d->store, m->id, out, &why);
    if (!st && (m->who.link || !strcmp(out->tenant, m->who.name)))
        return true;
    if (st && st != ST_MISSING) {
        desk_note(d, st, &why);
        matter_fail_store(m, st);
        return false;
    }
    owner_tried(d, m, st ? "id" : "tenant");
    refuse_missing(m);
    return false;
}

/* ---- decisions ---- */

/* 0: any; below 0: there is no such word. */
static int standings_of(const char *word)
{
    if (!word[0])
        return 0;
    for (int i = 0; i < STORE_STANDINGS; i++) {
        if (!strcmp(word, moderated_standing((enum store_standing)i)))
            return 1 << i;
    }
    return -1;
}

static void write_list(struct desk *d, struct matter *m, const struct store_decision *list,
                       int count, bool more)
{
    struct moderated mo;
    struct answer answer;

    moderated_open(&mo, d->service);
    mo.language = m->language[0] ? m->language : NULL;
    desk_answer(&answer, 200);
    json_out_object(&answer.json, NULL);
    json_out_string(&answer.json, "object", "list");
    json_out_array(&answer.json, "data");
    for (int i = 0; i < count; i++)
        statement_write(&answer.json, NULL, &mo, &list[i]);
    json_out_array_end(&answer.json);
    json_out_bool(&answer.json, "has_more", more);
    if (more)
        json_out_int(&answer.json, "next", list[count - 1].seq);
    json_out_object_end(&answer.json);
    answer_json_end(&answer);
    moderated_close(&mo, d->service);
    matter_answer(m, &answer);
}

void owner_list(struct desk *d, struct matter *m)
{
    int standings = standings_of(m->word);
    int limit = m->number[1] < 1 || m->number[1] > LIST_MAX ? LIST_MAX : (int)m->number[1];
    int count = limit + 1;
    struct store_decision *list;
    struct why why = {""};
    enum status st;

    if (standings < 0) {
        matter_fail(m, 400, (struct failure){.param = "status"},
                    "status is allowed, blurred, held, blocked, released, final, expired or "
                    "sealed");
        return;
    }
    list = calloc((size_t)count, sizeof(*list));
    st = list ? d->store->ops->decision_list(d->store, m->who.name, (unsigned)standings,
                                             m->number[0], list, &count, &why)
              : ST_FULL;
    if (st) {
        desk_note(d, st, &why);
        matter_fail_store(m, st);
    } else {
        write_list(d, m, list, count > limit ? limit : count, count > limit);
    }
    free(list);
}

void owner_decision(struct desk *d, struct matter *m)
{
    struct store_decision decision;
    struct answer answer;
    struct moderated mo;

    if (!owner_find(d, m, &decision))
        return;
    moderated_open(&mo, d->service);
    mo.language = m->language[0] ? m->language : NULL;
    if (m->as_text) {
        answer_text(&answer, 200, "text/plain; charset=utf-8", NULL);
        if (statement_text(&answer.raw, &mo, &decision))
            answer_fail_http(&answer, 503, (struct failure){0}, "the server is out of memory");
        answer_header(&answer, "cache-control", "no-store");
    } else {
        desk_answer(&answer, 200);
        statement_write(&answer.json, NULL, &mo, &decision);
        answer_json_end(&answer);
    }
    answer_header(&answer, "referrer-policy", "no-referrer");
    moderated_close(&mo, d->service);
    matter_answer(m, &answer);
}

/* ---- pictures ---- */

/* A picture's answer goes into no cache, and runs nothing. */
static void protect(struct answer *a)
{
    answer_header(a, "cache-control", "no-store");
    answer_header(a, "x-content-type-options", "nosniff");
    answer_header(a, "referrer-policy", "no-referrer");
    answer_header(a, "content-security-policy", "default-src 'none'; sandbox");
}

/* Why its bytes are not here. */
static void refuse_picture(struct desk *d, struct matter *m, const struct store_decision *decision)
{
    static const struct {
        int status;
        const char *code, *message;
    } reasons[STORE_STANDINGS] = {
        [STORE_ALLOWED] = {404, "not_kept",
                           "this picture was delivered with its request, and is not kept here"},
        [STORE_BLURRED] = {404, "not_kept",
                           "this picture was delivered with its request, and is not kept here"},
        [STORE_HELD] = {409, "held_for_review", "a person has not looked at this picture yet"},
        [STORE_BLOCKED] = {403, "blocked",
                           "this picture is blocked; its statement says why, and how to appeal"},
        [STORE_RELEASED] = {410, "expired", "the time to fetch this picture is over"},
        [STORE_FINAL] = {403, "blocked", "a person has looked, and this picture stays blocked"},
        [STORE_EXPIRED] = {410, "expired", "the time to appeal is over, and the picture deleted"},
        [STORE_SEALED] = {403, "blocked", "this picture is blocked"},
    };

    if (decision->standing == STORE_HELD || decision->standing == STORE_BLOCKED ||
        decision->standing == STORE_FINAL || decision->standing == STORE_SEALED)
        owner_tried(d, m, "image");
    matter_fail(m, reasons[decision->standing].status,
                (struct failure){.code = reasons[decision->standing].code},
                reasons[decision->standing].message);
}

void owner_picture(struct desk *d, struct matter *m)
{
    struct store_release release = {.format = 0};
    struct store_decision decision;
    struct answer answer;
    struct why why = {""};
    enum status st = ST_MISSING;

    if (!owner_find(d, m, &decision))
        return;
    if (decision.standing == STORE_RELEASED || decision.standing == STORE_BLURRED)
        st = d->store->ops->release_find(d->store, decision.id, &release, &why);
    if (st && st != ST_MISSING) {
        desk_note(d, st, &why);
        matter_fail_store(m, st);
        return;
    }
    if (st || !release.picture.data.count) {
        free(release.picture.data.data);
        refuse_picture(d, m, &decision);
        return;
    }
    answer_text(&answer, 200, encode_media_type((enum format)release.format), NULL);
    answer.raw = (struct bytes){release.picture.data.data, release.picture.data.count};
    protect(&answer);
    answer_header(&answer, "x-limner-pixels-sha256", "%s", release.picture.sha256);
    answer_header(&answer, "x-limner-seed", "%lld", (long long)release.picture.seed);
    answer_header(&answer, "x-limner-moderation", "%s",
                  decision.standing == STORE_BLURRED ? "blur" : "allow");
    matter_answer(m, &answer);
}

void owner_preview(struct desk *d, struct matter *m)
{
    struct store_decision decision;
    struct judge_kept kept = {.prompt = NULL};
    struct image image = {.rgb = NULL};
    struct answer answer;
    struct marking marking;
    struct why why = {""};
    enum status st = ST_MISSING;

    if (!owner_find(d, m, &decision))
        return;
    if (decision.stage == STORE_STAGE_IMAGE && decision.object[0] &&
        decision.standing != STORE_SEALED)
        st = judge_keep_open(d->service->judge, &decision, &kept, &why);
    if (st) {
        matter_fail(m, 404, (struct failure){.code = "not_kept"},
                    "there is no preview of it, or it was deleted");
        return;
    }
    answer_text(&answer, 200, "image/png", NULL);
    marking = (struct marking){.format = FORMAT_PNG,
                               .model = decision.model,
                               .tenant = decision.tenant,
                               .request = decision.request,
                               .decision = decision.id,
                               .endpoint = "veiled"};
    st = veil_spread(&image, kept.preview, JUDGE_PREVIEW, PREVIEW_PIXELS);
    if (!st)
        st = marking_run(d->service->marker, &marking, &image, &answer.raw, &why);
    if (st)
        answer_fail_http(&answer, 503, (struct failure){0}, "the preview cannot be sent now");
    protect(&answer);
    image_close(&image);
    judge_kept_close(&kept);
    matter_answer(m, &answer);
}
