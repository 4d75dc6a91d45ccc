/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strict.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int line_of(const char *text, const char *pointer)
{
    return json_line_of(text, strlen(text), pointer);
}

static void a_pointer_has_the_line_of_its_name(void **state)
{
    static const char text[] = "{\n"
                               "  \"a\": {\"x\": \"}]\\\"\",\n"
                               "    \"y/z\": 1},\n"
                               "  \"list\": [\n"
                               "    [1, 2],\n"
                               "    {\"deep\":\n"
                               "       {\"er\": 1,\n"
                               "        \"e\\u00e4\\ud83d\\ude00\\n\": 2,\n"
                               "        \"til~de\": 3}}\n"
                               "  ]\n"
                               "}\n";

    (void)state;
    assert_int_equal(line_of(text, ""), 1);
    assert_int_equal(line_of(text, "/a"), 2);
    assert_int_equal(line_of(text, "/a/y~1z"), 3);
    assert_int_equal(line_of(text, "/list"), 4);
    assert_int_equal(line_of(text, "/list/0"), 5);
    assert_int_equal(line_of(text, "/list/1"), 6);
    assert_int_equal(line_of(text, "/list/1/deep/er"), 7);
    assert_int_equal(line_of(text, "/list/1/deep/e\xc3\xa4\xf0\x9f\x98\x80\n"), 8);
    assert_int_equal(line_of(text, "/list/1/deep/til~0de"), 9);
}

static void what_is_missing_has_the_line_around_it(void **state)
{
    static const char text[] = "\n{\n \"a\": {\n  \"b\": [1,\n 2]}}";

    (void)state;
    assert_int_equal(line_of(text, "/none"), 2);
    assert_int_equal(line_of(text, "/a/none"), 3);
    assert_int_equal(line_of(text, "/a/b/2"), 4);
    assert_int_equal(line_of(text, "/a/b/1"), 5);
    assert_int_equal(line_of(text, "/a/b/x"), 4);
    assert_int_equal(line_of(text, "/a/b/"), 4);
    assert_int_equal(line_of("", "/a"), 1);
    assert_int_equal(line_of("{\"a\"", "/a"), 1);
    assert_int_equal(line_of("{\n\"a\\", "/a"), 1);
}

static void expect(const char *text, void (*read)(struct strict *), const char *said)
{
    struct why why = {""};
    struct strict s;

    if (!strict_init(&s, text, strlen(text), "f.json", &why))
        read(&s);
    assert_string_equal(why.text, said);
    assert_int_equal(s.st, said[0] ? ST_INVALID : ST_OK);
    strict_reset(&s);
}

static void read_all(struct strict *s)
{
    static const char *const words[] = {"red", "green", NULL};

    int n, color;
    double x, none;
    bool on;
    const char *name;

    strict_keys(s, "n x on name color in list");
    n = strict_int(s, "n", 0, 9, STRICT_NEEDED);
    x = strict_real(s, "x", 0, 1, 0.5);
    none = strict_real(s, "none", 0, 1, NAN);
    on = strict_bool(s, "on", false);
    name = strict_text(s, "name", 8, true);
    color = strict_word(s, "color", words, 0);
    assert_true(s->st || (n == 7 && x == 0.25 && isnan(none) && on && color == 1));
    assert_true(s->st || !strcmp(name, "limner"));
    if (strict_enter(s, "in")) {
        strict_keys(s, "a");
        assert_true(s->st || (strict_says(s, "a") && !strict_has(s, "a")));
        strict_leave(s);
    }
    if (strict_enter_list(s, "list")) {
        assert_true(s->st || strict_count(s) == 2);
        name = strict_text_at(s, 0, 4);
        assert_true(s->st || !strcmp(name, "one"));
        assert_false(!s->st && strict_enter_at(s, 2));
        if (strict_enter_at(s, 1)) {
            assert_string_equal(strict_key_at(s, 1), "c");
            assert_null(strict_key_at(s, 2));
            strict_int(s, "c", 1, 2, 1);
            strict_leave(s);
        }
        strict_leave(s);
    }
}

#define HEAD                                                                                       \
    "{\"n\": 7, \"x\": 0.25,\n\"on\": true,\n\"name\": \"limner\",\n\"color\": \"green\",\n"

static void what_is_right_is_read(void **state)
{
    (void)state;
    expect(HEAD "\"in\": {\"a\": null}, \"list\": [\"one\", {\"b\": 1, \"c\": 2}]}", read_all, "");
}

static void every_mistake_has_its_line(void **state)
{
    (void)state;
    expect("{\n\"n\": 7,\n\"huh\": 1}", read_all,
           "f.json:3: there is no key 'huh' here; there are: n x on name color in list");
    expect("{\n\"n\": 10}", read_all, "f.json:2: 'n' has to be a whole number from 0 to 9");
    expect("{\n\"n\": 7.0}", read_all, "f.json:2: 'n' has to be a whole number from 0 to 9");
    expect("{\n\"n\": 9223372036854775807}", read_all,
           "f.json:2: 'n' has to be a whole number from 0 to 9");
    expect("{}", read_all, "f.json:1: 'n' is needed here");
    expect("{\"n\": 7,\n\n\"x\": 1.5}", read_all, "f.json:3: 'x' has to be a number from 0 to 1");
    expect("{\"n\": 7, \"x\": \"0\"}", read_all, "f.json:1: 'x' has to be a number from 0 to 1");
    expect("{\"n\": 7, \"x\": 0.25,\n \"on\": 1}", read_all,
           "f.json:2: 'on' has to be true or false");
    expect("{\"n\": 7, \"x\": 0.25, \"on\": true,\n \"name\": \"too long it is\"}", read_all,
           "f.json:2: 'name' has to be a text of 1 to 8 bytes without control characters");
    expect("{\"n\": 7, \"x\": 0.25, \"on\": true,\n \"name\": \"a\\nb\"}", read_all,
           "f.json:2: 'name' has to be a text of 1 to 8 bytes without control characters");
    expect("{\"n\": 7, \"x\": 0.25, \"on\": true, \"name\": \"limner\",\n\"color\": \"blue\"}",
           read_all, "f.json:2: 'color' has to be one of: red, green");
    expect(HEAD "\"in\": [\"a\"]}", read_all, "f.json:5: 'in' has to be an object: {...}");
    expect(HEAD "\"in\": {\n\"b\": 1}}", read_all,
           "f.json:6: there is no key 'b' here; there are: a");
    expect(HEAD "\"list\": {}}", read_all, "f.json:5: 'list' has to be a list: [...]");
    expect(HEAD "\"in\": {\"a\": null}, \"list\": [\"one\",\n2]}", read_all,
           "f.json:6: element 2 has to be an object: {...}");
    expect(HEAD "\"in\": {\"a\": null}, \"list\": [\"one\",\n{\"b\": 1,\n\"c\": 3}]}", read_all,
           "f.json:7: 'c' has to be a whole number from 1 to 2");
}

static void text_that_is_no_object_is_refused(void **state)
{
    (void)state;
    expect("[]", read_all, "f.json:1: this has to be an object: {...}");
    expect("{\n,}", read_all, "f.json:2: line 2 column 1: string or '}' expected near ','");
    expect("{\"a\": 1,\n\"a\": 2}", read_all,
           "f.json:2: line 2 column 3: duplicate object key near '\"a\"'");
}

static void a_file_has_a_limit(void **state)
{
    char path[] = "/tmp/limner-test-XXXXXX", said[128];
    int fd = mkstemp(path);
    struct why why = {""};
    struct strict s;

    (void)state;
    assert_true(fd >= 0 && write(fd, "{\"n\": 1}\n", 9) == 9);
    assert_int_equal(strict_load(&s, path, 9, &why), ST_OK);
    assert_int_equal(strict_int(&s, "n", 0, 2, 0), 1);
    strict_reset(&s);
    assert_int_equal(strict_load(&s, path, 8, &why), ST_INVALID);
    snprintf(said, sizeof(said), "%s:1: the file is longer than 8 bytes", path);
    assert_string_equal(why.text, said);
    strict_reset(&s);
    close(fd);
    unlink(path);
    assert_int_equal(strict_load(&s, path, 8, &why), ST_MISSING);
    assert_int_equal(strict_load(&s, "/tmp", 8, &why), ST_IO);
    strict_reset(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pointer_has_the_line_of_its_name),
        cmocka_unit_test(what_is_missing_has_the_line_around_it),
        cmocka_unit_test(what_is_right_is_read),
        cmocka_unit_test(every_mistake_has_its_line),
        cmocka_unit_test(text_that_is_no_object_is_refused),
        cmocka_unit_test(a_file_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
