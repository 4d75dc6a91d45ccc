/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.h - how the GPUs of this machine are: heat, power, memory, bit errors.
 *
 * Asked of NVIDIA's management library, which comes with the driver and is looked for at run time:
 * where there is none there are no GPUs to tell of. GPUs are named by their PCI address, since the
 * library counts them in another order than CUDA may.
 */
#ifndef KERNELS_HEALTH_H
#define KERNELS_HEALTH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_GPUS_MAX 16
#define HEALTH_UNKNOWN  (-1.0) /* this GPU does not tell */

struct health_gpu {
    char pci[32];               /* "00000000:81:00.0" */
    double temperature_celsius; /* all of these HEALTH_UNKNOWN when the GPU does not tell */
    double power_watts;
    double memory_used_bytes, memory_total_bytes;
    double ecc_corrected, ecc_uncorrected; /* errors since the driver was loaded */
    double slowed; /* 1: the clocks are held down by heat or power, else 0 */
};

struct health;

/* NULL when there is no such library; everything else takes NULL. */
struct health *health_open(void);
void health_close(struct health **h);

/* Milliseconds. How many GPUs were written. From one thread at a time. */
int health_read(struct health *h, struct health_gpu gpus[HEALTH_GPUS_MAX]);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_HEALTH_H */
