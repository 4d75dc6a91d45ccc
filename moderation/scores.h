/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scores.h - what the classifiers say of a picture, and nothing else: no threshold, no decision.
 *
 * Scores are kept as the models gave them (logits), so that a decision can be replayed under any
 * later calibration and policy. As text they are one line of JSON, which is what the store has.
 */
#ifndef MODERATION_SCORES_H
#define MODERATION_SCORES_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>

#define SCORES_CLASSES  5
#define SCORES_TEXT_MAX 512 /* with a NUL */

/* The classes of nsfwjs, in its order. */
enum scores_class {
    SCORES_DRAWING,
    SCORES_HENTAI,
    SCORES_NEUTRAL,
    SCORES_PORN,
    SCORES_SEXY,
};

enum scores_model {
    SCORES_MAIN,   /* MobileNetV2 1.4 */
    SCORES_SECOND, /* MobileNetV2 1.0, the second opinion */
    SCORES_MODELS
};

struct scores {
    bool has[SCORES_MODELS];
    float logit[SCORES_MODELS][SCORES_CLASSES]; /* before the softmax */
    bool has_safety;                            /* the checkpoint's own safety checker was asked */
    float safety; /* its largest margin over its concepts, rounded as it says: above 0 it flags */
};

/* Softmax of one model's logits, each divided by `temperature`, in double. Logits that are no
   numbers make probabilities that are none. */
void scores_softmax(double p[SCORES_CLASSES], const struct scores *s, enum scores_model model,
                    double temperature);

/* -T * log(sum(exp(logit / T))): low for what looks like the training data (Liu et al. 2020). */
double scores_energy(const struct scores *s, enum scores_model model, double temperature);

/* Every number that is there is a number. */
bool scores_are_finite(const struct scores *s);

const char *scores_class_name(enum scores_class c); /* "Drawing", ... */
/* Below 0: no class has this name. */
int scores_find_class(const char *name);

/* The text always fits. Reading back gives the same bits. */
void scores_print(char out[SCORES_TEXT_MAX], const struct scores *s);
MUST_USE enum status scores_parse(struct scores *out, const char *text, struct why *why);
/* The same of what is part of a larger document. */
MUST_USE enum status scores_read(struct scores *out, const struct json *value, struct why *why);

#endif /* MODERATION_SCORES_H */
