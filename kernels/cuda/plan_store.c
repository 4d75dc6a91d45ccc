/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/plan_store.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] = "limner-plans 1";

/* A line's fields after the checksum. */
enum field { ROOM, DEVICE, CAPABILITY, DRIVER, LIBRARY, MICROSECONDS, KEY, VALUE, FIELDS };

/* Each record is kept as its line: fields are told apart by NUL. */
struct record {
    char *text; /* owned */
    const char *field[FIELDS];
};

struct plan_store {
    char *path;
    char device[128], capability[16], driver[16]; /* this machine, as fields */
    struct record *record;
    size_t count, capacity;
    bool changed;
};

/* Records */

/* FNV-1a: against a torn write or a slipped finger, not against anybody. */
static uint32_t checksum(const char *text, size_t bytes)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < bytes; i++)
        sum = (sum ^ (unsigned char)text[i]) * 16777619u;
    return sum;
}

static bool is_printable(const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return bytes && text[0] != ' ' && text[bytes - 1] != ' ';
}

static bool is_number(const char *text, bool real)
{
    size_t bytes = strlen(text);

    return bytes && bytes < 16 && strspn(text, real ? "0123456789." : "0123456789") == bytes;
}

/* Cuts text into exactly FIELDS fields; text is changed. */
static bool cut(struct record *r)
{
    char *p = r->text;

    for (int i = 0; i < FIELDS; i++) {
        r->field[i] = p;
        p += strcspn(p, "\t");
        if ((*p == '\t') == (i == FIELDS - 1))
            return false;
        *p++ = '\0';
        if (!is_printable(r->field[i]))
            return false;
    }
    return is_number(r->field[CAPABILITY], false) && is_number(r->field[DRIVER], false) &&
           is_number(r->field[LIBRARY], false) && is_number(r->field[MICROSECONDS], true);
}

/* A record of a line without its checksum; NULL text when it is none, or there is no memory. */
static struct record record_of(const char *line, size_t bytes)
{
    struct record r = {.text = strndup(line, bytes)};

    if (!r.text || strlen(r.text) != bytes || !cut(&r)) {
        free(r.text);
        r.text = NULL;
    }
    return r;
}

static bool is_same(const struct record *a, const struct record *b)
{
    static const enum field fields[] = {ROOM, DEVICE, CAPABILITY, DRIVER, LIBRARY, KEY};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(a->field[fields[i]], b->field[fields[i]]))
            return false;
    return true;
}

static bool is_ours(const struct plan_store *s, const struct record *r)
{
    return !strcmp(r->field[DEVICE], s->device) && !strcmp(r->field[CAPABILITY], s->capability) &&
           !strcmp(r->field[DRIVER], s->driver);
}

/* Could a start on this machine with the libraries of `by` still ask for r? */
static bool is_stale(const struct plan_store *s, const struct record *r, const struct record *by)
{
    return !is_ours(s, r) || (!strcmp(r->field[ROOM], by->field[ROOM]) &&
                              strcmp(r->field[LIBRARY], by->field[LIBRARY]));
}

/* A place for r: the record that it replaces, a new one, or one that is of no use here. */
static struct record *place_for(struct plan_store *s, const struct record *r)
{
    for (size_t i = 0; i < s->count; i++)
        if (is_same(&s->record[i], r))
            return &s->record[i];
    if (s->count == s->capacity && s->capacity < PLAN_STORE_RECORDS_MAX) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        struct record *more = realloc(s->record, capacity * sizeof(*more));

        if (!more)
            return NULL;
        memset(more + s->capacity, 0, (capacity - s->capacity) * sizeof(*more));
        s->record = more;
        s->capacity = capacity;
    }
    if (s->count < s->capacity)
        return &s->record[s->count++];
    for (size_t i = 0; i < s->count; i++)
        if (is_stale(s, &s->record[i], r))
            return &s->record[i];
    return NULL;
}

/* Takes r's text. */
static bool keep(struct plan_store *s, struct record r)
{
    struct record *place = place_for(s, &r);

    if (!place) {
        free(r.text);
        return false;
    }
    free(place->text);
    *place = r;
    return true;
}

/* Reading */

/* A line is 8 hexadecimal digits, a tab, and what they are the checksum of. */
static bool read_line(struct plan_store *s, const char *line, size_t bytes)
{
    struct record r;
    char digits[9], *end;

    if (bytes < 10 || bytes > PLAN_STORE_LINE_MAX || line[8] != '\t')
        return false;
    memcpy(digits, line, 8);
    digits[8] = '\0';
    if (strspn(digits, "0123456789abcdef") != 8 ||
        strtoul(digits, &end, 16) != checksum(line + 9, bytes - 9))
        return false;
    r = record_of(line + 9, bytes - 9);
    return r.text && keep(s, r);
}

int plan_store_read(struct plan_store *s, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    int damaged = 0;
    bool first = true;

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);

        if (first && (length != strlen(header) || memcmp(text, header, length)))
            return 1; /* another format: nothing in it can be read */
        damaged += !first && !read_line(s, text, length);
        first = false;
        text += length + 1;
    }
    return damaged;
}

/* Up to PLAN_STORE_FILE_MAX bytes of a file; NULL with errno set. */
static char *read_file(const char *path, size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), trouble = 0;
    struct stat st;
    char *text = NULL;
    ssize_t got = 1;

    *bytes = 0;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st))
        trouble = errno;
    else if (!S_ISREG(st.st_mode) || st.st_size > PLAN_STORE_FILE_MAX)
        trouble = EFBIG;
    else if (!(text = malloc((size_t)st.st_size + 1)))
        trouble = ENOMEM;
    while (!trouble && got > 0 && *bytes < (size_t)st.st_size) {
        got = read(fd, text + *bytes, (size_t)st.st_size - *bytes);
        if (got < 0)
            trouble = errno;
        else
            *bytes += (size_t)got;
    }
    close(fd);
    if (trouble) {
        free(text);
        text = NULL;
        errno = trouble;
    }
    return text;
}

static void name_machine(struct plan_store *s, const struct plan_store_machine *m)
{
    snprintf(s->device, sizeof(s->device), "%s", m->device);
    for (char *p = s->device; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    if (!is_printable(s->device))
        snprintf(s->device, sizeof(s->device), "?");
    snprintf(s->capability, sizeof(s->capability), "%u", (unsigned)m->capability);
    snprintf(s->driver, sizeof(s->driver), "%u", (unsigned)m->driver);
}

enum status plan_store_open(struct plan_store **out, const char *path,
                            const struct plan_store_machine *machine, struct why *why)
{
    struct plan_store *s = calloc(1, sizeof(*s));
    size_t bytes;
    char *text;
    int damaged;

    *out = s;
    if (s)
        s->path = strdup(path);
    if (!s || !s->path) {
        plan_store_close(out);
        return why_fail(why, ST_FULL, "no memory for the plan store");
    }
    name_machine(s, machine);
    text = read_file(path, &bytes);
    if (text) {
        damaged = plan_store_read(s, text, bytes);
        if (damaged)
            log_warn("plan_store", "%s: %d damaged lines are left out", path, damaged);
        free(text);
    } else if (errno != ENOENT) {
        log_warn("plan_store", "%s: not read, its plans are timed again: %s", path,
                 strerror(errno));
    }
    return ST_OK;
}

void plan_store_close(struct plan_store **store)
{
    struct plan_store *s = *store;

    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->record[i].text);
    free(s->record);
    free(s->path);
    free(s);
    *store = NULL;
}

/* Using */

size_t plan_store_count(const struct plan_store *s)
{
    return s->count;
}

const char *plan_store_find(const struct plan_store *s, const char *room, long library,
                            const char *key)
{
    char version[24];

    snprintf(version, sizeof(version), "%ld", library);
    for (size_t i = 0; i < s->count; i++) {
        const struct record *r = &s->record[i];

        if (!strcmp(r->field[KEY], key) && !strcmp(r->field[ROOM], room) &&
            !strcmp(r->field[LIBRARY], version) && is_ours(s, r))
            return r->field[VALUE];
    }
    return NULL;
}

enum status plan_store_put(struct plan_store *s, const struct plan_store_record *record,
                           struct why *why)
{
    char line[PLAN_STORE_LINE_MAX - 9];
    double us = record->us >= 0 && record->us < 1e9 ? record->us : 0;
    int bytes =
        snprintf(line, sizeof(line), "%s\t%s\t%s\t%s\t%ld\t%.2f\t%s\t%s", record->room, s->device,
                 s->capability, s->driver, record->library, us, record->key, record->value);
    struct record r;

    if (bytes < 0 || (size_t)bytes >= sizeof(line))
        return why_fail(why, ST_INVALID, "a plan's record is longer than %d bytes",
                        PLAN_STORE_LINE_MAX);
    r = record_of(line, (size_t)bytes);
    if (!r.text)
        return why_fail(why, ST_INVALID, "no record of a plan: %.100s, %.200s", record->key,
                        record->value);
    if (!keep(s, r))
        return why_fail(why, ST_FULL, "the plan store holds %d records", PLAN_STORE_RECORDS_MAX);
    s->changed = true;
    return ST_OK;
}

/* Saving */

static bool write_records(FILE *file, const struct plan_store *s)
{
    char line[PLAN_STORE_LINE_MAX];

    fprintf(file, "%s\n", header);
    for (size_t i = 0; i < s->count; i++) {
        const char *const *f = s->record[i].field;
        int bytes =
            snprintf(line, sizeof(line), "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", f[ROOM], f[DEVICE],
                     f[CAPABILITY], f[DRIVER], f[LIBRARY], f[MICROSECONDS], f[KEY], f[VALUE]);

        fprintf(file, "%08" PRIx32 "\t%s\n", checksum(line, (size_t)bytes), line);
    }
    return !ferror(file) && fflush(file) == 0 && fchmod(fileno(file), 0644) == 0 &&
           fsync(fileno(file)) == 0;
}

/* A new file beside the old one; false with errno set, and then it is gone again. */
static bool write_beside(const struct plan_store *s, char *name)
{
    int fd = mkstemp(name), trouble;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool written = file && write_records(file, s);

    trouble = errno;
    if (file ? fclose(file) != 0 && written : fd >= 0 && close(fd)) {
        written = false;
        trouble = errno;
    }
    if (!written && fd >= 0)
        unlink(name);
    errno = trouble;
    return written;
}

/* The new name itself must survive a crash. Best effort: some file systems cannot. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(folder);
}

enum status plan_store_save(struct plan_store *s, struct why *why)
{
    size_t size = strlen(s->path) + sizeof(".XXXXXX");
    enum status st = ST_OK;
    char *name;

    if (!s->changed)
        return ST_OK;
    name = malloc(size);
    if (!name)
        return why_fail(why, ST_FULL, "no memory to save the plan store");
    snprintf(name, size, "%s.XXXXXX", s->path);
    if (!write_beside(s, name)) {
        st = why_fail(why, ST_IO, "%s: cannot be written: %s", s->path, strerror(errno));
    } else if (rename(name, s->path)) {
        st = why_fail(why, ST_IO, "%s: cannot be put in place: %s", s->path, strerror(errno));
        unlink(name);
    } else {
        sync_folder(s->path);
        s->changed = false;
    }
    free(name);
    return st;
}
