/* SPDX-License-Identifier: Apache-2.0 */
/* Attention for a tile of queries, TILE_COLS keys at a time. The first walk over the keys finds
   each query's largest score; the second weighs by exp(score - largest) and sums the values. The
   scores are computed in both: nothing of length S is ever kept. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <assert.h>
#include <math.h>

struct head {
    struct tensor y, q, k, v; /* [B, 1, T or S, D]: one head's columns */
    double scale;
    bool causal;
};

/* One tile of queries of one image on its way. */
struct tile {
    int64_t image, from, count;
    double score[TILE_ROWS][TILE_COLS];
    double largest[TILE_ROWS], weight[TILE_ROWS];
    double sum[TILE_ROWS][TILE_DEPTH]; /* columns [column, column + columns) of the output */
    int64_t column, columns;
};

/* Scores of the tile's queries against keys [s, s + keys); what may not be seen is -infinity. */
static void scores(struct tile *t, const struct head *h, int64_t s, int64_t keys)
{
    struct panel panel;
    double line[TILE_DEPTH];
    int64_t dim = h->q.dim[3];

    for (int64_t i = 0; i < t->count; i++)
        for (int j = 0; j < TILE_COLS; j++)
            t->score[i][j] = 0;
    for (int64_t at = 0; at < dim; at += TILE_DEPTH) {
        int64_t depth = reference_least(TILE_DEPTH, dim - at);
        for (int64_t j = 0; j < TILE_COLS; j++) {
            int64_t key = s + reference_least(j, keys - 1);
            reference_load(line, h->k, t->image * h->k.dim[2] + key, at, depth);
            for (int64_t k = 0; k < depth; k++)
                panel.at[k][j] = line[k];
        }
        for (int64_t i = 0; i < t->count; i++) {
            reference_load(line, h->q, t->image * h->q.dim[2] + t->from + i, at, depth);
            reference_dot(t->score[i], line, &panel, depth);
        }
    }
    for (int64_t i = 0; i < t->count; i++)
        for (int64_t j = 0; j < TILE_COLS; j++) {
            bool seen = j < keys && !(h->causal && s + j > t->from + i);
            t->score[i][j] = seen ? t->score[i][j] * h->scale : -INFINITY;
        }
}

static void find_largest(struct tile *t, const struct head *h)
{
    for (int64_t i = 0; i < t->count; i++)
        t->largest[i] = -INFINITY;
    for (int64_t s = 0; s < h->k.dim[2]; s += TILE_COLS) {
        scores(t, h, s, reference_least(TILE_COLS, h->k.dim[2] - s));
        for (int64_t i = 0; i < t->count; i++)
            for (int j = 0; j < TILE_COLS; j++)
                t->largest[i] = fmax(t->largest[i], t->score[i][j]);
    }
}

/* Add the values of keys [s, s + keys), weighed by the scores just computed. */
static void weigh(struct tile *t, const struct head *h, int64_t s, int64_t keys)
{
    double value[TILE_COLS][TILE_DEPTH];

    for (int64_t j = 0; j < keys; j++)
        reference_load(value[j], h->v, t->image * h->v.dim[2] + s + j, t->column, t->columns);
    for (int64_t i = 0; i < t->count; i++) {
        for (int64_t j = 0; j < keys; j++) {
            double weight = exp(t->score[i][j] - t->largest[i]);
            if (weight == 0)
                continue;
            t->weight[i] += weight;
            for (int64_t c = 0; c < t->columns; c++)
                t->sum[i][c] += weight * value[j][c];
        }
    }
}

static void attend(struct tile *t, const struct head *h)
{
    find_largest(t, h);
    for (t->column = 0; t->column < h->y.dim[3]; t->column += TILE_DEPTH) {
        t->columns = reference_least(TILE_DEPTH, h->y.dim[3] - t->column);
        for (int64_t i = 0; i < t->count; i++) {
            t->weight[i] = 0;
            for (int64_t c = 0; c < t->columns; c++)
                t->sum[i][c] = 0;
        }
        for (int64_t s = 0; s < h->k.dim[2]; s += TILE_COLS) {
            int64_t keys = reference_least(TILE_COLS, h->k.dim[2] - s);
            scores(t, h, s, keys);
            weigh(t, h, s, keys);
        }
        for (int64_t i = 0; i < t->count; i++) {
            for (int64_t c = 0; c < t->columns; c++)
                t->sum[i][c] /= t->weight[i];
            reference_store(h->y, t->image * h->y.dim[2] + t->from + i, t->column, t->columns,
                            t->sum[i]);
        }
    }
}

void reference_attention(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                         struct tensor v, int heads, float scale, bool causal)
{
    int64_t dim = q.dim[3] / heads, tokens = q.dim[2];

    shape_attention(y, q, k, v, heads);
#pragma omp parallel for collapse(3) num_threads(d->threads)
    for (int64_t image = 0; image < q.dim[0]; image++) {
        for (int64_t head = 0; head < heads; head++) {
            for (int64_t from = 0; from < tokens; from += TILE_ROWS) {
                struct head h = {
                    .y = tensor_columns(y, head * dim, dim),
                    .q = tensor_columns(q, head * dim, dim),
                    .k = tensor_columns(k, head * dim, dim),
                    .v = tensor_columns(v, head * dim, dim),
                    .scale = (double)scale,
                    .causal = causal,
                };
                struct tile t;

                t.image = image;
                t.from = from;
                t.count = reference_least(TILE_ROWS, tokens - from);
                attend(&t, &h);
            }
        }
    }
}
