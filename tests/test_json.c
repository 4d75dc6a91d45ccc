/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct json *parse(const char *text)
{
    struct why why = {0};
    struct json *root;

    if (json_parse(&root, text, strlen(text), &why) != ST_OK)
        fail_msg("%s: %s", text, why.text);
    return root;
}

static void scalars_are_read_with_their_types(void **state)
{
    struct json *root =
        parse("{\"b\":true,\"i\":-9223372036854775808,\"r\":1.5,\"s\":\"f\\u00fcr\"}");
    const char *s = NULL;
    bool b = false;
    double r = 0, i_as_real = 0;
    int64_t i = 0;
    (void)state;

    assert_int_equal(json_get_bool(root, "b", &b, NULL), ST_OK);
    assert_int_equal(json_get_int(root, "i", &i, NULL), ST_OK);
    assert_int_equal(json_get_real(root, "r", &r, NULL), ST_OK);
    assert_int_equal(json_get_real(root, "i", &i_as_real, NULL), ST_OK);
    assert_int_equal(json_get_string(root, "s", &s, NULL), ST_OK);

    assert_true(b);
    assert_true(i == INT64_MIN);
    assert_true(r == 1.5);
    assert_true(i_as_real == -0x1p63);
    assert_string_equal(s, "f\xC3\xBCr");
    json_close(&root);
    assert_null(root);
}

static void absent_and_null_members_leave_the_default(void **state)
{
    struct json *root = parse("{\"n\":null}");
    static const char *const keys[] = {"n", "absent"};
    (void)state;

    for (size_t k = 0; k < 2; k++) {
        const char *s = "default";
        double r = 2.5;
        int64_t i = 7;
        bool b = true;

        assert_int_equal(json_get_bool(root, keys[k], &b, NULL), ST_OK);
        assert_int_equal(json_get_int(root, keys[k], &i, NULL), ST_OK);
        assert_int_equal(json_get_real(root, keys[k], &r, NULL), ST_OK);
        assert_int_equal(json_get_string(root, keys[k], &s, NULL), ST_OK);
        assert_int_equal(json_get_int(NULL, keys[k], &i, NULL), ST_OK);
        assert_true(b && i == 7 && r == 2.5);
        assert_string_equal(s, "default");
    }
    json_close(&root);
}

static void a_value_of_the_wrong_type_is_refused_by_name(void **state)
{
    struct json *root = parse("{\"size\":[1],\"n\":1.0,\"list\":\"x\",\"on\":1}");
    const char *s = "default";
    double r = 2.5;
    int64_t i = 7;
    bool b = true;
    struct why why;
    (void)state;

    assert_int_equal(json_get_int(root, "n", &i, &why), ST_INVALID);
    assert_string_equal(why.text, "'n' must be an integer");
    assert_int_equal(json_get_real(root, "list", &r, &why), ST_INVALID);
    assert_string_equal(why.text, "'list' must be a number");
    assert_int_equal(json_get_bool(root, "on", &b, &why), ST_INVALID);
    assert_string_equal(why.text, "'on' must be true or false");
    assert_int_equal(json_get_string(root, "size", &s, &why), ST_INVALID);
    assert_string_equal(why.text, "'size' must be a string");
    assert_int_equal(json_get_int(json_get(root, "size"), "n", &i, &why), ST_INVALID);
    assert_true(b && i == 7 && r == 2.5);
    assert_string_equal(s, "default");
    json_close(&root);
}

static void arrays_and_objects_are_walked_in_file_order(void **state)
{
    struct json *root = parse("{\"z\":[10,[],\"two\"],\"a\":{},\"m\":false}");
    static const char *const keys[] = {"z", "a", "m"};
    static const enum json_type types[] = {JSON_TYPE_ARRAY, JSON_TYPE_OBJECT, JSON_TYPE_BOOL};
    const struct json *value, *list = json_get(root, "z");
    const char *key;
    void *iter = NULL;
    int count = 0;
    (void)state;

    for (; json_next(root, &iter, &key, &value); count++) {
        assert_in_range(count, 0, 2);
        assert_string_equal(key, keys[count]);
        assert_int_equal(json_type_of(value), types[count]);
    }

    assert_int_equal(count, 3);
    assert_int_equal(json_size(root), 3);
    assert_int_equal(json_size(list), 3);
    assert_int_equal(json_size(json_at(list, 0)), 0);
    assert_int_equal(json_as_int(json_at(list, 0)), 10);
    assert_true(json_as_real(json_at(list, 0)) == 10.0);
    assert_string_equal(json_as_string(json_at(list, 2)), "two");
    assert_int_equal(json_string_bytes(json_at(list, 2)), 3);
    assert_null(json_at(list, 3));
    assert_null(json_at(root, 0));
    assert_null(json_get(list, "z"));
    assert_int_equal(json_type_of(NULL), JSON_TYPE_NULL);
    assert_false(json_as_bool(json_get(root, "m")));
    json_close(&root);
}

static void a_root_may_be_any_value(void **state)
{
    static const struct {
        const char *text;
        enum json_type type;
    } roots[] = {{" null ", JSON_TYPE_NULL}, {"true", JSON_TYPE_BOOL},   {"-0", JSON_TYPE_INT},
                 {"1e3", JSON_TYPE_REAL},    {"\"\"", JSON_TYPE_STRING}, {"[]", JSON_TYPE_ARRAY},
                 {"{}\n", JSON_TYPE_OBJECT}};
    (void)state;

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct json *root = parse(roots[i].text);

        assert_int_equal(json_type_of(root), roots[i].type);
        json_close(&root);
    }
}

struct bad {
    const char *text;
    size_t bytes;
};

#define BAD(literal)                                                                               \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* Goal: what is not exactly one strict JSON value is refused, with a place in the message. */
static void bad_text_is_refused(void **state)
{
    static const struct bad texts[] = {
        BAD(""),
        BAD(" \n"),
        BAD("{"),
        BAD("[1,2"),
        BAD("\"open"),
        BAD("{} {}"),
        BAD("1 2"),
        BAD("[1]x"),
        BAD("{}\0"),
        BAD("{\"a\":1,\"a\":1}"),
        BAD("{\"x\":{\"a\":1,\"b\":2,\"a\":3}}"),
        BAD("\"a\\u0000b\""),
        BAD("\"a\0b\""),
        BAD("{\"a\\u0000b\":1}"),
        BAD("\"line\nfeed\""),
        BAD("\"\xC3\""),
        BAD("\"\xC0\x80\""),
        BAD("\"\xED\xA0\x80\""),
        BAD("\"\xF4\x90\x80\x80\""),
        BAD("\"\\ud800\""),
        BAD("\"\\udc00\\ud800\""),
        BAD("\"\\x41\""),
        BAD("\"\\u12\""),
        BAD("\xEF\xBB\xBF{}"),
        BAD("NaN"),
        BAD("[Infinity]"),
        BAD("-"),
        BAD("01"),
        BAD("1."),
        BAD(".5"),
        BAD("1e"),
        BAD("+1"),
        BAD("0x10"),
        BAD("1e999"),
        BAD("9223372036854775808"),
        BAD("-9223372036854775809"),
        BAD("[1,]"),
        BAD("{\"a\":1,}"),
        BAD("{a:1}"),
        BAD("{'a':1}"),
        BAD("{\"a\" 1}"),
        BAD("[}"),
        BAD("]"),
        BAD("nul"),
        BAD("True"),
        BAD("/* c */ 1"),
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json *root = (struct json *)state;
        struct why why = {0};

        if (json_parse(&root, texts[i].text, texts[i].bytes, &why) != ST_INVALID)
            fail_msg("accepted: %s", texts[i].text);
        assert_null(root);
        if (!strstr(why.text, "line ") || !strstr(why.text, "column "))
            fail_msg("%s says no place: %s", texts[i].text, why.text);
    }
}

static void exactly_the_given_bytes_are_read(void **state)
{
    struct json *root;
    (void)state;

    assert_int_equal(json_parse(&root, "12345", 3, NULL), ST_OK);
    assert_int_equal(json_as_int(root), 123);
    json_close(&root);
    assert_int_equal(json_parse(&root, NULL, 0, NULL), ST_INVALID);
    assert_null(root);
}

/* `depth` arrays or objects in each other, around a string full of brackets that count nothing. */
static char *nested(int depth, bool objects)
{
    static const char core[] = "\"[[[[{{{{\\\"[[[\"";
    char *text = calloc(1, (size_t)depth * 6 + sizeof(core));

    assert_non_null(text);
    for (int i = 0; i < depth; i++)
        strcat(text, objects ? "{\"a\":" : "[");
    strcat(text, core);
    for (int i = 0; i < depth; i++)
        strcat(text, objects ? "}" : "]");
    return text;
}

static void depth_is_limited(void **state)
{
    struct why why;
    (void)state;

    for (int objects = 0; objects < 2; objects++) {
        char *fits = nested(JSON_DEPTH_MAX, objects), *deeper = nested(JSON_DEPTH_MAX + 1, objects);
        struct json *root = parse(fits);

        json_close(&root);
        assert_int_equal(json_parse(&root, deeper, strlen(deeper), &why), ST_INVALID);
        assert_null(root);
        assert_non_null(strstr(why.text, "line 1 column "));
        assert_non_null(strstr(why.text, "nested deeper than 64"));
        free(fits);
        free(deeper);
    }
}

/* Goal: brackets that close nothing do not buy depth: the text ends at the first of them. */
static void a_million_brackets_cost_no_stack(void **state)
{
    char *text = malloc(1000000);
    struct json *root;
    (void)state;
    assert_non_null(text);

    for (int kind = 0; kind < 3; kind++) {
        memset(text, kind == 0 ? '[' : kind == 1 ? '{' : ']', 500000);
        memset(text + 500000, '[', 500000);
        assert_int_equal(json_parse(&root, text, 1000000, NULL), ST_INVALID);
        assert_null(root);
    }
    free(text);
}

static void the_place_of_too_deep_nesting_counts_lines_and_characters(void **state)
{
    char text[256] = "\"\xC3\xA9\", [\n  \xE2\x82\xAC";
    struct json *root;
    struct why why;
    (void)state;
    memset(text + strlen(text), '[', 64);

    assert_int_equal(json_parse(&root, text, strlen(text), &why), ST_INVALID);

    assert_string_equal(why.text, "line 2 column 67: nested deeper than 64");
}

/* A file in a folder of its own; both go with remove_file. */
struct file {
    char folder[32], path[64];
};

static struct file write_file(const char *text)
{
    struct file f = {.folder = "/tmp/test_json.XXXXXX"};
    FILE *out;

    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof(f.path), "%s/a.json", f.folder);
    out = fopen(f.path, "wb");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return f;
}

static void remove_file(struct file *f)
{
    unlink(f->path);
    rmdir(f->folder);
}

static void a_file_is_loaded_up_to_its_limit(void **state)
{
    struct file f = write_file("{\"a\": [1, 2]}\n");
    struct json *root;
    struct why why;
    (void)state;

    assert_int_equal(json_load(&root, f.path, 14, &why), ST_OK);
    assert_int_equal(json_size(json_get(root, "a")), 2);
    json_close(&root);
    assert_int_equal(json_load(&root, f.path, 13, &why), ST_INVALID);
    assert_null(root);
    assert_non_null(strstr(why.text, f.path));
    assert_non_null(strstr(why.text, "14 bytes"));
    remove_file(&f);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct file f = write_file("{\"a\": oops}");
    struct json *root;
    struct why why;
    (void)state;

    assert_int_equal(json_load(&root, f.path, 1000, &why), ST_INVALID);
    assert_ptr_equal(strstr(why.text, f.path), why.text);
    assert_non_null(strstr(why.text, "line 1 column "));
    unlink(f.path);
    assert_int_equal(json_load(&root, f.path, 1000, &why), ST_MISSING);
    assert_ptr_equal(strstr(why.text, f.path), why.text);
    assert_int_equal(json_load(&root, f.folder, 1000000, &why), ST_INVALID);
    assert_int_equal(mkfifo(f.path, 0600), 0);
    assert_int_equal(json_load(&root, f.path, 1000, &why), ST_INVALID);
    assert_null(root);
    remove_file(&f);
}

static void written_text_is_what_was_called(void **state)
{
    struct json_out o = {0};
    (void)state;

    json_out_object(&o, NULL);
    json_out_string(&o, "s", "q\" b\\ /\b\f\n\r\t\x01\x7F \xE2\x82\xAC");
    json_out_string(&o, "none", NULL);
    json_out_text(&o, "text", "t");
    json_out_text(&o, "no text", "");
    json_out_array(&o, "list");
    json_out_int(&o, NULL, INT64_MIN);
    json_out_real(&o, NULL, 0.1);
    json_out_real(&o, NULL, NAN);
    json_out_real(&o, NULL, -INFINITY);
    json_out_array(&o, NULL);
    json_out_array_end(&o);
    json_out_object(&o, NULL);
    json_out_object_end(&o);
    json_out_array_end(&o);
    json_out_bool(&o, "k\"\n", true);
    json_out_bool(&o, "f", false);
    json_out_object_end(&o);

    assert_false(o.failed);
    assert_int_equal(o.bytes, strlen(o.text));
    assert_string_equal(
        o.text, "{\"s\":\"q\\\" b\\\\ /\\b\\f\\n\\r\\t\\u0001\x7F \xE2\x82\xAC\",\"none\":null,"
                "\"text\":\"t\",\"no text\":null,"
                "\"list\":[-9223372036854775808,0.10000000000000001,null,null,[],{}],"
                "\"k\\\"\\n\":true,\"f\":false}");
    json_out_close(&o);
    assert_null(o.text);
}

static void broken_utf8_is_written_as_replacement_characters(void **state)
{
    static const char *const broken[][2] = {
        {"a\xFF", "a\xEF\xBF\xBD"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE0\x9F\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80z", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"\xF0\x8F\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct json_out o = {0};
        struct json *root;

        json_out_string(&o, NULL, broken[i][0]);
        root = parse(o.text);
        assert_string_equal(json_as_string(root), broken[i][1]);
        json_close(&root);
        json_out_close(&o);
    }
}

/* Goal: the reserved room is exactly there, and may be ended with a NUL as C writes strings. */
static void reserved_room_becomes_a_string(void **state)
{
    struct json_out o = {0};
    (void)state;

    json_out_object(&o, NULL);
    assert_non_null(json_out_reserve(&o, "empty", 0));
    char *room = json_out_reserve(&o, "b64", 499);
    assert_non_null(room);
    memset(room, 'A', 499);
    room[499] = '\0';
    assert_int_equal(strlen(o.text), o.bytes);
    json_out_int(&o, "next", 1);
    json_out_object_end(&o);

    struct json *root = parse(o.text);
    assert_int_equal(json_string_bytes(json_get(root, "empty")), 0);
    assert_int_equal(json_string_bytes(json_get(root, "b64")), 499);
    assert_int_equal(json_as_int(json_get(root, "next")), 1);
    json_close(&root);
    json_out_close(&o);
}

static void reals_survive_a_round_trip(void **state)
{
    static const double values[] = {0.1, 1e300, -5e-324, 1.0 / 3, 7.5, -0.0, 123456789012345678.0};
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct json_out o = {0};

        json_out_real(&o, NULL, values[i]);
        struct json *root = parse(o.text);
        assert_true(json_as_real(root) == values[i]);
        json_close(&root);
        json_out_close(&o);
    }
}

/* Tokens longer than every step in which the scanner's buffer grows, so that each step can fail. */
static const char long_tokens[] =
    "{\"prompt with a key of many letters, more than sixty-four of them, as it happens\":"
    "\"a text with \\u00e9scapes, as long as several growth steps of a buffer: 0123456789 "
    "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\","
    "\"numbers\":[1.2345678901234567890123456789e5,12345678901234e5,-1234567890123456789,"
    "0.00000000000000000000000000000000000000000000000000000000000000000000000001e-10],"
    "\"deep\":{\"a\":{\"b\":[[[{\"c\":null}]]]}},\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,"
    "\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9}";

/* Goal: no failed allocation while parsing may crash, leak or half-fill.
   Method: fail the first allocation, then the second, until a parse needs no more of them. */
static void json_parse_survives_every_failed_allocation(void **state)
{
    struct json *root = parse(long_tokens); /* what is made once per program is made now */
    (void)state;
    json_close(&root);

    for (int nth = 1;; nth++) {
        struct why why = {0};

        fault_arm(nth);
        enum status st = json_parse(&root, long_tokens, sizeof(long_tokens) - 1, &why);
        bool fired = fault_fired();
        if (!fired)
            json_close(&root);
        fault_disarm();
        if (fault_live() != 0)
            fail_msg("%ld blocks stay behind when allocation %d fails", fault_live(), nth);
        if (!fired) {
            assert_int_equal(st, ST_OK);
            assert_in_range(nth, 30, 1000); /* there was something to fail */
            return;
        }
        if (st != ST_FULL || root)
            fail_msg("allocation %d failed and the status is %s", nth, status_name(st));
        assert_non_null(strstr(why.text, "no memory"));
    }
}

static void json_load_survives_every_failed_allocation(void **state)
{
    struct file f = write_file(long_tokens);
    bool fired = true;
    (void)state;

    for (int nth = 1; fired; nth++) {
        struct json *root = NULL;

        fault_arm(nth);
        enum status st = json_load(&root, f.path, 10000, NULL);
        fired = fault_fired();
        json_close(&root);
        fault_disarm();
        assert_int_equal(st, fired ? ST_FULL : ST_OK);
        assert_int_equal(fault_live(), 0);
    }
    remove_file(&f);
}

static void write_document(struct json_out *o)
{
    char *room;

    json_out_object(o, NULL);
    for (int i = 0; i < 100; i++)
        json_out_string(o, "key", "a \"value\" that \n needs escapes");
    room = json_out_reserve(o, "room", 3000);
    if (room)
        memset(room, 'x', 3000);
    json_out_real(o, "real", 1.5);
    json_out_object_end(o);
}

static void json_out_survives_every_failed_allocation(void **state)
{
    bool fired = true;
    (void)state;

    for (int nth = 1; fired; nth++) {
        struct json_out o = {0};

        fault_arm(nth);
        write_document(&o);
        fired = fault_fired();
        assert_int_equal(o.failed, fired);
        if (o.text)
            assert_int_equal(strlen(o.text), o.bytes);
        json_out_close(&o);
        fault_disarm();
        assert_int_equal(fault_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_read_with_their_types),
        cmocka_unit_test(absent_and_null_members_leave_the_default),
        cmocka_unit_test(a_value_of_the_wrong_type_is_refused_by_name),
        cmocka_unit_test(arrays_and_objects_are_walked_in_file_order),
        cmocka_unit_test(a_root_may_be_any_value),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(exactly_the_given_bytes_are_read),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(a_million_brackets_cost_no_stack),
        cmocka_unit_test(the_place_of_too_deep_nesting_counts_lines_and_characters),
        cmocka_unit_test(a_file_is_loaded_up_to_its_limit),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(written_text_is_what_was_called),
        cmocka_unit_test(broken_utf8_is_written_as_replacement_characters),
        cmocka_unit_test(reserved_room_becomes_a_string),
        cmocka_unit_test(reals_survive_a_round_trip),
        cmocka_unit_test(json_parse_survives_every_failed_allocation),
        cmocka_unit_test(json_load_survives_every_failed_allocation),
        cmocka_unit_test(json_out_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
