/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tokenizer_files.c - any bytes as a tokenizer's folder: refused with a reason, or a tokenizer
 * that encodes. NULs part the input into vocab.json, merges.txt, tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and a prompt; what is empty does not exist.
 */
#include "models/tokenizer.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static char folder[64]; /* made once, emptied when the process ends; the process is the harness */

static const char *const names[FILES] = {
    "vocab.json",        "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",
};

static void path_of(char path[128], int file)
{
    snprintf(path, 128, "%s/%s", folder, names[file]);
}

static void remove_folder(void)
{
    char path[128];

    for (int i = 0; i < FILES; i++) {
        path_of(path, i);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void make_folder(void)
{
    if (folder[0])
        return;
    snprintf(folder, sizeof(folder), "/dev/shm/limner-fuzz-XXXXXX");
    if (!mkdtemp(folder)) {
        snprintf(folder, sizeof(folder), "/tmp/limner-fuzz-XXXXXX");
        must(mkdtemp(folder) != NULL);
    }
    atexit(remove_folder);
}

static void put(int file, const uint8_t *data, size_t bytes)
{
    char path[128];
    int fd;

    path_of(path, file);
    if (bytes == 0) {
        (void)unlink(path);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
}

static void encode(const struct tokenizer *t, const uint8_t *text, size_t bytes)
{
    static int32_t ids[4096];
    int wanted;

    must(tokenizer_length(t) >= 2 && tokenizer_length(t) <= 4096);
    if (tokenizer_encode(t, ids, (const char *)text, bytes, &wanted, NULL) != ST_OK)
        return;
    for (int i = 0; i < tokenizer_length(t); i++)
        must(ids[i] >= 0 && ids[i] < tokenizer_vocabulary(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tokenizer *t;
    struct why why = {0};
    enum status st;

    make_folder();
    for (int i = 0; i < FILES; i++) {
        const uint8_t *nul = bytes ? memchr(data, 0, bytes) : NULL;
        size_t n = nul ? (size_t)(nul - data) : bytes;

        put(i, data, n);
        data += n + (nul != NULL);
        bytes -= n + (nul != NULL);
    }
    st = tokenizer_open(&t, folder, &why);
    must((st == ST_OK) == (t != NULL) && (st == ST_OK) == (why.text[0] == '\0'));
    must(st != ST_FULL && st != ST_IO);
    if (!st)
        encode(t, data, bytes);
    tokenizer_close(&t);
    return 0;
}
