/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/slots.h"
#include "kernels/shape.h"

/* cuBLASLt has no epilogue that gates, so the product goes to scratch memory and is read once more.
   A product that is timed for the first time writes there as well, before this one does. */
void linear_geglu_gated(struct device *d, struct tensor y, struct tensor x, const struct weight *w)
{
    struct tensor wide = tensor_view(NULL, d->dtype, y.dim[0], y.dim[1], y.dim[2], w->w.dim[2]);

    shape_linear_geglu(y, x, w);
    wide.data = backend_scratch(d, tensor_bytes(wide));
    if (!wide.data)
        return;
    d->ops.linear(d, wide, x, w, NULL);
    d->ops.geglu(d, y, wide);
}
