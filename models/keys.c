/* SPDX-License-Identifier: Apache-2.0 */
#include "models/parts/keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEYS_BYTES_MAX (1 << 20)

enum status keys_path(char *path, const char *folder, const char *name, struct why *why)
{
    int n = snprintf(path, KEYS_PATH_MAX, "%s/%s", folder, name);

    if (n < 0 || n >= KEYS_PATH_MAX)
        return why_fail(why, ST_INVALID, "the path of %s is longer than %d bytes", name,
                        KEYS_PATH_MAX - 1);
    return ST_OK;
}

void keys_open(struct keys *c, const char *folder, const char *name, struct why *why)
{
    char path[KEYS_PATH_MAX];
    const char *last = strrchr(folder, '/');

    memset(c, 0, sizeof(*c));
    c->why = why;
    snprintf(c->file, sizeof(c->file), "%.60s/%.60s", last ? last + 1 : folder, name);
    c->status = keys_path(path, folder, name, why);
    if (!c->status)
        c->status = json_load(&c->root, path, KEYS_BYTES_MAX, why);
    if (!c->status && json_type_of(c->root) != JSON_TYPE_OBJECT)
        keys_fail(c, ST_INVALID, "not an object");
    c->at = c->root;
}

void keys_close(struct keys *c)
{
    json_close(&c->root);
}

void keys_fail(struct keys *c, enum status st, const char *format, ...)
{
    char text[400];
    va_list list;

    if (c->status)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    c->status = why_fail(c->why, st, "%s: %s", c->file, text);
}

void keys_enter(struct keys *c, const char *key)
{
    c->at = json_get(c->root, key);
    if (json_type_of(c->at) != JSON_TYPE_OBJECT)
        keys_fail(c, ST_INVALID, "%s is not an object", key);
}

static const struct json *get(struct keys *c, const char *key)
{
    const struct json *value = c->status ? NULL : json_get(c->at, key);

    return json_type_of(value) == JSON_TYPE_NULL ? NULL : value;
}

/* Python writes 1 and 1.0 for the same thing. */
static int whole(struct keys *c, const char *key, const struct json *value, struct range range)
{
    enum json_type type = json_type_of(value);
    double number = type == JSON_TYPE_INT || type == JSON_TYPE_REAL ? json_as_real(value) : 0.5;

    if (number >= range.min && number <= range.max && number == (double)(int)number)
        return (int)number;
    keys_fail(c, ST_INVALID, "%s must be a whole number from %d to %d", key, range.min, range.max);
    return range.min;
}

int keys_int(struct keys *c, const char *key, int fallback, struct range range)
{
    const struct json *value = get(c, key);

    return value ? whole(c, key, value, range) : fallback;
}

double keys_real(struct keys *c, const char *key, double fallback)
{
    const struct json *value = get(c, key);
    enum json_type type = json_type_of(value);

    if (!value)
        return fallback;
    if (type == JSON_TYPE_INT || type == JSON_TYPE_REAL)
        return json_as_real(value);
    keys_fail(c, ST_INVALID, "%s must be a number", key);
    return fallback;
}

bool keys_bool(struct keys *c, const char *key, bool fallback)
{
    const struct json *value = get(c, key);

    if (!value)
        return fallback;
    if (json_type_of(value) == JSON_TYPE_BOOL)
        return json_as_bool(value);
    keys_fail(c, ST_INVALID, "%s must be true or false", key);
    return fallback;
}

const char *keys_string(struct keys *c, const char *key, const char *fallback)
{
    const struct json *value = get(c, key);

    if (!value)
        return fallback;
    if (json_type_of(value) == JSON_TYPE_STRING)
        return json_as_string(value);
    keys_fail(c, ST_INVALID, "%s must be a string", key);
    return fallback;
}

void keys_ints_each(struct keys *c, const char *key, int *out, int count, int fallback,
                    struct range range)
{
    const struct json *value = get(c, key);
    bool list = json_type_of(value) == JSON_TYPE_ARRAY;

    if (list && json_size(value) != (size_t)count) {
        keys_fail(c, ST_INVALID, "%s has %zu numbers, there are %d blocks", key, json_size(value),
                  count);
        value = NULL;
    }
    for (int i = 0; i < count; i++) {
        const struct json *one = value && list ? json_at(value, (size_t)i) : value;
        out[i] = value ? whole(c, key, one, range) : fallback;
    }
}

void keys_ints(struct keys *c, const char *key, int *out, int *count, int count_max,
               struct range range)
{
    const struct json *value = get(c, key);
    size_t size = json_size(value);

    if (!value)
        return;
    if (json_type_of(value) != JSON_TYPE_ARRAY || size < 1 || size > (size_t)count_max) {
        keys_fail(c, ST_INVALID, "%s must be a list of 1 to %d numbers", key, count_max);
        return;
    }
    *count = (int)size;
    for (int i = 0; i < *count; i++)
        out[i] = whole(c, key, json_at(value, (size_t)i), range);
}

int keys_strings(struct keys *c, const char *key, const char **out, int count_max)
{
    const struct json *value = get(c, key);
    size_t size = json_size(value);

    if (!value)
        return -1;
    if (json_type_of(value) != JSON_TYPE_ARRAY || size > (size_t)count_max) {
        keys_fail(c, ST_INVALID, "%s must be a list of at most %d strings", key, count_max);
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        const struct json *one = json_at(value, i);
        bool string = json_type_of(one) == JSON_TYPE_STRING;
        if (!string)
            keys_fail(c, ST_INVALID, "%s must be a list of strings", key);
        out[i] = string ? json_as_string(one) : "";
    }
    return (int)size;
}

void keys_refuse(struct keys *c, const char *key, const char *unless)
{
    const struct json *value = get(c, key);
    enum json_type type = json_type_of(value);

    if (!value || (type == JSON_TYPE_BOOL && !json_as_bool(value)))
        return;
    if (type == JSON_TYPE_STRING && unless && !strcmp(json_as_string(value), unless))
        return;
    if (type == JSON_TYPE_STRING)
        keys_fail(c, ST_UNSUPPORTED, "%s \"%.80s\" is not supported", key, json_as_string(value));
    else
        keys_fail(c, ST_UNSUPPORTED, "%s is not supported", key);
}
