/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.h - one safetensors file, mapped, with every word of its header checked.
 *
 * What must hold before a file is open, as in the reference implementation: the header lies inside
 * the file and is at most SAFETENSORS_HEADER_MAX bytes of strict JSON; types are known; shapes are
 * not negative and their products do not overflow; begin <= end and end - begin is shape times
 * type; laid side by side the tensors cover the numbers from the first byte to the last, without a
 * hole and without an overlap. weights.h puts several such files under one roof.
 */
#ifndef MODELS_SAFETENSORS_H
#define MODELS_SAFETENSORS_H

#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SAFETENSORS_HEADER_MAX 100000000 /* bytes, the reference's own bound */

struct safetensors;

struct safetensors_entry {
    const char *name;     /* borrowed from the header */
    const char *skip;     /* why it cannot be read, NULL when it can */
    uint64_t begin, end;  /* bytes from the start of the numbers */
    uint64_t element;     /* bytes of one number */
    struct tensor tensor; /* when it can be read */
    bool moved;           /* the numbers were copied, see safetensors.c */
};

MUST_USE enum status safetensors_open(struct safetensors **out, const char *path, struct why *why);

/* From memory that outlives the file; errors call it "memory". */
MUST_USE enum status safetensors_open_memory(struct safetensors **out, const void *data,
                                             size_t bytes, struct why *why);
void safetensors_close(struct safetensors **f);

size_t safetensors_count(const struct safetensors *f);
const struct safetensors_entry *safetensors_at(const struct safetensors *f, size_t index);
uint64_t safetensors_bytes(const struct safetensors *f); /* of all numbers */
const char *safetensors_metadata(const struct safetensors *f, const char *key);
void safetensors_release_pages(const struct safetensors *f);

/* A name from a stranger, fit for a sentence: cut, control characters replaced. Returns `out`. */
#define SAFETENSORS_SHOWN 128
const char *safetensors_shown(char out[SAFETENSORS_SHOWN], const char *name);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_SAFETENSORS_H */
