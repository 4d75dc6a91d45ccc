/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "codec/chunks.h"
#include "codec/decode.h"
#include "tests/fault.h"
#include "tests/program.h"
#include "tests/unit.h"
#include "watermark/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1796100000 /* 2026-12-01 */
#define ID  0x1234567890abcdefull

static const char *const ends[] = {"png", "webp", "jpg"};

struct scene {
    char folder[64];
    struct sign_key *key;
    struct certs *chain;
    struct manifest_signer signer;
    const char *model;
};

static void open_pair(struct scene *s, const char *name, enum sign_kind kind)
{
    char key_path[128], chain_path[128];
    struct why why = {""};

    snprintf(key_path, sizeof(key_path), "%s/%s.pem", s->folder, name);
    snprintf(chain_path, sizeof(chain_path), "%s/%s-chain.pem", s->folder, name);
    if (sign_create(key_path, kind, &why) || sign_open(&s->key, key_path, &why) ||
        certs_create(chain_path, key_path, "Example GmbH", &why) ||
        certs_open(&s->chain, chain_path, &why))
        fail_msg("%s", why.text);
    s->signer = (struct manifest_signer){.key = s->key,
                                         .chain = s->chain,
                                         .provider = "Example <GmbH> & \"Co\"",
                                         .system = "limner",
                                         .version = "0.1.0",
                                         .detector_url = "https://example.org/detect"};
}

static int scene_open(void **state)
{
    static struct scene s;

    s = (struct scene){.model = "starter"};
    snprintf(s.folder, sizeof(s.folder), "%s/limner-manifest.XXXXXX", P_tmpdir);
    if (!mkdtemp(s.folder))
        return -1;
    open_pair(&s, "c2pa", SIGN_ES256);
    *state = &s;
    return 0;
}

static int scene_close(void **state)
{
    struct scene *s = *state;

    sign_close(&s->key);
    certs_close(&s->chain);
    program_remove(s->folder);
    return 0;
}

/* Something of every colour. */
static void make_picture(struct bytes *out, enum format format, int quality)
{
    struct image image;

    assert_int_equal(image_open(&image, 200, 120), ST_OK);
    for (size_t i = 0; i < image_bytes(&image); i++)
        image.rgb[i] = (uint8_t)(i * 7 / 3 + i / 600);
    assert_int_equal(
        encode_image(out, &image, (struct encode_options){.format = format, .quality = quality}),
        ST_OK);
    image_close(&image);
}

static void make_signed(struct bytes *out, const struct scene *s, enum format format, int quality,
                        struct manifest_made *made)
{
    static const char weights[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const struct manifest_facts facts = {
        .id = ID, .time_s = NOW, .model = s->model, .weights_sha256 = weights};
    struct why why = {""};

    make_picture(out, format, quality);
    if (manifest_sign(&s->signer, out, &facts, made, &why))
        fail_msg("%s", why.text);
}

/* ---- what is written ---- */

static void every_format_says_where_it_comes_from(void **state)
{
    struct scene *s = *state;

    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        for (int quality = 60; quality <= 100; quality += 40) { /* WebP with loss, and without */
            struct manifest_made made;
            struct manifest_found found;
            struct bytes file, xmp;
            struct chunks_range range;
            struct why why = {""};

            make_signed(&file, s, format, quality, &made);
            if (manifest_read(&found, file.data, file.count, s->chain, &why))
                fail_msg("%s: %s", ends[format], why.text);
            assert_true(found.is_signed && found.is_bound && found.is_ours && found.is_generated);
            assert_true(found.has_id && found.id == ID);
            assert_string_equal(found.urn, made.urn);
            assert_string_equal(found.system, "limner");
            assert_string_equal(found.version, "0.1.0");
            assert_string_equal(found.when, "2026-12-01T04:40:00Z");
            assert_string_equal(found.leaf.organisation, "Example GmbH");
            assert_int_equal(chunks_find(&xmp, &range, CHUNKS_XMP, file.data, file.count, &why),
                             ST_OK);
            assert_non_null(memmem(xmp.data, xmp.count, "trainedAlgorithmicMedia\"", 24));
            assert_non_null(memmem(xmp.data, xmp.count, "Example &#60;GmbH&#62; &#38;", 28));
            bytes_close(&xmp);
            bytes_close(&file);
        }
    }
}

/* Goal: readers agree where a manifest in a WebP file ends. RIFF fills up an odd chunk with a byte,
   which some take for a part of it; so there is none. */
static void a_manifest_is_of_even_length(void **state)
{
    struct scene even = *(struct scene *)*state;
    const char *const names[] = {"a", "ab", "abc"};

    for (int i = 0; i < 3; i++) {
        struct manifest_made made;
        struct chunks_range range;
        struct bytes file, store;
        struct why why = {""};

        even.model = names[i];
        make_signed(&file, &even, FORMAT_WEBP, 80, &made);
        assert_int_equal(chunks_find(&store, &range, CHUNKS_C2PA, file.data, file.count, &why),
                         ST_OK);
        assert_int_equal(store.count % 2, 0);
        assert_int_equal(range.count, store.count + 8);
        bytes_close(&store);
        bytes_close(&file);
    }
}

static void the_pixels_stay(void **state)
{
    struct scene *s = *state;
    struct manifest_made made;
    struct bytes plain, file;
    struct image before, after;

    make_picture(&plain, FORMAT_PNG, 0);
    make_signed(&file, s, FORMAT_PNG, 0, &made);
    assert_int_equal(decode_png(&before, plain.data, plain.count, NULL), ST_OK);
    assert_int_equal(decode_png(&after, file.data, file.count, NULL), ST_OK);
    assert_memory_equal(before.rgb, after.rgb, image_bytes(&before));
    image_close(&before);
    image_close(&after);
    bytes_close(&plain);
    bytes_close(&file);
}

static void another_chain_is_not_ours(void **state)
{
    struct scene *s = *state, other = *s;
    struct manifest_made made;
    struct manifest_found found;
    struct bytes file;
    struct why why = {""};

    open_pair(&other, "other", SIGN_ED25519);
    make_signed(&file, &other, FORMAT_PNG, 0, &made);
    assert_int_equal(manifest_read(&found, file.data, file.count, s->chain, &why), ST_OK);
    assert_true(found.is_signed && found.is_bound);
    assert_false(found.is_ours);
    other.signer.key = s->key;
    assert_int_equal(manifest_check(&other.signer, s->chain->leaf.from_s + 1, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "another key"));
    sign_close(&other.key);
    certs_close(&other.chain);
    bytes_close(&file);
}

static void a_certificate_has_its_time(void **state)
{
    struct scene *s = *state;
    const struct certs_leaf *leaf = &s->chain->leaf;
    struct why why = {""};

    assert_int_equal(manifest_check(&s->signer, leaf->from_s + 1, &why), ST_OK);
    assert_int_equal(manifest_check(&s->signer, leaf->from_s - 1, &why), ST_INVALID);
    assert_int_equal(manifest_check(&s->signer, leaf->until_s + 1, &why), ST_INVALID);
    assert_true(s->chain->development);
    s->chain->leaf.signs_claims = false;
    assert_int_equal(manifest_check(&s->signer, leaf->from_s + 1, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "emailProtection"));
    s->chain->leaf.signs_claims = true;
}

/* ---- what is read ---- */

/* Goal: no byte of the file can change unseen, and none makes the reader fall. Method: change each
   byte of a small file. Only the frame of the block has some that nobody sees: the check sum of a
   PNG's, which is for whoever reads PNGs, and which of a JPEG's boxes it is. */
static void every_flipped_byte_is_found(void **state)
{
    static const int frame[] = {[FORMAT_PNG] = 4, [FORMAT_WEBP] = 0, [FORMAT_JPEG] = 2};
    struct scene *s = *state;

    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct manifest_made made;
        struct manifest_found found;
        struct bytes file;
        int unseen = 0;

        make_signed(&file, s, format, 50, &made);
        for (size_t i = 0; i < file.count; i += i < 4096 ? 1 : 13) {
            struct why why = {""};

            file.data[i] ^= 0x20;
            if (!manifest_read(&found, file.data, file.count, s->chain, &why) && found.is_signed &&
                found.is_bound)
                unseen++;
            file.data[i] ^= 0x20;
        }
        if (unseen > frame[format])
            fail_msg("%s: %d changes were not seen", ends[format], unseen);
        bytes_close(&file);
    }
}

static void a_file_that_ends_early_is_told(void **state)
{
    struct scene *s = *state;

    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        struct manifest_made made;
        struct manifest_found found;
        struct bytes file;

        make_signed(&file, s, format, 50, &made);
        for (size_t count = 0; count < file.count; count += 7) {
            uint8_t *copy = malloc(count ? count : 1); /* so that a step too far is seen */
            struct why why = {""};

            assert_non_null(copy);
            memcpy(copy, file.data, count);
            if (!manifest_read(&found, copy, count, s->chain, &why) && found.is_bound)
                fail_msg("%s: %zu of %zu bytes are enough", ends[format], count, file.count);
            free(copy);
        }
        bytes_close(&file);
    }
}

static void a_file_without_one_says_so(void **state)
{
    struct manifest_found found;
    struct bytes file;
    struct why why = {""};

    (void)state;
    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG; format++) {
        make_picture(&file, format, 50);
        assert_int_equal(manifest_read(&found, file.data, file.count, NULL, &why), ST_MISSING);
        bytes_close(&file);
    }
    assert_int_equal(manifest_read(&found, "GIF89a", 6, NULL, &why), ST_INVALID);
    assert_int_equal(manifest_read(&found, "", 0, NULL, &why), ST_INVALID);
}

static void every_failed_allocation_is_told(void **state)
{
    struct scene *s = *state;
    const struct manifest_facts facts = {.id = ID, .time_s = NOW, .model = "starter"};
    struct manifest_made made;
    struct why why = {""};

    for (int nth = 1;; nth++) {
        struct bytes file;
        enum status st;

        make_picture(&file, FORMAT_WEBP, 50);
        fault_arm(nth);
        st = manifest_sign(&s->signer, &file, &facts, &made, &why);
        fault_disarm();
        bytes_close(&file);
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            break;
        }
        assert_true(st == ST_OK || st == ST_FULL || st == ST_IO); /* OpenSSL does without some */
    }
}

/* ---- somebody else's reader and writer ---- */

static int write_file(const char *folder, const char *name, int format, const struct bytes *file)
{
    char path[256];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s.%s", folder, name, ends[format]);
    out = fopen(path, "wb");
    return !out || fwrite(file->data, 1, file->count, out) != file->count || fclose(out);
}

static int write_signed(const char *folder, const char *name, const struct scene *s)
{
    int failed = 0;

    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG && !failed; format++) {
        struct manifest_made made;
        struct bytes file;

        make_signed(&file, s, format, 80, &made);
        failed = write_file(folder, name, (int)format, &file);
        bytes_close(&file);
    }
    return failed;
}

/* With a folder as argument: write files for somebody else's reader, of both kinds of keys and of
   lengths that leave even and odd numbers of bytes; and unsigned ones, with the keys, for somebody
   else's writer. */
static int write_files(const char *folder)
{
    struct scene s = {.model = "starter"};
    int failed;

    snprintf(s.folder, sizeof(s.folder), "%s", folder);
    open_pair(&s, "c2pa", SIGN_ES256);
    failed = write_signed(folder, "es256", &s);
    s.model = "starter-2";
    failed = failed || write_signed(folder, "longer", &s);
    s.model = "starter-10";
    failed = failed || write_signed(folder, "longest", &s);
    for (enum format format = FORMAT_PNG; format <= FORMAT_JPEG && !failed; format++) {
        struct bytes file;

        make_picture(&file, format, 80);
        failed = write_file(folder, "plain", (int)format, &file);
        bytes_close(&file);
    }
    sign_close(&s.key);
    certs_close(&s.chain);
    open_pair(&s, "ed25519", SIGN_ED25519);
    failed = failed || write_signed(folder, "ed25519", &s);
    sign_close(&s.key);
    certs_close(&s.chain);
    return failed;
}

/* With a folder and a file: what our reader says of it, for the chain in that folder. */
static int read_file(const char *folder, const char *path)
{
    static uint8_t data[1 << 22];
    struct manifest_found found;
    struct certs *chain;
    char chain_path[256];
    struct why why = {""};
    FILE *in = fopen(path, "rb");
    size_t count = in ? fread(data, 1, sizeof(data), in) : 0;

    snprintf(chain_path, sizeof(chain_path), "%s/c2pa-chain.pem", folder);
    if (!in || fclose(in) || certs_open(&chain, chain_path, &why) ||
        manifest_read(&found, data, count, chain, &why)) {
        printf("%s\n", why.text);
        return 1;
    }
    printf("%s%s%s%s\n", found.is_signed ? "signed " : "", found.is_bound ? "bound " : "",
           found.is_ours ? "ours " : "", found.is_generated ? "generated " : "");
    certs_close(&chain);
    return 0;
}

int main(int count, char **args)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_says_where_it_comes_from),
        cmocka_unit_test(a_manifest_is_of_even_length),
        cmocka_unit_test(the_pixels_stay),
        cmocka_unit_test(another_chain_is_not_ours),
        cmocka_unit_test(a_certificate_has_its_time),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(a_file_that_ends_early_is_told),
        cmocka_unit_test(a_file_without_one_says_so),
        cmocka_unit_test(every_failed_allocation_is_told),
    };

    if (count == 2)
        return write_files(args[1]);
    if (count == 3)
        return read_file(args[1], args[2]);
    return cmocka_run_group_tests(tests, scene_open, scene_close);
}
