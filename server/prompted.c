/* SPDX-License-Identifier: Apache-2.0 */
#include "server/prompted.h"

#include "base/log.h"
#include "server/api_images.h"
#include "server/api_jobs.h"
#include "server/hook.h"

#include <stdio.h>
#include <string.h>

static const char *model_of(const struct order *order)
{
    return engine_model_info(order->engine, order->model)->name;
}

static void fill_asked(struct judge_asked *asked, const struct order *order, const char *tenant,
                       const char *request)
{
    const struct request *q = &order->request;

    *asked = (struct judge_asked){.tenant = tenant,
                                  .context = q->context,
                                  .user = q->user,
                                  .request = request,
                                  .model = model_of(order),
                                  .prompt = q->prompt,
                                  .negative = q->negative};
}

static void hold_for(struct order *order, const char *category)
{
    snprintf(order->held_for, sizeof(order->held_for), "%s", category);
}

/* ---- the hook's answer, on its thread ---- */

/* Its category, where the policy has one of that name. */
static const char *category_of(struct service *s, const struct hook_answer *answer, int *index)
{
    const struct policy *policy = judge_policy(s->judge);

    *index = answer->category[0] ? policy_find_category(policy, answer->category) : -1;
    judge_release(s->judge, policy);
    return *index < 0 ? PROMPTED_HOOK : answer->category;
}

static void block(struct errand *e, const char *category, int index)
{
    e->blocked = true;
    e->verdict = (struct verdict){
        .decision = BAND_BLOCK, .action = BAND_BLOCK, .cause = CAUSE_PROMPT, .category = index};
    e->finding = (struct prompt_finding){.found = true};
    snprintf(e->finding.category, sizeof(e->finding.category), "%s", category);
    snprintf(e->finding.rule, sizeof(e->finding.rule), "%s", PROMPTED_HOOK);
}

static void on_answer(void *owner, const struct hook_answer *answer)
{
    struct errand *e = owner;
    struct service *s = errand_service(e);
    int index;
    const char *category = category_of(s, answer, &index);

    if (answer->failed)
        log_warn("prompt_hook", "id=%s failed: %s", e->request, answer->reason);
    if (answer->action == HOOK_BLOCK)
        block(e, category, index);
    else if (answer->action == HOOK_HOLD)
        hold_for(&e->order, category);
    if (e->blocked || e->async || e->key[0])
        errand_send(e);
    else
        images_begin(e);
}

static void ask(struct service *s, struct errand *e, const struct judge_asked *asked)
{
    const struct hook_request request = {.id = asked->request,
                                         .tenant = asked->tenant,
                                         .prompt = asked->prompt,
                                         .negative_prompt = asked->negative,
                                         .context = asked->context,
                                         .model = asked->model};
    struct hook_answer refused;

    if (hook_ask(s->hook, &request, on_answer, e, &refused))
        on_answer(e, &refused);
}

/* ---- on the io thread ---- */

/* Moves the order into an errand that holds the request; NULL: it was answered. */
static struct errand *hold(struct service *s, struct http_request *r, struct order *order)
{
    struct errand *e = jobs_errand(s, r, order);

    return e && jobs_hold(r, e) ? e : NULL;
}

bool prompted_take(struct service *s, struct http_request *r, struct order *order)
{
    struct prompt_finding finding;
    struct tenant_limits tenant;
    struct judge_asked asked;
    struct verdict verdict;
    struct errand *e;

    if (!s->judge)
        return false;
    tenant_get(s->tenants, r->tenant - 1, &tenant);
    fill_asked(&asked, order, tenant.name, r->id);
    judge_prompt(s->judge, &asked, &verdict, &finding);
    if (verdict.action == BAND_HOLD)
        metrics_decided(&s->metrics.moderation, STORE_STAGE_PROMPT,
                        judge_held_for(&verdict, &finding), BAND_HOLD, verdict.cause);
    if (verdict.action == BAND_HOLD)
        hold_for(order, judge_held_for(&verdict, &finding));
    if (verdict.action != BAND_BLOCK && !s->hook)
        return false;
    e = hold(s, r, order); /* the texts stay where they are, and are the errand's now */
    if (!e)
        return true;
    asked.request = e->request;
    if (verdict.action == BAND_BLOCK) {
        e->blocked = true;
        e->verdict = verdict;
        e->finding = finding;
        errand_send(e);
    } else {
        ask(s, e, &asked);
    }
    return true;
}
