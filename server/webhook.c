/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webhook.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "server/listen.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SLOTS        8
#define TENANT_SLOTS 4 /* that one tenant's slow server may hold */
#define LOOK_MS      1000
#define TIMEOUT_MS   10000
#define MARGIN_S     30   /* beyond the timeout, until somebody else may try again */
#define ABSENT_S     3600 /* between two looks for an address that is not there */
#define BUSY_S       2
#define ANSWER_MAX   (64 << 10) /* of which nothing is kept */
#define GONE         410

static const int delays_s[] = {5, 30, 2 * 60, 10 * 60, 3600, 6 * 3600};

/* One try on its way. */
struct slot {
    CURL *easy;
    struct curl_slist *headers;
    struct store_message message; /* what is sent is in here */
    size_t answer_bytes;
    bool busy;
};

struct webhook {
    struct webhook_options options;
    CURLM *multi;
    struct slot slot[SLOTS];
    pthread_t thread;
    bool running;
    bool store_failed; /* as it was said already */

    pthread_mutex_t lock; /* of what follows */
    struct webhook_target *target;
    int target_count;
    struct webhook_stats stats;
    bool stop;
};

/* ---- addresses ---- */

static bool is_near(const char *url)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof(scheme) - 1;
    char name[64];
    size_t bytes;

    if (strncasecmp(url, scheme, sizeof(scheme) - 1))
        return false;
    bytes = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (bytes >= sizeof(name))
        return false;
    memcpy(name, host, bytes);
    name[bytes] = '\0';
    return !strcmp(name, "localhost") || !strcmp(name, "[::1]") || listen_is_loopback(name);
}

enum status webhook_target_set(struct webhook_target *out, const char *tenant, const char *url,
                               const char *secret, struct why *why)
{
    static const char mark[] = "whsec_";

    *out = (struct webhook_target){.secret_bytes = 0};
    if (strlen(url) >= sizeof(out->url) || strpbrk(url, " \r\n\t@"))
        return why_fail(why, ST_INVALID, "a webhook is an address of at most %zu characters",
                        sizeof(out->url) - 1);
    if (strncasecmp(url, "https://", 8) && !is_near(url))
        return why_fail(why, ST_INVALID,
                        "a webhook is an https:// address, or http:// of this very machine, not "
                        "'%.100s'",
                        url);
    if (strncmp(secret, mark, sizeof(mark) - 1) ||
        !crypto_base64_decode(out->secret, sizeof(out->secret), &out->secret_bytes,
                              secret + sizeof(mark) - 1, strlen(secret) - (sizeof(mark) - 1)) ||
        out->secret_bytes < 24)
        return why_fail(why, ST_INVALID,
                        "a webhook's secret is whsec_ and base64 of 24 to %d random bytes",
                        WEBHOOK_SECRET_MAX);
    snprintf(out->tenant, sizeof(out->tenant), "%s", tenant);
    snprintf(out->url, sizeof(out->url), "%s", url);
    return ST_OK;
}

enum status webhook_configure(struct webhook *w, const struct webhook_target *targets, int count,
                              struct why *why)
{
    struct webhook_target *copy = calloc((size_t)count + 1, sizeof(*copy)), *before;
    int count_before;

    if (!copy)
        return why_fail(why, ST_FULL, "no memory for %d webhooks", count);
    memcpy(copy, targets, (size_t)count * sizeof(*copy));
    pthread_mutex_lock(&w->lock);
    before = w->target;
    count_before = w->target_count;
    w->target = copy;
    w->target_count = count;
    pthread_mutex_unlock(&w->lock);
    if (before)
        crypto_wipe(before, (size_t)count_before * sizeof(*before));
    free(before);
    webhook_wake(w);
    return ST_OK;
}

static bool find_target(struct webhook *w, const char *tenant, struct webhook_target *out)
{
    const struct webhook_target *found = NULL;

    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < w->target_count; i++) {
        if (!strcmp(w->target[i].tenant, tenant) || (!found && !w->target[i].tenant[0]))
            found = &w->target[i];
    }
    if (found)
        *out = *found;
    pthread_mutex_unlock(&w->lock);
    return found != NULL;
}

bool webhook_reaches(struct webhook *w, const char *tenant)
{
    struct webhook_target target;
    bool found = find_target(w, tenant, &target);

    crypto_wipe(&target, sizeof(target));
    return found;
}

void webhook_sign(char out[WEBHOOK_SIGNATURE_MAX], const struct webhook_target *t, const char *id,
                  int64_t now_s, const char *body)
{
    char head[STORE_ID_MAX + 32];
    struct crypto_hmac hmac;
    uint8_t mac[32];
    int bytes = snprintf(head, sizeof(head), "%s.%" PRId64 ".", id, now_s);

    assert(bytes > 0 && (size_t)bytes < sizeof(head));
    crypto_hmac(&hmac, t->secret, t->secret_bytes);
    crypto_hmac_add(&hmac, head, (size_t)bytes);
    crypto_hmac_add(&hmac, body, strlen(body));
    crypto_hmac_end(&hmac, mac);
    memcpy(out, "v1,", 3);
    crypto_base64_encode(out + 3, mac, sizeof(mac));
}

/* ---- what becomes of a message ---- */

static void note(struct webhook *w, enum status st, const struct why *why)
{
    if (st && !w->store_failed)
        log_error("webhook", "%s", why->text);
    w->store_failed = st != ST_OK;
}

static enum status put(struct webhook *w, const struct store_message *m, int64_t now_s)
{
    struct why why = {""};
    enum status st = w->options.store->ops->message_put(w->options.store, m, now_s, &why);

    note(w, st, &why);
    return st;
}

static int delay_of(const struct webhook *w, int tries)
{
    int last = w->options.delay_count - 1;

    return w->options.delay_s[tries - 1 < last ? tries - 1 : last];
}

static void count(struct webhook *w, const struct store_message *m, const char *fate)
{
    int64_t took_ms = (m->delivered_s - m->created_s) * 1000;

    log_info("webhook", "id=%s tenant=%s kind=%s tries=%d %s", m->id, m->tenant, m->kind, m->tries,
             fate);
    pthread_mutex_lock(&w->lock);
    if (m->delivered_s) {
        w->stats.delivered++;
        if (took_ms > w->stats.slowest_ms)
            w->stats.slowest_ms = took_ms;
    } else {
        w->stats.failed += m->tries > 0;
        w->stats.given_up += m->given_up_s && m->tries > 0;
    }
    pthread_mutex_unlock(&w->lock);
}

/* Not now. It is given up when its time is over. */
static void put_off(struct webhook *w, struct store_message *m, int64_t now_s, int delay_s)
{
    m->next_s = now_s + delay_s;
    if (now_s - m->created_s >= w->options.give_up_s)
        m->given_up_s = now_s;
}

static void settle(struct webhook *w, struct store_message *m, CURLcode code, long http)
{
    int64_t now_s = clock_unix_s();
    char fate[96];

    if (code)
        snprintf(fate, sizeof(fate), "failed: %s", curl_easy_strerror(code));
    else
        snprintf(fate, sizeof(fate), "answered %ld", http);
    if (!code && http >= 200 && http < 300) {
        m->delivered_s = now_s;
    } else if (!code && http == GONE) {
        m->given_up_s = now_s;
    } else {
        put_off(w, m, now_s, delay_of(w, m->tries));
    }
    if (!put(w, m, now_s))
        count(w, m, m->given_up_s ? "given up" : fate);
}

/* ---- one try ---- */

static size_t on_answer(char *data, size_t one, size_t bytes, void *context)
{
    struct slot *s = context;

    (void)data;
    s->answer_bytes += one * bytes;
    return s->answer_bytes > ANSWER_MAX ? 0 : one * bytes; /* 0 ends the transfer */
}

static void release(struct slot *s)
{
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    s->busy = false;
}

static bool add_header(struct slot *s, const char *text)
{
    struct curl_slist *longer = curl_slist_append(s->headers, text);

    if (longer)
        s->headers = longer;
    return longer != NULL;
}

static bool add_headers(struct slot *s, const struct webhook_target *t, int64_t now_s)
{
    char line[192], signature[WEBHOOK_SIGNATURE_MAX];

    webhook_sign(signature, t, s->message.id, now_s, s->message.payload);
    snprintf(line, sizeof(line), "webhook-signature: %s", signature);
    if (!add_header(s, line))
        return false;
    snprintf(line, sizeof(line), "webhook-id: %s", s->message.id);
    if (!add_header(s, line))
        return false;
    snprintf(line, sizeof(line), "webhook-timestamp: %" PRId64, now_s);
    return add_header(s, line) && add_header(s, "content-type: application/json") &&
           add_header(s, "expect:");
}

static bool begin(struct webhook *w, struct slot *s, const struct webhook_target *t, int64_t now_s)
{
    CURL *e = s->easy;
    bool failed = !add_headers(s, t, now_s);

    s->answer_bytes = 0;
    curl_easy_reset(e);
    failed |= curl_easy_setopt(e, CURLOPT_URL, t->url) != CURLE_OK;
    failed |=
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, is_near(t->url) ? "http" : "https") != CURLE_OK;
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)w->options.timeout_ms);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, s->message.payload);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)strlen(s->message.payload));
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "limner");
    if (is_near(t->url))
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
    if (failed || curl_multi_add_handle(w->multi, e))
        return false;
    s->busy = true;
    return true;
}

static struct slot *free_slot(struct webhook *w)
{
    for (int i = 0; i < SLOTS; i++) {
        if (!w->slot[i].busy)
            return &w->slot[i];
    }
    return NULL;
}

static int slots_of(const struct webhook *w, const char *tenant)
{
    int held = 0;

    for (int i = 0; i < SLOTS; i++)
        held += w->slot[i].busy && !strcmp(w->slot[i].message.tenant, tenant);
    return held;
}

/* Its next time is written before it goes out. False: the store failed, or there is no memory. */
static bool send_one(struct webhook *w, struct slot *s, int64_t now_s)
{
    struct store_message *m = &s->message;
    struct webhook_target target;

    if (!find_target(w, m->tenant, &target)) {
        put_off(w, m, now_s, ABSENT_S);
        return !put(w, m, now_s);
    }
    if (slots_of(w, m->tenant) >= TENANT_SLOTS) {
        m->next_s = now_s + BUSY_S;
        return !put(w, m, now_s);
    }
    m->tries++;
    m->next_s = now_s + w->options.timeout_ms / 1000 + MARGIN_S;
    if (put(w, m, now_s))
        return false;
    if (begin(w, s, &target, now_s)) {
        crypto_wipe(&target, sizeof(target));
        return true;
    }
    crypto_wipe(&target, sizeof(target));
    release(s);
    settle(w, m, CURLE_OUT_OF_MEMORY, 0);
    return false;
}

static void send_due(struct webhook *w)
{
    struct store *store = w->options.store;
    struct slot *s;

    while ((s = free_slot(w)) != NULL) {
        int64_t now_s = clock_unix_s();
        struct why why = {""};
        enum status st = store->ops->message_next(store, now_s, &s->message, &why);

        if (st != ST_MISSING)
            note(w, st, &why);
        if (st || !send_one(w, s, now_s))
            return;
    }
}

static void take_answers(struct webhook *w)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(w->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct slot *s = NULL;
        long http = 0;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http);
        curl_multi_remove_handle(w->multi, easy);
        release(s);
        settle(w, &s->message, code, http);
    }
}

/* ---- the thread ---- */

static bool is_stopping(struct webhook *w)
{
    bool stop;

    pthread_mutex_lock(&w->lock);
    stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop;
}

static void *run(void *memory)
{
    struct webhook *w = memory;

    while (!is_stopping(w)) {
        int busy = 0;

        send_due(w);
        curl_multi_perform(w->multi, &busy);
        take_answers(w);
        curl_multi_poll(w->multi, NULL, 0, LOOK_MS, NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (w->slot[i].busy)
            curl_multi_remove_handle(w->multi, w->slot[i].easy);
        release(&w->slot[i]);
    }
    return NULL;
}

void webhook_wake(struct webhook *w)
{
    if (w)
        curl_multi_wakeup(w->multi);
}

/* ---- opening and closing ---- */

static bool open_guest(struct webhook *w)
{
    bool good;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    w->multi = curl_multi_init();
    good = w->multi != NULL;
    for (int i = 0; i < SLOTS && good; i++) {
        w->slot[i].easy = curl_easy_init();
        good = w->slot[i].easy != NULL;
    }
    return good;
}

enum status webhook_open(struct webhook **out, const struct webhook_options *options,
                         struct why *why)
{
    struct webhook *w = calloc(1, sizeof(*w));
    enum status st = ST_OK;

    *out = w;
    if (!w)
        return why_fail(why, ST_FULL, "no memory for webhooks");
    w->options = *options;
    if (!w->options.timeout_ms)
        w->options.timeout_ms = TIMEOUT_MS;
    if (!w->options.give_up_s)
        w->options.give_up_s = WEBHOOK_GIVE_UP_S;
    if (!w->options.delay_s) {
        w->options.delay_s = delays_s;
        w->options.delay_count = sizeof(delays_s) / sizeof(delays_s[0]);
    }
    pthread_mutex_init(&w->lock, NULL);
    if (!open_guest(w))
        st = why_fail(why, ST_FULL, "no memory for webhooks");
    else if (pthread_create(&w->thread, NULL, run, w))
        st = why_fail(why, ST_FULL, "cannot start a thread for webhooks");
    if (st)
        webhook_close(out);
    else
        w->running = true;
    return st;
}

void webhook_get_stats(struct webhook *w, struct webhook_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    pthread_mutex_unlock(&w->lock);
}

void webhook_close(struct webhook **webhook)
{
    struct webhook *w = *webhook;

    if (!w)
        return;
    if (w->running) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_mutex_unlock(&w->lock);
        webhook_wake(w);
        pthread_join(w->thread, NULL);
    }
    for (int i = 0; i < SLOTS; i++)
        curl_easy_cleanup(w->slot[i].easy);
    curl_multi_cleanup(w->multi);
    curl_global_cleanup();
    if (w->target)
        crypto_wipe(w->target, (size_t)w->target_count * sizeof(*w->target));
    free(w->target);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *webhook = NULL;
}
