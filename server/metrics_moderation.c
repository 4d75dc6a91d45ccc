/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_moderation.h"

#include "engine/judge.h"
#include "moderation/breaker.h"
#include "server/exposition.h"
#include "server/hook.h"

#include <math.h>
#include <string.h>

void metrics_moderation_init(struct metrics_moderation *m)
{
    pthread_mutex_init(&m->lock, NULL);
}

static int find(const struct metrics_moderation *m, const char *category, int count)
{
    int i = 0;

    while (i < count && strcmp(m->name[i], category))
        i++;
    return i;
}

/* Names are only added, so those that were counted in are read without the lock. */
static int place_of(struct metrics_moderation *m, const char *category)
{
    int count = atomic_load(&m->name_count), i = find(m, category, count);

    if (i < count)
        return i;
    pthread_mutex_lock(&m->lock);
    count = atomic_load(&m->name_count);
    i = find(m, category, count);
    if (i == count && count < METRICS_CATEGORIES_MAX) {
        snprintf(m->name[count], sizeof(m->name[count]), "%s", category);
        atomic_store(&m->name_count, count + 1);
    }
    pthread_mutex_unlock(&m->lock);
    return i;
}

void metrics_decided(struct metrics_moderation *m, enum store_stage stage, const char *category,
                     enum band action, enum cause cause)
{
    int i = place_of(m, category);

    atomic_fetch_add_explicit(&m->decided[stage][i][action][cause], 1, memory_order_relaxed);
}

void metrics_stated(struct metrics_moderation *m, int count, bool told)
{
    atomic_fetch_add(&m->withheld, (unsigned long long)count);
    if (told)
        atomic_fetch_add(&m->stated, (unsigned long long)count);
}

/* ---- the page ---- */

static void write_decided_as(FILE *page, const struct metrics_moderation *m, int stage, int i,
                             const char *name)
{
    char label[EXPOSITION_LABEL_MAX];

    exposition_label(label, name);
    for (int at = 0; at < BAND_COUNT * CAUSE_COUNT; at++) {
        enum band action = (enum band)(at / CAUSE_COUNT);
        enum cause cause = (enum cause)(at % CAUSE_COUNT);
        unsigned long long count =
            atomic_load((atomic_ullong *)&m->decided[stage][i][action][cause]);

        if (count)
            fprintf(page,
                    "limner_moderation_decisions_total{stage=\"%s\",category=\"%s\",action=\"%s\","
                    "cause=\"%s\"} %llu\n",
                    stage == STORE_STAGE_PROMPT ? "prompt" : "image", label, band_name(action),
                    cause_name(cause), count);
    }
}

static void write_decided(FILE *page, const struct metrics_moderation *m)
{
    int names = atomic_load((atomic_int *)&m->name_count);

    exposition_head(page, "limner_moderation_decisions_total", "counter",
                    "Prompts and pictures, by what was decided about them and why.");
    for (int stage = 0; stage < 2; stage++) {
        for (int i = 0; i < names; i++)
            write_decided_as(page, m, stage, i, m->name[i][0] ? m->name[i] : "none");
        write_decided_as(page, m, stage, METRICS_CATEGORIES_MAX, "other");
    }
}

static void write_number(FILE *page, const char *name, const char *type, const char *help,
                         double value)
{
    exposition_head(page, name, type, help);
    fprintf(page, "%s %.17g\n", name, value);
}

static void write_told(FILE *page, const struct metrics_moderation *m)
{
    write_number(page, "limner_moderation_withheld_total", "counter",
                 "Prompts and pictures that were kept back, and that somebody waited for.",
                 (double)atomic_load((atomic_ullong *)&m->withheld));
    write_number(page, "limner_moderation_statements_total", "counter",
                 "Of these, told with a statement of reasons: it has to be all of them.",
                 (double)atomic_load((atomic_ullong *)&m->stated));
}

static void write_drift(FILE *page, const struct judge_stats *stats)
{
    char label[EXPOSITION_LABEL_MAX];

    exposition_head(page, "limner_moderation_drift_psi", "gauge",
                    "Population stability index of a category's scores: look at 0.1, act at 0.25.");
    for (int i = 0; i < stats->categories; i++) {
        if (isnan(stats->drift[i].psi))
            continue;
        exposition_label(label, stats->drift[i].category);
        fprintf(page, "limner_moderation_drift_psi{category=\"%s\"} %.17g\n", label,
                stats->drift[i].psi);
    }
}

static void write_judge(FILE *page, struct judge *judge, int64_t now_s)
{
    struct judge_stats stats;

    judge_get_stats(judge, &stats);
    write_number(page, "limner_moderation_sound", "gauge",
                 "1 while the canaries have the scores that they should have.", stats.sound);
    write_number(page, "limner_moderation_canary_age_seconds", "gauge",
                 "Since the canaries were looked at.",
                 stats.canary_unix_s ? (double)(now_s - stats.canary_unix_s) : NAN);
    write_number(page, "limner_moderation_unjudged_total", "counter",
                 "Pictures that were held because they could not be judged.",
                 (double)stats.by_cause[CAUSE_UNJUDGED]);
    write_number(page, "limner_moderation_unrecorded_total", "counter",
                 "Pictures that failed because what was decided could not be written down.",
                 (double)stats.unrecorded);
    write_number(page, "limner_moderation_shadow_differs_total", "counter",
                 "Pictures about which the candidate policy says otherwise.",
                 (double)stats.shadow_differs);
    write_number(page, "limner_moderation_previews_withheld_total", "counter",
                 "Previews that were not shown.", (double)stats.previews_withheld);
    write_number(page, "limner_moderation_precedents_total", "counter",
                 "Decided as a person had decided about the same before.",
                 (double)stats.precedents);
    write_number(page, "limner_moderation_audits_total", "counter",
                 "Drawn for a blind look by a person.", (double)stats.audits);
    write_number(page, "limner_moderation_breakers_open", "gauge",
                 "Slices in which people overturned too many blocks: a person decides there.",
                 breaker_open_count(judge_breaker(judge)));
    write_drift(page, &stats);
}

static void write_hook(FILE *page, struct hook *hook)
{
    struct hook_counts c;

    hook_count(hook, &c);
    exposition_head(
        page, "limner_prompt_hook_total", "counter",
        "Questions to the prompt hook, by its answer; what is late is not among the failed.");
    fprintf(page,
            "limner_prompt_hook_total{outcome=\"allowed\"} %llu\n"
            "limner_prompt_hook_total{outcome=\"held\"} %llu\n"
            "limner_prompt_hook_total{outcome=\"blocked\"} %llu\n"
            "limner_prompt_hook_total{outcome=\"failed\"} %llu\n"
            "limner_prompt_hook_total{outcome=\"late\"} %llu\n",
            (unsigned long long)c.allowed, (unsigned long long)c.held,
            (unsigned long long)c.blocked, (unsigned long long)(c.failed - c.late),
            (unsigned long long)c.late);
}

void metrics_write_moderation(FILE *page, const struct metrics_moderation *m, struct judge *judge,
                              struct hook *hook, int64_t now_s)
{
    write_decided(page, m);
    write_told(page, m);
    write_judge(page, judge, now_s);
    if (hook)
        write_hook(page, hook);
}
