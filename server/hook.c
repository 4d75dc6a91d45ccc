/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hook.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 8
#define URL_MAX     2048
#define LOOK_MS     1000

/* A question: it waits in a list, then goes out with a slot. */
struct ask {
    struct json_out body;
    hook_done done;
    void *owner;
    int64_t until_us;
    struct ask *next;
};

struct slot {
    CURL *easy;
    struct ask *ask; /* NULL: free */
    char *kept;      /* HOOK_ANSWER_MAX bytes */
    size_t bytes;
};

struct hook {
    struct hook_options options;
    char url[URL_MAX];
    CURLM *multi;
    struct curl_slist *headers;
    struct slot *slots;
    struct clock clock;
    pthread_t thread;
    bool running, failing; /* failing: the last answer was none, as the log knows already */

    pthread_mutex_t lock; /* of what follows */
    struct ask *first, *last;
    int open; /* questions that are not answered */
    bool stop;

    atomic_uint_least64_t asked, answered[HOOK_BLOCK + 1], failed, late;
};

static const char *const actions[] = {
    [HOOK_ALLOW] = "allow", [HOOK_HOLD] = "hold", [HOOK_BLOCK] = "block"};

const char *hook_action_name(enum hook_action action)
{
    return actions[action];
}

int hook_find_action(const char *name)
{
    for (int i = HOOK_ALLOW; i <= HOOK_BLOCK; i++) {
        if (!strcmp(actions[i], name))
            return i;
    }
    return -1;
}

/* ---- answers ---- */

static struct hook_answer PRINTF_LIKE(3, 4)
    failure(struct hook *h, bool late, const char *format, ...)
{
    struct hook_answer a = {.action = h->options.on_failure, .failed = true, .late = late};
    va_list args;

    va_start(args, format);
    vsnprintf(a.reason, sizeof(a.reason), format, args);
    va_end(args);
    return a;
}

/* Printable, and cut at a whole character. */
static void copy_reason(char out[HOOK_REASON_MAX], const char *text)
{
    size_t bytes = strlen(text);

    if (bytes >= HOOK_REASON_MAX) {
        bytes = HOOK_REASON_MAX - 1;
        while (bytes && ((unsigned char)text[bytes] & 0xc0) == 0x80)
            bytes--;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[bytes] = '\0';
}

static bool is_name(const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    return strspn(text, good) == strlen(text) && strlen(text) < HOOK_CATEGORY_MAX;
}

static struct hook_answer read_members(struct hook *h, const struct json *root)
{
    const char *action = NULL, *category = "", *reason = "";
    struct hook_answer a = {.failed = false};
    struct why why = {""};

    if (json_type_of(root) != JSON_TYPE_OBJECT)
        return failure(h, false, "the answer is no JSON object");
    if (json_get_string(root, "action", &action, &why) ||
        json_get_string(root, "category", &category, &why) ||
        json_get_string(root, "reason", &reason, &why))
        return failure(h, false, "the answer is wrong: %.200s", why.text);
    if (!action || hook_find_action(action) < 0)
        return failure(h, false, "the answer's action is none of allow, hold, block");
    a.action = (enum hook_action)hook_find_action(action);
    if (is_name(category))
        snprintf(a.category, sizeof(a.category), "%s", category);
    copy_reason(a.reason, reason);
    return a;
}

static struct hook_answer read_answer(struct hook *h, const struct slot *s, CURLcode code)
{
    struct hook_answer a;
    struct json *root;
    struct why why = {""};
    long http = 0;

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &http);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return failure(h, true, "no answer within %d ms", h->options.deadline_ms);
    if (s->bytes > HOOK_ANSWER_MAX)
        return failure(h, false, "the answer is longer than %zu bytes", HOOK_ANSWER_MAX);
    if (code)
        return failure(h, false, "the service cannot be asked: %s", curl_easy_strerror(code));
    if (http != 200)
        return failure(h, false, "the service answered with status %ld", http);
    if (json_parse(&root, s->kept, s->bytes, &why))
        return failure(h, false, "the answer is no JSON: %.200s", why.text);
    a = read_members(h, root);
    json_close(&root);
    return a;
}

/* Words for the operator when it begins to fail, and when that is over; never the prompt. */
static void note(struct hook *h, const struct hook_answer *a)
{
    if (a->failed && !h->failing)
        log_warn("prompt_hook", "failing, so prompts are %s: %s",
                 h->options.on_failure == HOOK_ALLOW  ? "allowed"
                 : h->options.on_failure == HOOK_HOLD ? "held"
                                                      : "blocked",
                 a->reason);
    else if (!a->failed && h->failing)
        log_info("prompt_hook", "answers again");
    h->failing = a->failed;
}

static void count(struct hook *h, const struct hook_answer *a)
{
    if (a->failed)
        atomic_fetch_add(&h->failed, 1);
    else
        atomic_fetch_add(&h->answered[a->action], 1);
    if (a->late)
        atomic_fetch_add(&h->late, 1);
}

static void ask_close(struct ask *a)
{
    json_out_close(&a->body);
    free(a);
}

/* The question is over. It leaves the count first: whoever hears of it may ask again. */
static void answer(struct hook *h, struct ask *ask, const struct hook_answer *a)
{
    note(h, a);
    count(h, a);
    pthread_mutex_lock(&h->lock);
    h->open--;
    pthread_mutex_unlock(&h->lock);
    ask->done(ask->owner, a);
    ask_close(ask);
}

/* ---- the thread ---- */

static size_t on_body(char *data, size_t one, size_t bytes, void *context)
{
    struct slot *s = context;

    assert(one == 1);
    if (s->bytes > HOOK_ANSWER_MAX || bytes > HOOK_ANSWER_MAX - s->bytes) {
        s->bytes = HOOK_ANSWER_MAX + 1;
        return 0; /* ends the transfer */
    }
    memcpy(s->kept + s->bytes, data, bytes);
    s->bytes += bytes;
    return bytes;
}

static void begin(struct hook *h, struct slot *s, struct ask *ask)
{
    int64_t left_ms = (ask->until_us - clock_now_us(&h->clock)) / 1000;
    struct hook_answer a;

    if (left_ms > 0) {
        s->bytes = 0;
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, ask->body.text);
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)ask->body.bytes);
        curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
        if (!curl_multi_add_handle(h->multi, s->easy)) {
            s->ask = ask;
            return;
        }
    }
    a = failure(h, left_ms <= 0,
                left_ms > 0 ? "no memory to ask the service"
                            : "the deadline passed while others were asked about");
    answer(h, ask, &a);
}

static struct slot *free_slot(struct hook *h)
{
    for (int i = 0; i < h->options.connections; i++) {
        if (!h->slots[i].ask)
            return &h->slots[i];
    }
    return NULL;
}

/* The next question, if it may be begun, or if its time is over; NULL: none. All have the same
   deadline, so the first is the first to be late. */
static struct ask *take_ask(struct hook *h, bool has_slot)
{
    struct ask *a;

    pthread_mutex_lock(&h->lock);
    a = h->first;
    if (a && !has_slot && clock_now_us(&h->clock) < a->until_us)
        a = NULL;
    if (a)
        h->first = a->next;
    if (!h->first)
        h->last = NULL;
    pthread_mutex_unlock(&h->lock);
    return a;
}

static void begin_all(struct hook *h)
{
    struct slot *s = free_slot(h);
    struct ask *ask;

    while ((ask = take_ask(h, s != NULL)) != NULL) {
        struct slot none = {0};

        begin(h, s ? s : &none, ask); /* without a slot it is late, and goes nowhere */
        s = free_slot(h);
    }
}

/* Whether there were any: their slots are free then. */
static bool take_answers(struct hook *h)
{
    bool some = false;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        CURLcode code = message->data.result; /* the message dies with remove_handle */
        struct hook_answer a;
        struct slot *s = NULL;
        struct ask *ask;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &s);
        a = read_answer(h, s, code);
        curl_multi_remove_handle(h->multi, s->easy);
        ask = s->ask;
        s->ask = NULL;
        answer(h, ask, &a);
        some = true;
    }
    return some;
}

/* Until something comes, or the first of those who wait is late. */
static int wait_ms(struct hook *h)
{
    int64_t left = LOOK_MS;

    pthread_mutex_lock(&h->lock);
    if (h->first)
        left = (h->first->until_us - clock_now_us(&h->clock)) / 1000 + 1;
    pthread_mutex_unlock(&h->lock);
    return left < 0 ? 0 : left < LOOK_MS ? (int)left : LOOK_MS;
}

static bool is_stopping(struct hook *h)
{
    bool stop;

    pthread_mutex_lock(&h->lock);
    stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    return stop;
}

static void answer_the_rest(struct hook *h)
{
    struct hook_answer a = failure(h, false, "the server stops");
    struct ask *ask;

    for (int i = 0; i < h->options.connections; i++) {
        struct slot *s = &h->slots[i];

        ask = s->ask;
        if (!ask)
            continue;
        curl_multi_remove_handle(h->multi, s->easy);
        s->ask = NULL;
        answer(h, ask, &a);
    }
    while ((ask = take_ask(h, true)) != NULL)
        answer(h, ask, &a);
}

static void *run(void *memory)
{
    struct hook *h = memory;

    while (!is_stopping(h)) {
        int busy = 0;

        begin_all(h);
        curl_multi_perform(h->multi, &busy);
        if (!take_answers(h))
            curl_multi_poll(h->multi, NULL, 0, wait_ms(h), NULL);
    }
    answer_the_rest(h);
    return NULL;
}

/* ---- asking ---- */

static struct ask *ask_open(const struct hook_request *r, hook_done done, void *owner)
{
    struct ask *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->done = done;
    a->owner = owner;
    json_out_object(&a->body, NULL);
    json_out_string(&a->body, "id", r->id);
    json_out_string(&a->body, "tenant", r->tenant);
    json_out_string(&a->body, "prompt", r->prompt);
    json_out_string(&a->body, "negative_prompt", r->negative_prompt);
    json_out_string(&a->body, "context", r->context);
    json_out_string(&a->body, "model", r->model);
    json_out_object_end(&a->body);
    if (!a->body.failed)
        return a;
    ask_close(a);
    return NULL;
}

/* Into the queue; false when it is full. */
static bool enqueue(struct hook *h, struct ask *a)
{
    bool room;

    pthread_mutex_lock(&h->lock);
    assert(!h->stop);
    room = h->open < h->options.queue_max;
    if (room) {
        a->until_us = clock_now_us(&h->clock) + (int64_t)h->options.deadline_ms * 1000;
        if (h->last)
            h->last->next = a;
        else
            h->first = a;
        h->last = a;
        h->open++;
    }
    pthread_mutex_unlock(&h->lock);
    return room;
}

enum status hook_ask(struct hook *h, const struct hook_request *request, hook_done done,
                     void *owner, struct hook_answer *refused)
{
    struct ask *a = ask_open(request, done, owner);
    struct hook_answer no;

    atomic_fetch_add(&h->asked, 1);
    if (a && enqueue(h, a)) {
        curl_multi_wakeup(h->multi);
        return ST_OK;
    }
    no = failure(h, false, a ? "too many prompts wait for the service" : "no memory to ask");
    if (a)
        ask_close(a);
    count(h, &no);
    if (refused)
        *refused = no;
    return ST_FULL;
}

void hook_count(struct hook *h, struct hook_counts *out)
{
    *out = (struct hook_counts){
        .asked = atomic_load(&h->asked),
        .allowed = atomic_load(&h->answered[HOOK_ALLOW]),
        .held = atomic_load(&h->answered[HOOK_HOLD]),
        .blocked = atomic_load(&h->answered[HOOK_BLOCK]),
        .failed = atomic_load(&h->failed),
        .late = atomic_load(&h->late),
    };
}

/* ---- opening ---- */

/* What may be wrong with an address; NULL: nothing. */
static const char *judge_url(CURLU *parts, const char *url)
{
    char *scheme = NULL, *user = NULL;
    const char *wrong = NULL;

    if (strlen(url) >= URL_MAX || strpbrk(url, " \r\n\t#") ||
        curl_url_set(parts, CURLUPART_URL, url, 0) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
        (strcmp(scheme, "http") && strcmp(scheme, "https")))
        wrong = "an address of http:// or https://";
    else if (!curl_url_get(parts, CURLUPART_USER, &user, 0))
        wrong = "an address without a name or password: a secret is in " HOOK_SECRET_ENV;
    curl_free(scheme);
    curl_free(user);
    return wrong;
}

static enum status check_options(const struct hook_options *o, struct why *why)
{
    CURLU *parts = curl_url();
    const char *wrong;

    if (!parts)
        return why_fail(why, ST_FULL, "no memory for the prompt hook");
    wrong = judge_url(parts, o->url);
    curl_url_cleanup(parts);
    if (wrong)
        return why_fail(why, ST_INVALID, "the prompt hook is %s", wrong);
    if (o->deadline_ms < 1 || o->deadline_ms > HOOK_MS_MAX)
        return why_fail(why, ST_INVALID, "the prompt hook has 1 to %d ms to answer, not %d",
                        HOOK_MS_MAX, o->deadline_ms);
    if (o->connections < 0 || o->connections > HOOK_CONNECTIONS_MAX || o->queue_max < 0 ||
        o->queue_max > HOOK_QUEUE_MAX)
        return why_fail(why, ST_INVALID, "the prompt hook has at most %d connections, %d questions",
                        HOOK_CONNECTIONS_MAX, HOOK_QUEUE_MAX);
    if (o->secret && (strlen(o->secret) > HOOK_SECRET_MAX || !*o->secret))
        return why_fail(why, ST_INVALID, "the prompt hook's secret has 1 to %d characters",
                        HOOK_SECRET_MAX);
    for (const char *c = o->secret; c && *c; c++) {
        if (*c <= ' ' || *c > '~')
            return why_fail(why, ST_INVALID,
                            "the prompt hook's secret is printable, without blanks");
    }
    return ST_OK;
}

static bool add_header(struct hook *h, const char *text)
{
    struct curl_slist *longer = curl_slist_append(h->headers, text);

    if (longer)
        h->headers = longer;
    return longer != NULL;
}

static bool open_headers(struct hook *h)
{
    char line[HOOK_SECRET_MAX + 32];
    bool done = add_header(h, "Content-Type: application/json") &&
                add_header(h, "Accept: application/json") && add_header(h, "Expect:");

    if (done && h->options.secret) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", h->options.secret);
        done = add_header(h, line);
        crypto_wipe(line, sizeof(line));
    }
    h->options.secret = NULL; /* the caller's; it lives on in the header alone */
    return done;
}

static bool open_slot(struct hook *h, struct slot *s)
{
    CURL *e = s->easy = curl_easy_init();

    s->kept = malloc(HOOK_ANSWER_MAX);
    if (!e || !s->kept || curl_easy_setopt(e, CURLOPT_URL, h->url) ||
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") ||
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*") ||
        curl_easy_setopt(e, CURLOPT_USERAGENT, "limner"))
        return false;
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    return true;
}

static bool open_all(struct hook *h)
{
    h->multi = curl_multi_init();
    h->slots = calloc((size_t)h->options.connections, sizeof(*h->slots));
    if (!h->multi || !h->slots || !open_headers(h))
        return false;
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->options.connections);
    for (int i = 0; i < h->options.connections; i++) {
        if (!open_slot(h, &h->slots[i]))
            return false;
    }
    return true;
}

static enum status open_hook(struct hook *h, const struct hook_options *options, struct why *why)
{
    h->options = *options;
    h->options.url = h->url;
    snprintf(h->url, sizeof(h->url), "%s", options->url);
    if (!options->connections)
        h->options.connections = CONNECTIONS;
    if (!options->queue_max)
        h->options.queue_max = HOOK_QUEUE_MAX;
    clock_init_real(&h->clock);
    if (!open_all(h))
        return why_fail(why, ST_FULL, "no memory for the prompt hook");
    if (pthread_create(&h->thread, NULL, run, h))
        return why_fail(why, ST_IO, "no thread for the prompt hook");
    h->running = true;
    return ST_OK;
}

enum status hook_open(struct hook **out, const struct hook_options *options, struct why *why)
{
    struct hook *h;
    enum status st;

    *out = NULL;
    st = check_options(options, why);
    if (st)
        return st;
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return why_fail(why, ST_FULL, "libcurl does not start");
    h = calloc(1, sizeof(*h));
    if (!h) {
        curl_global_cleanup();
        return why_fail(why, ST_FULL, "no memory for the prompt hook");
    }
    pthread_mutex_init(&h->lock, NULL);
    st = open_hook(h, options, why);
    if (st)
        hook_close(&h);
    *out = h;
    return st;
}

static void stop(struct hook *h)
{
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    pthread_join(h->thread, NULL);
}

void hook_close(struct hook **hook)
{
    struct hook *h = *hook;

    if (!h)
        return;
    if (h->running)
        stop(h);
    for (int i = 0; h->slots && i < h->options.connections; i++) {
        curl_easy_cleanup(h->slots[i].easy);
        free(h->slots[i].kept);
    }
    curl_multi_cleanup(h->multi);
    for (struct curl_slist *l = h->headers; l; l = l->next)
        crypto_wipe(l->data, strlen(l->data));
    curl_slist_free_all(h->headers);
    pthread_mutex_destroy(&h->lock);
    free(h->slots);
    free(h);
    *hook = NULL;
    curl_global_cleanup();
}
