/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "codec/chunks.h"
#include "watermark/jumbf.h"
#include "watermark/manifest.h"
#include "watermark/manifest_names.h"
#include "watermark/xmp.h"

#include <stdlib.h>
#include <string.h>

#define ASSERTIONS_MAX 64

/* A stranger's manifest, in pieces that lie in its bytes. */
struct parts {
    const uint8_t *file;
    size_t file_bytes;
    struct chunks_range range;
    bool is_filled;    /* the range ends in a byte that is not the manifest's */
    bool is_hash_seen; /* the hash of the file */
    struct jumbf_box manifest, assertions, claim, signature;
    struct cbor_in claim_cbor, signature_cbor;
};

static void copy_text(char out[MANIFEST_TEXT_MAX], struct cbor_in in)
{
    struct cbor_item item;

    while (cbor_next(&in, &item) && item.type == CBOR_TAG)
        continue;
    out[0] = '\0';
    if (in.failed || item.type != CBOR_TEXT || item.value >= MANIFEST_TEXT_MAX ||
        memchr(item.data, 0, item.value))
        return;
    memcpy(out, item.data, item.value);
    out[item.value] = '\0';
}

static void copy_field(char out[MANIFEST_TEXT_MAX], const struct cbor_in *map, const char *key)
{
    struct cbor_in value;

    out[0] = '\0';
    if (cbor_find(map, key, &value))
        copy_text(out, value);
}

/* ---- the boxes ---- */

static bool find_box(const struct parts *p, const char *label, enum jumbf_type type,
                     struct jumbf_box *out)
{
    return jumbf_find(p->manifest.content, label, out) && out->type == type;
}

static bool split(struct parts *p, struct cbor_in in)
{
    struct jumbf_box store, manifest;
    struct cbor_in inside;

    if (!jumbf_next(&in, &store) || store.type != JUMBF_STORE || strcmp(store.label, "c2pa") != 0)
        return false;
    inside = store.content;
    while (jumbf_next(&inside, &manifest)) {
        if (manifest.type == JUMBF_MANIFEST)
            p->manifest = manifest;
    }
    return p->manifest.type && find_box(p, MANIFEST_ASSERTIONS, JUMBF_ASSERTIONS, &p->assertions) &&
           find_box(p, MANIFEST_CLAIM, JUMBF_CLAIM, &p->claim) &&
           find_box(p, MANIFEST_SIGNATURE, JUMBF_SIGNATURE, &p->signature) &&
           jumbf_content(&p->claim, &p->claim_cbor) &&
           jumbf_content(&p->signature, &p->signature_cbor);
}

/* ---- the signature ---- */

struct cose {
    struct cbor_item head, signature;
    int64_t algorithm;
    struct cbor_item certificate; /* the leaf's */
};

static bool read_chain(struct cose *out, struct cbor_in in)
{
    if (!cbor_next(&in, &out->certificate))
        return false;
    if (out->certificate.type == CBOR_ARRAY && !cbor_next(&in, &out->certificate))
        return false;
    return out->certificate.type == CBOR_BYTES;
}

static bool read_cose(struct cose *out, struct cbor_in in)
{
    struct cbor_item item, four;
    struct cbor_in head, value, unprotected;

    if (!cbor_expect(&in, CBOR_TAG, &item) || item.value != MANIFEST_COSE_SIGN1 ||
        !cbor_expect(&in, CBOR_ARRAY, &four) || four.value != 4 ||
        !cbor_expect(&in, CBOR_BYTES, &out->head))
        return false;
    unprotected = in;
    value = in;
    if (!cbor_expect(&value, CBOR_MAP, &item) || !cbor_skip(&in) || !cbor_skip(&in) ||
        !cbor_expect(&in, CBOR_BYTES, &out->signature))
        return false;
    head = (struct cbor_in){out->head.data, out->head.data + out->head.value, false};
    if (!cbor_find_int(&head, MANIFEST_COSE_ALG, &value) ||
        !cbor_expect(&value, CBOR_NEGATIVE, &item) || item.value > 1000)
        return false;
    out->algorithm = -1 - (int64_t)item.value;
    return (cbor_find_int(&head, MANIFEST_COSE_X5CHAIN, &value) ||
            cbor_find_int(&unprotected, MANIFEST_COSE_X5CHAIN, &value)) &&
           read_chain(out, value);
}

/* Signed by its leaf? Other algorithms than ours are not looked into. */
static bool check_signature(const struct parts *p, struct certs_leaf *leaf)
{
    struct cbor_out message = {0};
    struct cose cose;
    bool good;

    if (!read_cose(&cose, p->signature_cbor) ||
        !certs_read(leaf, cose.certificate.data, cose.certificate.value) ||
        cose.signature.value != SIGN_BYTES ||
        cose.algorithm != (leaf->kind == SIGN_ES256 ? MANIFEST_ES256 : MANIFEST_EDDSA))
        return false;
    cbor_array(&message, 4);
    cbor_text(&message, "Signature1");
    cbor_bytes(&message, cose.head.data, cose.head.value);
    cbor_bytes(&message, NULL, 0);
    cbor_bytes(&message, p->claim_cbor.at, (size_t)(p->claim_cbor.end - p->claim_cbor.at));
    good = !message.failed && sign_check(leaf->kind, leaf->pub, leaf->pub_bytes,
                                         cose.signature.data, message.data, message.count);
    cbor_close(&message);
    return good;
}

/* ---- the assertions ---- */

/* Is this the place of this very manifest? The byte that fills up an odd chunk of a WebP file may
   be left to the picture. */
static bool is_place(const struct parts *p, uint64_t start, uint64_t length)
{
    return start == p->range.start &&
           (length == p->range.count || (p->is_filled && length + 1 == p->range.count));
}

/* The hash is over the whole file but the place of this very manifest. */
static bool check_binding(const struct parts *p, struct cbor_in hash_data)
{
    struct cbor_in value, range;
    struct cbor_item item, start, length;
    struct crypto_hash hash;
    uint8_t sum[32];
    size_t behind;

    if (!cbor_find(&hash_data, "exclusions", &value) || !cbor_expect(&value, CBOR_ARRAY, &item) ||
        item.value != 1 || !cbor_find(&value, "start", &range) ||
        !cbor_expect(&range, CBOR_UINT, &start) || !cbor_find(&value, "length", &range) ||
        !cbor_expect(&range, CBOR_UINT, &length) || !is_place(p, start.value, length.value))
        return false;
    behind = (size_t)(start.value + length.value);
    if (!cbor_find(&hash_data, "hash", &value) || !cbor_expect(&value, CBOR_BYTES, &item) ||
        item.value != sizeof(sum))
        return false;
    crypto_hash(&hash);
    crypto_hash_add(&hash, p->file, p->range.start);
    crypto_hash_add(&hash, p->file + behind, p->file_bytes - behind);
    crypto_hash_end(&hash, sum);
    return !memcmp(sum, item.data, sizeof(sum));
}

static void read_actions(struct manifest_found *out, struct cbor_in in)
{
    struct cbor_in list, value, agent;
    struct cbor_item item, kind;

    if (!cbor_find(&in, "actions", &list) || !cbor_expect(&list, CBOR_ARRAY, &item))
        return;
    for (uint64_t i = 0; i < item.value; i++) {
        struct cbor_in action = list;

        if (!cbor_skip(&list))
            return;
        if (!cbor_find(&action, "action", &value) || !cbor_expect(&value, CBOR_TEXT, &kind) ||
            !cbor_is_text(&kind, "c2pa.created"))
            continue;
        out->is_generated = cbor_find(&action, "digitalSourceType", &value) &&
                            cbor_expect(&value, CBOR_TEXT, &kind) &&
                            cbor_is_text(&kind, XMP_SOURCE_TYPE);
        copy_field(out->when, &action, "when");
        if (cbor_find(&action, "softwareAgent", &agent)) {
            copy_field(out->system, &agent, "name");
            copy_field(out->version, &agent, "version");
        }
    }
}

static void read_ours(struct manifest_found *out, struct cbor_in in)
{
    char text[MANIFEST_TEXT_MAX];
    uint8_t id[8];

    copy_field(text, &in, "id");
    if (strlen(text) != 16 || !crypto_unhex(id, sizeof(id), text, 16))
        return;
    out->has_id = true;
    out->id = 0;
    for (int i = 0; i < 8; i++)
        out->id = out->id << 8 | id[i];
}

/* False: the second hash of the file, where one may be. Each costs a reading of all of it. */
static bool read_assertion(struct manifest_found *out, struct parts *p, const char *label,
                           struct cbor_in content)
{
    if (!strcmp(label, MANIFEST_HASH)) {
        out->is_bound = !p->is_hash_seen && check_binding(p, content);
        if (p->is_hash_seen)
            return false;
        p->is_hash_seen = true;
    } else if (!strcmp(label, MANIFEST_ACTIONS))
        read_actions(out, content);
    else if (!strcmp(label, MANIFEST_OURS))
        read_ours(out, content);
    return true;
}

/* One of those that the claim names: is it there, as it was? */
static bool check_assertion(struct manifest_found *out, struct parts *p, struct cbor_in link)
{
    static const char before[] = "self#jumbf=";
    struct cbor_in value, content;
    struct cbor_item url, hash;
    struct jumbf_box box;
    char label[JUMBF_LABEL_MAX];
    const uint8_t *slash;
    size_t count;
    uint8_t sum[32];

    if (!cbor_find(&link, "url", &value) || !cbor_expect(&value, CBOR_TEXT, &url) ||
        !cbor_find(&link, "hash", &value) || !cbor_expect(&value, CBOR_BYTES, &hash) ||
        hash.value != sizeof(sum) || url.value < sizeof(before) ||
        memcmp(url.data, before, sizeof(before) - 1))
        return false;
    slash = memrchr(url.data, '/', url.value);
    if (!slash)
        return false;
    count = (size_t)(url.data + url.value - slash) - 1;
    if (count >= sizeof(label))
        return false;
    memcpy(label, slash + 1, count);
    label[count] = '\0';
    if (!jumbf_find(p->assertions.content, label, &box))
        return false;
    crypto_sha256(sum, box.data, box.count);
    if (memcmp(sum, hash.data, sizeof(sum)))
        return false;
    if (!jumbf_content(&box, &content)) /* JSON, pictures: nothing of ours */
        return true;
    return read_assertion(out, p, label, content);
}

static bool check_list(struct manifest_found *out, struct parts *p, struct cbor_in list)
{
    struct cbor_item count;

    if (!cbor_expect(&list, CBOR_ARRAY, &count) || count.value > ASSERTIONS_MAX)
        return false;
    for (uint64_t i = 0; i < count.value; i++) {
        struct cbor_in link = list;

        if (!cbor_skip(&list) || !check_assertion(out, p, link))
            return false;
    }
    return true;
}

/* Those that whoever signed made himself, and those that he was given, which need not be there. */
static bool check_assertions(struct manifest_found *out, struct parts *p)
{
    struct cbor_in list;

    return cbor_find(&p->claim_cbor, "created_assertions", &list) && check_list(out, p, list) &&
           (!cbor_find(&p->claim_cbor, "gathered_assertions", &list) || check_list(out, p, list));
}

/* Does the claim speak of this manifest? Its name is covered by nothing else. */
static bool check_name(const struct parts *p)
{
    static const char before[] = "self#jumbf=/c2pa/";
    const size_t skip = sizeof(before) - 1, length = strlen(p->manifest.label);
    struct cbor_in value;
    struct cbor_item url;

    if (!cbor_find(&p->claim_cbor, "signature", &value) || !cbor_expect(&value, CBOR_TEXT, &url))
        return false;
    if (url.value < skip || memcmp(url.data, before, skip)) /* said without it */
        return true;
    return url.value > skip + length && url.data[skip + length] == '/' &&
           !memcmp(url.data + skip, p->manifest.label, length);
}

/* ---- all of it ---- */

static bool is_ours(const struct certs_leaf *leaf, const struct certs *own)
{
    return own && leaf->kind == own->leaf.kind && leaf->pub_bytes == own->leaf.pub_bytes &&
           !memcmp(leaf->pub, own->leaf.pub, leaf->pub_bytes);
}

static enum status read_store(struct manifest_found *out, struct parts *p, struct bytes store,
                              const struct certs *own, struct why *why)
{
    if (!split(p, (struct cbor_in){store.data, store.data + store.count, false}))
        return why_fail(why, ST_INVALID,
                        "the file has a manifest, which is damaged or of a kind that limner does "
                        "not read");
    if (strlen(p->manifest.label) < sizeof(out->urn))
        memcpy(out->urn, p->manifest.label, strlen(p->manifest.label) + 1);
    out->is_signed = check_name(p) && check_signature(p, &out->leaf);
    out->is_signed = check_assertions(out, p) && out->is_signed;
    out->is_ours = out->is_signed && is_ours(&out->leaf, own);
    return ST_OK;
}

enum status manifest_read(struct manifest_found *out, const void *file, size_t bytes,
                          const struct certs *own, struct why *why)
{
    struct parts parts = {.file = file, .file_bytes = bytes};
    enum format format;
    struct bytes store;
    enum status st = chunks_find(&store, &parts.range, CHUNKS_C2PA, file, bytes, why);

    *out = (struct manifest_found){.urn = ""};
    if (st)
        return st;
    parts.is_filled =
        chunks_format(&format, file, bytes) && format == FORMAT_WEBP && store.count % 2;
    st = read_store(out, &parts, store, own, why);
    bytes_close(&store);
    return st;
}
