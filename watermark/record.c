/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading is writing backwards: what was read is written again, and has to be the same bytes. So
 * order, blanks, doubled or unknown keys, and every other way to say the same thing are refused by
 * one comparison, and only values need a look of their own.
 */
#include "watermark/record.h"

#include "base/crypto.h"
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VERSION    1
#define ID_DIGITS  16
#define KEY_DIGITS 8

static const char *const kinds[RECORD_KINDS] = {
    "embed", "verify", "detect",    "read",     "export", "key",
    "erase", "config", "retention", "override", "start",  "clock",
};

const char *record_kind_name(enum record_kind kind)
{
    assert(kind >= 0 && kind < RECORD_KINDS);
    return kinds[kind];
}

bool record_kind_of(enum record_kind *out, const char *name)
{
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        if (!strcmp(name, kinds[kind])) {
            *out = (enum record_kind)kind;
            return true;
        }
    return false;
}

static bool printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

void record_text(char *out, size_t size, const char *text)
{
    size_t n = 0;

    assert(size > 0);
    for (; text[n] && n + 1 < size; n++)
        out[n] = text[n];
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!printable(out[i]))
            out[i] = '?';
}

/* ---- writing ---- */

struct writer {
    char *out; /* RECORD_BYTES_MAX + 1 */
    size_t bytes;
    enum status st; /* the first failure */
    struct why *why;
};

static void add(struct writer *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct writer *w, const char *format, ...)
{
    size_t room = RECORD_BYTES_MAX + 1 - w->bytes;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(w->out + w->bytes, room, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < room && "the largest record fits");
    w->bytes += (size_t)n;
}

/* The name of a member, which in an object is not always the first. */
static void name(struct writer *w, const char *key)
{
    add(w, "%s\"%s\":", w->out[w->bytes - 1] == '{' ? "" : ",", key);
}

static void fail(struct writer *w, const char *key, const char *is)
{
    if (!w->st)
        w->st = why_fail(w->why, ST_INVALID, "a record's %s %s", key, is);
}

/* Quoted; quote and backslash with a backslash before them. Empty: left out. */
static void text(struct writer *w, const char *key, const char *value, size_t size)
{
    size_t n = strnlen(value, size);

    if (n == size)
        fail(w, key, "does not end");
    if (!n || w->st)
        return;
    name(w, key);
    w->out[w->bytes++] = '"';
    for (size_t i = 0; i < n; i++) {
        if (!printable(value[i]))
            fail(w, key, "holds something else than printable ASCII");
        if (value[i] == '"' || value[i] == '\\')
            w->out[w->bytes++] = '\\';
        w->out[w->bytes++] = value[i];
    }
    add(w, "\"");
}

/* Lower-case hexadecimal of exactly so many digits. Empty: left out. */
static void hex(struct writer *w, const char *key, const char *value, size_t digits)
{
    if (!*value)
        return;
    if (strnlen(value, digits + 1) != digits || strspn(value, "0123456789abcdef") != digits)
        fail(w, key, "is not lower-case hexadecimal of the right length");
    else
        text(w, key, value, digits + 1);
}

static void number(struct writer *w, const char *key, int64_t value, int64_t low, int64_t high)
{
    if (value < low || value > high)
        fail(w, key, "is out of its range");
    name(w, key);
    add(w, "%" PRId64, value);
}

/* 0: left out. */
static void count(struct writer *w, const char *key, int64_t value, int64_t high)
{
    if (value)
        number(w, key, value, 1, high);
}

static void add_mark(struct writer *w, const struct record_mark *m)
{
    if (!m->alg[0])
        return;
    name(w, "mark");
    add(w, "{");
    text(w, "alg", m->alg, sizeof(m->alg));
    add(w, ",\"key\":\"%08" PRIx32 "\"", m->key);
    number(w, "psnr", m->psnr, INT_MIN, INT_MAX);
    number(w, "strength", m->strength, INT_MIN, INT_MAX);
    number(w, "z", m->z, INT_MIN, INT_MAX);
    text(w, "verdict", m->verdict, sizeof(m->verdict));
    add(w, ",\"weak\":%s}", m->weak ? "true" : "false");
}

static void add_parents(struct writer *w, const struct record *r)
{
    if (r->parent_count < 0 || r->parent_count > RECORD_PARENTS_MAX)
        fail(w, "parents", "are too many");
    if (!r->parent_count || w->st)
        return;
    add(w, ",\"parents\":[");
    for (int i = 0; i < r->parent_count; i++)
        add(w, "%s\"%016" PRIx64 "\"", i ? "," : "", r->parents[i]);
    add(w, "]");
}

static void add_picture(struct writer *w, const struct record *r)
{
    char print[2 * sizeof(r->fingerprint) + 1];

    if (r->has_id)
        add(w, ",\"id\":\"%016" PRIx64 "\"", r->id);
    hex(w, "sha256", r->sha256, RECORD_HASH_MAX - 1);
    hex(w, "pixels_sha256", r->pixels_sha256, RECORD_HASH_MAX - 1);
    hex(w, "unmarked_sha256", r->unmarked_sha256, RECORD_HASH_MAX - 1);
    crypto_hex(print, r->fingerprint, sizeof(r->fingerprint));
    if (r->has_fingerprint)
        add(w, ",\"fingerprint\":\"%s\"", print);
    count(w, "width", r->width, RECORD_SIDE_MAX);
    count(w, "height", r->height, RECORD_SIDE_MAX);
    text(w, "format", r->format, sizeof(r->format));
    count(w, "quality", r->quality, 100);
    text(w, "model", r->model, sizeof(r->model));
    hex(w, "weights_sha256", r->weights_sha256, RECORD_HASH_MAX - 1);
    text(w, "system", r->system, sizeof(r->system));
    add_mark(w, &r->mark);
    text(w, "manifest", r->manifest, sizeof(r->manifest));
    hex(w, "manifest_sha256", r->manifest_sha256, RECORD_HASH_MAX - 1);
}

enum status record_write(char out[RECORD_BYTES_MAX + 1], size_t *bytes, const struct record *r,
                         struct why *why)
{
    struct writer w = {.out = out, .why = why};

    assert(r->kind >= 0 && r->kind < RECORD_KINDS);
    add(&w, "{\"v\":%d", VERSION);
    number(&w, "index", r->index, 0, INT64_MAX);
    number(&w, "time_ns", r->time_ns, 0, INT64_MAX);
    number(&w, "seq", r->seq, 0, INT64_MAX);
    add(&w, ",\"kind\":\"%s\"", kinds[r->kind]);
    add_picture(&w, r);
    text(&w, "request", r->request, sizeof(r->request));
    text(&w, "endpoint", r->endpoint, sizeof(r->endpoint));
    hex(&w, "tenant", r->tenant, sizeof(r->tenant) - 1);
    text(&w, "decision", r->decision, sizeof(r->decision));
    count(&w, "policy_version", r->policy_version, INT_MAX);
    add_parents(&w, r);
    hex(&w, "commitment", r->commitment, RECORD_HASH_MAX - 1);
    text(&w, "note", r->note, sizeof(r->note));
    add(&w, "}");
    *bytes = w.st ? 0 : w.bytes;
    return w.st;
}

/* ---- reading ---- */

struct reader {
    const struct json *at; /* an object */
    enum status st;        /* the first failure */
    struct why *why;
};

static void refuse(struct reader *d, const char *key)
{
    if (!d->st)
        d->st = why_fail(d->why, ST_INVALID, "the record's %s is none", key);
}

/* Left as it was, which is empty, when it is absent. */
static void read_text(struct reader *d, const char *key, char *out, size_t size)
{
    const char *value = NULL;

    if (!d->st)
        d->st = json_get_string(d->at, key, &value, d->why);
    if (d->st || !value)
        return;
    if (strlen(value) >= size)
        refuse(d, key);
    else
        memcpy(out, value, strlen(value) + 1);
}

static bool read_hex(struct reader *d, const char *key, void *out, size_t bytes)
{
    const char *value = NULL;

    if (!d->st)
        d->st = json_get_string(d->at, key, &value, d->why);
    if (d->st || !value)
        return false;
    if (!crypto_unhex(out, bytes, value, strlen(value)))
        refuse(d, key);
    return !d->st;
}

static uint64_t big_endian(const uint8_t *b, int bytes)
{
    uint64_t n = 0;

    for (int i = 0; i < bytes; i++)
        n = n << 8 | b[i];
    return n;
}

static int64_t read_number(struct reader *d, const char *key)
{
    int64_t n = 0;

    if (!d->st)
        d->st = json_get_int(d->at, key, &n, d->why);
    return n;
}

static int read_small(struct reader *d, const char *key)
{
    int64_t n = read_number(d, key);

    if (n < INT_MIN || n > INT_MAX)
        refuse(d, key);
    return d->st ? 0 : (int)n;
}

static void read_mark(struct reader *d, struct record_mark *m)
{
    const struct json *at = d->at, *mark = json_get(at, "mark");
    uint8_t key[KEY_DIGITS / 2] = {0};

    if (!mark || d->st)
        return;
    if (json_type_of(mark) != JSON_TYPE_OBJECT) {
        refuse(d, "mark");
        return;
    }
    d->at = mark;
    read_text(d, "alg", m->alg, sizeof(m->alg));
    read_hex(d, "key", key, sizeof(key));
    m->key = (uint32_t)big_endian(key, sizeof(key));
    m->psnr = read_small(d, "psnr");
    m->strength = read_small(d, "strength");
    m->z = read_small(d, "z");
    read_text(d, "verdict", m->verdict, sizeof(m->verdict));
    if (!d->st)
        d->st = json_get_bool(mark, "weak", &m->weak, d->why);
    d->at = at;
}

static void read_parents(struct reader *d, struct record *r)
{
    const struct json *list = json_get(d->at, "parents");
    size_t size = json_size(list);

    if (!list || d->st)
        return;
    if (json_type_of(list) != JSON_TYPE_ARRAY || size > RECORD_PARENTS_MAX) {
        refuse(d, "parents");
        return;
    }
    for (size_t i = 0; i < size && !d->st; i++) {
        const struct json *id = json_at(list, i);
        uint8_t bytes[ID_DIGITS / 2];

        if (json_type_of(id) != JSON_TYPE_STRING ||
            !crypto_unhex(bytes, sizeof(bytes), json_as_string(id), json_string_bytes(id)))
            refuse(d, "parents");
        else
            r->parents[r->parent_count++] = big_endian(bytes, sizeof(bytes));
    }
}

static void read_head(struct reader *d, struct record *r)
{
    char kind[16] = "";
    int64_t version = read_number(d, "v");

    if (!d->st && version > VERSION)
        d->st =
            why_fail(d->why, ST_UNSUPPORTED, "a record of version %lld, this limner knows up to %d",
                     (long long)version, VERSION);
    r->index = read_number(d, "index");
    r->time_ns = read_number(d, "time_ns");
    r->seq = read_number(d, "seq");
    read_text(d, "kind", kind, sizeof(kind));
    if (!record_kind_of(&r->kind, kind))
        refuse(d, "kind");
}

static void read_picture(struct reader *d, struct record *r)
{
    uint8_t id[ID_DIGITS / 2] = {0};

    r->has_id = read_hex(d, "id", id, sizeof(id));
    r->id = big_endian(id, sizeof(id));
    read_text(d, "sha256", r->sha256, sizeof(r->sha256));
    read_text(d, "pixels_sha256", r->pixels_sha256, sizeof(r->pixels_sha256));
    read_text(d, "unmarked_sha256", r->unmarked_sha256, sizeof(r->unmarked_sha256));
    r->has_fingerprint = read_hex(d, "fingerprint", r->fingerprint, sizeof(r->fingerprint));
    r->width = read_small(d, "width");
    r->height = read_small(d, "height");
    read_text(d, "format", r->format, sizeof(r->format));
    r->quality = read_small(d, "quality");
    read_text(d, "model", r->model, sizeof(r->model));
    read_text(d, "weights_sha256", r->weights_sha256, sizeof(r->weights_sha256));
    read_text(d, "system", r->system, sizeof(r->system));
    read_mark(d, &r->mark);
    read_text(d, "manifest", r->manifest, sizeof(r->manifest));
    read_text(d, "manifest_sha256", r->manifest_sha256, sizeof(r->manifest_sha256));
}

static enum status read_all(struct record *out, const struct json *root, struct why *why)
{
    struct reader d = {.at = root, .why = why};

    if (json_type_of(root) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "a record is a JSON object");
    read_head(&d, out);
    read_picture(&d, out);
    read_text(&d, "request", out->request, sizeof(out->request));
    read_text(&d, "endpoint", out->endpoint, sizeof(out->endpoint));
    read_text(&d, "tenant", out->tenant, sizeof(out->tenant));
    read_text(&d, "decision", out->decision, sizeof(out->decision));
    out->policy_version = read_small(&d, "policy_version");
    read_parents(&d, out);
    read_text(&d, "commitment", out->commitment, sizeof(out->commitment));
    read_text(&d, "note", out->note, sizeof(out->note));
    return d.st;
}

enum status record_parse(struct record *out, const char *line, size_t bytes, struct why *why)
{
    char again[RECORD_BYTES_MAX + 1];
    struct json *root;
    size_t count = 0;
    enum status st;

    memset(out, 0, sizeof(*out));
    if (bytes > RECORD_BYTES_MAX)
        return why_fail(why, ST_INVALID, "a record of %zu bytes, %d is the most", bytes,
                        RECORD_BYTES_MAX);
    st = json_parse(&root, line, bytes, why);
    if (st)
        return st;
    st = read_all(out, root, why);
    json_close(&root);
    if (!st)
        st = record_write(again, &count, out, why);
    if (!st && (count != bytes || memcmp(again, line, bytes) != 0))
        st = why_fail(why, ST_INVALID,
                      "a record that is not written as limner does: its keys, their order or its "
                      "blanks");
    return st;
}

/* ---- columns ---- */

static bool column(uint8_t out[32], const char *hex_text)
{
    return *hex_text && crypto_unhex(out, 32, hex_text, strlen(hex_text));
}

void record_columns(struct store_leaf *out, const struct record *r)
{
    static_assert(RECORD_KINDS <= STORE_LEAF_KINDS, "the store counts them all");
    out->index = r->index;
    out->kind = (int)r->kind;
    out->time_ns = r->time_ns;
    out->has_id = r->has_id;
    out->id = r->id;
    out->has_sha256 = column(out->sha256, r->sha256);
    out->has_pixels = column(out->pixels, r->pixels_sha256);
    out->has_fingerprint = r->has_fingerprint;
    memcpy(out->fingerprint, r->fingerprint, sizeof(out->fingerprint));
    out->weak = r->mark.weak;
    memcpy(out->tenant, r->tenant, sizeof(out->tenant));
    memcpy(out->model, r->model, sizeof(out->model));
    memcpy(out->verdict, r->mark.verdict, sizeof(out->verdict));
    memcpy(out->decision, r->decision, sizeof(out->decision));
}
