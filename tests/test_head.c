/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head.h"
#include "tests/unit.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void head_check_refuses_what_two_servers_read_differently(void **state)
{
    static const struct {
        const char *head, *says; /* NULL: it is fine */
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
        {"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", NULL},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", NULL},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\ncontent-length: 4\n", NULL},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length-x: 3\r\ncontent-length: 3\r\n\r\n", NULL},
        {"GET / HTTP/1.1\r\n\r\n", "needs a Host"},
        {"GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n", "Host header is there 2"},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\n",
         "Content-Length header is there 2"},
        {"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
         "exclude each other"},
        {"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
         "Transfer-Encoding header is there 2"},
        {"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n folded\r\n\r\n", "folded"},
        {"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\tfolded\r\n\r\n", "folded"},
        {"GET / HTTP/1.1\nhost: a\r\n\r\n", "carriage return"},
        {"GET / HTTP/1.1\r\nhost: a\n\r\n", "carriage return"},
        {"GET / HTTP/1.1\r\nhost: a\r\n\n", "carriage return"},
        {"GET / HTTP/1.1\r\nhost: a\r\n", "no end"},
        {"", "no end"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct why why = {""};
        enum status st = head_check(cases[i].head, strlen(cases[i].head), true, &why);

        if (st != (cases[i].says ? ST_INVALID : ST_OK))
            fail_msg("case %zu gave %s: %s", i, status_name(st), why.text);
        if (cases[i].says && !strstr(why.text, cases[i].says))
            fail_msg("case %zu says '%s'", i, why.text);
    }
}

static void head_check_of_http_1_0_needs_no_host(void **state)
{
    static const char head[] = "GET / HTTP/1.0\r\n\r\n";

    (void)state;
    assert_int_equal(head_check(head, strlen(head), false, NULL), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_check_refuses_what_two_servers_read_differently),
        cmocka_unit_test(head_check_of_http_1_0_needs_no_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
