/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/cuda_on_cpu/fiber.h"

#include <cstdio>
#include <cstdlib>
#include <kernels/cuda/isa.h>
#include <sys/mman.h>
#include <vector>

#define STACK_BYTES ((size_t)128 << 10)
#define PAGE_BYTES  ((size_t)4096)
#define BAND_BYTES  ((size_t)64) /* behind dynamic shared memory */
#define BAND        0xa5
#define EXCHANGES   40 /* that may be read at the same time: at most one a lane */

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* --- switching stacks (System V AMD64) ------------------------------------------------------ */

extern "C" void fiber_switch(void **from, void *to);
__asm__(".text\n"
        ".globl fiber_switch\n"
        ".type fiber_switch, @function\n"
        "fiber_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n"
        "    pushq %r15\n    movq %rsp, (%rdi)\n    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n"
        "    popq %rbp\n    ret\n"
        ".size fiber_switch, .-fiber_switch\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");

/* Present where the address sanitizer is; it has to know which stack is in use. */
extern "C" {
void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size)
    __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size)
    __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *memory, size_t size) __attribute__((weak));
}

/* --- what there is while a kernel runs ------------------------------------------------------ */

struct copy {
    void *to;
    unsigned char bytes[16];
};

struct fiber {
    void *sp, *fake;
    char *stack; /* NULL: not started, or ended */
    uint3 thread;
    int block, lane, warp; /* the block's place in its cluster, the warp's among all of them */
    bool done;
    meet_kind waits;
    unsigned mask;
    meet_site site;
    int exchange;             /* where what its last meeting showed lies */
    std::vector<copy> copies; /* on their way, oldest first */
    std::vector<size_t> groups;
};

struct warp {
    int first, count; /* of its fibers */
    int next;         /* exchange */
    bool showing[32];
    unsigned char value[32][MEET_BYTES];
    unsigned char shown[EXCHANGES][32][MEET_BYTES];
};

struct block {
    uint3 index;
    int first, count;
    unsigned char *shared;
};

static struct {
    const fiber_launch *launch;
    std::vector<fiber> fibers;
    std::vector<warp> warps;
    std::vector<block> blocks;
    std::vector<char *> stacks; /* free ones */
    fiber *now;
    void *sp, *fake; /* the scheduler's */
    const void *bottom;
    size_t size;
    uint64_t random;
} run;

static uint64_t draw(void)
{
    uint64_t z = run.random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void die(const fiber *f, const char *what, meet_site site)
{
    const uint3 b = f ? run.blocks[(size_t)f->block].index : blockIdx;
    const uint3 t = f ? f->thread : threadIdx;

    fflush(stdout);
    fprintf(stderr, "cuda_on_cpu: %s: block (%u, %u, %u), thread (%u, %u, %u), at %s:%d\n", what,
            b.x, b.y, b.z, t.x, t.y, t.z, site.file ? site.file : "the start", site.line);
    abort();
}

void meet_wrong(const char *what, meet_site site)
{
    die(run.now, what, site);
    abort();
}

/* --- stacks --------------------------------------------------------------------------------- */

static char *stack_take(void)
{
    char *stack;

    if (run.stacks.empty()) {
        void *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (memory == MAP_FAILED || mprotect(memory, PAGE_BYTES, PROT_NONE))
            die(NULL, "no memory for a thread's stack", {NULL, 0});
        return (char *)memory;
    }
    stack = run.stacks.back();
    run.stacks.pop_back();
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(stack + PAGE_BYTES, STACK_BYTES - PAGE_BYTES);
    return stack;
}

static void leave(fiber *f, bool for_ever)
{
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(for_ever ? NULL : &f->fake, run.bottom, run.size);
    fiber_switch(&f->sp, run.sp);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(f->fake, &run.bottom, &run.size);
}

static void fiber_main(void)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(NULL, &run.bottom, &run.size);
    run.launch->call(run.launch->kernel, run.launch->arguments);
    run.now->done = true;
    leave(run.now, true);
    abort(); /* nobody comes back to a thread that ended */
}

static void start(fiber *f)
{
    void **top;

    f->stack = stack_take();
    top = (void **)(void *)(f->stack + STACK_BYTES);
    *--top = NULL; /* fiber_main's return address, at 8 modulo 16 */
    *--top = (void *)fiber_main;
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    f->sp = top;
}

static void resume(fiber *f)
{
    if (!f->stack)
        start(f);
    run.now = f;
    f->waits = MEET_NONE;
    threadIdx = f->thread;
    blockIdx = run.blocks[(size_t)f->block].index;
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&run.fake, f->stack + PAGE_BYTES, STACK_BYTES - PAGE_BYTES);
    fiber_switch(&run.sp, f->sp);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(run.fake, NULL, NULL);
    if (f->done) {
        run.stacks.push_back(f->stack);
        f->stack = NULL;
    }
}

/* --- meeting -------------------------------------------------------------------------------- */

void meet(meet_kind kind, unsigned mask, meet_site site)
{
    fiber *f = run.now;

    f->waits = kind;
    f->mask = mask;
    f->site = site;
    if (kind == MEET_WARP && !(mask >> f->lane & 1))
        die(f, "a lane is not in the mask of its own meeting", site);
    leave(f, false);
}

int meet_lane(void)
{
    return run.now->lane;
}

void meet_show(unsigned mask, const void *value, size_t bytes, meet_site site)
{
    fiber *f = run.now;
    warp *w = &run.warps[(size_t)f->warp];

    if (bytes > MEET_BYTES)
        die(f, "more is shown than there is room for", site);
    memcpy(w->value[f->lane], value, bytes);
    meet(MEET_WARP, mask, site);
}

const void *meet_shown(int lane)
{
    return run.warps[(size_t)run.now->warp].shown[run.now->exchange][lane];
}

static bool same_site(meet_site a, meet_site b)
{
    return a.line == b.line && !strcmp(a.file, b.file);
}

/* Let the lanes that f waits for go on, if all of them have come. */
static bool meet_lanes(warp *w, const fiber *f)
{
    const meet_site site = f->site;
    const unsigned mask = f->mask;

    for (int lane = 0; lane < 32; lane++) {
        const fiber *other = lane < w->count ? &run.fibers[(size_t)(w->first + lane)] : NULL;

        if (!(mask >> lane & 1))
            continue;
        if (!other || other->done)
            die(f, "a lane of the mask has ended or was never there", site);
        if (other->waits != MEET_WARP)
            return false;
        if (other->mask != mask || !same_site(other->site, site))
            return false;
    }
    memcpy(w->shown[w->next], w->value, sizeof(w->value));
    for (int lane = 0; lane < w->count; lane++) {
        if (!(mask >> lane & 1))
            continue;
        run.fibers[(size_t)(w->first + lane)].exchange = w->next;
        run.fibers[(size_t)(w->first + lane)].waits = MEET_NONE;
    }
    w->next = (w->next + 1) % EXCHANGES;
    return true;
}

/* Everybody of the warp who can, in some order; true when somebody has more to do. */
static bool run_warp(warp *w)
{
    unsigned turn = (unsigned)draw();
    bool more = false;

    for (int i = 0; i < w->count; i++) {
        unsigned lane = ((unsigned)i + turn % 32) % (unsigned)w->count;
        fiber *f = &run.fibers[(size_t)w->first + lane];

        if (!f->done && f->waits == MEET_NONE)
            resume(f);
    }
    for (int i = 0; i < w->count; i++) {
        fiber *f = &run.fibers[(size_t)(w->first + i)];

        if (f->waits == MEET_WARP && !f->done)
            more |= meet_lanes(w, f);
    }
    return more;
}

/* Release [first, first + count) if all of them wait for this; none of them may be elsewhere when
   one is there and nobody can go on. */
static bool release(int first, int count, meet_kind kind)
{
    const fiber *f = &run.fibers[(size_t)first];

    for (int i = 0; i < count; i++) {
        const fiber *other = &run.fibers[(size_t)(first + i)];

        if (other->done || other->waits != kind)
            return false;
        if (!same_site(other->site, f->site))
            die(other, "threads of a block wait at different barriers", other->site);
    }
    for (int i = 0; i < count; i++)
        run.fibers[(size_t)(first + i)].waits = MEET_NONE;
    return true;
}

static bool release_all(void)
{
    bool released = false;

    for (block &b : run.blocks)
        released |= release(b.first, b.count, MEET_BLOCK);
    return released | release(0, (int)run.fibers.size(), MEET_CLUSTER);
}

static bool all_done(void)
{
    for (const fiber &f : run.fibers)
        if (!f.done)
            return false;
    return true;
}

static void stuck(void)
{
    for (const fiber &f : run.fibers)
        if (!f.done)
            die(&f, "waits for threads that have ended or wait elsewhere", f.site);
}

static void run_cluster(void)
{
    while (!all_done()) {
        size_t count = run.warps.size(), turn = (size_t)draw() % count;

        for (size_t i = 0; i < count; i++) {
            warp *w = &run.warps[(i + turn) % count];

            while (run_warp(w))
                ;
        }
        if (!all_done() && !release_all())
            stuck();
    }
}

/* --- blocks --------------------------------------------------------------------------------- */

static void fiber_place(fiber *f, int block, int thread)
{
    const dim3 d = run.launch->block;
    unsigned i = (unsigned)thread;

    f->thread = {i % d.x, i / d.x % d.y, i / d.x / d.y};
    f->block = block;
    f->lane = thread % 32;
    f->done = false;
    f->waits = MEET_NONE;
    f->copies.clear();
    f->groups.clear();
}

/* One cluster's threads; its blocks are filled in by block_begin. */
static void cluster_lay_out(void)
{
    const fiber_launch *l = run.launch;
    int threads = (int)(l->block.x * l->block.y * l->block.z), warps = (threads + 31) / 32;

    run.fibers.resize((size_t)threads * l->cluster);
    run.warps.resize((size_t)warps * l->cluster);
    run.blocks.resize(l->cluster);
    for (int b = 0; b < (int)l->cluster; b++) {
        run.blocks[(size_t)b].first = b * threads;
        run.blocks[(size_t)b].count = threads;
        for (int w = 0; w < warps; w++) {
            warp *to = &run.warps[(size_t)(b * warps + w)];

            to->first = b * threads + 32 * w;
            to->count = threads - 32 * w < 32 ? threads - 32 * w : 32;
            to->next = 0;
        }
    }
}

static void block_begin(int b, uint64_t index)
{
    const fiber_launch *l = run.launch;
    block *to = &run.blocks[(size_t)b];
    int warps = (to->count + 31) / 32;

    to->index = {(unsigned)(index % l->grid.x), (unsigned)(index / l->grid.x % l->grid.y),
                 (unsigned)(index / l->grid.x / l->grid.y)};
    to->shared = NULL;
    if (l->shared) {
        void *memory = NULL;

        if (posix_memalign(&memory, 128, l->shared + BAND_BYTES))
            die(NULL, "no memory for shared memory", {NULL, 0});
        to->shared = (unsigned char *)memory;
        memset(to->shared, 0xff, l->shared);
        memset(to->shared + l->shared, BAND, BAND_BYTES);
    }
    for (int t = 0; t < to->count; t++) {
        fiber_place(&run.fibers[(size_t)(to->first + t)], b, t);
        run.fibers[(size_t)(to->first + t)].warp = b * warps + t / 32;
    }
}

static void block_end(block *b)
{
    for (size_t i = 0; b->shared && i < BAND_BYTES; i++)
        if (b->shared[run.launch->shared + i] != BAND)
            die(NULL, "shared memory was written past its end", {NULL, 0});
    free(b->shared);
}

void fiber_run(const fiber_launch *launch)
{
    uint64_t count = (uint64_t)launch->grid.x * launch->grid.y * launch->grid.z;
    uint64_t clusters = count / launch->cluster, turn;

    run.launch = launch;
    run.random = launch->seed;
    blockDim = launch->block;
    gridDim = launch->grid;
    cluster_lay_out();
    turn = draw() % clusters;
    for (uint64_t c = 0; c < clusters; c++) {
        uint64_t first = (c + turn) % clusters * launch->cluster;

        for (unsigned b = 0; b < launch->cluster; b++)
            block_begin((int)b, first + b);
        run_cluster();
        for (block &b : run.blocks)
            block_end(&b);
    }
    run.now = NULL;
}

/* --- instructions --------------------------------------------------------------------------- */

void *isa_shared_memory(void)
{
    return run.blocks[(size_t)run.now->block].shared;
}

void isa_copy_begin(void *to, const void *from, bool valid, meet_site site)
{
    copy c = {to, {0}};

    if ((uintptr_t)to % 16 || (uintptr_t)from % 16)
        meet_wrong("an asynchronous copy is not aligned to 16 bytes", site);
    if (valid)
        memcpy(c.bytes, from, sizeof(c.bytes));
    run.now->copies.push_back(c);
}

void isa_copy_commit(void)
{
    size_t before = 0;

    for (size_t group : run.now->groups)
        before += group;
    run.now->groups.push_back(run.now->copies.size() - before);
}

void isa_copy_wait(int left)
{
    fiber *f = run.now;

    while (f->groups.size() > (size_t)left) {
        size_t group = f->groups.front();

        for (size_t i = 0; i < group; i++)
            memcpy(f->copies[i].to, f->copies[i].bytes, sizeof(f->copies[i].bytes));
        f->copies.erase(f->copies.begin(), f->copies.begin() + (long)group);
        f->groups.erase(f->groups.begin());
    }
}

unsigned isa_cluster_rank(void)
{
    return (unsigned)run.now->block;
}

unsigned isa_cluster_size(void)
{
    return run.launch->cluster;
}

void *isa_cluster_map(void *shared, unsigned rank, meet_site site)
{
    const block *mine = &run.blocks[(size_t)run.now->block];
    unsigned char *at = (unsigned char *)shared;

    if (rank >= run.launch->cluster)
        meet_wrong("a cluster has no block of this rank", site);
    if (at < mine->shared || at >= mine->shared + run.launch->shared)
        meet_wrong("only dynamic shared memory can be mapped", site);
    return run.blocks[rank].shared + (at - mine->shared);
}
