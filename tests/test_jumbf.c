/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit.h"
#include "watermark/jumbf.h"

#include <stdlib.h>
#include <string.h>

/* store > manifest > two boxes with a number each */
static void make(struct cbor_out *o)
{
    size_t store = jumbf_begin(o, JUMBF_STORE, "c2pa"), content, box;
    size_t manifest = jumbf_begin(o, JUMBF_MANIFEST, "urn:c2pa:1");

    for (uint64_t i = 1; i <= 2; i++) {
        box = jumbf_begin(o, JUMBF_CBOR, i == 1 ? "first" : "second");
        content = jumbf_begin_content(o);
        cbor_uint(o, i);
        jumbf_end(o, content);
        jumbf_end(o, box);
    }
    jumbf_end(o, manifest);
    jumbf_end(o, store);
    assert_false(o->failed);
}

static struct cbor_in all(const struct cbor_out *o)
{
    return (struct cbor_in){o->data, o->data + o->count, false};
}

static void a_box_begins_as_the_standard_says(void **state)
{
    static const uint8_t first[] = "\0\0\0\xb3jumb\0\0\0\x1ejumd"
                                   "c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa";
    struct cbor_out o = {0};
    (void)state;

    make(&o);
    assert_int_equal(o.count, 0xb3);
    assert_memory_equal(o.data, first, sizeof(first)); /* with the label's NUL */
    cbor_close(&o);
}

static void boxes_are_found_by_their_labels(void **state)
{
    struct jumbf_box store, manifest, box;
    struct cbor_in in, content;
    struct cbor_item item;
    struct cbor_out o = {0};
    (void)state;

    make(&o);
    in = all(&o);
    assert_true(jumbf_next(&in, &store) && in.at == in.end);
    assert_int_equal(store.type, JUMBF_STORE);
    assert_string_equal(store.label, "c2pa");
    assert_true(jumbf_find(store.content, "urn:c2pa:1", &manifest));
    assert_int_equal(manifest.type, JUMBF_MANIFEST);
    for (uint64_t i = 1; i <= 2; i++) {
        assert_true(jumbf_find(manifest.content, i == 1 ? "first" : "second", &box));
        assert_true(jumbf_content(&box, &content));
        assert_true(cbor_expect(&content, CBOR_UINT, &item) && item.value == i);
        assert_true(content.at == content.end);
    }
    assert_false(jumbf_find(manifest.content, "third", &box));
    assert_false(jumbf_find(manifest.content, "", &box));
    assert_false(jumbf_next(&in, &box));
    assert_false(jumbf_content(&manifest, &content)); /* another box is in it */
    cbor_close(&o);
}

/* Goal: a box of somebody else's type, or without a label, does not hide those behind it. */
static void boxes_of_others_are_passed(void **state)
{
    struct jumbf_box box;
    struct cbor_out o = {0};
    (void)state;

    jumbf_end(&o, jumbf_begin(&o, JUMBF_CBOR, "theirs"));
    o.data[16 + 4] ^= 0xff; /* the end of its type */
    jumbf_end(&o, jumbf_begin(&o, JUMBF_CBOR, "hidden"));
    o.data[40 + 16 + 16] = 1; /* toggles: it may be asked for, by no label */
    jumbf_end(&o, jumbf_begin(&o, JUMBF_CBOR, "ours"));
    assert_true(jumbf_find(all(&o), "theirs", &box));
    assert_int_equal(box.type, JUMBF_FOREIGN);
    assert_false(jumbf_find(all(&o), "hidden", &box));
    assert_true(jumbf_find(all(&o), "ours", &box));
    assert_int_equal(box.type, JUMBF_CBOR);
    cbor_close(&o);
}

/* Goal: no box reaches beyond the one that it is in. Method: every length that there is in a store
   is made too long, and every end too early. */
static void lengths_are_not_believed(void **state)
{
    struct cbor_out o = {0};
    struct jumbf_box box;
    (void)state;

    make(&o);
    for (size_t count = 0; count < o.count; count++) {
        uint8_t *copy = malloc(count + !count); /* so that a step too far is seen */
        struct cbor_in in = {copy, copy + count, false};

        assert_non_null(copy);
        memcpy(copy, o.data, count);
        assert_false(jumbf_next(&in, &box));
        free(copy);
    }
    for (size_t at = 0; at + 8 <= o.count; at++) {
        struct cbor_in in = all(&o);
        struct jumbf_box store, manifest;

        if (memcmp(o.data + at + 4, "jumb", 4) && memcmp(o.data + at + 4, "jumd", 4))
            continue;
        o.data[at] = 0x7f;
        assert_false(jumbf_next(&in, &store) &&
                     jumbf_find(store.content, "urn:c2pa:1", &manifest) &&
                     jumbf_find(manifest.content, "first", &box) &&
                     jumbf_find(manifest.content, "second", &box));
        o.data[at] = 0;
    }
    cbor_close(&o);
}

static void damaged_descriptions_are_refused(void **state)
{
    char longest[JUMBF_LABEL_MAX + 1];
    struct jumbf_box box;
    struct cbor_out o = {0};
    struct cbor_in in;
    (void)state;

    memset(longest, 'x', sizeof(longest));
    longest[JUMBF_LABEL_MAX] = '\0'; /* one too long */
    jumbf_end(&o, jumbf_begin(&o, JUMBF_CBOR, longest));
    in = all(&o);
    assert_false(jumbf_next(&in, &box));
    o.count = 0;
    jumbf_end(&o, jumbf_begin(&o, JUMBF_CBOR, longest + 1));
    in = all(&o);
    assert_true(jumbf_next(&in, &box));
    assert_string_equal(box.label, longest + 1);
    o.data[o.count - 1] = 'x'; /* no NUL */
    in = all(&o);
    assert_false(jumbf_next(&in, &box));
    o.data[o.count - 1] = '\0';
    o.data[32] |= 0x80; /* toggles that there are not */
    in = all(&o);
    assert_false(jumbf_next(&in, &box));
    cbor_close(&o);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_box_begins_as_the_standard_says),
        cmocka_unit_test(boxes_are_found_by_their_labels),
        cmocka_unit_test(boxes_of_others_are_passed),
        cmocka_unit_test(lengths_are_not_believed),
        cmocka_unit_test(damaged_descriptions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
