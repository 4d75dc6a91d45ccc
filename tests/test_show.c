/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "server/show.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static void show_detect_knows_terminals_by_their_environment(void **state)
{
    (void)state;
    assert_int_equal(show_detect("xterm-kitty", NULL, NULL, NULL), TERMINAL_KITTY);
    assert_int_equal(show_detect("xterm-256color", NULL, "1", NULL), TERMINAL_KITTY);
    assert_int_equal(show_detect("xterm-256color", NULL, NULL, "230400"), TERMINAL_KITTY);
    assert_int_equal(show_detect("xterm-256color", "iTerm.app", NULL, NULL), TERMINAL_ITERM);
    assert_int_equal(show_detect("xterm-256color", "WezTerm", NULL, NULL), TERMINAL_ITERM);
    assert_int_equal(show_detect("xterm-256color", NULL, NULL, NULL), TERMINAL_PLAIN);
    assert_int_equal(show_detect("tmux-256color", "iTerm.app", "1", NULL), TERMINAL_PLAIN);
    assert_int_equal(show_detect(NULL, NULL, NULL, NULL), TERMINAL_PLAIN);
}

/* Method: cut the sequences open, join what they carry and compare with the base64 of the bytes. */
static void show_png_cuts_kittys_data_into_chunks(void **state)
{
    uint8_t data[7000];
    struct bytes png = {data, sizeof(data)};
    char joined[16384] = "", wanted[16384], *text = NULL;
    size_t bytes = 0, chunks = 0;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    assert_int_equal(show_png(out, TERMINAL_KITTY, &png), ST_OK);
    fclose(out);
    for (char *at = text; (at = strstr(at, "\033_G")); chunks++) {
        char *from = strchr(at, ';') + 1, *to = strstr(from, "\033\\");

        assert_true(to - from <= 4096);
        strncat(joined, from, (size_t)(to - from));
        at = to;
    }
    crypto_base64_encode(wanted, data, sizeof(data));
    assert_string_equal(joined, wanted);
    assert_int_equal(chunks, 3);
    assert_non_null(strstr(text, "\033_Ga=T,f=100,m=1;"));
    assert_non_null(strstr(text, "\033_Gm=0;"));
    free(text);
}

static void show_png_of_a_plain_terminal_writes_nothing(void **state)
{
    uint8_t data[1] = {0};
    struct bytes png = {data, 1};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_int_equal(show_png(out, TERMINAL_PLAIN, &png), ST_UNSUPPORTED);
    fclose(out);
    assert_int_equal(bytes, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(show_detect_knows_terminals_by_their_environment),
        cmocka_unit_test(show_png_cuts_kittys_data_into_chunks),
        cmocka_unit_test(show_png_of_a_plain_terminal_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
