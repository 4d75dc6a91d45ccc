/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cores.h"

#include <sched.h>
#include <stdio.h>

/* The first processor of the core that `cpu` belongs to; `cpu` itself where nothing is known. */
static size_t core_of(size_t cpu)
{
    char path[96];
    size_t first = cpu;
    FILE *file;

    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
             cpu);
    file = fopen(path, "re");
    if (!file)
        return cpu;
    if (fscanf(file, "%zu", &first) != 1 || first >= CPU_SETSIZE)
        first = cpu;
    fclose(file);
    return first;
}

/* Whole cores' worth of time that control groups (version 2) allow, or `cores` without a limit. */
static int within_quota(int cores)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    long quota, period;

    if (!file)
        return cores;
    if (fscanf(file, "%ld %ld", &quota, &period) == 2 && quota > 0 && period > 0) {
        long allowed = (quota + period - 1) / period;
        if (allowed < cores)
            cores = (int)allowed;
    }
    fclose(file);
    return cores;
}

int cores_usable(void)
{
    cpu_set_t mine, cores;

    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof(mine), &mine))
        return 1;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mine))
            CPU_SET(core_of(cpu), &cores);
    return within_quota(CPU_COUNT(&cores));
}
