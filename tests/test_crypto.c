/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static void sha256_gives_the_published_answers(void **state)
{
    static const struct {
        const char *text, *digest;
    } known[] = {
        /* FIPS 180-2 and the empty message */
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint8_t digest[32];
        char hex[65];

        crypto_sha256(digest, known[i].text, strlen(known[i].text));
        crypto_hex(hex, digest, sizeof(digest));
        assert_string_equal(hex, known[i].digest);
    }
}

static void sha256_of_a_million_letters_is_the_published_one(void **state)
{
    char *text = malloc(1000000);
    uint8_t digest[32];
    char hex[65];
    (void)state;
    assert_non_null(text);
    memset(text, 'a', 1000000);

    crypto_sha256(digest, text, 1000000);

    crypto_hex(hex, digest, sizeof(digest));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

/* RFC 4231, test cases 1, 2 and 6: a key of bytes, one that is a word, and one that is
   longer than a block. The pieces must not matter. */
static void hmac_gives_the_answers_of_rfc_4231(void **state)
{
    static const struct {
        int fill; /* 0: the text is the key */
        size_t key_bytes;
        const char *key, *data, *digest;
    } known[] = {
        {0x0b, 20, "", "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {0, 4, "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {0xaa, 131, "", "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t bytes = strlen(known[i].data);

        for (size_t cut = 0; cut <= bytes; cut++) {
            struct crypto_hmac h;
            uint8_t key[131], digest[32];
            char hex[65];

            memset(key, known[i].fill, sizeof(key));
            memcpy(key, known[i].key, strlen(known[i].key));
            crypto_hmac(&h, key, known[i].key_bytes);
            crypto_hmac_add(&h, known[i].data, cut);
            crypto_hmac_add(&h, known[i].data + cut, bytes - cut);
            crypto_hmac_end(&h, digest);
            crypto_hex(hex, digest, sizeof(digest));
            assert_string_equal(hex, known[i].digest);
        }
    }
}

/* Every length, so that every padding, and every byte in every place. */
static void base64_is_read_as_it_was_written(void **state)
{
    unsigned char bytes[300], back[300];
    char text[401];
    (void)state;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        size_t found = 0;

        crypto_base64_encode(text, bytes, count);
        assert_true(crypto_base64_decode(back, count, &found, text, strlen(text)));
        assert_int_equal(found, count);
        assert_memory_equal(back, bytes, count);
        assert_true(!count || !crypto_base64_decode(back, count - 1, &found, text, strlen(text)));
    }
}

static void what_is_no_base64_is_not_read(void **state)
{
    static const char *const wrong[] = {"Zg",   "Zg=",  "Zg===", "Z===", "====", "Zm9v\n",
                                        "Zm9-", "Zm9_", "Zm 9",  "=Zm9", "Zm=v"};
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unsigned char out[16];
        size_t bytes;

        if (crypto_base64_decode(out, sizeof(out), &bytes, wrong[i], strlen(wrong[i])))
            fail_msg("'%s' was read", wrong[i]);
    }
}

static void base64_gives_the_answers_of_rfc_4648(void **state)
{
    static const char *const known[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t bytes = strlen(known[i][0]);
        char out[16];

        memset(out, '!', sizeof(out));
        crypto_base64_encode(out, known[i][0], bytes);
        assert_string_equal(out, known[i][1]);
        assert_int_equal(crypto_base64_length(bytes), strlen(known[i][1]));
        assert_int_equal(out[strlen(known[i][1]) + 1], '!');
    }
}

/* Goal: pieces join without padding between them.
   Method: 60 MB are more than one piece; three bytes of 0, 16, 131 are "ABCD" everywhere. */
static void base64_of_more_than_one_piece_is_seamless(void **state)
{
    const size_t bytes = 60000001;
    const size_t length = crypto_base64_length(bytes);
    unsigned char *data = malloc(bytes);
    char *out = malloc(length + 1);
    (void)state;
    assert_non_null(data);
    assert_non_null(out);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i % 3 == 0 ? 0 : i % 3 == 1 ? 16 : 131);

    crypto_base64_encode(out, data, bytes);

    assert_int_equal(strlen(out), length);
    for (size_t i = 0; i + 4 < length; i += 4)
        if (memcmp(out + i, "ABCD", 4) != 0)
            fail_msg("at %zu stands %.4s", i, out + i);
    assert_string_equal(out + length - 4, "AA==");
    free(data);
    free(out);
}

static void hex_is_lower_case_and_terminated(void **state)
{
    const uint8_t bytes[] = {0x00, 0x0f, 0xa0, 0xff};
    char out[9];
    (void)state;

    crypto_hex(out, bytes, sizeof(bytes));
    assert_string_equal(out, "000fa0ff");
    crypto_hex(out, bytes, 0);
    assert_string_equal(out, "");
}

/* Goal: every byte is drawn, and no draw repeats. A fair 4096 bytes hold 2048 * 8 set bits with a
   deviation of 91: 1000 off is a broken source, not bad luck. */
static void random_bytes_are_drawn_anew(void **state)
{
    uint8_t a[4096] = {0}, b[4096] = {0};
    int set = 0;
    (void)state;

    assert_int_equal(crypto_random(a, sizeof(a)), ST_OK);
    assert_int_equal(crypto_random(b, sizeof(b)), ST_OK);

    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, a + 2048, 2048);
    for (size_t i = 0; i < sizeof(a); i++)
        set += __builtin_popcount(a[i]);
    assert_in_range(set, 4096 * 4 - 1000, 4096 * 4 + 1000);
}

static void equal_looks_at_every_byte(void **state)
{
    uint8_t a[32], b[32];

    (void)state;
    memset(a, 7, sizeof(a));
    for (size_t i = 0; i < sizeof(b); i++) {
        memset(b, 7, sizeof(b));
        assert_true(crypto_equal(a, b, sizeof(a)));
        b[i] ^= 0x80;
        if (crypto_equal(a, b, sizeof(a)))
            fail_msg("byte %zu was not looked at", i);
    }
    crypto_wipe(a, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++)
        assert_int_equal(a[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_looks_at_every_byte),
        cmocka_unit_test(sha256_gives_the_published_answers),
        cmocka_unit_test(hmac_gives_the_answers_of_rfc_4231),
        cmocka_unit_test(sha256_of_a_million_letters_is_the_published_one),
        cmocka_unit_test(base64_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_base64_is_not_read),
        cmocka_unit_test(base64_gives_the_answers_of_rfc_4648),
        cmocka_unit_test(base64_of_more_than_one_piece_is_seamless),
        cmocka_unit_test(hex_is_lower_case_and_terminated),
        cmocka_unit_test(random_bytes_are_drawn_anew),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
