/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "models/weights.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANK_MAX 4

struct out_tensor {
    char *name;
    void *numbers;
    size_t bytes;
    int64_t dim[RANK_MAX];
    int first; /* dimensions from here on are written */
    enum dtype dtype;
};

struct weights_out {
    char *path;
    struct out_tensor *tensors;
    size_t count, room;
    bool finished;
};

static enum status no_memory(const struct weights_out *o, struct why *why)
{
    return why_fail(why, ST_FULL, "%s: no memory", o->path);
}

/* The folder of `path`, to be freed. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Said before an hour of work, not after it: the file cannot be written there. */
enum status weights_out_open(struct weights_out **out, const char *path, struct why *why)
{
    char *folder = folder_of(path);
    bool writable = folder && access(folder, W_OK | X_OK) == 0;
    int trouble = errno;

    *out = NULL;
    if (folder && !writable) {
        free(folder);
        return why_fail(why, trouble == ENOENT ? ST_MISSING : ST_IO, "%s: %s", path,
                        strerror(trouble));
    }
    *out = folder ? calloc(1, sizeof(**out)) : NULL;
    free(folder);
    if (*out)
        (*out)->path = strdup(path);
    if (*out && (*out)->path)
        return ST_OK;
    weights_out_close(out);
    return why_fail(why, ST_FULL, "%s: no memory", path);
}

void weights_out_close(struct weights_out **o)
{
    if (!*o)
        return;
    for (size_t i = 0; i < (*o)->count; i++) {
        free((*o)->tensors[i].name);
        free((*o)->tensors[i].numbers);
    }
    free((*o)->tensors);
    free((*o)->path);
    free(*o);
    *o = NULL;
}

static enum status grow(struct weights_out *o, struct why *why)
{
    size_t room = o->room ? 2 * o->room : 64;
    struct out_tensor *tensors;

    if (o->count < o->room)
        return ST_OK;
    tensors = realloc(o->tensors, room * sizeof(*tensors));
    if (!tensors)
        return no_memory(o, why);
    o->tensors = tensors;
    o->room = room;
    return ST_OK;
}

enum status weights_out_add(struct weights_out *o, const char *name, struct tensor t, int dims_min,
                            struct why *why)
{
    struct out_tensor *added;
    size_t row = (size_t)t.dim[3] * dtype_bytes(t.dtype);
    enum status st;

    assert(!o->finished && t.data && dims_min >= 0 && dims_min <= RANK_MAX);
    if (strcmp(name, "__metadata__") == 0)
        return why_fail(why, ST_INVALID, "%s: no tensor may be called \"%s\"", o->path, name);
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->tensors[i].name, name) == 0)
            return why_fail(why, ST_INVALID, "%s: a second tensor \"%s\"", o->path, name);
    st = grow(o, why);
    if (st)
        return st;
    added = &o->tensors[o->count];
    *added = (struct out_tensor){.dtype = t.dtype, .bytes = tensor_bytes(t)};
    memcpy(added->dim, t.dim, sizeof(added->dim));
    while (added->first < RANK_MAX - dims_min && t.dim[added->first] == 1)
        added->first++;
    added->name = strdup(name);
    added->numbers = malloc(added->bytes);
    o->count++; /* from here on close() frees what there is */
    if (!added->name || !added->numbers) {
        free(added->name);
        free(added->numbers);
        o->count--;
        return no_memory(o, why);
    }
    for (int64_t i = 0; i < tensor_rows(t); i++)
        memcpy((char *)added->numbers + (size_t)i * row, tensor_row(t, i), row);
    return ST_OK;
}

static const char *type_name(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F32:
        return "F32";
    case DTYPE_F16:
        return "F16";
    case DTYPE_BF16:
        return "BF16";
    case DTYPE_I32:
        return "I32";
    case DTYPE_U8:
        return "U8";
    }
    return NULL;
}

static void put_entry(struct json_out *json, const struct out_tensor *t, size_t begin)
{
    json_out_object(json, t->name);
    json_out_string(json, "dtype", type_name(t->dtype));
    json_out_array(json, "shape");
    for (int i = t->first; i < RANK_MAX; i++)
        json_out_int(json, NULL, t->dim[i]);
    json_out_array_end(json);
    json_out_array(json, "data_offsets");
    json_out_int(json, NULL, (int64_t)begin);
    json_out_int(json, NULL, (int64_t)(begin + t->bytes));
    json_out_array_end(json);
    json_out_object_end(json);
}

/* Tensors are written in this order of their numbers' bytes, so that all lie aligned. */
static const size_t widths[] = {4, 2, 1};

#define WIDTHS (sizeof(widths) / sizeof(widths[0]))

/* Wide types first, so that every tensor lies aligned behind a header of whole eights. */
static void put_header(struct json_out *json, const struct weights_out *o)
{
    size_t at = 0;

    json_out_object(json, NULL);
    for (size_t pass = 0; pass < WIDTHS; pass++) {
        for (size_t i = 0; i < o->count; i++) {
            if (dtype_bytes(o->tensors[i].dtype) != widths[pass])
                continue;
            put_entry(json, &o->tensors[i], at);
            at += o->tensors[i].bytes;
        }
    }
    json_out_object_end(json);
}

static bool write_header(FILE *file, const struct weights_out *o)
{
    struct json_out json = {0};
    unsigned char prefix[8];
    size_t padded;
    bool done;

    put_header(&json, o);
    if (json.failed) {
        json_out_close(&json);
        return false;
    }
    padded = (json.bytes + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    done = fwrite(prefix, 1, 8, file) == 8 && fwrite(json.text, 1, json.bytes, file) == json.bytes;
    for (size_t i = json.bytes; i < padded && done; i++)
        done = fputc(' ', file) != EOF;
    json_out_close(&json);
    return done;
}

static bool write_numbers(FILE *file, const struct weights_out *o)
{
    for (size_t pass = 0; pass < WIDTHS; pass++)
        for (size_t i = 0; i < o->count; i++)
            if (dtype_bytes(o->tensors[i].dtype) == widths[pass] &&
                fwrite(o->tensors[i].numbers, 1, o->tensors[i].bytes, file) != o->tensors[i].bytes)
                return false;
    return true;
}

static FILE *open_beside(char *name)
{
    int fd = mkostemp(name, O_CLOEXEC), trouble;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");

    if (fd >= 0 && !file) {
        trouble = errno;
        close(fd);
        unlink(name);
        errno = trouble;
    }
    return file;
}

/* Everything into the file of this name, safe on the disk, or errno says why not. */
static bool write_file(const struct weights_out *o, char *name)
{
    FILE *file = open_beside(name);
    int trouble;
    bool done;

    if (!file)
        return false;
    errno = ENOMEM; /* what a header that could not grow leaves unsaid */
    done = write_header(file, o) && write_numbers(file, o) && fflush(file) == 0 &&
           fchmod(fileno(file), 0644) == 0 && fsync(fileno(file)) == 0;
    trouble = errno;
    if (fclose(file) != 0 && done) {
        done = false;
        trouble = errno;
    }
    if (!done)
        unlink(name);
    errno = trouble;
    return done;
}

/* The new name itself must survive a crash: that is the folder's business. Best effort, some
   file systems cannot. */
static void sync_folder(const char *path)
{
    char *folder = folder_of(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(folder);
}

enum status weights_out_finish(struct weights_out *o, struct why *why)
{
    size_t size = strlen(o->path) + sizeof(".XXXXXX");
    char *name = malloc(size);
    enum status st = ST_OK;

    assert(!o->finished);
    if (!name)
        return no_memory(o, why);
    snprintf(name, size, "%s.XXXXXX", o->path);
    if (!write_file(o, name)) {
        st = why_fail(why, errno == ENOMEM ? ST_FULL : ST_IO, "%s: cannot be written: %s", o->path,
                      strerror(errno));
    } else if (rename(name, o->path) != 0) {
        st = why_fail(why, ST_IO, "%s: cannot be put in place: %s", o->path, strerror(errno));
        unlink(name);
    } else {
        sync_folder(o->path);
        o->finished = true;
    }
    free(name);
    return st;
}
