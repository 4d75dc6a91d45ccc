/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h - which devices to compute on, from the words an operator says.
 */
#ifndef KERNELS_DEVICES_H
#define KERNELS_DEVICES_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DEVICES_MAX 16

struct devices {
    struct device_options device[DEVICES_MAX];
    int count;
};

/* "cpu"; "cuda": every GPU that can be used; "cuda:0,2": these; "auto": every GPU that can be used,
   or else the CPU, and the log says why. The options are `like` but for accelerator and index.
   ST_INVALID for other words, ST_UNSUPPORTED when a GPU is asked for that cannot be used; the
   sentence says which and why. */
MUST_USE enum status devices_find(struct devices *out, const char *words,
                                  struct device_options like, struct why *why);

/* "auto", "f32", "mixed", "bf16", "f16" or "fp8"; ST_INVALID lists them. */
MUST_USE enum status devices_precision(enum precision *out, const char *word, struct why *why);
const char *devices_precision_name(enum precision precision);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_DEVICES_H */
