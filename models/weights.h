/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.h - named tensors from safetensors files, mapped and never copied.
 *
 * Format: 8 bytes little-endian header length, a JSON header {"name": {"dtype", "shape",
 * "data_offsets": [begin, end]}, "__metadata__": {...}}, then the numbers. Everything in the header
 * is a stranger's word: lengths, types, shapes, products and offsets are checked before a byte is
 * believed, overlaps and holes included. A damaged file is refused with a sentence that names the
 * file and the tensor.
 */
#ifndef MODELS_WEIGHTS_H
#define MODELS_WEIGHTS_H

#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weights;

/* One file, or several shards listed by an index: `path` is FILE.safetensors, or
   FILE.safetensors.index.json with a "weight_map" whose shards stand beside it. If `path` does not
   exist but its index or its ".fp16" variant does ("model.fp16.safetensors"), that one is taken.
   F32, F16, BF16, I32 and U8 tensors are readable, other types are skipped but their bounds
   checked. Tensors of more than four dimensions are skipped likewise. */
MUST_USE enum status weights_open(struct weights **out, const char *path, struct why *why);

/* The same from memory that outlives the weights: for tests and the fuzzer. */
MUST_USE enum status weights_open_memory(struct weights **out, const void *data, size_t bytes,
                                         struct why *why);
void weights_close(struct weights **w);

/* The tensor, with its file dimensions in the last places of dim[] and ones before them
   ([N, K] is [1, 1, N, K]). ST_MISSING names it. The bytes are read-only. */
MUST_USE enum status weights_find(const struct weights *w, const char *name, struct tensor *out,
                                  struct why *why);

/* Like weights_find, but the shape must be this one: ST_INVALID says both. Zeros mean "any". */
MUST_USE enum status weights_need(const struct weights *w, const char *name, const int64_t dim[4],
                                  struct tensor *out, struct why *why);

size_t weights_count(const struct weights *w);                   /* tensors that can be read */
const char *weights_name(const struct weights *w, size_t index); /* in file order */
uint64_t weights_bytes(const struct weights *w);                 /* of all numbers */

/* Value of a key of "__metadata__", or NULL. */
const char *weights_metadata(const struct weights *w, const char *key);

/* The pages of the mapping are not needed soon (everything was packed): let the system have them.
 */
void weights_release_pages(const struct weights *w);

/*
 * Writing, for --dump and tests: tensors are added, then everything goes to one file that appears
 * whole or not at all (written beside, synced, renamed).
 */
struct weights_out;

MUST_USE enum status weights_out_open(struct weights_out **out, const char *path, struct why *why);
/* Copies the numbers. Only the dimensions from the first that is not 1 are kept, at least
   `dims_min` of them. */
MUST_USE enum status weights_out_add(struct weights_out *o, const char *name, struct tensor t,
                                     int dims_min, struct why *why);
MUST_USE enum status weights_out_finish(struct weights_out *o, struct why *why);
void weights_out_close(struct weights_out **o);

#ifdef __cplusplus
}
#endif

#endif /* MODELS_WEIGHTS_H */
