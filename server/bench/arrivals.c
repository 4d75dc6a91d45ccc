/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/arrivals.h"

#include "base/rng.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_US   ((int64_t)ARRIVALS_DAYS_MAX * 86400 * 1000000)
#define SEED_MASK (((uint64_t)1 << 53) - 1) /* what the API takes */
#define DOMAIN    0x62656e63u               /* keeps these numbers apart from pictures' noise */

/* What is drawn of the number of an arrival, in the order of philox's words. */
struct draw {
    double gap;  /* above 0, up to 1 */
    double kind; /* from 0, below 1 */
    uint64_t seed;
};

static struct draw draw(uint64_t seed, uint64_t index)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t first[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, DOMAIN};
    const uint32_t second[4] = {(uint32_t)index, (uint32_t)(index >> 32), 1, DOMAIN};
    uint32_t a[4], b[4];

    rng_philox(a, first, key);
    rng_philox(b, second, key);
    return (struct draw){
        .gap = ((double)((uint64_t)a[0] << 20 | a[1] >> 12) + 1) * 0x1p-52,
        .kind = (double)a[2] * 0x1p-32,
        .seed = ((uint64_t)b[0] << 32 | b[1]) & SEED_MASK,
    };
}

static bool is_over(const struct arrivals_options *o, double at_us, int64_t measured)
{
    if (o->requests && measured >= o->requests)
        return true;
    return o->duration_us && at_us >= (double)(o->warmup_us + o->duration_us);
}

/* Walk the process from its start; `of` NULL only counts. Ends at the first that is too many;
   SIZE_MAX when the days are too few. */
static size_t walk(struct arrival *of, const struct arrivals_options *o, const struct mix *mix)
{
    double at_us = 0;
    int64_t measured = 0;
    size_t count = 0;

    for (;; count++) {
        struct draw d = draw(o->seed, count);

        at_us += -log(d.gap) / o->rate * 1e6;
        if (is_over(o, at_us, measured) || count > ARRIVALS_MAX)
            return count;
        if (at_us > (double)DAYS_US)
            return SIZE_MAX;
        measured += at_us >= (double)o->warmup_us;
        if (of)
            of[count] = (struct arrival){(int64_t)at_us, d.seed, mix_draw(mix, d.kind)};
    }
}

static enum status check_bounds(const struct arrivals_options *o, struct why *why)
{
    double span_us = (double)o->warmup_us + (double)o->duration_us;

    assert(o->warmup_us >= 0 && o->requests >= 0 && o->duration_us >= 0);
    if (o->requests > ARRIVALS_MAX)
        return why_fail(why, ST_INVALID, "a run has at most %d requests", ARRIVALS_MAX);
    if (span_us > (double)DAYS_US)
        return why_fail(why, ST_INVALID, "a run takes at most %d days", ARRIVALS_DAYS_MAX);
    return ST_OK;
}

/* The last look at a run: is there anything to measure in it? */
static enum status finish(struct arrivals *a, const struct arrivals_options *o, struct why *why)
{
    enum status st = ST_OK;

    a->warmup_us = o->warmup_us;
    a->end_us = o->warmup_us + o->duration_us;
    if (a->count && (!o->duration_us || o->requests))
        a->end_us = a->of[a->count - 1].at_us;
    if (a->count == 0 || a->of[a->count - 1].at_us < a->warmup_us)
        st = why_fail(why, ST_INVALID, "no request would come after the warm-up");
    if (st)
        arrivals_close(a);
    return st;
}

enum status arrivals_poisson(struct arrivals *out, const struct arrivals_options *options,
                             const struct mix *mix, struct why *why)
{
    enum status st = check_bounds(options, why);
    size_t count;

    assert(options->rate > 0 && (options->requests || options->duration_us));
    *out = (struct arrivals){0};
    if (st)
        return st;
    count = walk(NULL, options, mix);
    if (count == SIZE_MAX)
        return why_fail(why, ST_INVALID, "a run takes at most %d days", ARRIVALS_DAYS_MAX);
    if (count > ARRIVALS_MAX)
        return why_fail(why, ST_INVALID, "this would be more than %d requests", ARRIVALS_MAX);
    out->count = count;
    out->of = calloc(out->count + 1, sizeof(*out->of));
    if (!out->of)
        return why_fail(why, ST_FULL, "out of memory");
    walk(out->of, options, mix);
    return finish(out, options, why);
}

/* ---- traces ---- */

struct line {
    const char *text;
    size_t bytes; /* without the end of the line, nor blanks before it */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line of what is left; false at the end. */
static bool next_line(struct line *l, const char **text, size_t *bytes)
{
    const char *end;

    if (*bytes == 0)
        return false;
    end = memchr(*text, '\n', *bytes);
    *l = (struct line){*text, end ? (size_t)(end - *text) : *bytes};
    *bytes -= l->bytes + (end != NULL);
    *text += l->bytes + (end != NULL);
    while (l->bytes && is_blank(l->text[l->bytes - 1]))
        l->bytes--;
    while (l->bytes && is_blank(*l->text))
        *l = (struct line){l->text + 1, l->bytes - 1};
    return true;
}

/* Whole milliseconds, and at most three digits behind a point. */
static bool read_offset(int64_t *out_us, const char *text, size_t bytes)
{
    int64_t us = 0, unit = 1000;
    size_t i = 0;

    for (; i < bytes && text[i] >= '0' && text[i] <= '9'; i++) {
        us = us * 10 + (text[i] - '0') * 1000;
        if (us > DAYS_US)
            return false;
    }
    if (i == 0)
        return false;
    if (i < bytes && text[i] == '.') {
        for (i++; i < bytes && text[i] >= '0' && text[i] <= '9' && unit > 1; i++) {
            unit /= 10;
            us += (text[i] - '0') * unit;
        }
    }
    *out_us = us;
    return i == bytes;
}

static enum status read_line(struct arrival *out, const struct line *l, const struct mix *mix,
                             struct why *why)
{
    size_t offset_bytes = 0, name_at;

    while (offset_bytes < l->bytes && !is_blank(l->text[offset_bytes]))
        offset_bytes++;
    if (!read_offset(&out->at_us, l->text, offset_bytes))
        return why_fail(why, ST_INVALID, "'%.*s' is no time in milliseconds, up to %d days",
                        (int)(offset_bytes < 32 ? offset_bytes : 32), l->text, ARRIVALS_DAYS_MAX);
    name_at = offset_bytes;
    while (name_at < l->bytes && is_blank(l->text[name_at]))
        name_at++;
    out->kind = 0;
    if (name_at == l->bytes && mix->count > 1)
        return why_fail(why, ST_INVALID, "the kind of request is missing");
    if (name_at < l->bytes)
        out->kind = mix_find(mix, l->text + name_at, l->bytes - name_at);
    if (out->kind < 0)
        return why_fail(why, ST_INVALID, "no kind of request is called '%.*s'",
                        (int)(l->bytes - name_at < 32 ? l->bytes - name_at : 32),
                        l->text + name_at);
    return ST_OK;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 1;

    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    return lines;
}

static enum status read_lines(struct arrivals *a, const char *text, size_t bytes,
                              const struct arrivals_options *o, const struct mix *mix,
                              struct why *why)
{
    int64_t before_us = 0, measured = 0;
    struct line l;

    for (int number = 1; next_line(&l, &text, &bytes); number++) {
        struct arrival next = {.seed = draw(o->seed, a->count).seed};
        struct why inner = {""};

        if (l.bytes == 0 || *l.text == '#')
            continue;
        if (read_line(&next, &l, mix, &inner))
            return why_fail(why, ST_INVALID, "line %d: %.400s", number, inner.text);
        if (next.at_us < before_us)
            return why_fail(why, ST_INVALID, "line %d goes back in time", number);
        if (is_over(o, (double)next.at_us, measured))
            return ST_OK;
        if (a->count == ARRIVALS_MAX)
            return why_fail(why, ST_INVALID, "a run has at most %d requests", ARRIVALS_MAX);
        before_us = next.at_us;
        measured += next.at_us >= o->warmup_us;
        a->of[a->count++] = next;
    }
    return ST_OK;
}

enum status arrivals_trace(struct arrivals *out, const char *text, size_t bytes,
                           const struct arrivals_options *options, const struct mix *mix,
                           struct why *why)
{
    size_t lines = count_lines(text, bytes);
    enum status st = check_bounds(options, why);

    *out = (struct arrivals){0};
    if (st)
        return st;
    out->of = calloc(lines < ARRIVALS_MAX ? lines : ARRIVALS_MAX, sizeof(*out->of));
    if (!out->of)
        return why_fail(why, ST_FULL, "out of memory");
    st = read_lines(out, text, bytes, options, mix, why);
    if (st)
        arrivals_close(out);
    return st ? st : finish(out, options, why);
}

static enum status read_file(char **out, size_t *bytes, const char *path, struct why *why)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;
    ssize_t length = -1;

    *out = NULL;
    *bytes = 0;
    if (!file)
        return why_fail(why, errno == ENOENT ? ST_MISSING : ST_IO, "%.200s: %s", path,
                        strerror(errno));
    while (*bytes <= ARRIVALS_TRACE_MAX) {
        char *more;

        if (*bytes == size) {
            size = size ? size * 2 : 65536;
            more = realloc(*out, size);
            if (!more)
                break;
            *out = more;
        }
        length = (ssize_t)fread(*out + *bytes, 1, size - *bytes, file);
        if (length <= 0)
            break;
        *bytes += (size_t)length;
    }
    if (ferror(file))
        length = -1;
    fclose(file);
    if (length == 0)
        return ST_OK;
    free(*out);
    *out = NULL;
    if (length > 0)
        return why_fail(why, ST_INVALID, "%.200s is not at most %zu bytes", path,
                        ARRIVALS_TRACE_MAX);
    return why_fail(why, ST_IO, "%.200s cannot be read", path);
}

enum status arrivals_load(struct arrivals *out, const char *path,
                          const struct arrivals_options *options, const struct mix *mix,
                          struct why *why)
{
    struct why inner = {""};
    size_t bytes;
    char *text;
    enum status st = read_file(&text, &bytes, path, why);

    *out = (struct arrivals){0};
    if (st)
        return st;
    st = arrivals_trace(out, text, bytes, options, mix, &inner);
    free(text);
    return st ? why_fail(why, st, "%.100s: %.400s", path, inner.text) : ST_OK;
}

void arrivals_close(struct arrivals *a)
{
    free(a->of);
    *a = (struct arrivals){0};
}
