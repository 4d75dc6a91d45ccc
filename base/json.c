/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <jansson.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Memory of a parse. Jansson's scanner does not look whether its token buffer could grow: without
 * memory it drops characters, trips over its own asserts or reads past the end. So the allocator
 * it is given never returns NULL while it parses: it jumps back here, and all blocks that this
 * parse took are freed. Jansson's hooks carry no context, hence the thread's pointer.
 */
struct block {
    struct block *before, *after; /* only while parsing; 16 bytes keep malloc's alignment */
};

struct guard {
    jmp_buf out_of_memory;
    struct block *newest;
};

static _Thread_local struct guard *guard; /* NULL: this thread is not parsing */

static void *guest_malloc(size_t bytes)
{
    struct block *block = bytes < SIZE_MAX - sizeof(*block) ? malloc(sizeof(*block) + bytes) : NULL;

    if (!block && guard)
        longjmp(guard->out_of_memory, 1);
    if (!block)
        return NULL;
    *block = (struct block){0};
    if (guard) {
        block->before = guard->newest;
        if (guard->newest)
            guard->newest->after = block;
        guard->newest = block;
    }
    return block + 1;
}

static void guest_free(void *p)
{
    struct block *block = p;

    if (!block)
        return;
    block--;
    if (guard) {
        if (block->after)
            block->after->before = block->before;
        else
            guard->newest = block->before;
        if (block->before)
            block->before->after = block->after;
    }
    free(block);
}

static void guest_free_all(struct guard *g)
{
    while (g->newest) {
        struct block *before = g->newest->before;

        free(g->newest);
        g->newest = before;
    }
}

static void guest_init(void)
{
    json_set_alloc_funcs(guest_malloc, guest_free);
}

/* Its own function, so that no local variable lives across the jump. */
static json_t *guarded_load(struct guard *g, const char *text, size_t bytes, json_error_t *error)
{
    json_t *root = NULL;

    guard = g;
    if (setjmp(g->out_of_memory) == 0) {
        root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
        guard = NULL;
        return root;
    }
    guard = NULL;
    guest_free_all(g);
    return NULL;
}

/* Where the first bracket stands that goes deeper than JSON_DEPTH_MAX; `bytes` when none does.
   Jansson recurses, so depth is judged before it sees the text. Text that is not JSON may be
   misjudged only behind the place where Jansson stops. */
static size_t too_deep_at(const char *text, size_t bytes)
{
    bool quoted = false;
    size_t depth = 0;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return bytes;
}

/* Lines and columns count from 1, columns in characters, as Jansson counts them. */
static enum status fail_too_deep(const char *text, size_t at, struct why *why)
{
    size_t line = 1, column = 1;

    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if ((text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return why_fail(why, ST_INVALID, "line %zu column %zu: nested deeper than %d", line, column,
                    JSON_DEPTH_MAX);
}

enum status json_parse(struct json **out, const char *text, size_t bytes, struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct guard g = {0};
    json_error_t error = {.line = -1};
    size_t deep = too_deep_at(text, bytes);
    json_t *root;

    *out = NULL;
    if (deep < bytes)
        return fail_too_deep(text, deep, why);
    pthread_once(&once, guest_init);
    root = guarded_load(&g, bytes ? text : "", bytes, &error);
    if (!root && !error.text[0])
        return why_fail(why, ST_FULL, "no memory for a document of %zu bytes", bytes);
    if (!root)
        return why_fail(why, ST_INVALID, "line %d column %d: %s", error.line, error.column,
                        error.text);
    *out = (struct json *)root;
    return ST_OK;
}

static enum status read_all(int fd, char *to, size_t bytes, size_t *got)
{
    *got = 0;
    while (*got < bytes) {
        ssize_t n = read(fd, to + *got, bytes - *got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ST_IO;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return ST_OK;
}

/* The text of an open file, to be freed; *text is NULL unless ST_OK. */
static enum status read_file(int fd, size_t bytes_max, char **text, size_t *bytes, struct why *why)
{
    struct stat about;
    enum status st;

    *text = NULL;
    if (fstat(fd, &about) != 0)
        return why_fail(why, ST_IO, "%s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return why_fail(why, ST_INVALID, "not a regular file");
    if ((uintmax_t)about.st_size > bytes_max)
        return why_fail(why, ST_INVALID, "%jd bytes, at most %zu are read", (intmax_t)about.st_size,
                        bytes_max);
    *text = malloc((size_t)about.st_size + 1);
    if (!*text)
        return why_fail(why, ST_FULL, "no memory for %jd bytes", (intmax_t)about.st_size);
    st = read_all(fd, *text, (size_t)about.st_size, bytes);
    if (!st)
        return ST_OK;
    free(*text);
    *text = NULL;
    return why_fail(why, st, "%s", strerror(errno));
}

enum status json_load(struct json **out, const char *path, size_t bytes_max, struct why *why)
{
    struct why inner = {0};
    char *text = NULL;
    size_t bytes = 0;
    enum status st;
    int fd;

    *out = NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO in a model folder must not hang */
    if (fd < 0)
        return why_fail(why, errno == ENOENT || errno == ENOTDIR ? ST_MISSING : ST_IO, "%s: %s",
                        path, strerror(errno));
    st = read_file(fd, bytes_max, &text, &bytes, &inner);
    close(fd);
    if (!st)
        st = json_parse(out, text, bytes, &inner);
    free(text);
    return st ? why_fail(why, st, "%s: %s", path, inner.text) : ST_OK;
}

void json_close(struct json **root)
{
    json_decref((json_t *)*root);
    *root = NULL;
}

enum json_type json_type_of(const struct json *value)
{
    if (!value)
        return JSON_TYPE_NULL;
    switch (json_typeof((const json_t *)value)) {
    case JSON_OBJECT:
        return JSON_TYPE_OBJECT;
    case JSON_ARRAY:
        return JSON_TYPE_ARRAY;
    case JSON_STRING:
        return JSON_TYPE_STRING;
    case JSON_INTEGER:
        return JSON_TYPE_INT;
    case JSON_REAL:
        return JSON_TYPE_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_TYPE_BOOL;
    case JSON_NULL:
        break;
    }
    return JSON_TYPE_NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)json_object_get((const json_t *)object, key);
}

size_t json_size(const struct json *value)
{
    const json_t *v = (const json_t *)value;

    return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

const struct json *json_at(const struct json *array, size_t index)
{
    return (const struct json *)json_array_get((const json_t *)array, index);
}

bool json_next(const struct json *object, void **iter, const char **key, const struct json **value)
{
    /* Iterating changes nothing; Jansson only lacks the const. */
    json_t *o = (json_t *)(uintptr_t)object;

    *iter = *iter ? json_object_iter_next(o, *iter) : json_object_iter(o);
    if (!*iter)
        return false;
    *key = json_object_iter_key(*iter);
    *value = (const struct json *)json_object_iter_value(*iter);
    return true;
}

/* *value is NULL when the member is absent or null. */
static enum status find(const struct json *object, const char *key, const struct json **value,
                        struct why *why)
{
    *value = NULL;
    if (!object)
        return ST_OK;
    if (json_type_of(object) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "'%s' is looked for in what is not an object", key);
    *value = json_get(object, key);
    if (json_type_of(*value) == JSON_TYPE_NULL)
        *value = NULL;
    return ST_OK;
}

enum status json_get_bool(const struct json *object, const char *key, bool *out, struct why *why)
{
    const struct json *value;
    enum status st = find(object, key, &value, why);

    if (st || !value)
        return st;
    if (json_type_of(value) != JSON_TYPE_BOOL)
        return why_fail(why, ST_INVALID, "'%s' must be true or false", key);
    *out = json_as_bool(value);
    return ST_OK;
}

enum status json_get_int(const struct json *object, const char *key, int64_t *out, struct why *why)
{
    const struct json *value;
    enum status st = find(object, key, &value, why);

    if (st || !value)
        return st;
    if (json_type_of(value) != JSON_TYPE_INT)
        return why_fail(why, ST_INVALID, "'%s' must be an integer", key);
    *out = json_as_int(value);
    return ST_OK;
}

enum status json_get_real(const struct json *object, const char *key, double *out, struct why *why)
{
    const struct json *value;
    enum status st = find(object, key, &value, why);

    if (st || !value)
        return st;
    if (!json_is_number((const json_t *)value))
        return why_fail(why, ST_INVALID, "'%s' must be a number", key);
    *out = json_as_real(value);
    return ST_OK;
}

enum status json_get_string(const struct json *object, const char *key, const char **out,
                            struct why *why)
{
    const struct json *value;
    enum status st = find(object, key, &value, why);

    if (st || !value)
        return st;
    if (json_type_of(value) != JSON_TYPE_STRING)
        return why_fail(why, ST_INVALID, "'%s' must be a string", key);
    *out = json_as_string(value);
    return ST_OK;
}

bool json_as_bool(const struct json *value)
{
    assert(json_type_of(value) == JSON_TYPE_BOOL);
    return json_is_true((const json_t *)value);
}

int64_t json_as_int(const struct json *value)
{
    assert(json_type_of(value) == JSON_TYPE_INT);
    return json_integer_value((const json_t *)value);
}

double json_as_real(const struct json *value)
{
    assert(json_is_number((const json_t *)value));
    return json_number_value((const json_t *)value);
}

const char *json_as_string(const struct json *value)
{
    assert(json_type_of(value) == JSON_TYPE_STRING);
    return json_string_value((const json_t *)value);
}

size_t json_string_bytes(const struct json *value)
{
    assert(json_type_of(value) == JSON_TYPE_STRING);
    return json_string_length((const json_t *)value);
}
