/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what the parts of the judge share.
 *
 *     ../judge.c  opens and closes it; the policies that come and go; canaries; numbers
 *     pictures.c  finished pictures and previews: scores, policy, precedent
 *     prompts.c   texts
 *     docket.c    what is written down of a batch
 *     kept.c      what was sealed, opened again
 *     reference.c what drift is measured against, from one start to the next
 */
#ifndef ENGINE_JUDGE_ROOM_H
#define ENGINE_JUDGE_ROOM_H

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/judge.h"
#include "engine/judge/docket.h"
#include "moderation/breaker.h"
#include "moderation/drift.h"
#include "moderation/vision.h"

#include <pthread.h>

#define JUDGE_MODELS_MAX (2 * ENGINE_MODELS_MAX) /* of two engines */

/* All that one version of the policy brings. */
struct rules {
    struct policy *policy;
    struct policy *shadow;       /* NULL: no candidate runs beside it */
    struct prompt_rules *prompt; /* NULL: the policy names none */
    struct drift *drift;
    unsigned kept;      /* a bit for each category whose reference is; at the bench */
    int holders;        /* under the judge's lock; the judge itself is one of the newest's */
    struct rules *next; /* older ones that somebody still has */
};

/* Who may use the classifiers: one thread at a time, finished pictures first. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy;
    int urgent; /* who waits and is not to wait for previews */
};

struct judge {
    struct store *store; /* NULL: no record is kept */
    struct vault *vault;
    bool (*tell)(void *context, const struct store_decision *d, struct store_message *out);
    void *context;
    uint8_t secret[32];
    struct clock clock;

    pthread_mutex_t lock; /* of the rules, and who holds them */
    struct rules *rules;  /* the newest first */

    struct gate gate;
    struct vision *vision; /* who passed the gate */
    struct {
        bool used; /* under the lock */
        char name[MODEL_NAME_MAX];
        int safety; /* the vision's number; below 0: none */
    } model[JUDGE_MODELS_MAX];

    struct breaker *breaker;
    pthread_mutex_t bench; /* whose turn it is to judge finished pictures: of what follows */
    struct docket *docket;
    int64_t canary_us;  /* when they are due, on the judge's clock */
    bool canary_wanted; /* at once: the classifiers have failed */
    atomic_bool unsound;
    struct judge_counts {
        atomic_ullong pictures, by_action[BAND_COUNT], by_cause[CAUSE_COUNT];
        atomic_ullong previews, previews_withheld;
        atomic_ullong prompts, prompts_by_action[BAND_COUNT];
        atomic_ullong unrecorded, precedents, audits, shadow_differs, batches, canary_runs;
        atomic_llong canary_unix_s;
    } counts;
};

/* The rules that decide now, until rules_put. */
struct rules *rules_take(struct judge *j);
void rules_put(struct judge *j, struct rules *r);

void gate_enter(struct gate *g, bool urgent);
void gate_leave(struct gate *g);

/* The key of precedents: what is the same for this tenant. pixels: the hash, or "" for a prompt. */
void subject_of(const struct judge *j, char out[STORE_HASH_MAX], const char *tenant,
                const char *prompt, const char *pixels);

/* What a person said last of this subject. *found: somebody did. */
MUST_USE enum status precedent_of(const struct judge *j, const char *tenant, const char *subject,
                                  bool *found, enum store_standing *out, struct why *why);

/* What was learned under this very policy before. */
void reference_restore(struct judge *j, struct rules *r);
/* What has been learned since, into the store; at the bench. */
void reference_keep(struct judge *j, struct rules *r);

#endif /* ENGINE_JUDGE_ROOM_H */
