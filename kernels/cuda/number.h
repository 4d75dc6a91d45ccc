/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number.h - numbers of three types in kernels, computed with in f32.
 *
 * Kernels that are fast are templates on the element type T: float, __half or __nv_bfloat16, picked
 * once on the host by `number_pick`. Rung 0 reads and writes any type of any tensor by a switch:
 * slow, short, and right for every mixture that the table of ops allows.
 */
#ifndef KERNELS_CUDA_NUMBER_H
#define KERNELS_CUDA_NUMBER_H

#include "kernels/tensor.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

static __device__ __forceinline__ float number_get(float x)
{
    return x;
}

static __device__ __forceinline__ float number_get(__half x)
{
    return __half2float(x);
}

static __device__ __forceinline__ float number_get(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

static __device__ __forceinline__ void number_put(float *at, float x)
{
    *at = x;
}

static __device__ __forceinline__ void number_put(__half *at, float x)
{
    *at = __float2half(x);
}

static __device__ __forceinline__ void number_put(__nv_bfloat16 *at, float x)
{
    *at = __float2bfloat16(x);
}

/* 16 bytes of T: what a thread loads and stores at once. Aligned addresses only. */
template <typename T> struct alignas(16) number_pack {
    enum { COUNT = 16 / sizeof(T) };
    T at[COUNT];
};

template <typename T>
static __device__ __forceinline__ void number_pack_load(float *out, const T *from)
{
    const number_pack<T> pack = *reinterpret_cast<const number_pack<T> *>(from);

#pragma unroll
    for (int i = 0; i < number_pack<T>::COUNT; i++)
        out[i] = number_get(pack.at[i]);
}

template <typename T>
static __device__ __forceinline__ void number_pack_store(T *to, const float *in)
{
    number_pack<T> pack;

#pragma unroll
    for (int i = 0; i < number_pack<T>::COUNT; i++)
        number_put(&pack.at[i], in[i]);
    *reinterpret_cast<number_pack<T> *>(to) = pack;
}

/* A tensor as a kernel's argument: rows of columns, evenly spaced, of any float type. */
struct number_rows {
    void *data; /* NULL: absent */
    int64_t stride;
    enum dtype dtype;
};

static inline struct number_rows number_rows_of(struct tensor t)
{
    struct number_rows rows = {t.data, t.stride, t.dtype};

    return rows;
}

static __device__ __forceinline__ float number_load(struct number_rows t, int64_t row,
                                                    int64_t column)
{
    int64_t i = row * t.stride + column;

    if (t.dtype == DTYPE_F32)
        return static_cast<const float *>(t.data)[i];
    if (t.dtype == DTYPE_F16)
        return __half2float(static_cast<const __half *>(t.data)[i]);
    return __bfloat162float(static_cast<const __nv_bfloat16 *>(t.data)[i]);
}

static __device__ __forceinline__ void number_store(struct number_rows t, int64_t row,
                                                    int64_t column, float x)
{
    int64_t i = row * t.stride + column;

    if (t.dtype == DTYPE_F32)
        static_cast<float *>(t.data)[i] = x;
    else if (t.dtype == DTYPE_F16)
        static_cast<__half *>(t.data)[i] = __float2half(x);
    else
        static_cast<__nv_bfloat16 *>(t.data)[i] = __float2bfloat16(x);
}

/* Call f with a zero of the element type that `dtype` names: number_pick(y.dtype, [&](auto zero) {
   using T = decltype(zero); launch(..., kernel<T>, ...); }); */
template <typename F> static void number_pick(enum dtype dtype, F f)
{
    if (dtype == DTYPE_F32)
        f(0.0f);
    else if (dtype == DTYPE_F16)
        f(__half());
    else
        f(__nv_bfloat16());
}

/* May a row-wise tensor be read in packs of 16 bytes? */
static inline bool number_packs(struct tensor t)
{
    int64_t pack = 16 / (int64_t)dtype_bytes(t.dtype);

    return (uintptr_t)t.data % 16 == 0 && t.stride % pack == 0 && t.dim[3] % pack == 0;
}

#endif /* KERNELS_CUDA_NUMBER_H */
