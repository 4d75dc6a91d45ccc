/* SPDX-License-Identifier: Apache-2.0 */
/*
 * negotiate.h - what the headers Accept and Content-Type say.
 */
#ifndef SERVER_NEGOTIATE_H
#define SERVER_NEGOTIATE_H

#include "codec/encode.h"

#include <stdbool.h>

/* What a client would rather have. */
struct wish {
    bool raw;                     /* the picture's bytes, not JSON */
    bool format[FORMAT_JPEG + 1]; /* when raw: formats that it takes */
    enum format best;             /* when raw: the one it likes most, PNG when it does not say */
};

/* Raw bytes are wished for when an image type is named with more weight than JSON, or with the
   same weight and JSON is only covered by a wildcard. Anything else, also nonsense, means JSON. */
struct wish negotiate_accept(const char *text, size_t bytes);

/* Is this media type application/json, with any parameters? */
bool negotiate_is_json(const char *text, size_t bytes);

#endif /* SERVER_NEGOTIATE_H */
