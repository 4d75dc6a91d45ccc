/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certs.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-certs.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

struct pair {
    char key_path[128], path[128];
    struct sign_key *key;
    struct certs *chain;
};

static void make_pair(struct pair *p, const char *name, enum sign_kind kind, const char *who)
{
    struct why why = {""};

    snprintf(p->key_path, sizeof(p->key_path), "%s/%s.pem", folder, name);
    snprintf(p->path, sizeof(p->path), "%s/%s-chain.pem", folder, name);
    if (sign_create(p->key_path, kind, &why) || sign_open(&p->key, p->key_path, &why) ||
        certs_create(p->path, p->key_path, who, &why) || certs_open(&p->chain, p->path, &why))
        fail_msg("%s", why.text);
}

static void close_pair(struct pair *p)
{
    sign_close(&p->key);
    certs_close(&p->chain);
    assert_null(p->chain);
}

/* Goal: a chain is for its key, says whose it is and from when to when, and that nobody trusts it.
   The authority at its top stays at home. */
static void a_chain_is_for_its_key(void **state)
{
    (void)state;
    for (enum sign_kind kind = SIGN_ED25519; kind <= SIGN_ES256; kind++) {
        const int64_t now_s = (int64_t)time(NULL);
        uint8_t pub[SIGN_PUBLIC_MAX];
        const struct certs_leaf *leaf;
        struct certs_leaf again;
        struct pair p;
        size_t bytes;

        make_pair(&p, kind ? "es" : "ed", kind, "M\xc3\xbcller & Co");
        leaf = &p.chain->leaf;
        sign_public(pub, &bytes, p.key);
        assert_int_equal(leaf->kind, kind);
        assert_int_equal(leaf->pub_bytes, bytes);
        assert_memory_equal(leaf->pub, pub, bytes);
        assert_string_equal(leaf->organisation, "M\xc3\xbcller & Co");
        assert_true(leaf->from_s < now_s && now_s < leaf->until_s);
        assert_true(p.chain->development);
        assert_int_equal(p.chain->count, 1);
        assert_true(certs_read(&again, p.chain->certificate[0].der, p.chain->certificate[0].bytes));
        assert_memory_equal(again.pub, pub, bytes);
        assert_string_equal(again.organisation, leaf->organisation);
        assert_true(again.signs_claims);
        close_pair(&p);
    }
}

/* Goal: OpenSSL's own program finds what C2PA asks of a certificate, and that it was issued by the
   authority behind it. */
static void another_reader_sees_the_same(void **state)
{
    static const char *const lines[] = {
        "Version: 3",       "CA:FALSE",   "Digital Signature",     "E-mail Protection",
        "CA:TRUE",          "prime256v1", "1.3.6.1.4.1.62558.2.1", "X509v3 Extended Key Usage",
        "ecdsa-with-SHA256"};
    char command[512], text[16384];
    struct pair p;
    FILE *out;
    size_t count;
    (void)state;

    if (access("/usr/bin/openssl", X_OK))
        skip();
    make_pair(&p, "seen", SIGN_ES256, "Example");
    snprintf(command, sizeof(command),
             "cd %s && awk '/BEGIN/{n++} {print > (\"c\" n)}' %s && openssl x509 -in c1 -noout "
             "-text && openssl x509 -in c2 -noout -text && "
             "openssl verify -x509_strict -CAfile c2 c1",
             folder, p.path);
    out = popen(command, "r");
    assert_non_null(out);
    count = fread(text, 1, sizeof(text) - 1, out);
    text[count] = '\0';
    assert_int_equal(pclose(out), 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        if (!strstr(text, lines[i]))
            fail_msg("no '%s' in:\n%s", lines[i], text);
    }
    assert_non_null(strstr(text, "c1: OK"));
    close_pair(&p);
}

static void one_that_is_there_stays(void **state)
{
    struct pair first, again;
    (void)state;

    make_pair(&first, "same", SIGN_ES256, "First");
    make_pair(&again, "same", SIGN_ES256, "Second");
    assert_string_equal(again.chain->leaf.organisation, "First");
    assert_memory_equal(first.chain->certificate[0].der, again.chain->certificate[0].der,
                        first.chain->certificate[0].bytes);
    close_pair(&first);
    close_pair(&again);
}

/* X.509 has room for 64 characters of a name. */
static void a_long_name_is_cut(void **state)
{
    char name[101];
    struct pair p;
    (void)state;

    memset(name, 'x', 100);
    name[100] = '\0';
    make_pair(&p, "long", SIGN_ES256, name);
    name[64] = '\0';
    assert_string_equal(p.chain->leaf.organisation, name);
    close_pair(&p);
}

static void write_text(const char *path, const char *text, int times)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; i < times; i++)
        fputs(text, file);
    fclose(file);
}

/* Text of the first certificate of a file, and no other. */
static void read_first(char text[4096], const char *path)
{
    static const char end[] = "-----END CERTIFICATE-----\n";
    FILE *file = fopen(path, "r");
    size_t count;
    char *at;

    assert_non_null(file);
    count = fread(text, 1, 4095, file);
    text[count] = '\0';
    fclose(file);
    at = strstr(text, end);
    assert_non_null(at);
    at[sizeof(end) - 1] = '\0';
}

/* Goal: a certificate for another purpose is seen. Method: the authority's own, and one for web
   servers. */
static void a_certificate_has_its_purpose(void **state)
{
    char path[128], text[4096], command[512];
    struct certs *chain;
    struct why why = {""};
    struct pair p;
    FILE *file, *out;
    size_t count;
    (void)state;

    make_pair(&p, "purpose", SIGN_ES256, "Example");
    file = fopen(p.path, "r");
    assert_non_null(file);
    count = fread(text, 1, sizeof(text) - 1, file);
    text[count] = '\0';
    fclose(file);
    snprintf(path, sizeof(path), "%s/authority.pem", folder);
    write_text(path, strstr(text + 1, "-----BEGIN"), 1);
    assert_int_equal(certs_open(&chain, path, &why), ST_OK);
    assert_false(chain->leaf.signs_claims);
    certs_close(&chain);
    if (!access("/usr/bin/openssl", X_OK)) {
        snprintf(path, sizeof(path), "%s/server.pem", folder);
        snprintf(command, sizeof(command),
                 "openssl req -x509 -key %s -subj /O=Example -days 9 -out %s -addext "
                 "extendedKeyUsage=serverAuth -addext keyUsage=digitalSignature -addext "
                 "basicConstraints=CA:FALSE",
                 p.key_path, path);
        out = popen(command, "r");
        assert_non_null(out);
        assert_int_equal(pclose(out), 0);
        assert_int_equal(certs_open(&chain, path, &why), ST_OK);
        assert_false(chain->leaf.signs_claims);
        certs_close(&chain);
    }
    close_pair(&p);
}

static void what_is_no_chain_is_told(void **state)
{
    char path[128], text[4096];
    struct certs *chain;
    struct why why = {""};
    struct pair p;
    (void)state;

    assert_int_equal(certs_open(&chain, "/nowhere/chain.pem", &why), ST_MISSING);
    assert_non_null(strstr(why.text, "/nowhere/chain.pem"));
    snprintf(path, sizeof(path), "%s/wrong.pem", folder);
    write_text(path, "no certificate\n", 1);
    assert_int_equal(certs_open(&chain, path, &why), ST_INVALID);
    assert_non_null(strstr(why.text, path));
    make_pair(&p, "many", SIGN_ES256, "Example");
    read_first(text, p.path);
    write_text(path, text, CERTS_MAX);
    assert_int_equal(certs_open(&chain, path, &why), ST_OK);
    assert_int_equal(chain->count, CERTS_MAX);
    certs_close(&chain);
    write_text(path, text, CERTS_MAX + 1);
    assert_int_equal(certs_open(&chain, path, &why), ST_INVALID);
    assert_null(chain);
    text[200] = text[200] == 'A' ? 'B' : 'A'; /* still base64, of something else */
    text[90] = '!';
    write_text(path, text, 1);
    assert_int_equal(certs_open(&chain, path, &why), ST_INVALID);
    assert_int_equal(certs_create(path, "/nowhere/key.pem", "Example", &why), ST_OK); /* is there */
    remove(path);
    assert_int_not_equal(certs_create(path, "/nowhere/key.pem", "Example", &why), ST_OK);
    close_pair(&p);
}

/* Goal: any damage to a certificate's bytes is either told or changes nothing that could hurt; and
   no step leaves them. */
static void damaged_certificates_are_survived(void **state)
{
    struct certs_leaf leaf;
    struct pair p;
    (void)state;

    make_pair(&p, "damaged", SIGN_ES256, "Example");
    for (size_t count = 0; count < p.chain->certificate[0].bytes; count++) {
        uint8_t *copy = malloc(count + !count); /* so that a step too far is seen */

        assert_non_null(copy);
        memcpy(copy, p.chain->certificate[0].der, count);
        assert_false(certs_read(&leaf, copy, count));
        free(copy);
    }
    for (size_t i = 0; i < p.chain->certificate[0].bytes; i++) {
        p.chain->certificate[0].der[i] ^= 0xff;
        if (certs_read(&leaf, p.chain->certificate[0].der, p.chain->certificate[0].bytes))
            assert_true(leaf.pub_bytes <= SIGN_PUBLIC_MAX &&
                        memchr(leaf.organisation, 0, sizeof(leaf.organisation)));
        p.chain->certificate[0].der[i] ^= 0xff;
    }
    close_pair(&p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_for_its_key),
        cmocka_unit_test(another_reader_sees_the_same),
        cmocka_unit_test(one_that_is_there_stays),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(a_certificate_has_its_purpose),
        cmocka_unit_test(what_is_no_chain_is_told),
        cmocka_unit_test(damaged_certificates_are_survived),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
