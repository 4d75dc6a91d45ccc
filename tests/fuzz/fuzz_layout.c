/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the name of a tile: what is taken is written again as the same bytes, and is a tile
 * that a log can have.
 */
#include "watermark/layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char again[LAYOUT_PATH_MAX];
    int64_t number;
    int level, width;

    if (!layout_parse(&level, &number, &width, (const char *)data, bytes))
        return 0;
    if (level < LAYOUT_RECORDS || level >= TREE_LEVELS || number < 0 || width < 1 ||
        width > TREE_TILE)
        abort();
    layout_path(again, level, number, width);
    if (strlen(again) != bytes || memcmp(again, data, bytes) != 0)
        abort();
    return 0;
}
