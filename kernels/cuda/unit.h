/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - eight numbers beside each other: what a thread of a fast kernel takes at a time, in
 * loads and stores of 16 bytes. Addresses are aligned to 16.
 */
#ifndef KERNELS_CUDA_UNIT_H
#define KERNELS_CUDA_UNIT_H

#include "kernels/cuda/number.h"

enum { UNIT = 8 };

/* As they lie in memory. A kernel that loads several before it looks at the first waits once. */
template <typename T> struct unit {
    enum { PACKS = UNIT * sizeof(T) / 16 };
    number_pack<T> pack[PACKS];
};

template <typename T>
static __device__ __forceinline__ void unit_get(float *out, const struct unit<T> &u)
{
#pragma unroll
    for (int j = 0; j < UNIT; j++)
        out[j] = number_get(u.pack[j / number_pack<T>::COUNT].at[j % number_pack<T>::COUNT]);
}

template <typename T>
static __device__ __forceinline__ void unit_fetch(struct unit<T> *u, const T *from)
{
#pragma unroll
    for (int i = 0; i < unit<T>::PACKS; i++)
        u->pack[i] = reinterpret_cast<const number_pack<T> *>(from)[i];
}

template <typename T> static __device__ __forceinline__ void unit_load(float *out, const T *from)
{
    struct unit<T> u;

    unit_fetch(&u, from);
    unit_get(out, u);
}

template <typename T> static __device__ __forceinline__ void unit_store(T *to, const float *in)
{
#pragma unroll
    for (int i = 0; i < UNIT; i += number_pack<T>::COUNT)
        number_pack_store(to + i, in + i);
}

#endif /* KERNELS_CUDA_UNIT_H */
