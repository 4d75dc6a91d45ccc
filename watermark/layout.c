/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/layout.h"

#include "base/crypto.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROUPS_MAX  4 /* of three digits: 2^40 leaves have 2^32 tiles */
#define BASE64_HASH 44

void layout_path(char out[LAYOUT_PATH_MAX], int level, int64_t number, int width)
{
    int group[GROUPS_MAX], groups = 0, n;

    assert(number >= 0 && width >= 1 && width <= TREE_TILE && level < TREE_LEVELS);
    do {
        assert(groups < GROUPS_MAX);
        group[groups++] = (int)(number % 1000);
        number /= 1000;
    } while (number);
    if (level == LAYOUT_RECORDS)
        n = snprintf(out, LAYOUT_PATH_MAX, "tile/entries/");
    else
        n = snprintf(out, LAYOUT_PATH_MAX, "tile/%d/", level);
    while (groups-- > 0)
        n += snprintf(out + n, LAYOUT_PATH_MAX - (size_t)n, groups ? "x%03d/" : "%03d",
                      group[groups]);
    if (width < TREE_TILE)
        n += snprintf(out + n, LAYOUT_PATH_MAX - (size_t)n, ".p/%d", width);
    assert(n < LAYOUT_PATH_MAX);
}

/* ".p/W" at the end of a name; its bytes without it. */
static size_t take_width(int *width, const char *text, size_t bytes)
{
    size_t digits = 0;

    *width = 0;
    while (digits < bytes && digits < 3 && text[bytes - digits - 1] >= '0' &&
           text[bytes - digits - 1] <= '9')
        digits++;
    if (!digits || bytes < digits + 3 || memcmp(text + bytes - digits - 3, ".p/", 3) != 0) {
        *width = TREE_TILE;
        return bytes;
    }
    for (size_t i = bytes - digits; i < bytes; i++)
        *width = *width * 10 + (text[i] - '0');
    return bytes - digits - 3;
}

/* Reads generously; the caller writes it again and compares. */
bool layout_parse(int *level, int64_t *number, int *width, const char *path, size_t bytes)
{
    static const char root[] = "tile/", records[] = "entries/";
    size_t at = sizeof(root) - 1, end = take_width(width, path, bytes);
    char again[LAYOUT_PATH_MAX];

    if (bytes >= LAYOUT_PATH_MAX || end < at + 2 || memcmp(path, root, at) != 0 || *width < 1 ||
        *width > TREE_TILE)
        return false;
    if (end - at > sizeof(records) - 1 && !memcmp(path + at, records, sizeof(records) - 1)) {
        *level = LAYOUT_RECORDS;
        at += sizeof(records) - 1;
    } else {
        *level = path[at] - '0';
        at += 2;
        if (*level < 0 || *level >= TREE_LEVELS)
            return false;
    }
    *number = 0;
    for (; at < end; at++) {
        if (path[at] >= '0' && path[at] <= '9')
            *number = *number * 10 + (path[at] - '0');
        if (*number > TREE_SIZE_MAX / TREE_TILE)
            return false;
    }
    layout_path(again, *level, *number, *width);
    return strlen(again) == bytes && !memcmp(again, path, bytes);
}

int layout_width(int64_t size, int level, int64_t number)
{
    int64_t hashes = (size >> (8 * level)) - number * TREE_TILE;

    if (hashes <= 0)
        return 0;
    return hashes < TREE_TILE ? (int)hashes : TREE_TILE;
}

void layout_consistency(char out[CHECKPOINT_PROOF_MAX], int64_t older,
                        const struct tree_proof *proof, const char *note)
{
    int n = snprintf(out, CHECKPOINT_PROOF_MAX, "old %" PRId64 "\n", older);

    for (int i = 0; i < proof->count; i++) {
        crypto_base64_encode(out + n, proof->hashes[i], TREE_HASH);
        n += BASE64_HASH;
        out[n++] = '\n';
    }
    n += snprintf(out + n, CHECKPOINT_PROOF_MAX - (size_t)n, "\n%s", note);
    assert(n < CHECKPOINT_PROOF_MAX);
}
