/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"
#include "tests/unit.h"

#include <string.h>

static void why_fail_writes_the_sentence_and_hands_the_status_back(void **state)
{
    struct why why = {0};
    (void)state;

    enum status st = why_fail(&why, ST_INVALID, "file is %d bytes", 7);

    assert_int_equal(st, ST_INVALID);
    assert_string_equal(why.text, "file is 7 bytes");
}

static void why_fail_works_without_anybody_who_cares(void **state)
{
    (void)state;

    assert_int_equal(why_fail(NULL, ST_IO, "%s", "nobody reads this"), ST_IO);
}

static void why_fail_cuts_a_sentence_that_is_too_long(void **state)
{
    char longer[2 * sizeof(struct why)];
    struct why why;
    (void)state;
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';

    why_fail(&why, ST_FULL, "%s", longer);

    assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;

    for (int a = ST_OK; a <= ST_DEVICE; a++) {
        assert_string_not_equal(status_name((enum status)a), "unknown");
        for (int b = ST_OK; b < a; b++)
            assert_string_not_equal(status_name((enum status)a), status_name((enum status)b));
    }
    assert_string_equal(status_name((enum status)(ST_DEVICE + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(why_fail_writes_the_sentence_and_hands_the_status_back),
        cmocka_unit_test(why_fail_works_without_anybody_who_cares),
        cmocka_unit_test(why_fail_cuts_a_sentence_that_is_too_long),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
