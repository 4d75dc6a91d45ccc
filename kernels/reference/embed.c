/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors for tokens and for points in time. */
#include "kernels/reference/reference.h"
#include "kernels/shape.h"

#include <assert.h>
#include <math.h>

void reference_embed_tokens(struct device *d, struct tensor y, struct tensor ids,
                            struct tensor table, struct tensor position)
{
    int64_t rows = tensor_rows(y);
    const int32_t *id = ids.data;

    shape_embed_tokens(y, ids, table, position);
#pragma omp parallel for num_threads(d->threads)
    for (int64_t row = 0; row < rows; row++) {
        double piece[PIECE], place[PIECE];

        assert(id[row] >= 0 && id[row] < tensor_rows(table));
        for (int64_t at = 0; at < y.dim[3]; at += PIECE) {
            int64_t count = reference_least(PIECE, y.dim[3] - at);
            reference_load(piece, table, id[row], at, count);
            reference_load(place, position, row % y.dim[2], at, count);
            for (int64_t i = 0; i < count; i++)
                piece[i] += place[i];
            reference_store(y, row, at, count, piece);
        }
    }
}

void reference_embed_time(struct device *d, struct tensor y, struct tensor t, bool flip,
                          float freq_shift)
{
    int64_t half = y.dim[3] / 2;
    int64_t sines = flip ? half : 0, cosines = flip ? 0 : half;

    (void)d;
    shape_embed_time(y, t);
    for (int64_t b = 0; b < y.dim[0]; b++) {
        for (int64_t i = 0; i < half; i++) {
            /* Each step rounds to float32, exactly as the models were trained. */
            float exponent = -(float)log(10000.0) * (float)i;
            exponent = exponent / ((float)half - freq_shift);
            float frequency = (float)exp((double)exponent);
            float angle = *(const float *)tensor_row(t, b) * frequency;
            double sine = sin((double)angle), cosine = cos((double)angle);

            reference_store(y, b, sines + i, 1, &sine);
            reference_store(y, b, cosines + i, 1, &cosine);
        }
    }
}
