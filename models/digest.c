/* SPDX-License-Identifier: Apache-2.0 */
#include "models/digest.h"

#include "base/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512
#define LINE_BYTES (DIGEST_HEX + 2 + PATH_BYTES)

struct list {
    const char *folder;
    char path[DIGEST_FILES_MAX][PATH_BYTES]; /* in the folder */
    int count;
};

static enum status digest_file(char out[DIGEST_HEX], const char *path, struct why *why)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t hash[32];
    struct stat info;
    void *data;

    if (file < 0 || fstat(file, &info) || !info.st_size) {
        if (file >= 0)
            close(file);
        return why_fail(why, ST_IO, "%s cannot be read: %s", path,
                        file < 0 ? strerror(errno) : "it is empty");
    }
    data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (data == MAP_FAILED)
        return why_fail(why, ST_IO, "%s cannot be mapped: %s", path, strerror(errno));
    madvise(data, (size_t)info.st_size, MADV_SEQUENTIAL);
    crypto_sha256(hash, data, (size_t)info.st_size);
    munmap(data, (size_t)info.st_size);
    crypto_hex(out, hash, sizeof(hash));
    return ST_OK;
}

static bool is_weights(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && !strcmp(dot, ".safetensors");
}

/* The names in `under`, which is "" or ends with a slash. */
static enum status look(struct list *list, const char *under, bool folders,
                        bool (*keep)(const char *), struct why *why)
{
    char path[2 * PATH_BYTES];
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof(path), "%s/%s", list->folder, under);
    folder = opendir(path);
    if (!folder)
        return why_fail(why, ST_IO, "%s cannot be read: %s", path, strerror(errno));
    while ((entry = readdir(folder))) {
        struct stat info;
        int length;

        if (entry->d_name[0] == '.' || (keep && !keep(entry->d_name)) ||
            fstatat(dirfd(folder), entry->d_name, &info, 0) || S_ISDIR(info.st_mode) != folders)
            continue;
        if (list->count == DIGEST_FILES_MAX)
            break;
        length = snprintf(list->path[list->count++], PATH_BYTES, "%s%s%s", under, entry->d_name,
                          folders ? "/" : "");
        if (length >= PATH_BYTES)
            list->count = DIGEST_FILES_MAX;
    }
    closedir(folder);
    if (list->count == DIGEST_FILES_MAX)
        return why_fail(why, ST_FULL, "%s has more than %d files, or a name that is too long", path,
                        DIGEST_FILES_MAX - 1);
    return ST_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum status sum(char out[DIGEST_HEX], const struct list *list, struct why *why)
{
    char *text = malloc((size_t)list->count * LINE_BYTES), path[2 * PATH_BYTES], hex[DIGEST_HEX];
    enum status st = text ? ST_OK : why_fail(why, ST_FULL, "no memory for a list of files");
    size_t used = 0;
    uint8_t hash[32];

    for (int i = 0; i < list->count && !st; i++) {
        snprintf(path, sizeof(path), "%s/%s", list->folder, list->path[i]);
        st = digest_file(hex, path, why);
        if (!st)
            used += (size_t)snprintf(text + used, LINE_BYTES, "%s  %s\n", hex, list->path[i]);
    }
    if (!st) {
        crypto_sha256(hash, text, used);
        crypto_hex(out, hash, sizeof(hash));
    }
    free(text);
    return st;
}

enum status digest_folder(char out[DIGEST_HEX], const char *folder, struct why *why)
{
    struct list *found = calloc(2, sizeof(*found)), *files = found, *folders = found + 1;
    enum status st;

    if (!found)
        return why_fail(why, ST_FULL, "no memory for a list of files");
    files->folder = folders->folder = folder;
    st = look(files, "", false, is_weights, why);
    if (!st)
        st = look(folders, "", true, NULL, why);
    for (int i = 0; i < folders->count && !st; i++)
        st = look(files, folders->path[i], false, is_weights, why);
    qsort(files->path, (size_t)files->count, PATH_BYTES, by_bytes);
    if (!st && !files->count)
        st = why_fail(why, ST_MISSING, "%s holds no safetensors files", folder);
    if (!st)
        st = sum(out, files, why);
    free(found);
    return st;
}
