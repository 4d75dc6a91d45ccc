/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keyfile.h"

#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- making one ---- */

static enum status write_all(int fd, const char *text, const char *path, struct why *why)
{
    size_t count = strlen(text);

    while (count > 0) {
        ssize_t done = write(fd, text, count);

        if (done < 0 && errno != EINTR)
            return why_fail(why, ST_IO, "cannot write %s: %s", path, strerror(errno));
        text += done > 0 ? done : 0;
        count -= done > 0 ? (size_t)done : 0;
    }
    if (fsync(fd))
        return why_fail(why, ST_IO, "cannot write %s: %s", path, strerror(errno));
    return ST_OK;
}

/* That the folder knows the name must be on the disk as well: without the key all is lost. */
static enum status sync_folder(const char *path, struct why *why)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int fd, failed;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    failed = fd < 0 || fsync(fd);
    if (fd >= 0)
        close(fd);
    return failed ? why_fail(why, ST_IO, "cannot write the folder of %s: %s", path, strerror(errno))
                  : ST_OK;
}

static enum status make(const char *path, const char *fresh, struct why *why)
{
    char beside[PATH_MAX];
    enum status st;
    int fd;

    if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
        return why_fail(why, ST_INVALID, "the name of a file of keys is too long");
    fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return why_fail(why, ST_IO, "cannot make %s: %s", path, strerror(errno));
    st = write_all(fd, fresh, path, why);
    close(fd);
    if (!st && link(beside, path) && errno != EEXIST)
        st = why_fail(why, ST_IO, "cannot make %s: %s", path, strerror(errno));
    unlink(beside);
    return st ? st : sync_folder(path, why);
}

/* ---- reading it ---- */

static enum status check(int fd, const char *path, struct why *why)
{
    struct stat about;

    if (fstat(fd, &about))
        return why_fail(why, ST_IO, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return why_fail(why, ST_INVALID, "%s is not a file", path);
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return why_fail(why, ST_INVALID,
                        "%s holds secrets and others may read it; run: chmod 600 %s", path, path);
    if (about.st_uid != geteuid() && about.st_uid != 0)
        return why_fail(why, ST_INVALID, "%s holds secrets and belongs to another user", path);
    return ST_OK;
}

static enum status load(int fd, char text[KEYFILE_BYTES_MAX], const char *path, struct why *why)
{
    size_t count = 0;

    for (;;) {
        ssize_t got = read(fd, text + count, KEYFILE_BYTES_MAX - count);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return why_fail(why, ST_IO, "cannot read %s: %s", path, strerror(errno));
        count += (size_t)got;
        if (count == KEYFILE_BYTES_MAX)
            return why_fail(why, ST_INVALID, "%s has more than %d bytes: it is no file of keys",
                            path, KEYFILE_BYTES_MAX - 1);
        if (!got)
            break;
    }
    text[count] = '\0';
    if (strlen(text) != count)
        return why_fail(why, ST_INVALID, "%s holds a NUL: it is no file of keys", path);
    return ST_OK;
}

enum status keyfile_read(char text[KEYFILE_BYTES_MAX], const char *path, const char *fresh,
                         struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait */
    enum status st = ST_OK;

    if (fd < 0 && errno == ENOENT) {
        st = make(path, fresh, why);
        if (st)
            return st;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0)
        return why_fail(why, ST_IO, "cannot open %s: %s", path, strerror(errno));
    st = check(fd, path, why);
    if (!st)
        st = load(fd, text, path, why);
    close(fd);
    if (st)
        crypto_wipe(text, KEYFILE_BYTES_MAX);
    return st;
}
