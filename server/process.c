/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void look_at_memory(struct process_use *out)
{
    FILE *file = fopen("/proc/self/statm", "re");
    double page = (double)sysconf(_SC_PAGESIZE);
    unsigned long all, resident;

    if (!file)
        return;
    if (fscanf(file, "%lu %lu", &all, &resident) == 2) {
        out->virtual_bytes = (double)all * page;
        out->resident_bytes = (double)resident * page;
    }
    fclose(file);
}

/* The folder itself is open while it is read. */
static double count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = -1;

    if (!folder)
        return -1;
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

void process_look(struct process_use *out)
{
    struct rusage usage;
    struct rlimit limit;

    *out = (struct process_use){.cpu_s = -1, .resident_bytes = -1, .virtual_bytes = -1};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    look_at_memory(out);
    out->open_fds = count_fds();
    out->max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : -1;
}
