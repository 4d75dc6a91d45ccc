/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keeper/room.h"
#include "server/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool look_is_expired(const struct keeper *k, const struct store_job *job)
{
    return job->state != STORE_JOB_OPEN && job->state != STORE_JOB_HELD &&
           job->finished_s + k->keep.seconds <= clock_unix_s();
}

bool look_find(struct keeper *k, struct errand *e, struct store_job *out)
{
    struct tenant_limits limits;
    struct why why = {""};
    enum status st = k->store->ops->job_find(k->store, e->id, out, &why);

    tenant_get(k->service->tenants, e->tenant, &limits);
    if (!st && (strcmp(out->tenant, limits.name) != 0 || look_is_expired(k, out)))
        st = ST_MISSING; /* another tenant's job is nowhere */
    if (!st)
        return true;
    if (st == ST_MISSING) {
        errand_refuse_http(e, 404, (struct failure){.code = "job_not_found"},
                           "there is no such job, or it has expired");
    } else {
        keeper_note(k, st, &why);
        errand_refuse_store(e, st);
    }
    return false;
}

/* ---- the job object ---- */

int look_steps(const struct generation *g, bool *begun)
{
    int done = 0;

    *begun = false;
    for (int i = 0; i < g->count; i++) {
        done += atomic_load(&g->job[i]->step);
        *begun |= atomic_load(&g->job[i]->state) >= JOB_SEATED;
    }
    return done;
}

/* Something of it may be had. */
static bool has_pictures(const struct store_job *job, const struct outcomes *o)
{
    if (job->state != STORE_JOB_FAILED)
        return job->state == STORE_JOB_COMPLETED;
    for (int i = 0; i < job->images; i++) { /* blocked then, and let go since */
        if (o->decision[i].id[0] && o->decision[i].stage == STORE_STAGE_IMAGE &&
            !moderated_is_withheld(&o->decision[i]))
            return true;
    }
    return false;
}

static const char *status_of(struct keeper *k, const struct store_job *job,
                             const struct outcomes *o, int *progress)
{
    struct live *l = live_find(k, job->id);
    bool begun = false;
    int steps;

    *progress = job->state == STORE_JOB_HELD || has_pictures(job, o) ? 100 : 0;
    if (job->state == STORE_JOB_HELD)
        return "in_review";
    if (job->state != STORE_JOB_OPEN)
        return has_pictures(job, o) ? "completed" : "failed";
    if (!l)
        return "queued";
    steps = look_steps(l->generation, &begun);
    *progress = 100 * steps / (job->steps * job->images);
    *progress = *progress > 99 ? 99 : *progress;
    return begun ? "in_progress" : "queued";
}

static void write_error(struct json_out *o, const struct store_job *job,
                        const struct outcomes *outcomes)
{
    if (job->state != STORE_JOB_FAILED || has_pictures(job, outcomes)) {
        json_out_string(o, "error", NULL);
        return;
    }
    json_out_object(o, "error");
    json_out_string(o, "code", job->code);
    json_out_string(o, "message", job->message);
    json_out_object_end(o);
}

static void write_time(struct json_out *o, const char *name, int64_t s)
{
    if (s)
        json_out_int(o, name, s);
    else
        json_out_string(o, name, NULL);
}

/* What is kept back has its place, and no path. */
static void write_images(struct json_out *o, const struct store_job *job,
                         const struct outcomes *outcomes)
{
    bool any = job->state == STORE_JOB_HELD || has_pictures(job, outcomes);
    char path[STORE_JOB_ID_MAX + 32];

    json_out_array(o, "images");
    for (int i = 0; i < job->images && any; i++) {
        const struct store_decision *d = &outcomes->decision[i];

        snprintf(path, sizeof(path), "/v1/jobs/%s/images/%d", job->id, i);
        json_out_string(o, NULL, d->id[0] && moderated_is_withheld(d) ? NULL : path);
    }
    json_out_array_end(o);
}

static void write_moderation(struct json_out *o, const struct store_job *job,
                             const struct outcomes *outcomes)
{
    json_out_array(o, "moderation");
    for (int i = 0; i < job->images; i++) {
        if (!outcomes->decision[i].id[0])
            continue;
        json_out_object(o, NULL);
        json_out_int(o, "index", i);
        moderated_write(o, "moderation", &outcomes->how, &outcomes->decision[i]);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

static void write_job(struct keeper *k, struct json_out *o, const char *name,
                      const struct store_job *job, const struct outcomes *outcomes, bool moderated)
{
    bool over = job->state != STORE_JOB_OPEN && job->state != STORE_JOB_HELD;
    char size[32];
    int progress;

    json_out_object(o, name);
    json_out_string(o, "id", job->id);
    json_out_string(o, "object", "image.generation.job");
    json_out_string(o, "status", status_of(k, job, outcomes, &progress));
    json_out_int(o, "progress", progress);
    json_out_int(o, "created_at", job->created_s);
    write_time(o, "completed_at", over ? job->finished_s : 0);
    write_time(o, "expires_at", over ? job->finished_s + k->keep.seconds : 0);
    json_out_string(o, "model", job->model);
    snprintf(size, sizeof(size), "%dx%d", job->width, job->height);
    json_out_string(o, "size", size);
    json_out_int(o, "n", job->images);
    json_out_int(o, "num_inference_steps", job->steps);
    json_out_int(o, "seed", job->seed);
    json_out_string(o, "output_format", result_format_name((enum format)job->format));
    write_error(o, job, outcomes);
    write_images(o, job, outcomes);
    if (moderated)
        write_moderation(o, job, outcomes);
    json_out_object_end(o);
}

/* What was decided cannot be read now: the job is told without it, and nothing passes for fine. */
void look_write(struct keeper *k, struct json_out *o, const char *name, const struct store_job *job)
{
    struct outcomes outcomes;
    bool moderated;
    enum status st = settle_read_job(k, job, &outcomes, &moderated);

    if (st)
        o->failed = true;
    write_job(k, o, name, job, &outcomes, moderated);
    settle_close(k, &outcomes);
}

void look_answer(struct keeper *k, struct answer *a, int status, const struct store_job *job)
{
    answer_json(a);
    a->status = status;
    look_write(k, &a->json, NULL, job);
    answer_json_end(a);
}

void look_promise(struct keeper *k, struct errand *e, const struct store_job *job)
{
    struct answer answer;

    look_answer(k, &answer, 202, job);
    answer_header(&answer, "location", "/v1/jobs/%s", job->id);
    errand_answer(e, &answer);
}

void look_run(struct keeper *k, struct errand *e)
{
    struct store_job job;
    struct answer answer;

    if (!look_find(k, e, &job))
        return;
    look_answer(k, &answer, 200, &job);
    errand_answer(e, &answer);
}

/* ---- pictures ---- */

static struct bytes bytes_of(struct store_bytes from)
{
    return (struct bytes){from.data, from.count};
}

/* It was kept back when it was made, and as far as the record goes it still is. */
static void refuse_withheld(struct keeper *k, struct errand *e, const struct store_picture *picture)
{
    const struct store_decision *one;
    struct store_decision decision;
    struct moderated how;
    struct answer answer;
    struct why why = {""};
    enum status st = k->store->ops->decision_find(k->store, picture->decision, &decision, &why);

    if (st) {
        keeper_note(k, st, &why);
        errand_refuse_store(e, st);
        return;
    }
    if (decision.standing == STORE_HELD) {
        errand_refuse_http(e, 409, (struct failure){.code = "held_for_review"},
                           "the picture waits for a person; the job tells when it was looked at");
        return;
    }
    if (!moderated_is_withheld(&decision) || decision.standing == STORE_EXPIRED) {
        errand_refuse_http(e, 410, (struct failure){.code = "expired"},
                           "the picture was deleted when its time was over");
        return;
    }
    one = &decision;
    moderated_open(&how, k->service);
    moderated_refuse(&answer, &how, &one, 1);
    moderated_close(&how, k->service);
    errand_answer(e, &answer);
}

static void send_picture(struct errand *e, const struct store_job *job,
                         const struct store_picture *picture)
{
    struct answer answer;

    answer_text(&answer, 200, encode_media_type((enum format)job->format), NULL);
    answer.raw = bytes_of(picture->data);
    answer_header(&answer, "x-limner-pixels-sha256", "%s", picture->sha256);
    answer_header(&answer, "x-limner-seed", "%lld", (long long)picture->seed);
    if (picture->decision[0])
        answer_header(&answer, "x-limner-decision", "%s", picture->decision);
    errand_answer(e, &answer);
}

void look_picture(struct keeper *k, struct errand *e)
{
    struct store_job job;
    struct store_picture picture;
    struct why why = {""};
    enum status st;

    if (!look_find(k, e, &job))
        return;
    if (job.state == STORE_JOB_OPEN) {
        errand_refuse_http(e, 409, (struct failure){NULL, "job_not_finished", 1000},
                           "the job is not finished yet");
        return;
    }
    st = k->store->ops->job_picture(k->store, &job, e->k, &picture, &why);
    if (st == ST_MISSING) {
        errand_refuse_http(e, 404, (struct failure){.code = "image_not_found"},
                           job.state == STORE_JOB_FAILED ? "the job failed: it has no pictures"
                                                         : "the job has no picture of this number");
    } else if (st) {
        keeper_note(k, st, &why);
        errand_refuse_store(e, st);
    } else if (!picture.data.count) {
        free(picture.data.data);
        refuse_withheld(k, e, &picture);
    } else {
        send_picture(e, &job, &picture);
    }
}

/* All pictures of a job that is over or held out of the store; what was read is freed on failure.
 */
static enum status read_pictures(struct keeper *k, const struct store_job *job,
                                 struct store_picture *pictures, struct bytes *data,
                                 struct result *result, const struct outcomes *outcomes)
{
    struct why why = {""};
    enum status st = ST_OK;

    *result = (struct result){.model = job->model,
                              .width = job->width,
                              .height = job->height,
                              .format = (enum format)job->format,
                              .cut = job->cut,
                              .made_s = job->finished_s,
                              .count = job->images,
                              .outcomes = outcomes};
    for (int i = 0; i < job->images && !st; i++) {
        st = k->store->ops->job_picture(k->store, job, i, &pictures[i], &why);
        if (st)
            break;
        data[i] = bytes_of(pictures[i].data);
        if (!data[i].count)
            bytes_close(&data[i]); /* kept back, and of no bytes */
        result->picture[i].seed = (uint64_t)pictures[i].seed;
        result->picture[i].sha256 = pictures[i].sha256;
        result->picture[i].decision = pictures[i].decision;
        result->picture[i].data = &data[i];
    }
    keeper_note(k, st, &why);
    for (int i = 0; i < job->images && st; i++)
        bytes_close(&data[i]);
    return st;
}

static void write_failed(struct answer *a, const struct store_job *job)
{
    struct failure failure = {.code = job->code};

    if (!strcmp(job->code, "cancelled"))
        answer_fail_http(a, 409, failure, job->message);
    else
        answer_fail(a, (enum status)job->status, failure, job->message);
}

/* All that a request had was blocked, as its words were or its pictures. */
static void write_blocked(struct answer *a, const struct store_job *job,
                          const struct outcomes *outcomes)
{
    const struct store_decision *blocked[REQUEST_IMAGES_MAX];
    int count = 0;

    for (int i = 0; i < job->images; i++) {
        if (outcomes->decision[i].id[0])
            blocked[count++] = &outcomes->decision[i];
    }
    moderated_refuse(a, &outcomes->how, blocked, count);
}

static enum status write_pictures(struct keeper *k, struct answer *a, const struct store_job *job,
                                  const struct outcomes *outcomes)
{
    struct store_picture pictures[REQUEST_IMAGES_MAX];
    struct bytes data[REQUEST_IMAGES_MAX] = {{0}};
    struct result_tally tally;
    struct result result;
    enum status st = read_pictures(k, job, pictures, data, &result, outcomes);

    if (st)
        return st;
    tally = result_count(&result);
    if (tally.held && !tally.allowed) {
        look_answer(k, a, 202, job);
        answer_header(a, "location", "/v1/jobs/%s", job->id);
    } else {
        result_write(a, &result, job->raw);
    }
    return ST_OK;
}

void look_replay(struct keeper *k, struct errand *e, const struct store_job *job)
{
    struct outcomes outcomes;
    struct answer answer;
    bool moderated;
    enum status st = settle_read_job(k, job, &outcomes, &moderated);

    if (st)
        ; /* and nothing is told */
    else if (job->state == STORE_JOB_FAILED && moderated && !has_pictures(job, &outcomes))
        write_blocked(&answer, job, &outcomes);
    else if (job->state == STORE_JOB_FAILED && !moderated)
        write_failed(&answer, job);
    else
        st = write_pictures(k, &answer, job, &outcomes);
    settle_close(k, &outcomes);
    if (st) {
        errand_refuse_store(e, st);
        return;
    }
    answer_header(&answer, "idempotent-replayed", "true");
    errand_answer(e, &answer);
}
