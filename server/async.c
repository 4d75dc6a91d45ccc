/* SPDX-License-Identifier: Apache-2.0 */
#include "server/async.h"

#include "engine/job.h"

#include <string.h>
#include <strings.h>

#define ID_BYTES (sizeof(ASYNC_ID_PREFIX) - 1 + 32) /* and 128 bits in hex */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool async_wanted(const char *prefer, size_t bytes)
{
    static const char name[] = "respond-async";
    size_t at = 0;

    while (at < bytes) {
        size_t end = at, last;

        while (end < bytes && prefer[end] != ',')
            end++;
        while (at < end && is_space(prefer[at]))
            at++;
        last = at;
        while (last < end && !is_space(prefer[last]) && prefer[last] != ';')
            last++;
        if (last - at == sizeof(name) - 1 && !strncasecmp(prefer + at, name, last - at))
            return true;
        at = end + 1;
    }
    return false;
}

enum status async_key(char out[STORE_JOB_KEY_MAX], const char *text, size_t bytes, struct why *why)
{
    bool quoted = bytes >= 2 && text[0] == '"' && text[bytes - 1] == '"';
    bool good;

    if (quoted) {
        text++;
        bytes -= 2;
    }
    good = bytes >= 1 && bytes < STORE_JOB_KEY_MAX;
    for (size_t i = 0; i < bytes && good; i++)
        good = text[i] >= ' ' && text[i] <= '~' && !(quoted && (text[i] == '"' || text[i] == '\\'));
    if (!good)
        return why_fail(why, ST_INVALID,
                        "Idempotency-Key must be 1 to %d printable ASCII characters",
                        STORE_JOB_KEY_MAX - 1);
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return ST_OK;
}

/* Digits and nothing else, at most `digits` of them, without a zero in front; below 0: it is not.
 */
static int64_t read_number(const char *text, size_t bytes, size_t digits)
{
    int64_t number = 0;

    if (!bytes || bytes > digits || (bytes > 1 && text[0] == '0'))
        return -1;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

int64_t async_event(const char *text, size_t bytes)
{
    int64_t number = text ? read_number(text, bytes, 18) : 0;

    return number > 0 ? number : 0;
}

enum status async_previews(int *out, const char *query, size_t bytes, struct why *why)
{
    static const char name[] = "partial_images=";
    size_t name_bytes = sizeof(name) - 1, at = 0;

    *out = 0;
    while (at < bytes) {
        size_t end = at;

        while (end < bytes && query[end] != '&')
            end++;
        if (end - at >= name_bytes && !memcmp(query + at, name, name_bytes)) {
            *out = (int)read_number(query + at + name_bytes, end - at - name_bytes, 1);
            if (*out < 0 || *out > JOB_PREVIEWS_MAX)
                return why_fail(why, ST_INVALID,
                                "partial_images must be a whole number from 0 to "
                                "%d",
                                JOB_PREVIEWS_MAX);
        }
        at = end + 1;
    }
    return ST_OK;
}

static bool is_id(const char *text)
{
    if (memcmp(text, ASYNC_ID_PREFIX, sizeof(ASYNC_ID_PREFIX) - 1))
        return false;
    for (size_t i = sizeof(ASYNC_ID_PREFIX) - 1; i < ID_BYTES; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}

bool async_path(struct async_path *out, const char *text, size_t bytes)
{
    static const char events[] = "/events", images[] = "/images/";
    int64_t k;

    *out = (struct async_path){.part = ASYNC_JOB};
    if (bytes < ID_BYTES || !is_id(text))
        return false;
    memcpy(out->id, text, ID_BYTES);
    text += ID_BYTES;
    bytes -= ID_BYTES;
    if (!bytes)
        return true;
    if (bytes == sizeof(events) - 1 && !memcmp(text, events, bytes)) {
        out->part = ASYNC_EVENTS;
        return true;
    }
    if (bytes < sizeof(images) || memcmp(text, images, sizeof(images) - 1))
        return false;
    k = read_number(text + sizeof(images) - 1, bytes - (sizeof(images) - 1), 4);
    out->part = ASYNC_IMAGE;
    out->k = (int)k;
    return k >= 0;
}
