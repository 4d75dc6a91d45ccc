/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_weights.c - any bytes as a model file: refused with a reason, or every number can be read.
 *
 * The first byte chooses: the rest is a file as it is, or the file's header up to a NUL and then
 * its numbers, so that the header's length need not be guessed.
 */
#include "models/weights.h"

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

/* Reads all numbers, which is what the sanitizer watches. Returns their bytes. */
static uint64_t read_tensor(const struct weights *w, const char *name, unsigned *sum)
{
    struct tensor t, again;
    struct why why = {0};

    must(weights_find(w, name, &t, &why) == ST_OK);
    must(weights_need(w, name, t.dim, &again, &why) == ST_OK && again.data == t.data);
    must((uintptr_t)t.data % dtype_bytes(t.dtype) == 0 && tensor_is_dense(t));
    for (size_t i = 0; i < tensor_bytes(t); i++)
        *sum += ((const unsigned char *)t.data)[i];
    return tensor_bytes(t);
}

static void try_file(const uint8_t *file, size_t bytes)
{
    struct weights *w;
    struct tensor t;
    struct why why = {0};
    uint64_t read = 0;
    unsigned sum = 0;
    enum status st = weights_open_memory(&w, file, bytes, &why);

    if (st) {
        must(st == ST_INVALID && !w && why.text[0]);
        return;
    }
    for (size_t i = 0; i < weights_count(w); i++)
        read += read_tensor(w, weights_name(w, i), &sum);
    must(read <= weights_bytes(w) && weights_bytes(w) <= bytes);
    must(weights_find(w, "no such tensor", &t, &why) == ST_MISSING);
    (void)weights_metadata(w, "format");
    weights_close(&w);
    must(!w && sum <= 255 * bytes);
}

/* The header's length, the header and the numbers, as one file. */
static void try_parts(const uint8_t *data, size_t bytes)
{
    const uint8_t *nul = bytes ? memchr(data, 0, bytes) : NULL;
    size_t header = nul ? (size_t)(nul - data) : bytes;
    uint8_t *file = malloc(8 + bytes);

    must(file != NULL);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)header >> (8 * i));
    if (header)
        memcpy(file + 8, data, header);
    if (nul)
        memcpy(file + 8 + header, nul + 1, bytes - header - 1);
    try_file(file, 8 + bytes - (nul != NULL));
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (data[0] & 1)
        try_parts(data + 1, bytes - 1);
    else
        try_file(data + 1, bytes - 1);
    return 0;
}
