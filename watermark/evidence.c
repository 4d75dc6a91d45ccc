/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/evidence.h"

#include "base/crypto.h"
#include "watermark/sink.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SUMS_MAX   8192
#define README_MAX 2048

/* A sink that remembers what went in. */
struct pack {
    struct sink sink;
    char sums[SUMS_MAX];
    size_t used;
};

static enum status put(struct pack *p, const char *name, const void *data, size_t bytes,
                       struct why *why)
{
    uint8_t hash[32];
    char hex[65];
    int n;

    crypto_sha256(hash, data, bytes);
    crypto_hex(hex, hash, sizeof(hash));
    n = snprintf(p->sums + p->used, SUMS_MAX - p->used, "%s  %s\n", hex, name);
    assert(n > 0 && (size_t)n < SUMS_MAX - p->used);
    p->used += (size_t)n;
    return sink_put(&p->sink, name, data, bytes, why);
}

static enum status put_text(struct pack *p, const char *name, const char *text, struct why *why)
{
    return put(p, name, text, strlen(text), why);
}

static enum status put_readme(struct pack *p, int64_t index, const char *vkey, struct why *why)
{
    char text[README_MAX];
    int n = snprintf(
        text, sizeof(text),
        "This is the evidence for record %" PRId64 " of the log of\n\n    %s\n"
        "What each file is:\n\n"
        "    record      the record, one line of JSON, as it was hashed\n"
        "    proof       that it is in the log (c2sp.org/tlog-proof@v1), with the signed head\n"
        "    checkpoint  that head by itself\n"
        "    key         the log's public key\n"
        "    verifier/   a program that checks them, in Python, with its own README\n"
        "    SHA256SUMS  of all of these: sha256sum -c SHA256SUMS\n\n"
        "Check it, with Python 3.9 or newer and its package `cryptography`:\n\n"
        "    python3 verifier/verify_log.py proof proof record --key key\n\n"
        "The record's sha256 is of the picture's bytes as they were returned: compare it with\n"
        "sha256sum of the picture. pixels_sha256 is of its decoded pixels (8-bit RGB, row by "
        "row).\n"
        "Compare the key with one that you have from the log's operator by another way: a key "
        "that\n"
        "came in this package shows that its parts fit, and nothing about who signed them.\n",
        index, vkey);

    assert(n > 0 && n < README_MAX);
    return put(p, "README.txt", text, (size_t)n, why);
}

/* Its bytes are the caller's to release when it is ST_OK. */
static enum status find(struct ledger *l, int64_t index, struct store_leaf *leaf, struct why *why)
{
    int count = 1;
    enum status st = ledger_entries(l, index, leaf, &count, why);

    if (st)
        return st;
    if (count && leaf->index == index && leaf->record.count)
        return ST_OK;
    if (count)
        ledger_release(leaf, 1);
    return why_fail(why, ST_MISSING, "the log has no record %" PRId64 ", or it has expired", index);
}

static enum status put_all(struct pack *p, const struct store_leaf *leaf, const char *proof,
                           const char *vkey, struct why *why)
{
    const char *note = strstr(proof, "\n\n") + 2;
    enum status st = put(p, "record", leaf->record.data, leaf->record.count, why);

    if (!st)
        st = put_text(p, "proof", proof, why);
    if (!st)
        st = put_text(p, "checkpoint", note, why);
    if (!st)
        st = put_text(p, "key", vkey, why);
    return st ? st : put_readme(p, leaf->index, vkey, why);
}

static enum status put_verifier(struct pack *p, const struct evidence_file *file, int count,
                                struct why *why)
{
    enum status st = ST_OK;

    for (int i = 0; i < count && !st; i++) {
        char name[80];
        int n = snprintf(name, sizeof(name), "verifier/%s", file[i].name);

        assert(n > 0 && n < (int)sizeof(name));
        st = put(p, name, file[i].data, file[i].bytes, why);
    }
    return st;
}

enum status evidence_write(struct ledger *l, const uint8_t key[CHECKPOINT_PUBLIC], int64_t index,
                           const struct evidence_file *verifier, int count, const char *path,
                           struct why *why)
{
    char proof[CHECKPOINT_PROOF_MAX], vkey[CHECKPOINT_VKEY_MAX + 1];
    struct store_leaf leaf;
    struct checkpoint head;
    struct pack p = {.used = 0};
    const char *note;
    enum status st = find(l, index, &leaf, why);

    if (st)
        return st;
    st = ledger_proof(l, index, 0, proof, why);
    if (!st) {
        note = strstr(proof, "\n\n") + 2;
        st = checkpoint_parse(&head, note, strlen(note), why);
    }
    if (!st)
        st = sink_open(&p.sink, path, leaf.time_ns / 1000000000, why);
    if (!st) {
        checkpoint_vkey(vkey, head.origin, key);
        strcat(vkey, "\n");
        st = put_all(&p, &leaf, proof, vkey, why);
        if (!st)
            st = put_verifier(&p, verifier, count, why);
        if (!st)
            st = sink_put(&p.sink, "SHA256SUMS", p.sums, p.used, why);
        st = sink_close(&p.sink, st, why);
    }
    ledger_release(&leaf, 1);
    return st;
}
