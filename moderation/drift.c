/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/drift.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where the bins end. Most pictures have a p near 0, and it is there that a model moves first. */
static const double ends[POLICY_BINS - 1] = {0.001, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9};

/* An empty bin would make the index infinite; counted as if it had this share. */
#define SHARE_MIN 1e-4

struct watch {
    bool has_reference;
    long learned[POLICY_BINS], learned_count;
    double reference[POLICY_BINS];
    uint8_t *ring; /* bins of the last pictures */
    int next;
    long count, bin[POLICY_BINS];
};

struct drift {
    pthread_mutex_t lock;
    struct policy_drift rules;
    int categories;
    struct watch watch[POLICY_CATEGORIES_MAX];
    uint8_t *rings;
};

int drift_bin(double p)
{
    int bin = 0;

    while (bin < POLICY_BINS - 1 && p >= ends[bin])
        bin++;
    return bin;
}

double drift_psi(const double reference[POLICY_BINS], const double now[POLICY_BINS])
{
    double psi = 0;

    for (int i = 0; i < POLICY_BINS; i++) {
        double r = fmax(reference[i], SHARE_MIN), n = fmax(now[i], SHARE_MIN);

        psi += (n - r) * log(n / r);
    }
    return psi;
}

const char *drift_level_name(enum drift_level level)
{
    static const char *const names[] = {"learning", "filling", "calm", "alert", "page"};

    return names[level];
}

enum status drift_open(struct drift **out, const struct policy *policy, struct why *why)
{
    const struct policy_settings *s = policy_settings(policy);
    const struct policy_classifier *main = &s->classifier[SCORES_MAIN];
    struct drift *d = calloc(1, sizeof(*d));
    size_t window = (size_t)s->drift.window;

    *out = d;
    if (!d)
        return why_fail(why, ST_FULL, "no memory for the histograms of scores");
    pthread_mutex_init(&d->lock, NULL);
    d->rules = s->drift;
    d->categories = policy_category_count(policy);
    d->rings = calloc((size_t)d->categories, window);
    if (!d->rings) {
        drift_close(out);
        return why_fail(why, ST_FULL, "no memory for the histograms of scores");
    }
    for (int i = 0; i < d->categories; i++) {
        d->watch[i].ring = d->rings + (size_t)i * window;
        if (main->has_reference[i])
            drift_set_reference(d, i, main->reference[i]);
    }
    return ST_OK;
}

void drift_close(struct drift **d)
{
    if (*d) {
        pthread_mutex_destroy(&(*d)->lock);
        free((*d)->rings);
    }
    free(*d);
    *d = NULL;
}

static void learn(struct watch *w, int bin, int enough)
{
    w->learned[bin]++;
    if (++w->learned_count < enough)
        return;
    for (int i = 0; i < POLICY_BINS; i++)
        w->reference[i] = (double)w->learned[i] / (double)w->learned_count;
    w->has_reference = true;
}

static void count(struct watch *w, int bin, int window)
{
    if (w->count == window)
        w->bin[w->ring[w->next]]--;
    else
        w->count++;
    w->ring[w->next] = (uint8_t)bin;
    w->bin[bin]++;
    w->next = (w->next + 1) % window;
}

void drift_add(struct drift *d, const double p[POLICY_CATEGORIES_MAX])
{
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < d->categories; i++) {
        struct watch *w = &d->watch[i];

        if (!isfinite(p[i]))
            continue;
        if (w->has_reference)
            count(w, drift_bin(p[i]), d->rules.window);
        else
            learn(w, drift_bin(p[i]), d->rules.learn);
    }
    pthread_mutex_unlock(&d->lock);
}

static enum drift_level level_of(const struct watch *w, const struct policy_drift *rules,
                                 double psi)
{
    if (!w->has_reference)
        return DRIFT_LEARNING;
    if (w->count < rules->window)
        return DRIFT_FILLING;
    if (psi >= rules->page)
        return DRIFT_PAGE;
    return psi >= rules->alert ? DRIFT_ALERT : DRIFT_CALM;
}

void drift_read(struct drift *d, int category, struct drift_reading *out)
{
    const struct watch *w;

    assert(category >= 0 && category < d->categories);
    w = &d->watch[category];
    *out = (struct drift_reading){.psi = 0};
    pthread_mutex_lock(&d->lock);
    out->pictures = w->has_reference ? w->count : w->learned_count;
    memcpy(out->reference, w->reference, sizeof(out->reference));
    for (int i = 0; w->count && i < POLICY_BINS; i++)
        out->now[i] = (double)w->bin[i] / (double)w->count;
    if (w->has_reference && w->count == d->rules.window)
        out->psi = drift_psi(w->reference, out->now);
    out->level = level_of(w, &d->rules, out->psi);
    pthread_mutex_unlock(&d->lock);
}

void drift_set_reference(struct drift *d, int category, const double reference[POLICY_BINS])
{
    struct watch *w;

    assert(category >= 0 && category < d->categories);
    w = &d->watch[category];
    pthread_mutex_lock(&d->lock);
    memcpy(w->reference, reference, sizeof(w->reference));
    w->has_reference = true;
    pthread_mutex_unlock(&d->lock);
}
