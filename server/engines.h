/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engines.h - the engine that serves, and the one before it for as long as somebody has it.
 *
 * Models are changed by putting a fresh engine in the place of the one that serves. Whoever has the
 * old one keeps it until he is done: a request holds the engine that it was read for, and its
 * pictures hold it until the last of them is back, so none is lost and none changes its model on
 * the way. The main thread closes what nobody holds any more.
 *
 *     engine = engines_take(engines);   NULL: none serves
 *     ...
 *     engines_put(engines, engine);
 */
#ifndef SERVER_ENGINES_H
#define SERVER_ENGINES_H

#include "engine/engine.h"

struct engines;

MUST_USE enum status engines_open(struct engines **out); /* ST_FULL without memory */
void engines_close(struct engines **engines);            /* after engines_stop */

/* From any thread; none waits for longer than a copy takes. */
struct engine *engines_take(struct engines *engines);
void engines_hold(struct engines *engines, struct engine *engine); /* once more, by who has it */
void engines_put(struct engines *engines, struct engine *engine);
bool engines_any(struct engines *engines);         /* does one serve? */
bool engines_are_healthy(struct engines *engines); /* none of them failed */
/* What all have counted since the start, those that are gone included. */
void engines_get_stats(struct engines *engines, struct engine_stats *out);

/* The fresh one serves from now on; nobody but the one before it may be held, if any. */
void engines_swap(struct engines *engines, struct engine *fresh);
/* Close the one before, unless somebody has it; true: there is none any more. Waits for threads to
   end. */
bool engines_sweep(struct engines *engines);
/* None serves any more, and what is not finished is given up. Who still holds one may put it. */
void engines_stop(struct engines *engines);

#endif /* SERVER_ENGINES_H */
