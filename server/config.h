/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - what `limner serve` is told: defaults < file < environment < flags.
 *
 * Every setting has one name: --size-max on the command line, LIMNER_SIZE_MAX in the environment,
 * "size-max" in the file, which is YAML (config_file.h). A name nobody knows is refused, wherever
 * it stands, and so is a value out of range; the sentence says where it stood. Tenants and their
 * limits stand in the file alone. No setting is a secret: API keys are in the store, as hashes.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "engine/engine.h"
#include "engine/tenant.h"
#include "server/config_file.h"
#include "server/hook.h"

#include <stdio.h>

/* Who may read the metrics. */
enum config_access {
    CONFIG_ACCESS_AUTO, /* everybody, as long as only this machine can reach them */
    CONFIG_ACCESS_OPEN, /* everybody */
    CONFIG_ACCESS_KEY,  /* whoever has a key with the scope `metrics` */
};

#define CONFIG_WEBHOOK_MAX 256 /* an URL, with a NUL */
#define CONFIG_PROVIDER    "unnamed provider"

struct config {
    const char *listen, *metrics, *state, *device;
    const char *policy, *classifiers; /* as they are shipped, when they were not named */
    const char *policy_shadow;        /* NULL: none */
    const char *vault_key;            /* NULL: vault.key in `state` */
    const char *public_url;           /* without a slash at the end; "": links are paths */
    int judge_threads;
    bool marks;           /* every picture is marked, signed and logged */
    const char *provider; /* in manifests */
    const char *model[ENGINE_MODELS_MAX];
    int model_count;
    int threads, seats, queue, queue_s, size_max, io_threads, connections, drain_s, vae_tile;
    int images_max, steps_max, prompt_max, body_max;
    int jobs_keep_s, jobs_mib;
    enum precision precision;
    enum config_access metrics_auth;
    const char *prompt_hook; /* "off", or the address of a service (hook.h) */
    int prompt_hook_ms;
    enum hook_action prompt_hook_fail;
    bool check_only;
    bool help;

    struct tenant_limits others; /* of tenants that are not listed */
    struct tenant_limits tenant[CONFIG_FILE_TENANTS_MAX];
    int tenant_count;
    char webhook_others[CONFIG_WEBHOOK_MAX]; /* empty: nobody is told */
    char webhook[CONFIG_FILE_TENANTS_MAX][CONFIG_WEBHOOK_MAX];

    struct config_file *file; /* texts may point into it; others live as long as argv, environ */
    char model_default[4096], policy_default[4096], classifiers_default[4096];
};

/* `args` are what follows "serve". ST_INVALID, ST_MISSING or ST_IO say what is wrong and where.
   config_close afterwards, in any case. */
MUST_USE enum status config_read(struct config *out, int count, char *const *args, struct why *why);
void config_close(struct config *c);

/* Every setting with its values, as the help says them. */
void config_help(FILE *out);
/* The settings as they came out, as a file that could be read again. */
MUST_USE enum status config_print(const struct config *c, FILE *out);

/* The names of the settings that differ and that a running server cannot change; empty: none does.
 */
void config_compare(const struct config *a, const struct config *b, char *out, size_t bytes);

/* Serve the model that ships with limner when no model was named, and judge as its policy and its
   classifiers do. ST_MISSING: what was not named is not where it belongs. */
MUST_USE enum status config_add_shipped(struct config *c, struct why *why);

#endif /* SERVER_CONFIG_H */
