/* SPDX-License-Identifier: Apache-2.0 */
#include "server/path.h"

#include <string.h>

bool path_is(struct http_text text, const char *word)
{
    return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static bool is_of_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

int path_split(char *id, size_t size, struct http_text path, const char *root,
               const char *const *parts, int count)
{
    size_t root_bytes = strlen(root), bytes = 0;
    const char *at = path.data + root_bytes;
    struct http_text part;

    id[0] = '\0';
    if (path.bytes <= root_bytes || memcmp(path.data, root, root_bytes) != 0)
        return -1;
    while (root_bytes + bytes < path.bytes && is_of_id(at[bytes]))
        bytes++;
    part = (struct http_text){at + bytes, path.bytes - root_bytes - bytes};
    if (part.bytes == 1 || (part.bytes && part.data[0] != '/') || !bytes || bytes >= size)
        return -1;
    if (part.bytes) {
        part.data++;
        part.bytes--;
    }
    for (int i = 0; i < count; i++) {
        if (path_is(part, parts[i])) {
            memcpy(id, at, bytes);
            id[bytes] = '\0';
            return i;
        }
    }
    return -1;
}
