/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c - any bytes: refused with a reason, or read, written and read again as the same.
 */
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

/* Written as called; recursion is as deep as the parser allows. */
static void write_value(struct json_out *o, const char *key, const struct json *value, int depth)
{
    const struct json *member;
    const char *name;
    void *iter = NULL;

    must(depth <= JSON_DEPTH_MAX);
    switch (json_type_of(value)) {
    case JSON_TYPE_NULL:
        json_out_string(o, key, NULL);
        break;
    case JSON_TYPE_BOOL:
        json_out_bool(o, key, json_as_bool(value));
        break;
    case JSON_TYPE_INT:
        json_out_int(o, key, json_as_int(value));
        break;
    case JSON_TYPE_REAL:
        json_out_real(o, key, json_as_real(value));
        break;
    case JSON_TYPE_STRING:
        must(strlen(json_as_string(value)) == json_string_bytes(value));
        json_out_string(o, key, json_as_string(value));
        break;
    case JSON_TYPE_ARRAY:
        json_out_array(o, key);
        for (size_t i = 0; i < json_size(value); i++)
            write_value(o, NULL, json_at(value, i), depth + 1);
        json_out_array_end(o);
        break;
    case JSON_TYPE_OBJECT:
        json_out_object(o, key);
        while (json_next(value, &iter, &name, &member))
            write_value(o, name, member, depth + 1);
        json_out_object_end(o);
        break;
    }
}

static bool is_number(const struct json *value)
{
    return json_type_of(value) == JSON_TYPE_INT || json_type_of(value) == JSON_TYPE_REAL;
}

/* 1e3 is written as 1000 and read as an integer, so numbers are compared by value. */
static bool same(const struct json *a, const struct json *b)
{
    const struct json *member_a, *member_b;
    void *iter_a = NULL, *iter_b = NULL;
    const char *name_a, *name_b;

    if (is_number(a) && is_number(b))
        return json_as_real(a) == json_as_real(b);
    if (json_type_of(a) != json_type_of(b) || json_size(a) != json_size(b))
        return false;
    switch (json_type_of(a)) {
    case JSON_TYPE_BOOL:
        return json_as_bool(a) == json_as_bool(b);
    case JSON_TYPE_STRING:
        return strcmp(json_as_string(a), json_as_string(b)) == 0;
    case JSON_TYPE_ARRAY:
        for (size_t i = 0; i < json_size(a); i++)
            if (!same(json_at(a, i), json_at(b, i)))
                return false;
        return true;
    case JSON_TYPE_OBJECT:
        while (json_next(a, &iter_a, &name_a, &member_a)) {
            must(json_next(b, &iter_b, &name_b, &member_b));
            if (strcmp(name_a, name_b) != 0 || !same(member_a, member_b))
                return false;
        }
        return true;
    default:
        return true;
    }
}

/* Each getter succeeds exactly when the member has its type, and else leaves what was there. */
static void get_all(const struct json *root)
{
    static const char *const keys[] = {"a", "prompt", "n", "size", ""};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct json *value = json_get(root, keys[i]);
        enum json_type type = json_type_of(value);
        bool object = !root || json_type_of(root) == JSON_TYPE_OBJECT;
        bool absent = object && type == JSON_TYPE_NULL;
        struct why why = {0};
        const char *s = NULL;
        int64_t n = 0;
        double r = 0;
        bool b = false;

        must((json_get_bool(root, keys[i], &b, &why) == ST_OK) ==
             (absent || type == JSON_TYPE_BOOL));
        must((json_get_int(root, keys[i], &n, &why) == ST_OK) == (absent || type == JSON_TYPE_INT));
        must((json_get_real(root, keys[i], &r, &why) == ST_OK) == (absent || is_number(value)));
        must((json_get_string(root, keys[i], &s, &why) == ST_OK) ==
             (absent || type == JSON_TYPE_STRING));
        must((s != NULL) == (type == JSON_TYPE_STRING));
    }
}

/* Any bytes may be written as a string; what comes back is UTF-8 without the bytes that were not.
 */
static void write_raw(const uint8_t *data, size_t bytes)
{
    char *text = calloc(1, bytes + 1);
    struct json_out o = {0};
    struct json *root;

    must(text != NULL);
    if (bytes)
        memcpy(text, data, bytes);
    json_out_array(&o, NULL);
    json_out_string(&o, NULL, text);
    json_out_array_end(&o);
    must(json_parse(&root, o.text, o.bytes, NULL) == ST_OK);
    json_close(&root);
    json_out_close(&o);
    free(text);
}

/* Any text, JSON or not, has a line for any pointer; here the pointer is cut from the text. */
static void look_up(const uint8_t *data, size_t bytes)
{
    size_t head = bytes < 64 ? bytes / 2 : 32;
    char pointer[64];
    int lines = 1, line;

    pointer[0] = '/';
    if (head)
        memcpy(pointer + 1, data, head);
    pointer[1 + head] = '\0';
    for (size_t i = 0; i < bytes; i++)
        lines += data[i] == '\n';
    line = json_line_of((const char *)data, bytes, pointer);
    must(line >= 1 && line <= lines);
    line = json_line_of((const char *)data, bytes, "/a/0/prompt");
    must(line >= 1 && line <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct why why = {0};
    struct json *root, *again;
    struct json_out o = {0};
    enum status st = json_parse(&root, (const char *)data, bytes, &why);

    write_raw(data, bytes);
    look_up(data, bytes);
    if (st) {
        must(st == ST_INVALID && !root && why.text[0]);
        return 0;
    }
    get_all(root);
    write_value(&o, NULL, root, 0);
    must(!o.failed && strlen(o.text) == o.bytes);
    must(json_parse(&again, o.text, o.bytes, &why) == ST_OK);
    must(same(root, again));
    json_close(&again);
    json_close(&root);
    json_out_close(&o);
    return 0;
}
