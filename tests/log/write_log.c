/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends COUNT records, numbered from FIRST on, to the log in the folder STATE; the log's key is
 * made when there is none:
 *
 *     write_log STATE FIRST COUNT
 */
#include "base/sign.h"
#include "store/store.h"
#include "tests/ledgers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static enum status write_log(const char *state, int first, int count, struct why *why)
{
    struct sign_key *key = NULL;
    struct store *store = NULL;
    struct ledger *ledger = NULL;
    char path[4096];
    enum status st = ST_OK;

    snprintf(path, sizeof(path), "%s/keys", state);
    if (!mkdir(path, 0700)) {
        snprintf(path, sizeof(path), "%s/keys/ledger.pem", state);
        st = sign_create(path, SIGN_ED25519, why);
    }
    snprintf(path, sizeof(path), "%s/keys/ledger.pem", state);
    if (!st)
        st = sign_open(&key, path, why);
    if (!st)
        st = store_open(&store, state, why);
    if (!st)
        st = ledger_open(&ledger, &(struct ledger_options){.store = store, .key = key}, why);
    for (int i = 0; !st && i < count; i++) {
        struct record r = ledgers_record(first + i);

        st = ledger_append(ledger, &r, NULL, why);
    }
    ledger_close(&ledger); /* signs */
    store_close(&store);
    sign_close(&key);
    return st;
}

int main(int argc, char **argv)
{
    struct why why = {""};

    if (argc != 4) {
        fputs("write_log STATE FIRST COUNT\n", stderr);
        return 2;
    }
    if (!write_log(argv[1], atoi(argv[2]), atoi(argv[3]), &why))
        return 0;
    fprintf(stderr, "write_log: %s\n", why.text);
    return 1;
}
