/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* The allocators underneath: glibc's own, or a sanitizer's where one is linked (else NULL). */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void __libc_free(void *p);
__attribute__((weak)) void *__interceptor_malloc(size_t bytes);
__attribute__((weak)) void *__interceptor_calloc(size_t count, size_t bytes);
__attribute__((weak)) void *__interceptor_realloc(void *p, size_t bytes);
__attribute__((weak)) void __interceptor_free(void *p);

static atomic_bool armed, fired;
static atomic_long left, live;

void fault_arm(long nth)
{
    atomic_store(&fired, false);
    atomic_store(&live, 0);
    atomic_store(&left, nth);
    atomic_store(&armed, true);
}

void fault_disarm(void)
{
    atomic_store(&armed, false);
}

bool fault_fired(void)
{
    return atomic_load(&fired);
}

long fault_live(void)
{
    return atomic_load(&live);
}

static bool is_armed(void)
{
    return atomic_load_explicit(&armed, memory_order_relaxed);
}

/* True when it is this allocation's turn to fail. */
static bool fails(void)
{
    if (!is_armed() || atomic_fetch_sub(&left, 1) != 1)
        return false;
    atomic_store(&fired, true);
    errno = ENOMEM;
    return true;
}

static void *taken(void *p)
{
    if (p && is_armed())
        atomic_fetch_add(&live, 1);
    return p;
}

void *malloc(size_t bytes)
{
    if (fails())
        return NULL;
    return taken(__interceptor_malloc ? __interceptor_malloc(bytes) : __libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    if (fails())
        return NULL;
    return taken(__interceptor_calloc ? __interceptor_calloc(count, bytes)
                                      : __libc_calloc(count, bytes));
}

/* A block that moves is still one block; realloc(p, 0) is not used in this project. */
void *realloc(void *p, size_t bytes)
{
    void *moved;

    if (fails())
        return NULL;
    moved = __interceptor_realloc ? __interceptor_realloc(p, bytes) : __libc_realloc(p, bytes);
    return p ? moved : taken(moved);
}

void free(void *p)
{
    if (p && is_armed())
        atomic_fetch_sub(&live, 1);
    if (__interceptor_free)
        __interceptor_free(p);
    else
        __libc_free(p);
}
