/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa.h - the instructions of kernels/cuda/isa.h with another inside: what the PTX manual says that
 * they do, done by a CPU.
 */
#ifndef CUDA_ON_CPU_ISA_H
#define CUDA_ON_CPU_ISA_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <stdint.h>

/* fiber.cpp */
void *isa_shared_memory(void);
void isa_copy_begin(void *to, const void *from, bool valid, struct meet_site site);
void isa_copy_commit(void);
void isa_copy_wait(int left);
unsigned isa_cluster_rank(void);
unsigned isa_cluster_size(void);
void *isa_cluster_map(void *shared, unsigned rank, struct meet_site site);

template <typename T> static inline T *shared_dynamic(void)
{
    return (T *)isa_shared_memory();
}

/* The bytes land at the wait, not before: who forgets to wait reads what was there. */
static inline void copy_async_16(void *shared, const void *global, bool valid, MEET_HERE)
{
    isa_copy_begin(shared, global, valid, {file, line});
}

static inline void copy_async_commit(void)
{
    isa_copy_commit();
}

template <int N> static inline void copy_async_wait(void)
{
    isa_copy_wait(N);
}

static inline const uint16_t *isa_row(int lane)
{
    const uint16_t *row;

    memcpy(&row, meet_shown(lane), sizeof(row));
    return row;
}

/* Lane i holds numbers 2 (i % 4) and the next of row i / 4 of each matrix. */
static inline void matrix_load_x4(uint32_t r[4], const void *shared_row, MEET_HERE)
{
    int lane = meet_lane();

    if ((uintptr_t)shared_row % 16)
        meet_wrong("a row of a matrix is not aligned to 16 bytes", {file, line});
    meet_show(0xffffffffu, &shared_row, sizeof(shared_row), {file, line});
    for (int m = 0; m < 4; m++)
        memcpy(&r[m], isa_row(8 * m + lane / 4) + lane % 4 * 2, 4);
}

/* Transposed: numbers 2 (i % 4) and the next of column i / 4. */
static inline void matrix_load_x4_trans(uint32_t r[4], const void *shared_row, MEET_HERE)
{
    int lane = meet_lane();

    if ((uintptr_t)shared_row % 16)
        meet_wrong("a row of a matrix is not aligned to 16 bytes", {file, line});
    meet_show(0xffffffffu, &shared_row, sizeof(shared_row), {file, line});
    for (int m = 0; m < 4; m++)
        r[m] = (uint32_t)isa_row(8 * m + lane % 4 * 2)[lane / 4] |
               (uint32_t)isa_row(8 * m + lane % 4 * 2 + 1)[lane / 4] << 16;
}

static inline float isa_number(uint16_t bits, __nv_bfloat16)
{
    return bf16_to_float(bits);
}

static inline float isa_number(uint16_t bits, __half)
{
    return half_to_float(bits);
}

/* What a lane shows for a product: its part of a and of b. */
struct isa_part {
    uint32_t a[4], b[2];
};

/* Row i / 4 (+ 8), columns 2 (i % 4) (+ 8) and the next of a; those rows of column i / 4 of b; row
   i / 4 (+ 8), columns 2 (i % 4) and the next of c. Sums in f32, k in order. */
template <typename T>
static inline void mma_16816(float c[4], const uint32_t a[4], const uint32_t b[2], MEET_HERE)
{
    struct isa_part mine, other;
    int lane = meet_lane();

    memcpy(mine.a, a, sizeof(mine.a));
    memcpy(mine.b, b, sizeof(mine.b));
    meet_show(0xffffffffu, &mine, sizeof(mine), {file, line});
    for (int k = 0; k < 16; k++) {
        int part = k / 8, quad = k % 8 / 2, shift = 16 * (k % 2);
        float left[2], right[2];

        memcpy(&other, meet_shown(lane / 4 * 4 + quad), sizeof(other));
        for (int i = 0; i < 2; i++)
            left[i] = isa_number((uint16_t)(other.a[2 * part + i] >> shift), T());
        for (int j = 0; j < 2; j++) {
            memcpy(&other, meet_shown((lane % 4 * 2 + j) * 4 + quad), sizeof(other));
            right[j] = isa_number((uint16_t)(other.b[part] >> shift), T());
        }
        for (int i = 0; i < 4; i++)
            c[i] += left[i / 2] * right[i % 2];
    }
}

static inline unsigned cluster_rank(void)
{
    return isa_cluster_rank();
}

static inline unsigned cluster_size(void)
{
    return isa_cluster_size();
}

static inline void cluster_sync(MEET_HERE)
{
    meet(MEET_CLUSTER, 0, {file, line});
}

template <typename T> static inline T *cluster_map(T *shared, unsigned rank, MEET_HERE)
{
    return (T *)isa_cluster_map((void *)shared, rank, {file, line});
}

static inline void dependents_launch(void)
{
}

static inline void dependencies_wait(void)
{
}

#endif /* CUDA_ON_CPU_ISA_H */
