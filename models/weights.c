/* SPDX-License-Identifier: Apache-2.0 */
#include "models/weights.h"

#include "base/json.h"
#include "models/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARDS_MAX      256
#define INDEX_BYTES_MAX (64u << 20)
#define PATH_BYTES_MAX  4096

struct shard {
    const char *name; /* borrowed from the index */
    struct safetensors *file;
};

struct weights {
    char *path;         /* the file or index that was taken */
    struct json *index; /* NULL: one file */
    struct shard shards[SHARDS_MAX];
    size_t shard_count;
    const struct safetensors_entry **sorted; /* by name: every tensor, skipped ones included */
    size_t sorted_count;
    const char **names; /* of the readable ones, in file order */
    size_t name_count;
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static enum status no_memory(const char *path, struct why *why)
{
    return why_fail(why, ST_FULL, "%s: no memory", path);
}

/* The names under which `path` may be stored, in the order in which they are tried. */
static bool candidate(char out[PATH_BYTES_MAX], const char *path, int index)
{
    static const char end[] = ".safetensors";
    static const char *const ends[] = {
        ".safetensors",
        ".safetensors.index.json",
        ".fp16.safetensors",
        ".safetensors.index.fp16.json",
        ".fp16.safetensors.index.json",
    };

    if (index == 0)
        return snprintf(out, PATH_BYTES_MAX, "%s", path) < PATH_BYTES_MAX;
    if (!ends_with(path, end) || index >= (int)(sizeof(ends) / sizeof(ends[0])))
        return false;
    return snprintf(out, PATH_BYTES_MAX, "%.*s%s", (int)(strlen(path) - strlen(end)), path,
                    ends[index]) < PATH_BYTES_MAX;
}

static enum status find_file(char out[PATH_BYTES_MAX], const char *path, struct why *why)
{
    for (int i = 0; candidate(out, path, i); i++)
        if (access(out, F_OK) == 0)
            return ST_OK;
    return why_fail(why, ST_MISSING, "%s: no such file, and no index or fp16 variant of it", path);
}

/* A stranger chooses the names of shards: they stay inside the folder of the index. */
static bool is_plain_name(const char *name)
{
    return name[0] != '.' && !strchr(name, '/') && strlen(name) <= 255 &&
           ends_with(name, ".safetensors");
}

/* The shard of this name, opened now if it is new. */
static enum status take_shard(struct weights *w, const char *name, struct safetensors **out,
                              struct why *why)
{
    const char *slash = strrchr(w->path, '/');
    int folder = slash ? (int)(slash - w->path) + 1 : 0;
    char path[PATH_BYTES_MAX], shown[SAFETENSORS_SHOWN];
    enum status st;

    for (size_t i = w->shard_count; i-- > 0;) {
        *out = w->shards[i].file;
        if (strcmp(w->shards[i].name, name) == 0)
            return ST_OK;
    }
    if (!is_plain_name(name))
        return why_fail(why, ST_INVALID, "%s: \"%s\" is not the plain name of a safetensors file",
                        w->path, safetensors_shown(shown, name));
    if (w->shard_count == SHARDS_MAX)
        return why_fail(why, ST_INVALID, "%s: more than %d files", w->path, SHARDS_MAX);
    if (snprintf(path, sizeof(path), "%.*s%s", folder, w->path, name) >= (int)sizeof(path))
        return why_fail(why, ST_INVALID, "%s: path is too long", w->path);
    st = safetensors_open(out, path, why);
    if (st)
        return st;
    w->shards[w->shard_count++] = (struct shard){.name = name, .file = *out};
    return ST_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct safetensors_entry *x = *(const struct safetensors_entry *const *)a;
    const struct safetensors_entry *y = *(const struct safetensors_entry *const *)b;

    return strcmp(x->name, y->name);
}

static int to_name(const void *key, const void *entry)
{
    return strcmp(key, (*(const struct safetensors_entry *const *)entry)->name);
}

static const struct safetensors_entry *look_up(const struct weights *w, const char *name)
{
    const struct safetensors_entry **found =
        bsearch(name, w->sorted, w->sorted_count, sizeof(w->sorted[0]), to_name);

    return found ? *found : NULL;
}

static enum status reserve(struct weights *w, size_t count, struct why *why)
{
    w->sorted = calloc(count + 1, sizeof(w->sorted[0]));
    w->names = calloc(count + 1, sizeof(w->names[0]));
    return w->sorted && w->names ? ST_OK : no_memory(w->path, why);
}

static void add(struct weights *w, const struct safetensors_entry *e)
{
    w->sorted[w->sorted_count++] = e;
    if (!e->skip)
        w->names[w->name_count++] = e->name;
}

/* All tensors of the only file. Names cannot repeat: the header's JSON refuses that. */
static enum status gather_file(struct weights *w, struct why *why)
{
    const struct safetensors *file = w->shards[0].file;
    size_t count = safetensors_count(file);
    enum status st = reserve(w, count, why);

    if (st)
        return st;
    for (size_t i = 0; i < count; i++)
        add(w, safetensors_at(file, i));
    qsort(w->sorted, count, sizeof(w->sorted[0]), by_name);
    return ST_OK;
}

/* A tensor of any shard. Sorted by (name, file) they answer whether the shard that the map names
   does hold the tensor. */
struct place {
    const struct safetensors_entry *entry;
    const struct safetensors *file;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->entry->name, y->entry->name);

    if (order != 0)
        return order;
    return x->file < y->file ? -1 : x->file > y->file;
}

static struct place *sort_places(const struct weights *w, size_t *count)
{
    struct place *places;

    *count = 0;
    for (size_t s = 0; s < w->shard_count; s++)
        *count += safetensors_count(w->shards[s].file);
    places = calloc(*count + 1, sizeof(*places));
    if (!places)
        return NULL;
    *count = 0;
    for (size_t s = 0; s < w->shard_count; s++)
        for (size_t i = 0; i < safetensors_count(w->shards[s].file); i++)
            places[(*count)++] =
                (struct place){safetensors_at(w->shards[s].file, i), w->shards[s].file};
    qsort(places, *count, sizeof(*places), by_place);
    return places;
}

/* Every tensor of the map, from exactly the shard that the map says; others stay unseen. */
static enum status gather_map(struct weights *w, const struct json *map, struct why *why)
{
    char shown[SAFETENSORS_SHOWN];
    void *iter = NULL;
    const char *name;
    const struct json *value;
    size_t count;
    struct place *places = sort_places(w, &count);
    enum status st = places ? reserve(w, json_size(map), why) : no_memory(w->path, why);

    while (!st && json_next(map, &iter, &name, &value)) {
        struct safetensors_entry wanted = {.name = name};
        struct place key = {.entry = &wanted}, *found;
        struct safetensors *file;

        st = take_shard(w, json_as_string(value), &file, why); /* open since the first round */
        if (st)
            break;
        key.file = file;
        found = bsearch(&key, places, count, sizeof(*places), by_place);
        if (found)
            add(w, found->entry);
        else
            st = why_fail(why, ST_INVALID, "%s: tensor \"%s\" is not in the file that is named",
                          w->path, safetensors_shown(shown, name));
    }
    free(places);
    if (!st)
        qsort(w->sorted, w->sorted_count, sizeof(w->sorted[0]), by_name);
    return st;
}

static enum status open_index(struct weights *w, struct why *why)
{
    char shown[SAFETENSORS_SHOWN];
    void *iter = NULL;
    const char *name;
    const struct json *map, *value;
    enum status st = json_load(&w->index, w->path, INDEX_BYTES_MAX, why);

    if (st)
        return st;
    map = json_get(w->index, "weight_map");
    if (json_type_of(map) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "%s: has no \"weight_map\"", w->path);
    while (json_next(map, &iter, &name, &value)) {
        struct safetensors *file;

        if (json_type_of(value) != JSON_TYPE_STRING)
            return why_fail(why, ST_INVALID, "%s: tensor \"%s\": not the name of a file", w->path,
                            safetensors_shown(shown, name));
        st = take_shard(w, json_as_string(value), &file, why);
        if (st)
            return st;
    }
    return gather_map(w, map, why);
}

static enum status new_weights(struct weights **out, const char *path, struct why *why)
{
    *out = calloc(1, sizeof(**out));
    if (*out)
        (*out)->path = strdup(path);
    if (*out && (*out)->path)
        return ST_OK;
    weights_close(out);
    return no_memory(path, why);
}

enum status weights_open(struct weights **out, const char *path, struct why *why)
{
    char taken[PATH_BYTES_MAX];
    enum status st;

    *out = NULL;
    st = find_file(taken, path, why);
    if (!st)
        st = new_weights(out, taken, why);
    if (st)
        return st;
    if (ends_with(taken, ".json")) {
        st = open_index(*out, why);
    } else {
        st = safetensors_open(&(*out)->shards[0].file, taken, why);
        (*out)->shard_count = st ? 0 : 1;
        if (!st)
            st = gather_file(*out, why);
    }
    if (st)
        weights_close(out);
    return st;
}

enum status weights_open_memory(struct weights **out, const void *data, size_t bytes,
                                struct why *why)
{
    enum status st;

    *out = NULL;
    st = new_weights(out, "memory", why);
    if (st)
        return st;
    st = safetensors_open_memory(&(*out)->shards[0].file, data, bytes, why);
    (*out)->shard_count = st ? 0 : 1;
    if (!st)
        st = gather_file(*out, why);
    if (st)
        weights_close(out);
    return st;
}

void weights_close(struct weights **w)
{
    if (!*w)
        return;
    for (size_t i = 0; i < (*w)->shard_count; i++)
        safetensors_close(&(*w)->shards[i].file);
    json_close(&(*w)->index);
    free((*w)->sorted);
    free((*w)->names);
    free((*w)->path);
    free(*w);
    *w = NULL;
}

enum status weights_find(const struct weights *w, const char *name, struct tensor *out,
                         struct why *why)
{
    char shown[SAFETENSORS_SHOWN];
    const struct safetensors_entry *e = look_up(w, name);

    if (!e)
        return why_fail(why, ST_MISSING, "%s: tensor \"%s\" is missing", w->path,
                        safetensors_shown(shown, name));
    if (e->skip)
        return why_fail(why, ST_UNSUPPORTED, "%s: tensor \"%s\" cannot be read: %s", w->path,
                        safetensors_shown(shown, name), e->skip);
    *out = e->tensor;
    return ST_OK;
}

enum status weights_need(const struct weights *w, const char *name, const int64_t dim[4],
                         struct tensor *out, struct why *why)
{
    char shown[SAFETENSORS_SHOWN];
    struct tensor t;
    bool fits = true;
    enum status st = weights_find(w, name, &t, why);

    if (st)
        return st;
    for (int i = 0; i < 4; i++)
        fits = fits && (dim[i] == 0 || dim[i] == t.dim[i]);
    if (!fits)
        return why_fail(why, ST_INVALID,
                        "%s: tensor \"%s\" is [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
                        "], wanted [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]",
                        w->path, safetensors_shown(shown, name), t.dim[0], t.dim[1], t.dim[2],
                        t.dim[3], dim[0], dim[1], dim[2], dim[3]);
    *out = t;
    return ST_OK;
}

size_t weights_count(const struct weights *w)
{
    return w->name_count;
}

const char *weights_name(const struct weights *w, size_t index)
{
    assert(index < w->name_count);
    return w->names[index];
}

uint64_t weights_bytes(const struct weights *w)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < w->shard_count; i++)
        bytes += safetensors_bytes(w->shards[i].file);
    return bytes;
}

const char *weights_metadata(const struct weights *w, const char *key)
{
    return w->shard_count ? safetensors_metadata(w->shards[0].file, key) : NULL;
}

void weights_release_pages(const struct weights *w)
{
    for (size_t i = 0; i < w->shard_count; i++)
        safetensors_release_pages(w->shards[i].file);
}
