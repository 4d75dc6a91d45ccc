/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies, forms and queries: what may be said, and what is refused with the name of what is wrong.
 */
#include "server/fields.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

struct values {
    char token[16], text[24], list[16];
    int64_t number;
};

static const struct field fields[] = {
    {"token", FIELD_AT(struct values, token), FIELD_TEXT, true},
    {"text", FIELD_AT(struct values, text), FIELD_TEXT, false},
    {"list", FIELD_AT(struct values, list), FIELD_LIST, false},
    {"number", FIELD_AT(struct values, number), FIELD_INT, false},
};

typedef enum status (*reading)(void *, const struct field *, int, const char *, size_t,
                               struct fields_error *);

static void expect(reading read, const char *text, const struct values *wanted)
{
    struct values v = {.number = 1};
    struct fields_error error;

    if (read(&v, fields, 4, text, strlen(text), &error))
        fail_msg("%s: %s", text, error.why.text);
    assert_string_equal(v.token, wanted->token);
    assert_string_equal(v.text, wanted->text);
    assert_string_equal(v.list, wanted->list);
    assert_int_equal(v.number, wanted->number);
}

static void refuse(reading read, const char *text, const char *param, const char *sentence)
{
    struct values v = {.number = 1};
    struct fields_error error;

    if (read(&v, fields, 4, text, strlen(text), &error) != ST_INVALID)
        fail_msg("%s was taken", text);
    assert_string_equal(error.param, param);
    assert_string_equal(error.why.text, sentence);
}

static void fields_are_alike_in_an_object_a_form_and_a_query(void **state)
{
    const struct values wanted = {.token = "a b", .text = "\xc3\xbc&\n", .number = 42};
    const char *form = "token=a+b&text=%C3%bc%26%0d%0a&number=42";
    (void)state;

    expect(fields_json, "{\"token\":\"a b\",\"text\":\"\\u00fc&\\n\",\"number\":42}", &wanted);
    expect(fields_form, form, &wanted);
    expect(fields_query, form, &wanted);
}

static void what_is_not_said_stays_as_it_was(void **state)
{
    const struct values wanted = {.token = "a", .number = 1};
    (void)state;

    expect(fields_json, "{\"token\":\"a\",\"text\":null}", &wanted);
    expect(fields_form, "token=a", &wanted);
    expect(fields_form, "&token=a&&", &wanted);
}

static void a_list_is_a_line_for_each(void **state)
{
    const struct values wanted = {.token = "a", .list = "medical\nart\n", .number = 1};
    (void)state;

    expect(fields_json, "{\"token\":\"a\",\"list\":[\"medical\",\"art\"]}", &wanted);
    refuse(fields_json, "{\"token\":\"a\",\"list\":[\"a\\nb\"]}", "list",
           "list holds a text that is empty, or too many of them");
    refuse(fields_json, "{\"token\":\"a\",\"list\":[\"0123456789abcdef\"]}", "list",
           "list holds a text that is empty, or too many of them");
    refuse(fields_json, "{\"token\":\"a\",\"list\":[7]}", "list", "list must be a list of texts");
}

static void wrong_objects_are_refused_by_name(void **state)
{
    (void)state;
    refuse(fields_json, "{}", "token", "token is needed");
    refuse(fields_json, "[]", "", "the body must be a JSON object");
    refuse(fields_json, "{\"token\":\"a\",\"other\":1}", "other", "other is not known here");
    refuse(fields_json, "{\"token\":7}", "token", "token must be a text");
    refuse(fields_json, "{\"token\":\"0123456789abcdef\"}", "token",
           "token may have at most 15 bytes");
    refuse(fields_json, "{\"token\":\"a\",\"number\":-1}", "number",
           "number must be a whole number from 0 on");
    refuse(fields_json, "{\"token\":\"a\",\"number\":1.0}", "number",
           "number must be a whole number");
}

static void wrong_forms_are_refused_by_name(void **state)
{
    (void)state;
    refuse(fields_form, "", "token", "token is needed");
    refuse(fields_form, "token=a&token=b", "token", "token comes twice");
    refuse(fields_form, "token=a&other=1", "other", "other is not known here");
    refuse(fields_form, "token=%4", "token", "token is not encoded as a form's values are");
    refuse(fields_form, "token=%zz", "token", "token is not encoded as a form's values are");
    refuse(fields_form, "token=%00", "token", "token is no text in UTF-8");
    refuse(fields_form, "token=%c3", "token", "token is no text in UTF-8");
    refuse(fields_form, "token=%c0%80", "token", "token is no text in UTF-8");
    refuse(fields_form, "token=0123456789abcdef", "token", "token may have at most 15 bytes");
    refuse(fields_form, "token=a&number=", "number", "number must be a whole number from 0 on");
    refuse(fields_form, "token=a&number=1e3", "number", "number must be a whole number from 0 on");
    refuse(fields_form, "token=a&number=1234567890123456789", "number",
           "number must be a whole number from 0 on");
    refuse(fields_form, "token=a&list=b", "list", "list is a list, which only JSON has");
    refuse(fields_form, "%00=1&token=a", "a name", "a name is not known here");
}

static void a_query_may_hold_what_others_put_into_links(void **state)
{
    const struct values wanted = {.token = "a", .number = 1};
    (void)state;

    expect(fields_query, "utm_source=mail&token=a&%zz", &wanted);
    refuse(fields_query, "utm_source=mail", "token", "token is needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_alike_in_an_object_a_form_and_a_query),
        cmocka_unit_test(what_is_not_said_stays_as_it_was),
        cmocka_unit_test(a_list_is_a_line_for_each),
        cmocka_unit_test(wrong_objects_are_refused_by_name),
        cmocka_unit_test(wrong_forms_are_refused_by_name),
        cmocka_unit_test(a_query_may_hold_what_others_put_into_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
