/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.h - cuDNN, found when the program starts.
 *
 * limner is built against cuDNN's header and not linked with it: a machine without the library, or
 * with one that is too old, runs on our own kernels and says why. Of its interface only the backend
 * is used, which is a handful of functions over descriptors.
 */
#ifndef KERNELS_CUDA_CUDNN_LIBRARY_H
#define KERNELS_CUDA_CUDNN_LIBRARY_H

#include "base/status.h"

#include <cudnn.h>

#include <stddef.h>

#define LIBRARY_VERSION_MIN                                                                        \
    91100 /* 9.11: descriptors of devices, on engines and heuristics too                           \
           */

struct library {
    void *file;
    size_t version; /* 91900 is 9.19.0 */
    __typeof__(cudnnGetVersion) *get_version;
    __typeof__(cudnnGetErrorString) *error_string;
    __typeof__(cudnnGetLastErrorString) *last_error;
    __typeof__(cudnnCreate) *create;
    __typeof__(cudnnDestroy) *destroy;
    __typeof__(cudnnSetStream) *set_stream;
    __typeof__(cudnnBackendCreateDescriptor) *descriptor_create;
    __typeof__(cudnnBackendDestroyDescriptor) *descriptor_destroy;
    __typeof__(cudnnBackendSetAttribute) *set;
    __typeof__(cudnnBackendGetAttribute) *get;
    __typeof__(cudnnBackendFinalize) *finalize;
    __typeof__(cudnnBackendExecute) *execute;
};

/* ST_MISSING: no such library here; ST_UNSUPPORTED: too old, or of another major version. */
MUST_USE enum status library_open(struct library *l, struct why *why);
void library_close(struct library *l);

/* NULL: not to be had. Dropping sets it to NULL, and takes NULL. */
cudnnBackendDescriptor_t library_make(const struct library *l, cudnnBackendDescriptorType_t type);
void library_drop(const struct library *l, cudnnBackendDescriptor_t *descriptor);

/* "what: cuDNN's words" as a status. */
enum status library_fail(const struct library *l, cudnnStatus_t trouble, const char *what,
                         struct why *why);

#endif /* KERNELS_CUDA_CUDNN_LIBRARY_H */
