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

static void ids_have_their_mark_and_are_never_the_same(void **state)
{
    char a[37], b[37];
    (void)state;

    assert_int_equal(crypto_id(a, sizeof(a), "dec_", NULL), ST_OK);
    assert_int_equal(crypto_id(b, sizeof(b), "dec_", NULL), ST_OK);
    assert_memory_equal(a, "dec_", 4);
    assert_int_equal(strspn(a + 4, "0123456789abcdef"), CRYPTO_ID_DIGITS);
    assert_int_equal(strlen(a), 36);
    assert_string_not_equal(a, b);
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

static size_t unhex(uint8_t *out, const char *hex)
{
    size_t bytes = strlen(hex) / 2;

    assert_true(crypto_unhex(out, bytes, hex, strlen(hex)));
    return bytes;
}

/* Goal: what we seal is AES-256-GCM, and not merely something that we can undo.
   Method: cases 13, 14 and 16 of McGrew and Viega's paper are opened. */
static void unseal_opens_the_published_cases_of_gcm(void **state)
{
    static const struct {
        const char *key, *nonce, *aad, *plain, *cipher, *tag;
    } known[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
         "49a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
         "56828838c5f61e6393ba7a0abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint8_t key[32], aad[32], plain[64], sealed[128], out[64];
        size_t aad_bytes = unhex(aad, known[i].aad), bytes = unhex(plain, known[i].plain);

        unhex(key, known[i].key);
        unhex(sealed, known[i].nonce);
        unhex(sealed + 12, known[i].cipher);
        unhex(sealed + 12 + bytes, known[i].tag);
        assert_int_equal(crypto_unseal(out, key, aad, aad_bytes, sealed, bytes + CRYPTO_SEAL_BYTES),
                         ST_OK);
        assert_memory_equal(out, plain, bytes);
    }
}

/* Goal: no bit of what was sealed, of its key or of what it is bound to may be another one. */
static void what_was_altered_does_not_open(void **state)
{
    uint8_t key[32] = {1}, aad[3] = {2}, sealed[5 + CRYPTO_SEAL_BYTES], again[sizeof(sealed)];
    uint8_t out[5];
    (void)state;

    assert_int_equal(crypto_seal(sealed, key, aad, sizeof(aad), "plain", 5), ST_OK);
    assert_int_equal(crypto_seal(again, key, aad, sizeof(aad), "plain", 5), ST_OK);
    assert_memory_not_equal(sealed, again, 12);
    assert_memory_not_equal(sealed + 12, again + 12, 5);
    assert_int_equal(crypto_unseal(out, key, aad, sizeof(aad), sealed, sizeof(sealed)), ST_OK);
    assert_memory_equal(out, "plain", 5);
    for (size_t bit = 0; bit < 8 * (sizeof(sealed) + sizeof(key) + sizeof(aad)); bit++) {
        size_t at = bit / 8;
        uint8_t *byte = at < sizeof(sealed) ? sealed + at
                        : at < sizeof(sealed) + sizeof(key)
                            ? key + (at - sizeof(sealed))
                            : aad + (at - sizeof(sealed) - sizeof(key));

        *byte ^= (uint8_t)(1 << bit % 8);
        memset(out, 'x', sizeof(out));
        if (crypto_unseal(out, key, aad, sizeof(aad), sealed, sizeof(sealed)) != ST_INVALID)
            fail_msg("bit %zu may be another one", bit);
        for (size_t i = 0; i < sizeof(out); i++)
            assert_int_equal(out[i], 0);
        *byte ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bytes = 0; bytes < sizeof(sealed); bytes++)
        assert_int_equal(crypto_unseal(out, key, aad, sizeof(aad), sealed, bytes), ST_INVALID);
}

/* Goal: sealing more than one piece is seamless. Method: 60 MB there and back. */
static void much_is_sealed_as_well(void **state)
{
    const size_t bytes = 60000001;
    uint8_t key[32] = {3}, *plain = malloc(bytes), *sealed = malloc(bytes + CRYPTO_SEAL_BYTES);
    (void)state;
    assert_non_null(plain);
    assert_non_null(sealed);
    for (size_t i = 0; i < bytes; i++)
        plain[i] = (uint8_t)(i >> 8 ^ i);

    assert_int_equal(crypto_seal(sealed, key, "", 0, plain, bytes), ST_OK);
    memset(plain, 0, bytes);
    assert_int_equal(crypto_unseal(plain, key, "", 0, sealed, bytes + CRYPTO_SEAL_BYTES), ST_OK);
    for (size_t i = 0; i < bytes; i++)
        if (plain[i] != (uint8_t)(i >> 8 ^ i))
            fail_msg("at %zu", i);
    free(plain);
    free(sealed);
}

static void base64url_has_one_text_for_each_bytes(void **state)
{
    static const char *const wrong[] = {"Zg==", "Zh", "Zg=", "Z", "Zg\n", "+g", "Z ", ""};
    uint8_t bytes[64], back[64];
    char text[96];
    (void)state;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 250);
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        crypto_base64url_encode(text, bytes, count);
        assert_int_equal(strlen(text), crypto_base64url_length(count));
        assert_int_equal(strcspn(text, "+/="), strlen(text));
        assert_true(crypto_base64url_decode(back, count, text));
        assert_memory_equal(back, bytes, count);
        assert_false(crypto_base64url_decode(back, count + 1, text));
    }
    crypto_base64url_encode(text, "\xfb\xff", 2);
    assert_string_equal(text, "-_8");
    assert_true(crypto_base64url_decode(back, 1, "Zg"));
    assert_int_equal(back[0], 'f');
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (crypto_base64url_decode(back, 1, wrong[i]))
            fail_msg("'%s' was read", wrong[i]);
}

static void unhex_reads_both_cases_and_nothing_else(void **state)
{
    uint8_t out[2];
    (void)state;

    assert_true(crypto_unhex(out, 2, "aF09", 4));
    assert_int_equal(out[0], 0xaf);
    assert_int_equal(out[1], 9);
    assert_false(crypto_unhex(out, 2, "aF0", 3));
    assert_false(crypto_unhex(out, 2, "aF099", 5));
    assert_false(crypto_unhex(out, 2, "aF0g", 4));
    assert_false(crypto_unhex(out, 2, " F09", 4));
}

/* RFC 8439, appendix A.1, the first of its vectors, and the beginning of the second block of A.2's
   key of zeros. */
static void test_stream(void **state)
{
    static const uint8_t zeros[CRYPTO_KEY_BYTES];
    uint8_t out[128], again[5];
    char hex[2 * 64 + 1];

    (void)state;
    assert_int_equal(crypto_stream(out, sizeof(out), zeros, zeros), ST_OK);
    crypto_hex(hex, out, 64);
    assert_string_equal(hex, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                             "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    crypto_hex(hex, out + 64, 16);
    assert_string_equal(hex, "9f07e7be5551387a98ba977c732d080d");
    assert_int_equal(crypto_stream(again, sizeof(again), zeros, zeros), ST_OK);
    assert_memory_equal(out, again, sizeof(again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_looks_at_every_byte),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(sha256_gives_the_published_answers),
        cmocka_unit_test(hmac_gives_the_answers_of_rfc_4231),
        cmocka_unit_test(sha256_of_a_million_letters_is_the_published_one),
        cmocka_unit_test(base64_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_base64_is_not_read),
        cmocka_unit_test(base64_gives_the_answers_of_rfc_4648),
        cmocka_unit_test(base64_of_more_than_one_piece_is_seamless),
        cmocka_unit_test(hex_is_lower_case_and_terminated),
        cmocka_unit_test(random_bytes_are_drawn_anew),
        cmocka_unit_test(ids_have_their_mark_and_are_never_the_same),
        cmocka_unit_test(unseal_opens_the_published_cases_of_gcm),
        cmocka_unit_test(what_was_altered_does_not_open),
        cmocka_unit_test(much_is_sealed_as_well),
        cmocka_unit_test(base64url_has_one_text_for_each_bytes),
        cmocka_unit_test(unhex_reads_both_cases_and_nothing_else),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
