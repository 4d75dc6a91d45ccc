/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate.h - show a device that keeps numbers narrow what a model's numbers are like.
 *
 * A few pictures that have nothing to do with each other are denoised from their noise to their
 * end, so that every layer of the UNet sees every noise level, with a prompt and without. The same
 * ones each time: a device settles on the same scales at every start. Seconds on a GPU.
 */
#ifndef MODELS_CALIBRATE_H
#define MODELS_CALIBRATE_H

#include "models/model.h"

/* With a latent that has room for width x height. Does nothing on a device whose precision needs no
   calibration. ST_DEVICE when the device fails. */
MUST_USE enum status calibrate_run(const struct model *m, struct device *d, struct latent *l,
                                   int width, int height, struct why *why);

#endif /* MODELS_CALIBRATE_H */
