/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/marking.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "watermark/fingerprint.h"
#include "watermark/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM   "limner-tile/1"
#define STRONGER_DB 2.0  /* less PSNR, when the mark was not read back */
#define ID_TRIES    8    /* ids that were given before are rarer than broken generators */
#define HEX_BYTES   8    /* of a tenant's pseudonym */
#define CLEAR_MAX   4096 /* bytes of a prompt that are kept; of a longer one only its hash is */

struct marker {
    struct marker_options options;
    atomic_ullong marked, again, weak, failed, logged;
};

enum status marking_open(struct marker **out, const struct marker_options *o, struct why *why)
{
    struct marker *m = calloc(1, sizeof(*m));

    assert(o->key_count >= 1 && o->key_count <= MARKING_KEYS_MAX && o->ledger && o->signer);
    *out = m;
    if (!m)
        return why_fail(why, ST_FULL, "no memory for what marks pictures");
    m->options = *o;
    return ST_OK;
}

void marking_close(struct marker **m)
{
    free(*m);
    *m = NULL;
}

int marking_side_min(const struct marker *m)
{
    return m ? MARK_SIDE_MIN : 0;
}

/* ---- the mark ---- */

/* Of chance alone, and nobody else's. */
static enum status draw_id(struct marker *m, uint64_t *out, struct why *why)
{
    struct record other;

    for (int i = 0; i < ID_TRIES; i++) {
        enum status st = crypto_random(out, sizeof(*out));

        if (st)
            return why_fail(why, st, "the system gives no randomness");
        st = ledger_find_id(m->options.ledger, *out, &other, why);
        if (st == ST_MISSING)
            return ST_OK;
        if (st)
            return st;
    }
    return why_fail(why, ST_IO, "%d random ids in a row were given before", ID_TRIES);
}

/* Keys take turns by chance, so that many pictures laid over each other do not show one of them. */
static const struct mark_key *key_for(const struct marker *m, uint64_t id)
{
    return m->options.key[(id >> 32) % (unsigned)m->options.key_count];
}

static const char *const verdicts[] = {
    [MARK_ABSENT] = "absent", [MARK_PRESENT] = "present", [MARK_ID] = "id"};

static bool is_read(const struct mark_finding *f, uint64_t id)
{
    return f->verdict == MARK_ID && f->id == id;
}

static enum status embed_once(struct marker *m, struct marking *p, struct image *image, double psnr,
                              bool *good, struct why *why)
{
    const struct mark_key *key = key_for(m, p->id);
    struct record_mark *mark = &p->record.mark;
    struct mark_finding finding;
    struct mark_result result;
    enum status st =
        mark_embed(image, key, p->id, &(struct mark_options){.psnr = psnr}, &result, why);

    if (!st)
        st = mark_read_back(&finding, image, key, why);
    if (st)
        return st;
    *good = is_read(&finding, p->id);
    *mark = (struct record_mark){.alg = ALGORITHM,
                                 .key = mark_key_id(key),
                                 .psnr = (int)lround(result.psnr * 1e3),
                                 .strength = (int)lround(result.strength * 1e6),
                                 .z = (int)lround(finding.z_id * 1e3),
                                 .weak = !*good || result.weak};
    snprintf(mark->verdict, sizeof(mark->verdict), "%s", verdicts[finding.verdict]);
    return ST_OK;
}

/* Once more from the pixels as they were, with a stronger mark. */
static enum status embed_again(struct marker *m, struct marking *p, struct image *image,
                               const uint8_t *plain, bool *good, struct why *why)
{
    double psnr = p->record.mark.psnr / 1e3 - STRONGER_DB;

    memcpy(image->rgb, plain, image_bytes(image));
    atomic_fetch_add(&m->again, 1);
    return embed_once(m, p, image, psnr, good, why);
}

static enum status embed(struct marker *m, struct marking *p, struct image *image, struct why *why)
{
    uint8_t *plain = malloc(image_bytes(image));
    bool good = false;
    enum status st;

    if (!plain)
        return why_fail(why, ST_FULL, "no memory to mark a picture");
    memcpy(plain, image->rgb, image_bytes(image));
    st = embed_once(m, p, image, 0, &good, why);
    if (!st && !good)
        st = embed_again(m, p, image, plain, &good, why);
    free(plain);
    if (!st && !good)
        atomic_fetch_add(&m->weak, 1);
    return st;
}

/* ---- the record ---- */

/* Who has the key can tell which of its tenants it is; the log cannot. */
static void write_pseudonym(char out[STORE_LEAF_TENANT_MAX], const struct marker *m,
                            const char *tenant)
{
    struct crypto_hmac hmac;
    uint8_t word[32];

    crypto_hmac(&hmac, m->options.tenant_key, CRYPTO_KEY_BYTES);
    crypto_hmac_add_text(&hmac, "tenant");
    crypto_hmac_add_text(&hmac, tenant);
    crypto_hmac_end(&hmac, word);
    crypto_hex(out, word, HEX_BYTES);
}

static void copy(char *out, size_t size, const char *text)
{
    record_text(out, size, text ? text : "");
}

static const char *format_name(enum format format)
{
    static const char *const names[] = {"png", "webp", "jpeg"};

    return names[format];
}

static void describe(const struct marker *m, struct marking *p, const struct image *image)
{
    struct record *r = &p->record;
    uint8_t hash[32];

    *r = (struct record){.kind = RECORD_EMBED,
                         .has_id = true,
                         .id = p->id,
                         .width = image->width,
                         .height = image->height,
                         .quality = p->format == FORMAT_PNG ? 0 : p->quality,
                         .mark = r->mark};
    crypto_sha256(hash, image->rgb, image_bytes(image));
    crypto_hex(r->pixels_sha256, hash, sizeof(hash));
    r->has_fingerprint = fingerprint_make(r->fingerprint, image, m->options.fingerprint_key);
    copy(r->unmarked_sha256, sizeof(r->unmarked_sha256), p->unmarked_sha256);
    copy(r->format, sizeof(r->format), format_name(p->format));
    copy(r->model, sizeof(r->model), p->model);
    copy(r->weights_sha256, sizeof(r->weights_sha256), p->weights_sha256);
    copy(r->request, sizeof(r->request), p->request);
    copy(r->endpoint, sizeof(r->endpoint), p->endpoint);
    copy(r->decision, sizeof(r->decision), p->decision);
    snprintf(r->system, sizeof(r->system), "%s/%s", m->options.signer->system,
             m->options.signer->version);
    if (p->tenant && *p->tenant)
        write_pseudonym(r->tenant, m, p->tenant);
}

enum status marking_embed(struct marker *m, struct marking *p, struct image *image, struct why *why)
{
    enum status st;

    if (!m)
        return ST_OK;
    st = draw_id(m, &p->id, why);
    if (!st)
        st = embed(m, p, image, why);
    if (st) {
        atomic_fetch_add(&m->failed, 1);
        return st;
    }
    describe(m, p, image);
    atomic_fetch_add(&m->marked, 1);
    return ST_OK;
}

/* ---- the file ---- */

static enum status sign(struct marker *m, struct marking *p, struct bytes *body, struct why *why)
{
    const struct manifest_facts facts = {.id = p->id,
                                         .time_s = clock_unix_s(),
                                         .model = p->record.model,
                                         .weights_sha256 = p->record.weights_sha256};
    struct manifest_made made;
    enum status st = manifest_sign(m->options.signer, body, &facts, &made, why);

    if (st)
        return st;
    copy(p->record.manifest, sizeof(p->record.manifest), made.urn);
    crypto_hex(p->record.manifest_sha256, made.sha256, sizeof(made.sha256));
    return ST_OK;
}

enum status marking_seal(struct marker *m, struct marking *p, const struct image *image,
                         struct bytes *body, struct why *why)
{
    const struct encode_options options = {.format = p->format, .quality = p->quality};
    enum status st = encode_image(body, image, options);

    if (st)
        return why_fail(why, st, "the picture could not be encoded: out of memory");
    if (!m)
        return ST_OK;
    st = sign(m, p, body, why);
    if (st) {
        bytes_close(body);
        atomic_fetch_add(&m->failed, 1);
    }
    return st;
}

/* ---- the log ---- */

static void write_text(struct json_out *o, const char *key, const char *hash_key, const char *text)
{
    uint8_t hash[32];
    char hex[65];

    if (!text || strlen(text) <= CLEAR_MAX) {
        json_out_string(o, key, text ? text : "");
        return;
    }
    crypto_sha256(hash, text, strlen(text));
    crypto_hex(hex, hash, sizeof(hash));
    json_out_string(o, hash_key, hex);
}

/* What stands behind the commitment, and can be erased. */
static void write_clear(struct json_out *o, const struct marking *p)
{
    char seed[24];

    snprintf(seed, sizeof(seed), "%" PRIu64, p->seed);
    json_out_object(o, NULL);
    write_text(o, "prompt", "prompt_sha256", p->prompt);
    write_text(o, "negative", "negative_sha256", p->negative);
    json_out_string(o, "user", p->user ? p->user : "");
    json_out_string(o, "seed", seed);
    json_out_object_end(o);
}

enum status marking_log(struct marker *m, struct marking *p, const struct bytes *body,
                        struct why *why)
{
    struct json_out clear = {0};
    uint8_t hash[32];
    enum status st;

    if (!m)
        return ST_OK;
    crypto_sha256(hash, body->data, body->count);
    crypto_hex(p->record.sha256, hash, sizeof(hash));
    write_clear(&clear, p);
    st = clear.failed ? why_fail(why, ST_FULL, "no memory for a record of the log")
                      : ledger_append(m->options.ledger, &p->record, clear.text, why);
    json_out_close(&clear);
    atomic_fetch_add(st ? &m->failed : &m->logged, 1);
    return st;
}

enum status marking_run(struct marker *m, struct marking *p, struct image *image,
                        struct bytes *body, struct why *why)
{
    enum status st = marking_embed(m, p, image, why);

    if (!st)
        st = marking_seal(m, p, image, body, why);
    if (!st)
        st = marking_log(m, p, body, why);
    if (st)
        bytes_close(body);
    return st;
}

void marking_get_stats(const struct marker *m, struct marking_stats *out)
{
    *out = (struct marking_stats){.marked = atomic_load(&m->marked),
                                  .marked_again = atomic_load(&m->again),
                                  .weak = atomic_load(&m->weak),
                                  .failed = atomic_load(&m->failed),
                                  .logged = atomic_load(&m->logged)};
}
