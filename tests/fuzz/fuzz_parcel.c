/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_parcel.c - any bytes as a parcel. What unpacks packs again to the same bytes, and is all
 * inside of them.
 */
#include "moderation/parcel.h"

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
    struct store_bytes whole = {malloc(bytes + !bytes), bytes}, again;
    struct parcel p;

    must(whole.data != NULL);
    if (bytes)
        memcpy(whole.data, data, bytes);
    if (parcel_unpack(&p, whole, NULL) == ST_OK) {
        must(parcel_pack(&again, &p) == ST_OK);
        must(again.count == bytes && !memcmp(again.data, data, bytes));
        free(again.data);
    }
    free(whole.data);
    return 0;
}
