/* SPDX-License-Identifier: Apache-2.0 */
#include "server/judging.h"

#include "base/crypto.h"
#include "base/log.h"
#include "moderation/secret.h"
#include "moderation/vault.h"
#include "server/grants.h"
#include "server/hook.h"
#include "server/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key as text wins over the file: it then is on no disk of this machine. */
static enum status open_vault(struct judging *j, const struct config *c, struct why *why)
{
    const char *text = getenv("LIMNER_VAULT_KEY");
    char path[4096];

    if (text)
        return vault_open_text(&j->vault, text, why);
    if (c->vault_key)
        return vault_open(&j->vault, c->vault_key, why);
    snprintf(path, sizeof(path), "%s/vault.key", c->state);
    return vault_open(&j->vault, path, why);
}

static enum status open_judge(struct judging *j, struct service *s, const struct config *c,
                              struct store *store, struct why *why)
{
    struct judge_options options = {.weights = c->classifiers,
                                    .policy = c->policy,
                                    .shadow = c->policy_shadow,
                                    .store = store,
                                    .vault = j->vault,
                                    .threads = c->judge_threads,
                                    .tell = notice_write,
                                    .context = s};
    const struct policy *policy;
    enum status st;

    memcpy(options.secret, s->secret, sizeof(options.secret));
    st = judge_open(&s->judge, &options, why);
    crypto_wipe(options.secret, sizeof(options.secret));
    if (st)
        return st;
    policy = judge_policy(s->judge);
    log_info("judge", "policy=%s version=%d sha256=%.12s shadow=%s", policy_id(policy),
             policy_version(policy), policy_sha256(policy),
             c->policy_shadow ? c->policy_shadow : "none");
    judge_release(s->judge, policy);
    return ST_OK;
}

static enum status open_hook(struct service *s, const struct config *c, struct why *why)
{
    const struct hook_options options = {.url = c->prompt_hook,
                                         .secret = getenv("LIMNER_PROMPT_HOOK_SECRET"),
                                         .deadline_ms = c->prompt_hook_ms,
                                         .on_failure = c->prompt_hook_fail};

    if (!strcmp(c->prompt_hook, "off"))
        return ST_OK;
    if (c->prompt_hook_fail == HOOK_ALLOW)
        log_warn("prompt_hook", "prompts pass when it fails: prompt-hook-fail is allow");
    return hook_open(&s->hook, &options, why);
}

enum status judging_open(struct judging *j, struct service *s, const struct config *c,
                         struct store *store, struct why *why)
{
    enum status st = secret_open(s->secret, c->state, why);

    metrics_moderation_init(&s->metrics.moderation);
    s->public_url = c->public_url;
    if (!st)
        st = open_vault(j, c, why);
    if (!st && grants_open(&s->grants))
        st = why_fail(why, ST_FULL, "no memory for what tenants were granted");
    if (!st)
        st = grants_load(s->grants, store, why);
    if (!st)
        st = open_judge(j, s, c, store, why);
    return st ? st : open_hook(s, c, why);
}

void judging_reload(struct service *s, const struct config *fresh)
{
    const struct policy *policy;
    struct why why = {""};

    if (judge_reload(s->judge, fresh->policy, fresh->policy_shadow, &why)) {
        log_error("policy_not_reloaded", "%s: the policy is as it was", why.text);
        return;
    }
    policy = judge_policy(s->judge);
    log_info("policy_reloaded", "policy=%s version=%d sha256=%.12s", policy_id(policy),
             policy_version(policy), policy_sha256(policy));
    judge_release(s->judge, policy);
}

void judging_drain(struct service *s)
{
    hook_close(&s->hook);
}

void judging_close(struct judging *j, struct service *s)
{
    hook_close(&s->hook);
    judge_close(&s->judge);
    grants_close(&s->grants);
    vault_close(&j->vault);
    crypto_wipe(s->secret, sizeof(s->secret));
}
