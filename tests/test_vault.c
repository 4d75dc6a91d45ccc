/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault: what was sealed opens only with its key, where it was put, and unaltered; on the disk
 * nobody reads it.
 */
#include "base/crypto.h"
#include "moderation/parcel.h"
#include "moderation/vault.h"
#include "tests/fault.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_A "00000000000000000000000000000000000000000000000000000000000000aa"
#define HEX_B "bb000000000000000000000000000000000000000000000000000000000000BB"

static struct vault *vault_of(const char *text)
{
    struct vault *v;
    struct why why = {""};

    rows_good(vault_open_text(&v, text, &why), &why);
    return v;
}

/* As it comes back from the store. */
static struct store_object sealed(const struct vault *v, const char *plain)
{
    struct store_object o = rows_object(1, ROWS_NOW);
    struct why why = {""};

    memset(o.key, 0, sizeof(o.key));
    rows_good(vault_seal(v, &o, plain, strlen(plain), &why), &why);
    return o;
}

static enum status open_object(const struct vault *v, const struct store_object *o)
{
    struct store_bytes out;
    struct why why = {""};
    enum status st = vault_unseal(v, o, &out, &why);

    assert_true(!st == !why.text[0]);
    assert_true(!st == !!out.data);
    free(out.data);
    return st;
}

static void what_was_sealed_opens(void **state)
{
    struct vault *v = vault_of("first " HEX_A "\n");
    struct store_object o = sealed(v, "a held picture"), empty = sealed(v, "");
    struct store_bytes out;
    struct why why = {""};
    (void)state;

    assert_string_equal(o.master, "first");
    assert_null(memmem(o.data.data, o.data.count, "held", 4));
    rows_good(vault_unseal(v, &o, &out, &why), &why);
    assert_int_equal(out.count, 14);
    assert_memory_equal(out.data, "a held picture", 14);
    free(out.data);
    assert_int_equal(open_object(v, &empty), ST_OK);
    free(o.data.data);
    free(empty.data.data);
    vault_close(&v);
    assert_null(v);
}

/* Goal: bytes of one object in the place of another's tell nothing. */
static void an_object_opens_only_where_it_was_put(void **state)
{
    struct vault *v = vault_of("first " HEX_A);
    struct store_object o = sealed(v, "a held picture"), other;
    (void)state;

    other = o;
    snprintf(other.id, sizeof(other.id), "obj_2");
    assert_int_equal(open_object(v, &other), ST_INVALID);
    other = o;
    snprintf(other.decision, sizeof(other.decision), "dec_2");
    assert_int_equal(open_object(v, &other), ST_INVALID);
    other = o;
    snprintf(other.tenant, sizeof(other.tenant), "other");
    assert_int_equal(open_object(v, &other), ST_INVALID);
    for (size_t at = 0; at < o.key_bytes; at++) {
        o.key[at] ^= 1;
        assert_int_equal(open_object(v, &o), ST_INVALID);
        o.key[at] ^= 1;
    }
    for (size_t at = 0; at < o.data.count; at++) {
        ((uint8_t *)o.data.data)[at] ^= 1;
        assert_int_equal(open_object(v, &o), ST_INVALID);
        ((uint8_t *)o.data.data)[at] ^= 1;
    }
    other = o;
    other.key_bytes--;
    assert_int_equal(open_object(v, &other), ST_INVALID);
    other = o;
    other.data.count = 27;
    assert_int_equal(open_object(v, &other), ST_INVALID);
    assert_int_equal(open_object(v, &o), ST_OK);
    free(o.data.data);
    vault_close(&v);
}

static void without_its_key_an_object_is_gone(void **state)
{
    struct vault *v = vault_of("first " HEX_A);
    struct store_object o = sealed(v, "a held picture");
    (void)state;

    o.key_bytes = 0;
    assert_int_equal(open_object(v, &o), ST_MISSING);
    free(o.data.data);
    vault_close(&v);
}

static void a_new_master_key_seals_and_old_ones_open(void **state)
{
    struct vault *old = vault_of("2026 " HEX_A), *both = vault_of("2027 " HEX_B "\n2026 " HEX_A);
    struct vault *new = vault_of("2027 " HEX_B), *lies = vault_of("2026 " HEX_B);
    struct store_object before = sealed(old, "x"), after = sealed(both, "y");
    (void)state;

    assert_string_equal(after.master, "2027");
    assert_int_equal(open_object(both, &before), ST_OK);
    assert_int_equal(open_object(both, &after), ST_OK);
    assert_int_equal(open_object(new, &before), ST_MISSING);
    assert_int_equal(open_object(new, &after), ST_OK);
    assert_int_equal(open_object(lies, &before), ST_INVALID);
    free(before.data.data);
    free(after.data.data);
    vault_close(&old);
    vault_close(&both);
    vault_close(&new);
    vault_close(&lies);
}

static void texts_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "no master key"},
        {"\n# nothing\n \n", "no master key"},
        {"first", ":1: a master key is written"},
        {"first " HEX_A "0", ":1: "},
        {"# a\n\nfirst 12", ":3: "},
        {"fi!rst " HEX_A, ":1: "},
        {"first " HEX_A " more", ":1: "},
        {"a " HEX_A "\na " HEX_B, ":2: there is a key a already"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct why why = {""};
        struct vault *v;

        if (vault_open_text(&v, wrong[i].text, &why) != ST_INVALID || v ||
            !strstr(why.text, wrong[i].says))
            fail_msg("%zu: %s", i, why.text);
        assert_null(strstr(why.text, "0000000000")); /* no sentence tells a key */
    }
}

static void a_key_without_a_name_is_named_after_itself(void **state)
{
    struct vault *bare = vault_of("  " HEX_A "\r\n"), *named;
    struct store_object o = sealed(bare, "x");
    char text[256];
    (void)state;

    assert_int_equal(strlen(o.master), 16);
    snprintf(text, sizeof(text), "# kept\n\tnew\t" HEX_B " \r\n%s   " HEX_A, o.master);
    named = vault_of(text);
    assert_int_equal(open_object(named, &o), ST_OK);
    free(o.data.data);
    vault_close(&bare);
    vault_close(&named);
}

static void the_file_is_made_once_and_for_one_user(void **state)
{
    struct vault *v;
    struct store_object o;
    struct why why = {""};
    struct stat about;
    char path[192];
    DIR *folder;
    int files = 0;
    (void)state;

    snprintf(path, sizeof(path), "%s/vault.key", rows_folder);
    rows_good(vault_open(&v, path, &why), &why);
    o = sealed(v, "x");
    vault_close(&v);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    folder = opendir(rows_folder);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        files += e->d_name[0] != '.';
    closedir(folder);
    assert_int_equal(files, 1);
    rows_good(vault_open(&v, path, &why), &why);
    assert_int_equal(open_object(v, &o), ST_OK);
    vault_close(&v);
    free(o.data.data);

    chmod(path, 0604);
    assert_int_equal(vault_open(&v, path, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "chmod 600"));
    assert_null(v);
    assert_int_equal(vault_open(&v, rows_folder, &why), ST_INVALID);
    snprintf(path, sizeof(path), "%s/nowhere/vault.key", rows_folder);
    assert_int_equal(vault_open(&v, path, &why), ST_IO);
}

/* ---- on the disk ---- */

static bool file_holds(const char *name, const void *bytes, size_t count)
{
    char path[192], *data;
    FILE *file;
    size_t size;
    bool found;

    snprintf(path, sizeof(path), "%s/%s", rows_folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    data = malloc(size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, size, file), size);
    fclose(file);
    found = memmem(data, size, bytes, count) != NULL;
    free(data);
    return found;
}

/* Goal: who reads the disk finds nothing of a held picture, neither pixels nor words nor that it is
   a PNG. Method: look for pieces in the file and in its log, before and after one is copied to the
   other; that the object's id is found shows that one looks well. */
static void the_disk_tells_nothing_of_what_is_held(void **state)
{
    static const char prompt[] = "plate 7: the thorax, after the old masters";
    uint8_t picture[60000];
    struct parcel p = {.prompt = prompt, .negative = "", .picture = {picture, sizeof(picture)}};
    struct vault *v = vault_of("first " HEX_A);
    struct store *s = rows_store();
    struct store_decision d = rows_decision(1, STORE_HELD);
    struct store_object o = rows_object(1, ROWS_NOW + 10);
    struct store_bytes bytes;
    struct why why = {""};
    (void)state;

    assert_int_equal(crypto_random(picture, sizeof(picture)), ST_OK);
    memcpy(picture, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(parcel_pack(&bytes, &p), ST_OK);
    rows_good(vault_seal(v, &o, bytes.data, bytes.count, &why), &why);
    free(bytes.data);
    rows_good(s->ops->decision_add(
                  s,
                  &(struct store_record){
                      .decisions = &d, .decision_count = 1, .objects = &o, .object_count = 1},
                  &why),
              &why);
    free(o.data.data);
    for (int round = 0; round < 2; round++) {
        const char *const names[] = {STORE_FILE, STORE_FILE "-wal"};

        assert_true(file_holds(names[!round], "obj_1", 5));
        for (int i = 0; i < (round ? 1 : 2); i++) {
            assert_false(file_holds(names[i], "\x89PNG", 4));
            assert_false(file_holds(names[i], "thorax", 6));
            assert_false(file_holds(names[i], "LMP1", 4));
            for (size_t at = 8; at + 16 <= sizeof(picture); at += 1000)
                assert_false(file_holds(names[i], picture + at, 16));
        }
        store_close(&s); /* copies the log back */
    }
    vault_close(&v);
}

/* OpenSSL does without some of what it asks for: then the call succeeds all the same. */
static void seal_with_fault(const struct vault *v, int nth)
{
    struct store_object o = rows_object(1, ROWS_NOW);
    struct store_bytes out = {NULL, 0};
    struct why why = {""};
    enum status st;

    fault_arm(nth);
    st = vault_seal(v, &o, "secret", 6, &why);
    fault_disarm();
    assert_true(st == ST_OK || (fault_fired() && (st == ST_FULL || st == ST_IO)));
    assert_true(!st == !!o.data.data);
    if (st)
        return;
    fault_arm(nth);
    st = vault_unseal(v, &o, &out, &why);
    fault_disarm();
    assert_true(st == ST_OK || (fault_fired() && st == ST_FULL));
    assert_true(!st == !!out.data);
    if (!st)
        assert_memory_equal(out.data, "secret", 6);
    free(out.data);
    free(o.data.data);
}

static void the_vault_survives_every_failed_allocation(void **state)
{
    struct vault *v = vault_of("first " HEX_A), *other;
    struct store_object o = sealed(v, "x"); /* and all that OpenSSL loads once is there */
    struct why why = {""};
    (void)state;

    assert_int_equal(open_object(v, &o), ST_OK);
    free(o.data.data);
    fault_arm(1);
    assert_int_equal(vault_open_text(&other, "first " HEX_A, &why), ST_FULL);
    fault_disarm();
    assert_null(other);
    for (int nth = 1; nth < 20; nth++)
        seal_with_fault(v, nth);
    assert_false(fault_fired()); /* so many it does not need */
    vault_close(&v);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, rows_open, rows_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(what_was_sealed_opens),
        CLAIM(an_object_opens_only_where_it_was_put),
        CLAIM(without_its_key_an_object_is_gone),
        CLAIM(a_new_master_key_seals_and_old_ones_open),
        CLAIM(texts_that_make_no_sense_are_refused),
        CLAIM(a_key_without_a_name_is_named_after_itself),
        CLAIM(the_file_is_made_once_and_for_one_user),
        CLAIM(the_disk_tells_nothing_of_what_is_held),
        CLAIM(the_vault_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
