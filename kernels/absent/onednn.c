/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for kernels/onednn/ in a build without oneDNN: fills nothing, so ops_caps() sees that
   there is nothing. */
#include "kernels/ops.h"

void ops_fill_onednn(struct ops *ops, unsigned caps)
{
    (void)ops;
    (void)caps;
}
