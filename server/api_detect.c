/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_detect.h"

#include "server/auth.h"
#include "server/detector.h"
#include "server/fetch.h"
#include "server/fields.h"
#include "server/page_detect.h"
#include "server/upload.h"

#include <string.h>

static void refuse(struct http_request *r, int status, const char *code, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, (struct failure){.code = code}, message);
    http_answer(r, &answer);
}

/* NULL: the request is answered. */
static struct detector *detector_of(struct service *s, struct http_request *r)
{
    if (atomic_load(&s->draining))
        refuse(r, 503, NULL, "the server is stopping");
    else if (!s->detector)
        refuse(r, 404, "no_detector", "this server marks no pictures, so it finds none");
    else
        return s->detector;
    return NULL;
}

static bool is_officer(struct service *s, const struct http_request *r)
{
    struct http_text authorization = http_header(r, "authorization");
    struct auth_caller caller;

    return authorization.data &&
           auth_check(s->auth, authorization, SCOPE_COMPLIANCE, clock_unix_s(), &caller) == AUTH_OK;
}

struct asked {
    char url[FETCH_URL_MAX];
};

static const struct field url_field[] = {{"url", FIELD_AT(struct asked, url), FIELD_TEXT, true}};

static void handle_url(struct detector *d, struct http_request *r, enum detector_format format)
{
    struct fields_error error = {.param = ""};
    struct asked asked = {.url = ""};
    struct answer answer;

    if (!fields_json(&asked, url_field, 1, r->body.data, r->body.bytes, &error)) {
        detector_handle_url(d, r, asked.url, format);
        return;
    }
    answer_fail_http(&answer, 400, (struct failure){.param = error.param}, error.why.text);
    http_answer(r, &answer);
}

void api_detect(struct service *s, struct http_request *r)
{
    struct http_text type = http_header(r, "content-type"), file;
    struct detector *d = detector_of(s, r);
    struct why why = {""};

    if (!d)
        return;
    if (type.bytes >= 16 && !memcmp(type.data, "application/json", 16))
        handle_url(d, r, is_officer(s, r) ? DETECTOR_RAW : DETECTOR_JSON);
    else if (upload_find(&file, type, r->body, &why))
        refuse(r, 400, NULL, why.text);
    else
        detector_handle(d, r, file, is_officer(s, r) ? DETECTOR_RAW : DETECTOR_JSON);
}

void api_detect_page(struct service *s, struct http_request *r)
{
    struct http_text type = http_header(r, "content-type"), file;
    struct detector *d = detector_of(s, r);
    struct fields_error error = {.param = ""};
    struct asked asked = {.url = ""};
    struct why why = {""};
    struct answer answer;

    if (!d)
        return;
    if (!fields_query(&asked, url_field, 1, r->query.data, r->query.bytes, &error)) {
        detector_handle_url(d, r, asked.url, DETECTOR_PAGE);
        return;
    }
    if (r->method.bytes == 4 && !memcmp(r->method.data, "POST", 4)) {
        if (!upload_find(&file, type, r->body, &why)) {
            detector_handle(d, r, file, DETECTOR_PAGE);
            return;
        }
    }
    page_detect_answer(&answer, NULL, why.text[0] ? why.text : NULL);
    http_answer(r, &answer);
}
