/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ledger_crash [KILLS]: kill -9, a full disk and a write-ahead log that was cut anywhere. What
 * is there afterwards is a log that proves itself, and no record is lost that somebody was told of.
 */
#include "tests/ledgers.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS     10
#define APPENDERS 4
#define WORDS_MAX 4000 /* of a round */

static int kills = KILLS;

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

/* ---- the one who is killed ---- */

/* What it says once the log has said yes. */
struct word {
    int number;
    int64_t index;
};

struct hand {
    struct ledger *ledger;
    int told, first;
};

static void *append_for_ever(void *memory)
{
    struct hand *h = memory;

    for (int number = h->first;; number += APPENDERS) {
        struct record r = ledgers_record(number);
        struct word word = {.number = number};

        if (ledger_append(h->ledger, &r, number % 3 ? NULL : "a clear text", NULL))
            _exit(1);
        word.index = r.index;
        if (write(h->told, &word, sizeof(word)) != sizeof(word))
            _exit(1);
    }
    return NULL;
}

static void work(int told, int round)
{
    struct ledger *l = ledgers_open(rows_store(), 2);
    struct hand hands[APPENDERS];
    pthread_t thread;

    for (int i = 0; i < APPENDERS; i++) {
        hands[i] = (struct hand){l, told, round * WORDS_MAX * APPENDERS + i};
        if (pthread_create(&thread, NULL, append_for_ever, &hands[i]))
            _exit(1);
    }
    pthread_join(thread, NULL);
    _exit(1);
}

/* ---- killing ---- */

static unsigned draw(unsigned bound)
{
    static unsigned seed = 1;

    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % bound;
}

/* Starts one, lets it say some words, and kills it some moments later. How many words. */
static int run_and_kill(struct word *words, int round)
{
    struct timespec moment = {0, 1000L * (long)draw(30000)};
    int told[2], count = 0, enough = 1 + (int)draw(60);
    pid_t child;

    assert_int_equal(pipe(told), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child)
        work(told[1], round);
    close(told[1]);
    for (; count < enough; count++)
        if (read(told[0], &words[count], sizeof(words[0])) != sizeof(words[0]))
            fail_msg("round %d ended by itself", round);
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (count < WORDS_MAX && read(told[0], &words[count], sizeof(words[0])) == sizeof(words[0]))
        count++;
    close(told[0]);
    return count;
}

static void expect_there(struct ledger *l, const struct word *word)
{
    struct why why = {""};
    struct record r;

    rows_good(ledger_find(l, word->index, &r, &why), &why);
    if (r.id != ledgers_record(word->number).id)
        fail_msg("record %lld is another one", (long long)word->index);
    if (word->number % 3 == 0) {
        char *text;

        rows_good(ledger_clear(l, word->index, &text, &why), &why);
        assert_string_equal(text, "a clear text");
        free(text);
    }
}

/* Goal: also after the last of many kills, the words of every round hold. */
static void who_is_killed_has_lost_no_record_and_the_log_proves_itself(void **state)
{
    struct word *words = calloc((size_t)kills * WORDS_MAX, sizeof(*words));
    struct store_checkpoint before = {.size = 0}, after;
    struct tree_proof proof;
    struct why why = {""};
    int count = 0;

    (void)state;
    assert_non_null(words);
    for (int round = 0; round < kills; round++) {
        int said = run_and_kill(words + count, round);
        struct store *s = rows_store();
        struct ledger *l = ledgers_open(s, 2);

        for (int i = count; i < count + said; i++)
            expect_there(l, &words[i]);
        count += said;
        rows_good(ledger_sign(l, &why), &why);
        rows_good(ledger_checkpoint(l, &after, &why), &why);
        if (before.size) {
            rows_good(ledger_consistency(l, before.size, after.size, &proof, &why), &why);
            assert_true(tree_check_consistency(before.size, after.size,
                                               (const uint8_t(*)[32])proof.hashes, proof.count,
                                               before.root, after.root));
        }
        before = after;
        if (round % 10 == 9 || round == kills - 1)
            assert_true(ledgers_sound(l) >= count);
        ledger_close(&l);
        if (round == kills - 1) {
            l = ledgers_open(s, 2);
            for (int i = 0; i < count; i++)
                expect_there(l, &words[i]);
            ledger_close(&l);
        }
        store_close(&s);
    }
    print_message("%d kills, %d records that were promised\n", kills, count);
    free(words);
}

/* ---- the disk ---- */

static void a_full_disk_refuses_records_and_goes_on_when_there_is_room(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, 1000000);
    struct record r = ledgers_record(300), read;
    struct why why = {""};

    (void)state;
    for (int i = 0; i < 300; i++)
        ledgers_append(l, i);
    for (int i = 0; i < 3; i++) {
        atomic_store(&disk_full, true);
        assert_int_equal(ledger_append(l, &r, "clear", &why), ST_FULL);
        assert_non_null(strstr(why.text, "the disk is full"));
        assert_int_equal(ledger_sign(l, &why), ST_FULL);
        atomic_store(&disk_full, false);
        ledgers_append(l, 400 + i);
        rows_good(ledger_find(l, 300 + i, &read, &why), &why);
        assert_int_equal(read.id, 1400 + i);
    }
    assert_int_equal(ledger_find_id(l, r.id, &read, &why), ST_MISSING);
    rows_good(ledger_sign(l, &why), &why);
    ledgers_proved(l, 302);
    assert_int_equal(ledgers_sound(l), 303);
    ledger_close(&l);
    store_close(&s);
}

static void copy_file(const char *from, const char *to, int64_t most)
{
    char *bytes = malloc(8 << 20);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t count;

    assert_true(bytes && in && out);
    count = fread(bytes, 1, 8 << 20, in);
    assert_true(count < 8 << 20);
    if (most >= 0 && (int64_t)count > most)
        count = (size_t)most;
    assert_int_equal(fwrite(bytes, 1, count, out), count);
    fclose(in);
    fclose(out);
    free(bytes);
}

static int64_t file_bytes(const char *path)
{
    struct stat file;

    return stat(path, &file) ? 0 : (int64_t)file.st_size;
}

#define TORN 30

/* Goal: what stands in the write-ahead log up to where it is torn is there, and nothing by half.
   Method: the folder as it was, with the log cut at some byte between two records. */
static void a_torn_write_leaves_what_was_before_it(void **state)
{
    struct store *s = rows_store(), *torn;
    struct ledger *l = ledgers_open(s, 1), *again;
    char db[192], wal[192], other_db[192], other_wal[192], whole[128];
    int64_t ends[TORN];

    (void)state;
    snprintf(db, sizeof(db), "%s/" STORE_FILE, rows_folder);
    snprintf(wal, sizeof(wal), "%s/" STORE_FILE "-wal", rows_folder);
    for (int i = 0; i < TORN; i++) {
        ledgers_append(l, i);
        ends[i] = file_bytes(wal);
        assert_true(ends[i] > 0);
    }
    memcpy(whole, rows_folder, sizeof(whole));
    for (int i = 0; i < TORN; i++)
        for (int part = 0; part < 3; part++) {
            int64_t cut = ends[i] + part * (i + 1 < TORN ? (ends[i + 1] - ends[i]) / 3 : 0);

            snprintf(rows_folder, sizeof(rows_folder), "%s/limner-torn.XXXXXX", P_tmpdir);
            assert_non_null(mkdtemp(rows_folder));
            snprintf(other_db, sizeof(other_db), "%s/" STORE_FILE, rows_folder);
            snprintf(other_wal, sizeof(other_wal), "%s/" STORE_FILE "-wal", rows_folder);
            copy_file(db, other_db, -1);
            copy_file(wal, other_wal, cut);
            torn = rows_store();
            again = ledgers_open(torn, 1000000);
            if (ledgers_sound(again) < i + 1)
                fail_msg("cut at %lld: record %d is lost", (long long)cut, i);
            ledgers_append(again, 1000);
            ledger_close(&again);
            store_close(&torn);
            unlink(other_db);
            unlink(other_wal);
            snprintf(other_wal, sizeof(other_wal), "%s/" STORE_FILE "-shm", rows_folder);
            unlink(other_wal);
            assert_int_equal(rmdir(rows_folder), 0);
        }
    memcpy(rows_folder, whole, sizeof(rows_folder));
    ledger_close(&l);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, ledgers_open_all, ledgers_close_all)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CLAIM(who_is_killed_has_lost_no_record_and_the_log_proves_itself),
        CLAIM(a_full_disk_refuses_records_and_goes_on_when_there_is_room),
        CLAIM(a_torn_write_leaves_what_was_before_it),
    };

    if (argc > 1)
        kills = atoi(argv[1]);
    return kills < 1 || cmocka_run_group_tests_name("ledger_crash", tests, NULL, NULL);
}
