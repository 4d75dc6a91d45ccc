/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_engine.h - the part of the metrics page that tells of pictures. Private to the page.
 */
#ifndef SERVER_METRICS_ENGINE_H
#define SERVER_METRICS_ENGINE_H

#include "server/exposition.h"
#include "server/metrics.h"

/* What people wait for: nine bounds to every power of ten, from half a millisecond to ten
   minutes. */
extern const struct exposition_bounds metrics_latency_bounds;

/* Refusals by reason; `e` may be NULL. */
void metrics_write_refusals(FILE *page, const struct metrics *m, const struct engine_stats *stats);

/* Stages, pictures, steps, batches, promises. */
void metrics_write_engine(FILE *page, const struct metrics *m, const struct stages *s);

#endif /* SERVER_METRICS_ENGINE_H */
