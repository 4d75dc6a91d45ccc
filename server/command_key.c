/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "server/auth.h"
#include "server/command_line.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/expiry.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "limner key"

static const char help[] =
    "limner key - who may ask a server for what\n\n"
    "    limner key create [flags]        make a key; it is shown this once\n"
    "    limner key list [flags]          every key, by what may be shown of it\n"
    "    limner key revoke PREFIX [flags] end a key, at once; a running server sees it in a "
    "second\n"
    "\n"
    "    --tenant NAME      who it is for; limits are the tenant's (default)\n"
    "    --scopes A,B       generate, appeal, review, lead, compliance, admin, metrics (generate)\n"
    "    --expires WHEN     30d, 12h, 45m, 2030-12-31 or never (never)\n"
    "    --note TEXT        for whoever reads the list\n"
    "    --state DIR        where the keys are; else as `limner serve` would find it\n"
    "    --config FILE      the server's configuration\n"
    "    --json             for programs\n\n"
    "Once there is a key, every request needs one: Authorization: Bearer KEY.\n";

struct wish {
    const char *word, *prefix; /* of the command */
    struct command_line_common common;
    struct store_key key;
    int64_t now_s;
};

static int complain(const struct why *why, int code)
{
    return command_line_complain(COMMAND, why, code);
}

/* ---- flags ---- */

static enum status take_flag(struct wish *w, int flag, char *value, struct why *why)
{
    switch (flag) {
    case 't':
        if (!tenant_name_is_good(value))
            return why_fail(why, ST_INVALID,
                            "--tenant takes 1 to %d letters, digits, '.', '_', '-'",
                            TENANT_NAME_MAX - 1);
        return command_line_copy(w->key.tenant, sizeof(w->key.tenant), value, "--tenant", why);
    case 's':
        return scope_parse(&w->key.scopes, value, why);
    case 'e':
        return expiry_read(&w->key.expires_s, value, w->now_s, why);
    case 'n':
        return command_line_copy(w->key.note, sizeof(w->key.note), value, "--note", why);
    default:
        return command_line_take(&w->common, COMMAND, flag, value, why);
    }
}

static enum status read_words(struct wish *w, int count, char **words, struct why *why)
{
    bool takes_prefix;

    if (w->common.help)
        return ST_OK;
    w->word = count > 0 ? words[0] : "";
    takes_prefix = !strcmp(w->word, "revoke");
    if (!takes_prefix && strcmp(w->word, "create") && strcmp(w->word, "list"))
        return why_fail(why, ST_INVALID, "say limner key create, list or revoke PREFIX");
    if (takes_prefix && count != 2)
        return why_fail(why, ST_INVALID, "say which one: limner key revoke PREFIX");
    if (!takes_prefix && count != 1)
        return why_fail(why, ST_INVALID, "'%.32s' is too much", words[1]);
    w->prefix = takes_prefix ? words[1] : NULL;
    return ST_OK;
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {{"tenant", required_argument, NULL, 't'},
                                            {"scopes", required_argument, NULL, 's'},
                                            {"expires", required_argument, NULL, 'e'},
                                            {"note", required_argument, NULL, 'n'},
                                            {"state", required_argument, NULL, 'S'},
                                            {"config", required_argument, NULL, 'C'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.now_s = clock_unix_s(),
                       .key = {.tenant = AUTH_TENANT_DEFAULT, .scopes = SCOPE_GENERATE}};
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = take_flag(w, flag, optarg, why);
    return st ? st : read_words(w, count + 1 - optind, args - 1 + optind, why);
}

/* ---- what is said ---- */

static const char *state_of(const struct store_key *key, int64_t now_s)
{
    if (key->revoked_s)
        return "revoked";
    return key->expires_s && key->expires_s <= now_s ? "expired" : "live";
}

static void write_key(struct json_out *o, const struct store_key *key, const char *text,
                      int64_t now_s)
{
    char scopes[SCOPE_TEXT_MAX];

    scope_print(scopes, key->scopes);
    json_out_object(o, NULL);
    json_out_string(o, "prefix", key->prefix);
    if (text)
        json_out_string(o, "key", text);
    json_out_string(o, "tenant", key->tenant);
    json_out_array(o, "scopes");
    for (unsigned bit = 1; bit <= SCOPE_METRICS; bit <<= 1) {
        if (key->scopes & bit)
            json_out_string(o, NULL, scope_name((enum scope)bit));
    }
    json_out_array_end(o);
    json_out_string(o, "note", key->note);
    json_out_string(o, "state", state_of(key, now_s));
    command_line_time(o, "created", key->created_s);
    command_line_time(o, "expires", key->expires_s);
    command_line_time(o, "revoked", key->revoked_s);
    json_out_object_end(o);
}

static int print_one(const struct wish *w, const struct store_key *key, const char *text)
{
    struct json_out o = {0};

    write_key(&o, key, text, w->now_s);
    return command_line_print(COMMAND, &o);
}

static int print_list(const struct wish *w, const struct store_key *keys, int count)
{
    struct json_out o = {0};

    if (w->common.json) {
        json_out_array(&o, NULL);
        for (int i = 0; i < count; i++)
            write_key(&o, &keys[i], NULL, w->now_s);
        json_out_array_end(&o);
        return command_line_print(COMMAND, &o);
    }
    printf("%-12s  %-7s  %-16s  %-16s  %-16s  %s\n", "PREFIX", "STATE", "TENANT", "CREATED (UTC)",
           "EXPIRES (UTC)", "SCOPES");
    for (int i = 0; i < count; i++) {
        char created[EXPIRY_TEXT_MAX], expires[EXPIRY_TEXT_MAX], scopes[SCOPE_TEXT_MAX];

        expiry_print(created, keys[i].created_s);
        expiry_print(expires, keys[i].expires_s);
        scope_print(scopes, keys[i].scopes);
        printf("%-12s  %-7s  %-16s  %-16s  %-16s  %s%s%s\n", keys[i].prefix,
               state_of(&keys[i], w->now_s), keys[i].tenant, created, expires, scopes,
               keys[i].note[0] ? "  # " : "", keys[i].note);
    }
    return 0;
}

/* ---- the three commands ---- */

static int create(struct wish *w, struct store *store)
{
    char text[AUTH_KEY_MAX];
    struct why why = {""};
    int code = 0;

    w->key.created_s = w->now_s;
    if (auth_make(&w->key, text)) {
        fputs("limner key: the system has no random numbers\n", stderr);
        return 1;
    }
    if (store->ops->key_add(store, &w->key, w->now_s, &why))
        code = complain(&why, 1);
    else if (w->common.json)
        code = print_one(w, &w->key, text);
    else
        printf("%s\n", text);
    if (!code && fflush(stdout))
        code = complain(&(struct why){"the key could not be shown: revoke it"}, 1);
    else if (!code && !w->common.json)
        fprintf(stderr, "This key is shown this once. Its prefix %s names it from now on.\n",
                w->key.prefix);
    crypto_wipe(text, sizeof(text));
    return code;
}

static int list(const struct wish *w, struct store *store)
{
    struct store_key *keys = calloc(STORE_KEYS_MAX, sizeof(*keys));
    struct why why = {"out of memory"};
    int count, code;

    if (!keys || store->ops->key_list(store, keys, &count, &why))
        code = complain(&why, 1);
    else
        code = print_list(w, keys, count);
    free(keys);
    return code;
}

static int revoke(const struct wish *w, struct store *store)
{
    char prefix[STORE_PREFIX_MAX], day[EXPIRY_TEXT_MAX];
    struct store_key key;
    struct why why = {""};

    auth_prefix(prefix, w->prefix);
    if (store->ops->key_revoke(store, prefix, w->now_s, &key, &why))
        return complain(&why, 1);
    if (w->common.json)
        return print_one(w, &key, NULL);
    expiry_print(day, key.revoked_s);
    printf("%s is revoked since %s UTC\n", key.prefix, day);
    return 0;
}

static int run(struct wish *w)
{
    struct config config;
    struct store *store = NULL;
    struct why why = {""};
    int code;

    if (config_read(&config, w->common.passed.count, w->common.passed.args, &why))
        code = complain(&why, 2);
    else if (store_open(&store, config.state, &why))
        code = complain(&why, 1);
    else if (!strcmp(w->word, "create"))
        code = create(w, store);
    else
        code = strcmp(w->word, "list") ? revoke(w, store) : list(w, store);
    store_close(&store);
    config_close(&config);
    return code;
}

int command_key(int count, char **args)
{
    struct wish w;
    struct why why = {""};

    if (read_wish(&w, count, args, &why))
        return complain(&why, 2);
    if (!w.common.help)
        return run(&w);
    fputs(help, stdout);
    return 0;
}
