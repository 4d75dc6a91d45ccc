/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.h - the loader's hand: takes named weights from a file and puts them on a device.
 *
 * A network's loader reads as the list of what it consists of. The first failure sticks, every
 * later call does nothing, and the loader looks at `status` once at its end:
 *
 *     params_linear(p, &b->query, width, width, false, "%s.attn1.to_q", name);
 *     params_vector(p, &b->norm.gamma, width, "%s.norm1.weight", name);
 *
 * The params own everything they put on the device, until params_close.
 */
#ifndef MODELS_PARAMS_H
#define MODELS_PARAMS_H

#include "kernels/device.h"
#include "models/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

struct params {
    struct device *device;
    struct weights *file; /* owned: mapped as long as the network lives */
    enum status status;
    struct why *why;         /* only valid while loading */
    struct weight **weights; /* what to free: borrowed from the network */
    size_t weight_count, weight_size;
    struct tensor *blocks; /* vectors and tables in the device's memory */
    size_t block_count, block_size;
    const void **taken; /* numbers of the file that somebody asked for */
    size_t taken_count, taken_size;
    size_t packed_bytes; /* since the file's pages were last given back */
};

struct norm {
    struct tensor gamma, beta; /* f32 [1, 1, 1, C] */
};

/* Map a file (see weights_open) and start. Check p->status. */
void params_open(struct params *p, struct device *device, const char *path, struct why *why);

/* The weight's address must stay valid until params_close. Names are FORMAT + ".weight" and, if
   `bias`, ".bias". A linear layer may be stored as a 1x1 convolution and the other way round. */
void params_linear(struct params *p, struct weight *w, int64_t outputs, int64_t inputs, bool bias,
                   const char *format, ...) PRINTF_LIKE(6, 7);

struct conv_shape {
    int64_t outputs, inputs; /* inputs per group: 1 for a depthwise convolution */
    int kernel, stride;
    int pad[4];
    bool bias;
    bool up; /* for conv_up */
};
void params_conv(struct params *p, struct weight *w, struct conv_shape shape, const char *format,
                 ...) PRINTF_LIKE(4, 5);

/* A convolution [outputs, inputs, side, side] whose windows lie side by side, as the linear layer
   that it is: to a row of `inputs * side * side` numbers, channel by channel, line by line. No
   bias. */
void params_patches(struct params *p, struct weight *w, int64_t outputs, int64_t inputs, int side,
                    const char *format, ...) PRINTF_LIKE(6, 7);

/* Scale and shift, FORMAT + ".weight" and ".bias", as f32. */
void params_norm(struct params *p, struct norm *norm, int64_t channels, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* A table [rows, C] on the device, in the file's own type, any float. */
void params_table(struct params *p, struct tensor *table, int64_t rows, int64_t channels,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* Did the loader take every tensor of the file? Leftovers are listed in a warning on the log. */
void params_finish(struct params *p);
void params_close(struct params *p);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_PARAMS_H */
