/* SPDX-License-Identifier: Apache-2.0 */
#include "server/answer.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *header_of(const struct answer *a, const char *name)
{
    for (int i = 0; i < a->header_count; i++) {
        if (!strcmp(a->header[i].name, name))
            return a->header_text + a->header[i].value_at;
    }
    return NULL;
}

/* Method: reads the body back and looks at all four keys. */
static const struct json *error_of(struct json **root, const struct answer *a)
{
    const struct json *error;

    assert_int_equal(json_parse(root, a->json.text, a->json.bytes, NULL), ST_OK);
    error = json_get(*root, "error");
    assert_int_equal(json_size(error), 4);
    assert_int_equal(json_type_of(json_get(error, "message")), JSON_TYPE_STRING);
    assert_int_equal(json_type_of(json_get(error, "type")), JSON_TYPE_STRING);
    assert_int_equal(json_type_of(json_get(error, "code")), JSON_TYPE_STRING);
    return error;
}

static void answer_fail_turns_every_status_into_one_of_http(void **state)
{
    static const struct {
        enum status st;
        int http;
        const char *retry;
    } cases[] = {
        {ST_INVALID, 400, "false"}, {ST_MISSING, 404, "false"}, {ST_UNSUPPORTED, 400, "false"},
        {ST_FULL, 429, "true"},     {ST_IO, 500, "false"},      {ST_CANCELLED, 503, "true"},
        {ST_REFUSED, 400, "false"}, {ST_DEVICE, 503, "true"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json *root;
        struct answer a;

        answer_fail(&a, cases[i].st, (struct failure){0}, "words");
        if (a.status != cases[i].http)
            fail_msg("%s became %d", status_name(cases[i].st), a.status);
        assert_string_equal(header_of(&a, "x-should-retry"), cases[i].retry);
        assert_true((header_of(&a, "retry-after") != NULL) == !strcmp(cases[i].retry, "true"));
        error_of(&root, &a);
        json_close(&root);
        answer_close(&a);
    }
}

static void answer_fail_escapes_what_strangers_wrote(void **state)
{
    const struct json *error;
    struct json *root;
    struct answer a;

    (void)state;
    answer_fail(&a, ST_INVALID, (struct failure){"si\"ze", "co\\de", 0}, "a \"b\"\n\xff");
    error = error_of(&root, &a);
    assert_string_equal(json_as_string(json_get(error, "message")), "a \"b\"\n\xef\xbf\xbd");
    assert_string_equal(json_as_string(json_get(error, "param")), "si\"ze");
    assert_string_equal(json_as_string(json_get(error, "code")), "co\\de");
    json_close(&root);
    answer_close(&a);
}

/* Goal: the words of a broken disk or device stay inside. */
static void answer_fail_hides_files_and_devices(void **state)
{
    struct answer a;

    (void)state;
    answer_fail(&a, ST_IO, (struct failure){0}, "cannot read /srv/secret");
    assert_null(strstr(a.json.text, "secret"));
    answer_close(&a);
    answer_fail(&a, ST_DEVICE, (struct failure){0}, "cuda0 is secret");
    assert_null(strstr(a.json.text, "secret"));
    answer_close(&a);
}

static void answer_fail_rounds_retry_after_up_to_seconds(void **state)
{
    struct answer a;

    (void)state;
    answer_fail(&a, ST_FULL, (struct failure){.retry_after_ms = 2100}, "full");
    assert_string_equal(header_of(&a, "retry-after"), "3");
    assert_string_equal(header_of(&a, "retry-after-ms"), "2100");
    answer_close(&a);
}

/* Goal: without memory there is still a whole answer. */
static void answer_fail_survives_every_failed_allocation(void **state)
{
    (void)state;
    for (int nth = 1;; nth++) {
        struct answer a;

        fault_arm(nth);
        answer_fail(&a, ST_INVALID, (struct failure){0}, "words");
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(a.status, 400);
            answer_close(&a);
            return;
        }
        assert_int_equal(a.status, 503);
        assert_non_null(strstr(a.text, "out of memory"));
        assert_null(a.json.text);
        answer_close(&a);
        assert_int_equal(fault_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_fail_turns_every_status_into_one_of_http),
        cmocka_unit_test(answer_fail_escapes_what_strangers_wrote),
        cmocka_unit_test(answer_fail_hides_files_and_devices),
        cmocka_unit_test(answer_fail_rounds_retry_after_up_to_seconds),
        cmocka_unit_test(answer_fail_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
