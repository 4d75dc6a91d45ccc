/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a picture begins and ends on a GPU: noise from a seed, and pixels of 8 bits.
 *
 * noise: 4 numbers a thread, 4 bytes written for each; the arithmetic (ten rounds of Philox, a
 * logarithm and a sine in double) hides behind nothing, but 16,384 numbers are a latent of 64x64.
 * download_pixels: 4 bytes read and 1 written for each number, then a quarter of the floats' bytes
 * over the bus.
 */
#include "kernels/cuda/launch.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

enum { THREADS = 256 };

/* base/rng.c on a GPU, word for word; its test vectors are checked there. */
static __device__ void philox(uint32_t x[4], uint32_t k0, uint32_t k1)
{
#pragma unroll
    for (int round = 0; round < 10; round++) {
        uint32_t low0 = 0xD2511F53u * x[0], high0 = __umulhi(0xD2511F53u, x[0]);
        uint32_t low1 = 0xCD9E8D57u * x[2], high1 = __umulhi(0xCD9E8D57u, x[2]);

        x[0] = high1 ^ x[1] ^ k0;
        x[1] = low1;
        x[2] = high0 ^ x[3] ^ k1;
        x[3] = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* Box-Muller; two uniform words to two normal numbers. */
static __device__ void normal_pair(float out[2], uint32_t word0, uint32_t word1)
{
    double u = ((double)word0 + 0.5) * 0x1p-32;
    double angle = 2.0 * 3.14159265358979323846 * 0x1p-32 * (double)word1;
    double radius = sqrt(-2.0 * log(u));

    out[0] = (float)(radius * cos(angle));
    out[1] = (float)(radius * sin(angle));
}

static __global__ void noise(float *y, int64_t count, uint64_t seed, uint32_t stream)
{
    int64_t block = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t words[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
    float four[4];

    if (4 * block >= count)
        return;
    philox(words, (uint32_t)seed, (uint32_t)(seed >> 32));
    normal_pair(four, words[0], words[1]);
    normal_pair(four + 2, words[2], words[3]);
    for (int i = 0; i < 4 && 4 * block + i < count; i++)
        y[4 * block + i] = four[i];
}

void picture_noise(struct device *d, struct tensor y, uint64_t seed, uint32_t stream)
{
    int64_t count = tensor_count(y);

    shape_noise(y);
    launch(d, "noise", {dim3(launch_blocks(count, 4 * THREADS)), dim3(THREADS)}, noise,
           (float *)y.data, count, seed, stream);
}

/* base/image.c's steps in its order: half, clamped, times 255, to nearest, ties to even; NaN is
   black. */
static __global__ void quantise(uint8_t *y, const float *x, int64_t count)
{
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    float v;

    if (i >= count)
        return;
    v = __fadd_rn(__fmul_rn(x[i], 0.5f), 0.5f);
    v = v > 0 ? v : 0;
    v = v < 1 ? v : 1;
    y[i] = (uint8_t)__float2int_rn(__fmul_rn(v, 255.0f));
}

void picture_download(struct device *d, uint8_t *host, struct tensor x)
{
    int64_t count = tensor_count(x);
    void *pixels;

    shape_pixels(x);
    pixels = backend_scratch(d, (size_t)count);
    if (!pixels)
        return;
    launch(d, "download_pixels", {dim3(launch_blocks(count, THREADS)), dim3(THREADS)}, quantise,
           (uint8_t *)pixels, (const float *)x.data, count);
    memory_download_bytes(d, host, pixels, (size_t)count);
}
