/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 256

/* Room for `more` bytes and the NUL; false, for good, once memory ran out. */
static bool grow(struct json_out *o, size_t more)
{
    size_t size = o->size ? o->size : SIZE_FIRST;
    char *text;

    if (o->failed)
        return false;
    if (more < o->size - o->bytes)
        return true;
    while (size - o->bytes <= more && size <= SIZE_MAX / 2)
        size *= 2;
    text = size - o->bytes > more ? realloc(o->text, size) : NULL;
    if (!text) {
        o->failed = true;
        return false;
    }
    o->text = text;
    o->size = size;
    return true;
}

static void put(struct json_out *o, const char *text, size_t bytes)
{
    if (!grow(o, bytes))
        return;
    memcpy(o->text + o->bytes, text, bytes);
    o->bytes += bytes;
    o->text[o->bytes] = '\0';
}

static void put_string(struct json_out *o, const char *text)
{
    const char *end = text + strlen(text);

    put(o, "\"", 1);
    while (text < end && grow(o, ESCAPE_MAX)) {
        o->bytes += escape_json(o->text + o->bytes, &text, end);
        o->text[o->bytes] = '\0';
    }
    put(o, "\"", 1);
}

/* What stands before a value: the quote that a reserved string lacks, a comma, the key. */
static void lead(struct json_out *o, const char *key)
{
    if (o->quote)
        put(o, "\"", 1);
    o->quote = false;
    if (o->comma)
        put(o, ",", 1);
    o->comma = true;
    if (!key)
        return;
    put_string(o, key);
    put(o, ":", 1);
}

static void open_bracket(struct json_out *o, const char *key, const char *bracket)
{
    lead(o, key);
    put(o, bracket, 1);
    o->comma = false;
}

static void close_bracket(struct json_out *o, const char *bracket)
{
    o->comma = false;
    lead(o, NULL);
    put(o, bracket, 1);
}

void json_out_object(struct json_out *o, const char *key)
{
    open_bracket(o, key, "{");
}

void json_out_object_end(struct json_out *o)
{
    close_bracket(o, "}");
}

void json_out_array(struct json_out *o, const char *key)
{
    open_bracket(o, key, "[");
}

void json_out_array_end(struct json_out *o)
{
    close_bracket(o, "]");
}

void json_out_string(struct json_out *o, const char *key, const char *value)
{
    lead(o, key);
    if (value)
        put_string(o, value);
    else
        put(o, "null", 4);
}

void json_out_text(struct json_out *o, const char *key, const char *value)
{
    json_out_string(o, key, value[0] ? value : NULL);
}

void json_out_int(struct json_out *o, const char *key, int64_t value)
{
    char text[32];
    int bytes = snprintf(text, sizeof(text), "%" PRId64, value);

    lead(o, key);
    put(o, text, (size_t)bytes);
}

void json_out_real(struct json_out *o, const char *key, double value)
{
    char text[32] = "null";
    int bytes = isfinite(value) ? snprintf(text, sizeof(text), "%.17g", value) : 4;

    lead(o, key);
    put(o, text, (size_t)bytes);
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
    lead(o, key);
    if (value)
        put(o, "true", 4);
    else
        put(o, "false", 5);
}

char *json_out_reserve(struct json_out *o, const char *key, size_t bytes)
{
    char *room;

    lead(o, key);
    put(o, "\"", 1);
    if (!grow(o, bytes))
        return NULL;
    room = o->text + o->bytes;
    o->bytes += bytes;
    o->text[o->bytes] = '\0';
    o->quote = true;
    return room;
}

void json_out_close(struct json_out *o)
{
    free(o->text);
    *o = (struct json_out){0};
}
