/* SPDX-License-Identifier: Apache-2.0 */
#include "server/deadline.h"
#include "tests/unit.h"

#include <string.h>

static void expect(const char *deadline, const char *prefer, enum status st, int64_t ms)
{
    int64_t got = -1;
    struct why why = {""};
    enum status is = deadline_read(&got, deadline, deadline ? strlen(deadline) : 0, prefer,
                                   prefer ? strlen(prefer) : 0, &why);

    if (is != st || (!st && got != ms))
        fail_msg("'%s' and '%s': status %d and %lld ms", deadline ? deadline : "",
                 prefer ? prefer : "", (int)is, (long long)got);
}

static void a_deadline_is_a_whole_number_of_milliseconds(void **state)
{
    (void)state;
    expect(NULL, NULL, ST_OK, 0);
    expect("1", NULL, ST_OK, 1);
    expect("5000", NULL, ST_OK, 5000);
    expect("86400000", NULL, ST_OK, 86400000);
}

static void what_is_no_such_number_is_refused(void **state)
{
    static const char *const bad[] = {"",    "0",  "-1",       "5s",
                                      "1.5", " 5", "86400001", "99999999999999999999999"};
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(bad[i], NULL, ST_INVALID, 0);
}

static void a_preference_to_wait_is_a_deadline_too(void **state)
{
    (void)state;
    expect(NULL, "wait=10", ST_OK, 10000);
    expect(NULL, "respond-async,  WAIT=3 , handling=lenient", ST_OK, 3000);
    expect(NULL, "wait=1, wait=2", ST_OK, 1000);
    expect("5", "wait=10", ST_OK, 5);
}

static void a_preference_nobody_understands_is_none(void **state)
{
    static const char *const odd[] = {"",       ",",       ",,,",       "wait",          "wait=",
                                      "wait=x", "wait=-1", "waiting=3", "wait=99999999", "await=3"};
    (void)state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        expect(NULL, odd[i], ST_OK, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_a_whole_number_of_milliseconds),
        cmocka_unit_test(what_is_no_such_number_is_refused),
        cmocka_unit_test(a_preference_to_wait_is_a_deadline_too),
        cmocka_unit_test(a_preference_nobody_understands_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
