/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shifts.h - what time adds inside the UNet, for many steps of a picture at once.
 *
 * A timestep turns into a handful of numbers for every resnet, by small layers that cost a step
 * more for being asked for than for being computed. A picture's timesteps are known when it begins,
 * so these layers run once for SHIFTS_STEPS steps of it, and a step only looks its row up. What is
 * kept is bounded by that number: a picture of more steps reads again when it comes there.
 */
#ifndef MODELS_PARTS_SHIFTS_H
#define MODELS_PARTS_SHIFTS_H

#include "models/model.h"
#include "models/parts/model_parts.h"

#define SHIFTS_STEPS 50 /* more than most pictures take */

/* Shape of a latent's shifts, without memory: a row for each step, or two, the negative prompt's
   first, where the UNet looks at pooled prompts. */
void shifts_shape(const struct model_parts *p, struct latent *l, enum dtype dtype);

/* Read those of the step that is next, and of as many as there is room for after it; does nothing
   where this step's have been read. From the picture's plan and l->added. */
void shifts_read(const struct model_parts *p, struct latent *l, struct device *d);

/* [1, 1, 1, shift_width] for the step that is next; row 0 is the negative prompt's, 1 the
   prompt's. */
struct tensor shifts_row(const struct latent *l, int row);

#endif /* MODELS_PARTS_SHIFTS_H */
