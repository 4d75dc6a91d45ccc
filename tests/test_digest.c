/* SPDX-License-Identifier: Apache-2.0 */
#include "models/digest.h"
#include "tests/fault.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void make_model(char folder[64])
{
    char path[80];

    snprintf(folder, 64, "%s/limner-digest.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/unet", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/Vae", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(folder, "unet/model.safetensors", "unet");
    write_file(folder, "Vae/model.safetensors", "vae");
    write_file(folder, "Vae/config.json", "{}");
}

/* Goal: anybody can make the same number with the system's own tools.
   Method: this is what
       find . -name '*.safetensors' | sed 's,./,,' | LC_ALL=C sort | xargs sha256sum | sha256sum
   printed for such a folder. */
static void the_digest_is_what_sha256sum_prints(void **state)
{
    struct why why = {""};
    char folder[64], hex[DIGEST_HEX];
    (void)state;
    make_model(folder);

    assert_int_equal(digest_folder(hex, folder, &why), ST_OK);

    assert_string_equal(hex, "65b36c8623f04fc93dbea994f3447b23ef5b73734836e6bfcadc60cf3353eb3c");
    program_remove(folder);
}

static void another_byte_of_the_weights_is_another_digest(void **state)
{
    struct why why = {""};
    char folder[64], before[DIGEST_HEX], after[DIGEST_HEX];
    (void)state;
    make_model(folder);

    assert_int_equal(digest_folder(before, folder, &why), ST_OK);
    write_file(folder, "Vae/config.json", "{\"a\": 1}");
    assert_int_equal(digest_folder(after, folder, &why), ST_OK);
    assert_string_equal(before, after);
    write_file(folder, "unet/model.safetensors", "unEt");
    assert_int_equal(digest_folder(after, folder, &why), ST_OK);
    assert_string_not_equal(before, after);
    program_remove(folder);
}

static void what_is_no_model_is_told(void **state)
{
    struct why why = {""};
    char folder[64], hex[DIGEST_HEX];
    (void)state;

    assert_int_equal(digest_folder(hex, "/nowhere", &why), ST_IO);
    assert_non_null(strstr(why.text, "/nowhere"));
    snprintf(folder, sizeof(folder), "%s/limner-digest.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(digest_folder(hex, folder, &why), ST_MISSING);
    write_file(folder, "empty.safetensors", "");
    assert_int_equal(digest_folder(hex, folder, &why), ST_IO);
    program_remove(folder);
}

static void every_failed_allocation_is_told(void **state)
{
    struct why why = {""};
    char folder[64], hex[DIGEST_HEX];
    (void)state;
    make_model(folder);

    for (int nth = 1;; nth++) {
        enum status st;

        fault_arm(nth);
        st = digest_folder(hex, folder, &why);
        fault_disarm();
        assert_int_equal(fault_live(), 0);
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            break;
        }
        assert_true(st == ST_FULL || st == ST_IO);
    }
    program_remove(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_what_sha256sum_prints),
        cmocka_unit_test(another_byte_of_the_weights_is_another_digest),
        cmocka_unit_test(what_is_no_model_is_told),
        cmocka_unit_test(every_failed_allocation_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
