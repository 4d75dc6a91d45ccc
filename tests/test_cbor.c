/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "tests/unit.h"
#include "watermark/cbor.h"

#include <inttypes.h>
#include <string.h>

static void assert_written(struct cbor_out *o, const char *hex)
{
    char got[256];

    assert_false(o->failed);
    assert_true(o->count * 2 < sizeof(got));
    crypto_hex(got, o->data, o->count);
    assert_string_equal(got, hex);
    cbor_close(o);
}

/* RFC 8949, appendix A. */
static void the_standards_examples_come_out(void **state)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } numbers[] = {{0, "00"},
                   {23, "17"},
                   {24, "1818"},
                   {100, "1864"},
                   {1000, "1903e8"},
                   {1000000, "1a000f4240"},
                   {1000000000000, "1b000000e8d4a51000"},
                   {UINT64_MAX, "1bffffffffffffffff"}};
    struct cbor_out o = {0};
    (void)state;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        cbor_uint(&o, numbers[i].value);
        assert_written(&o, numbers[i].hex);
    }
    cbor_negative(&o, -1000);
    assert_written(&o, "3903e7");
    cbor_bytes(&o, "\1\2\3\4", 4);
    assert_written(&o, "4401020304");
    cbor_text(&o, "\xc3\xbc");
    assert_written(&o, "62c3bc");
    cbor_tag(&o, 1);
    cbor_uint(&o, 1363896240);
    assert_written(&o, "c11a514b67b0");
    cbor_map(&o, 2); /* {"a": 1, "b": [2, 3]} */
    cbor_text(&o, "a");
    cbor_uint(&o, 1);
    cbor_text(&o, "b");
    cbor_array(&o, 2);
    cbor_uint(&o, 2);
    cbor_uint(&o, 3);
    assert_written(&o, "a26161016162820203");
    cbor_bool(&o, false);
    cbor_bool(&o, true);
    cbor_null(&o);
    assert_written(&o, "f4f5f6");
}

static struct cbor_in in_of(uint8_t bytes[64], const char *hex)
{
    size_t count = strlen(hex) / 2;

    assert_true(crypto_unhex(bytes, count, hex, 2 * count));
    return (struct cbor_in){bytes, bytes + count, false};
}

static void items_are_read(void **state)
{
    uint8_t bytes[64];
    struct cbor_in in = in_of(bytes, "a26161016162820203"), value, none;
    struct cbor_item item;
    (void)state;

    assert_true(cbor_find(&in, "b", &value));
    assert_true(cbor_expect(&value, CBOR_ARRAY, &item) && item.value == 2);
    assert_true(cbor_expect(&value, CBOR_UINT, &item) && item.value == 2);
    assert_false(cbor_find(&in, "c", &none));
    assert_false(cbor_find(&in, "", &none));
    assert_true(cbor_skip(&in) && in.at == in.end);
    assert_false(cbor_next(&in, &item));

    in = in_of(bytes, "a301182a2026217800"); /* {1: 42, -1: -7, -2: ""} */
    assert_true(cbor_find_int(&in, 1, &value) && cbor_expect(&value, CBOR_UINT, &item));
    assert_int_equal(item.value, 42);
    assert_true(cbor_find_int(&in, -1, &value) && cbor_expect(&value, CBOR_NEGATIVE, &item));
    assert_int_equal(item.value, 6); /* -1 - 6 */
    assert_true(cbor_find_int(&in, -2, &value) && cbor_expect(&value, CBOR_TEXT, &item));
    assert_true(cbor_is_text(&item, ""));
    assert_false(cbor_find_int(&in, 2, &none));
    assert_false(cbor_find_int(&in, 0, &none));
}

/* A key may be anything; what is behind it is found all the same. */
static void odd_keys_are_passed(void **state)
{
    uint8_t bytes[64];
    struct cbor_in in = in_of(bytes, "a28201a16161026161182a"), value; /* {[1, {"a": 2}]: "a"...} */
    struct cbor_item item;
    (void)state;

    assert_false(cbor_find(&in, "a", &value)); /* the "a" there is a value, and 42 a key alone */
    in = in_of(bytes, "a28201a1616102016161182a"); /* {[1, {"a": 2}]: 1, "a": 42} */
    assert_true(cbor_find(&in, "a", &value) && cbor_expect(&value, CBOR_UINT, &item));
    assert_int_equal(item.value, 42);
}

/* Goal: nothing that lies about its length, or is deeper than it may be, is read beyond its end. */
static void what_is_damaged_is_refused(void **state)
{
    static const char *const wrong[] = {
        "18",                 /* a number without its byte */
        "1bffffffffffffff",   /* and one without all of them */
        "44010203",           /* three of four bytes */
        "5bffffffffffffffff", /* more bytes than there can be */
        "7bffffffffffffffff", /* more text */
        "9bffffffffffffffff", /* more items */
        "bbffffffffffffffff", /* more pairs, whose number doubled is one that would do */
        "bb8000000000000000", /* and doubled is none */
        "5f4101ff",           /* of indefinite length */
        "9f01ff",
        "bf616101ff",
        "ff",   /* an end of nothing */
        "1c",   /* no such length */
        "8201", /* one of two */
        "a101", /* a key without a value */
        "c1",   /* a tag of nothing */
        "",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        uint8_t bytes[64];
        struct cbor_in in = in_of(bytes, wrong[i]);
        struct cbor_item item;

        if (cbor_skip(&in) || !in.failed)
            fail_msg("'%s' is taken", wrong[i]);
        assert_false(cbor_next(&in, &item)); /* and stays so */
    }
}

static void depth_has_a_limit(void **state)
{
    uint8_t deep[2 * CBOR_DEPTH];
    (void)state;

    memset(deep, 0x81, sizeof(deep)); /* a list of one list of one ... */
    for (int depth = 1; depth < 2 * CBOR_DEPTH - 1; depth++) {
        struct cbor_in in = {deep, deep + depth + 1, false};

        deep[depth] = 0x01;
        assert_int_equal(cbor_skip(&in), depth < CBOR_DEPTH);
        deep[depth] = 0x81;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_examples_come_out),
        cmocka_unit_test(items_are_read),
        cmocka_unit_test(odd_keys_are_passed),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(depth_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
