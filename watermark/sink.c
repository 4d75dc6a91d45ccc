/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAR_BLOCK 512
#define PATH_SIZE 4096

static enum status no_file(const char *path, struct why *why)
{
    return why_fail(why,
                    errno == EEXIST   ? ST_REFUSED
                    : errno == ENOSPC ? ST_FULL
                                      : ST_IO,
                    "%s: %s", path, errno == EEXIST ? "it is there already" : strerror(errno));
}

/* ---- an archive: ustar, one header and whole blocks a file ---- */

static void tar_number(char *field, int digits, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%0*" PRIo64, digits, n);
    memcpy(field, text, (size_t)digits);
}

static enum status tar_put(struct sink *s, const char *name, const void *data, size_t bytes,
                           struct why *why)
{
    char head[TAR_BLOCK] = "", pad[TAR_BLOCK] = "";
    size_t rest = (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
    unsigned sum = 0;

    assert(strlen(name) < 100);
    memcpy(head, name, strlen(name));
    memcpy(head + 100, "0000644", 7); /* mode, owner, group */
    memcpy(head + 108, "0000000", 7);
    memcpy(head + 116, "0000000", 7);
    tar_number(head + 124, 11, (int64_t)bytes);
    tar_number(head + 136, 11, s->time_s);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)head[i];
    tar_number(head + 148, 6, sum);
    head[154] = '\0';
    if (fwrite(head, 1, TAR_BLOCK, s->tar) != TAR_BLOCK ||
        fwrite(data, 1, bytes, s->tar) != bytes || fwrite(pad, 1, rest, s->tar) != rest)
        return no_file(s->root, why);
    return ST_OK;
}

/* ---- a folder ---- */

static enum status make_folders(char *path, size_t root, struct why *why)
{
    for (char *at = path + root + 1; (at = strchr(at, '/')) != NULL; at++) {
        int code;

        *at = '\0';
        code = mkdir(path, 0755);
        if (code && errno != EEXIST)
            return no_file(path, why);
        *at = '/';
    }
    return ST_OK;
}

static enum status folder_put(struct sink *s, const char *name, const void *data, size_t bytes,
                              struct why *why)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", s->root, name);
    enum status st;
    FILE *file;
    bool written;

    if (n >= PATH_SIZE)
        return why_fail(why, ST_INVALID, "%s is too long a name", s->root);
    st = make_folders(path, strlen(s->root), why);
    if (st)
        return st;
    file = fopen(path, "wbxe");
    if (!file)
        return no_file(path, why);
    written = fwrite(data, 1, bytes, file) == bytes;
    if (fclose(file) || !written)
        return no_file(path, why);
    return ST_OK;
}

enum status sink_put(struct sink *s, const char *name, const void *data, size_t bytes,
                     struct why *why)
{
    return s->tar ? tar_put(s, name, data, bytes, why) : folder_put(s, name, data, bytes, why);
}

enum status sink_open(struct sink *s, const char *path, int64_t time_s, struct why *why)
{
    size_t n = strlen(path);
    int fd;

    *s = (struct sink){.root = path, .time_s = time_s};
    if (n < 5 || strcmp(path + n - 4, ".tar") != 0)
        return mkdir(path, 0755) ? no_file(path, why) : ST_OK;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return no_file(path, why);
    s->tar = fdopen(fd, "wb");
    if (s->tar)
        return ST_OK;
    close(fd);
    return why_fail(why, ST_FULL, "no memory for %s", path);
}

/* Two empty blocks end an archive. */
enum status sink_close(struct sink *s, enum status st, struct why *why)
{
    static const char end[2 * TAR_BLOCK];

    if (!s->tar)
        return st;
    if (!st && (fwrite(end, 1, sizeof(end), s->tar) != sizeof(end) || fflush(s->tar) ||
                fsync(fileno(s->tar))))
        st = no_file(s->root, why);
    if (fclose(s->tar) && !st)
        st = no_file(s->root, why);
    if (st)
        unlink(s->root);
    return st;
}
