/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half of weights.h. */
#include "models/weights.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_TEST 256

struct folder {
    char path[64];
    char file[PATH_MAX_TEST]; /* the one file that a test may leave in it */
};

static struct folder folder_make(void)
{
    struct folder f = {.path = "/tmp/limner-weights-out-XXXXXX"};

    assert_non_null(mkdtemp(f.path));
    snprintf(f.file, sizeof(f.file), "%s/m.safetensors", f.path);
    return f;
}

static void folder_remove(const struct folder *f)
{
    (void)unlink(f->file);
    assert_int_equal(rmdir(f->path), 0); /* fails when a half-written file was left */
}

static void assert_says(const struct why *why, const char *words)
{
    if (!strstr(why->text, words))
        fail_msg("\"%s\" does not say \"%s\"", why->text, words);
}

/* The numbers of a [rows, 3] slice out of rows of five, and a half tensor, added in this order. */
static enum status write_two(const char *path, struct why *why)
{
    static float rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static uint16_t halves[] = {0x3c00, 0x4000, 0x4200};
    struct tensor slice = tensor_columns(tensor_view(rows, DTYPE_F32, 1, 1, 2, 5), 1, 3);
    struct weights_out *o;
    enum status st = weights_out_open(&o, path, why);

    if (st)
        return st;
    st = weights_out_add(o, "half", tensor_view(halves, DTYPE_F16, 1, 1, 1, 3), 0, why);
    if (!st)
        st = weights_out_add(o, "step \"1\"\n", slice, 3, why);
    if (!st)
        st = weights_out_finish(o, why);
    weights_out_close(&o);
    return st;
}

/* Goal: bytes lie behind everything wider, so an odd number of them moves nothing off its place. */
static void bytes_are_written_last(void **state)
{
    struct folder f = folder_make();
    uint8_t bytes[3] = {7, 0, 255};
    uint16_t half = 0x3c00;
    float wide = 2;
    struct weights_out *o;
    struct weights *w;
    struct tensor t;
    (void)state;

    assert_int_equal(weights_out_open(&o, f.file, NULL), ST_OK);
    assert_int_equal(weights_out_add(o, "q", tensor_view(bytes, DTYPE_U8, 1, 1, 1, 3), 1, NULL),
                     ST_OK);
    assert_int_equal(weights_out_add(o, "half", tensor_view(&half, DTYPE_F16, 1, 1, 1, 1), 1, NULL),
                     ST_OK);
    assert_int_equal(weights_out_add(o, "wide", tensor_view(&wide, DTYPE_F32, 1, 1, 1, 1), 1, NULL),
                     ST_OK);
    assert_int_equal(weights_out_finish(o, NULL), ST_OK);
    weights_out_close(&o);

    assert_int_equal(weights_open(&w, f.file, NULL), ST_OK);
    assert_string_equal(weights_name(w, 0), "wide");
    assert_string_equal(weights_name(w, 2), "q");
    assert_int_equal(weights_find(w, "q", &t, NULL), ST_OK);
    assert_int_equal(t.dtype, DTYPE_U8);
    assert_memory_equal(t.data, bytes, 3);
    weights_close(&w);
    folder_remove(&f);
}

static void what_is_written_is_read_again(void **state)
{
    struct folder f = folder_make();
    struct weights *w;
    struct tensor t;
    (void)state;

    assert_int_equal(write_two(f.file, NULL), ST_OK);
    assert_int_equal(weights_open(&w, f.file, NULL), ST_OK);
    assert_int_equal(weights_count(w), 2);
    assert_int_equal(weights_find(w, "step \"1\"\n", &t, NULL), ST_OK);
    assert_true(tensor_is_dense(t));
    assert_int_equal(t.dim[2] * 10 + t.dim[3], 23);
    assert_memory_equal(t.data, ((float[]){2, 3, 4, 7, 8, 9}), 24);
    assert_int_equal(weights_find(w, "half", &t, NULL), ST_OK);
    assert_int_equal(t.dtype, DTYPE_F16);
    assert_memory_equal(t.data, ((uint16_t[]){0x3c00, 0x4000, 0x4200}), 6);
    weights_close(&w);
    folder_remove(&f);
}

static void two_tensors_of_one_name_are_refused(void **state)
{
    struct folder f = folder_make();
    float x = 1;
    struct tensor t = tensor_view(&x, DTYPE_F32, 1, 1, 1, 1);
    struct weights_out *o;
    struct why why = {0};
    (void)state;

    assert_int_equal(weights_out_open(&o, f.file, NULL), ST_OK);
    assert_int_equal(weights_out_add(o, "x", t, 0, NULL), ST_OK);
    assert_int_equal(weights_out_add(o, "x", t, 0, &why), ST_INVALID);
    assert_says(&why, "a second tensor \"x\"");
    assert_int_equal(weights_out_add(o, "__metadata__", t, 0, &why), ST_INVALID);
    weights_out_close(&o); /* not finished: no file may appear, folder_remove would find it */
    folder_remove(&f);
}

static void a_folder_that_does_not_exist_is_said_before_the_work(void **state)
{
    struct weights_out *o;
    struct why why = {0};
    (void)state;

    assert_int_equal(weights_out_open(&o, "/nonexistent/x.safetensors", &why), ST_MISSING);
    assert_null(o);
    assert_says(&why, "/nonexistent/x.safetensors: No such file");
}

static void put_old(const struct folder *f)
{
    FILE *file = fopen(f->file, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite("old", 1, 3, file), 3);
    assert_int_equal(fclose(file), 0);
}

/* Goal: a file appears whole or not at all, and the old one stays.
   Method: fail the nth allocation. Some may fail without harm: the C library's buffer, and the
   folder's sync. */
static void writing_survives_every_failed_allocation(void **state)
{
    struct folder f = folder_make();
    int full = 0;
    (void)state;

    for (int nth = 1;; nth++) {
        struct stat about;
        enum status st;

        put_old(&f);
        fault_arm(nth);
        st = write_two(f.file, NULL);
        fault_disarm();
        assert_int_equal(stat(f.file, &about), 0);
        if ((st != ST_OK || about.st_size < 100) && (st != ST_FULL || about.st_size != 3))
            fail_msg("allocation %d: status %d, a file of %jd bytes", nth, st,
                     (intmax_t)about.st_size);
        if (fault_live() > 0)
            fail_msg("allocation %d: %ld blocks left", nth, fault_live());
        full += st == ST_FULL;
        if (!fault_fired())
            break;
    }
    assert_true(full >= 4);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(bytes_are_written_last),
        cmocka_unit_test(two_tensors_of_one_name_are_refused),
        cmocka_unit_test(a_folder_that_does_not_exist_is_said_before_the_work),
        cmocka_unit_test(writing_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("weights_out", tests, NULL, NULL);
}
