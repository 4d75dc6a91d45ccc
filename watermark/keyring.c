/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/keyring.h"

#include "base/crypto.h"
#include "base/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET_BYTES 32

static enum status place(char path[PATH_MAX], const char *folder, const char *name, struct why *why)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
        return ST_OK;
    return why_fail(why, ST_INVALID, "the name of the folder of keys is too long");
}

/* 64 digits of hex, of chance when there is no such file. */
static enum status read_secret(uint8_t out[SECRET_BYTES], const char *folder, const char *name,
                               struct why *why)
{
    char path[PATH_MAX], text[KEYFILE_BYTES_MAX], fresh[2 * SECRET_BYTES + 2];
    enum status st = place(path, folder, name, why);

    if (st)
        return st;
    if (crypto_random(out, SECRET_BYTES))
        return why_fail(why, ST_IO, "the system gives no randomness");
    crypto_hex(fresh, out, SECRET_BYTES);
    fresh[2 * SECRET_BYTES] = '\n';
    fresh[2 * SECRET_BYTES + 1] = '\0';
    st = keyfile_read(text, path, fresh, why);
    if (!st && !crypto_unhex(out, SECRET_BYTES, text, strcspn(text, "\r\n")))
        st = why_fail(why, ST_INVALID, "%s does not hold %d digits of hex", path, 2 * SECRET_BYTES);
    crypto_wipe(text, sizeof(text));
    crypto_wipe(fresh, sizeof(fresh));
    return st;
}

/* ---- the keys of the mark ---- */

static bool ends(const char *name, const char *end)
{
    size_t length = strlen(name), bytes = strlen(end);

    return length > bytes && !strcmp(name + length - bytes, end);
}

static int is_mark(const struct dirent *entry)
{
    return !strncmp(entry->d_name, "mark-", 5) && ends(entry->d_name, ".key");
}

static enum status add_mark(struct keyring *k, const char *folder, const char *name,
                            struct why *why)
{
    uint8_t secret[SECRET_BYTES];
    enum status st;

    if (k->mark_count == MARK_KEYS_MAX)
        return why_fail(why, ST_INVALID, "%s holds more than %d keys of the mark", folder,
                        MARK_KEYS_MAX);
    st = read_secret(secret, folder, name, why);
    if (!st)
        st = mark_key_open(&k->mark[k->mark_count], secret, why);
    k->mark_count += !st;
    crypto_wipe(secret, sizeof(secret));
    return st;
}

static enum status add_marks(struct keyring *k, const char *folder, struct why *why)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_mark, alphasort);
    enum status st = ST_OK;

    if (count < 0)
        return why_fail(why, ST_IO, "%s cannot be read: %s", folder, strerror(errno));
    for (int retired = 0; retired < 2; retired++) {
        for (int i = 0; i < count && !st; i++) {
            if (ends(entries[i]->d_name, ".retired.key") == retired)
                st = add_mark(k, folder, entries[i]->d_name, why);
        }
        if (!retired && !st && !k->mark_count)
            st = add_mark(k, folder, "mark-1.key", why);
        if (!retired)
            k->marking_count = k->mark_count;
    }
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return st;
}

/* ---- the keys that sign ---- */

static enum status open_signer(struct sign_key **out, const char *folder, const char *name,
                               enum sign_kind kind, struct why *why)
{
    char path[PATH_MAX];
    enum status st = place(path, folder, name, why);

    if (!st)
        st = sign_create(path, kind, why);
    return st ? st : sign_open(out, path, why);
}

static enum status open_certs(struct keyring *k, const char *folder, const char *provider,
                              struct why *why)
{
    char key[PATH_MAX], path[PATH_MAX];
    enum status st = place(key, folder, "c2pa.pem", why);

    if (!st)
        st = place(path, folder, "c2pa-chain.pem", why);
    if (!st)
        st = certs_create(path, key, provider, why);
    return st ? st : certs_open(&k->certs, path, why);
}

static enum status open_all(struct keyring *k, const char *folder, const char *provider,
                            struct why *why)
{
    enum status st = add_marks(k, folder, why);

    if (!st)
        st = read_secret(k->fingerprint, folder, "fingerprint.key", why);
    if (!st)
        st = read_secret(k->tenant, folder, "tenant.key", why);
    if (!st)
        st = open_signer(&k->ledger, folder, "ledger.pem", SIGN_ED25519, why);
    if (!st && sign_kind(k->ledger) != SIGN_ED25519)
        st = why_fail(why, ST_INVALID, "%s/ledger.pem must be a key of Ed25519", folder);
    if (!st)
        st = open_signer(&k->c2pa, folder, "c2pa.pem", SIGN_ES256, why);
    return st ? st : open_certs(k, folder, provider, why);
}

enum status keyring_open(struct keyring **out, const char *state, const char *provider,
                         struct why *why)
{
    struct keyring *k = calloc(1, sizeof(*k));
    char folder[PATH_MAX];
    enum status st;

    *out = NULL;
    if (!k)
        return why_fail(why, ST_FULL, "no memory for keys");
    st = place(folder, state, KEYRING_FOLDER, why);
    if (!st && mkdir(folder, 0700) && errno != EEXIST)
        st = why_fail(why, ST_IO, "cannot make %s: %s", folder, strerror(errno));
    if (!st)
        st = open_all(k, folder, provider, why);
    if (st)
        keyring_close(&k);
    *out = k;
    return st;
}

void keyring_close(struct keyring **keys)
{
    struct keyring *k = *keys;

    if (!k)
        return;
    for (int i = 0; i < MARK_KEYS_MAX; i++)
        mark_key_close(&k->mark[i]);
    sign_close(&k->ledger);
    sign_close(&k->c2pa);
    certs_close(&k->certs);
    crypto_wipe(k, sizeof(*k));
    free(k);
    *keys = NULL;
}
