/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - what happens to jobs, as server-sent events.
 *
 *     event: job.queued       data: {"type":"job.queued","position":3}
 *     event: job.progress     data: {"type":"job.progress","step":7,"steps":25,"progress":28}
 *     event: job.in_review    data: {"type":"job.in_review","job":{...}}       made, and waits
 *     event: job.completed    data: {"type":"job.completed","job":{...}}       or job.failed
 *
 *     event: job.partial_image   data: {"type":"job.partial_image","b64_json":"...", ...}
 *
 * The keeper looks at every tick; what happens between two looks is one event. Numbers rise also
 * from one server to the next: `starts` of the job times a million, and the count.
 *
 * Previews are for those who listen and ask for them, as long as they do: they have no number, and
 * nothing keeps them for anybody later.
 */
#include "base/json.h"
#include "server/api_stream.h"
#include "server/keeper/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREVIEW      "job.partial_image"
#define NUMBERS      1000000 /* of events from one start to the next */
#define UNSENT_MAX   65536   /* of a reader's, beside a preview: then he does not read */
#define PING_US      5000000
#define HELD_LOOK_US 1000000 /* between two looks at what people have to decide */
#define RETRY_MS     1000    /* after which a reader comes back */

/* ---- events ---- */

int64_t watch_last(const struct live *l)
{
    return l->job.starts * (int64_t)NUMBERS + l->events + 1;
}

int64_t watch_last_of(const struct store_job *job)
{
    return job->starts * (int64_t)NUMBERS + NUMBERS - 1;
}

static void add(struct live *l, const char *name, const char *fields)
{
    struct event *event = &l->event[l->events % EVENTS_MAX];

    if (l->events >= NUMBERS - 3)
        return;
    event->number = watch_last(l);
    l->events++;
    snprintf(event->text, sizeof(event->text),
             "id: %" PRId64 "\nevent: %s\ndata: {\"type\":\"%s\",%s}\n\n", event->number, name,
             name, fields);
}

static void note_progress(struct live *l)
{
    int all = l->job.steps * l->job.images, steps;
    char fields[80];
    bool begun;

    steps = look_steps(l->generation, &begun);
    steps = steps < all ? steps : all;
    if (!begun || steps == l->steps)
        return;
    l->steps = steps;
    snprintf(fields, sizeof(fields), "\"step\":%d,\"steps\":%d,\"progress\":%d", steps, all,
             steps < all ? 100 * steps / all : 99);
    add(l, "job.progress", fields);
}

static void note_position(struct keeper *k, struct live *l)
{
    struct engine *e = service_is_open(k->service) ? l->generation->engine : NULL;
    int position = e ? engine_position(e, l->generation->job[0]) : 0;
    char fields[32];

    if (!position || position == l->position)
        return;
    l->position = position;
    snprintf(fields, sizeof(fields), "\"position\":%d", position);
    add(l, "job.queued", fields);
}

/* ---- readers ---- */

static void send(struct errand *e, const struct http_text *parts, int count)
{
    if (http_ticket_unsent(e->ticket) > UNSENT_MAX + e->preview_bytes)
        http_ticket_cut(e->ticket);
    else if (!http_ticket_send(e->ticket, parts, count))
        atomic_store(&e->gone, true);
    e->sent_us = clock_now_us(&e->keeper->service->clock);
}

static void send_text(struct errand *e, const char *text)
{
    send(e, &(struct http_text){text, strlen(text)}, 1);
}

static void send_news(struct errand *e, const struct live *l)
{
    int64_t first = l->events > EVENTS_MAX ? l->events - EVENTS_MAX : 0;

    for (int64_t i = first; i < l->events; i++) {
        const struct event *event = &l->event[i % EVENTS_MAX];

        if (event->number <= e->event)
            continue;
        e->event = event->number;
        send_text(e, event->text);
    }
}

static void send_job(struct keeper *k, struct errand *e, const struct store_job *job,
                     const char *name, int64_t number)
{
    struct json_out data = {0};
    char head[96];

    if (number <= e->event)
        return;
    json_out_object(&data, NULL);
    json_out_string(&data, "type", name);
    look_write(k, &data, "job", job);
    json_out_object_end(&data);
    if (!data.failed) {
        e->event = number;
        snprintf(head, sizeof(head), "id: %" PRId64 "\nevent: %s\ndata: ", number, name);
        send(e, (struct http_text[]){{head, strlen(head)}, {data.text, data.bytes}, {"\n\n", 2}},
             3);
    }
    json_out_close(&data);
}

/* That it is held has a number, and its end is the one after (the store adds it). */
static void send_end(struct keeper *k, struct errand *e, const struct store_job *job)
{
    if (job->state == STORE_JOB_HELD)
        send_job(k, e, job, "job.in_review", job->event);
    else if (job->state != STORE_JOB_OPEN)
        send_job(k, e, job, job->state == STORE_JOB_COMPLETED ? "job.completed" : "job.failed",
                 job->event);
}

/* ---- previews ---- */

void watch_previewed(struct job *job, int index, const struct bytes *body)
{
    struct generation *g = job->ticket;
    struct keeper *k = g->service->keeper;
    struct preview preview = {.live = g->owner, .image = generation_index(g, job)};
    bool taken;

    if (!atomic_load(&job->previews)) /* who asked has left */
        return;
    stream_write_preview(&preview.data, PREVIEW, job, index, body);
    pthread_mutex_lock(&k->lock);
    taken = !preview.data.failed && k->preview_count < PREVIEWS_MAX;
    if (taken)
        k->preview[k->preview_count++] = preview;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    if (!taken)
        json_out_close(&preview.data);
}

/* A preview would wait behind what a slow reader has not taken: he goes without. */
static void send_preview(struct errand *e, const struct preview *p)
{
    static const char head[] = "event: " PREVIEW "\ndata: ";

    if (e->previewed[p->image] >= e->previews ||
        http_ticket_unsent(e->ticket) > STREAM_PREVIEW_UNSENT_MAX)
        return;
    e->previewed[p->image]++;
    e->preview_bytes = p->data.bytes;
    send(e,
         (struct http_text[]){{head, sizeof(head) - 1}, {p->data.text, p->data.bytes}, {"\n\n", 2}},
         3);
}

void watch_show(struct keeper *k, struct preview *p)
{
    for (struct errand *e = k->watchers; e; e = e->next) {
        if (!strcmp(e->id, p->live->job.id))
            send_preview(e, p);
    }
    json_out_close(&p->data);
}

static void want_previews(struct live *l)
{
    if (l->wanted == l->previews)
        return;
    l->previews = l->wanted;
    for (int i = 0; i < l->generation->count; i++)
        atomic_store(&l->generation->job[i]->previews, l->wanted);
}

/* ---- who comes, and what he gets ---- */

static void begin(struct errand *e)
{
    struct answer head;
    char retry[32];

    answer_text(&head, 200, "text/event-stream", NULL);
    answer_header(&head, "cache-control", "no-store");
    answer_header(&head, "x-accel-buffering", "no");
    http_ticket_begin(e->ticket, &head);
    snprintf(retry, sizeof(retry), "retry: %d\n\n", RETRY_MS);
    send_text(e, retry);
}

void watch_run(struct keeper *k, struct errand *e)
{
    struct store_job job;

    if (!look_find(k, e, &job))
        return;
    begin(e);
    send_end(k, e, &job);
    if ((job.state != STORE_JOB_OPEN && job.state != STORE_JOB_HELD) || k->draining) {
        http_ticket_end(e->ticket);
        return;
    }
    e->next = k->watchers;
    k->watchers = e;
}

/* People decide about it elsewhere: the row tells. True: it is over, and that was told. */
static bool is_settled(struct keeper *k, struct errand *e)
{
    int64_t now_us = clock_now_us(&k->service->clock);
    struct store_job job;
    struct why why = {""};
    enum status st;

    if (now_us < e->look_us)
        return false;
    e->look_us = now_us + HELD_LOOK_US;
    st = k->store->ops->job_find(k->store, e->id, &job, &why);
    if (st == ST_MISSING)
        return true;
    keeper_note(k, st, &why);
    if (st || job.state == STORE_JOB_OPEN || job.state == STORE_JOB_HELD)
        return false;
    send_end(k, e, &job);
    return true;
}

static void refresh(struct keeper *k, struct errand *e)
{
    struct live *l = live_find(k, e->id);

    if (l) {
        note_position(k, l);
        send_news(e, l);
        l->wanted = e->previews > l->wanted ? e->previews : l->wanted;
    }
    if (clock_now_us(&k->service->clock) - e->sent_us >= PING_US)
        send_text(e, ": ping\n\n");
}

/* Steps are noted of every job, for readers who come back; places in the queue, which cost more to
   find out, only while somebody listens. */
void watch_tick(struct keeper *k)
{
    struct errand **at = &k->watchers;

    for (struct live *l = k->live; l; l = l->next) {
        if (!l->dropped && !l->done)
            note_progress(l);
        l->wanted = 0;
    }
    while (*at) {
        struct errand *e = *at;

        if (!atomic_load(&e->gone) && (live_find(k, e->id) || !is_settled(k, e))) {
            refresh(k, e);
            at = &e->next;
            continue;
        }
        *at = e->next;
        http_ticket_end(e->ticket);
    }
    for (struct live *l = k->live; l; l = l->next)
        want_previews(l);
}

void watch_end(struct keeper *k, const struct store_job *job)
{
    struct errand **at = &k->watchers;
    struct live *l = live_find(k, job->id);

    while (*at) {
        struct errand *e = *at;

        if (strcmp(e->id, job->id) != 0) {
            at = &e->next;
            continue;
        }
        if (l)
            send_news(e, l);
        send_end(k, e, job);
        if (job->state == STORE_JOB_HELD) { /* he hears the end as well */
            at = &e->next;
            continue;
        }
        *at = e->next;
        http_ticket_end(e->ticket);
    }
}

void watch_stop(struct keeper *k)
{
    while (k->watchers) {
        struct errand *e = k->watchers;

        k->watchers = e->next;
        http_ticket_end(e->ticket);
    }
}
