/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
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

/* The first number behind a name in a file of such lines, or at its start. */
static double read_number(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    char line[256];
    double number = -1;

    while (file && number < 0 && fgets(line, sizeof(line), file)) {
        size_t bytes = strlen(name);

        if (!strncmp(line, name, bytes) && sscanf(line + bytes, "%lf", &number) != 1)
            number = -1;
    }
    if (file)
        fclose(file);
    return number;
}

/* What is in use of a group, pages of files included, could mostly be given back, so what is left
   is between this and a little more. */
static double group_left(const char *most, const char *used, const char *stat, const char *cache)
{
    double limit = read_number(most, ""), use = read_number(used, "");
    double files = read_number(stat, cache);

    if (limit < 0 || use < 0)
        return -1;
    return limit - use + (files > 0 ? files : 0);
}

double process_memory_left(void)
{
    double left = read_number("/proc/meminfo", "MemAvailable:") * 1024;
    double group = group_left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                              "/sys/fs/cgroup/memory.stat", "inactive_file ");

    if (group < 0)
        group = group_left("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                           "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                           "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file ");
    if (left < 0 || (group >= 0 && group < left))
        left = group;
    return left;
}
