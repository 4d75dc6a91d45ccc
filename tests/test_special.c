/* SPDX-License-Identifier: Apache-2.0 */
/* What a tokenizer's folder may hold, and what is refused: through tokenizer.h. */
#include "models/tokenizer.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VOCAB                                                                                      \
    "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"!\":5,\"<|startoftext|>\":6,"         \
    "\"<|endoftext|>\":7}"
#define MERGES "#version\na b</w>\n"
#define CONFIG "{\"model_max_length\":8}"

enum file { VOCAB_JSON, MERGES_TXT, CONFIG_JSON, MAP_JSON, ADDED_JSON, FAST_JSON, FILES };

static const char *const names[FILES] = {
    "vocab.json",        "merges.txt",    "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "tokenizer.json"};

struct folder {
    char path[64];
};

static void folder_file(const struct folder *f, char out[256], enum file file)
{
    snprintf(out, 256, "%s/%s", f->path, names[file]);
}

static void folder_put(const struct folder *f, enum file file, const char *text)
{
    char path[256];
    FILE *out;

    folder_file(f, path, file);
    (void)unlink(path);
    if (!text)
        return;
    out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static struct folder folder_make(void)
{
    struct folder f = {"/tmp/limner-special-XXXXXX"};

    assert_non_null(mkdtemp(f.path));
    folder_put(&f, VOCAB_JSON, VOCAB);
    folder_put(&f, MERGES_TXT, MERGES);
    folder_put(&f, CONFIG_JSON, CONFIG);
    return f;
}

static void folder_remove(const struct folder *f)
{
    for (int i = 0; i < FILES; i++)
        folder_put(f, (enum file)i, NULL);
    assert_int_equal(rmdir(f->path), 0);
}

/* The ids of a text as "6 4 7 7", or why there are none. */
static void encode(const struct folder *f, const char *text, char out[512])
{
    struct tokenizer *t;
    struct why why = {0};
    int32_t ids[4096];
    int wanted, n = 0;

    if (tokenizer_open(&t, f->path, &why) != ST_OK) {
        assert_null(t);
        snprintf(out, 512, "%s", why.text);
        return;
    }
    out[0] = '\0';
    assert_int_equal(tokenizer_encode(t, ids, text, strlen(text), &wanted, NULL), ST_OK);
    for (int i = 0; i < tokenizer_length(t) && n < 500; i++)
        n += snprintf(out + n, (size_t)(512 - n), "%s%d", i ? " " : "", ids[i]);
    tokenizer_close(&t);
}

static void assert_encodes(const struct folder *f, const char *text, const char *wanted)
{
    char got[512];

    encode(f, text, got);
    assert_string_equal(got, wanted);
}

static void success_leaves_no_sentence(void **state)
{
    struct folder f = folder_make();
    struct tokenizer *t;
    struct why why = {0};
    (void)state;

    assert_int_equal(tokenizer_open(&t, f.path, &why), ST_OK);
    assert_string_equal(why.text, "");
    tokenizer_close(&t);
    folder_remove(&f);
}

static void a_folder_without_special_files_has_clips_tokens(void **state)
{
    struct folder f = folder_make();
    (void)state;

    assert_encodes(&f, "AB a ?", "6 4 2 7 7 7 7 7"); /* "?" is unknown: the end token */
    assert_encodes(&f, "a<|endoftext|>b", "6 2 7 3 7 7 7 7");
    folder_remove(&f);
}

/* What vocab.json lacks is numbered behind it: pad before the additional ones. */
static void the_map_overrules_and_new_tokens_are_numbered(void **state)
{
    struct folder f = folder_make();
    (void)state;

    folder_put(&f, MAP_JSON,
               "{\"pad_token\":{\"content\":\"[P]\"},\"sep_token\":null,"
               "\"additional_special_tokens\":[\"<x>\",{\"content\":\"<x>y\"}]}");
    assert_encodes(&f, "b<x>y <x>", "6 3 10 9 7 8 8 8");
    folder_remove(&f);
}

static void the_decoder_silences_the_other_files(void **state)
{
    struct folder f = folder_make();
    (void)state;

    folder_put(&f, CONFIG_JSON,
               "{\"model_max_length\":6,\"pad_token\":\"!\",\"added_tokens_decoder\":"
               "{\"5\":{\"content\":\"!\"},\"11\":{\"content\":\"ab\",\"special\":false}}}");
    folder_put(&f, MAP_JSON, "{\"pad_token\":\"b\"}");
    folder_put(&f, ADDED_JSON, "{\"b\":9}");
    assert_encodes(&f, "!ab B", "6 5 11 3 7 5");
    folder_remove(&f);
}

static void added_tokens_come_from_both_other_files(void **state)
{
    struct folder f = folder_make();
    (void)state;

    folder_put(&f, ADDED_JSON, "{\"<x>\":8}");
    folder_put(&f, FAST_JSON, "{\"model\":{},\"added_tokens\":[{\"id\":9,\"content\":\"<y>\"}]}");
    assert_encodes(&f, "<y><X><x>", "6 9 7 7 7 8 7 7"); /* "<X>" is no special token */
    folder_remove(&f);
}

/* The first line is never a merge, whatever it says; a pair's rank is that of its last place. */
static void merges_are_read_as_the_reference_reads_them(void **state)
{
    struct folder f = folder_make();
    (void)state;

    folder_put(&f, MERGES_TXT, "a b</w>\n");
    assert_encodes(&f, "ab", "6 0 3 7 7 7 7 7");
    folder_put(&f, MERGES_TXT, "\r\n x\r\na  b</w>\r\r\n");
    assert_encodes(&f, "ab", "6 4 7 7 7 7 7 7");
    folder_put(&f, MERGES_TXT, "");
    assert_encodes(&f, "ab", "6 0 3 7 7 7 7 7");
    folder_remove(&f);
}

struct damage {
    enum file file;
    const char *text, *words;
};

static const struct damage damages[] = {
    {VOCAB_JSON, NULL, "vocab.json: No such file"},
    {VOCAB_JSON, "[]", "vocab.json: not a table"},
    {VOCAB_JSON, "{\"a\":", "vocab.json: line 1"},
    {VOCAB_JSON, "{\"a\":-1}", "not a number from 0"},
    {VOCAB_JSON, "{\"a\":1048576}", "not a number from 0"},
    {VOCAB_JSON, "{\"a\":\"1\"}", "not a number from 0"},
    {VOCAB_JSON, "{\"a\":1,\"a\":2}", "duplicate"},
    {MERGES_TXT, NULL, "merges.txt: No such file"},
    {MERGES_TXT, "#\na b c\n", "merges.txt: line 2 is not a pair"},
    {MERGES_TXT, "#\na b\n\na b\n", "merges.txt: line 3 is not a pair"},
    {MERGES_TXT, "#\nab\n", "merges.txt: line 2 is not a pair"},
    {CONFIG_JSON, NULL, "tokenizer_config.json: No such file"},
    {CONFIG_JSON, "[]", "tokenizer_config.json: not an object"},
    {CONFIG_JSON, "{}", "\"model_max_length\" is not from 2 to 4096"},
    {CONFIG_JSON, "{\"model_max_length\":1}", "\"model_max_length\" is not from 2 to 4096"},
    {CONFIG_JSON, "{\"model_max_length\":4097}", "\"model_max_length\" is not from 2 to 4096"},
    {CONFIG_JSON, "{\"model_max_length\":\"8\"}", "model_max_length"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"tokenizer_class\":\"T5Tokenizer\"}", "CLIPTokenizer"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"padding_side\":\"left\"}", "\"padding_side\""},
    {CONFIG_JSON, "{\"model_max_length\":8,\"truncation_side\":\"left\"}", "\"truncation_side\""},
    {CONFIG_JSON, "{\"model_max_length\":8,\"split_special_tokens\":true}", "split_special_tokens"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"pad_token\":null}", "needs a bos, eos, unk and pad"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"pad_token\":7}", "neither text nor an object"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"pad_token\":{}}", "no \"content\""},
    {CONFIG_JSON, "{\"model_max_length\":8,\"pad_token\":{\"content\":\"a\",\"single_word\":true}}",
     "single_word"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"added_tokens_decoder\":[]}", "not an object"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"added_tokens_decoder\":{\"x\":{}}}", "map ids"},
    {CONFIG_JSON, "{\"model_max_length\":8,\"added_tokens_decoder\":{\"1\":\"x\"}}", "map ids"},
    {CONFIG_JSON,
     "{\"model_max_length\":8,\"added_tokens_decoder\":{\"999999999\":{\"content\":\"x\"}}}",
     "out of range"},
    {MAP_JSON, "7", "special_tokens_map.json: not an object"},
    {ADDED_JSON, "{\"x\":\"y\"}", "added_tokens.json does not map"},
    {ADDED_JSON, "{\"x\":-1}", "out of range"},
    {FAST_JSON, "{\"added_tokens\":[7]}", "neither text nor an object"},
    {FAST_JSON, "{\"added_tokens\":[\"x\"]}", "tokenizer.json: an added token is not an object"},
    {FAST_JSON, "{\"added_tokens\":[{\"content\":\"x\"}]}", "out of range"},
};

static void damaged_folders_are_refused_in_words(void **state)
{
    static const char *const fine[FILES] = {VOCAB, MERGES, CONFIG, NULL, NULL, NULL};
    struct folder f = folder_make();
    (void)state;

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        const struct damage *d = &damages[i];
        char got[512];

        folder_put(&f, d->file, d->text);
        encode(&f, "a", got);
        if (!strstr(got, d->words) || !strstr(got, f.path))
            fail_msg("%s with %s: \"%s\"", names[d->file], d->text ? d->text : "nothing", got);
        folder_put(&f, d->file, fine[d->file]);
    }
    folder_remove(&f);
}

/* Goal: no failed allocation may crash or leak, while opening or while encoding. */
static void opening_survives_every_failed_allocation(void **state)
{
    struct folder f = folder_make();
    (void)state;
    folder_put(&f, MAP_JSON, "{\"pad_token\":\"[P]\",\"additional_special_tokens\":[\"<x>\"]}");
    folder_put(&f, ADDED_JSON, "{\"<x>\":8}");

    for (int nth = 1;; nth++) {
        struct tokenizer *t = NULL;
        enum status st;

        fault_arm(nth);
        st = tokenizer_open(&t, f.path, NULL);
        tokenizer_close(&t);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            assert_true(nth > 20);
            break;
        }
        if (st != ST_FULL || fault_live() > 0)
            fail_msg("allocation %d: status %d, %ld blocks left", nth, st, fault_live());
    }
    folder_remove(&f);
}

static void encoding_survives_every_failed_allocation(void **state)
{
    static const char text[] =
        "ab \xce\x91\xcc\x81 a \xe4\xb8\xad"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct folder f = folder_make();
    struct tokenizer *t;
    int32_t ids[8];
    int wanted;
    (void)state;
    assert_int_equal(tokenizer_open(&t, f.path, NULL), ST_OK);

    for (int nth = 1;; nth++) {
        enum status st;

        fault_arm(nth);
        st = tokenizer_encode(t, ids, text, sizeof(text) - 1, &wanted, NULL);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            assert_true(nth > 6);
            break;
        }
        if (st != ST_FULL || fault_live() != 0)
            fail_msg("allocation %d: status %d, %ld blocks left", nth, st, fault_live());
    }
    tokenizer_close(&t);
    folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_leaves_no_sentence),
        cmocka_unit_test(a_folder_without_special_files_has_clips_tokens),
        cmocka_unit_test(the_map_overrules_and_new_tokens_are_numbered),
        cmocka_unit_test(the_decoder_silences_the_other_files),
        cmocka_unit_test(added_tokens_come_from_both_other_files),
        cmocka_unit_test(merges_are_read_as_the_reference_reads_them),
        cmocka_unit_test(damaged_folders_are_refused_in_words),
        cmocka_unit_test(opening_survives_every_failed_allocation),
        cmocka_unit_test(encoding_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("special", tests, NULL, NULL);
}
