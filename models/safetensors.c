/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - Old writers did not pad the header, so tensors may start at any byte (a published LoRA has 384
 *   of 385 on odd addresses). Kernels want aligned numbers: such tensors, and only they, are copied
 *   once when the file is opened.
 * - A file that is made shorter while it is mapped kills its reader (SIGBUS). Nothing in here can
 *   prevent that: models are replaced by rename, never written in place.
 */
#include "models/safetensors.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX 8 /* bytes of the header's length */

struct safetensors {
    char *path;
    struct json *header;
    void *map; /* NULL: somebody else's memory */
    size_t map_bytes;
    const unsigned char *numbers;
    uint64_t numbers_bytes;
    struct safetensors_entry *entries; /* in header order */
    size_t count;
    unsigned char *moved; /* numbers of the tensors that were not aligned */
};

struct kind {
    const char *name;
    uint64_t bytes;
    int dtype; /* enum dtype; below 0: nothing here computes with it */
};

static const struct kind *kind_find(const char *name)
{
    static const struct kind kinds[] = {
        {"F32", 4, DTYPE_F32}, {"F16", 2, DTYPE_F16}, {"BF16", 2, DTYPE_BF16},
        {"I32", 4, DTYPE_I32}, {"F64", 8, -1},        {"I64", 8, -1},
        {"U64", 8, -1},        {"U32", 4, -1},        {"I16", 2, -1},
        {"U16", 2, -1},        {"I8", 1, -1},         {"U8", 1, DTYPE_U8},
        {"BOOL", 1, -1},       {"F8_E4M3", 1, -1},    {"F8_E5M2", 1, -1},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(name, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

const char *safetensors_shown(char out[SAFETENSORS_SHOWN], const char *name)
{
    size_t n = strlen(name), keep = n < SAFETENSORS_SHOWN ? n : SAFETENSORS_SHOWN - 4;

    while (keep < n && keep > 0 && ((unsigned char)name[keep] & 0xc0) == 0x80)
        keep--; /* never half a character */
    for (size_t i = 0; i < keep; i++) {
        bool c1 = (unsigned char)name[i] == 0xc2 && ((unsigned char)name[i + 1] & 0xe0) == 0x80;

        out[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
        if (c1 && i + 1 < keep) { /* U+0080 to U+009F: terminals obey them as well */
            out[i++] = '?';
            out[i] = '?';
        }
    }
    snprintf(out + keep, SAFETENSORS_SHOWN - keep, "%s", keep < n ? "..." : "");
    return out;
}

static enum status bad(const struct safetensors *f, const char *name, const char *what,
                       struct why *why)
{
    char shown[SAFETENSORS_SHOWN];

    return why_fail(why, ST_INVALID, "%s: tensor \"%s\": %s", f->path,
                    safetensors_shown(shown, name), what);
}

/* The product of the shape; the last four dimensions go to the tensor. */
static enum status read_shape(struct safetensors *f, struct safetensors_entry *e,
                              const struct json *shape, uint64_t *count, struct why *why)
{
    size_t rank = json_size(shape);

    *count = 1;
    for (int i = 0; i < 4; i++)
        e->tensor.dim[i] = 1;
    if (json_type_of(shape) != JSON_TYPE_ARRAY)
        return bad(f, e->name, "\"shape\" is not a list", why);
    for (size_t i = 0; i < rank; i++) {
        const struct json *dim = json_at(shape, i);

        if (json_type_of(dim) != JSON_TYPE_INT || json_as_int(dim) < 0)
            return bad(f, e->name, "\"shape\" holds something other than sizes", why);
        if (__builtin_mul_overflow(*count, (uint64_t)json_as_int(dim), count))
            return bad(f, e->name, "\"shape\" is too large", why);
        if (rank - i <= 4)
            e->tensor.dim[4 - (rank - i)] = json_as_int(dim);
    }
    if (rank > 4)
        e->skip = "it has more than four dimensions";
    else if (*count == 0)
        e->skip = "it is empty";
    return ST_OK;
}

static enum status read_offsets(struct safetensors *f, struct safetensors_entry *e,
                                const struct json *offsets, struct why *why)
{
    const struct json *begin = json_at(offsets, 0), *end = json_at(offsets, 1);

    if (json_type_of(offsets) != JSON_TYPE_ARRAY || json_size(offsets) != 2 ||
        json_type_of(begin) != JSON_TYPE_INT || json_type_of(end) != JSON_TYPE_INT ||
        json_as_int(begin) < 0 || json_as_int(end) < 0)
        return bad(f, e->name, "\"data_offsets\" are not two positions", why);
    e->begin = (uint64_t)json_as_int(begin);
    e->end = (uint64_t)json_as_int(end);
    if (e->begin > e->end)
        return bad(f, e->name, "\"data_offsets\" end before they begin", why);
    if (e->end > f->numbers_bytes)
        return bad(f, e->name, "\"data_offsets\" reach beyond the end of the file", why);
    return ST_OK;
}

static enum status read_entry(struct safetensors *f, struct safetensors_entry *e,
                              const struct json *value, struct why *why)
{
    const struct json *dtype = json_get(value, "dtype");
    const struct kind *kind = NULL;
    uint64_t count, bytes;
    enum status st;

    if (json_type_of(value) != JSON_TYPE_OBJECT)
        return bad(f, e->name, "not an object", why);
    if (json_type_of(dtype) == JSON_TYPE_STRING)
        kind = kind_find(json_as_string(dtype));
    if (!kind)
        return bad(f, e->name, "\"dtype\" is not one that is known", why);
    st = read_shape(f, e, json_get(value, "shape"), &count, why);
    if (!st)
        st = read_offsets(f, e, json_get(value, "data_offsets"), why);
    if (st)
        return st;
    if (__builtin_mul_overflow(count, kind->bytes, &bytes))
        return bad(f, e->name, "\"shape\" is too large", why);
    if (bytes != e->end - e->begin)
        return bad(f, e->name, "\"data_offsets\" do not fit \"shape\" and \"dtype\"", why);
    if (kind->dtype < 0)
        e->skip = "its type is not F32, F16, BF16, I32 or U8";
    e->element = kind->bytes;
    e->tensor.dtype = kind->dtype < 0 ? DTYPE_I32 : (enum dtype)kind->dtype;
    e->tensor.stride = e->tensor.dim[3];
    return ST_OK;
}

/* "__metadata__" is a table of strings, as the reference insists. */
static enum status check_metadata(struct safetensors *f, const struct json *table, struct why *why)
{
    void *iter = NULL;
    const char *key;
    const struct json *value;

    if (json_type_of(table) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "%s: \"__metadata__\" is not an object", f->path);
    while (json_next(table, &iter, &key, &value))
        if (json_type_of(value) != JSON_TYPE_STRING)
            return why_fail(why, ST_INVALID, "%s: \"__metadata__\" holds more than strings",
                            f->path);
    return ST_OK;
}

static enum status read_entries(struct safetensors *f, struct why *why)
{
    void *iter = NULL;
    const char *key;
    const struct json *value;
    enum status st;

    f->entries = calloc(json_size(f->header) + 1, sizeof(*f->entries));
    if (!f->entries)
        return why_fail(why, ST_FULL, "%s: no memory for %zu tensors", f->path,
                        json_size(f->header));
    while (json_next(f->header, &iter, &key, &value)) {
        struct safetensors_entry *e = &f->entries[f->count];

        if (strcmp(key, "__metadata__") == 0) {
            st = check_metadata(f, value, why);
        } else {
            e->name = key;
            st = read_entry(f, e, value, why);
            f->count++;
        }
        if (st)
            return st;
    }
    return ST_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensors_entry *x = *(struct safetensors_entry *const *)a;
    const struct safetensors_entry *y = *(struct safetensors_entry *const *)b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Side by side the tensors are the file: no hole where something could hide, no number twice. */
static enum status check_cover(struct safetensors *f, struct why *why)
{
    struct safetensors_entry **sorted = calloc(f->count + 1, sizeof(*sorted));
    uint64_t at = 0;
    enum status st = ST_OK;

    if (!sorted)
        return why_fail(why, ST_FULL, "%s: no memory for %zu tensors", f->path, f->count);
    for (size_t i = 0; i < f->count; i++)
        sorted[i] = &f->entries[i];
    qsort(sorted, f->count, sizeof(struct safetensors_entry *), by_place);
    for (size_t i = 0; i < f->count && !st; i++) {
        if (sorted[i]->begin < at)
            st = bad(f, sorted[i]->name, "overlaps another tensor", why);
        else if (sorted[i]->begin > at)
            st = bad(f, sorted[i]->name, "a hole lies before it", why);
        at = sorted[i]->end;
    }
    free(sorted);
    if (!st && at != f->numbers_bytes)
        st = why_fail(why, ST_INVALID, "%s: %" PRIu64 " bytes after the last tensor", f->path,
                      f->numbers_bytes - at);
    return st;
}

/* Give every readable tensor its address; those on an odd one are copied, see above. */
static enum status place(struct safetensors *f, struct why *why)
{
    size_t moved = 0;

    for (size_t i = 0; i < f->count; i++) {
        struct safetensors_entry *e = &f->entries[i];

        e->moved = !e->skip && (uintptr_t)(f->numbers + e->begin) % e->element != 0;
        if (e->moved)
            moved += (e->end - e->begin + 63) / 64 * 64; /* at most twice the file, see cover */
    }
    f->moved = moved > 0 ? malloc(moved) : NULL;
    if (moved > 0 && !f->moved)
        return why_fail(why, ST_FULL, "%s: no memory for %zu bytes of unaligned tensors", f->path,
                        moved);
    moved = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct safetensors_entry *e = &f->entries[i];

        if (e->skip)
            continue;
        e->tensor.data = (void *)(uintptr_t)(f->numbers + e->begin);
        if (!e->moved)
            continue;
        e->tensor.data = f->moved + moved;
        memcpy(e->tensor.data, f->numbers + e->begin, e->end - e->begin);
        moved += (e->end - e->begin + 63) / 64 * 64;
    }
    return ST_OK;
}

static enum status read_all(struct safetensors *f, const unsigned char *data, size_t bytes,
                            struct why *why)
{
    struct why inner = {0};
    uint64_t length = 0;
    enum status st;

    if (bytes < PREFIX)
        return why_fail(why, ST_INVALID, "%s: %zu bytes, a safetensors file has at least %d",
                        f->path, bytes, PREFIX);
    for (int i = 0; i < PREFIX; i++)
        length |= (uint64_t)data[i] << (8 * i);
    if (length > SAFETENSORS_HEADER_MAX)
        return why_fail(why, ST_INVALID, "%s: says its header has %" PRIu64 " bytes, at most %d",
                        f->path, length, SAFETENSORS_HEADER_MAX);
    if (length > bytes - PREFIX)
        return why_fail(why, ST_INVALID, "%s: header of %" PRIu64 " bytes in a file of %zu",
                        f->path, length, bytes);
    f->numbers = data + PREFIX + length;
    f->numbers_bytes = bytes - PREFIX - length;
    st = json_parse(&f->header, (const char *)data + PREFIX, (size_t)length, &inner);
    if (st)
        return why_fail(why, st, "%s: header: %s", f->path, inner.text);
    if (json_type_of(f->header) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "%s: header is not an object", f->path);
    st = read_entries(f, why);
    if (!st)
        st = check_cover(f, why);
    return st ? st : place(f, why);
}

static enum status map_file(struct safetensors *f, struct why *why)
{
    struct stat about;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */

    if (fd < 0)
        return why_fail(why, errno == ENOENT || errno == ENOTDIR ? ST_MISSING : ST_IO, "%s: %s",
                        f->path, strerror(errno));
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return why_fail(why, ST_INVALID, "%s: not a regular file", f->path);
    }
    f->map_bytes = (size_t)about.st_size;
    if (f->map_bytes > 0)
        f->map = mmap(NULL, f->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (f->map != MAP_FAILED)
        return ST_OK;
    f->map = NULL;
    return why_fail(why, ST_IO, "%s: cannot be mapped: %s", f->path, strerror(errno));
}

static enum status new_file(struct safetensors **out, const char *path, struct why *why)
{
    *out = calloc(1, sizeof(**out));
    if (*out)
        (*out)->path = strdup(path);
    if (*out && (*out)->path)
        return ST_OK;
    safetensors_close(out);
    return why_fail(why, ST_FULL, "%s: no memory", path);
}

enum status safetensors_open(struct safetensors **out, const char *path, struct why *why)
{
    enum status st = new_file(out, path, why);

    if (!st)
        st = map_file(*out, why);
    if (!st)
        st = read_all(*out, (*out)->map, (*out)->map_bytes, why);
    if (st)
        safetensors_close(out);
    return st;
}

enum status safetensors_open_memory(struct safetensors **out, const void *data, size_t bytes,
                                    struct why *why)
{
    enum status st = new_file(out, "memory", why);

    if (!st)
        st = read_all(*out, data, bytes, why);
    if (st)
        safetensors_close(out);
    return st;
}

void safetensors_close(struct safetensors **f)
{
    if (!*f)
        return;
    if ((*f)->map)
        munmap((*f)->map, (*f)->map_bytes);
    json_close(&(*f)->header);
    free((*f)->entries);
    free((*f)->moved);
    free((*f)->path);
    free(*f);
    *f = NULL;
}

size_t safetensors_count(const struct safetensors *f)
{
    return f->count;
}

const struct safetensors_entry *safetensors_at(const struct safetensors *f, size_t index)
{
    return &f->entries[index];
}

uint64_t safetensors_bytes(const struct safetensors *f)
{
    return f->numbers_bytes;
}

const char *safetensors_metadata(const struct safetensors *f, const char *key)
{
    const struct json *value = json_get(json_get(f->header, "__metadata__"), key);

    return value ? json_as_string(value) : NULL;
}

void safetensors_release_pages(const struct safetensors *f)
{
    if (f->map)
        madvise(f->map, f->map_bytes, MADV_DONTNEED);
}
