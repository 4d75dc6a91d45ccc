/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include <assert.h>
#include <string.h>

/* How many bytes the sequence that starts with `lead` has; 0 when nothing starts so. C0, C1 and F5
   to FF never occur: they could only begin overlong or too large values. */
static size_t sequence_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0)
        return 3;
    return lead < 0xF5 ? 4 : 0;
}

/* The second byte rules out what is left: overlong forms, surrogates, beyond U+10FFFF. */
static int second_fits(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second < 0xA0;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second < 0x90;
    default:
        return 1;
    }
}

/* Bytes of the well-formed UTF-8 sequence at text, or 0. */
static size_t well_formed(const unsigned char *text, size_t bytes)
{
    size_t want = sequence_bytes(text[0]);

    if (want == 0 || want > bytes)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return want == 1 || second_fits(text[0], text[1]) ? want : 0;
}

static size_t escape_ascii(char out[ESCAPE_MAX], char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *special = c ? strchr(plain, c) : NULL;

    if (special) {
        out[0] = '\\';
        out[1] = letter[special - plain];
        return 2;
    }
    if ((unsigned char)c >= 0x20) {
        out[0] = c;
        return 1;
    }
    memcpy(out, "\\u00", 4);
    out[4] = hex[(c >> 4) & 15];
    out[5] = hex[c & 15];
    return 6;
}

size_t escape_json(char out[ESCAPE_MAX], const char **text, const char *end)
{
    size_t bytes;

    assert(*text < end);
    bytes = well_formed((const unsigned char *)*text, (size_t)(end - *text));
    if (bytes == 1)
        return escape_ascii(out, *(*text)++);
    if (bytes == 0) {
        *text += 1;
        memcpy(out, "\xEF\xBF\xBD", 3);
        return 3;
    }
    memcpy(out, *text, bytes);
    *text += bytes;
    return bytes;
}
