/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/parcel.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static struct parcel parcel_of(const char *prompt, const char *negative, const char *picture)
{
    struct parcel p = {.prompt = prompt,
                       .negative = negative,
                       .picture = {(void *)(uintptr_t)picture, strlen(picture)}};

    for (size_t i = 0; i < sizeof(p.preview); i++)
        p.preview[i] = (uint8_t)i;
    return p;
}

static void a_parcel_holds_what_was_put_in(void **state)
{
    static const char *const texts[] = {"", "a", "an \xc3\xa4nderung with \n lines"};
    (void)state;

    for (int i = 0; i < 27; i++) {
        struct parcel p = parcel_of(texts[i % 3], texts[i / 3 % 3], texts[i / 9]), out;
        struct store_bytes bytes;

        assert_int_equal(parcel_pack(&bytes, &p), ST_OK);
        assert_int_equal(parcel_unpack(&out, bytes, NULL), ST_OK);
        assert_string_equal(out.prompt, p.prompt);
        assert_string_equal(out.negative, p.negative);
        assert_int_equal(out.picture.count, p.picture.count);
        assert_memory_equal(out.picture.data ? out.picture.data : "", p.picture.data,
                            p.picture.count);
        assert_memory_equal(out.preview, p.preview, sizeof(p.preview));
        free(bytes.data);
    }
}

/* Goal: no length that a parcel claims is believed. Method: cut it everywhere; make every byte of
   its head another one; put a NUL into a text. The sanitizers watch. */
static void what_is_no_parcel_is_refused(void **state)
{
    struct parcel p = parcel_of("prompt", "negative", "picture"), out;
    struct store_bytes bytes, cut;
    uint8_t *head;
    size_t whole;
    (void)state;

    assert_int_equal(parcel_pack(&bytes, &p), ST_OK);
    head = bytes.data;
    whole = bytes.count;
    for (size_t count = 0; count < whole; count++) {
        cut = (struct store_bytes){malloc(count + !count), count};
        assert_non_null(cut.data);
        memcpy(cut.data, head, count);
        assert_int_equal(parcel_unpack(&out, cut, NULL), ST_INVALID);
        assert_null(out.prompt);
        free(cut.data);
    }
    for (size_t at = 0; at < 16; at++) {
        head[at] ^= 0x81;
        if (parcel_unpack(&out, bytes, NULL) != ST_INVALID)
            fail_msg("byte %zu may be another one", at);
        head[at] ^= 0x81;
    }
    head[whole - 7 - 9 - 3] = '\0'; /* within the prompt */
    assert_int_equal(parcel_unpack(&out, bytes, NULL), ST_INVALID);
    free(bytes.data);
}

static void bounds_are_kept(void **state)
{
    char *much = malloc(PARCEL_TEXT_MAX + 2);
    struct store_bytes bytes;
    struct parcel p, out;
    (void)state;

    assert_non_null(much);
    memset(much, 'a', PARCEL_TEXT_MAX + 1);
    much[PARCEL_TEXT_MAX + 1] = '\0';
    p = parcel_of(much, "", "");
    assert_int_equal(parcel_pack(&bytes, &p), ST_FULL);
    assert_null(bytes.data);
    much[PARCEL_TEXT_MAX] = '\0';
    assert_int_equal(parcel_pack(&bytes, &p), ST_OK);
    assert_int_equal(parcel_unpack(&out, bytes, NULL), ST_OK);
    free(bytes.data);
    fault_arm(1);
    assert_int_equal(parcel_pack(&bytes, &p), ST_FULL);
    fault_disarm();
    free(much);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parcel_holds_what_was_put_in),
        cmocka_unit_test(what_is_no_parcel_is_refused),
        cmocka_unit_test(bounds_are_kept),
    };

    return cmocka_run_group_tests_name("parcel", tests, NULL, NULL);
}
