/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/load.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "server/bench/timing.h"

#include <assert.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATH         "/v1/images/generations"
#define URL_MAX      2048
#define ANSWER_MAX   ((size_t)256 << 20) /* a longer one is no answer of ours */
#define KEEP_BYTES   ((size_t)64 << 10)  /* of a body: the beginning, where errors say their code */
#define WAIT_MS_MAX  1000
#define HEADER_BYTES 8192 /* what servers take at most of one header */

/* One request on its way, and the handle it goes with, which keeps its connection. */
struct slot {
    CURL *easy;
    struct load *load;
    struct samples *samples;
    struct sample *sample;   /* NULL: free */
    struct json_out request; /* libcurl reads from it until the end */
    char *kept;
    size_t kept_bytes, body_bytes;
    char last; /* byte of the body */
    struct slot *next;
};

struct load {
    struct load_options options;
    struct clock clock;
    CURLM *multi;
    struct slot *slots, *free;
    struct curl_slist *headers[MIX_KINDS_MAX];
    int busy;
    int64_t start_us;
    char url[URL_MAX];
};

/* ---- what comes back ---- */

static size_t on_body(char *data, size_t one, size_t bytes, void *context)
{
    struct slot *s = context;
    size_t room = KEEP_BYTES - s->kept_bytes, take = bytes < room ? bytes : room;

    assert(one == 1);
    memcpy(s->kept + s->kept_bytes, data, take);
    s->kept_bytes += take;
    s->body_bytes += bytes;
    if (bytes)
        s->last = data[bytes - 1];
    return s->body_bytes > ANSWER_MAX ? 0 : bytes; /* 0 ends the transfer */
}

/* The value of a header line with this name, without its end; NULL for any other. */
static const char *value_of(const char *line, size_t bytes, const char *name, size_t *value_bytes)
{
    size_t name_bytes = strlen(name);

    if (bytes <= name_bytes || strncasecmp(line, name, name_bytes) || line[name_bytes] != ':')
        return NULL;
    line += name_bytes + 1;
    bytes -= name_bytes + 1;
    while (bytes && (*line == ' ' || *line == '\t')) {
        line++;
        bytes--;
    }
    while (bytes && strchr("\r\n \t", line[bytes - 1]))
        bytes--;
    *value_bytes = bytes;
    return line;
}

static size_t on_header(char *line, size_t one, size_t bytes, void *context)
{
    struct slot *s = context;
    const char *value;
    size_t value_bytes;

    assert(one == 1);
    value = value_of(line, bytes, "server-timing", &value_bytes);
    if (value)
        timing_read(s->sample->stage_ms, &s->samples->stages, value, value_bytes);
    value = value_of(line, bytes, "x-limner-predicted-ms", &value_bytes);
    if (value)
        s->sample->predicted_ms = (float)timing_number(value, value_bytes);
    return bytes;
}

static bool begins(const struct slot *s, const char *bytes, size_t count)
{
    return s->kept_bytes >= count && !memcmp(s->kept, bytes, count);
}

/* A picture's bytes, or an object of JSON, as its Content-Type says. Whether all of it came was for
   libcurl to see; a body is not kept, so no more than its ends is looked at. */
static bool is_answer(const struct slot *s)
{
    const char *type = NULL;

    curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
    if (!type)
        return false;
    if (!strncasecmp(type, "image/png", 9))
        return begins(s, "\x89PNG\r\n\x1a\n", 8);
    if (!strncasecmp(type, "image/webp", 10))
        return begins(s, "RIFF", 4);
    if (!strncasecmp(type, "image/jpeg", 10))
        return begins(s, "\xff\xd8\xff", 3);
    return !strncasecmp(type, "application/json", 16) && begins(s, "{", 1) && s->last == '}' &&
           memmem(s->kept, s->kept_bytes, "\"data\"", 6);
}

/* The server's own word for an error, in OpenAI's envelope; empty when it has none. */
static void read_code(const struct slot *s, char out[LABEL_BYTES])
{
    struct json *root;
    const struct json *error;
    const char *code = NULL;

    snprintf(out, LABEL_BYTES, "%s", "");
    if (s->body_bytes != s->kept_bytes || json_parse(&root, s->kept, s->kept_bytes, NULL))
        return;
    error = json_type_of(root) == JSON_TYPE_OBJECT ? json_get(root, "error") : NULL;
    if (json_type_of(error) == JSON_TYPE_OBJECT && !json_get_string(error, "code", &code, NULL) &&
        code)
        snprintf(out, LABEL_BYTES, "%s", code);
    json_close(&root);
}

static enum fate fate_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return FATE_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return FATE_ABSENT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without the first line of HTTP/1 */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: /* on_body had enough */
        return FATE_GARBAGE;
    default:
        return FATE_CUT;
    }
}

static void judge(struct slot *s, CURLcode code)
{
    struct sample *sample = s->sample;
    char word[LABEL_BYTES];
    long http = 0;

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &http);
    sample->http = (int)http;
    if (code) {
        sample->fate = fate_of(code);
        snprintf(word, sizeof(word), "%s", curl_easy_strerror(code));
    } else if (http != 200) {
        sample->fate = FATE_STATUS;
        read_code(s, word);
    } else if (!is_answer(s)) {
        sample->fate = FATE_GARBAGE;
        snprintf(word, sizeof(word), "neither a picture nor its JSON");
    } else {
        sample->fate = FATE_OK;
        return;
    }
    if (word[0])
        sample->code = labels_find(&s->samples->codes, word, strlen(word));
}

static void end(struct load *l, struct slot *s, CURLcode code)
{
    s->sample->ended_us = clock_now_us(&l->clock) - l->start_us;
    judge(s, code);
    curl_multi_remove_handle(l->multi, s->easy);
    json_out_close(&s->request);
    s->sample = NULL;
    s->next = l->free;
    l->free = s;
    l->busy--;
}

/* ---- what goes out ---- */

static enum status add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);

    if (!longer)
        return ST_FULL;
    *list = longer;
    return ST_OK;
}

static enum status open_headers(struct load *l, int index)
{
    const struct mix_kind *kind = &l->options.mix->kind[index];
    const char *key = getenv(kind->key_env);
    struct curl_slist **list = &l->headers[index];
    char text[HEADER_BYTES];
    enum status st = add_header(list, "Content-Type: application/json");

    /* One picture comes as it is: base64 would cost this thread time that others wait for. */
    if (!st)
        st = add_header(list, kind->images > 1 ? "Accept: application/json" : "Accept: image/*");
    if (!st)
        st = add_header(list, "Expect:");
    if (!st && kind->deadline_ms) {
        snprintf(text, sizeof(text), "x-request-deadline-ms: %" PRId64, kind->deadline_ms);
        st = add_header(list, text);
    }
    if (!st && key && strlen(key) > HEADER_BYTES - 64)
        st = ST_INVALID;
    if (!st && key && *key) {
        snprintf(text, sizeof(text), "Authorization: Bearer %.*s", (int)strcspn(key, "\r\n"), key);
        st = add_header(list, text);
        crypto_wipe(text, sizeof(text));
    }
    return st;
}

/* Options that hold for every request. Each of these is in every libcurl that can be built with. */
static enum status open_slot(struct load *l, struct slot *s)
{
    s->load = l;
    s->easy = curl_easy_init();
    s->kept = malloc(KEEP_BYTES);
    if (!s->easy || !s->kept)
        return ST_FULL;
    if (curl_easy_setopt(s->easy, CURLOPT_URL, l->url))
        return ST_FULL;
    curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*"); /* the environment's is not what is measured */
    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
    s->next = l->free;
    l->free = s;
    return ST_OK;
}

static enum status check_url(const char *url, struct why *why)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    enum status st = ST_OK;

    if (!parts)
        return why_fail(why, ST_FULL, "out of memory");
    if (curl_url_set(parts, CURLUPART_URL, url, 0) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
        (strcmp(scheme, "http") && strcmp(scheme, "https")) || strpbrk(url, "?#") ||
        strlen(url) + sizeof(PATH) > URL_MAX)
        st = why_fail(why, ST_INVALID, "--url takes http://HOST:PORT, not '%.100s'", url);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return st;
}

static enum status open_all(struct load *l)
{
    enum status st = ST_OK;

    l->multi = curl_multi_init();
    l->slots = calloc((size_t)l->options.connections, sizeof(*l->slots));
    if (!l->multi || !l->slots)
        return ST_FULL;
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)l->options.connections);
    for (int i = 0; i < l->options.mix->count && !st; i++)
        st = open_headers(l, i);
    for (int i = 0; i < l->options.connections && !st; i++)
        st = open_slot(l, &l->slots[i]);
    return st;
}

enum status load_open(struct load **out, const struct load_options *options, struct why *why)
{
    size_t bytes = strlen(options->url);
    enum status st = check_url(options->url, why);
    struct load *l;

    *out = NULL;
    assert(options->connections > 0 && options->connections <= LOAD_CONNECTIONS_MAX);
    if (st)
        return st;
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return why_fail(why, ST_FULL, "libcurl does not start");
    l = calloc(1, sizeof(*l));
    if (!l) {
        curl_global_cleanup();
        return why_fail(why, ST_FULL, "out of memory");
    }
    *out = l;
    l->options = *options;
    clock_init_real(&l->clock);
    while (bytes && options->url[bytes - 1] == '/')
        bytes--;
    snprintf(l->url, sizeof(l->url), "%.*s" PATH, (int)bytes, options->url);
    st = open_all(l);
    if (st)
        load_close(out);
    if (st == ST_INVALID)
        return why_fail(why, st, "an API key in the environment is too long");
    return st ? why_fail(why, st, "out of memory for %d connections", options->connections) : ST_OK;
}

void load_close(struct load **load)
{
    struct load *l = *load;

    if (!l)
        return;
    for (int i = 0; l->slots && i < l->options.connections; i++) {
        struct slot *s = &l->slots[i];

        if (s->sample)
            curl_multi_remove_handle(l->multi, s->easy);
        curl_easy_cleanup(s->easy);
        json_out_close(&s->request);
        free(s->kept);
    }
    for (int i = 0; i < MIX_KINDS_MAX; i++)
        curl_slist_free_all(l->headers[i]);
    curl_multi_cleanup(l->multi);
    free(l->slots);
    free(l);
    *load = NULL;
    curl_global_cleanup();
}

void load_begin(struct load *l, int64_t start_us)
{
    l->start_us = start_us;
}

int load_busy(const struct load *l)
{
    return l->busy;
}

bool load_has_room(const struct load *l)
{
    return l->free != NULL;
}

enum status load_send(struct load *l, struct samples *samples, struct sample *sample,
                      const struct arrival *arrival)
{
    struct slot *s = l->free;
    const struct mix_kind *kind = &l->options.mix->kind[arrival->kind];
    int64_t now_us = clock_now_us(&l->clock) - l->start_us;
    int64_t left_ms = (arrival->at_us + l->options.timeout_us - now_us) / 1000;

    assert(s);
    mix_body(&s->request, kind, arrival->seed);
    if (s->request.failed) {
        json_out_close(&s->request);
        return ST_FULL;
    }
    s->samples = samples;
    s->kept_bytes = s->body_bytes = 0;
    s->last = '\0';
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, l->headers[arrival->kind]);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->request.text);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)s->request.bytes);
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, left_ms > 1 ? (long)left_ms : 1L);
    if (curl_multi_add_handle(l->multi, s->easy)) {
        json_out_close(&s->request);
        return ST_FULL;
    }
    l->free = s->next;
    l->busy++;
    s->sample = sample;
    sample->sent_us = now_us;
    return ST_OK;
}

static void collect(struct load *l)
{
    CURLMsg *message;
    int more;

    while ((message = curl_multi_info_read(l->multi, &more))) {
        CURLcode code = message->data.result; /* the message dies with remove_handle */
        struct slot *s = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &s);
        end(l, s, code);
    }
}

enum status load_wait(struct load *l, const int *fds, int count, struct why *why)
{
    struct curl_waitfd wait[LOAD_FDS_MAX] = {{0}};
    int running, before = l->busy;
    CURLMcode code = curl_multi_perform(l->multi, &running);

    assert(count <= LOAD_FDS_MAX);
    collect(l);
    for (int i = 0; i < count; i++)
        wait[i] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
    if (!code && l->busy == before) /* else there is room now: whoever waits for it may send */
        code = curl_multi_poll(l->multi, wait, (unsigned)count, WAIT_MS_MAX, NULL);
    if (code)
        return why_fail(why, ST_IO, "libcurl: %s", curl_multi_strerror(code));
    return ST_OK;
}
