/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_stranger.c - any bytes as a stranger's picture: the readers of heads, and behind them what
 * decodes the pixels, in this very process, for pictures small enough to be quick.
 */
#include "codec/stranger/parts.h"

#include <stdlib.h>

#define PIXELS_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void decode(const struct stranger *look, struct stranger_bytes file)
{
    struct stranger_pixels pixels;
    struct why why = {""};
    uint8_t *row;

    if (stranger_pixels(&pixels, look, file, &why)) {
        if (!why.text[0] || pixels.data)
            abort();
        return;
    }
    row = malloc((size_t)stranger_upright_width(look) * 3);
    if (!row)
        abort();
    for (int y = 0; y < stranger_upright_height(look); y++)
        stranger_row(row, y, look, &pixels);
    free(row);
    free(pixels.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct stranger look;
    struct why why = {""};
    enum status st = stranger_look(&look, data, bytes, &why);

    if (st) {
        if (!why.text[0])
            abort();
        return 0;
    }
    if (look.width < 1 || look.height < 1 || look.width > STRANGER_SIDE_MAX ||
        look.height > STRANGER_SIDE_MAX || look.orientation < 1 || look.orientation > 8)
        abort();
    if ((int64_t)look.width * look.height <= PIXELS_MAX)
        decode(&look, (struct stranger_bytes){data, bytes});
    return 0;
}
