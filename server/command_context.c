/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"
#include "server/command_line.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/expiry.h"
#include "server/grants.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "limner context"
#define DAY_S   86400

static const char help[] =
    "limner context - which tenant may say what his pictures are for\n\n"
    "    limner context grant TENANT CONTEXT [flags]    as \"medical\", of the server's policy\n"
    "    limner context list [flags]                    every grant, with what it rests on\n"
    "    limner context revoke TENANT CONTEXT [flags]   at once; a server sees it in a second\n"
    "\n"
    "    --evidence TEXT    what it rests on: a contract, a licence number\n"
    "    --expires WHEN     90d, 12h, 2030-12-31; as long as the policy allows when not said\n"
    "    --by NAME          who grants it (the name of this user)\n"
    "    --policy FILE      the policy; else as `limner serve` would find it\n"
    "    --state DIR        where the grants are; else as `limner serve` would find it\n"
    "    --config FILE      the server's configuration\n"
    "    --json             for programs\n\n"
    "A request says \"context\": \"medical\"; without a grant it is refused with 403.\n";

struct wish {
    const char *word; /* of the command */
    struct store_grant grant;
    const char *expires;
    struct command_line_common common;
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
    case 'v':
        return command_line_copy(w->grant.evidence, sizeof(w->grant.evidence), value, "--evidence",
                                 why);
    case 'b':
        return command_line_copy(w->grant.granted_by, sizeof(w->grant.granted_by), value, "--by",
                                 why);
    case 'e':
        w->expires = value;
        return ST_OK;
    default:
        return command_line_take(&w->common, COMMAND, flag, value, why);
    }
}

static enum status read_words(struct wish *w, int count, char **words, struct why *why)
{
    bool names;
    enum status st;

    if (w->common.help)
        return ST_OK;
    w->word = count > 0 ? words[0] : "";
    names = !strcmp(w->word, "grant") || !strcmp(w->word, "revoke");
    if (!names && strcmp(w->word, "list"))
        return why_fail(why, ST_INVALID,
                        "say limner context grant TENANT CONTEXT, list, or revoke TENANT CONTEXT");
    if (names && count != 3)
        return why_fail(why, ST_INVALID, "say whom and what: limner context %s TENANT CONTEXT",
                        w->word);
    if (!names)
        return count == 1 ? ST_OK : why_fail(why, ST_INVALID, "'%.32s' is too much", words[1]);
    if (!tenant_name_is_good(words[1]))
        return why_fail(why, ST_INVALID,
                        "a tenant's name is 1 to %d letters, digits, '.', '_', '-', not '%.64s'",
                        TENANT_NAME_MAX - 1, words[1]);
    st = command_line_copy(w->grant.tenant, sizeof(w->grant.tenant), words[1], "TENANT", why);
    return st ? st
              : command_line_copy(w->grant.context, sizeof(w->grant.context), words[2], "CONTEXT",
                                  why);
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {{"evidence", required_argument, NULL, 'v'},
                                            {"expires", required_argument, NULL, 'e'},
                                            {"by", required_argument, NULL, 'b'},
                                            {"policy", required_argument, NULL, 'P'},
                                            {"state", required_argument, NULL, 'S'},
                                            {"config", required_argument, NULL, 'C'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *user = getenv("USER");
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.now_s = clock_unix_s()};
    snprintf(w->grant.granted_by, sizeof(w->grant.granted_by), "%.60s", user ? user : "operator");
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = take_flag(w, flag, optarg, why);
    return st ? st : read_words(w, count + 1 - optind, args - 1 + optind, why);
}

/* ---- what is said ---- */

static const char *state_of(const struct store_grant *g, int64_t now_s)
{
    if (g->revoked_s)
        return "revoked";
    return grants_is_live(g, now_s) ? "live" : "expired";
}

static void write_grant(struct json_out *o, const struct store_grant *g, int64_t now_s)
{
    json_out_object(o, NULL);
    json_out_string(o, "tenant", g->tenant);
    json_out_string(o, "context", g->context);
    json_out_string(o, "state", state_of(g, now_s));
    json_out_string(o, "evidence", g->evidence);
    json_out_string(o, "granted_by", g->granted_by);
    command_line_time(o, "granted", g->granted_s);
    command_line_time(o, "expires", g->expires_s);
    command_line_time(o, "revoked", g->revoked_s);
    json_out_object_end(o);
}

static int print_one(const struct wish *w, const struct store_grant *g)
{
    char until[EXPIRY_TEXT_MAX];
    struct json_out o = {0};

    if (w->common.json) {
        write_grant(&o, g, w->now_s);
        return command_line_print(COMMAND, &o);
    }
    expiry_print(until, g->expires_s);
    if (g->revoked_s)
        printf("%s may no longer say %s\n", g->tenant, g->context);
    else
        printf("%s may say %s until %s%s\n", g->tenant, g->context, until,
               g->expires_s ? " UTC" : " it is revoked");
    return 0;
}

static int print_list(const struct wish *w, const struct store_grant *grants, int count)
{
    struct json_out o = {0};

    if (w->common.json) {
        json_out_array(&o, NULL);
        for (int i = 0; i < count; i++)
            write_grant(&o, &grants[i], w->now_s);
        json_out_array_end(&o);
        return command_line_print(COMMAND, &o);
    }
    printf("%-16s  %-12s  %-7s  %-16s  %-12s  %s\n", "TENANT", "CONTEXT", "STATE", "EXPIRES (UTC)",
           "BY", "EVIDENCE");
    for (int i = 0; i < count; i++) {
        char until[EXPIRY_TEXT_MAX];

        expiry_print(until, grants[i].expires_s);
        printf("%-16s  %-12s  %-7s  %-16s  %-12s  %s\n", grants[i].tenant, grants[i].context,
               state_of(&grants[i], w->now_s), until, grants[i].granted_by, grants[i].evidence);
    }
    return 0;
}

/* ---- the three commands ---- */

/* For how long, and on what: as the policy says. */
static enum status check(struct wish *w, const struct config *config, struct why *why)
{
    struct policy_context context;
    struct policy *policy;
    enum status st = policy_open(&policy, config->policy, why);
    int64_t most_s;

    if (st)
        return st;
    if (!policy_context(policy, w->grant.context, &context))
        st = why_fail(why, ST_INVALID, "the policy %s knows no context '%.48s'", config->policy,
                      w->grant.context);
    else if (context.evidence_required && !w->grant.evidence[0])
        st = why_fail(why, ST_INVALID, "the policy wants to know what this rests on: --evidence");
    if (!st && w->expires)
        st = expiry_read(&w->grant.expires_s, w->expires, w->now_s, why);
    most_s = w->now_s + (int64_t)context.max_grant_days * DAY_S;
    if (!st && context.max_grant_days && !w->expires)
        w->grant.expires_s = most_s;
    if (!st && context.max_grant_days && (!w->grant.expires_s || w->grant.expires_s > most_s))
        st = why_fail(why, ST_INVALID, "the policy grants %s for %d days at most: --expires %dd",
                      w->grant.context, context.max_grant_days, context.max_grant_days);
    policy_close(&policy);
    return st;
}

static int grant(struct wish *w, const struct config *config, struct store *store)
{
    struct why why = {""};

    if (check(w, config, &why))
        return complain(&why, 2);
    w->grant.granted_s = w->now_s;
    if (store->ops->grant_put(store, &w->grant, &why))
        return complain(&why, 1);
    return print_one(w, &w->grant);
}

static int revoke(struct wish *w, struct store *store, const struct store_grant *all, int count)
{
    struct why why = {""};

    for (int i = 0; i < count; i++) {
        struct store_grant g = all[i];

        if (strcmp(g.tenant, w->grant.tenant) || strcmp(g.context, w->grant.context))
            continue;
        g.revoked_s = g.revoked_s ? g.revoked_s : w->now_s;
        if (store->ops->grant_put(store, &g, &why))
            return complain(&why, 1);
        return print_one(w, &g);
    }
    why_fail(&why, ST_MISSING, "%s was never granted %s; limner context list shows all",
             w->grant.tenant, w->grant.context);
    return complain(&why, 1);
}

static int work(struct wish *w, const struct config *config, struct store *store)
{
    struct store_grant *all = calloc(GRANTS_MAX, sizeof(*all));
    struct why why = {"out of memory"};
    int count = GRANTS_MAX, code;

    if (!all || store->ops->grant_list(store, all, &count, &why))
        code = complain(&why, 1);
    else if (!strcmp(w->word, "list"))
        code = print_list(w, all, count);
    else if (!strcmp(w->word, "revoke"))
        code = revoke(w, store, all, count);
    else
        code = grant(w, config, store);
    free(all);
    return code;
}

static int run(struct wish *w)
{
    struct config *config = calloc(1, sizeof(*config));
    struct store *store = NULL;
    struct why why = {"out of memory"};
    int code;

    if (!config)
        return complain(&why, 1);
    if (config_read(config, w->common.passed.count, w->common.passed.args, &why) ||
        config_add_shipped(config, &why))
        code = complain(&why, 2);
    else if (store_open(&store, config->state, &why))
        code = complain(&why, 1);
    else
        code = work(w, config, store);
    store_close(&store);
    config_close(config);
    free(config);
    return code;
}

int command_context(int count, char **args)
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
