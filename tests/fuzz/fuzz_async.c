/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_async.c - headers and paths of requests about jobs. Every reader sees the whole input, in
 * memory of exactly its size.
 */
#include "server/async.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static void check_key(const char *text, size_t bytes)
{
    char key[STORE_JOB_KEY_MAX];
    struct why why = {""};

    if (async_key(key, text, bytes, &why)) {
        must(why.text[0] != '\0');
        return;
    }
    must(key[0] != '\0' && strlen(key) <= bytes && strlen(key) < sizeof(key));
    for (const char *c = key; *c; c++)
        must(*c >= ' ' && *c <= '~');
}

static void check_path(const char *text, size_t bytes)
{
    struct async_path path;

    if (!async_path(&path, text, bytes))
        return;
    must(strlen(path.id) == strlen(ASYNC_ID_PREFIX) + 32 && bytes >= strlen(path.id));
    must(!memcmp(path.id, text, strlen(path.id)));
    must(path.k >= 0 && path.k <= 9999 && (path.part == ASYNC_IMAGE || path.k == 0));
}

static void check_query(const char *text, size_t bytes)
{
    struct why why = {""};
    int previews = -1;

    if (async_previews(&previews, text, bytes, &why))
        must(why.text[0] != '\0');
    else
        must(previews >= 0 && previews <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes ? bytes : 1);

    if (!text)
        return 0;
    if (bytes)
        memcpy(text, data, bytes);
    async_wanted(text, bytes);
    must(async_event(text, bytes) >= 0);
    check_key(text, bytes);
    check_path(text, bytes);
    check_query(text, bytes);
    free(text);
    return 0;
}
