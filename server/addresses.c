/* SPDX-License-Identifier: Apache-2.0 */
#include "server/addresses.h"

#include "base/crypto.h"
#include "base/log.h"
#include "server/webhook.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "LIMNER_WEBHOOK_SECRET"

static const char *secret_of(const char *tenant)
{
    char name[sizeof(VARIABLE) + STORE_TENANT_MAX + 1];
    const char *secret = NULL;
    int used = snprintf(name, sizeof(name), "%s_%s", VARIABLE, tenant);

    for (int i = 0; i < used; i++)
        name[i] = isalnum((unsigned char)name[i]) ? (char)toupper((unsigned char)name[i]) : '_';
    if (tenant[0])
        secret = getenv(name);
    return secret ? secret : getenv(VARIABLE);
}

static enum status add(struct webhook_target *out, int *count, const char *tenant, const char *url,
                       struct why *why)
{
    const char *secret = secret_of(tenant), *whose = tenant[0] ? tenant : "tenant-default";
    struct why reason = {""};

    if (!url[0])
        return ST_OK;
    if (!secret)
        return why_fail(why, ST_INVALID,
                        "the webhook of %s needs a secret in the environment, as %s", whose,
                        VARIABLE);
    if (webhook_target_set(&out[*count], tenant, url, secret, &reason))
        return why_fail(why, ST_INVALID, "the webhook of %s: %s", whose, reason.text);
    ++*count;
    return ST_OK;
}

/* All of them, or none; *out is the caller's. */
static enum status read_all(struct webhook_target **out, int *count, const struct config *c,
                            struct why *why)
{
    enum status st;

    *count = 0;
    *out = calloc((size_t)c->tenant_count + 1, sizeof(**out));
    if (!*out)
        return why_fail(why, ST_FULL, "no memory for webhooks");
    st = add(*out, count, "", c->webhook_others, why);
    for (int i = 0; i < c->tenant_count && !st; i++)
        st = add(*out, count, c->tenant[i].name, c->webhook[i], why);
    return st;
}

static void forget(struct webhook_target *targets, int count)
{
    if (targets)
        crypto_wipe(targets, (size_t)count * sizeof(*targets));
    free(targets);
}

enum status addresses_open(struct service *s, const struct config *c, struct store *store,
                           struct why *why)
{
    const struct webhook_options options = {.store = store};
    struct webhook_target *targets;
    int count;
    enum status st = read_all(&targets, &count, c, why);

    if (!st)
        st = webhook_open(&s->webhook, &options, why);
    if (!st)
        st = webhook_configure(s->webhook, targets, count, why);
    forget(targets, count);
    return st;
}

void addresses_reload(struct service *s, const struct config *c)
{
    struct webhook_target *targets;
    struct why why = {""};
    int count;
    enum status st = read_all(&targets, &count, c, &why);

    if (!st)
        st = webhook_configure(s->webhook, targets, count, &why);
    if (st)
        log_error("webhooks_not_reloaded", "%s: they are as they were", why.text);
    forget(targets, count);
}
