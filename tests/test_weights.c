/* SPDX-License-Identifier: Apache-2.0 */
#include "models/weights.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_TEST 256

/* A file in memory: the header's text behind its length, then `numbers` counting bytes. */
struct made {
    _Alignas(64) unsigned char bytes[4096];
    size_t count;
};

static struct made make(const char *header, size_t numbers)
{
    struct made m = {.count = 8 + strlen(header) + numbers};

    assert_true(m.count <= sizeof(m.bytes));
    m.bytes[0] = (unsigned char)(strlen(header) & 0xff);
    m.bytes[1] = (unsigned char)(strlen(header) >> 8);
    memcpy(m.bytes + 8, header, strlen(header));
    for (size_t i = 0; i < numbers; i++)
        m.bytes[m.count - numbers + i] = (unsigned char)i;
    return m;
}

static enum status open_made(struct weights **w, const struct made *m, struct why *why)
{
    return weights_open_memory(w, m->bytes, m->count, why);
}

/* A fresh folder for the files of one test; every file that may be in it is named here. */
struct folder {
    char path[64];
};

static struct folder folder_make(void)
{
    struct folder f = {"/tmp/limner-weights-XXXXXX"};

    assert_non_null(mkdtemp(f.path));
    return f;
}

static const char *folder_file(const struct folder *f, char out[PATH_MAX_TEST], const char *name)
{
    snprintf(out, PATH_MAX_TEST, "%s/%s", f->path, name);
    return out;
}

static void folder_put(const struct folder *f, const char *name, const void *bytes, size_t count)
{
    char path[PATH_MAX_TEST];
    FILE *file = fopen(folder_file(f, path, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void folder_put_made(const struct folder *f, const char *name, const char *header,
                            size_t numbers)
{
    struct made m = make(header, numbers);

    folder_put(f, name, m.bytes, m.count);
}

static void folder_remove(const struct folder *f)
{
    static const char *const names[] = {
        "m.safetensors",      "m.safetensors.index.json",
        "m.fp16.safetensors", "m.safetensors.index.fp16.json",
        "a.safetensors",      "b.safetensors",
        "pipe.safetensors",
    };
    char path[PATH_MAX_TEST];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(folder_file(f, path, names[i]));
    assert_int_equal(rmdir(f->path), 0); /* fails when a test, or weights_out, left something */
}

static void assert_says(const struct why *why, const char *words)
{
    if (!strstr(why->text, words))
        fail_msg("\"%s\" does not say \"%s\"", why->text, words);
}

static const char two[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                          "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                          "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}}  ";

static void tensors_are_found_with_ones_before_their_dimensions(void **state)
{
    struct made m = make(two, 32);
    struct weights *w;
    struct tensor t;
    (void)state;

    assert_int_equal(open_made(&w, &m, NULL), ST_OK);
    assert_int_equal(weights_count(w), 2);
    assert_string_equal(weights_name(w, 0), "a");
    assert_string_equal(weights_name(w, 1), "b");
    assert_int_equal(weights_bytes(w), 32);
    assert_string_equal(weights_metadata(w, "format"), "pt");
    assert_null(weights_metadata(w, "author"));

    assert_int_equal(weights_find(w, "a", &t, NULL), ST_OK);
    assert_int_equal(t.dtype, DTYPE_F32);
    assert_int_equal(t.dim[0] * 1000 + t.dim[1] * 100 + t.dim[2] * 10 + t.dim[3], 1123);
    assert_int_equal(t.stride, 3);
    assert_int_equal(((unsigned char *)t.data)[23], 23);
    assert_int_equal(weights_find(w, "b", &t, NULL), ST_OK);
    assert_int_equal(t.dtype, DTYPE_F16);
    assert_int_equal(t.dim[3], 4);
    assert_int_equal(((unsigned char *)t.data)[0], 24);
    weights_close(&w);
    assert_null(w);
}

static void a_missing_tensor_is_named(void **state)
{
    struct made m = make(two, 32);
    struct weights *w;
    struct tensor t;
    struct why why = {0};
    (void)state;

    assert_int_equal(open_made(&w, &m, NULL), ST_OK);
    assert_int_equal(weights_find(w, "conv\033in", &t, &why), ST_MISSING);
    assert_says(&why, "memory: tensor \"conv?in\" is missing");
    weights_close(&w);
}

static void another_shape_is_refused_with_both_shapes(void **state)
{
    struct made m = make(two, 32);
    struct weights *w;
    struct tensor t = {0};
    struct why why = {0};
    (void)state;

    assert_int_equal(open_made(&w, &m, NULL), ST_OK);
    assert_int_equal(weights_need(w, "a", (int64_t[4]){1, 1, 0, 3}, &t, &why), ST_OK);
    assert_int_equal(t.dim[2], 2);
    t.data = NULL;
    assert_int_equal(weights_need(w, "a", (int64_t[4]){1, 1, 3, 2}, &t, &why), ST_INVALID);
    assert_says(&why, "tensor \"a\" is [1, 1, 2, 3], wanted [1, 1, 3, 2]");
    assert_null(t.data);
    assert_int_equal(weights_need(w, "c", (int64_t[4]){0}, &t, &why), ST_MISSING);
    weights_close(&w);
}

/* Scalars are one number; what nobody computes with is passed over, with the reason. */
static void other_types_and_ranks_are_skipped(void **state)
{
    struct made m =
        make("{\"five\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]},"
             "\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[4,12]},"
             "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[12,12]},"
             "\"one\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[12,16]},"
             "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[16,19]}}",
             19);
    struct weights *w;
    struct tensor t;
    struct why why = {0};
    (void)state;

    assert_int_equal(open_made(&w, &m, NULL), ST_OK);
    assert_int_equal(weights_count(w), 1);
    assert_string_equal(weights_name(w, 0), "one");
    assert_int_equal(weights_find(w, "one", &t, NULL), ST_OK);
    assert_int_equal(tensor_count(t), 1);
    assert_int_equal(weights_find(w, "five", &t, &why), ST_UNSUPPORTED);
    assert_says(&why, "more than four dimensions");
    assert_int_equal(weights_find(w, "ids", &t, &why), ST_UNSUPPORTED);
    assert_says(&why, "\"ids\" cannot be read: its type");
    assert_int_equal(weights_find(w, "none", &t, &why), ST_UNSUPPORTED);
    assert_says(&why, "empty");
    weights_close(&w);
}

/* Old files do not pad their header, so numbers may lie on any address. */
static void unaligned_numbers_are_moved_to_aligned_ones(void **state)
{
    char header[512];
    (void)state;

    for (int pad = 0; pad < 8; pad++) {
        struct weights *w;
        struct tensor t;
        struct made m;

        snprintf(header, sizeof(header), "%s%*s", two, pad, "");
        m = make(header, 32);
        assert_int_equal(open_made(&w, &m, NULL), ST_OK);
        assert_int_equal(weights_find(w, "a", &t, NULL), ST_OK);
        assert_int_equal((uintptr_t)t.data % 4, 0);
        for (int i = 0; i < 24; i++)
            assert_int_equal(((unsigned char *)t.data)[i], i);
        assert_int_equal(weights_find(w, "b", &t, NULL), ST_OK);
        assert_int_equal((uintptr_t)t.data % 2, 0);
        assert_int_equal(((unsigned char *)t.data)[7], 31);
        weights_close(&w);
    }
}

#define A(dtype, shape, offsets)                                                                   \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

struct damage {
    const char *header;
    size_t numbers;
    const char *words;
};

static const struct damage damages[] = {
    {"", 0, "header: line 1"},
    {"[]", 0, "header is not an object"},
    {"{\"a\":1}", 0, "\"a\": not an object"},
    {"{\"a\":{}}", 0, "\"dtype\""},
    {"{\"a\":{},\"a\":{}}", 0, "duplicate"},
    {"{\"__metadata__\":[]}", 0, "\"__metadata__\" is not an object"},
    {"{\"__metadata__\":{\"x\":1}}", 0, "holds more than strings"},
    {"{} x", 0, "header: line 1"},
    {"{}", 1, "1 bytes after the last tensor"},
    {A("\"F31\"", "[1]", "[0,4]"), 4, "\"a\": \"dtype\" is not one that is known"},
    {A("7", "[1]", "[0,4]"), 4, "\"dtype\""},
    {A("\"F32\"", "1", "[0,4]"), 4, "\"shape\" is not a list"},
    {A("\"F32\"", "[1.0]", "[0,4]"), 4, "other than sizes"},
    {A("\"F32\"", "[-1]", "[0,4]"), 4, "other than sizes"},
    {A("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "too big integer"},
    {A("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, "\"shape\" is too large"},
    {A("\"F32\"", "[4294967296,4294967296,0]", "[0,0]"), 0, "\"shape\" is too large"},
    {A("\"F64\"", "[2305843009213693952]", "[0,0]"), 0, "\"shape\" is too large"},
    {A("\"F32\"", "[1]", "4"), 4, "not two positions"},
    {A("\"F32\"", "[1]", "[0]"), 4, "not two positions"},
    {A("\"F32\"", "[1]", "[0,4,8]"), 4, "not two positions"},
    {A("\"F32\"", "[1]", "[-4,0]"), 4, "not two positions"},
    {A("\"F32\"", "[1]", "[0,4.0]"), 4, "not two positions"},
    {A("\"F32\"", "[1]", "[4,0]"), 4, "end before they begin"},
    {A("\"F32\"", "[2]", "[0,8]"), 4, "beyond the end"},
    {A("\"F32\"", "[1]", "[9223372036854775800,9223372036854775804]"), 4, "beyond the end"},
    {A("\"F32\"", "[2]", "[0,4]"), 4, "do not fit"},
    {A("\"BOOL\"", "[2]", "[0,4]"), 4, "do not fit"},
    {A("\"F8_E4M3\"", "[1,1,1,1,5]", "[0,4]"), 4, "do not fit"},
    {A("\"F32\"", "[1]", "[4,8]"), 8, "\"a\": a hole lies before it"},
    {A("\"F32\"", "[1]", "[0,4]"), 8, "4 bytes after the last tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
     7, "\"b\": overlaps another tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
     4, "overlaps another tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
     9, "\"a\": a hole lies before it"},
};

static void every_kind_of_damage_is_refused_in_words(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct made m = make(damages[i].header, damages[i].numbers);
        struct weights *w = NULL;
        struct why why = {0};
        enum status st = open_made(&w, &m, &why);

        if (st != ST_INVALID || w || !strstr(why.text, damages[i].words))
            fail_msg("%s: status %d, \"%s\"", damages[i].header, st, why.text);
    }
}

static void a_header_longer_than_the_file_or_the_cap_is_refused(void **state)
{
    unsigned char bytes[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    struct weights *w;
    struct why why = {0};
    (void)state;

    for (size_t n = 0; n < 8; n++)
        assert_int_equal(weights_open_memory(&w, bytes, n, &why), ST_INVALID);
    assert_says(&why, "7 bytes");
    assert_int_equal(weights_open_memory(&w, bytes, 16, &why), ST_INVALID);
    assert_says(&why, "header of 9 bytes in a file of 16");
    bytes[3] = 0x7f;
    assert_int_equal(weights_open_memory(&w, bytes, 16, &why), ST_INVALID);
    assert_says(&why, "at most 100000000");
    memset(bytes, 0xff, 8);
    assert_int_equal(weights_open_memory(&w, bytes, 16, &why), ST_INVALID);
    assert_says(&why, "at most 100000000");
}

/* Goal: a hostile name neither breaks the sentence nor reaches a terminal as a command. */
static void names_in_sentences_are_cut_and_harmless(void **state)
{
    char header[1024], name[700];
    struct weights *w;
    struct why why = {0};
    struct made m;
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(name, "\302\233\\u001b[2J", 11); /* C1's CSI as UTF-8, then ESC */

    snprintf(header, sizeof(header), "{\"%s\":{}}", name);
    m = make(header, 0);

    assert_int_equal(open_made(&w, &m, &why), ST_INVALID);
    assert_null(strchr(why.text, '\033'));
    assert_null(strchr(why.text, '\302'));
    assert_says(&why, "...\": \"dtype\" is not one that is known");
}

static void names_of_every_length_fit_a_sentence(void **state)
{
    char header[512], name[300] = "";
    (void)state;

    for (size_t n = 0; n < sizeof(name); n++) {
        struct weights *w;
        struct why why = {0};
        struct made m;

        memset(name, 'x', n);
        name[n] = '\0';
        snprintf(header, sizeof(header), "{\"%s\":1}", name);
        m = make(header, 0);
        assert_int_equal(open_made(&w, &m, &why), ST_INVALID);
        assert_says(&why, n < 128 ? name : "xxx...\": not an object");
    }
}

static void a_file_is_mapped_and_its_pages_can_go(void **state)
{
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    struct weights *w;
    struct tensor t;
    (void)state;
    folder_put_made(&f, "m.safetensors", two, 32);

    assert_int_equal(weights_open(&w, folder_file(&f, path, "m.safetensors"), NULL), ST_OK);
    assert_int_equal(weights_find(w, "a", &t, NULL), ST_OK);
    weights_release_pages(w);
    assert_int_equal(((unsigned char *)t.data)[23], 23);
    weights_close(&w);
    folder_remove(&f);
}

static void what_is_no_regular_file_is_refused(void **state)
{
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    struct weights *w;
    struct why why = {0};
    (void)state;
    assert_int_equal(mkfifo(folder_file(&f, path, "pipe.safetensors"), 0600), 0);

    assert_int_equal(weights_open(&w, path, &why), ST_INVALID);
    assert_says(&why, "not a regular file");
    assert_int_equal(weights_open(&w, f.path, &why), ST_INVALID);
    folder_put(&f, "m.safetensors", "", 0);
    assert_int_equal(weights_open(&w, folder_file(&f, path, "m.safetensors"), &why), ST_INVALID);
    assert_says(&why, "0 bytes");
    assert_int_equal(weights_open(&w, folder_file(&f, path, "gone.safetensors"), &why), ST_MISSING);
    assert_says(&why, "gone.safetensors: no such file");
    folder_remove(&f);
}

#define ONE(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
#define FLOAT(name)                                                                                \
    "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"                      \
    "\"extra\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[4,6]}}"

static void the_fp16_variant_and_the_index_are_taken_when_the_file_is_absent(void **state)
{
    static const char map[] = "{\"metadata\":{},\"weight_map\":{\"x\":\"a.safetensors\"}}";
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    struct weights *w;
    (void)state;
    folder_file(&f, path, "m.safetensors");
    folder_put_made(&f, "a.safetensors", FLOAT("x"), 6);

    folder_put(&f, "m.safetensors.index.fp16.json", map, sizeof(map) - 1);
    assert_int_equal(weights_open(&w, path, NULL), ST_OK);
    assert_string_equal(weights_name(w, 0), "x");
    weights_close(&w);
    folder_put_made(&f, "m.fp16.safetensors", FLOAT("half"), 6);
    assert_int_equal(weights_open(&w, path, NULL), ST_OK);
    assert_string_equal(weights_name(w, 0), "half");
    weights_close(&w);
    folder_put(&f, "m.safetensors.index.json", map, sizeof(map) - 1);
    assert_int_equal(weights_open(&w, path, NULL), ST_OK);
    assert_string_equal(weights_name(w, 0), "x");
    weights_close(&w);
    folder_put_made(&f, "m.safetensors", FLOAT("whole"), 6);
    assert_int_equal(weights_open(&w, path, NULL), ST_OK);
    assert_string_equal(weights_name(w, 0), "whole");
    weights_close(&w);
    folder_remove(&f);
}

/* "extra" is in both shards; only the one that the map names counts. */
static void shards_are_one_set_of_tensors(void **state)
{
    static const char map[] = "{\"weight_map\":{\"y\":\"b.safetensors\",\"x\":\"a.safetensors\","
                              "\"extra\":\"b.safetensors\"}}";
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    struct weights *w;
    struct tensor t;
    (void)state;
    folder_put_made(&f, "a.safetensors", FLOAT("x"), 6);
    folder_put_made(&f, "b.safetensors", FLOAT("y"), 6);
    folder_put(&f, "m.safetensors.index.json", map, sizeof(map) - 1);
    folder_file(&f, path, "m.safetensors.index.json");

    assert_int_equal(weights_open(&w, path, NULL), ST_OK);
    assert_int_equal(weights_count(w), 3);
    assert_int_equal(weights_bytes(w), 12);
    assert_string_equal(weights_name(w, 1), "x");
    assert_int_equal(weights_find(w, "x", &t, NULL), ST_OK);
    assert_int_equal(weights_find(w, "y", &t, NULL), ST_OK);
    assert_int_equal(weights_find(w, "extra", &t, NULL), ST_OK);
    assert_int_equal(((unsigned char *)t.data)[0], 4);
    weights_close(&w);
    folder_remove(&f);
}

static void a_hostile_index_is_refused_in_words(void **state)
{
    static const struct {
        const char *map, *words;
        enum status st;
    } cases[] = {
        {"[]", "has no \"weight_map\"", ST_INVALID},
        {"{\"weight_map\":{\"x\":7}}", "\"x\": not the name of a file", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"../a.safetensors\"}}", "plain name", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"/tmp/a.safetensors\"}}", "plain name", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"..\"}}", "plain name", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"\"}}", "plain name", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"a.bin\"}}", "plain name", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"c.safetensors\"}}", "c.safetensors: No such", ST_MISSING},
        {"{\"weight_map\":{\"y\":\"a.safetensors\"}}", "\"y\" is not in the file", ST_INVALID},
        {"{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\"}}",
         "b.safetensors: tensor", ST_INVALID},
        {"{\"weight_map\":", "m.safetensors.index.json: line", ST_INVALID},
    };
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    (void)state;
    folder_put_made(&f, "a.safetensors", FLOAT("x"), 6);
    folder_put_made(&f, "b.safetensors", ONE("y"), 1);
    folder_file(&f, path, "m.safetensors.index.json");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weights *w = NULL;
        struct why why = {0};
        enum status st;

        folder_put(&f, "m.safetensors.index.json", cases[i].map, strlen(cases[i].map));
        st = weights_open(&w, path, &why);
        if (st != cases[i].st || w || !strstr(why.text, cases[i].words))
            fail_msg("%s: status %d, \"%s\"", cases[i].map, st, why.text);
    }
    folder_remove(&f);
}

/* Goal: no failed allocation while opening may crash or leak.
   Method: fail the first allocation, then the second, until opening needs no more of them. (Under
   a sanitizer strdup's blocks are not counted when they are taken, so the count may end below 0.)
 */
static void opening_survives_every_failed_allocation(void **state)
{
    static const char map[] = "{\"weight_map\":{\"x\":\"a.safetensors\"}}";
    struct folder f = folder_make();
    char path[PATH_MAX_TEST];
    (void)state;
    folder_put_made(&f, "a.safetensors", FLOAT("x") " ", 6);
    folder_put(&f, "m.safetensors.index.json", map, sizeof(map) - 1);
    folder_file(&f, path, "m.safetensors");

    for (int nth = 1;; nth++) {
        struct weights *w = NULL;
        enum status st;

        fault_arm(nth);
        st = weights_open(&w, path, NULL);
        weights_close(&w);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            assert_true(nth > 10);
            break;
        }
        if (st != ST_FULL || fault_live() > 0)
            fail_msg("allocation %d: status %d, %ld blocks left", nth, st, fault_live());
    }
    folder_remove(&f);
}

static void the_starter_model_opens(void **state)
{
    struct weights *w;
    struct tensor t;
    struct why why = {0};
    (void)state;

    if (weights_open(&w, "starter/unet/diffusion_pytorch_model.safetensors", &why) != ST_OK)
        fail_msg("%s", why.text);
    assert_true(weights_count(w) > 300);
    for (size_t i = 0; i < weights_count(w); i++) {
        assert_int_equal(weights_find(w, weights_name(w, i), &t, NULL), ST_OK);
        assert_int_equal((uintptr_t)t.data % dtype_bytes(t.dtype), 0);
    }
    weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found_with_ones_before_their_dimensions),
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(another_shape_is_refused_with_both_shapes),
        cmocka_unit_test(other_types_and_ranks_are_skipped),
        cmocka_unit_test(unaligned_numbers_are_moved_to_aligned_ones),
        cmocka_unit_test(every_kind_of_damage_is_refused_in_words),
        cmocka_unit_test(a_header_longer_than_the_file_or_the_cap_is_refused),
        cmocka_unit_test(names_in_sentences_are_cut_and_harmless),
        cmocka_unit_test(names_of_every_length_fit_a_sentence),
        cmocka_unit_test(a_file_is_mapped_and_its_pages_can_go),
        cmocka_unit_test(what_is_no_regular_file_is_refused),
        cmocka_unit_test(the_fp16_variant_and_the_index_are_taken_when_the_file_is_absent),
        cmocka_unit_test(shards_are_one_set_of_tensors),
        cmocka_unit_test(a_hostile_index_is_refused_in_words),
        cmocka_unit_test(opening_survives_every_failed_allocation),
        cmocka_unit_test(the_starter_model_opens),
    };

    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
