/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_record.c - any bytes as a line of the log. What parses is written again as the same bytes.
 */
#include "watermark/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char again[RECORD_BYTES_MAX + 1];
    struct store_leaf leaf = {0};
    struct record r;
    size_t count = 0;

    if (record_parse(&r, (const char *)data, bytes, NULL) == ST_OK) {
        must(record_write(again, &count, &r, NULL) == ST_OK);
        must(count == bytes && !memcmp(again, data, bytes));
        record_columns(&leaf, &r);
        must(leaf.index == r.index);
    }
    return 0;
}
