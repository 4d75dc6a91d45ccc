/* SPDX-License-Identifier: Apache-2.0 */
#include "server/negotiate.h"
#include "tests/unit.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void negotiate_accept_weighs_what_a_client_takes(void **state)
{
    static const struct {
        const char *accept;
        bool raw;
        enum format best;
    } cases[] = {
        {"", false, FORMAT_PNG},
        {"*/*", false, FORMAT_PNG},
        {"application/json", false, FORMAT_PNG},
        {"text/html", false, FORMAT_PNG},
        {"image/*", true, FORMAT_PNG},
        {"IMAGE/PNG", true, FORMAT_PNG},
        {" image/webp ; q=0.9 , */*;q=0.8", true, FORMAT_WEBP},
        {"image/jpeg", true, FORMAT_JPEG},
        {"image/png;q=0.2, image/jpeg;q=0.7", true, FORMAT_JPEG},
        {"image/*, image/webp", true, FORMAT_WEBP},
        {"image/avif,image/webp,image/*,*/*;q=0.8", true, FORMAT_WEBP},
        {"application/json, image/png", false, FORMAT_PNG},
        {"application/json;q=0.5, image/png", true, FORMAT_PNG},
        {"image/png;q=0.5, */*", false, FORMAT_PNG},
        {"image/png, */*", true, FORMAT_PNG},
        {"image/png;q=0", false, FORMAT_PNG},
        {"image/png;q=nonsense", false, FORMAT_PNG},
        {"image/tiff", false, FORMAT_PNG},
        {",,;;,=", false, FORMAT_PNG},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct wish wish = negotiate_accept(cases[i].accept, strlen(cases[i].accept));

        if (wish.raw != cases[i].raw || (wish.raw && wish.best != cases[i].best))
            fail_msg("Accept: %s: raw %d, format %d", cases[i].accept, wish.raw, wish.best);
    }
}

static void negotiate_accept_says_which_formats_it_takes(void **state)
{
    struct wish wish = negotiate_accept("image/webp, image/png;q=0", 25);

    (void)state;
    assert_true(wish.raw);
    assert_true(wish.format[FORMAT_WEBP]);
    assert_false(wish.format[FORMAT_PNG]);
    assert_false(wish.format[FORMAT_JPEG]);
}

static void negotiate_is_json_takes_parameters(void **state)
{
    static const struct {
        const char *type;
        bool json;
    } cases[] = {
        {"application/json", true},     {"application/json; charset=utf-8", true},
        {"Application/JSON ;x", true},  {"", false},
        {"application/jsonp", false},   {"text/json", false},
        {"multipart/form-data", false}, {"; application/json", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (negotiate_is_json(cases[i].type, strlen(cases[i].type)) != cases[i].json)
            fail_msg("'%s'", cases[i].type);
    }
    assert_false(negotiate_is_json(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiate_accept_weighs_what_a_client_takes),
        cmocka_unit_test(negotiate_accept_says_which_formats_it_takes),
        cmocka_unit_test(negotiate_is_json_takes_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
