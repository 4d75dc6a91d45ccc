/* SPDX-License-Identifier: Apache-2.0 */
#include "server/detector.h"

#include "base/crypto.h"
#include "codec/stranger.h"
#include "server/fetch.h"
#include "server/page_detect.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES 1024 /* of whom it is counted how often they ask */
#define MINUTE_US INT64_C(60000000)

struct detection {
    struct http_ticket *ticket;
    enum detector_format format;
    struct bytes file;
    char *url; /* NULL: the file was sent */
    atomic_bool gone;
    struct detection *next;
};

struct address {
    uint64_t hash;
    int64_t minute;
    int count;
};

struct detector {
    struct detect_tools tools;
    struct clock clock;
    uint64_t seed;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct detection *first, **last;
    int waiting;
    bool stop;
    struct address address[ADDRESSES];
};

static void detection_free(struct detection *d)
{
    bytes_close(&d->file);
    free(d->url);
    free(d);
}

/* ---- the thread ---- */

static void write_result(struct answer *a, const struct detection *d, const struct detect_result *r)
{
    if (d->format == DETECTOR_PAGE) {
        page_detect_answer(a, r, NULL);
        return;
    }
    answer_json(a);
    json_out_object(&a->json, NULL);
    detect_write(&a->json, r, d->format == DETECTOR_RAW);
    json_out_object_end(&a->json);
    answer_json_end(a);
    answer_header(a, "cache-control", "no-store");
}

static void write_failure(struct answer *a, const struct detection *d, enum status st,
                          const struct why *why)
{
    bool theirs = st == ST_INVALID || st == ST_UNSUPPORTED ||
                  (d->url && (st == ST_REFUSED || st == ST_LATE || st == ST_MISSING));

    if (theirs && d->format == DETECTOR_PAGE)
        page_detect_answer(a, NULL, why->text);
    else if (theirs)
        answer_fail_http(a, st == ST_UNSUPPORTED ? 415 : 400,
                         (struct failure){.param = d->url ? "url" : "file"}, why->text);
    else
        answer_fail_http(a, 503, (struct failure){.retry_after_ms = 5000},
                         "the server cannot look at pictures right now");
}

/* The file that was sent, or what lies at the URL. */
static enum status get_file(struct detection *one, struct why *why)
{
    const struct fetch_options options = {.bytes_max = STRANGER_BYTES_MAX,
                                          .timeout_ms = DETECTOR_FETCH_MS};
    enum status st;

    if (atomic_load(&one->gone))
        return ST_CANCELLED;
    if (!one->url)
        return ST_OK;
    st = fetch_url(&one->file, one->url, &options, why);
    return st == ST_IO ? ST_MISSING : st; /* it is theirs that fails, not ours */
}

static void look(struct detector *d, struct detection *one)
{
    struct detect_result result;
    struct answer answer;
    struct why why = {""};
    enum status st = get_file(one, &why);

    if (!st)
        st = detect_run(&result, &d->tools, one->file.data, one->file.count, &why);
    if (st)
        write_failure(&answer, one, st, &why);
    else
        write_result(&answer, one, &result);
    http_ticket_answer(one->ticket, &answer); /* `one` may be gone from here on */
}

static void refuse_stopped(struct detection *one)
{
    struct answer answer;

    answer_fail_http(&answer, 503, (struct failure){.retry_after_ms = 5000},
                     "the server is stopping");
    http_ticket_answer(one->ticket, &answer);
}

static void *work(void *arg)
{
    struct detector *d = arg;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct detection *one = d->first;
        bool stop = d->stop;

        if (!one && stop)
            break;
        if (!one) {
            pthread_cond_wait(&d->changed, &d->lock);
            continue;
        }
        d->first = one->next;
        if (!d->first)
            d->last = &d->first;
        d->waiting--;
        pthread_mutex_unlock(&d->lock);
        if (stop)
            refuse_stopped(one);
        else
            look(d, one);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

enum status detector_open(struct detector **out, const struct detect_tools *tools, struct why *why)
{
    struct detector *d = calloc(1, sizeof(*d));

    *out = NULL;
    if (!d)
        return why_fail(why, ST_FULL, "no memory for the detector");
    d->tools = *tools;
    d->last = &d->first;
    clock_init_real(&d->clock);
    if (crypto_random(&d->seed, sizeof(d->seed))) {
        free(d);
        return why_fail(why, ST_IO, "the system has no randomness");
    }
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    if (pthread_create(&d->thread, NULL, work, d)) {
        pthread_cond_destroy(&d->changed);
        pthread_mutex_destroy(&d->lock);
        free(d);
        return why_fail(why, ST_FULL, "no thread for the detector");
    }
    *out = d;
    return ST_OK;
}

void detector_close(struct detector **out)
{
    struct detector *d = *out;

    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *out = NULL;
}

/* ---- on the io thread ---- */

static void on_gone(void *owner)
{
    struct detection *one = owner;

    atomic_store(&one->gone, true);
}

static void on_over(void *owner)
{
    detection_free(owner);
}

/* Two addresses in one place only make the limit softer. */
static bool is_allowed(struct detector *d, const char *peer)
{
    int64_t minute = clock_now_us(&d->clock) / MINUTE_US;
    uint64_t hash = d->seed;
    struct address *a;
    bool allowed;

    for (const char *c = peer; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    hash ^= hash >> 32;
    a = &d->address[hash % ADDRESSES];
    pthread_mutex_lock(&d->lock);
    if (a->hash != hash || a->minute != minute)
        *a = (struct address){.hash = hash, .minute = minute};
    allowed = a->count < DETECTOR_PER_MINUTE;
    a->count += allowed;
    pthread_mutex_unlock(&d->lock);
    return allowed;
}

/* False: the queue is full, or nobody works on it any more. */
static bool queue(struct detector *d, struct detection *one)
{
    bool taken;

    pthread_mutex_lock(&d->lock);
    taken = !d->stop && d->waiting < DETECTOR_WAITING;
    if (taken) {
        *d->last = one;
        d->last = &one->next;
        d->waiting++;
        pthread_cond_signal(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return taken;
}

static struct detection *copy(struct http_text file, enum detector_format format)
{
    struct detection *one = calloc(1, sizeof(*one));

    if (!one)
        return NULL;
    one->format = format;
    one->file.data = malloc(file.bytes ? file.bytes : 1);
    if (!one->file.data) {
        free(one);
        return NULL;
    }
    memcpy(one->file.data, file.data, file.bytes);
    one->file.count = file.bytes;
    return one;
}

static struct detection *copy_url(const char *url, enum detector_format format)
{
    struct detection *one = calloc(1, sizeof(*one));

    if (!one)
        return NULL;
    one->format = format;
    one->url = strdup(url);
    if (one->url)
        return one;
    free(one);
    return NULL;
}

/* `one`: NULL, there was no memory for it. */
static void handle(struct detector *d, struct http_request *r, struct detection *one)
{
    struct answer answer;

    if (!is_allowed(d, r->peer)) {
        if (one)
            detection_free(one);
        answer_fail_http(&answer, 429, (struct failure){.retry_after_ms = 60000},
                         "you have asked often in this minute; please wait for the next");
        http_answer(r, &answer);
        return;
    }
    if (one)
        one->ticket = http_hold(r, one, on_gone, on_over);
    if (!one || !one->ticket) {
        if (one)
            detection_free(one);
        answer_fail_http(&answer, 503, (struct failure){.retry_after_ms = 5000},
                         "the server has no room for this picture right now");
        http_answer(r, &answer);
    } else if (!queue(d, one)) {
        answer_fail_http(&answer, 503, (struct failure){.retry_after_ms = 5000},
                         "many pictures wait to be looked at; please try again");
        http_ticket_answer(one->ticket, &answer);
    }
}

void detector_handle(struct detector *d, struct http_request *r, struct http_text file,
                     enum detector_format format)
{
    handle(d, r, copy(file, format));
}

void detector_handle_url(struct detector *d, struct http_request *r, const char *url,
                         enum detector_format format)
{
    handle(d, r, copy_url(url, format));
}
