/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/safety.h"

#include "base/crypto.h"
#include "kernels/half.h"
#include "models/image_encoder.h"
#include "moderation/resize.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MAX = 8,
    CONCEPTS_MAX = 256,
};

#define CARE 0.01 /* what a special concept adds to what follows it */

/* Vectors of length 1, and the cosine beyond which each counts. */
struct concepts {
    int count;
    float *vector; /* [count][projection] */
    float *threshold;
};

struct safety {
    struct device *device;
    struct image_encoder *encoder;
    int size, projection;
    struct concepts special, concept;
    uint8_t *pixels; /* [BATCH_MAX][size][size][3] */
    float *vector;   /* [BATCH_MAX][projection] */
    uint8_t sha[32];
};

/* Python's round(x, 3): the decimal nearest to the very number, as printf finds it. */
static double rounded(double x)
{
    char text[64];

    if (!isfinite(x))
        return x;
    snprintf(text, sizeof(text), "%.3f", x);
    return strtod(text, NULL);
}

double safety_margin(const struct safety_concepts *c)
{
    double adjustment = 0, most = -INFINITY;

    for (int i = 0; i < c->special_count; i++) {
        double margin =
            rounded((double)c->special[i] - (double)c->special_threshold[i] + adjustment);

        if (margin > 0)
            adjustment = CARE;
    }
    for (int i = 0; i < c->count; i++) {
        double margin = rounded((double)c->concept[i] - (double)c->threshold[i] + adjustment);

        if (isnan(margin))
            return margin;
        most = fmax(most, margin);
    }
    return most;
}

static float number_at(struct tensor t, int64_t i)
{
    if (t.dtype == DTYPE_F16)
        return half_to_float(((const uint16_t *)t.data)[i]);
    if (t.dtype == DTYPE_BF16)
        return bf16_to_float(((const uint16_t *)t.data)[i]);
    return ((const float *)t.data)[i];
}

/* Divided by its length as torch's normalize does. */
static void to_unit(float *vector, int count)
{
    double sum = 0, length;

    for (int i = 0; i < count; i++)
        sum += (double)vector[i] * (double)vector[i];
    length = fmax(sqrt(sum), 1e-12);
    for (int i = 0; i < count; i++)
        vector[i] = (float)(vector[i] / length);
}

static enum status read_floats(float **out, const struct weights *file, const char *name,
                               const int64_t dim[4], struct tensor *found, struct why *why)
{
    struct tensor t;
    enum status st = weights_need(file, name, dim, &t, why);

    if (st)
        return st;
    if (!dtype_is_float(t.dtype))
        return why_fail(why, ST_INVALID, "%s holds %s, not floats", name, dtype_name(t.dtype));
    *out = calloc((size_t)tensor_count(t), sizeof(float));
    if (!*out)
        return why_fail(why, ST_FULL, "no memory for %s", name);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        (*out)[i] = number_at(t, i);
        if (!isfinite((*out)[i]))
            return why_fail(why, ST_INVALID, "%s holds a number that is not finite", name);
    }
    *found = t;
    return ST_OK;
}

static enum status read_concepts(struct safety *s, struct concepts *c, const char *vectors,
                                 const char *thresholds, struct why *why)
{
    const struct weights *file = image_encoder_file(s->encoder);
    struct tensor t = {0};
    enum status st =
        read_floats(&c->vector, file, vectors, (int64_t[4]){1, 1, 0, s->projection}, &t, why);

    if (!st && t.dim[2] > CONCEPTS_MAX)
        st = why_fail(why, ST_INVALID, "%s has more than %d rows", vectors, CONCEPTS_MAX);
    c->count = st ? 0 : (int)t.dim[2];
    for (int i = 0; i < c->count; i++)
        to_unit(c->vector + (size_t)i * (size_t)s->projection, s->projection);
    if (!st)
        st = read_floats(&c->threshold, file, thresholds, (int64_t[4]){1, 1, 1, c->count}, &t, why);
    return st;
}

/* A hash of hashes, so that shards and variants of one file need not be put together. */
static enum status hash(struct safety *s, struct why *why)
{
    const struct weights *file = image_encoder_file(s->encoder);
    const size_t count = weights_count(file);
    uint8_t *list = malloc((count + 1) * 64);

    if (!list)
        return why_fail(why, ST_FULL, "no memory to hash a safety checker");
    for (size_t i = 0; i < count; i++) {
        const char *name = weights_name(file, i);
        struct tensor t;
        enum status st = weights_find(file, name, &t, why);

        if (st) {
            free(list);
            return st;
        }
        crypto_sha256(list + i * 64, name, strlen(name));
        crypto_sha256(list + i * 64 + 32, t.data, tensor_bytes(t));
    }
    crypto_sha256(s->sha, list, count * 64);
    free(list);
    weights_release_pages(file);
    return ST_OK;
}

static enum status take_room(struct safety *s, struct why *why)
{
    const size_t side = (size_t)s->size;

    s->pixels = malloc(BATCH_MAX * side * side * 3);
    s->vector = malloc(BATCH_MAX * (size_t)s->projection * sizeof(float));
    return s->pixels && s->vector ? ST_OK : why_fail(why, ST_FULL, "no memory for pictures");
}

enum status safety_open(struct safety **out, struct device *d, const char *folder, struct why *why)
{
    struct safety *s = calloc(1, sizeof(*s));
    enum status st;

    *out = NULL;
    if (!s)
        return why_fail(why, ST_FULL, "no memory for a safety checker");
    s->device = d;
    st = image_encoder_open(&s->encoder, d, folder, why);
    if (!st) {
        s->size = image_encoder_size(s->encoder);
        s->projection = image_encoder_projection(s->encoder);
        st = read_concepts(s, &s->special, "special_care_embeds", "special_care_embeds_weights",
                           why);
    }
    if (!st)
        st = read_concepts(s, &s->concept, "concept_embeds", "concept_embeds_weights", why);
    if (!st)
        st = hash(s, why);
    if (!st)
        st = take_room(s, why);
    if (st)
        safety_close(&s);
    *out = s;
    return st;
}

static void concepts_close(struct concepts *c)
{
    free(c->vector);
    free(c->threshold);
}

void safety_close(struct safety **s)
{
    if (!*s)
        return;
    image_encoder_close(&(*s)->encoder);
    concepts_close(&(*s)->special);
    concepts_close(&(*s)->concept);
    free((*s)->pixels);
    free((*s)->vector);
    free(*s);
    *s = NULL;
}

static void cosines(const struct safety *s, float *out, const struct concepts *c,
                    const float *vector)
{
    for (int i = 0; i < c->count; i++) {
        const float *concept = c->vector + (size_t)i * (size_t)s->projection;
        double sum = 0;

        for (int k = 0; k < s->projection; k++)
        sum += (double)concept[k] * (double)vector[k];
        out[i] = (float)sum;
    }
}

static float margin_of(const struct safety *s, float *vector)
{
    float special[CONCEPTS_MAX], concept[CONCEPTS_MAX];
    const struct safety_concepts c = {
        .special = special,
        .special_threshold = s->special.threshold,
        .special_count = s->special.count,
        .concept = concept,
        .threshold = s->concept.threshold,
        .count = s->concept.count,
    };

    to_unit(vector, s->projection);
    cosines(s, special, &s->special, vector);
    cosines(s, concept, &s->concept, vector);
    return (float)safety_margin(&c);
}

enum status safety_score(struct safety *s, float *margin, const struct image *const *images,
                         int count, struct why *why)
{
    struct device *d = s->device;
    size_t mark = arena_mark(&d->arena);
    const size_t bytes = (size_t)s->size * (size_t)s->size * 3;
    const uint8_t *pictures[BATCH_MAX];
    struct tensor y = tensor_carve(&d->arena, d->dtype, count, 1, 1, s->projection);
    enum status st = ST_OK;

    assert(count >= 1 && count <= BATCH_MAX && d->dtype == DTYPE_F32);
    for (int i = 0; i < count && images && !st; i++) {
        pictures[i] = s->pixels + (size_t)i * bytes;
        st = resize_bicubic_middle(s->pixels + (size_t)i * bytes, s->size, images[i], why);
    }
    if (!st) {
        image_encoder_forward(s->encoder, y, images ? pictures : NULL);
        d->ops.download(d, s->vector, y);
        if (device_sync(d))
            st = why_fail(why, ST_DEVICE, "the device of the safety checker is broken");
    }
    arena_rewind(&d->arena, mark);
    for (int i = 0; i < count && images && !st; i++)
        margin[i] = margin_of(s, s->vector + (size_t)i * (size_t)s->projection);
    return st;
}

void safety_sha256(const struct safety *s, uint8_t out[32])
{
    memcpy(out, s->sha, sizeof(s->sha));
}
