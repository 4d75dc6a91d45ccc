/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan store: what was measured is found again, by whom it was measured, and whatever is in the
 * file costs a warning at most.
 */
#include "base/log.h"
#include "kernels/cuda/plan_store.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct plan_store_machine h100 = {"NVIDIA H100 80GB HBM3", 90, 13000};
static const struct plan_store_record winner = {"cudnn", 91900, "conv/bf16/2x8x8x4", "41:2=4",
                                                12.5};

static char folder[] = "/tmp/test_cuda_store_XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    log_set_level(LOG_OFF);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/plans.tsv", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int forget(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct plan_store *open_store(const struct plan_store_machine *m)
{
    struct plan_store *s;

    assert_int_equal(plan_store_open(&s, path, m, NULL), ST_OK);
    return s;
}

static void put(struct plan_store *s, struct plan_store_record r)
{
    assert_int_equal(plan_store_put(s, &r, NULL), ST_OK);
}

static void save_and_close(struct plan_store **s)
{
    assert_int_equal(plan_store_save(*s, NULL), ST_OK);
    plan_store_close(s);
}

static const char *find(const struct plan_store *s, struct plan_store_record r)
{
    return plan_store_find(s, r.room, r.library, r.key);
}

/* The saved file, to be changed and read again. */
static char *saved(size_t *bytes)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 16);

    assert_non_null(f);
    assert_non_null(text);
    *bytes = fread(text, 1, (1 << 16) - 1, f);
    fclose(f);
    return text;
}

static void what_was_put_is_found_after_a_restart(void **state)
{
    struct plan_store *s = open_store(&h100);
    (void)state;

    put(s, winner);
    put(s, (struct plan_store_record){"cublaslt", 130100, "linear/bf16/2x4x8", "00ff12", 3});
    put(s, (struct plan_store_record){"cudnn", 91900, "conv/bf16/2x8x8x4", "10", 9});
    save_and_close(&s);
    s = open_store(&h100);

    assert_int_equal(plan_store_count(s), 2);
    assert_string_equal(find(s, winner), "10");
    assert_string_equal(plan_store_find(s, "cublaslt", 130100, "linear/bf16/2x4x8"), "00ff12");
    plan_store_close(&s);
}

static void another_machine_or_library_finds_nothing_and_loses_nothing(void **state)
{
    static const struct plan_store_machine others[] = {
        {"NVIDIA L40S", 90, 13000},
        {"NVIDIA H100 80GB HBM3", 89, 13000},
        {"NVIDIA H100 80GB HBM3", 90, 12080},
    };
    struct plan_store *s = open_store(&h100);
    (void)state;

    put(s, winner);
    save_and_close(&s);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        s = open_store(&others[i]);
        assert_null(find(s, winner));
        put(s, winner);
        save_and_close(&s);
    }
    s = open_store(&h100);

    assert_int_equal(plan_store_count(s), 4);
    assert_string_equal(find(s, winner), "41:2=4");
    assert_null(plan_store_find(s, "cudnn", 91901, winner.key));
    assert_null(plan_store_find(s, "cublaslt", 91900, winner.key));
    assert_null(plan_store_find(s, "cudnn", 91900, "conv/bf16/2x8x8x"));
    plan_store_close(&s);
}

/* Goal: no damage to one line costs another, and none is read as something else.
   Method: change every byte of a saved file in turn; cut it at every length. */
static void a_damaged_line_is_left_out_alone(void **state)
{
    struct plan_store *s = open_store(&h100);
    struct plan_store_record second = {"cudnn", 91900, "attention/bf16", "9:24=7", 7};
    size_t bytes, head = strlen("limner-plans 1\n");
    char *text;
    (void)state;

    put(s, winner);
    put(s, second);
    save_and_close(&s);
    text = saved(&bytes);
    unlink(path);
    for (size_t i = 0; i < bytes; i++) {
        char kept = text[i];
        int damaged;

        s = open_store(&h100);
        text[i] ^= 1;
        damaged = plan_store_read(s, text, bytes);
        text[i] = kept;
        assert_int_equal(damaged, 1);
        assert_true(plan_store_count(s) <= 1);
        if (i >= head && text[i] != '\n') /* of two lines made one both are lost */
            assert_int_equal(plan_store_count(s), 1);
        if (find(s, winner))
            assert_string_equal(find(s, winner), "41:2=4");
        if (find(s, second))
            assert_string_equal(find(s, second), "9:24=7");
        plan_store_close(&s);
    }
    for (size_t i = 0; i < bytes; i++) {
        s = open_store(&h100);
        plan_store_read(s, text, i);
        assert_true(plan_store_count(s) <= (i + 1 >= bytes ? 2 : 1));
        plan_store_close(&s);
    }
    free(text);
}

static void other_files_are_empty_stores(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "limner-plans 2\n",
        "limner-plans 1",
        "limner-plans 1\n\n\t\t\t\n00000000\t\n",
        "limner-plans 1\n00000000\ta\tb\t1\t1\t1\t1\tc\td\n",
        "\x7f"
        "ELF\x02",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        FILE *f = fopen(path, "w");
        struct plan_store *s;

        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        s = open_store(&h100);
        assert_int_equal(plan_store_count(s), 0);
        put(s, winner);
        save_and_close(&s);
        s = open_store(&h100);
        assert_string_equal(find(s, winner), "41:2=4");
        plan_store_close(&s);
    }
}

static void what_is_no_word_is_not_put(void **state)
{
    struct plan_store *s = open_store(&h100);
    struct why why;
    char *long_key = calloc(1, PLAN_STORE_LINE_MAX + 1);
    (void)state;

    memset(long_key, 'k', PLAN_STORE_LINE_MAX);
    const struct plan_store_record bad[] = {
        {"cudnn", 1, "", "v", 1},       {"cudnn", 1, "k", "", 1},
        {"cud\tnn", 1, "k", "v", 1},    {"cudnn", 1, "k\nk", "v", 1},
        {"cudnn", -1, "k", "v", 1},     {"cudnn", 1, " k", "v", 1},
        {"cudnn", 1, long_key, "v", 1}, {"cudnn", 1, "k", "\xc3\xa9", 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(plan_store_put(s, &bad[i], &why), ST_INVALID);
        assert_true(why.text[0] != '\0');
    }

    assert_int_equal(plan_store_count(s), 0);
    assert_int_equal(plan_store_save(s, NULL), ST_OK);
    assert_int_equal(access(path, F_OK), -1); /* nothing to say, nothing written */
    free(long_key);
    plan_store_close(&s);
}

static void a_device_with_a_strange_name_keeps_its_records(void **state)
{
    const struct plan_store_machine strange = {"\tG\nPU\xff", 90, 1};
    struct plan_store *s = open_store(&strange);
    (void)state;

    put(s, winner);
    save_and_close(&s);
    s = open_store(&strange);

    assert_string_equal(find(s, winner), "41:2=4");
    plan_store_close(&s);
}

static void fill(struct plan_store *s, int from, int count)
{
    char key[32];

    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "key/%d", i);
        put(s, (struct plan_store_record){"cudnn", 91900, key, "1", 1});
    }
}

static void a_full_store_drops_others_records_and_then_says_full(void **state)
{
    struct plan_store *s = open_store(&(struct plan_store_machine){"another", 80, 1});
    (void)state;

    put(s, winner);
    save_and_close(&s);
    s = open_store(&h100);
    fill(s, 0, PLAN_STORE_RECORDS_MAX - 1);
    assert_int_equal(plan_store_count(s), PLAN_STORE_RECORDS_MAX);
    fill(s, PLAN_STORE_RECORDS_MAX - 1, 1);

    assert_int_equal(plan_store_count(s), PLAN_STORE_RECORDS_MAX);
    assert_int_equal(plan_store_put(s, &winner, NULL), ST_FULL);
    fill(s, 7, 1); /* a replacement needs no room */
    assert_non_null(plan_store_find(s, "cudnn", 91900, "key/8191"));
    plan_store_close(&s);
}

/* Goal: a file that cannot be replaced stays as it was, and nothing is left beside it.
   Method: the path becomes a folder, which no rename of a file can replace. */
static void saving_is_all_or_nothing(void **state)
{
    struct plan_store *s = open_store(&h100);
    struct why why;
    int entries = 0;
    DIR *d;
    (void)state;

    put(s, winner);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(plan_store_save(s, &why), ST_IO);
    assert_non_null(strstr(why.text, path));
    d = opendir(folder);
    assert_non_null(d);
    while (readdir(d))
        entries++;
    closedir(d);
    assert_int_equal(entries, 3); /* ., .. and the folder in the way */
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(plan_store_save(s, &why), ST_OK); /* it is not forgotten */
    plan_store_close(&s);
    s = open_store(&h100);
    assert_non_null(find(s, winner));
    plan_store_close(&s);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;

    for (int nth = 1;; nth++) {
        struct plan_store *s = NULL;
        enum status st;

        fault_arm(nth);
        st = plan_store_open(&s, path, &h100, NULL);
        if (!st)
            st = plan_store_put(s, &winner, NULL);
        if (!st)
            st = plan_store_save(s, NULL);
        plan_store_close(&s);
        fault_disarm();
        unlink(path);
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            return;
        }
        assert_true(fault_live() <= 0); /* below: under ASan, whose strdup is not counted */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_put_is_found_after_a_restart, forget),
        cmocka_unit_test_teardown(another_machine_or_library_finds_nothing_and_loses_nothing,
                                  forget),
        cmocka_unit_test_teardown(a_damaged_line_is_left_out_alone, forget),
        cmocka_unit_test_teardown(other_files_are_empty_stores, forget),
        cmocka_unit_test_teardown(what_is_no_word_is_not_put, forget),
        cmocka_unit_test_teardown(a_device_with_a_strange_name_keeps_its_records, forget),
        cmocka_unit_test_teardown(a_full_store_drops_others_records_and_then_says_full, forget),
        cmocka_unit_test_teardown(saving_is_all_or_nothing, forget),
        cmocka_unit_test_teardown(every_failed_allocation_is_survived, forget),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
