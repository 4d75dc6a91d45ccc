/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_manifest.c - any bytes as a file that says where it comes from. Texts that are read end
 * within their room, and nothing is ours where we have no chain.
 */
#include "watermark/manifest.h"

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
    uint8_t *copy = malloc(bytes + !bytes); /* so that a step too far is seen */
    struct manifest_found found;

    must(copy != NULL);
    if (bytes)
        memcpy(copy, data, bytes);
    if (manifest_read(&found, copy, bytes, NULL, NULL) == ST_OK) {
        must(!found.is_ours && strlen(found.urn) < MANIFEST_URN_MAX);
        must(strlen(found.system) < MANIFEST_TEXT_MAX && strlen(found.when) < MANIFEST_TEXT_MAX);
        must(strlen(found.leaf.organisation) < CERTS_NAME_MAX);
    }
    free(copy);
    return 0;
}
