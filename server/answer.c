/* SPDX-License-Identifier: Apache-2.0 */
#include "server/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MS 1000

/* How a status of ours ends on the wire. The words of ST_IO and ST_DEVICE may name files and
   devices, which are nobody's business: strangers get the constant. */
struct outcome {
    enum status status;
    int http;
    const char *message; /* NULL: the caller's own */
};

static const struct outcome outcomes[] = {
    {ST_INVALID, 400, NULL},
    {ST_MISSING, 404, NULL},
    {ST_UNSUPPORTED, 400, NULL},
    {ST_FULL, 429, NULL},
    {ST_IO, 500, "the server could not finish this request"},
    {ST_CANCELLED, 503, "the server is stopping; send the request again"},
    {ST_LATE, 504, NULL},
    {ST_REFUSED, 400, NULL},
    {ST_DEVICE, 503, "the server's device failed and is being restarted"},
};

/* What a client's program reads: OpenAI's error types and codes, and whether to try again. */
struct meaning {
    int http;
    const char *type, *code;
    bool retry;
};

static const struct meaning meanings[] = {
    {400, "invalid_request_error", "invalid_value", false},
    {401, "invalid_request_error", "invalid_api_key", false},
    {403, "invalid_request_error", "insufficient_permissions", false},
    {404, "invalid_request_error", "not_found", false},
    {405, "invalid_request_error", "method_not_allowed", false},
    {409, "invalid_request_error", "conflict", false},
    {410, "invalid_request_error", "gone", false},
    {413, "invalid_request_error", "request_too_large", false},
    {415, "invalid_request_error", "unsupported_media_type", false},
    {417, "invalid_request_error", "expectation_failed", false},
    {422, "invalid_request_error", "unprocessable", false},
    {429, "rate_limit_error", "rate_limit_exceeded", true},
    {500, "server_error", "internal_error", false},
    {503, "server_error", "unavailable", true},
    {504, "server_error", "deadline_exceeded", true},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void answer_text(struct answer *a, int status, const char *media_type, const char *text)
{
    memset(a, 0, sizeof(*a));
    a->status = status;
    a->media_type = media_type;
    a->text = text;
}

void answer_json(struct answer *a)
{
    answer_text(a, 200, "application/json", NULL);
}

void answer_json_end(struct answer *a)
{
    static const char out_of_memory[] =
        "{\"error\":{\"message\":\"the server is out of memory\",\"type\":\"server_error\","
        "\"param\":null,\"code\":\"unavailable\"}}";

    if (!a->json.failed)
        return;
    json_out_close(&a->json);
    answer_text(a, 503, "application/json", out_of_memory);
    answer_header(a, "retry-after", "1");
}

void answer_header(struct answer *a, const char *name, const char *format, ...)
{
    size_t room = sizeof(a->header_text) - a->header_bytes;
    va_list args;
    int written;

    va_start(args, format);
    written = vsnprintf(a->header_text + a->header_bytes, room, format, args);
    va_end(args);
    assert(a->header_count < ANSWER_HEADERS_MAX && written >= 0 && (size_t)written < room);
    a->header[a->header_count].name = name;
    a->header[a->header_count++].value_at = a->header_bytes;
    a->header_bytes += (size_t)written + 1;
}

static const struct meaning *meaning_of(int http)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (meanings[i].http == http)
            return &meanings[i];
    }
    return meaning_of(http < 500 ? 400 : 503);
}

void answer_fail_http(struct answer *a, int status, struct failure failure, const char *message)
{
    const struct meaning *meaning = meaning_of(status);
    int after_ms = failure.retry_after_ms > 0 ? failure.retry_after_ms : RETRY_AFTER_MS;
    bool retry = meaning->retry || failure.retry_after_ms > 0;

    answer_json(a);
    a->status = status;
    if (retry) {
        answer_header(a, "retry-after", "%d", (after_ms + 999) / 1000);
        answer_header(a, "retry-after-ms", "%d", after_ms);
    }
    answer_header(a, "x-should-retry", "%s", retry ? "true" : "false");
    json_out_object(&a->json, NULL);
    json_out_object(&a->json, "error");
    json_out_string(&a->json, "message", message);
    json_out_string(&a->json, "type", meaning->type);
    json_out_string(&a->json, "param", failure.param);
    json_out_string(&a->json, "code", failure.code ? failure.code : meaning->code);
    json_out_object_end(&a->json);
    json_out_object_end(&a->json);
    answer_json_end(a);
}

static const struct outcome *outcome_of(enum status st)
{
    size_t i = 0;

    while (outcomes[i].status != st) {
        i++;
        assert(i < COUNT_OF(outcomes) && "a failure has a status");
    }
    return &outcomes[i];
}

const char *answer_message(enum status st, const char *message)
{
    const struct outcome *outcome = outcome_of(st);

    return outcome->message ? outcome->message : message;
}

void answer_fail(struct answer *a, enum status st, struct failure failure, const char *message)
{
    answer_fail_http(a, outcome_of(st)->http, failure, answer_message(st, message));
}

void answer_close(struct answer *a)
{
    json_out_close(&a->json);
    bytes_close(&a->raw);
    a->text = NULL;
}
