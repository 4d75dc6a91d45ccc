/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for kernels/cuda/ in a build without CUDA: there is no GPU, so nothing else is asked.
 */
#include "kernels/cuda.h"

#include <assert.h>

int cuda_count(struct why *why)
{
    enum status st = why_fail(why, ST_UNSUPPORTED, "this limner was built without CUDA");

    (void)st;
    return 0;
}

enum status cuda_probe(int index, unsigned *caps, struct why *why)
{
    (void)index;
    *caps = 0;
    return why_fail(why, ST_UNSUPPORTED, "this limner was built without CUDA");
}

void cuda_describe(const struct device *d, char *text, size_t bytes)
{
    (void)d;
    (void)text;
    (void)bytes;
    assert(0 && "no device of this kind was ever opened");
}

void ops_fill_cuda(struct ops *ops, unsigned caps)
{
    (void)ops;
    (void)caps;
    assert(0 && "no GPU was ever found");
}
