/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define SOUND  "00-" ID "-" PARENT "-01"

static bool reads(struct trace *t, const char *text)
{
    return trace_read(t, text, strlen(text));
}

static void a_sound_header_is_read(void **state)
{
    struct trace t = {.flags = 0};

    (void)state;
    assert_true(reads(&t, SOUND));
    assert_string_equal(t.id, ID);
    assert_string_equal(t.parent, PARENT);
    assert_int_equal(t.flags, 1);
    assert_true(reads(&t, "00-" ID "-" PARENT "-fe"));
    assert_int_equal(t.flags, 2); /* flags that nobody knows are not passed on */
    assert_true(reads(&t, "cc-" ID "-" PARENT "-01"));
    assert_true(reads(&t, "cc-" ID "-" PARENT "-01-what-will-be"));
}

static void an_unsound_header_changes_nothing(void **state)
{
    static const char *const unsound[] = {
        "",
        "00",
        "-",
        "00-" ID "-" PARENT,
        "00-" ID "-" PARENT "-",
        "00-" ID "-" PARENT "-1",
        "00-" ID "-" PARENT "-01-more",
        "00-" ID "-" PARENT "-01 ",
        " 00-" ID "-" PARENT "-01",
        "ff-" ID "-" PARENT "-01",
        "cc-" ID "-" PARENT "-01.what",
        "0-" ID "-" PARENT "-001",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-" ID "-00F067AA0BA902B7-01",
        "00-" ID "-" PARENT "-0g",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" ID "-0000000000000000-01",
        "00_" ID "-" PARENT "-01",
        "00-" ID "_" PARENT "-01",
        "00-" ID "-" PARENT "_01",
        "00-" ID "0-0f067aa0ba902b7-01",
    };
    const struct trace before = {.id = "was", .span = "here", .parent = "before", .flags = 3};

    (void)state;
    for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++) {
        struct trace t = before;

        if (reads(&t, unsound[i]) || memcmp(&t, &before, sizeof(t)) != 0)
            fail_msg("'%s' was taken", unsound[i]);
    }
}

/* Goal: a caller's trace goes on with a span of its own; without one a new trace begins. */
static void a_request_goes_on_in_its_trace_or_begins_one(void **state)
{
    struct trace own, other, told;
    char text[TRACE_TEXT_MAX];

    (void)state;
    trace_take(&own, SOUND, strlen(SOUND));
    assert_string_equal(own.id, ID);
    assert_string_equal(own.parent, PARENT);
    assert_string_not_equal(own.span, PARENT);
    trace_write(text, &own);
    assert_true(reads(&told, text));
    assert_string_equal(told.id, ID);
    assert_string_equal(told.parent, own.span);
    assert_int_equal(told.flags, 1);

    trace_take(&own, NULL, 0);
    trace_take(&other, "nonsense", 8);
    assert_string_equal(own.parent, "");
    assert_string_not_equal(own.id, other.id);
    assert_string_not_equal(own.span, other.span);
    trace_write(text, &other);
    assert_true(reads(&told, text));
    assert_string_equal(told.id, other.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_header_is_read),
        cmocka_unit_test(an_unsound_header_changes_nothing),
        cmocka_unit_test(a_request_goes_on_in_its_trace_or_begins_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
