/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa.h - instructions that C++ has no words for, one thin wrapper each.
 *
 * Kernels use nothing below this level, so that tests/cuda_on_cpu/ can give the same names another
 * inside and run the kernels on a CPU. What each does is what the PTX manual says of the
 * instruction in its comment.
 */
#ifndef KERNELS_CUDA_ISA_H
#define KERNELS_CUDA_ISA_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <stdint.h>

/* The block's dynamic shared memory, aligned to 128 bytes. */
template <typename T> static __device__ __forceinline__ T *shared_dynamic(void)
{
    extern __shared__ __align__(128) unsigned char isa_shared[];

    return reinterpret_cast<T *>(isa_shared);
}

static __device__ __forceinline__ uint32_t shared_address(const void *shared)
{
    return (uint32_t)__cvta_generic_to_shared(shared);
}

/* cp.async.cg: 16 bytes into shared memory, landing some time before the group's wait; zeros when
   not valid, and then nothing is read. Both addresses are aligned to 16. */
static __device__ __forceinline__ void copy_async_16(void *shared, const void *global, bool valid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)),
                 "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
}

/* cp.async.commit_group: what this thread copied since the last commit is one group. */
static __device__ __forceinline__ void copy_async_commit(void)
{
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}

/* cp.async.wait_group: all but this thread's newest N groups have landed. */
template <int N> static __device__ __forceinline__ void copy_async_wait(void)
{
    asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}

/* ldmatrix .x4 .b16: four 8x8 matrices of 16-bit numbers; lane i names row i % 8 of matrix i / 8.
 */
static __device__ __forceinline__ void matrix_load_x4(uint32_t r[4], const void *shared_row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

/* The same, each matrix transposed on the way. */
static __device__ __forceinline__ void matrix_load_x4_trans(uint32_t r[4], const void *shared_row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

/* mma.m16n8k16: c[16, 8] += a[16, 16] b[16, 8], f32 sums; fragments as the PTX manual lays them out
   over the 32 lanes. */
template <typename T>
static __device__ __forceinline__ void mma_16816(float c[4], const uint32_t a[4],
                                                 const uint32_t b[2]);

template <>
__device__ __forceinline__ void mma_16816<__nv_bfloat16>(float c[4], const uint32_t a[4],
                                                         const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <>
__device__ __forceinline__ void mma_16816<__half>(float c[4], const uint32_t a[4],
                                                  const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Clusters of blocks (sm_90): who am I, how many are we, wait for all, and the place of a
   neighbour's copy of an address of my shared memory. On older chips a block is alone. */
static __device__ __forceinline__ unsigned cluster_rank(void)
{
    unsigned rank = 0;

#if __CUDA_ARCH__ >= 900
    asm volatile("mov.u32 %0, %%cluster_ctarank;\n" : "=r"(rank));
#endif
    return rank;
}

static __device__ __forceinline__ unsigned cluster_size(void)
{
    unsigned size = 1;

#if __CUDA_ARCH__ >= 900
    asm volatile("mov.u32 %0, %%cluster_nctarank;\n" : "=r"(size));
#endif
    return size;
}

static __device__ __forceinline__ void cluster_sync(void)
{
#if __CUDA_ARCH__ >= 900
    /* Not .aligned: a warp whose lanes left a loop at different times may come apart. */
    asm volatile("barrier.cluster.arrive.release;\n"
                 "barrier.cluster.wait.acquire;\n" ::
                     : "memory");
#else
    __syncthreads();
#endif
}

template <typename T> static __device__ __forceinline__ T *cluster_map(T *shared, unsigned rank)
{
#if __CUDA_ARCH__ >= 900
    uint64_t there;

    asm volatile("mapa.u64 %0, %1, %2;\n" : "=l"(there) : "l"((uint64_t)shared), "r"(rank));
    return reinterpret_cast<T *>(there);
#else
    (void)rank;
    return shared;
#endif
}

/* griddepcontrol (sm_90): the kernel behind may start; wait until the one in front has ended and
   its numbers are here. Nothing on older chips, where kernels follow each other whole. */
static __device__ __forceinline__ void dependents_launch(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

static __device__ __forceinline__ void dependencies_wait(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

#endif /* KERNELS_CUDA_ISA_H */
