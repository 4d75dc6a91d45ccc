/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_stream.h"

#include "base/crypto.h"
#include "server/keeper.h"
#include "server/result.h"

#include <stdio.h>
#include <string.h>

static void send(struct generation *g, const char *name, const struct json_out *data)
{
    char head[64];

    snprintf(head, sizeof(head), "event: %s\ndata: ", name);
    if (data->failed)
        http_ticket_cut(g->ticket); /* an event less would be misunderstood */
    else
        http_ticket_send(
            g->ticket,
            (struct http_text[]){{head, strlen(head)}, {data->text, data->bytes}, {"\n\n", 2}}, 3);
}

/* What both kinds of picture have. base64 ends with a NUL, which falls on the quote behind it. */
static void write_picture(struct json_out *o, const char *name, const struct generation *g,
                          const struct job *job, const struct bytes *data)
{
    size_t length = crypto_base64_length(data->count);
    char size[32], *room;

    json_out_object(o, NULL);
    json_out_string(o, "type", name);
    room = json_out_reserve(o, "b64_json", length);
    if (room) {
        char behind = room[length];

        crypto_base64_encode(room, data->data, data->count);
        room[length] = behind;
    }
    json_out_int(o, "created_at", clock_unix_s());
    snprintf(size, sizeof(size), "%dx%d", job->picture.width, job->picture.height);
    json_out_string(o, "size", size);
    json_out_string(o, "model", g->model);
    json_out_string(o, "quality", "auto");
    json_out_string(o, "background", "opaque");
    json_out_string(o, "output_format", result_format_name(job->format));
}

static void write_moderation(struct json_out *o, const struct generation *g, const struct job *job,
                             const struct outcomes *outcomes)
{
    const struct store_decision *d =
        outcomes ? &outcomes->decision[generation_index(g, job)] : NULL;

    if (d && d->id[0]) {
        moderated_write(o, "moderation", &outcomes->how, d);
    } else if (job->decision[0]) {
        json_out_object(o, "moderation");
        json_out_string(o, "decision_id", job->decision);
        json_out_string(o, "action", band_name(job->verdict.action));
        json_out_object_end(o);
    }
}

static void write_limner(struct json_out *o, const struct generation *g, const struct job *job,
                         const char *sha256, const struct outcomes *outcomes)
{
    json_out_object(o, "limner");
    json_out_int(o, "index", generation_index(g, job));
    json_out_int(o, "seed", (int64_t)job->picture.seed);
    if (sha256) {
        json_out_string(o, "pixels_sha256", sha256);
        write_moderation(o, g, job, outcomes);
    }
    if (job->prompt_cut)
        json_out_int(o, "prompt_cut_to", g->prompt_tokens);
    json_out_object_end(o);
}

void stream_write_preview(struct json_out *o, const char *type, const struct job *job, int index,
                          const struct bytes *body)
{
    const struct generation *g = job->ticket;

    write_picture(o, type, g, job, body);
    json_out_int(o, "partial_image_index", index);
    write_limner(o, g, job, NULL, NULL);
    json_out_object_end(o);
}

static void on_previewed(struct job *job, int index, const struct bytes *body)
{
    static const char name[] = "image_generation.partial_image";
    struct generation *g = job->ticket;
    struct json_out data = {0};

    if (http_ticket_unsent(g->ticket) > STREAM_PREVIEW_UNSENT_MAX)
        return;
    stream_write_preview(&data, name, job, index, body);
    send(g, name, &data);
    json_out_close(&data);
}

static void send_completed(struct generation *g, struct job *job, const struct outcomes *outcomes)
{
    static const char name[] = "image_generation.completed";
    struct json_out data = {0};

    write_picture(&data, name, g, job, &job->body); /* kept, should others have to wait */
    write_limner(&data, g, job, job->pixels_sha256, outcomes);
    json_out_object_end(&data);
    send(g, name, &data);
    json_out_close(&data);
}

/* What has to say more than that it is fine waits until its record was read. */
static void on_made(struct generation *g, struct job *job)
{
    if (!job->status && !(job->decision[0] && job->verdict.action != BAND_ALLOW))
        send_completed(g, job, NULL);
}

/* ---- what did not come ---- */

/* The failure's JSON without its opening brace follows the event's type. */
static void send_error(struct generation *g, struct answer *answer)
{
    static const char type[] = "event: error\ndata: {\"type\":\"error\",";
    const char *text = answer->json.text ? answer->json.text : answer->text;

    http_ticket_send(
        g->ticket,
        (struct http_text[]){{type, sizeof(type) - 1}, {text + 1, strlen(text + 1)}, {"\n\n", 2}},
        3);
    answer_close(answer);
}

static void send_failure(struct generation *g, const struct job *failed)
{
    struct answer answer;

    result_write_failure(&answer, failed->status, failed->why.text);
    send_error(g, &answer);
}

void stream_refuse(struct generation *g, struct answer *refusal)
{
    send_error(g, refusal);
    http_ticket_end(g->ticket);
}

static void send_withheld(struct generation *g, const struct job *job,
                          const struct outcomes *outcomes)
{
    static const char name[] = "image_generation.moderated";
    struct json_out data = {0};

    json_out_object(&data, NULL);
    json_out_string(&data, "type", name);
    json_out_int(&data, "created_at", clock_unix_s());
    json_out_string(&data, "model", g->model);
    json_out_object(&data, "limner");
    json_out_int(&data, "index", generation_index(g, job));
    json_out_int(&data, "seed", (int64_t)job->picture.seed);
    write_moderation(&data, g, job, outcomes);
    json_out_object_end(&data);
    json_out_object_end(&data);
    send(g, name, &data);
    json_out_close(&data);
}

static void send_in_review(struct generation *g, const struct outcomes *outcomes)
{
    static const char name[] = "image_generation.in_review";
    char path[STORE_JOB_ID_MAX + 16];
    struct json_out data = {0};

    snprintf(path, sizeof(path), "/v1/jobs/%s", outcomes->job);
    json_out_object(&data, NULL);
    json_out_string(&data, "type", name);
    json_out_string(&data, "job_id", outcomes->job);
    json_out_string(&data, "job_url", path);
    json_out_object_end(&data);
    send(g, name, &data);
    json_out_close(&data);
}

static void send_outcomes(struct generation *g, const struct outcomes *outcomes)
{
    const struct store_decision *blocked[REQUEST_IMAGES_MAX];
    struct result_tally tally;
    struct result result;
    struct answer answer;

    result_of(&result, g, outcomes);
    tally = result_count(&result);
    for (int i = 0; i < g->count; i++) {
        if (generation_is_withheld(g->job[i]))
            send_withheld(g, g->job[i], outcomes);
        else if (outcomes->decision[i].id[0])
            send_completed(g, g->job[i], outcomes);
    }
    if (outcomes->job)
        send_in_review(g, outcomes);
    if (tally.allowed || tally.held)
        return;
    moderated_refuse(&answer, &outcomes->how, blocked, result_blocked(&result, blocked));
    send_error(g, &answer);
}

static void on_settled(struct generation *g, const struct outcomes *outcomes, enum status st)
{
    struct answer answer;

    if (outcomes) {
        send_outcomes(g, outcomes);
    } else {
        answer_fail(&answer, st == ST_FULL ? ST_FULL : ST_IO, (struct failure){0},
                    "the server has no room to keep what waits");
        send_error(g, &answer);
    }
    generation_log(g);
    http_ticket_end(g->ticket); /* g may be gone from here on */
}

static void on_finished(struct generation *g)
{
    const struct job *failed = generation_failed(g);

    if (!failed && generation_is_moderated(g)) {
        keeper_settle(g);
        return;
    }
    if (failed)
        send_failure(g, failed);
    generation_log(g);
    http_ticket_end(g->ticket); /* g may be gone from here on */
}

void stream_prepare(struct generation *g, int previews)
{
    g->made = on_made;
    g->finished = on_finished;
    g->settled = on_settled;
    for (int i = 0; i < g->count; i++) {
        atomic_store(&g->job[i]->previews, previews);
        g->job[i]->previewed = on_previewed;
    }
}

void stream_begin(struct generation *g)
{
    struct answer head;

    answer_text(&head, 200, "text/event-stream", NULL);
    answer_header(&head, "cache-control", "no-store");
    answer_header(&head, "x-accel-buffering", "no");
    http_ticket_begin(g->ticket, &head);
    http_ticket_send(g->ticket, &(struct http_text){":\n\n", 3}, 1); /* the head leaves with it */
}
