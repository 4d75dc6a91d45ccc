/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links that are sent out, and the secret that signs them.
 */
#include "moderation/link.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t secret[SECRET_BYTES] = {1, 2, 3};

static void a_link_is_good_until_its_day(void **state)
{
    char token[LINK_MAX];
    (void)state;

    link_make(token, secret, "appeal", "dec_1", ROWS_NOW);
    assert_int_equal(link_check(secret, "appeal", "dec_1", token, ROWS_NOW - 1), ST_OK);
    assert_int_equal(link_check(secret, "appeal", "dec_1", token, ROWS_NOW), ST_LATE);
    link_make(token, secret, "appeal", "dec_1", INT64_MAX);
    assert_int_equal(strlen(token), LINK_MAX - 2);
    assert_int_equal(link_check(secret, "appeal", "dec_1", token, ROWS_NOW), ST_OK);
}

static void a_link_is_good_for_one_thing(void **state)
{
    uint8_t other[SECRET_BYTES] = {1, 2, 4};
    char token[LINK_MAX];
    (void)state;

    link_make(token, secret, "appeal", "dec_1", ROWS_NOW);
    assert_int_equal(link_check(other, "appeal", "dec_1", token, 0), ST_INVALID);
    assert_int_equal(link_check(secret, "look", "dec_1", token, 0), ST_INVALID);
    assert_int_equal(link_check(secret, "appeal", "dec_2", token, 0), ST_INVALID);
    assert_int_equal(link_check(secret, "appealdec", "_1", token, 0), ST_INVALID);
    assert_int_equal(link_check(secret, "", "appealdec_1", token, 0), ST_INVALID);
}

/* Goal: no other text is as good. Method: each character is each other one, and cut and longer. */
static void no_character_of_a_link_may_be_another(void **state)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n\xff";
    char token[LINK_MAX], forged[LINK_MAX + 8];
    (void)state;

    link_make(token, secret, "appeal", "dec_1", ROWS_NOW);
    for (size_t at = 0; token[at]; at++) {
        for (size_t i = 0; i < sizeof(letters); i++) {
            memcpy(forged, token, sizeof(token));
            forged[at] = letters[i]; /* the NUL as well */
            if (forged[at] != token[at] &&
                link_check(secret, "appeal", "dec_1", forged, 0) != ST_INVALID)
                fail_msg("%s is as good as %s", forged, token);
        }
    }
    snprintf(forged, sizeof(forged), "%sA", token);
    assert_int_equal(link_check(secret, "appeal", "dec_1", forged, 0), ST_INVALID);
    assert_int_equal(link_check(secret, "appeal", "dec_1", "", 0), ST_INVALID);
}

static void a_secret_is_made_once_and_for_one_user(void **state)
{
    uint8_t first[SECRET_BYTES], again[SECRET_BYTES], none[SECRET_BYTES] = {0};
    struct why why = {""};
    struct stat about;
    char path[192];
    (void)state;

    rows_good(secret_open(first, rows_folder, &why), &why);
    rows_good(secret_open(again, rows_folder, &why), &why);
    assert_memory_equal(first, again, sizeof(first));
    assert_memory_not_equal(first, none, sizeof(first));
    snprintf(path, sizeof(path), "%s/%s", rows_folder, SECRET_FILE);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_size, 65);

    chmod(path, 0640);
    assert_int_equal(secret_open(again, rows_folder, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "chmod 600"));
    assert_memory_equal(again, none, sizeof(none));
    chmod(path, 0600);
    assert_int_equal(truncate(path, 63), 0);
    assert_int_equal(secret_open(again, rows_folder, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "64 digits"));
}

/* Goal: of many that start at once, all have the same secret. */
static void who_starts_at_once_shares_a_secret(void **state)
{
    uint8_t secrets[8][SECRET_BYTES];
    int told[2];
    (void)state;

    assert_int_equal(pipe(told), 0);
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (!child) {
            uint8_t own[SECRET_BYTES];
            struct why why = {""};

            if (secret_open(own, rows_folder, &why))
                _exit(1);
            _exit(write(told[1], own, sizeof(own)) != sizeof(own));
        }
    }
    close(told[1]);
    for (int i = 0; i < 8; i++)
        assert_int_equal(read(told[0], secrets[i], SECRET_BYTES), SECRET_BYTES);
    close(told[0]);
    for (int i = 0; i < 8; i++) {
        wait(NULL);
        assert_memory_equal(secrets[i], secrets[0], SECRET_BYTES);
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, rows_open, rows_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_link_is_good_until_its_day),          CLAIM(a_link_is_good_for_one_thing),
        CLAIM(no_character_of_a_link_may_be_another), CLAIM(a_secret_is_made_once_and_for_one_user),
        CLAIM(who_starts_at_once_shares_a_secret),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
