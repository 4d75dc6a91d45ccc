/* SPDX-License-Identifier: Apache-2.0 */
/* cores.h - how many processor cores this process may really use. */
#ifndef KERNELS_CORES_H
#define KERNELS_CORES_H

#ifdef __cplusplus
extern "C" {
#endif

/* Physical cores among the processors this process may run on, but no more than its control group
   is given time for; at least 1. Two hyperthreads of one core count once, because a kernel that
   keeps the arithmetic units busy gains nothing from the second. */
int cores_usable(void);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_CORES_H */
