/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

/* A window never lies wholly in the padding: every pad is smaller than the kernel. */
void check_pool(struct check *c)
{
    while (check_next_case(c, 0)) {
        int64_t b = draw_size(c, 1, 4), h = draw_size(c, 1, 20), w = draw_size(c, 1, 20);
        int64_t channels = draw_size(c, 1, 130), height = 1, width = 1;
        int kernel = draw_below(c, 4), stride = 1 + draw_below(c, 2), pad[4] = {0};
        enum pool kind = draw_chance(c, 50) ? POOL_MAX : POOL_MEAN;
        struct twin *x, *y;

        for (int i = 0; kernel && i < 4; i++)
            pad[i] = draw_below(c, kernel);
        if (kernel) {
            h = h < kernel ? kernel : h;
            w = w < kernel ? kernel : w;
            height = (h + pad[0] + pad[2] - kernel) / stride + 1;
            width = (w + pad[1] + pad[3] - kernel) / stride + 1;
        }
        x = draw_input(c, (struct ask){.name = "x", .dim = {b, h, w, channels}});
        y = draw_output(c, (struct ask){.name = "y", .dim = {b, height, width, channels}});
        check_note(c, "%s, kernel %d, stride %d, pad %d %d %d %d",
                   kind == POOL_MAX ? "max" : "mean", kernel, stride, pad[0], pad[1], pad[2],
                   pad[3]);
        while (check_next_run(c))
            c->device->ops.pool(c->device, y->t, x->t, kind, kernel, stride, pad);
    }
}
