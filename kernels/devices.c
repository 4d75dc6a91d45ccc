/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/devices.h"

#include "base/log.h"
#include "kernels/cuda.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const precisions[] = {"auto", "f32", "mixed", "bf16", "f16", "fp8"};

enum status devices_precision(enum precision *out, const char *word, struct why *why)
{
    for (size_t i = 0; i < sizeof(precisions) / sizeof(precisions[0]); i++) {
        if (strcmp(word, precisions[i]) != 0)
            continue;
        *out = (enum precision)i;
        return ST_OK;
    }
    return why_fail(why, ST_INVALID,
                    "precision must be auto, f32, mixed, bf16, f16 or fp8, not '%s'", word);
}

const char *devices_precision_name(enum precision precision)
{
    return precisions[precision];
}

static void add(struct devices *out, struct device_options like, enum accelerator accelerator,
                int index)
{
    like.accelerator = accelerator;
    like.index = index;
    out->device[out->count++] = like;
}

/* Every GPU that can be used; one that cannot is no reason to do without the others. */
static enum status add_all(struct devices *out, struct device_options like, struct why *why)
{
    int count = cuda_count(why);
    unsigned caps;

    for (int i = 0; i < count && out->count < DEVICES_MAX; i++)
        if (cuda_probe(i, &caps, why) == ST_OK)
            add(out, like, ACCELERATOR_CUDA, i);
        else
            log_warn("gpu_unused", "%s", why->text);
    return out->count ? ST_OK : ST_UNSUPPORTED;
}

static bool has(const struct devices *d, long index)
{
    for (int i = 0; i < d->count; i++)
        if (d->device[i].index == index)
            return true;
    return false;
}

/* "0,2" */
static enum status add_listed(struct devices *out, const char *list, struct device_options like,
                              struct why *why)
{
    while (*list) {
        char *end;
        unsigned caps;
        long index;
        enum status st;

        errno = 0;
        index = strtol(list, &end, 10);
        if (errno || end == list || (*end && (*end != ',' || !end[1])) || index < 0 ||
            index >= 1 << 16 || has(out, index) || out->count == DEVICES_MAX)
            return why_fail(why, ST_INVALID,
                            "after \"cuda:\" come at most %d different numbers with commas between "
                            "them, not '%s'",
                            DEVICES_MAX, list);
        st = cuda_probe((int)index, &caps, why);
        if (st)
            return st;
        add(out, like, ACCELERATOR_CUDA, (int)index);
        list = end + (*end == ',');
    }
    return ST_OK;
}

enum status devices_find(struct devices *out, const char *words, struct device_options like,
                         struct why *why)
{
    struct why reason = {""};

    out->count = 0;
    if (!strcmp(words, "cpu")) {
        add(out, like, ACCELERATOR_CPU, 0);
        return ST_OK;
    }
    if (!strcmp(words, "cuda"))
        return add_all(out, like, why);
    if (!strncmp(words, "cuda:", 5) && words[5])
        return add_listed(out, words + 5, like, why);
    if (strcmp(words, "auto") != 0)
        return why_fail(why, ST_INVALID, "device must be auto, cpu, cuda or cuda:0,1, not '%s'",
                        words);
    if (like.precision != PRECISION_MIXED && add_all(out, like, &reason) == ST_OK)
        return ST_OK;
    if (*reason.text)
        log_info("cpu", "%s", reason.text);
    add(out, like, ACCELERATOR_CPU, 0);
    return ST_OK;
}
