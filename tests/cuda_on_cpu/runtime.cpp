/* SPDX-License-Identifier: Apache-2.0 */
/* The host's half: memory, streams, graphs, errors. One lock around everything. */
#include "tests/cuda_on_cpu/control.h"
#include "tests/cuda_on_cpu/fiber.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <unistd.h>
#include <vector>

#define BAND_BYTES       ((size_t)256) /* around every block of device memory; alignment too */
#define BAND             0xa5
#define PORTABLE_CLUSTER 8
#define SHARED_PLAIN     ((size_t)48 << 10)
#define SHARED_MOST      ((size_t)227 << 10)

struct memory {
    size_t bytes;
    int device;
    bool pinned;
};

struct task {
    void (*work)(const void *arguments);
    std::vector<char> arguments;
};

struct CUgraph_st {
    std::vector<task> tasks;
};

struct CUgraphExec_st {
    std::vector<task> tasks;
};

struct CUstream_st {
    int device;
    bool capturing, spoilt;
    CUgraph_st *graph;
};

struct CUevent_st {
    struct timespec at;
};

struct kernel_limits {
    size_t shared;
    bool wide_cluster;
};

static struct {
    std::recursive_mutex lock;
    struct control control;
    bool ready;
    cudaError_t error; /* the last one */
    bool sticky;
    long calls, launches, graph_launches;
    std::map<char *, memory> blocks;
    std::map<const void *, kernel_limits> kernels;
    std::vector<CUstream_st *> capturing;
} state;

static thread_local int current_device;

/* Present where the address sanitizer is: then it guards memory, and better. */
extern "C" void __asan_init(void) __attribute__((weak));

static struct control defaults(void)
{
    const char *fail = getenv("CUDA_ON_CPU_FAIL"), *devices = getenv("CUDA_ON_CPU_DEVICES");
    struct control c = {};

    c.devices = devices ? atoi(devices) : 1;
    c.major = 9;
    c.driver = 13000;
    c.memory = (size_t)8 << 30;
    c.fail_nth = fail ? atol(fail) : 0;
    c.fail_with = cudaErrorIllegalAddress;
    c.fail_sticky = true;
    c.seed = 1;
    return c;
}

/* Once, for whoever finds the file. */
static bool fail_file(void)
{
    const char *path = getenv("CUDA_ON_CPU_FAIL_FILE");

    return path && unlink(path) == 0;
}

/* The lock, and the failure that a test has ordered. */
struct call {
    std::lock_guard<std::recursive_mutex> guard;
    cudaError_t error;

    call() : guard(state.lock), error(cudaSuccess)
    {
        if (!state.ready)
            state.control = defaults();
        state.ready = true;
        state.calls++;
        if (state.sticky)
            error = state.error;
        else if ((state.control.fail_nth && --state.control.fail_nth == 0) || fail_file())
            error = note(state.control.fail_with, state.control.fail_sticky);
    }

    cudaError_t note(cudaError_t e, bool sticky = false)
    {
        if (e)
            state.error = e;
        state.sticky |= sticky;
        return e;
    }
};

struct control *control_now(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);

    if (!state.ready)
        state.control = defaults();
    state.ready = true;
    return &state.control;
}

void control_reset(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);

    state.control = defaults();
    state.ready = true;
    state.error = cudaSuccess;
    state.sticky = false;
    state.calls = state.launches = state.graph_launches = 0;
    state.kernels.clear();
}

struct control_counts control_count(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);
    struct control_counts counts = {state.calls, state.launches, state.graph_launches, 0};

    for (auto &block : state.blocks)
        counts.live += !block.second.pinned;
    return counts;
}

/* --- devices and errors --------------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *count)
{
    call c;

    *count = 0;
    if (c.error)
        return c.error;
    if (!state.control.driver)
        return c.note(cudaErrorInsufficientDriver);
    if (!state.control.devices)
        return c.note(cudaErrorNoDevice);
    if (state.control.driver < 13000)
        return c.note(cudaErrorInsufficientDriver);
    *count = state.control.devices;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    call c;

    if (c.error)
        return c.error;
    if (device < 0 || device >= state.control.devices)
        return c.note(cudaErrorInvalidDevice);
    current_device = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    call c;

    *device = current_device;
    return c.error;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    call c;

    if (c.error)
        return c.error;
    if (device < 0 || device >= state.control.devices)
        return c.note(cudaErrorInvalidDevice);
    *p = {};
    snprintf(p->name, sizeof(p->name), "a GPU on a CPU");
    p->totalGlobalMem = state.control.memory;
    p->major = state.control.major;
    p->minor = state.control.minor;
    p->multiProcessorCount = 4;
    p->l2CacheSize = 4 << 20;
    p->sharedMemPerBlockOptin = SHARED_MOST;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr what, int device)
{
    struct cudaDeviceProp p;
    cudaError_t error = cudaGetDeviceProperties(&p, device);

    if (error)
        return error;
    *value = what == cudaDevAttrMultiProcessorCount      ? p.multiProcessorCount
             : what == cudaDevAttrComputeCapabilityMajor ? p.major
                                                         : p.minor;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    call c;

    *version = state.control.driver;
    return c.error;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    call c;

    *version = 13000;
    return c.error;
}

cudaError_t cudaGetLastError(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);
    cudaError_t error = state.error;

    if (!state.sticky)
        state.error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);

    return state.error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorInsufficientDriver:
        return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    default:
        return "an error of CUDA";
    }
}

const char *cudaGetErrorName(cudaError_t error)
{
    return cudaGetErrorString(error);
}

/* --- memory --------------------------------------------------------------------------------- */

static bool guarded(void)
{
    return !__asan_init;
}

static void check_bands(char *at, const memory &m)
{
    const unsigned char *before = (unsigned char *)at - BAND_BYTES;
    const unsigned char *after = (unsigned char *)at + m.bytes;

    for (size_t i = 0; guarded() && i < BAND_BYTES; i++) {
        if (before[i] == BAND && after[i] == BAND)
            continue;
        fprintf(stderr, "cuda_on_cpu: a block of %zu bytes was written %s it\n", m.bytes,
                before[i] == BAND ? "behind" : "before");
        abort();
    }
}

static void check_all_bands(void)
{
    for (auto &block : state.blocks)
        check_bands(block.first, block.second);
}

static size_t taken(int device)
{
    size_t bytes = 0;

    for (auto &block : state.blocks)
        if (!block.second.pinned && block.second.device == device)
            bytes += block.second.bytes;
    return bytes;
}

static cudaError_t take(void **out, size_t bytes, bool pinned)
{
    size_t band = guarded() ? BAND_BYTES : 0;
    void *raw = NULL;

    *out = NULL;
    if (posix_memalign(&raw, BAND_BYTES, bytes + 2 * band))
        return cudaErrorMemoryAllocation;
    memset(raw, BAND, bytes + 2 * band);
    *out = (char *)raw + band;
    memset(*out, 0xff, bytes); /* NaN in every type */
    state.blocks[(char *)*out] = {bytes, current_device, pinned};
    return cudaSuccess;
}

static cudaError_t give(void *memory, bool pinned)
{
    auto found = state.blocks.find((char *)memory);

    if (!memory)
        return cudaSuccess;
    if (found == state.blocks.end() || found->second.pinned != pinned)
        return cudaErrorInvalidValue;
    check_bands(found->first, found->second);
    free(found->first - (guarded() ? BAND_BYTES : 0));
    state.blocks.erase(found);
    return cudaSuccess;
}

/* A capture in the mode that we use forbids what would disturb it. */
static bool captures(void)
{
    for (CUstream_st *stream : state.capturing)
        stream->spoilt = true;
    return !state.capturing.empty();
}

void control_end_process(void)
{
    std::lock_guard<std::recursive_mutex> guard(state.lock);

    for (auto &block : state.blocks)
        free(block.first - (guarded() ? BAND_BYTES : 0));
    state.blocks.clear();
}

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    call c;

    *memory = NULL;
    if (c.error)
        return c.error;
    if (captures())
        return c.note(cudaErrorStreamCaptureUnsupported);
    if (bytes > state.control.memory - taken(current_device))
        return c.note(cudaErrorMemoryAllocation);
    return c.note(take(memory, bytes, false));
}

cudaError_t cudaFree(void *memory)
{
    call c;

    if (c.error)
        return c.error;
    if (captures())
        return c.note(cudaErrorStreamCaptureUnsupported);
    return c.note(give(memory, false));
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    call c;

    return c.error ? c.error : c.note(take(memory, bytes, true));
}

cudaError_t cudaFreeHost(void *memory)
{
    call c;

    return c.error ? c.error : c.note(give(memory, true));
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    call c;

    *total = state.control.memory;
    *left = *total - taken(current_device);
    return c.error;
}

/* --- streams -------------------------------------------------------------------------------- */

static cudaError_t stream_do(CUstream_st *stream, void (*work)(const void *), const void *arguments,
                             size_t bytes)
{
    if (!stream || stream->device != current_device)
        return cudaErrorInvalidResourceHandle;
    if (!stream->capturing) {
        work(arguments);
        return cudaSuccess;
    }
    stream->graph->tasks.push_back(
        {work, std::vector<char>((const char *)arguments, (const char *)arguments + bytes)});
    return cudaSuccess;
}

cudaError_t cuda_on_cpu_enqueue(cudaStream_t stream, void (*work)(const void *arguments),
                                const void *arguments, size_t bytes)
{
    call c;

    return c.error ? c.error : c.note(stream_do(stream, work, arguments, bytes));
}

struct copy_work {
    void *to;
    const void *from;
    size_t bytes;
};

static void copy_run(const void *arguments)
{
    const copy_work *w = (const copy_work *)arguments;

    memmove(w->to, w->from, w->bytes);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    call c;
    copy_work w = {to, from, bytes};

    (void)kind;
    return c.error ? c.error : c.note(stream_do(stream, copy_run, &w, sizeof(w)));
}

struct set_work {
    void *to;
    int value;
    size_t bytes;
};

static void set_run(const void *arguments)
{
    const set_work *w = (const set_work *)arguments;

    memset(w->to, w->value, w->bytes);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    call c;
    set_work w = {to, value, bytes};

    return c.error ? c.error : c.note(stream_do(stream, set_run, &w, sizeof(w)));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    call c;

    (void)flags;
    *stream = NULL;
    if (c.error)
        return c.error;
    *stream = new CUstream_st{current_device, false, false, NULL};
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    call c;

    delete stream;
    return c.error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    call c;

    if (c.error)
        return c.error;
    if (stream->capturing) {
        stream->spoilt = true;
        return c.note(cudaErrorStreamCaptureUnsupported);
    }
    check_all_bands();
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    call c;

    check_all_bands();
    return c.error;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    call c;

    (void)mode;
    if (c.error)
        return c.error;
    if (stream->capturing)
        return c.note(cudaErrorStreamCaptureUnsupported);
    *stream = {stream->device, true, false, new CUgraph_st};
    state.capturing.push_back(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    call c;

    *graph = NULL;
    if (!stream->capturing)
        return c.error ? c.error : c.note(cudaErrorInvalidValue);
    stream->capturing = false;
    for (size_t i = 0; i < state.capturing.size(); i++)
        if (state.capturing[i] == stream)
            state.capturing.erase(state.capturing.begin() + (long)i);
    if (!c.error && !stream->spoilt) {
        *graph = stream->graph;
        return cudaSuccess;
    }
    delete stream->graph;
    return c.error ? c.error : c.note(cudaErrorStreamCaptureInvalidated);
}

/* --- events and graphs ---------------------------------------------------------------------- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    call c;

    (void)flags;
    *event = NULL;
    if (c.error)
        return c.error;
    *event = new CUevent_st{};
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, 0);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    call c;

    delete event;
    return c.error;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    call c;

    (void)stream;
    clock_gettime(CLOCK_MONOTONIC, &event->at);
    return c.error;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    call c;

    (void)event;
    return c.error;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begun, cudaEvent_t ended)
{
    call c;

    *ms = (float)((double)(ended->at.tv_sec - begun->at.tv_sec) * 1e3 +
                  (double)(ended->at.tv_nsec - begun->at.tv_nsec) * 1e-6);
    return c.error;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    call c;

    (void)flags;
    *exec = NULL;
    if (c.error)
        return c.error;
    *exec = new CUgraphExec_st{graph->tasks};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    call c;

    if (c.error)
        return c.error;
    if (stream->device != current_device)
        return c.note(cudaErrorInvalidResourceHandle);
    state.graph_launches++;
    for (const task &t : exec->tasks)
        t.work(t.arguments.data());
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    call c;

    delete graph;
    return c.error;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    call c;

    delete exec;
    return c.error;
}

/* --- launches ------------------------------------------------------------------------------- */

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute what, int value)
{
    call c;

    if (c.error)
        return c.error;
    if (what == cudaFuncAttributeNonPortableClusterSizeAllowed)
        state.kernels[kernel].wide_cluster = value;
    else if (value < 0 || (size_t)value > SHARED_MOST)
        return c.note(cudaErrorInvalidValue);
    else
        state.kernels[kernel].shared = (size_t)value;
    return cudaSuccess;
}

/* A launch, followed by its arguments. */
struct alignas(64) launch_task {
    fiber_launch launch;
};

static void launch_run(const void *arguments)
{
    launch_task t;

    memcpy((void *)&t, arguments, sizeof(t));
    t.launch.arguments = (const char *)arguments + sizeof(t);
    t.launch.seed = state.control.seed++;
    fiber_run(&t.launch);
}

static bool allowed(const fiber_launch *l)
{
    const kernel_limits limits = state.kernels[l->kernel];
    size_t threads = (size_t)l->block.x * l->block.y * l->block.z;
    size_t shared = limits.shared > SHARED_PLAIN ? limits.shared : SHARED_PLAIN;

    return threads >= 1 && threads <= 1024 && l->block.z <= 64 && l->grid.x >= 1 &&
           l->grid.x <= 0x7fffffffu && l->grid.y >= 1 && l->grid.y <= 65535 && l->grid.z >= 1 &&
           l->grid.z <= 65535 && l->shared <= shared && l->grid.x % l->cluster == 0 &&
           l->cluster <= (limits.wide_cluster ? 2u * PORTABLE_CLUSTER : PORTABLE_CLUSTER) &&
           (l->cluster == 1 || state.control.major >= 9);
}

cudaError_t launch_enqueue(const cudaLaunchConfig_t *config, const launch_work *work,
                           const void *arguments)
{
    call c;
    launch_task t = {};
    std::vector<char> all(sizeof(t) + work->bytes);

    if (c.error)
        return c.error;
    t.launch.grid = config->gridDim;
    t.launch.block = config->blockDim;
    t.launch.cluster = 1;
    for (unsigned i = 0; i < config->numAttrs; i++)
        if (config->attrs[i].id == cudaLaunchAttributeClusterDimension)
            t.launch.cluster = config->attrs[i].val.clusterDim.x;
    t.launch.shared = config->dynamicSmemBytes;
    t.launch.call = work->call;
    t.launch.kernel = work->kernel;
    if (!allowed(&t.launch))
        return c.note(cudaErrorInvalidConfiguration);
    memcpy(all.data(), (const void *)&t, sizeof(t));
    memcpy(all.data() + sizeof(t), arguments, work->bytes);
    state.launches++;
    return c.note(stream_do(config->stream, launch_run, all.data(), all.size()));
}
