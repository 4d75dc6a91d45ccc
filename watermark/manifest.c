/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/manifest.h"

#include "base/crypto.h"
#include "codec/chunks.h"
#include "watermark/jumbf.h"
#include "watermark/manifest_names.h"
#include "watermark/xmp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASSERTIONS 3
#define UUID_MAX   37
#define ROUNDS     4 /* until the manifest is as long as it says */

/* Numbers of as many bytes as the real ones mostly have: the first round is then the right one. */
#define LIKELY                                                                                     \
    {                                                                                              \
        4096, 4096                                                                                 \
    }

static const char *const labels[ASSERTIONS] = {MANIFEST_ACTIONS, MANIFEST_HASH, MANIFEST_OURS};

/* One manifest on its way. */
struct draft {
    const struct manifest_signer *signer;
    const struct manifest_facts *facts;
    char urn[MANIFEST_URN_MAX], instance[XMP_INSTANCE_MAX], when[XMP_TIME_MAX];
    struct chunks_range range; /* of the manifest in the file */
    uint8_t file_hash[32];
    size_t pad;    /* bytes: 0 or 1 */
    bool is_final; /* worth a signature */
    struct cbor_out out;
    enum status status;
};

enum status manifest_check(const struct manifest_signer *s, int64_t now_s, struct why *why)
{
    const struct certs_leaf *leaf = &s->chain->leaf;
    uint8_t pub[SIGN_PUBLIC_MAX];
    size_t bytes;

    sign_public(pub, &bytes, s->key);
    if (leaf->kind != sign_kind(s->key) || leaf->pub_bytes != bytes ||
        memcmp(leaf->pub, pub, bytes))
        return why_fail(why, ST_INVALID,
                        "the certificate is for another key than the one that "
                        "signs manifests: renew them together");
    if (!leaf->signs_claims)
        return why_fail(why, ST_INVALID,
                        "the certificate is not one for manifests: it needs the key usage "
                        "digitalSignature and the purpose emailProtection or C2PA claim signing");
    if (now_s < leaf->from_s)
        return why_fail(why, ST_INVALID, "the certificate for manifests is not valid yet");
    if (now_s > leaf->until_s)
        return why_fail(why, ST_INVALID, "the certificate for manifests is over: renew it");
    return ST_OK;
}

/* RFC 9562, version 4. */
static enum status make_uuid(char out[UUID_MAX])
{
    uint8_t b[16];
    char hex[33];

    if (crypto_random(b, sizeof(b)))
        return ST_IO;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    crypto_hex(hex, b, sizeof(b));
    snprintf(out, UUID_MAX, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    return ST_OK;
}

/* ---- assertions ---- */

static void write_agent(struct cbor_out *o, const struct manifest_signer *s)
{
    cbor_map(o, 2);
    cbor_text(o, "name");
    cbor_text(o, s->system);
    cbor_text(o, "version");
    cbor_text(o, s->version);
}

static void write_when(struct cbor_out *o, const struct draft *d)
{
    cbor_text(o, "when");
    cbor_tag(o, 0); /* a date as text */
    cbor_text(o, d->when);
}

static void write_actions(struct cbor_out *o, const struct draft *d)
{
    cbor_map(o, 1);
    cbor_text(o, "actions");
    cbor_array(o, 2);
    cbor_map(o, 4);
    write_when(o, d);
    cbor_text(o, "action");
    cbor_text(o, "c2pa.created");
    cbor_text(o, "softwareAgent");
    write_agent(o, d->signer);
    cbor_text(o, "digitalSourceType");
    cbor_text(o, XMP_SOURCE_TYPE);
    cbor_map(o, 2);
    write_when(o, d);
    cbor_text(o, "action");
    cbor_text(o, "c2pa.watermarked.unbound");
}

static void write_hash(struct cbor_out *o, const struct draft *d)
{
    cbor_map(o, 5);
    cbor_text(o, "alg");
    cbor_text(o, "sha256");
    cbor_text(o, "pad");
    cbor_bytes(o, "", d->pad);
    cbor_text(o, "hash");
    cbor_bytes(o, d->file_hash, sizeof(d->file_hash));
    cbor_text(o, "name");
    cbor_text(o, "jumbf manifest");
    cbor_text(o, "exclusions");
    cbor_array(o, 1);
    cbor_map(o, 2);
    cbor_text(o, "start");
    cbor_uint(o, d->range.start);
    cbor_text(o, "length");
    cbor_uint(o, d->range.count);
}

static size_t is_said(const char *value)
{
    return value && *value;
}

static void write_pair(struct cbor_out *o, const char *key, const char *value)
{
    if (!is_said(value))
        return;
    cbor_text(o, key);
    cbor_text(o, value);
}

static void write_ours(struct cbor_out *o, const struct draft *d)
{
    const struct manifest_facts *f = d->facts;
    const char *detector = d->signer->detector_url;
    size_t pairs = 2; /* id and provider */
    char id[17];

    pairs += is_said(f->model) + is_said(f->weights_sha256) + is_said(detector);
    snprintf(id, sizeof(id), "%016" PRIx64, f->id);
    cbor_map(o, pairs);
    write_pair(o, "id", id);
    write_pair(o, "model", f->model);
    write_pair(o, "weights", f->weights_sha256);
    write_pair(o, "detector", detector);
    write_pair(o, "provider", d->signer->provider);
}

/* The box, and the hash that the claim has of it. */
static void write_assertion(struct draft *d, int index, uint8_t hash[32])
{
    static void (*const write[ASSERTIONS])(struct cbor_out *, const struct draft *) = {
        write_actions, write_hash, write_ours};
    struct cbor_out *o = &d->out;
    size_t box = jumbf_begin(o, JUMBF_CBOR, labels[index]), content = jumbf_begin_content(o);

    write[index](o, d);
    jumbf_end(o, content);
    jumbf_end(o, box);
    if (!o->failed)
        crypto_sha256(hash, o->data + box + MANIFEST_BOX_HEAD, o->count - box - MANIFEST_BOX_HEAD);
}

/* ---- claim and signature ---- */

static void write_claim(struct cbor_out *o, const struct draft *d, uint8_t (*hash)[32])
{
    char url[128];

    cbor_map(o, 5);
    cbor_text(o, "alg");
    cbor_text(o, "sha256");
    cbor_text(o, "signature");
    snprintf(url, sizeof(url), "self#jumbf=/c2pa/%s/c2pa.signature", d->urn);
    cbor_text(o, url);
    cbor_text(o, "instanceID");
    cbor_text(o, d->instance);
    cbor_text(o, "created_assertions");
    cbor_array(o, ASSERTIONS);
    for (int i = 0; i < ASSERTIONS; i++) {
        cbor_map(o, 2);
        cbor_text(o, "url");
        snprintf(url, sizeof(url), "self#jumbf=c2pa.assertions/%s", labels[i]);
        cbor_text(o, url);
        cbor_text(o, "hash");
        cbor_bytes(o, hash[i], 32);
    }
    cbor_text(o, "claim_generator_info");
    write_agent(o, d->signer);
}

/* RFC 9052's protected header: which algorithm, and whose key. */
static void write_protected(struct cbor_out *o, const struct manifest_signer *s)
{
    const struct certs *c = s->chain;

    cbor_map(o, 2);
    cbor_uint(o, MANIFEST_COSE_ALG);
    cbor_negative(o, sign_kind(s->key) == SIGN_ES256 ? MANIFEST_ES256 : MANIFEST_EDDSA);
    cbor_uint(o, MANIFEST_COSE_X5CHAIN);
    if (c->count > 1)
        cbor_array(o, (size_t)c->count);
    for (int i = 0; i < c->count; i++)
        cbor_bytes(o, c->certificate[i].der, c->certificate[i].bytes);
}

/* `claim` lies in d->out. */
static void write_signature(struct draft *d, size_t claim, size_t claim_bytes)
{
    uint8_t signature[SIGN_BYTES] = {0};
    struct cbor_out head = {0}, message = {0};

    write_protected(&head, d->signer);
    if (d->is_final && !d->out.failed) {
        cbor_array(&message, 4);
        cbor_text(&message, "Signature1");
        cbor_bytes(&message, head.data, head.count);
        cbor_bytes(&message, NULL, 0);
        cbor_bytes(&message, d->out.data + claim, claim_bytes);
        d->status = message.failed || head.failed
                        ? ST_FULL
                        : sign_make(signature, d->signer->key, message.data, message.count);
    }
    cbor_tag(&d->out, MANIFEST_COSE_SIGN1);
    cbor_array(&d->out, 4);
    cbor_bytes(&d->out, head.data, head.count);
    cbor_map(&d->out, 0);
    cbor_null(&d->out); /* the claim is elsewhere */
    cbor_bytes(&d->out, signature, sizeof(signature));
    d->out.failed = d->out.failed || head.failed;
    cbor_close(&head);
    cbor_close(&message);
}

static void write_store(struct draft *d)
{
    struct cbor_out *o = &d->out;
    uint8_t hash[ASSERTIONS][32] = {{0}};
    size_t store, manifest, box, content, claim, claim_end;

    o->count = 0;
    store = jumbf_begin(o, JUMBF_STORE, "c2pa");
    manifest = jumbf_begin(o, JUMBF_MANIFEST, d->urn);
    box = jumbf_begin(o, JUMBF_ASSERTIONS, MANIFEST_ASSERTIONS);
    for (int i = 0; i < ASSERTIONS; i++)
        write_assertion(d, i, hash[i]);
    jumbf_end(o, box);
    box = jumbf_begin(o, JUMBF_CLAIM, MANIFEST_CLAIM);
    content = jumbf_begin_content(o);
    claim = o->count;
    write_claim(o, d, hash);
    claim_end = o->count;
    jumbf_end(o, content);
    jumbf_end(o, box);
    box = jumbf_begin(o, JUMBF_SIGNATURE, MANIFEST_SIGNATURE);
    content = jumbf_begin_content(o);
    write_signature(d, claim, claim_end - claim);
    jumbf_end(o, content);
    jumbf_end(o, box);
    jumbf_end(o, manifest);
    jumbf_end(o, store);
    if (o->failed)
        d->status = ST_FULL;
}

/* ---- into the file ---- */

static enum status put_xmp(const struct draft *d, struct bytes *file, struct why *why)
{
    const struct manifest_signer *s = d->signer;
    const struct xmp_facts facts = {.provider = s->provider,
                                    .system = s->system,
                                    .version = s->version,
                                    .time_s = d->facts->time_s,
                                    .id = d->facts->id,
                                    .instance = d->instance,
                                    .detector_url = s->detector_url,
                                    .gb45438 = s->gb45438};
    char text[XMP_BYTES_MAX];
    struct chunks_range range;
    size_t bytes;
    enum status st = xmp_write(text, &bytes, &facts, why);

    return st ? st : chunks_put(file, CHUNKS_XMP, text, bytes, &range, why);
}

/* Of even length: RIFF fills up an odd chunk, and whether that byte belongs to the manifest is read
   in two ways. */
static void write_even(struct draft *d)
{
    write_store(d);
    if (d->out.count % 2 == 0)
        return;
    d->pad = !d->pad;
    write_store(d);
}

/* Where it will lie depends on how long it is, and that on the numbers that say where it lies. */
static enum status settle(struct draft *d, struct bytes *file, struct why *why)
{
    for (int i = 0; i < ROUNDS; i++) {
        const struct chunks_range before = d->range;
        enum status st;

        write_even(d);
        if (d->status)
            return why_fail(why, d->status, "no memory for a manifest");
        st = chunks_put(file, CHUNKS_C2PA, d->out.data, d->out.count, &d->range, why);
        if (st)
            return st;
        if (before.start == d->range.start && before.count == d->range.count)
            return ST_OK;
    }
    return why_fail(why, ST_INVALID, "the manifest does not find its place in the file");
}

static enum status seal(struct draft *d, struct bytes *file, struct why *why)
{
    size_t behind = d->range.start + d->range.count;
    struct chunks_range range;
    struct crypto_hash hash;
    enum status st;

    crypto_hash(&hash);
    crypto_hash_add(&hash, file->data, d->range.start);
    crypto_hash_add(&hash, file->data + behind, file->count - behind);
    crypto_hash_end(&hash, d->file_hash);
    d->is_final = true;
    write_store(d);
    if (d->status)
        return why_fail(why, d->status, "a manifest cannot be signed: no memory or randomness");
    st = chunks_put(file, CHUNKS_C2PA, d->out.data, d->out.count, &range, why);
    assert(st || (range.start == d->range.start && range.count == d->range.count));
    return st;
}

static enum status name(struct draft *d, struct why *why)
{
    char uuid[2][UUID_MAX];

    if (make_uuid(uuid[0]) || make_uuid(uuid[1]))
        return why_fail(why, ST_IO, "the system gives no randomness");
    snprintf(d->urn, sizeof(d->urn), "urn:c2pa:%s", uuid[0]);
    snprintf(d->instance, sizeof(d->instance), "xmp:iid:%s", uuid[1]);
    xmp_time(d->when, d->facts->time_s);
    return ST_OK;
}

enum status manifest_sign(const struct manifest_signer *s, struct bytes *file,
                          const struct manifest_facts *f, struct manifest_made *out,
                          struct why *why)
{
    struct draft d = {.signer = s, .facts = f, .range = LIKELY};
    enum status st = name(&d, why);

    if (!st)
        st = put_xmp(&d, file, why);
    if (!st)
        st = settle(&d, file, why);
    if (!st)
        st = seal(&d, file, why);
    if (!st) {
        memcpy(out->urn, d.urn, sizeof(out->urn));
        crypto_sha256(out->sha256, d.out.data, d.out.count);
    }
    cbor_close(&d.out);
    return st;
}
