/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_upload.c - any body as a form with a file: bytes up to the first newline are the content
 * type. What is found lies in the body.
 */
#include "server/upload.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data, *end = bytes ? memchr(text, '\n', bytes) : NULL;
    struct http_text type = {text, end ? (size_t)(end - text) : 0}, body, out;
    struct why why = {""};

    body =
        end ? (struct http_text){end + 1, bytes - type.bytes - 1} : (struct http_text){text, bytes};
    if (upload_find(&out, type, body, &why)) {
        if (!why.text[0])
            abort();
        return 0;
    }
    if (!out.bytes || out.data < body.data || out.data + out.bytes > body.data + body.bytes)
        abort();
    return 0;
}
