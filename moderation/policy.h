/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - what is done with a picture of which scores: the only place that decides.
 *
 * A policy is a file of JSON, read strictly: an unknown key, a contradiction or a number out of its
 * range is an error that says FILE:LINE. It never changes once it is open; a new version is a new
 * file. From the scores of a picture it makes three things, which are kept apart:
 *
 *     p         what each category is believed to be, after calibration
 *     decision  the band in which the scores alone put the picture
 *     action    what is done: the decision, or a hold where the scores are not to be trusted
 *
 * What makes a hold out of another decision (second opinion, thin margin, energy, breaker, scores
 * that are not there) never makes anything laxer than a hold. A category is judged by itself first;
 * the worst one wins. Only the energy and missing scores speak about the whole picture.
 *
 *     st = policy_open(&policy, "policies/default.json", &why);
 *     policy_decide(policy, &(struct policy_case){.scores = &scores, .tenant = "acme"}, &verdict);
 *
 * All texts belong to the policy. Everything but opening and closing may be called by any thread.
 */
#ifndef MODERATION_POLICY_H
#define MODERATION_POLICY_H

#include "base/status.h"
#include "moderation/scores.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_FILE_BYTES_MAX (1 << 20)
#define POLICY_CATEGORIES_MAX 16
#define POLICY_CONTEXTS_MAX   8
#define POLICY_OVERRIDES_MAX  64 /* tenants */
#define POLICY_LANGUAGES_MAX  8
#define POLICY_APPROVERS_MAX  8
#define POLICY_ID_MAX         64 /* ids, and names of tenants and models; with a NUL */
#define POLICY_REASON_MAX     500
#define POLICY_BINS           10  /* of a histogram of p; drift.h has their borders */
#define POLICY_SLICE_MAX      240 /* fits the name of a note in the store, with a prefix */

/* From mild to severe. As a decision: where the scores put it. As an action: what is done. */
enum band {
    BAND_ALLOW,
    BAND_BLUR,  /* delivered, but covered until its owner asks */
    BAND_HOLD,  /* kept back until a person has looked */
    BAND_BLOCK, /* kept back; its owner may appeal */
    BAND_COUNT
};

/* Why this is done. */
enum cause {
    CAUSE_SCORES,       /* the bands, and nothing else */
    CAUSE_DISAGREEMENT, /* the second opinion is another one */
    CAUSE_MARGIN,       /* too close to a border to be trusted */
    CAUSE_ENERGY,       /* unlike anything that the classifier was made for */
    CAUSE_UNJUDGED,     /* the classifier failed, or gave what are no numbers */
    CAUSE_SAFETY,       /* the checkpoint's own safety checker */
    CAUSE_BREAKER,      /* blocks of this slice were overturned too often */
    CAUSE_PROMPT,       /* the words, before anything was made */
    CAUSE_PRECEDENT,    /* people have decided about these very bytes before */
    CAUSE_COUNT
};

const char *band_name(enum band band);    /* "allow", "blur", "hold", "block" */
const char *cause_name(enum cause cause); /* "scores", "disagreement", ... */
int band_find(const char *name);          /* below 0: there is none of this name */
int cause_find(const char *name);

/* Where a category's p comes from. */
enum policy_source {
    POLICY_SUM, /* of the classes */
    POLICY_CLASS,
    POLICY_MAX,
    POLICY_SAFETY, /* 1 when the safety checker flags, else 0; not there: 0 */
    POLICY_PROMPT, /* findings of the prompt stage alone; p is 0 */
};

/* The p from which on each band holds; NAN: it has no such band. */
struct policy_bands {
    double blur, hold, block;
};

struct policy_category {
    const char *id;
    const char *clause, *clause_url;          /* clause_url: NULL when there is none */
    const char *dsa_category, *dsa_keyword;   /* dsa_keyword: NULL when there is none */
    const char *reason[POLICY_LANGUAGES_MAX]; /* in the order of policy_settings.language */
    bool appealable;
    bool always_block; /* no context touches it, and its prompts are blocked */
    enum policy_source source;
    unsigned classes; /* a bit for each enum scores_class */
    struct policy_bands bands;
    enum band prompt; /* what is done with a prompt that was found in it, when no context speaks */
};

/* What a tenant may be granted by an operator; a request may say it only with a grant. */
struct policy_context {
    const char *id;
    bool grant_required, evidence_required;
    int max_grant_days;
    bool preview;               /* the owner of a held picture sees a blurred preview meanwhile */
    const char *reviewer_queue; /* "general" when the file says nothing */
    const char *reviewer_skill; /* NULL: anybody */
};

enum policy_status { POLICY_LIVE, POLICY_SHADOW, POLICY_DRAFT, POLICY_RETIRED };

struct policy_appeals {
    int window_days; /* in which one may be made */
    int text_max;    /* characters */
    double first_review_h, final_h;
    double second_share;      /* of the decided that a second person looks at */
    bool second_on_breaker;   /* and all of a slice whose breaker is open */
    bool second_on_confident; /* and all that were upheld with p >= 0.95 */
    int info_days; /* an appeal that waits for an answer goes back to the queue after these */
};

struct policy_retention {
    int held_days;        /* of a kept picture; at least the appeals' window */
    int after_final_days; /* after the last word about it */
    int audit_years;
};

struct policy_breaker {
    int window, min_n; /* outcomes that are looked at, and needed */
    double max_overturn, confidence, half_open_share;
    bool by_tenant, by_context, by_generator; /* what a slice tells apart, beside the category */
};

struct policy_audit {
    double auto_block, auto_allow_near, auto_allow_far; /* shares that people look at blindly */
    double near; /* an allowed picture is near with p this close below the next border */
};

struct policy_drift {
    double alert, page; /* population stability index */
    int learn;          /* pictures that make the reference where the file has none */
    int window;         /* pictures that are compared with it */
};

struct policy_capacity {
    int reviewers;
    double items_per_reviewer_hour, max_utilisation;
};

struct policy_prompt {
    const char *rules; /* a path; NULL: no rules */
    bool appealable;
};

/* One classifier as the policy knows it. */
struct policy_classifier {
    const char *id;             /* NULL: this policy names none in this role */
    const char *weights_sha256; /* hex; NULL: any weights */
    const char *calibration_id; /* NULL: identity */
    bool has_reference[POLICY_CATEGORIES_MAX];
    double reference[POLICY_CATEGORIES_MAX][POLICY_BINS]; /* shares that sum to 1 */
};

struct policy_settings {
    enum policy_status status;
    const char *author, *change_reason, *effective_from, *parent_sha256; /* NULL: not said */
    int approver_count;
    const char *approved_by[POLICY_APPROVERS_MAX];
    int language_count; /* at least 1; the first is used when a reader's is not there */
    const char *language[POLICY_LANGUAGES_MAX];
    struct policy_classifier classifier[SCORES_MODELS];
    bool needs_second; /* a picture without a second opinion is unjudged */
    struct policy_appeals appeals;
    struct policy_retention retention;
    struct policy_breaker breaker;
    struct policy_audit audit;
    struct policy_drift drift;
    struct policy_capacity capacity;
    struct policy_prompt prompt;
    int canary_minutes; /* 0: only at the start */
};

struct policy; /* as the file said it */

/* ST_MISSING, ST_IO: the file; ST_INVALID: what it says, as "PATH:LINE: sentence". */
MUST_USE enum status policy_open(struct policy **out, const char *path, struct why *why);
/* The same from memory; `name` stands for the path, and gives no folder. */
MUST_USE enum status policy_open_text(struct policy **out, const char *text, size_t bytes,
                                      const char *name, struct why *why);
void policy_close(struct policy **p);

const char *policy_id(const struct policy *p);
int policy_version(const struct policy *p);
const char *policy_sha256(const struct policy *p); /* of the file's bytes, in hex */
const struct policy_settings *policy_settings(const struct policy *p);

int policy_category_count(const struct policy *p);
const struct policy_category *policy_category(const struct policy *p, int index);
int policy_find_category(const struct policy *p, const char *id); /* below 0: none */
/* In the reader's language ("de", "de-CH"), or in the policy's first. */
const char *policy_reason(const struct policy *p, int category, const char *language);

int policy_context_count(const struct policy *p);
const struct policy_context *policy_context_at(const struct policy *p, int index);
bool policy_context(const struct policy *p, const char *id, struct policy_context *out);

/* A picture that is to be decided about. */
struct policy_case {
    const struct scores *scores; /* NULL: they could not be had */
    const char *tenant;
    const char *context;   /* NULL, or one that the tenant holds: the caller has looked */
    const char *generator; /* the name of the model that made it */
    bool (*is_open)(void *breakers, const char *slice); /* NULL: no slice's breaker is open */
    void *breakers;
};

struct verdict {
    enum band decision; /* by the scores alone */
    enum band action;   /* what is done */
    enum cause cause;
    int category;                    /* the one that decided; below 0: none */
    double p[POLICY_CATEGORIES_MAX]; /* of the main model, calibrated; NAN when unjudged */
    double gap; /* how far the closest category stays below its next border; 1 at most */
};

void policy_decide(const struct policy *p, const struct policy_case *c, struct verdict *out);

/* What is done with a prompt that was found in this category: BAND_ALLOW, BAND_HOLD (the pictures
   are made, and held) or BAND_BLOCK (nothing is made). context: as in policy_case. */
enum band policy_prompt_action(const struct policy *p, int category, const char *context);

/* The slice that a block of this category counts for: category|tenant|context|generator, with '*'
   where the policy does not tell apart and '-' where there is none. */
void policy_slice(char out[POLICY_SLICE_MAX], const struct policy *p, int category,
                  const struct policy_case *c);

#endif /* MODERATION_POLICY_H */
