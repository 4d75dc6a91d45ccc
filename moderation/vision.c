/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/vision.h"

#include "base/crypto.h"
#include "kernels/device.h"
#include "moderation/nsfw.h"
#include "moderation/resize.h"
#include "moderation/safety.h"

#include <assert.h>
#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define FILE_BYTES_MAX (64u << 20) /* of a shipped classifier */
#define HASHES_MAX     (64 << 10)  /* bytes of hashes.txt */

enum { HEX = 2 * 32 };

static const char *const names[SCORES_MODELS] = {"main.safetensors", "second.safetensors"};

/*
 * One thread's own classifiers. A picture is scored by one thread from its pixels to its scores:
 * that keeps it in one cache, nobody waits at a barrier, and no bit depends on how many pictures or
 * threads there are. Safety checkers are two orders of magnitude larger: there all threads work on
 * one batch.
 */
struct lane {
    struct device *device; /* of one thread */
    struct nsfw *model[SCORES_MODELS];
    float *pixels; /* one picture as the classifiers take it */
};

struct vision {
    struct lane *lanes;
    int threads;         /* lanes there are */
    struct device *wide; /* of the safety checkers, NULL before the first */
    struct safety *safety[VISION_SAFETY_MAX];
    char *safety_folder[VISION_SAFETY_MAX];
    int safety_count;
    uint8_t sha[SCORES_MODELS + VISION_SAFETY_MAX][32]; /* of every file in use, in order */
    char file_text[SCORES_MODELS][HEX + 1];
    char sha_text[HEX + 1];
};

/* A whole file of at most `bytes_max` bytes, with a NUL behind them. The caller frees it. */
static enum status read_file(char **out, size_t *bytes, const char *folder, const char *name,
                             size_t bytes_max, struct why *why)
{
    char path[PATH_BYTES_MAX];
    FILE *file = NULL;
    long size = -1;

    *out = NULL;
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path))
        file = fopen(path, "rb");
    if (!file)
        return why_fail(why, ST_MISSING, "the classifiers lack %s: %s", path, strerror(errno));
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0 && (size_t)size <= bytes_max)
        *out = calloc((size_t)size + 1, 1);
    if (*out) {
        rewind(file);
        *bytes = fread(*out, 1, (size_t)size, file);
    }
    fclose(file);
    if (*out && *bytes == (size_t)size)
        return ST_OK;
    if (!*out && size >= 0 && (size_t)size <= bytes_max)
        return why_fail(why, ST_FULL, "no memory for %s", path);
    free(*out);
    *out = NULL;
    return why_fail(why, ST_INVALID, "%s cannot be read, or is larger than %zu bytes", path,
                    bytes_max);
}

/* Does hashes.txt, lines of "HEX  NAME" as sha256sum writes them, have this one? */
static bool has_line(const char *hashes, const char *hex, const char *name)
{
    char line[HEX + 64];
    const char *found;
    size_t length = (size_t)snprintf(line, sizeof(line), "%s  %s", hex, name);

    found = strstr(hashes, line);
    return found && (found == hashes || found[-1] == '\n') &&
           (found[length] == '\n' || !found[length]);
}

static void lane_close(struct lane *l)
{
    for (int m = 0; m < SCORES_MODELS; m++)
        nsfw_close(&l->model[m]);
    device_close(&l->device);
    free(l->pixels);
}

/* One classifier, the same bytes for every lane. */
static enum status open_model(struct vision *v, enum scores_model m, const char *folder,
                              const char *hashes, struct why *why)
{
    char *data, *hex = v->file_text[m];
    struct why inner = {0};
    size_t bytes = 0;
    enum status st = read_file(&data, &bytes, folder, names[m], FILE_BYTES_MAX, why);

    if (st)
        return st;
    crypto_sha256(v->sha[m], data, bytes);
    crypto_hex(hex, v->sha[m], sizeof(v->sha[m]));
    if (!has_line(hashes, hex, names[m]))
        st = why_fail(why, ST_INVALID,
                      "%s/%s is not the file that hashes.txt names (its SHA-256 is %s); put the "
                      "shipped classifiers back",
                      folder, names[m], hex);
    for (int i = 0; i < v->threads && !st; i++) {
        st = nsfw_open(&v->lanes[i].model[m], v->lanes[i].device, data, bytes, &inner);
        if (st)
            why_fail(why, st, "%s/%s: %s", folder, names[m], inner.text);
    }
    free(data);
    return st;
}

static void sum_up(struct vision *v)
{
    uint8_t sha[32];

    crypto_sha256(sha, v->sha, (size_t)(SCORES_MODELS + v->safety_count) * sizeof(v->sha[0]));
    crypto_hex(v->sha_text, sha, sizeof(sha));
}

/* Pixels in, logits out. While it is measured there is no picture. */
static void run_lane(struct lane *l, struct scores *out, const struct image *image)
{
    struct device *d = l->device;
    size_t mark = arena_mark(&d->arena);
    struct tensor x = tensor_carve(&d->arena, d->dtype, 1, NSFW_SIZE, NSFW_SIZE, 3);
    struct tensor y = tensor_carve(&d->arena, d->dtype, 1, 1, 1, SCORES_CLASSES);

    if (image)
        resize_bilinear(l->pixels, NSFW_SIZE, NSFW_SIZE, image);
    d->ops.upload(d, x, l->pixels);
    for (int m = 0; m < SCORES_MODELS; m++) {
        nsfw_forward(l->model[m], y, x);
        d->ops.download(d, out->logit[m], y);
        out->has[m] = true;
    }
    arena_rewind(&d->arena, mark);
}

static enum status lane_open(struct lane *l, struct why *why)
{
    const struct device_options options = {
        .accelerator = ACCELERATOR_CPU, .precision = PRECISION_F32, .threads = 1};

    l->pixels = calloc((size_t)NSFW_SIZE * NSFW_SIZE * 3, sizeof(float));
    if (!l->pixels)
        return why_fail(why, ST_FULL, "no memory for the classifiers");
    return device_open(&l->device, options, why);
}

static enum status lane_measure(struct lane *l, struct why *why)
{
    struct scores none = {0};

    device_measure_begin(l->device);
    run_lane(l, &none, NULL);
    return device_measure_end(l->device, why);
}

/* Pictures that ask this checker; while it is measured, as many as there can be. */
static enum status run_safety(struct vision *v, int checker, struct scores *out,
                              const struct image *const *images, const int *safety, int count,
                              struct why *why)
{
    const struct image *asked[VISION_BATCH_MAX];
    float margin[VISION_BATCH_MAX];
    int place[VISION_BATCH_MAX], asking = 0;
    enum status st;

    for (int i = 0; i < count; i++) {
        if (safety[i] != checker)
            continue;
        asked[asking] = images[i];
        place[asking++] = i;
    }
    if (!asking)
        return ST_OK;
    st = safety_score(v->safety[checker], margin, asked, asking, why);
    for (int i = 0; i < asking && !st; i++) {
        out[place[i]].has_safety = true;
        out[place[i]].safety = margin[i];
    }
    return st;
}

static enum status measure_safety(struct vision *v, struct why *why)
{
    enum status st = ST_OK;

    device_measure_begin(v->wide);
    for (int i = 0; i < v->safety_count && !st; i++)
        st = safety_score(v->safety[i], NULL, NULL, VISION_BATCH_MAX, why);
    return st ? st : device_measure_end(v->wide, why);
}

static enum status open_all(struct vision *v, const char *folder, struct why *why)
{
    char *hashes = NULL;
    size_t bytes = 0;
    enum status st = ST_OK;

    for (int i = 0; i < v->threads && !st; i++)
        st = lane_open(&v->lanes[i], why);
    if (!st)
        st = read_file(&hashes, &bytes, folder, "hashes.txt", HASHES_MAX, why);
    for (int m = 0; m < SCORES_MODELS && !st; m++)
        st = open_model(v, (enum scores_model)m, folder, hashes, why);
    for (int i = 0; i < v->threads && !st; i++)
        st = lane_measure(&v->lanes[i], why);
    free(hashes);
    return st;
}

enum status vision_open(struct vision **out, const struct vision_options *o, struct why *why)
{
    struct vision *v = calloc(1, sizeof(*v));
    enum status st;

    *out = NULL;
    if (v) {
        v->threads = o->threads > 0 ? o->threads : 1;
        v->lanes = calloc((size_t)v->threads, sizeof(*v->lanes));
    }
    if (!v || !v->lanes) {
        free(v);
        return why_fail(why, ST_FULL, "no memory for the classifiers");
    }
    st = open_all(v, o->folder, why);
    if (st) {
        vision_close(&v);
        return st;
    }
    sum_up(v);
    *out = v;
    return ST_OK;
}

void vision_close(struct vision **v)
{
    struct vision *closing = *v;

    if (!closing)
        return;
    for (int i = 0; i < closing->safety_count; i++) {
        safety_close(&closing->safety[i]);
        free(closing->safety_folder[i]);
    }
    device_close(&closing->wide);
    for (int i = 0; i < closing->threads; i++)
        lane_close(&closing->lanes[i]);
    free(closing->lanes);
    free(closing);
    *v = NULL;
}

/* The newest checker is not to be: what was measured before serves again. */
static void drop_safety(struct vision *v)
{
    int last = --v->safety_count;

    safety_close(&v->safety[last]);
    free(v->safety_folder[last]);
    v->safety_folder[last] = NULL;
}

static enum status add_measured(struct vision *v, const char *folder, struct why *why)
{
    int number = v->safety_count++;
    enum status st;

    v->safety_folder[number] = strdup(folder);
    st = v->safety_folder[number] ? measure_safety(v, why)
                                  : why_fail(why, ST_FULL, "no memory for a safety checker");
    if (st) {
        drop_safety(v);
        if (measure_safety(v, NULL))
            why_fail(why, st, "no memory for the safety checkers");
        return st;
    }
    safety_sha256(v->safety[number], v->sha[SCORES_MODELS + number]);
    sum_up(v);
    return ST_OK;
}

static enum status open_safety(struct vision *v, const char *folder, struct why *why)
{
    const struct device_options options = {
        .accelerator = ACCELERATOR_CPU, .precision = PRECISION_F32, .threads = v->threads};
    struct why inner = {0};
    enum status st = ST_OK;

    if (v->safety_count == VISION_SAFETY_MAX)
        return why_fail(why, ST_FULL, "more than %d safety checkers", VISION_SAFETY_MAX);
    if (!v->wide)
        st = device_open(&v->wide, options, why);
    if (st)
        return st;
    device_enter(v->wide);
    st = safety_open(&v->safety[v->safety_count], v->wide, folder, &inner);
    if (st)
        return why_fail(why, st, "%s: %s", folder, inner.text);
    return add_measured(v, folder, why);
}

enum status vision_add_safety(struct vision *v, const char *model_folder, int *out, struct why *why)
{
    char folder[PATH_BYTES_MAX];
    enum status st;

    *out = -1;
    if (snprintf(folder, sizeof(folder), "%s/safety_checker", model_folder) >= (int)sizeof(folder))
        return why_fail(why, ST_INVALID, "the path of %.80s is too long", model_folder);
    if (access(folder, F_OK))
        return ST_OK;
    for (int i = 0; i < v->safety_count; i++) {
        if (strcmp(v->safety_folder[i], folder) == 0) {
            *out = i;
            return ST_OK;
        }
    }
    st = open_safety(v, folder, why);
    if (!st)
        *out = v->safety_count - 1;
    return st;
}

/* Every lane takes the next picture. A team is only called where there are two to do something. */
static enum status run_lanes(struct vision *v, struct scores *out,
                             const struct image *const *images, int count, struct why *why)
{
    const int team = count < v->threads ? count : v->threads;

#pragma omp parallel for num_threads(team) schedule(dynamic) if (team > 1)
    for (int i = 0; i < count; i++) {
        struct lane *l = &v->lanes[omp_get_thread_num()];

        device_enter(l->device);
        out[i] = (struct scores){.has_safety = false};
        run_lane(l, &out[i], images[i]);
    }
    for (int i = 0; i < v->threads; i++)
        if (device_sync(v->lanes[i].device))
            return why_fail(why, ST_DEVICE, "the device of the classifiers is broken");
    return ST_OK;
}

enum status vision_score(struct vision *v, struct scores *out, const struct image *const *images,
                         const int *safety, int count, struct why *why)
{
    enum status st;

    assert(count >= 1 && count <= VISION_BATCH_MAX);
    for (int i = 0; i < count; i++) {
        assert(images[i]->width > 0 && images[i]->height > 0);
        assert(!safety || (safety[i] >= -1 && safety[i] < v->safety_count));
    }
    st = run_lanes(v, out, images, count, why);
    if (!st && safety && v->wide)
        device_enter(v->wide);
    for (int i = 0; safety && i < v->safety_count && !st; i++)
        st = run_safety(v, i, out, images, safety, count, why);
    for (int i = 0; i < count && !st; i++) {
        if (!scores_are_finite(&out[i]))
            st = why_fail(why, ST_DEVICE, "a score of picture %d is no number", i + 1);
    }
    return st;
}

const char *vision_sha256(const struct vision *v)
{
    return v->sha_text;
}

const char *vision_file_sha256(const struct vision *v, enum scores_model model)
{
    return v->file_text[model];
}
