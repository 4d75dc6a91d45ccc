/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/mix.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define SEED_MAX   9007199254740991 /* what the API takes: 2^53 - 1 */
#define PROMPT     "red apple, flat fluent style emoji"

enum kind_of_field {
    FIELD_TEXT,
    FIELD_WORD, /* a text that may stand in a trace or a header */
    FIELD_INT,
    FIELD_REAL,
};

/* What a kind may say, by the name it has in both forms. */
struct field {
    const char *name;
    enum kind_of_field kind;
    size_t at, bytes; /* in struct mix_kind */
    double low, high;
};

#define TEXT(name, kind)                                                                           \
    {                                                                                              \
#name, kind, offsetof(struct mix_kind, name), sizeof(((struct mix_kind *)0)->name), 0, 0   \
    }
#define NUMBER(name, member, kind, low, high)                                                      \
    {                                                                                              \
        name, kind, offsetof(struct mix_kind, member), sizeof(((struct mix_kind *)0)->member),     \
            low, high                                                                              \
    }

static const struct field fields[] = {
    TEXT(name, FIELD_WORD),
    TEXT(model, FIELD_TEXT),
    TEXT(prompt, FIELD_TEXT),
    TEXT(negative, FIELD_TEXT),
    TEXT(size, FIELD_WORD),
    TEXT(sampler, FIELD_WORD),
    TEXT(format, FIELD_WORD),
    TEXT(priority, FIELD_WORD),
    TEXT(key_env, FIELD_WORD),
    NUMBER("weight", weight, FIELD_REAL, 0, 1e6),
    NUMBER("guidance", guidance, FIELD_REAL, 0, 1000),
    NUMBER("steps", steps, FIELD_INT, 1, 100000),
    NUMBER("n", images, FIELD_INT, 1, 1000),
    NUMBER("seed", seed, FIELD_INT, 0, SEED_MAX),
    NUMBER("deadline_ms", deadline_ms, FIELD_INT, 1, MIX_DEADLINE_MS),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static const struct mix_kind silent = {
    .weight = 1, .steps = -1, .images = -1, .seed = -1, .guidance = -1};

static const struct field *field_of(const char *name, size_t bytes)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strlen(fields[i].name) == bytes && !memcmp(fields[i].name, name, bytes))
            return &fields[i];
    }
    return NULL;
}

static enum status set_text(struct mix_kind *kind, const struct field *f, const char *text,
                            size_t bytes, struct why *why)
{
    char *out = (char *)kind + f->at;

    if (bytes == 0 || bytes >= f->bytes)
        return why_fail(why, ST_INVALID, "%s takes 1 to %zu bytes", f->name, f->bytes - 1);
    if (f->kind == FIELD_WORD && strspn(text, WORD_CHARS) < bytes)
        return why_fail(why, ST_INVALID, "%s takes letters, digits, '.', '_', '-'", f->name);
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return ST_OK;
}

static enum status set_number(struct mix_kind *kind, const struct field *f, double value,
                              struct why *why)
{
    char *out = (char *)kind + f->at;
    bool whole = f->kind == FIELD_REAL || value == floor(value);

    if (!isfinite(value) || value < f->low || value > f->high || !whole)
        return why_fail(why, ST_INVALID, "%s takes %s from %.0f to %.0f", f->name,
                        f->kind == FIELD_INT ? "integers" : "numbers", f->low, f->high);
    if (f->kind == FIELD_INT)
        *(int64_t *)(void *)out = (int64_t)value; /* below 2^53: every integer has its double */
    else
        *(double *)(void *)out = value;
    return ST_OK;
}

/* The kind is whole: has it a name, and one of its own? */
static enum status put(struct mix *m, struct mix_kind *kind, struct why *why)
{
    if (m->count == MIX_KINDS_MAX)
        return why_fail(why, ST_INVALID, "there may be %d kinds of requests", MIX_KINDS_MAX);
    if (!kind->name[0])
        snprintf(kind->name, sizeof(kind->name), "kind%d", m->count + 1);
    if (mix_find(m, kind->name, strlen(kind->name)) >= 0)
        return why_fail(why, ST_INVALID, "two kinds of requests are called %s", kind->name);
    m->kind[m->count++] = *kind;
    return ST_OK;
}

/* ---- from text ---- */

static enum status set_from_text(struct mix_kind *kind, const char *text, size_t bytes,
                                 struct why *why)
{
    const char *equals = memchr(text, '=', bytes), *value;
    const struct field *f;
    double number;
    char *end;

    if (!equals)
        return why_fail(why, ST_INVALID, "'%.*s' is not FIELD=VALUE", (int)bytes, text);
    f = field_of(text, (size_t)(equals - text));
    if (!f)
        return why_fail(why, ST_INVALID, "no field is called '%.*s'", (int)(equals - text), text);
    value = equals + 1;
    bytes -= (size_t)(value - text);
    if (f->kind == FIELD_TEXT || f->kind == FIELD_WORD)
        return set_text(kind, f, value, bytes, why);
    number = strtod(value, &end);
    if (bytes == 0 || end != value + bytes || strspn(value, "0123456789.") < bytes)
        return why_fail(why, ST_INVALID, "%s takes a number, not '%.*s'", f->name, (int)bytes,
                        value);
    return set_number(kind, f, number, why);
}

enum status mix_add(struct mix *m, const char *text, struct why *why)
{
    struct mix_kind kind = silent;

    for (;;) {
        size_t bytes = strcspn(text, ",");
        enum status st = set_from_text(&kind, text, bytes, why);

        if (st)
            return st;
        if (!text[bytes])
            return put(m, &kind, why);
        text += bytes + 1;
    }
}

/* ---- from JSON ---- */

static enum status set_from_json(struct mix_kind *kind, const char *key, const struct json *value,
                                 struct why *why)
{
    const struct field *f = field_of(key, strlen(key));
    enum json_type type = json_type_of(value);

    if (!f)
        return why_fail(why, ST_INVALID, "no field is called '%.64s'", key);
    if (f->kind == FIELD_TEXT || f->kind == FIELD_WORD) {
        if (type != JSON_TYPE_STRING)
            return why_fail(why, ST_INVALID, "%s must be a string", f->name);
        return set_text(kind, f, json_as_string(value), json_string_bytes(value), why);
    }
    if (type != JSON_TYPE_INT && type != JSON_TYPE_REAL)
        return why_fail(why, ST_INVALID, "%s must be a number", f->name);
    return set_number(kind, f, json_as_real(value), why);
}

static enum status read_kind(struct mix *m, const struct json *object, struct why *why)
{
    struct mix_kind kind = silent;
    const struct json *value;
    const char *key;
    void *iter = NULL;

    if (json_type_of(object) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "it must be an object");
    while (json_next(object, &iter, &key, &value)) {
        enum status st = set_from_json(&kind, key, value, why);

        if (st)
            return st;
    }
    return put(m, &kind, why);
}

static enum status read_kinds(struct mix *m, const struct json *root, struct why *why)
{
    const struct json *kinds = json_get(root, "kinds");

    if (json_type_of(kinds) != JSON_TYPE_ARRAY || json_size(root) != 1)
        return why_fail(why, ST_INVALID, "a mix is {\"kinds\": [...]} and nothing else");
    for (size_t i = 0; i < json_size(kinds); i++) {
        struct why inner = {""};
        enum status st = read_kind(m, json_at(kinds, i), &inner);

        if (st)
            return why_fail(why, st, "kind %zu: %.400s", i + 1, inner.text);
    }
    return ST_OK;
}

static enum status take(struct mix *m, struct json *root, struct why *why)
{
    int before = m->count;
    enum status st;

    if (json_type_of(root) == JSON_TYPE_OBJECT)
        st = read_kinds(m, root, why);
    else
        st = why_fail(why, ST_INVALID, "a mix is an object");
    if (st)
        m->count = before;
    json_close(&root);
    return st;
}

enum status mix_parse(struct mix *m, const char *text, size_t bytes, struct why *why)
{
    struct json *root;
    enum status st = json_parse(&root, text, bytes, why);

    return st ? st : take(m, root, why);
}

enum status mix_load(struct mix *m, const char *path, struct why *why)
{
    struct json *root;
    struct why inner = {""};
    enum status st = json_load(&root, path, MIX_FILE_MAX, why);

    if (st)
        return st;
    st = take(m, root, &inner);
    return st ? why_fail(why, st, "%.100s: %.400s", path, inner.text) : ST_OK;
}

/* ---- using it ---- */

static double weight_of(const struct mix *m)
{
    double sum = 0;

    for (int i = 0; i < m->count; i++)
        sum += m->kind[i].weight;
    return sum;
}

enum status mix_complete(struct mix *m, int64_t deadline_ms, const char *key_env, struct why *why)
{
    if (m->count == 0) {
        m->kind[0] = silent;
        snprintf(m->kind[0].name, sizeof(m->kind[0].name), "default");
        m->count = 1;
    }
    for (int i = 0; i < m->count; i++) {
        struct mix_kind *kind = &m->kind[i];

        if (!kind->prompt[0])
            snprintf(kind->prompt, sizeof(kind->prompt), "%s", PROMPT);
        if (!kind->deadline_ms)
            kind->deadline_ms = deadline_ms;
        if (!kind->key_env[0])
            snprintf(kind->key_env, sizeof(kind->key_env), "%s", key_env);
    }
    if (weight_of(m) <= 0)
        return why_fail(why, ST_INVALID, "no kind of request has a weight above 0");
    return ST_OK;
}

int mix_find(const struct mix *m, const char *name, size_t bytes)
{
    for (int i = 0; i < m->count; i++) {
        if (strlen(m->kind[i].name) == bytes && !memcmp(m->kind[i].name, name, bytes))
            return i;
    }
    return -1;
}

int mix_draw(const struct mix *m, double number)
{
    double rest = number * weight_of(m);
    int last = 0;

    assert(number >= 0 && number < 1);
    for (int i = 0; i < m->count; i++) {
        if (m->kind[i].weight <= 0)
            continue;
        last = i;
        if (rest < m->kind[i].weight)
            return i;
        rest -= m->kind[i].weight;
    }
    return last; /* rounding ate the rest */
}

void mix_body(struct json_out *o, const struct mix_kind *kind, uint64_t seed)
{
    json_out_object(o, NULL);
    json_out_string(o, "prompt", kind->prompt);
    if (kind->model[0])
        json_out_string(o, "model", kind->model);
    if (kind->negative[0])
        json_out_string(o, "negative_prompt", kind->negative);
    if (kind->size[0])
        json_out_string(o, "size", kind->size);
    if (kind->sampler[0])
        json_out_string(o, "sampler", kind->sampler);
    if (kind->format[0])
        json_out_string(o, "output_format", kind->format);
    if (kind->priority[0])
        json_out_string(o, "priority", kind->priority);
    if (kind->steps >= 0)
        json_out_int(o, "num_inference_steps", kind->steps);
    if (kind->images >= 0)
        json_out_int(o, "n", kind->images);
    if (kind->guidance >= 0)
        json_out_real(o, "guidance_scale", kind->guidance);
    json_out_int(o, "seed", kind->seed >= 0 ? kind->seed : (int64_t)seed);
    json_out_object_end(o);
}
