/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

static enum status taken(int fd, const char *folder, struct why *why)
{
    char text[32] = "";
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

    text[got > 0 ? strspn(text, "0123456789") : 0] = '\0';
    return why_fail(why, ST_FULL,
                    "another server%s%s works in the state folder %s: stop it, or give this one a "
                    "folder of its own with --state",
                    *text ? ", process " : "", text, folder);
}

/* For people, and for the sentence above: whoever holds the lock need not say who he is. */
static void sign(int fd)
{
    char text[32];
    int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)bytes, 0) != bytes)
        return;
}

enum status sole_take(int *fd, const char *folder, struct why *why)
{
    char path[PATH_BYTES];

    *fd = -1;
    if (snprintf(path, sizeof(path), "%s/serving", folder) >= (int)sizeof(path))
        return why_fail(why, ST_INVALID, "the state folder's name is too long");
    if (mkdir(folder, 0700) && errno != EEXIST)
        return why_fail(why, ST_IO, "%s: %s", folder, strerror(errno));
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB)) {
        enum status st = errno == EWOULDBLOCK
                             ? taken(*fd, folder, why)
                             : why_fail(why, ST_IO, "%s: %s", path, strerror(errno));

        sole_give(fd);
        return st;
    }
    sign(*fd);
    return ST_OK;
}

void sole_give(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
