/* SPDX-License-Identifier: Apache-2.0 */
#include "server/folder.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 8

static void mix(uint64_t *hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++)
        *hash = (*hash ^ at[i]) * UINT64_C(0x100000001b3);
}

/* By its place in the folder, not by the folder's own name. The order in which files are found
   does not matter, since marks are added up. */
static void add_file(struct folder_look *out, const FTSENT *at, size_t skip)
{
    const struct stat *s = at->fts_statp;
    const int64_t numbers[] = {(int64_t)s->st_size, (int64_t)s->st_ino, (int64_t)s->st_dev,
                               (int64_t)s->st_mtim.tv_sec, (int64_t)s->st_mtim.tv_nsec};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    mix(&hash, at->fts_path + skip, strlen(at->fts_path + skip));
    mix(&hash, numbers, sizeof(numbers));
    out->mark += hash;
    out->bytes += (int64_t)s->st_size;
}

enum status folder_look(struct folder_look *out, const char *path, struct why *why)
{
    char *const paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk;
    FTSENT *at;
    int error = 0;

    *out = (struct folder_look){0};
    walk = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
    while (errno = 0, (at = fts_read(walk))) {
        if (at->fts_info == FTS_F)
            add_file(out, at, strlen(path));
        else if (at->fts_info == FTS_NS || at->fts_info == FTS_DNR || at->fts_info == FTS_ERR)
            error = at->fts_errno;
        if (at->fts_level >= DEPTH_MAX)
            fts_set(walk, at, FTS_SKIP);
    }
    error = error ? error : errno;
    fts_close(walk);
    if (error)
        return why_fail(why, error == ENOENT ? ST_MISSING : ST_IO, "%s: %s", path, strerror(error));
    return ST_OK;
}
