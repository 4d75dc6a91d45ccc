/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/checkpoint.h"

#include "base/crypto.h"
#include "base/sign.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DASH           "\xe2\x80\x94" /* U+2014, which begins a line of a signature */
#define ED25519        1              /* the algorithm's byte in C2SP's signed-note */
#define ID_BYTES       4
#define SIG_BYTES      64
#define SIGNATURES_MAX 16
#define LINE_MAX_BYTES 8192 /* of a note that is parsed */
#define BASE64_HASH    44
#define BASE64_SIG     92 /* of id and signature */
#define BASE64_KEY     44 /* of the algorithm's byte and the key */

#define PROOF_HEAD "c2sp.org/tlog-proof@v1\n"

enum status checkpoint_origin_check(const char *origin, struct why *why)
{
    size_t n = strnlen(origin, CHECKPOINT_ORIGIN_MAX);

    for (size_t i = 0; i < n; i++)
        if (origin[i] <= 0x20 || origin[i] > 0x7e || origin[i] == '+')
            n = 0;
    if (!n || n == CHECKPOINT_ORIGIN_MAX)
        return why_fail(why, ST_INVALID,
                        "a log's origin is 1 to %d characters of ASCII without blanks and plus, as "
                        "example.org/log",
                        CHECKPOINT_ORIGIN_MAX - 1);
    return ST_OK;
}

static void key_id(uint8_t out[ID_BYTES], const char *origin, const uint8_t key[CHECKPOINT_PUBLIC])
{
    uint8_t text[CHECKPOINT_ORIGIN_MAX + 2 + CHECKPOINT_PUBLIC], hash[32];
    size_t n = strlen(origin);

    assert(n < CHECKPOINT_ORIGIN_MAX);
    memcpy(text, origin, n);
    text[n] = '\n';
    text[n + 1] = ED25519;
    memcpy(text + n + 2, key, CHECKPOINT_PUBLIC);
    crypto_sha256(hash, text, n + 2 + CHECKPOINT_PUBLIC);
    memcpy(out, hash, ID_BYTES);
}

/* ---- writing ---- */

enum status checkpoint_write(char out[CHECKPOINT_BYTES_MAX], const struct checkpoint *c,
                             const struct sign_key *key, struct why *why)
{
    uint8_t public[65], signature[ID_BYTES + SIG_BYTES];
    char root[BASE64_HASH + 1], base64[BASE64_SIG + 1];
    size_t bytes = 0;
    enum status st = checkpoint_origin_check(c->origin, why);
    int n;

    if (st)
        return st;
    sign_public(public, &bytes, key);
    if (bytes != CHECKPOINT_PUBLIC)
        return why_fail(why, ST_INVALID, "a log is signed with Ed25519; this key is another's");
    crypto_base64_encode(root, c->root, TREE_HASH);
    n = snprintf(out, CHECKPOINT_BYTES_MAX, "%s\n%" PRId64 "\n%s\n", c->origin, c->size, root);
    assert(n > 0 && n < CHECKPOINT_BYTES_MAX);
    st = sign_make(signature + ID_BYTES, key, out, (size_t)n);
    if (st)
        return why_fail(why, st, "the log's head cannot be signed");
    key_id(signature, c->origin, public);
    crypto_base64_encode(base64, signature, sizeof(signature));
    n += snprintf(out + n, CHECKPOINT_BYTES_MAX - (size_t)n, "\n" DASH " %s %s\n", c->origin,
                  base64);
    assert(n < CHECKPOINT_BYTES_MAX);
    return ST_OK;
}

void checkpoint_vkey(char out[CHECKPOINT_VKEY_MAX], const char *origin,
                     const uint8_t key[CHECKPOINT_PUBLIC])
{
    uint8_t id[ID_BYTES], both[1 + CHECKPOINT_PUBLIC] = {ED25519};
    char hex[2 * ID_BYTES + 1], base64[BASE64_KEY + 1];
    int n;

    memcpy(both + 1, key, CHECKPOINT_PUBLIC);
    key_id(id, origin, key);
    crypto_hex(hex, id, sizeof(id));
    crypto_base64_encode(base64, both, sizeof(both));
    n = snprintf(out, CHECKPOINT_VKEY_MAX, "%s+%s+%s", origin, hex, base64);
    assert(n > 0 && n < CHECKPOINT_VKEY_MAX);
}

void checkpoint_proof_write(char out[CHECKPOINT_PROOF_MAX], int64_t index,
                            const struct tree_proof *proof, const char *note)
{
    int n = snprintf(out, CHECKPOINT_PROOF_MAX, PROOF_HEAD "index %" PRId64 "\n", index);

    for (int i = 0; i < proof->count; i++) {
        crypto_base64_encode(out + n, proof->hashes[i], TREE_HASH);
        n += BASE64_HASH;
        out[n++] = '\n';
    }
    n += snprintf(out + n, CHECKPOINT_PROOF_MAX - (size_t)n, "\n%s", note);
    assert(n < CHECKPOINT_PROOF_MAX);
}

/* ---- reading ---- */

struct lines {
    const char *at, *end;
};

/* The next line without its end, which has to be there: within `size` bytes and without NULs. */
static bool take_line(struct lines *l, const char **line, size_t *bytes)
{
    const char *end = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;

    if (!end || memchr(l->at, '\0', (size_t)(end - l->at)) || end - l->at > LINE_MAX_BYTES)
        return false;
    *line = l->at;
    *bytes = (size_t)(end - l->at);
    l->at = end + 1;
    return true;
}

/* A number from 0 on, without zeros before it. */
static bool take_number(int64_t *out, const char *text, size_t bytes)
{
    int64_t n = 0;

    if (!bytes || bytes > 18 || (text[0] == '0' && bytes > 1))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (text[i] - '0');
    }
    *out = n;
    return true;
}

/* Base64 as it is written here of exactly `size` bytes, 128 at most: what has another spelling of
   the same bytes is refused. */
static bool take_base64(void *out, size_t size, const char *text, size_t bytes)
{
    char again[128 * 4 / 3 + 8];
    size_t n = 0;

    assert(size <= 128);
    if (bytes != crypto_base64_length(size) || !crypto_base64_decode(out, size, &n, text, bytes) ||
        n != size)
        return false;
    crypto_base64_encode(again, out, size);
    return !memcmp(again, text, bytes);
}

/* "DASH NAME BASE64": the name, and what is behind it. */
static bool take_signature(struct lines *l, const char **name, size_t *name_bytes,
                           const char **base64, size_t *base64_bytes)
{
    const char *line, *blank;
    size_t bytes, dash = strlen(DASH " ");

    if (!take_line(l, &line, &bytes) || bytes <= dash || memcmp(line, DASH " ", dash) != 0)
        return false;
    blank = memchr(line + dash, ' ', bytes - dash);
    if (!blank || blank == line + dash)
        return false;
    *name = line + dash;
    *name_bytes = (size_t)(blank - *name);
    *base64 = blank + 1;
    *base64_bytes = bytes - dash - *name_bytes - 1;
    return *base64_bytes > 0 && !memchr(*base64, ' ', *base64_bytes);
}

static enum status no_checkpoint(struct why *why, const char *what)
{
    return why_fail(why, ST_INVALID, "this is no checkpoint of a log: %s", what);
}

/* Up to the empty line; *signed_bytes is what is before it. */
static enum status parse_body(struct checkpoint *out, struct lines *l, struct why *why)
{
    const char *line;
    size_t bytes;

    if (!take_line(l, &line, &bytes) || !bytes || bytes >= sizeof(out->origin))
        return no_checkpoint(why, "its first line is no origin");
    memcpy(out->origin, line, bytes);
    if (checkpoint_origin_check(out->origin, NULL))
        return no_checkpoint(why, "its first line is no origin");
    if (!take_line(l, &line, &bytes) || !take_number(&out->size, line, bytes) ||
        out->size > TREE_SIZE_MAX)
        return no_checkpoint(why, "its second line is no size");
    if (!take_line(l, &line, &bytes) || !take_base64(out->root, TREE_HASH, line, bytes))
        return no_checkpoint(why, "its third line is no root");
    do
        if (!take_line(l, &line, &bytes))
            return no_checkpoint(why, "an empty line before its signatures is missing");
    while (bytes);
    return ST_OK;
}

/* With a key: is one of the signatures its own? */
static enum status parse(struct checkpoint *out, const char *text, size_t bytes, const char *origin,
                         const uint8_t *key, struct why *why)
{
    struct lines l = {text, text + bytes};
    uint8_t id[ID_BYTES], signature[ID_BYTES + SIG_BYTES];
    size_t signed_bytes;
    bool good = false;
    enum status st;

    memset(out, 0, sizeof(*out));
    if (bytes > CHECKPOINT_READ_MAX)
        return no_checkpoint(why, "it is too long");
    st = parse_body(out, &l, why);
    if (st)
        return st;
    signed_bytes = (size_t)(l.at - text) - 1;
    if (key)
        key_id(id, origin, key);
    for (int i = 0; i == 0 || l.at < l.end; i++) {
        const char *name, *base64;
        size_t name_bytes, base64_bytes;

        if (i == SIGNATURES_MAX || !take_signature(&l, &name, &name_bytes, &base64, &base64_bytes))
            return no_checkpoint(why, "a line of a signature is none");
        if (key && name_bytes == strlen(origin) && !memcmp(name, origin, name_bytes) &&
            take_base64(signature, sizeof(signature), base64, base64_bytes) &&
            !memcmp(signature, id, ID_BYTES))
            good |= sign_check(SIGN_ED25519, key, CHECKPOINT_PUBLIC, signature + ID_BYTES, text,
                               signed_bytes);
    }
    if (key && (!good || strcmp(out->origin, origin) != 0))
        return why_fail(why, ST_REFUSED,
                        "the checkpoint is not signed by this key for %s: another log's, or it was "
                        "altered",
                        origin);
    return ST_OK;
}

enum status checkpoint_parse(struct checkpoint *out, const char *text, size_t bytes,
                             struct why *why)
{
    return parse(out, text, bytes, NULL, NULL, why);
}

enum status checkpoint_check(struct checkpoint *out, const char *text, size_t bytes,
                             const char *origin, const uint8_t key[CHECKPOINT_PUBLIC],
                             struct why *why)
{
    enum status st = checkpoint_origin_check(origin, why);

    return st ? st : parse(out, text, bytes, origin, key, why);
}

enum status checkpoint_vkey_parse(char origin[CHECKPOINT_ORIGIN_MAX],
                                  uint8_t key[CHECKPOINT_PUBLIC], const char *text, struct why *why)
{
    uint8_t id[ID_BYTES], told[ID_BYTES], both[1 + CHECKPOINT_PUBLIC];
    const char *plus = strchr(text, '+');
    size_t n = plus ? (size_t)(plus - text) : 0;

    if (n && n < CHECKPOINT_ORIGIN_MAX && strlen(plus) > 2 * ID_BYTES + 2 &&
        plus[2 * ID_BYTES + 1] == '+' && crypto_unhex(told, ID_BYTES, plus + 1, 2 * ID_BYTES) &&
        take_base64(both, sizeof(both), plus + 2 * ID_BYTES + 2, strlen(plus + 2 * ID_BYTES + 2)) &&
        both[0] == ED25519) {
        memcpy(origin, text, n);
        origin[n] = '\0';
        memcpy(key, both + 1, CHECKPOINT_PUBLIC);
        key_id(id, origin, key);
        if (!checkpoint_origin_check(origin, NULL) && !memcmp(id, told, ID_BYTES))
            return ST_OK;
    }
    return why_fail(why, ST_INVALID,
                    "this is no key of a log: ORIGIN+KEYID+BASE64 in one line is one");
}

enum status checkpoint_proof_parse(int64_t *index, struct tree_proof *out, const char **note,
                                   const char *text, size_t bytes, struct why *why)
{
    static const char head[] = PROOF_HEAD, word[] = "index ";
    struct lines l = {text, text + bytes};
    const char *line;
    size_t n;

    out->count = 0;
    if (bytes > CHECKPOINT_READ_MAX || !take_line(&l, &line, &n) || n != strlen(head) - 1 ||
        memcmp(line, head, n) != 0)
        return why_fail(why, ST_INVALID,
                        "this is no proof: c2sp.org/tlog-proof@v1 is what it "
                        "begins with");
    if (!take_line(&l, &line, &n) || n < strlen(word) || memcmp(line, word, strlen(word)) != 0 ||
        !take_number(index, line + strlen(word), n - strlen(word)))
        return why_fail(why, ST_INVALID, "the proof's second line is no index");
    for (;;) {
        if (!take_line(&l, &line, &n))
            return why_fail(why, ST_INVALID, "the proof ends before its checkpoint");
        if (!n)
            break;
        if (out->count == TREE_PROOF_MAX ||
            !take_base64(out->hashes[out->count], TREE_HASH, line, n))
            return why_fail(why, ST_INVALID, "hash %d of the proof is none", out->count + 1);
        out->count++;
    }
    *note = l.at;
    return ST_OK;
}
