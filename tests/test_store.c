/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scope.h"
#include "store/store.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER_VERSION_AT   60 /* in the header of an SQLite file, big-endian */
#define APPLICATION_ID_AT 68
#define WAL_WRITE_LOCK_AT 120 /* in the file beside it */

static char folder[128], path[160];

/* SQLite writes through these two: the disk is full whenever a test says so. */
static atomic_bool disk_full;

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
    if (atomic_load(&disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, bytes, at);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
    return pwrite(fd, data, bytes, at);
}

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-store.XXXXXX", P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/%s", folder, STORE_FILE);
    return 0;
}

static int close_folder(void **state)
{
    char beside[192];

    (void)state;
    unlink(path);
    snprintf(beside, sizeof(beside), "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof(beside), "%s-shm", path);
    unlink(beside);
    return rmdir(folder);
}

static struct store *open_store(void)
{
    struct store *s;
    struct why why = {""};

    if (store_open(&s, folder, &why))
        fail_msg("%s", why.text);
    return s;
}

static struct store_key key_of(int number)
{
    struct store_key key = {.tenant = "shop",
                            .note = "for \"tests\", \xc3\xa9",
                            .scopes = SCOPE_GENERATE | SCOPE_METRICS,
                            .created_s = 1000 + number,
                            .expires_s = 5000};

    snprintf(key.prefix, sizeof(key.prefix), "lmr-%08x", (unsigned)number);
    memset(key.hash, number, sizeof(key.hash));
    return key;
}

static void add(struct store *s, int number)
{
    struct store_key key = key_of(number);
    struct why why = {""};

    if (s->ops->key_add(s, &key, 1, &why))
        fail_msg("%s", why.text);
}

static struct store_key *list(struct store *s, int *count)
{
    struct store_key *keys = calloc(STORE_KEYS_MAX, sizeof(*keys));
    struct why why = {""};

    assert_non_null(keys);
    if (s->ops->key_list(s, keys, count, &why))
        fail_msg("%s", why.text);
    return keys;
}

static void expect_count(struct store *s, int expected)
{
    int count;

    free(list(s, &count));
    assert_int_equal(count, expected);
}

static void keys_are_there_when_the_store_is_opened_again(void **state)
{
    struct store *s = open_store();
    struct store_key *keys, third = key_of(3);
    struct stat file;
    int count;

    (void)state;
    for (int i = 1; i <= 3; i++)
        add(s, i);
    store_close(&s);
    assert_null(s);

    s = open_store();
    keys = list(s, &count);
    assert_int_equal(count, 3);
    assert_memory_equal(&keys[2], &third, sizeof(third));
    free(keys);
    store_close(&s);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

static void a_key_is_revoked_once(void **state)
{
    struct store *s = open_store();
    struct store_key row;
    struct why why = {""};

    (void)state;
    add(s, 1);
    assert_int_equal(s->ops->key_revoke(s, "lmr-00000001", 70, &row, &why), ST_OK);
    assert_int_equal(row.revoked_s, 70);
    assert_int_equal(s->ops->key_revoke(s, "lmr-00000001", 80, &row, &why), ST_OK);
    assert_int_equal(row.revoked_s, 70);
    assert_int_equal(s->ops->key_revoke(s, "lmr-0000000", 80, &row, &why), ST_MISSING);
    assert_non_null(strstr(why.text, "lmr-0000000"));
    store_close(&s);
}

static void two_keys_never_share_a_prefix(void **state)
{
    struct store *s = open_store();
    struct store_key key = key_of(1);
    struct why why = {""};

    (void)state;
    add(s, 1);
    assert_int_equal(s->ops->key_add(s, &key, 1, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "lmr-00000001"));
    expect_count(s, 1);
    store_close(&s);
}

/* Goal: the table is bounded, and what opens nothing any more does not count. */
static void dead_keys_make_room_for_new_ones(void **state)
{
    struct store *s = open_store();
    struct store_key key = key_of(5000), row;
    struct why why = {""};

    (void)state;
    for (int i = 0; i < STORE_KEYS_MAX; i++)
        add(s, i);
    assert_int_equal(s->ops->key_add(s, &key, 1, &why), ST_FULL);
    assert_non_null(strstr(why.text, "revoke some"));
    assert_int_equal(s->ops->key_revoke(s, "lmr-00000007", 70, &row, &why), ST_OK);
    assert_int_equal(s->ops->key_add(s, &key, 1, &why), ST_OK);
    assert_int_equal(s->ops->key_revoke(s, "lmr-00000007", 70, &row, &why), ST_MISSING);
    key = key_of(5001);
    assert_int_equal(s->ops->key_add(s, &key, 1, &why), ST_FULL);
    assert_int_equal(s->ops->key_add(s, &key, 5000, &why), ST_OK); /* all have expired by now */
    expect_count(s, STORE_KEYS_MAX);
    store_close(&s);
}

static void what_another_connection_writes_changes_the_version(void **state)
{
    struct store *s = open_store(), *other = open_store();
    int64_t before, after;

    (void)state;
    assert_int_equal(s->ops->version(s, &before, NULL), ST_OK);
    add(s, 1);
    assert_int_equal(s->ops->version(s, &after, NULL), ST_OK);
    assert_int_equal(before, after);
    add(other, 2);
    assert_int_equal(s->ops->version(s, &after, NULL), ST_OK);
    assert_int_not_equal(before, after);
    expect_count(s, 2);
    store_close(&s);
    store_close(&other);
}

static void usage_is_kept_by_day(void **state)
{
    struct store *s = open_store();
    struct store_usage rows[2] = {{"shop", 100, 5, 9}, {"lab", 100, 1, 2}};
    struct store_usage *read = calloc(STORE_USAGE_MAX, sizeof(*read));
    int count;

    (void)state;
    assert_non_null(read);
    assert_int_equal(s->ops->usage_put(s, rows, 2, NULL), ST_OK);
    rows[0].images = 10;
    assert_int_equal(s->ops->usage_put(s, rows, 1, NULL), ST_OK);
    rows[0].day = 101;
    assert_int_equal(s->ops->usage_put(s, rows, 1, NULL), ST_OK);
    store_close(&s);
    s = open_store();
    assert_int_equal(s->ops->usage_list(s, 100, read, &count, NULL), ST_OK);
    assert_int_equal(count, 2);
    assert_string_equal(read[1].tenant, "shop");
    assert_int_equal(read[1].requests, 5);
    assert_int_equal(read[1].images, 10);
    rows[0].day = 101 + STORE_USAGE_DAYS;
    assert_int_equal(s->ops->usage_put(s, rows, 1, NULL), ST_OK);
    assert_int_equal(s->ops->usage_list(s, 100, read, &count, NULL), ST_OK);
    assert_int_equal(count, 0);
    assert_int_equal(s->ops->usage_list(s, 101, read, &count, NULL), ST_OK);
    assert_int_equal(count, 1);
    free(read);
    store_close(&s);
}

/* Goal: a store of every older schema is brought up to date with its rows. */
static void an_older_store_is_brought_up_to_date(void **state)
{
    static const char older[] = "tests/golden/store/v1.db";
    struct store_usage usage = {"shop", 100, 5, 9};
    struct store *s;
    struct store_key *keys;
    char bytes[65536];
    FILE *file = fopen(older, "rb");
    size_t count;
    int key_count;

    (void)state;
    assert_non_null(file);
    count = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
    for (int round = 0; round < 2; round++) {
        s = open_store();
        keys = list(s, &key_count);
        assert_int_equal(key_count, 1);
        assert_string_equal(keys[0].note, "made by schema 1");
        assert_int_equal(s->ops->usage_put(s, &usage, 1, NULL), ST_OK);
        free(keys);
        store_close(&s);
    }
}

/* ---- what the world does ---- */

static void patch(long at, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static void expect_refusal(enum status st, const char *says)
{
    struct store *s;
    struct why why = {""};
    enum status got = store_open(&s, folder, &why);

    if (got != st || s || !strstr(why.text, says))
        fail_msg("%s: %s, not %s", status_name(got), why.text, says);
}

static void files_that_are_not_ours_are_refused(void **state)
{
    const unsigned char newer[4] = {0, 0, 0, 99}, theirs[4] = {1, 2, 3, 4};
    struct store *s = open_store();

    (void)state;
    store_close(&s);
    patch(USER_VERSION_AT, newer, 4);
    expect_refusal(ST_UNSUPPORTED, "newer limner (schema 99");
    patch(APPLICATION_ID_AT, theirs, 4);
    expect_refusal(ST_INVALID, "another program");
    patch(0, "This is no database at all", 26);
    expect_refusal(ST_INVALID, "damaged");
}

static void a_page_that_is_damaged_is_told(void **state)
{
    struct store *s = open_store();
    struct store_key *keys = calloc(STORE_KEYS_MAX, sizeof(*keys));
    char noise[512];
    struct why why = {""};
    int count;

    (void)state;
    add(s, 1);
    store_close(&s);
    memset(noise, 0x5a, sizeof(noise));
    patch(4096, noise, sizeof(noise));
    s = open_store();
    assert_int_equal(s->ops->key_list(s, keys, &count, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "is damaged"));
    free(keys);
    store_close(&s);
}

static void folders_that_cannot_be_had_are_told(void **state)
{
    struct store *s;
    struct why why = {""};

    (void)state;
    assert_int_equal(store_open(&s, "/nonexistent/limner/state", &why), ST_IO);
    assert_non_null(strstr(why.text, "--state"));
    assert_int_equal(store_open(&s, "/proc", &why), ST_IO);
    assert_non_null(strstr(why.text, "/proc"));
}

/* Goal: a full disk is told, nothing of the failed write stays, and it goes on when there is room.
 */
static void a_full_disk_is_told_and_survived(void **state)
{
    struct store *s = open_store();
    struct store_key key = key_of(2);
    struct why why = {""};
    enum status st;

    (void)state;
    add(s, 1);
    atomic_store(&disk_full, true);
    st = s->ops->key_add(s, &key, 1, &why);
    atomic_store(&disk_full, false);
    assert_int_equal(st, ST_FULL);
    assert_non_null(strstr(why.text, "the disk is full"));
    expect_count(s, 1);
    add(s, 2);
    store_close(&s);
    s = open_store();
    expect_count(s, 2);
    store_close(&s);
}

/* Goal: a lock that is never let go ends in a sentence. Method: another process takes the lock that
   writers take, in the way SQLite does. */
static void a_lock_that_stays_is_told(void **state)
{
    struct store *s = open_store();
    struct store_key key = key_of(1);
    struct why why = {""};
    int ready[2], done[2];
    char byte = 0;
    pid_t child;

    (void)state;
    add(s, 0);
    assert_int_equal(pipe(ready) | pipe(done), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_start = WAL_WRITE_LOCK_AT, .l_len = 1};
        char beside[192];

        snprintf(beside, sizeof(beside), "%s-shm", path);
        byte = (char)fcntl(open(beside, O_RDWR), F_SETLK, &lock);
        close(done[1]);
        _exit(write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(s->ops->key_add(s, &key, 1, &why), ST_IO);
    assert_non_null(strstr(why.text, "locked"));
    close(done[1]);
    waitpid(child, NULL, 0);
    add(s, 1);
    store_close(&s);
}

/* Goal: no failed allocation may crash, leak, or lose a key that was promised. */
static void a_key_survives_every_failed_allocation(void **state)
{
    bool fired = true;
    struct store *s = open_store(); /* what SQLite allocates once */
    int kept = 0;

    (void)state;
    store_close(&s);
    for (int nth = 1; fired; nth++) {
        struct store_key key = key_of(nth);
        struct why why = {""};
        enum status st;

        fault_arm(nth);
        st = store_open(&s, folder, &why);
        if (!st)
            st = s->ops->key_add(s, &key, 1, &why);
        store_close(&s);
        fault_disarm();
        if (st && !why.text[0])
            fail_msg("allocation %d: no word about it", nth);
        if (fault_live())
            fail_msg("allocation %d: %ld blocks are lost", nth, fault_live());
        kept += st == ST_OK; /* SQLite gets by without some of its memory */
        fired = fault_fired();
        if (!fired)
            assert_int_equal(st, ST_OK);
    }
    s = open_store();
    expect_count(s, kept);
    store_close(&s);
}

/* ---- threads ---- */

struct crowd {
    struct store *store;
    int first;
};

static void *add_twenty(void *memory)
{
    struct crowd *c = memory;

    for (int i = 0; i < 20; i++) {
        struct store_key key = key_of(c->first + i);
        int64_t version;

        if (c->store->ops->key_add(c->store, &key, 1, NULL) ||
            c->store->ops->version(c->store, &version, NULL))
            return c;
    }
    return NULL;
}

static void threads_and_connections_may_write_at_the_same_time(void **state)
{
    struct store *stores[2] = {open_store(), open_store()};
    struct crowd crowd[4];
    pthread_t thread[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++) {
        crowd[i] = (struct crowd){stores[i % 2], i * 100};
        assert_int_equal(pthread_create(&thread[i], NULL, add_twenty, &crowd[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    expect_count(stores[0], 80);
    store_close(&stores[0]);
    store_close(&stores[1]);
}

static void scopes_are_words(void **state)
{
    char text[SCOPE_TEXT_MAX];
    struct why why = {""};
    unsigned scopes;

    (void)state;
    assert_int_equal(scope_parse(&scopes, "metrics,generate", &why), ST_OK);
    assert_int_equal(scopes, SCOPE_GENERATE | SCOPE_METRICS);
    scope_print(text, scopes);
    assert_string_equal(text, "generate,metrics");
    scope_print(text, 127);
    assert_int_equal(scope_parse(&scopes, text, &why), ST_OK);
    assert_int_equal(scopes, 127);
    assert_string_equal(scope_name(SCOPE_LEAD), "lead");
    assert_int_equal(scope_parse(&scopes, "generate,,lead", &why), ST_INVALID);
    assert_int_equal(scope_parse(&scopes, "", &why), ST_INVALID);
    assert_int_equal(scope_parse(&scopes, "gen", &why), ST_INVALID);
    assert_non_null(strstr(why.text, "'gen'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_there_when_the_store_is_opened_again, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_key_is_revoked_once, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(two_keys_never_share_a_prefix, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(dead_keys_make_room_for_new_ones, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(what_another_connection_writes_changes_the_version,
                                        open_folder, close_folder),
        cmocka_unit_test_setup_teardown(usage_is_kept_by_day, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(an_older_store_is_brought_up_to_date, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(files_that_are_not_ours_are_refused, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_page_that_is_damaged_is_told, open_folder, close_folder),
        cmocka_unit_test(folders_that_cannot_be_had_are_told),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_survived, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_lock_that_stays_is_told, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_key_survives_every_failed_allocation, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(threads_and_connections_may_write_at_the_same_time,
                                        open_folder, close_folder),
        cmocka_unit_test(scopes_are_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
