/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

void clock_init_real(struct clock *c)
{
    c->virtual_us = -1;
}

void clock_init_virtual(struct clock *c, int64_t now_us)
{
    assert(now_us >= 0);
    c->virtual_us = now_us;
}

int64_t clock_now_us(const struct clock *c)
{
    struct timespec now;

    if (c->virtual_us >= 0)
        return c->virtual_us;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_advance(struct clock *c, int64_t duration_us)
{
    assert(c->virtual_us >= 0 && "only a virtual clock is moved by hand");
    assert(duration_us >= 0 && duration_us <= INT64_MAX - c->virtual_us);
    c->virtual_us += duration_us;
}

int64_t clock_unix_s(void)
{
    return (int64_t)time(NULL);
}
