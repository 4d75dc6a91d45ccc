/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/sign.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-sign.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static struct sign_key *make_key(char path[128], const char *name, enum sign_kind kind)
{
    struct sign_key *key = NULL;
    struct why why = {""};

    snprintf(path, 128, "%s/%s", folder, name);
    if (sign_create(path, kind, &why) || sign_open(&key, path, &why))
        fail_msg("%s", why.text);
    return key;
}

/* Goal: what one signs anybody can check, and nothing else passes: another message, signature, key
   or kind. */
static void only_what_was_signed_passes(void **state)
{
    (void)state;
    for (enum sign_kind kind = SIGN_ED25519; kind <= SIGN_ES256; kind++) {
        uint8_t pub[SIGN_PUBLIC_MAX], other[SIGN_PUBLIC_MAX], signature[SIGN_BYTES];
        size_t pub_bytes, other_bytes;
        char path[128];
        struct sign_key *key = make_key(path, kind ? "es" : "ed", kind);
        struct sign_key *second = make_key(path, kind ? "es-2" : "ed-2", kind);

        sign_public(pub, &pub_bytes, key);
        sign_public(other, &other_bytes, second);
        assert_int_equal(sign_kind(key), kind);
        assert_int_equal(pub_bytes, kind ? SIGN_ES256_PUB : SIGN_ED25519_PUB);
        for (int round = 0; round < 32; round++) { /* r or s with leading zeros come up */
            char text[24];

            snprintf(text, sizeof(text), "message %d", round);
            assert_int_equal(sign_make(signature, key, text, strlen(text)), ST_OK);
            assert_true(sign_check(kind, pub, pub_bytes, signature, text, strlen(text)));
            assert_false(sign_check(kind, other, other_bytes, signature, text, strlen(text)));
            assert_false(sign_check(!kind, pub, pub_bytes, signature, text, strlen(text)));
            signature[round * 2] ^= 1;
            assert_false(sign_check(kind, pub, pub_bytes, signature, text, strlen(text)));
            signature[round * 2] ^= 1;
            text[0] ^= 1;
            assert_false(sign_check(kind, pub, pub_bytes, signature, text, strlen(text)));
        }
        sign_close(&key);
        sign_close(&second);
        assert_null(key);
    }
}

/* RFC 8032, 7.1, test 2. */
static void a_known_signature_passes(void **state)
{
    static const char pub_hex[] =
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    static const char signature_hex[] =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    uint8_t pub[32], signature[SIGN_BYTES];
    (void)state;

    assert_true(crypto_unhex(pub, sizeof(pub), pub_hex, 64));
    assert_true(crypto_unhex(signature, sizeof(signature), signature_hex, 128));
    assert_true(sign_check(SIGN_ED25519, pub, sizeof(pub), signature, "\x72", 1));
    assert_false(sign_check(SIGN_ED25519, pub, sizeof(pub), signature, "\x73", 1));
}

static void a_key_stays_the_same(void **state)
{
    uint8_t first[SIGN_PUBLIC_MAX], again[SIGN_PUBLIC_MAX];
    struct sign_key *key, *reopened;
    size_t bytes;
    char path[128];
    struct stat about;
    (void)state;

    key = make_key(path, "same", SIGN_ED25519);
    reopened = make_key(path, "same", SIGN_ED25519); /* making it again changes nothing */
    sign_public(first, &bytes, key);
    sign_public(again, &bytes, reopened);

    assert_memory_equal(first, again, bytes);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    sign_close(&key);
    sign_close(&reopened);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void what_is_no_secret_key_is_told(void **state)
{
    struct sign_key *key;
    struct why why = {""};
    char path[128];
    (void)state;

    assert_int_equal(sign_open(&key, "/nowhere/at.pem", &why), ST_MISSING);
    assert_non_null(strstr(why.text, "/nowhere/at.pem"));
    key = make_key(path, "open", SIGN_ED25519);
    sign_close(&key);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(sign_open(&key, path, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "chmod 600"));
    write_text(path, "no key\n", 0600);
    assert_int_equal(sign_open(&key, path, &why), ST_INVALID);
    assert_non_null(strstr(why.text, path));
    /* X25519: a key, but none that signs */
    write_text(path,
               "-----BEGIN PRIVATE KEY-----\n"
               "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
               "-----END PRIVATE KEY-----\n",
               0600);
    assert_int_equal(sign_open(&key, path, &why), ST_INVALID);
    assert_null(key);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_signed_passes),
        cmocka_unit_test(a_known_signature_passes),
        cmocka_unit_test(a_key_stays_the_same),
        cmocka_unit_test(what_is_no_secret_key_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
