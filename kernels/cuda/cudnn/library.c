/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/cudnn/library.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY_NAME  "libcudnn.so.9"
#define LIBRARY_MAJOR 9

struct symbol {
    void **into;
    const char *name;
};

static enum status find_symbols(struct library *l, struct why *why)
{
    const struct symbol symbols[] = {
        {(void **)&l->get_version, "cudnnGetVersion"},
        {(void **)&l->error_string, "cudnnGetErrorString"},
        {(void **)&l->last_error, "cudnnGetLastErrorString"},
        {(void **)&l->create, "cudnnCreate"},
        {(void **)&l->destroy, "cudnnDestroy"},
        {(void **)&l->set_stream, "cudnnSetStream"},
        {(void **)&l->descriptor_create, "cudnnBackendCreateDescriptor"},
        {(void **)&l->descriptor_destroy, "cudnnBackendDestroyDescriptor"},
        {(void **)&l->set, "cudnnBackendSetAttribute"},
        {(void **)&l->get, "cudnnBackendGetAttribute"},
        {(void **)&l->finalize, "cudnnBackendFinalize"},
        {(void **)&l->execute, "cudnnBackendExecute"},
    };

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        *symbols[i].into = dlsym(l->file, symbols[i].name);
        if (!*symbols[i].into)
            return why_fail(why, ST_UNSUPPORTED, "%s has no %s", LIBRARY_NAME, symbols[i].name);
    }
    return ST_OK;
}

enum status library_open(struct library *l, struct why *why)
{
    enum status st;

    memset(l, 0, sizeof(*l));
    /* Once here it stays: unloaded, its parts would leave behind what they hold. */
    l->file = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!l->file)
        return why_fail(why, ST_MISSING, "cuDNN cannot be loaded: %s", dlerror());
    st = find_symbols(l, why);
    if (!st) {
        l->version = l->get_version();
        if (l->version < LIBRARY_VERSION_MIN || l->version / 10000 != LIBRARY_MAJOR)
            st = why_fail(why, ST_UNSUPPORTED, "cuDNN %zu is here, at least %d of %d.x is needed",
                          l->version, LIBRARY_VERSION_MIN, LIBRARY_MAJOR);
    }
    if (st)
        library_close(l);
    return st;
}

void library_close(struct library *l)
{
    if (l->file)
        dlclose(l->file);
    memset(l, 0, sizeof(*l));
}

cudnnBackendDescriptor_t library_make(const struct library *l, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t made = NULL;

    return l->descriptor_create(type, &made) == CUDNN_STATUS_SUCCESS ? made : NULL;
}

void library_drop(const struct library *l, cudnnBackendDescriptor_t *descriptor)
{
    if (*descriptor)
        l->descriptor_destroy(*descriptor);
    *descriptor = NULL;
}

/* Its longer words span lines; a why is one sentence. */
enum status library_fail(const struct library *l, cudnnStatus_t trouble, const char *what,
                         struct why *why)
{
    char words[400] = "";
    int category = CUDNN_STATUS_CATEGORY((int)trouble);

    l->last_error(words, sizeof(words));
    words[sizeof(words) - 1] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
    return why_fail(why,
                    category == 5000   ? ST_DEVICE
                    : category == 4000 ? ST_FULL
                                       : ST_UNSUPPORTED,
                    "%s: %s%s%s", what, l->error_string(trouble), *words ? ": " : "", words);
}
