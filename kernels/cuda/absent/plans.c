/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built where cuDNN's header is not: there are no plans, and whoever asks hears so.
 */
#include "kernels/cuda/plans.h"

static enum status absent(struct why *why)
{
    return why_fail(why, ST_MISSING, "limner was built without cuDNN");
}

enum status plans_open(struct plans **out, const struct plans_options *options, struct why *why)
{
    (void)options;
    *out = NULL;
    return absent(why);
}

void plans_close(struct plans **p)
{
    *p = NULL;
}

long plans_library(const struct plans *p)
{
    (void)p;
    return 0;
}

enum status plans_describe(const struct plans *p, char *json, size_t size, struct why *why)
{
    (void)p, (void)json, (void)size;
    return absent(why);
}

enum status plans_build(struct plans *p, const struct plan_key *keys, int count,
                        const struct plans_bench *bench, struct plans_report *report,
                        struct why *why)
{
    (void)p, (void)keys, (void)count, (void)bench;
    *report = (struct plans_report){0};
    return absent(why);
}

const struct plan *plans_find(const struct plans *p, const struct plan_key *key)
{
    (void)p, (void)key;
    return NULL;
}

size_t plans_workspace(const struct plans *p)
{
    (void)p;
    return 0;
}

enum status plans_run(struct plans *p, const struct plan *plan,
                      const struct plan_arguments *arguments, struct why *why)
{
    (void)p, (void)plan, (void)arguments;
    return absent(why);
}

enum status plans_list(struct plans *p, const struct plan_key *key, struct plan_engine *engines,
                       int max, int *count, struct why *why)
{
    (void)p, (void)key, (void)engines, (void)max;
    *count = 0;
    return absent(why);
}

struct plan_trial plans_try(struct plans *p, const struct plan_key *key,
                            const struct plan_engine *engine, struct why *why)
{
    (void)p, (void)key, (void)engine;
    (void)absent(why);
    return (struct plan_trial){.outcome = PLAN_REFUSED};
}
