/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_chunks.c - any bytes as a PNG, JPEG or WebP file. What is put into it is found as it was,
 * where it was said to be; and what cannot be put leaves the file as it was.
 */
#include "codec/chunks.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

/* A manifest's outer box, with nothing behind its label. */
static const uint8_t store[] = "\0\0\0\x26jumb\0\0\0\x1ejumd"
                               "c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa";

static void find(const struct bytes *file, enum chunks_kind kind)
{
    struct chunks_range range;
    struct bytes found;

    if (chunks_find(&found, &range, kind, file->data, file->count, NULL))
        return;
    must(range.start <= file->count && range.count <= file->count - range.start);
    must(found.count <= range.count);
    bytes_close(&found);
}

static void put(struct bytes *file, enum chunks_kind kind, const uint8_t *data, size_t bytes)
{
    struct bytes before = {malloc(file->count + 1), file->count}, found;
    struct chunks_range range, where;
    struct chunks_range again;

    must(before.data != NULL);
    memcpy(before.data, file->data, file->count);
    if (chunks_put(file, kind, data, bytes, &range, NULL) == ST_OK) {
        must(chunks_find(&found, &where, kind, file->data, file->count, NULL) == ST_OK);
        must(where.start == range.start && where.count == range.count);
        must(found.count == bytes && !memcmp(found.data, data, bytes));
        bytes_close(&found);
        must(chunks_put(file, kind, data, bytes, &again, NULL) == ST_OK);
        must(again.start == range.start && again.count == range.count);
    } else
        must(before.count == file->count && !memcmp(before.data, file->data, file->count));
    bytes_close(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct bytes file = {malloc(bytes + !bytes), bytes};

    must(file.data != NULL);
    if (bytes)
        memcpy(file.data, data, bytes);
    find(&file, CHUNKS_XMP);
    find(&file, CHUNKS_C2PA);
    put(&file, CHUNKS_XMP, (const uint8_t *)"<x/>", 4);
    put(&file, CHUNKS_C2PA, store, sizeof(store));
    bytes_close(&file);
    return 0;
}
