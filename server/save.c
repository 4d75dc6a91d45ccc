/* SPDX-License-Identifier: Apache-2.0 */
#include "server/save.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *data, size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = write(fd, data + done, bytes - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return fsync(fd) == 0;
}

enum status save_file(const char *path, const void *data, size_t bytes, struct why *why)
{
    char beside[PATH_MAX];
    mode_t mask = umask(0);
    bool written;
    int fd;

    umask(mask);
    if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
        return why_fail(why, ST_INVALID, "the name of the output is too long");
    fd = mkstemp(beside);
    if (fd < 0)
        return why_fail(why, ST_IO, "cannot write %s: %s", path, strerror(errno));
    written = write_all(fd, data, bytes) && fchmod(fd, 0666 & ~mask) == 0;
    if (close(fd) || !written || rename(beside, path)) {
        int reason = errno;

        unlink(beside);
        return why_fail(why, ST_IO, "cannot write %s: %s", path, strerror(reason));
    }
    return ST_OK;
}
