/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost.h - what a picture costs on a device: measured while it works, and foretold from that.
 *
 * A step is measured by the picture's shape and by how many rows of the network it took (one for a
 * picture without guidance, two with it); everything else of a picture (text, decoding) by its
 * shape alone. What was not measured is guessed from what was: between two numbers of rows on a
 * line, past the last one a little better than as many times, so that a larger batch is tried once
 * and then known; another size of the same model by its pixels.
 *
 * A file keeps what one start learned for the next. Plain data, no lock: one owner at a time.
 */
#ifndef ENGINE_COST_H
#define ENGINE_COST_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define COST_SHAPES_MAX 64
#define COST_ROWS_MAX   128

/* What pictures must share to go through a network together. */
struct cost_shape {
    int model; /* index in the engine */
    int width, height;
};

struct cost_entry {
    struct cost_shape shape;
    int64_t used;                     /* turn of the last use; 0: free */
    float step_us[COST_ROWS_MAX + 1]; /* by rows; 0: never measured */
    float rest_us;                    /* of one picture; 0: never measured */
};

struct costs {
    int64_t turn;
    struct cost_entry entry[COST_SHAPES_MAX]; /* the least recently used one goes */
};

bool cost_shape_is(struct cost_shape a, struct cost_shape b);

void cost_learn_step(struct costs *c, struct cost_shape shape, int rows, int64_t us);
void cost_learn_rest(struct costs *c, struct cost_shape shape, int64_t us);

/* Was this very step measured? Of 0 rows: the rest of a picture. */
bool cost_is_measured(const struct costs *c, struct cost_shape shape, int rows);

/* Microseconds of a step of `rows` rows, and of the rest of a picture. 0: nothing is known of this
   model. */
double cost_step(const struct costs *c, struct cost_shape shape, int rows);
double cost_rest(const struct costs *c, struct cost_shape shape);

/* The fewest pictures of `rows` rows each, at most `most`, that go through the network together at
   nearly the best rate there is: more would only make everybody wait. */
int cost_batch(const struct costs *c, struct cost_shape shape, int rows, int most);

/* Lines of "shape rows us", behind one that names the device: what another device wrote is not
   taken, unless `device` is NULL. A file that is absent, or that nobody can read any more, is no
   error: it is written anew. Models are told by name. */
void cost_load(struct costs *c, const char *path, const char *device, const char *const *models,
               int count);
MUST_USE enum status cost_save(const struct costs *c, const char *path, const char *device,
                               const char *const *models, int count, struct why *why);

#endif /* ENGINE_COST_H */
