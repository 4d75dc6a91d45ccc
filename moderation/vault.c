/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/vault.h"

#include "base/crypto.h"
#include "base/keyfile.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct master {
    char name[STORE_NAME_MAX];
    uint8_t key[CRYPTO_KEY_BYTES];
};

struct vault {
    int count;
    struct master masters[VAULT_KEYS_MAX]; /* the first seals */
};

#define WRAPPED_BYTES (CRYPTO_KEY_BYTES + CRYPTO_SEAL_BYTES)
static_assert(WRAPPED_BYTES <= STORE_OBJECT_KEY_MAX, "a wrapped key has room in a row");

/* ---- master keys ---- */

static bool take_name(char out[STORE_NAME_MAX], const char *text, size_t length)
{
    if (length == 0 || length >= STORE_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-/", text[i]))
            return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* For a key without a name: the same name wherever it is read. */
static void name_key(struct master *m)
{
    uint8_t hash[32];

    crypto_sha256(hash, m->key, sizeof(m->key));
    memcpy(m->name, "key-", 4);
    crypto_hex(m->name + 4, hash, 6);
}

static const struct master *find(const struct vault *v, const char *name)
{
    for (int i = 0; i < v->count; i++)
        if (!strcmp(v->masters[i].name, name))
            return &v->masters[i];
    return NULL;
}

static bool read_key(struct master *m, const char *line, size_t length)
{
    size_t word = strcspn(line, " \t\r\n"), gap = strspn(line + word, " \t");

    if (word < length)
        return take_name(m->name, line, word) &&
               crypto_unhex(m->key, sizeof(m->key), line + word + gap, length - word - gap);
    if (!crypto_unhex(m->key, sizeof(m->key), line, length))
        return false;
    name_key(m);
    return true;
}

static enum status read_line(struct vault *v, const char *line, size_t length, int number,
                             const char *from, struct why *why)
{
    struct master *m = &v->masters[v->count];

    if (v->count == VAULT_KEYS_MAX)
        return why_fail(why, ST_INVALID, "%s:%d: more than %d master keys", from, number,
                        VAULT_KEYS_MAX);
    if (!read_key(m, line, length))
        return why_fail(why, ST_INVALID,
                        "%s:%d: a master key is written as NAME and 64 digits of hex", from,
                        number);
    if (find(v, m->name))
        return why_fail(why, ST_INVALID, "%s:%d: there is a key %s already", from, number, m->name);
    v->count++;
    return ST_OK;
}

static enum status read_lines(struct vault *v, const char *text, const char *from, struct why *why)
{
    enum status st = ST_OK;

    for (int number = 1; !st && *text; number++) {
        size_t end, length;

        text += strspn(text, " \t");
        end = length = strcspn(text, "\n");
        while (length > 0 && strchr(" \t\r", text[length - 1]))
            length--;
        if (length > 0 && *text != '#')
            st = read_line(v, text, length, number, from, why);
        text += end + (text[end] == '\n');
    }
    if (!st && v->count == 0)
        st = why_fail(why, ST_INVALID, "%s holds no master key", from);
    return st;
}

static enum status open_text(struct vault **out, const char *text, const char *from,
                             struct why *why)
{
    struct vault *v = calloc(1, sizeof(*v));
    enum status st;

    *out = NULL;
    if (!v)
        return why_fail(why, ST_FULL, "no memory for the vault");
    st = read_lines(v, text, from, why);
    if (st)
        vault_close(&v);
    *out = v;
    return st;
}

enum status vault_open(struct vault **out, const char *path, struct why *why)
{
    char text[KEYFILE_BYTES_MAX], fresh[STORE_NAME_MAX + 2 * CRYPTO_KEY_BYTES + 8];
    char hex[2 * CRYPTO_KEY_BYTES + 1];
    struct master m;
    enum status st;

    *out = NULL;
    if (crypto_random(m.key, sizeof(m.key)))
        return why_fail(why, ST_IO, "the system gives no random bytes");
    name_key(&m);
    crypto_hex(hex, m.key, sizeof(m.key));
    snprintf(fresh, sizeof(fresh), "%s %s\n", m.name, hex);
    st = keyfile_read(text, path, fresh, why);
    if (!st)
        st = open_text(out, text, path, why);
    crypto_wipe(&m, sizeof(m));
    crypto_wipe(hex, sizeof(hex));
    crypto_wipe(fresh, sizeof(fresh));
    crypto_wipe(text, sizeof(text));
    return st;
}

enum status vault_open_text(struct vault **out, const char *text, struct why *why)
{
    return open_text(out, text, "the vault's key", why);
}

void vault_close(struct vault **v)
{
    if (*v)
        crypto_wipe(*v, sizeof(**v));
    free(*v);
    *v = NULL;
}

/* ---- objects ---- */

/* What an object is bound to: it opens only where it was put. */
struct binding {
    char text[STORE_ID_MAX + STORE_ID_MAX + STORE_JOB_TENANT_MAX];
    size_t bytes;
};

static struct binding bind_object(const struct store_object *o)
{
    struct binding b = {.text = ""};
    const char *const texts[] = {o->id, o->decision, o->tenant};

    for (int i = 0; i < 3; i++) {
        size_t bytes = strlen(texts[i]) + 1;

        memcpy(b.text + b.bytes, texts[i], bytes);
        b.bytes += bytes;
    }
    return b;
}

static enum status seal(const struct vault *v, struct store_object *o, const uint8_t *key,
                        const void *bytes, size_t count)
{
    struct binding b = bind_object(o);
    enum status st =
        crypto_seal(o->key, v->masters[0].key, o->id, strlen(o->id), key, CRYPTO_KEY_BYTES);

    if (!st)
        st = crypto_seal(o->data.data, key, b.text, b.bytes, bytes, count);
    return st;
}

enum status vault_seal(const struct vault *v, struct store_object *o, const void *bytes,
                       size_t count, struct why *why)
{
    uint8_t key[CRYPTO_KEY_BYTES];
    enum status st = crypto_random(key, sizeof(key));

    o->data = (struct store_bytes){malloc(count + CRYPTO_SEAL_BYTES), count + CRYPTO_SEAL_BYTES};
    if (!o->data.data)
        st = ST_FULL;
    if (!st)
        st = seal(v, o, key, bytes, count);
    crypto_wipe(key, sizeof(key));
    if (st) {
        free(o->data.data);
        o->data = (struct store_bytes){NULL, 0};
        return why_fail(why, st, "what is to be kept could not be sealed (%s)", status_name(st));
    }
    o->key_bytes = WRAPPED_BYTES;
    memcpy(o->master, v->masters[0].name, sizeof(o->master));
    return ST_OK;
}

static enum status unseal(const struct master *m, const struct store_object *o,
                          struct store_bytes *out)
{
    struct binding b = bind_object(o);
    uint8_t key[CRYPTO_KEY_BYTES];
    enum status st = crypto_unseal(key, m->key, o->id, strlen(o->id), o->key, o->key_bytes);

    if (!st)
        st = crypto_unseal(out->data, key, b.text, b.bytes, o->data.data, o->data.count);
    crypto_wipe(key, sizeof(key));
    return st;
}

enum status vault_unseal(const struct vault *v, const struct store_object *o,
                         struct store_bytes *out, struct why *why)
{
    const struct master *m = find(v, o->master);
    enum status st;

    *out = (struct store_bytes){NULL, 0};
    if (o->key_bytes == 0)
        return why_fail(why, ST_MISSING, "what was kept of this decision is destroyed");
    if (!m)
        return why_fail(why, ST_MISSING,
                        "the master key %s is not here; put it back into the "
                        "vault's file",
                        o->master);
    if (o->key_bytes != WRAPPED_BYTES || o->data.count < CRYPTO_SEAL_BYTES)
        return why_fail(why, ST_INVALID, "object %s is not as it was sealed", o->id);
    *out = (struct store_bytes){malloc(o->data.count - CRYPTO_SEAL_BYTES + 1),
                                o->data.count - CRYPTO_SEAL_BYTES};
    if (!out->data)
        return why_fail(why, ST_FULL, "no memory to open object %s", o->id);
    st = unseal(m, o, out);
    if (st) {
        free(out->data);
        *out = (struct store_bytes){NULL, 0};
        return why_fail(why, st, "object %s could not be opened: %s", o->id,
                        st == ST_INVALID ? "it is not as it was sealed" : "no memory");
    }
    return ST_OK;
}
