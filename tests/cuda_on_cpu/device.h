/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - what device code sees: words of the language, where a thread is, how threads meet.
 */
#ifndef CUDA_ON_CPU_DEVICE_H
#define CUDA_ON_CPU_DEVICE_H

#include <cmath>
#include <cstring>
#include <tuple>

#define __global__
#define __device__
#define __host__
#define __constant__      static
#define __shared__        static /* one launch at a time, and blocks one after another */
#define __forceinline__   inline
#define __grid_constant__ const
#define __align__(bytes)  alignas(bytes)
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c)
    {
    }
};

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

static inline float2 make_float2(float x, float y)
{
    return {x, y};
}
static inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}
static inline int4 make_int4(int x, int y, int z, int w)
{
    return {x, y, z, w};
}
static inline uint2 make_uint2(unsigned x, unsigned y)
{
    return {x, y};
}
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

/* --- meeting (fiber.cpp) -------------------------------------------------------------------- */

enum meet_kind { MEET_NONE, MEET_BLOCK, MEET_WARP, MEET_CLUSTER };

/* Where in the source threads meet: those who must come together must come to the same place. */
struct meet_site {
    const char *file;
    int line;
};

#define MEET_BYTES 64

/* Wait for the block, the cluster, or the lanes of `mask`. */
void meet(enum meet_kind kind, unsigned mask, struct meet_site site);

/* A warp's lanes show each other `bytes` <= MEET_BYTES; then meet_shown(lane) is what one showed.
 */
void meet_show(unsigned mask, const void *value, size_t bytes, struct meet_site site);
const void *meet_shown(int lane);
int meet_lane(void);
void meet_wrong(const char *what, struct meet_site site) __attribute__((noreturn));

#define MEET_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(MEET_HERE)
{
    meet(MEET_BLOCK, 0, {file, line});
}

static inline void __syncwarp(unsigned mask = 0xffffffffu, MEET_HERE)
{
    meet(MEET_WARP, mask, {file, line});
}

template <typename T> static inline T meet_take(int lane, unsigned mask, struct meet_site site)
{
    T value;

    if (!(mask >> lane & 1))
        meet_wrong("a lane outside the mask is asked", site);
    memcpy(&value, meet_shown(lane), sizeof(value));
    return value;
}

template <typename T>
static inline T __shfl_sync(unsigned mask, T value, int from, int width = 32, MEET_HERE)
{
    int base = meet_lane() / width * width;

    meet_show(mask, &value, sizeof(value), {file, line});
    return meet_take<T>(base + from % width, mask, {file, line});
}

template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, MEET_HERE)
{
    int lane = meet_lane(), other = lane ^ bits;

    meet_show(mask, &value, sizeof(value), {file, line});
    return meet_take<T>(other / width <= lane / width ? other : lane, mask, {file, line});
}

template <typename T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, MEET_HERE)
{
    int lane = meet_lane(), other = lane + (int)by;

    meet_show(mask, &value, sizeof(value), {file, line});
    return meet_take<T>(other / width == lane / width ? other : lane, mask, {file, line});
}

template <typename T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, MEET_HERE)
{
    int lane = meet_lane(), other = lane - (int)by;

    meet_show(mask, &value, sizeof(value), {file, line});
    return meet_take<T>(other >= lane / width * width ? other : lane, mask, {file, line});
}

static inline unsigned __ballot_sync(unsigned mask, int is, MEET_HERE)
{
    unsigned votes = 0;

    meet_show(mask, &is, sizeof(is), {file, line});
    for (int lane = 0; lane < 32; lane++)
        if (mask >> lane & 1 && meet_take<int>(lane, mask, {file, line}))
            votes |= 1u << lane;
    return votes;
}

static inline int __any_sync(unsigned mask, int is, MEET_HERE)
{
    return __ballot_sync(mask, is, file, line) != 0;
}

static inline int __all_sync(unsigned mask, int is, MEET_HERE)
{
    return __ballot_sync(mask, is, file, line) == mask;
}

/* --- arithmetic ----------------------------------------------------------------------------- */

static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((uint64_t)a * b >> 32);
}
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}
static inline float __fadd_rn(float a, float b)
{
    return a + b;
}
static inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
static inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
static inline float __fdividef(float a, float b)
{
    return a / b;
}
static inline float __frcp_rn(float a)
{
    return 1 / a;
}
#define __expf expf /* the C library has functions of these names, and does not show them */
#define __logf logf
static inline float rsqrtf(float a)
{
    return 1 / sqrtf(a);
}
static inline double rsqrt(double a)
{
    return 1 / sqrt(a);
}
static inline int __float2int_rn(float a)
{
    return (int)rintf(a);
}
static inline unsigned __float_as_uint(float a)
{
    unsigned bits;
    memcpy(&bits, &a, sizeof(bits));
    return bits;
}
static inline float __uint_as_float(unsigned bits)
{
    float a;
    memcpy(&a, &bits, sizeof(a));
    return a;
}
static inline int __float_as_int(float a)
{
    return (int)__float_as_uint(a);
}
static inline float __int_as_float(int bits)
{
    return __uint_as_float((unsigned)bits);
}
template <typename T> static inline T __ldg(const T *at)
{
    return *at;
}
template <typename T> static inline T min(T a, T b)
{
    return b < a ? b : a;
}
template <typename T> static inline T max(T a, T b)
{
    return a < b ? b : a;
}

/* --- launching ------------------------------------------------------------------------------ */

enum cudaLaunchAttributeID {
    cudaLaunchAttributeClusterDimension = 4,
    cudaLaunchAttributeProgrammaticStreamSerialization = 6,
};

union cudaLaunchAttributeValue {
    struct {
        unsigned x, y, z;
    } clusterDim;
    int programmaticStreamSerializationAllowed;
};

struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    cudaLaunchAttributeValue val;
};

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

/* A launch with its arguments baked in. */
struct launch_work {
    const void *kernel;
    void (*call)(const void *kernel, const void *arguments);
    size_t bytes; /* of the arguments, which are plain data */
};

cudaError_t launch_enqueue(const cudaLaunchConfig_t *config, const launch_work *work,
                           const void *arguments);

template <typename... P> static void launch_call(const void *kernel, const void *arguments)
{
    std::apply((void (*)(P...))kernel, *(const std::tuple<P...> *)arguments);
}

template <typename... P, typename... A>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...),
                                             A &&...arguments)
{
    std::tuple<P...> baked(static_cast<P>(arguments)...);
    launch_work work = {(const void *)kernel, launch_call<P...>, sizeof(baked)};

    return launch_enqueue(config, &work, &baked);
}

#endif /* CUDA_ON_CPU_DEVICE_H */
