/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

/* The UTF-8 of a code point, surrogates and too large ones as if they had any. */
static size_t encode(char out[4], unsigned point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 63));
        out[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 63));
    out[2] = (char)(0x80 | (point >> 6 & 63));
    out[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* Goal: characters pass as they are; what is none is replaced, byte by byte.
   Method: every code point there is, the surrogates, and the first beyond the last. */
static void every_character_passes_and_nothing_else_does(void **state)
{
    (void)state;

    for (unsigned point = 0x80; point < 0x110400; point++) {
        int none = (point >= 0xD800 && point < 0xE000) || point > 0x10FFFF;
        char in[4], out[ESCAPE_MAX];
        size_t bytes = encode(in, point);
        const char *text = in;
        size_t written = escape_json(out, &text, in + bytes);

        if (text != in + (none ? 1 : bytes))
            fail_msg("U+%X: %td bytes were read", point, text - in);
        if (written != (none ? 3 : bytes) || memcmp(out, none ? "\xEF\xBF\xBD" : in, written) != 0)
            fail_msg("U+%X was written wrong", point);
    }
}

static void ascii_is_escaped_where_json_asks_for_it(void **state)
{
    (void)state;

    for (int c = 0; c < 0x80; c++) {
        const char *want = c == '"'    ? "\\\""
                           : c == '\\' ? "\\\\"
                           : c == '\b' ? "\\b"
                           : c == '\f' ? "\\f"
                           : c == '\n' ? "\\n"
                           : c == '\r' ? "\\r"
                           : c == '\t' ? "\\t"
                                       : NULL;
        char plain[ESCAPE_MAX + 1], out[ESCAPE_MAX], in = (char)c;
        const char *text = &in;

        snprintf(plain, sizeof(plain), c < 0x20 ? "\\u%04x" : "%c", (unsigned)c);
        want = want ? want : plain;
        if (escape_json(out, &text, &in + 1) != strlen(want) ||
            memcmp(out, want, strlen(want)) != 0)
            fail_msg("%d is not written as %s", c, want);
        assert_ptr_equal(text, &in + 1);
    }
}

/* Overlong forms and cut sequences: one byte is read, even where more would follow. */
static void broken_sequences_are_replaced_byte_by_byte(void **state)
{
    static const char *const broken[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC3",
        "\xC3z",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xE2\x82",
        "\xE2z\xAC",
        "\xE2\x82z",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\xA6",
        "\xF0\x9F\xA6z",
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const char *text = broken[i];
        char out[ESCAPE_MAX];

        if (escape_json(out, &text, broken[i] + strlen(broken[i])) != 3 ||
            memcmp(out, "\xEF\xBF\xBD", 3) != 0 || text != broken[i] + 1)
            fail_msg("case %zu is taken for a character", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_passes_and_nothing_else_does),
        cmocka_unit_test(ascii_is_escaped_where_json_asks_for_it),
        cmocka_unit_test(broken_sequences_are_replaced_byte_by_byte),
    };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
