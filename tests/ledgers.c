/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ledgers.h"

#include "base/crypto.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct sign_key *ledgers_key;
uint8_t ledgers_public[SIGN_PUBLIC_MAX];

int ledgers_open_all(void **state)
{
    char path[160];
    struct why why = {""};
    size_t bytes;

    if (rows_open(state))
        return 1;
    snprintf(path, sizeof(path), "%s/ledger.pem", rows_folder);
    rows_good(sign_create(path, SIGN_ED25519, &why), &why);
    rows_good(sign_open(&ledgers_key, path, &why), &why);
    sign_public(ledgers_public, &bytes, ledgers_key);
    return 0;
}

int ledgers_close_all(void **state)
{
    sign_close(&ledgers_key);
    return rows_close(state);
}

static enum status open_as(struct ledger **out, struct store *s, int checkpoint_ms, struct why *why)
{
    const struct ledger_options o = {
        .store = s, .origin = LEDGERS_ORIGIN, .key = ledgers_key, .checkpoint_ms = checkpoint_ms};

    return ledger_open(out, &o, why);
}

struct ledger *ledgers_open(struct store *s, int checkpoint_ms)
{
    struct ledger *l;
    struct why why = {""};

    rows_good(open_as(&l, s, checkpoint_ms, &why), &why);
    return l;
}

enum status ledgers_try(struct store *s, struct why *why)
{
    struct ledger *l;
    enum status st = open_as(&l, s, 0, why);

    assert_true(!st == !!l);
    ledger_close(&l);
    return st;
}

struct record ledgers_record(int number)
{
    struct record r = {.kind = RECORD_EMBED,
                       .has_id = true,
                       .has_fingerprint = true,
                       .id = 1000 + (uint64_t)number,
                       .width = 512,
                       .height = 512,
                       .format = "png",
                       .model = "tiny",
                       .system = "limner/test",
                       .mark = {.alg = "limner-tile/1", .psnr = 42000, .verdict = "id"},
                       .request = "req",
                       .endpoint = "/v1/images/generations"};
    uint8_t hash[32];

    crypto_sha256(hash, &number, sizeof(number));
    crypto_hex(r.sha256, hash, sizeof(hash));
    memcpy(r.fingerprint, hash, sizeof(hash));
    hash[0] ^= 1;
    crypto_hex(r.pixels_sha256, hash, sizeof(hash));
    snprintf(r.tenant, sizeof(r.tenant), "%016x", (unsigned)number % 7);
    snprintf(r.decision, sizeof(r.decision), "dec_%d", number);
    return r;
}

void ledgers_append(struct ledger *l, int number)
{
    struct record r = ledgers_record(number);
    struct why why = {""};

    rows_good(ledger_append(l, &r, NULL, &why), &why);
}

int64_t ledgers_sound(struct ledger *l)
{
    int64_t bad, size = 0;
    struct why why = {""};

    rows_good(ledger_check(l, &bad, &why), &why);
    assert_int_equal(bad, -1);
    rows_good(ledger_size(l, &size, &why), &why);
    return size;
}

void ledgers_proved(struct ledger *l, int64_t index)
{
    char text[CHECKPOINT_PROOF_MAX];
    struct store_leaf leaf = {0};
    struct tree_proof proof;
    struct checkpoint head;
    struct why why = {""};
    const char *note;
    int64_t read = -1;
    int count = 1;

    rows_good(ledger_proof(l, index, 0, text, &why), &why);
    rows_good(checkpoint_proof_parse(&read, &proof, &note, text, strlen(text), &why), &why);
    assert_int_equal(read, index);
    rows_good(checkpoint_check(&head, note, strlen(note), LEDGERS_ORIGIN, ledgers_public, &why),
              &why);
    rows_good(ledger_entries(l, index, &leaf, &count, &why), &why);
    if (!tree_check_inclusion(leaf.hash, index, head.size, (const uint8_t(*)[32])proof.hashes,
                              proof.count, head.root))
        fail_msg("record %" PRId64 " of %" PRId64 " is not proved", index, head.size);
    ledger_release(&leaf, count);
}
