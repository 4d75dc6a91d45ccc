/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strict.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json *here(const struct strict *s)
{
    return s->st ? NULL : s->at[s->depth];
}

static const struct json *member(const struct strict *s, const char *key)
{
    return s->st ? NULL : json_get(here(s), key);
}

/* ---- opening ---- */

static enum status begin(struct strict *s, const char *name, struct why *why)
{
    struct why inner = {""};

    s->name = name;
    s->why = why;
    s->st = json_parse(&s->root, s->text, s->bytes, &inner);
    if (s->st) { /* the words begin with "line N " */
        int line = 1;

        sscanf(inner.text, "line %d", &line);
        return why_fail(why, s->st, "%s:%d: %s", name, line, inner.text);
    }
    s->at[0] = s->root;
    if (json_type_of(s->root) != JSON_TYPE_OBJECT)
        strict_fail(s, NULL, "this has to be an object: {...}");
    return s->st;
}

enum status strict_init(struct strict *s, const char *text, size_t bytes, const char *name,
                        struct why *why)
{
    *s = (struct strict){.st = ST_FULL};
    s->text = malloc(bytes + 1);
    if (!s->text)
        return why_fail(why, ST_FULL, "%s: no memory for %zu bytes", name, bytes);
    memcpy(s->text, text, bytes);
    s->text[bytes] = '\0';
    s->bytes = bytes;
    return begin(s, name, why);
}

/* *text is to be freed. */
static enum status read_text(FILE *file, const char *path, size_t bytes_max, struct strict *s,
                             struct why *why)
{
    s->text = malloc(bytes_max + 2);
    if (!s->text)
        return why_fail(why, ST_FULL, "%s: no memory for %zu bytes", path, bytes_max);
    errno = 0;
    s->bytes = fread(s->text, 1, bytes_max + 1, file);
    if (ferror(file))
        return why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
    if (s->bytes > bytes_max)
        return why_fail(why, ST_INVALID, "%s:1: the file is longer than %zu bytes", path,
                        bytes_max);
    s->text[s->bytes] = '\0';
    return ST_OK;
}

static enum status status_of(int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return ST_MISSING;
    return error == ENOMEM ? ST_FULL : ST_IO;
}

enum status strict_load(struct strict *s, const char *path, size_t bytes_max, struct why *why)
{
    FILE *file;
    enum status st;

    *s = (struct strict){.st = ST_IO};
    file = fopen(path, "rbe");
    if (!file)
        return why_fail(why, status_of(errno), "%s: %s", path, strerror(errno));
    st = read_text(file, path, bytes_max, s, why);
    fclose(file);
    s->st = st;
    return st ? st : begin(s, path, why);
}

void strict_reset(struct strict *s)
{
    if (s->root)
        json_close(&s->root);
    free(s->text);
    s->text = NULL;
}

/* ---- mistakes ---- */

/* Appends "/part" with '~' and '/' escaped; what does not fit is left out, so that the line is that
   of the closest thing around. */
static size_t append_part(char *path, size_t used, const char *part)
{
    size_t n = used;

    if (n + 1 < STRICT_PATH_MAX)
        path[n++] = '/';
    for (; *part; part++) {
        const char *as = *part == '~' ? "~0" : *part == '/' ? "~1" : NULL;
        size_t bytes = as ? 2 : 1;

        if (n + bytes >= STRICT_PATH_MAX) {
            n = used;
            break;
        }
        memcpy(path + n, as ? as : part, bytes);
        n += bytes;
    }
    path[n] = '\0';
    return n;
}

void strict_fail(struct strict *s, const char *key, const char *format, ...)
{
    struct why inner = {""};
    size_t used = strlen(s->path);
    va_list args;
    int line;

    if (s->st)
        return;
    va_start(args, format);
    vsnprintf(inner.text, sizeof(inner.text), format, args);
    va_end(args);
    if (key)
        append_part(s->path, used, key);
    line = json_line_of(s->text, s->bytes, s->path);
    s->path[used] = '\0';
    s->st = why_fail(s->why, ST_INVALID, "%s:%d: %s", s->name, line, inner.text);
}

static bool has_name(const char *names, const char *name)
{
    size_t bytes = strlen(name);

    while (*names) {
        size_t length = strcspn(names, " ");

        if (length == bytes && !memcmp(names, name, bytes))
            return true;
        names += length + strspn(names + length, " ");
    }
    return false;
}

void strict_keys(struct strict *s, const char *names)
{
    const char *name;

    for (int i = 0; (name = strict_key_at(s, i)); i++) {
        if (!has_name(names, name))
            strict_fail(s, name, "there is no key '%.64s' here; there are: %s", name, names);
    }
}

/* ---- moving ---- */

bool strict_has(const struct strict *s, const char *key)
{
    return json_type_of(member(s, key)) != JSON_TYPE_NULL;
}

bool strict_says(const struct strict *s, const char *key)
{
    return member(s, key) != NULL;
}

static bool enter(struct strict *s, const char *part, const struct json *value)
{
    assert(s->depth < STRICT_DEPTH_MAX); /* our own code nests so deep, not the file */
    s->path_bytes[s->depth] = strlen(s->path);
    append_part(s->path, s->path_bytes[s->depth], part);
    s->at[++s->depth] = value;
    return true;
}

static bool enter_type(struct strict *s, const char *key, enum json_type type, const char *what)
{
    const struct json *value = member(s, key);

    if (json_type_of(value) == type)
        return enter(s, key, value);
    if (json_type_of(value) != JSON_TYPE_NULL)
        strict_fail(s, key, "'%.64s' has to be %s", key, what);
    return false;
}

bool strict_enter(struct strict *s, const char *key)
{
    return enter_type(s, key, JSON_TYPE_OBJECT, "an object: {...}");
}

bool strict_enter_list(struct strict *s, const char *key)
{
    return enter_type(s, key, JSON_TYPE_ARRAY, "a list: [...]");
}

bool strict_enter_at(struct strict *s, int index)
{
    const struct json *value = s->st ? NULL : json_at(here(s), (size_t)index);
    char part[16];

    if (!value)
        return false;
    snprintf(part, sizeof(part), "%d", index);
    if (json_type_of(value) == JSON_TYPE_OBJECT)
        return enter(s, part, value);
    strict_fail(s, part, "element %d has to be an object: {...}", index + 1);
    return false;
}

void strict_leave(struct strict *s)
{
    assert(s->depth > 0);
    s->path[s->path_bytes[--s->depth]] = '\0';
}

int strict_count(const struct strict *s)
{
    return (int)json_size(here(s));
}

const char *strict_key_at(const struct strict *s, int index)
{
    const struct json *object = here(s), *value;
    const char *key;
    void *iter = NULL;

    if (json_type_of(object) != JSON_TYPE_OBJECT)
        return NULL;
    while (json_next(object, &iter, &key, &value)) {
        if (index-- == 0)
            return key;
    }
    return NULL;
}

/* ---- values ---- */

/* NULL when it is not there, which is a failure if it is needed. */
static const struct json *value_of(struct strict *s, const char *key, bool needed)
{
    const struct json *value = member(s, key);

    if (json_type_of(value) != JSON_TYPE_NULL)
        return value;
    if (needed)
        strict_fail(s, key, "'%s' is needed here", key);
    return NULL;
}

int strict_int(struct strict *s, const char *key, int low, int high, int otherwise)
{
    const struct json *value = value_of(s, key, otherwise == STRICT_NEEDED);
    int64_t number;

    if (!value)
        return otherwise == STRICT_NEEDED ? 0 : otherwise;
    number = json_type_of(value) == JSON_TYPE_INT ? json_as_int(value) : (int64_t)low - 1;
    if (number >= low && number <= high)
        return (int)number;
    strict_fail(s, key, "'%s' has to be a whole number from %d to %d", key, low, high);
    return 0;
}

static double real_of(struct strict *s, const char *key, const struct json *value, double low,
                      double high)
{
    bool is_number = json_type_of(value) == JSON_TYPE_INT || json_type_of(value) == JSON_TYPE_REAL;
    double number = is_number ? json_as_real(value) : 0;

    if (is_number && number >= low && number <= high)
        return number;
    strict_fail(s, key, "'%s' has to be a number from %g to %g", key, low, high);
    return 0;
}

double strict_real(struct strict *s, const char *key, double low, double high, double otherwise)
{
    bool needed = otherwise == (double)STRICT_NEEDED;
    const struct json *value = value_of(s, key, needed);

    if (!value)
        return needed ? 0 : otherwise;
    return real_of(s, key, value, low, high);
}

double strict_real_at(struct strict *s, int index, double low, double high)
{
    const struct json *value = s->st ? NULL : json_at(here(s), (size_t)index);
    char part[16];

    snprintf(part, sizeof(part), "%d", index);
    return value ? real_of(s, part, value, low, high) : 0;
}

bool strict_bool(struct strict *s, const char *key, bool otherwise)
{
    const struct json *value = value_of(s, key, false);

    if (!value)
        return otherwise;
    if (json_type_of(value) == JSON_TYPE_BOOL)
        return json_as_bool(value);
    strict_fail(s, key, "'%s' has to be true or false", key);
    return otherwise;
}

static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    }
    return true;
}

static const char *text_of(struct strict *s, const char *key, const struct json *value,
                           size_t bytes_max)
{
    if (json_type_of(value) == JSON_TYPE_STRING && json_string_bytes(value) > 0 &&
        json_string_bytes(value) <= bytes_max && is_plain(json_as_string(value)))
        return json_as_string(value);
    strict_fail(s, key, "'%s' has to be a text of 1 to %zu bytes without control characters", key,
                bytes_max);
    return NULL;
}

const char *strict_text(struct strict *s, const char *key, size_t bytes_max, bool needed)
{
    const struct json *value = value_of(s, key, needed);

    return value ? text_of(s, key, value, bytes_max) : NULL;
}

const char *strict_text_at(struct strict *s, int index, size_t bytes_max)
{
    const struct json *value = s->st ? NULL : json_at(here(s), (size_t)index);
    char part[16];

    snprintf(part, sizeof(part), "%d", index);
    return value ? text_of(s, part, value, bytes_max) : NULL;
}

int strict_word(struct strict *s, const char *key, const char *const *words, int otherwise)
{
    const struct json *value = value_of(s, key, otherwise == STRICT_NEEDED);
    char list[160] = "";
    size_t used = 0;

    if (!value)
        return otherwise == STRICT_NEEDED ? 0 : otherwise;
    for (int i = 0; words[i]; i++) {
        if (json_type_of(value) == JSON_TYPE_STRING && !strcmp(json_as_string(value), words[i]))
            return i;
        if (used < sizeof(list))
            used +=
                (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
    }
    strict_fail(s, key, "'%s' has to be one of: %s", key, list);
    return 0;
}
