/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator must find what it is there to find: each kernel here has one mistake, or none.
 */
#include "tests/cuda_on_cpu/control.h"

#include <kernels/cuda/isa.h>

extern "C" {
#include "tests/unit.h"
}

#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

static cudaStream_t stream;

template <typename... P, typename... A>
static cudaError_t start(dim3 grid, dim3 block, size_t shared, unsigned cluster,
                         void (*kernel)(P...), A... arguments)
{
    cudaLaunchAttribute attribute = {};
    cudaLaunchConfig_t config = {grid, block, shared, stream, &attribute, cluster > 1};

    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {cluster, 1, 1};
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/* What `run` says before it aborts, in a process of its own; "" when it does not. */
static void last_words(char *words, size_t bytes, void (*run)(void))
{
    int pipes[2], how;
    ssize_t count;

    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    close(pipes[1]);
    count = read(pipes[0], words, bytes - 1);
    words[count > 0 ? count : 0] = '\0';
    while (read(pipes[0], &how, sizeof(how)) > 0)
        ;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        words[0] = '\0';
}

static float *device_floats(size_t count)
{
    void *memory;

    assert_int_equal(cudaMalloc(&memory, count * sizeof(float)), cudaSuccess);
    return (float *)memory;
}

/* --- what works ----------------------------------------------------------------------------- */

static __global__ void reverse(float *y, const float *x)
{
    __shared__ float all[100];

    all[threadIdx.x] = x[blockIdx.x * 100 + threadIdx.x];
    __syncthreads();
    y[blockIdx.x * 100 + threadIdx.x] = all[99 - threadIdx.x];
}

static void a_barrier_lets_threads_exchange_numbers(void **state)
{
    float *x = device_floats(300), *y = device_floats(300);
    (void)state;

    for (int i = 0; i < 300; i++)
        x[i] = (float)i;
    assert_int_equal(start(dim3(3), dim3(100), 0, 1, reverse, y, (const float *)x), cudaSuccess);
    for (int i = 0; i < 300; i++)
        assert_true(y[i] == (float)(i / 100 * 100 + 99 - i % 100));
    assert_int_equal(cudaFree(x) + cudaFree(y), cudaSuccess);
}

static __global__ void sum_of_warp(float *y)
{
    float v = (float)threadIdx.x;

    for (int bits = 16; bits; bits /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, bits);
    y[threadIdx.x] = v + (float)__shfl_down_sync(0xffffffffu, (int)threadIdx.x, 1) * 1000;
}

static void lanes_of_a_warp_exchange_numbers(void **state)
{
    float *y = device_floats(64);
    (void)state;

    assert_int_equal(start(dim3(1), dim3(64), 0, 1, sum_of_warp, y), cudaSuccess);
    assert_true(y[0] == 496 + 1000 && y[63] == 1520 + 63000 && y[31] == 496 + 31000);
    assert_int_equal(cudaFree(y), cudaSuccess);
}

/* c = a b for a[16][16] and b[8][16], loaded as kernels do. */
static __global__ void product(float *c, const uint16_t *a, const uint16_t *b)
{
    uint16_t *all = shared_dynamic<uint16_t>();
    int lane = (int)threadIdx.x, matrix = lane / 8, line = lane % 8;
    uint32_t left[4], right[4];
    float sum[4] = {};

    copy_async_16(all + lane * 8, a + lane * 8, true);
    copy_async_16(all + 256 + lane % 16 * 8, b + lane % 16 * 8, true);
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();
    matrix_load_x4(left, all + (matrix % 2 * 8 + line) * 16 + matrix / 2 * 8);
    matrix_load_x4(right, all + 256 + line * 16 + matrix % 2 * 8);
    mma_16816<__nv_bfloat16>(sum, left, right);
    for (int i = 0; i < 4; i++)
        c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sum[i];
}

static void a_matrix_product_is_one(void **state)
{
    float *c = device_floats(128), want;
    uint16_t *a = (uint16_t *)device_floats(128), *b = (uint16_t *)device_floats(64);
    (void)state;

    for (int i = 0; i < 256; i++)
        a[i] = float_to_bf16((float)(i * 7 % 11 - 5));
    for (int i = 0; i < 128; i++)
        b[i] = float_to_bf16((float)(i * 5 % 13 - 6));
    assert_int_equal(
        start(dim3(1), dim3(32), 768, 1, product, c, (const uint16_t *)a, (const uint16_t *)b),
        cudaSuccess);
    for (int i = 0; i < 128; i++) {
        want = 0;
        for (int k = 0; k < 16; k++)
            want += bf16_to_float(a[i / 8 * 16 + k]) * bf16_to_float(b[i % 8 * 16 + k]);
        assert_true(c[i] == want);
    }
    assert_int_equal(cudaFree(a) + cudaFree(b) + cudaFree(c), cudaSuccess);
}

static __global__ void ask_neighbour(float *y)
{
    float *mine = shared_dynamic<float>();

    if (threadIdx.x == 0)
        *mine = (float)(100 + cluster_rank());
    cluster_sync();
    y[blockIdx.x * 32 + threadIdx.x] = *cluster_map(mine, (cluster_rank() + 1) % cluster_size());
    cluster_sync();
}

static void blocks_of_a_cluster_see_each_others_memory(void **state)
{
    float *y = device_floats(256);
    (void)state;

    assert_int_equal(start(dim3(8), dim3(32), 16, 4, ask_neighbour, y), cudaSuccess);
    assert_true(y[0] == 101 && y[3 * 32] == 100 && y[7 * 32 + 31] == 100 && y[4 * 32] == 101);
    assert_int_equal(cudaFree(y), cudaSuccess);
}

static __global__ void add_one(float *y)
{
    y[threadIdx.x] += 1;
}

/* A graph holds addresses, not numbers, and what is captured is not run. */
static void a_graph_repeats_what_was_captured(void **state)
{
    float *y = device_floats(4);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    (void)state;

    y[0] = 5;
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), 0);
    assert_int_equal(start(dim3(1), dim3(1), 0, 1, add_one, y), cudaSuccess);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_true(y[0] == 5);
    assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    assert_int_equal(cudaGraphLaunch(exec, stream) + cudaGraphLaunch(exec, stream), cudaSuccess);
    assert_true(y[0] == 7);
    assert_int_equal(cudaGraphDestroy(graph) + cudaGraphExecDestroy(exec), cudaSuccess);
    assert_int_equal(cudaFree(y), cudaSuccess);
}

static void memory_cannot_be_taken_while_a_graph_is_captured(void **state)
{
    cudaGraph_t graph;
    void *memory;
    (void)state;

    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), 0);
    assert_int_not_equal(cudaMalloc(&memory, 16), cudaSuccess);
    assert_int_not_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_null(graph);
    cudaGetLastError();
}

static void launches_beyond_the_hardware_are_refused(void **state)
{
    float *y = device_floats(4);
    (void)state;

    assert_int_not_equal(start(dim3(1), dim3(1025), 0, 1, add_one, y), cudaSuccess);
    assert_int_not_equal(start(dim3(1, 65536), dim3(1), 0, 1, add_one, y), cudaSuccess);
    assert_int_not_equal(start(dim3(1), dim3(1), 50000, 1, add_one, y), cudaSuccess);
    assert_int_not_equal(start(dim3(3), dim3(1), 0, 2, add_one, y), cudaSuccess);
    assert_int_equal(cudaFuncSetAttribute((const void *)add_one,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize, 50000),
                     cudaSuccess);
    y[0] = 0;
    assert_int_equal(start(dim3(1), dim3(1), 50000, 1, add_one, y), cudaSuccess);
    assert_int_equal(cudaFree(y), cudaSuccess);
    cudaGetLastError();
}

/* --- mistakes ------------------------------------------------------------------------------- */

static __global__ void half_at_the_barrier(void)
{
    if (threadIdx.x < 16)
        __syncthreads();
}

static __global__ void two_barriers(void)
{
    if (threadIdx.x < 16)
        __syncthreads();
    else
        __syncthreads();
}

static void barriers_that_do_not_meet_are_found(void **state)
{
    char words[400];
    (void)state;

    last_words(words, sizeof(words), [] { start(dim3(1), dim3(32), 0, 1, half_at_the_barrier); });
    assert_non_null(strstr(words, "ended or wait elsewhere"));
    assert_non_null(strstr(words, "test_emulator.cpp"));
    last_words(words, sizeof(words), [] { start(dim3(1), dim3(32), 0, 1, two_barriers); });
    assert_non_null(strstr(words, "different barriers"));
}

static __global__ void lane_that_left(int *y)
{
    if (threadIdx.x < 31)
        *y = __shfl_sync(0xffffffffu, 1, 0);
}

static void lanes_that_do_not_come_are_found(void **state)
{
    char words[400];
    (void)state;

    last_words(words, sizeof(words), [] {
        int y;
        start(dim3(1), dim3(32), 0, 1, lane_that_left, &y);
    });
    assert_non_null(strstr(words, "a lane of the mask"));
}

static __global__ void past_the_end(float *y, int count)
{
    y[blockIdx.x * 32 + threadIdx.x] = (float)count;
}

/* By the bands around every block, or by the address sanitizer where it is. */
static void numbers_past_the_end_are_found(void **state)
{
    char words[400];
    (void)state;

    last_words(words, sizeof(words), [] {
        float *y = device_floats(60);
        start(dim3(2), dim3(32), 0, 1, past_the_end, y, 60);
        cudaStreamSynchronize(stream);
    });
    assert_true(words[0]);
}

static __global__ void past_shared(void)
{
    shared_dynamic<float>()[threadIdx.x] = 1;
}

static void shared_memory_past_its_end_is_found(void **state)
{
    char words[400];
    (void)state;

    last_words(words, sizeof(words), [] { start(dim3(1), dim3(32), 124, 1, past_shared); });
    assert_true(words[0]);
}

static __global__ void forgot_the_barrier(float *y)
{
    float *all = shared_dynamic<float>();

    all[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = all[(threadIdx.x + 33) % 64];
}

/* Whoever comes first reads what is not there yet: NaN. */
static void a_missing_barrier_is_found(void **state)
{
    float *y = device_floats(64);
    int missing = 0;
    (void)state;

    assert_int_equal(start(dim3(1), dim3(64), 256, 1, forgot_the_barrier, y), cudaSuccess);
    for (int i = 0; i < 64; i++)
        missing += y[i] != y[i];
    assert_true(missing > 0);
    assert_int_equal(cudaFree(y), cudaSuccess);
}

static __global__ void forgot_the_wait(float *y, const float *x)
{
    float *all = shared_dynamic<float>();

    copy_async_16(all + 4 * threadIdx.x, x + 4 * threadIdx.x, true);
    copy_async_commit();
    __syncthreads();
    y[threadIdx.x] = all[4 * threadIdx.x];
}

static void a_copy_that_nobody_waited_for_has_not_landed(void **state)
{
    float *x = device_floats(128), *y = device_floats(32);
    (void)state;

    memset(x, 0, 128 * sizeof(*x));
    assert_int_equal(start(dim3(1), dim3(32), 512, 1, forgot_the_wait, y, (const float *)x), 0);
    for (int i = 0; i < 32; i++)
        assert_true(y[i] != y[i]);
    assert_int_equal(cudaFree(x) + cudaFree(y), cudaSuccess);
}

/* --- failures on order ---------------------------------------------------------------------- */

static void the_nth_call_fails_and_a_sticky_error_stays(void **state)
{
    void *memory;
    (void)state;

    control_now()->fail_nth = 2;
    assert_int_equal(cudaMalloc(&memory, 16), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaErrorIllegalAddress);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
    assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
    assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
    control_reset();
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

static void memory_ends_where_control_says(void **state)
{
    void *memory;
    (void)state;

    control_now()->memory = 1000;
    assert_int_equal(cudaMalloc(&memory, 1001), cudaErrorMemoryAllocation);
    assert_null(memory);
    assert_int_equal(cudaMalloc(&memory, 1000), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    control_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_barrier_lets_threads_exchange_numbers),
        cmocka_unit_test(lanes_of_a_warp_exchange_numbers),
        cmocka_unit_test(a_matrix_product_is_one),
        cmocka_unit_test(blocks_of_a_cluster_see_each_others_memory),
        cmocka_unit_test(a_graph_repeats_what_was_captured),
        cmocka_unit_test(memory_cannot_be_taken_while_a_graph_is_captured),
        cmocka_unit_test(launches_beyond_the_hardware_are_refused),
        cmocka_unit_test(barriers_that_do_not_meet_are_found),
        cmocka_unit_test(lanes_that_do_not_come_are_found),
        cmocka_unit_test(numbers_past_the_end_are_found),
        cmocka_unit_test(shared_memory_past_its_end_is_found),
        cmocka_unit_test(a_missing_barrier_is_found),
        cmocka_unit_test(a_copy_that_nobody_waited_for_has_not_landed),
        cmocka_unit_test(the_nth_call_fails_and_a_sticky_error_stays),
        cmocka_unit_test(memory_ends_where_control_says),
    };

    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
