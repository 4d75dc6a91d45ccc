/* SPDX-License-Identifier: Apache-2.0 */
#include "server/async.h"
#include "tests/unit.h"

#include <string.h>

static bool wanted(const char *text)
{
    return async_wanted(text, strlen(text));
}

static void a_preference_is_found_among_others(void **state)
{
    (void)state;
    assert_true(wanted("respond-async"));
    assert_true(wanted("Respond-Async"));
    assert_true(wanted("wait=5, respond-async"));
    assert_true(wanted("respond-async;foo=bar,wait=5"));
    assert_true(wanted(",, \trespond-async ,"));
    assert_false(wanted(""));
    assert_false(wanted("wait=5"));
    assert_false(wanted("respond-asynchronously"));
    assert_false(wanted("respond-async=false"));
    assert_false(wanted("not respond-async"));
    assert_false(async_wanted("respond-async", 12));
}

static enum status key(char out[STORE_JOB_KEY_MAX], const char *text)
{
    struct why why = {""};
    enum status st = async_key(out, text, strlen(text), &why);

    assert_true(!st == !why.text[0]);
    return st;
}

static void a_key_may_stand_in_quotes(void **state)
{
    char out[STORE_JOB_KEY_MAX], text[STORE_JOB_KEY_MAX + 8];

    (void)state;
    assert_int_equal(key(out, "order-7"), ST_OK);
    assert_string_equal(out, "order-7");
    assert_int_equal(key(out, "\"order 7\""), ST_OK);
    assert_string_equal(out, "order 7");
    assert_int_equal(key(out, "\""), ST_OK);
    assert_string_equal(out, "\"");
    assert_int_equal(key(out, ""), ST_INVALID);
    assert_int_equal(key(out, "\"\""), ST_INVALID);
    assert_int_equal(key(out, "\"a\"b\""), ST_INVALID);
    assert_int_equal(key(out, "\"a\\\""), ST_INVALID);
    assert_int_equal(key(out, "a\tb"), ST_INVALID);
    assert_int_equal(key(out, "a\x7f"), ST_INVALID);
    assert_int_equal(key(out, "\xc3\xa9"), ST_INVALID);
    memset(text, 'k', sizeof(text));
    text[STORE_JOB_KEY_MAX] = '\0';
    assert_int_equal(key(out, text), ST_INVALID);
    text[STORE_JOB_KEY_MAX - 1] = '\0';
    assert_int_equal(key(out, text), ST_OK);
    assert_string_equal(out, text);
}

static int64_t event(const char *text)
{
    return async_event(text, strlen(text));
}

static void an_event_is_a_number_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(event("1000012"), 1000012);
    assert_int_equal(event("999999999999999999"), 999999999999999999);
    assert_int_equal(event("1000000000000000000"), 0);
    assert_int_equal(event(""), 0);
    assert_int_equal(event("-1"), 0);
    assert_int_equal(event("1x"), 0);
    assert_int_equal(event("007"), 0);
    assert_int_equal(async_event(NULL, 0), 0);
}

static enum status previews(int *out, const char *query)
{
    struct why why = {""};
    enum status st = async_previews(out, query, strlen(query), &why);

    assert_true(!st == !why.text[0]);
    return st;
}

static void a_query_says_how_many_previews(void **state)
{
    static const char *const bad[] = {"partial_images=",   "partial_images=4",
                                      "partial_images=-1", "partial_images=01",
                                      "partial_images=2x", "a=b&partial_images=two"};
    struct why why = {""};
    int count;

    (void)state;
    assert_int_equal(previews(&count, "partial_images=2"), ST_OK);
    assert_int_equal(count, 2);
    assert_int_equal(previews(&count, "a=b&&partial_images=3&c"), ST_OK);
    assert_int_equal(count, 3);
    assert_int_equal(previews(&count, "partial_images=0"), ST_OK);
    assert_int_equal(count, 0);
    assert_int_equal(previews(&count, "partial_image=2&xpartial_images=2"), ST_OK);
    assert_int_equal(count, 0);
    assert_int_equal(async_previews(&count, NULL, 0, &why), ST_OK);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(previews(&count, bad[i]), ST_INVALID);
}

#define ID "job_0123456789abcdef0123456789abcdef"

static bool path(struct async_path *out, const char *text)
{
    return async_path(out, text, strlen(text));
}

static void a_path_is_a_job_or_a_part_of_one(void **state)
{
    struct async_path p;

    (void)state;
    assert_true(path(&p, ID));
    assert_string_equal(p.id, ID);
    assert_int_equal(p.part, ASYNC_JOB);
    assert_true(path(&p, ID "/events"));
    assert_string_equal(p.id, ID);
    assert_int_equal(p.part, ASYNC_EVENTS);
    assert_true(path(&p, ID "/images/0"));
    assert_int_equal(p.part, ASYNC_IMAGE);
    assert_int_equal(p.k, 0);
    assert_true(path(&p, ID "/images/9999"));
    assert_int_equal(p.k, 9999);
    assert_false(path(&p, ""));
    assert_false(path(&p, "job_"));
    assert_false(path(&p, ID "0"));
    assert_false(path(&p, ID "/"));
    assert_false(path(&p, ID "/event"));
    assert_false(path(&p, ID "/events/"));
    assert_false(path(&p, ID "/images"));
    assert_false(path(&p, ID "/images/"));
    assert_false(path(&p, ID "/images/00"));
    assert_false(path(&p, ID "/images/10000"));
    assert_false(path(&p, ID "/images/1.0"));
    assert_false(path(&p, "job_0123456789ABCDEF0123456789abcdef"));
    assert_false(path(&p, "jab_0123456789abcdef0123456789abcdef"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preference_is_found_among_others),
        cmocka_unit_test(a_key_may_stand_in_quotes),
        cmocka_unit_test(an_event_is_a_number_or_nothing),
        cmocka_unit_test(a_query_says_how_many_previews),
        cmocka_unit_test(a_path_is_a_job_or_a_part_of_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
