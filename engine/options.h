/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - what an engine is opened with, filled in and checked.
 */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include "engine/engine.h"

#define OPTIONS_FINISH_MAX 16 /* threads that finish pictures */

/* Zeros become defaults. ST_INVALID says what cannot be. */
MUST_USE enum status options_check(struct engine_options *o, struct why *why);

#endif /* ENGINE_OPTIONS_H */
