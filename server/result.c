/* SPDX-License-Identifier: Apache-2.0 */
#include "server/result.h"

#include "base/crypto.h"

#include <assert.h>
#include <stdio.h>

const char *result_format_name(enum format format)
{
    static const char *const names[] = {
        [FORMAT_PNG] = "png", [FORMAT_WEBP] = "webp", [FORMAT_JPEG] = "jpeg"};

    return names[format];
}

int result_cut(const struct generation *g)
{
    return g->job[0]->prompt_cut ? g->prompt_tokens : 0;
}

void result_of(struct result *out, const struct generation *g, const struct outcomes *outcomes)
{
    const struct job *first = g->job[0];

    *out = (struct result){
        .model = g->model,
        .width = first->picture.width,
        .height = first->picture.height,
        .format = first->format,
        .cut = result_cut(g),
        .made_s = g->made_s ? g->made_s : clock_unix_s(),
        .count = g->count,
        .outcomes = outcomes,
    };
    for (int i = 0; i < g->count; i++) {
        out->picture[i].seed = g->job[i]->picture.seed;
        out->picture[i].sha256 = g->job[i]->pixels_sha256;
        out->picture[i].decision = g->job[i]->decision;
        out->picture[i].data = &g->job[i]->body;
    }
}

/* ---- what became of each ---- */

static const struct store_decision *decision_of(const struct result *r, int i)
{
    return r->outcomes && r->outcomes->decision[i].id[0] ? &r->outcomes->decision[i] : NULL;
}

static bool is_held(const struct result *r, int i)
{
    const struct store_decision *d = decision_of(r, i);

    return !r->picture[i].data->count && d && d->standing == STORE_HELD;
}

struct result_tally result_count(const struct result *r)
{
    struct result_tally tally = {0};

    for (int i = 0; i < r->count; i++) {
        const struct store_decision *d = decision_of(r, i);

        if (is_held(r, i))
            tally.held++;
        else if (!r->picture[i].data->count)
            tally.blocked++;
        else
            tally.allowed++;
        if (r->picture[i].data->count && d && d->standing == STORE_BLURRED)
            tally.blurred++;
    }
    return tally;
}

int result_blocked(const struct result *r, const struct store_decision **out)
{
    int count = 0;

    for (int i = 0; i < r->count; i++) {
        if (!r->picture[i].data->count && !is_held(r, i) && decision_of(r, i))
            out[count++] = decision_of(r, i);
    }
    return count;
}

static void write_moderation(struct json_out *o, const struct result *r, int i)
{
    const struct store_decision *d = decision_of(r, i);

    if (d) {
        moderated_write(o, "moderation", &r->outcomes->how, d);
    } else if (r->picture[i].decision && r->picture[i].decision[0]) {
        json_out_object(o, "moderation");
        json_out_string(o, "decision_id", r->picture[i].decision);
        json_out_string(o, "action", "allow");
        json_out_object_end(o);
    }
}

static void write_withheld(struct json_out *o, const struct result *r, int i)
{
    json_out_object(o, NULL);
    json_out_int(o, "index", i);
    json_out_int(o, "seed", (int64_t)r->picture[i].seed);
    json_out_object(o, "limner");
    write_moderation(o, r, i);
    if (is_held(r, i) && r->outcomes->job)
        json_out_string(o, "job_id", r->outcomes->job);
    json_out_object_end(o);
    json_out_object_end(o);
}

/* ---- the answer ---- */

/* base64 ends with a NUL, which falls on the quote behind the string. */
static void write_picture(struct json_out *o, const struct result *r, int i)
{
    struct bytes *data = r->picture[i].data;
    size_t length = crypto_base64_length(data->count);
    char *room;

    if (!data->count) {
        write_withheld(o, r, i);
        return;
    }
    json_out_object(o, NULL);
    room = json_out_reserve(o, "b64_json", length);
    if (room) {
        char behind = room[length];

        crypto_base64_encode(room, data->data, data->count);
        room[length] = behind;
    }
    bytes_close(data);
    json_out_int(o, "seed", (int64_t)r->picture[i].seed);
    json_out_object(o, "limner");
    json_out_string(o, "pixels_sha256", r->picture[i].sha256);
    write_moderation(o, r, i);
    json_out_object_end(o);
    json_out_object_end(o);
}

static void write_json(struct answer *a, const struct result *r)
{
    struct json_out *o = &a->json;
    char text[192];

    answer_json(a);
    json_out_object(o, NULL);
    json_out_int(o, "created", r->made_s);
    json_out_string(o, "model", r->model);
    snprintf(text, sizeof(text), "%dx%d", r->width, r->height);
    json_out_string(o, "size", text);
    json_out_string(o, "output_format", result_format_name(r->format));
    json_out_string(o, "background", "opaque");
    if (r->cut) {
        snprintf(text, sizeof(text),
                 "the prompt was cut: the model reads %d tokens, start and end included", r->cut);
        json_out_array(o, "warnings");
        json_out_string(o, NULL, text);
        json_out_array_end(o);
    }
    json_out_array(o, "data");
    for (int i = 0; i < r->count; i++)
        write_picture(o, r, i);
    json_out_array_end(o);
    json_out_object_end(o);
    answer_json_end(a);
}

static void write_raw(struct answer *a, const struct result *r)
{
    bool blurred = result_count(r).blurred > 0;

    answer_text(a, 200, encode_media_type(r->format), NULL);
    a->raw = *r->picture[0].data;
    *r->picture[0].data = (struct bytes){0};
    answer_header(a, "x-limner-pixels-sha256", "%s", r->picture[0].sha256);
    answer_header(a, "x-limner-seed", "%llu", (unsigned long long)r->picture[0].seed);
    if (r->cut)
        answer_header(a, "x-limner-warning", "prompt cut to %d tokens", r->cut);
    if (r->picture[0].decision && r->picture[0].decision[0]) {
        answer_header(a, "x-limner-moderation", "%s", blurred ? "blur" : "allow");
        answer_header(a, "x-limner-decision", "%s", r->picture[0].decision);
    }
}

static void write_tally(struct answer *a, struct result_tally t)
{
    if (t.held || t.blocked || t.blurred)
        answer_header(a, "x-limner-moderation", "allowed=%d, held=%d, blocked=%d", t.allowed,
                      t.held, t.blocked);
}

void result_write(struct answer *a, const struct result *r, bool raw)
{
    const struct store_decision *blocked[REQUEST_IMAGES_MAX];
    struct result_tally tally = result_count(r);
    int count;

    assert(tally.allowed || tally.blocked);
    if (!tally.allowed) {
        count = result_blocked(r, blocked);
        assert(count == tally.blocked && "what is kept back has a record");
        moderated_refuse(a, &r->outcomes->how, blocked, count);
    } else if (raw) {
        write_raw(a, r);
    } else {
        write_json(a, r);
        write_tally(a, tally);
    }
}

void result_write_failure(struct answer *a, enum status st, const char *message)
{
    /* A picture that was admitted and then found no memory is not the client's haste. */
    if (st == ST_FULL)
        answer_fail_http(a, 503, (struct failure){0}, "the server is out of memory");
    else
        answer_fail(a, st, (struct failure){0}, message);
}
