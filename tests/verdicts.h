/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdicts.h - a judge whose classifiers say what a test wants to hear.
 *
 * A program that links this (with --wrap=vision_score and =vault_seal) asks the real classifiers
 * until it says otherwise. Then a picture's first byte is the class that it is taken for, so that
 * one batch may have every outcome; or the classifiers fail.
 */
#ifndef TESTS_VERDICTS_H
#define TESTS_VERDICTS_H

#include "engine/judge.h"
#include "moderation/vault.h"
#include "store/store.h"

#define VERDICTS_WEIGHTS "moderation/weights"
#define VERDICTS_NAN     255 /* the first byte of a picture whose scores are no numbers */

enum verdicts_say {
    VERDICTS_REAL,
    VERDICTS_BY_PIXEL,
    VERDICTS_FAIL, /* ST_DEVICE */
};
void verdicts_say(enum verdicts_say say);
void verdicts_lock_vault(bool lock); /* nothing can be sealed */
int verdicts_batch_most(void);       /* the largest batch that was scored since the last call */

/* A policy's file in `folder`, of members behind those that every policy has; its path is good
   until the next call. VERDICTS_CLASSES: Porn is blocked, Hentai held, Sexy blurred, and nothing
   else is looked at. VERDICTS_ALL(band): everything. VERDICTS_OPEN: nothing. */
const char *verdicts_policy(const char *folder, int version, const char *members);

#define VERDICTS_CATEGORY(id, classes, bands)                                                      \
    "{\"id\":\"" id "\",\"from\":{\"op\":\"sum\",\"classes\":[" classes "]},\"clause\":\"rule\","  \
    "\"appealable\":true,\"reason\":{\"en\":\"This is " id "\"},\"bands\":{" bands "}}"
#define VERDICTS_CLASSES                                                                           \
    "\"ignore\":[\"Drawing\",\"Neutral\"],\"categories\":[" VERDICTS_CATEGORY(                     \
        "explicit", "\"Porn\"",                                                                    \
        "\"block\":0.5") "," VERDICTS_CATEGORY("drawn", "\"Hentai\"",                              \
                                               "\"hold\":0.5") "," VERDICTS_CATEGORY("bare",       \
                                                                                     "\"Sexy\"",   \
                                                                                     "\"blur\":0." \
                                                                                     "5") "]"
#define VERDICTS_ALL(band)                                                                         \
    "\"categories\":[" VERDICTS_CATEGORY("everything",                                             \
                                         "\"Drawing\",\"Hentai\",\"Neutral\",\"Porn\",\"Sexy\"",   \
                                         "\"" band "\":0.5") "]"
#define VERDICTS_OPEN                                                                              \
    "\"ignore\":[\"Drawing\",\"Hentai\",\"Neutral\",\"Porn\",\"Sexy\"],\"categories\":["           \
    "{\"id\":\"anything\",\"from\":{\"op\":\"prompt\"},\"clause\":\"none\",\"prompt\":\"allow\","  \
    "\"reason\":{\"en\":\"Nothing is found\"}}]" VERDICTS_NO_AUDIT
#define VERDICTS_NO_AUDIT                                                                          \
    ",\"audit_sample\":{\"auto_block\":0,\"auto_allow_near\":0,\"auto_allow_far\":0}"

/* A judge over a store and a vault of their own. The store that he sees is this one, which asks the
   real one unless the test says otherwise. */
struct verdicts {
    struct store store;
    struct store *real;
    struct vault *vault;
    struct judge *judge;
    char folder[128];

    enum status add, precedent; /* what these fail with; ST_OK: they do not */
    enum store_standing said;   /* STORE_STANDINGS: what the real one says of precedents */
    int told;                   /* owners that the judge wanted to tell something */
};
void verdicts_open(struct verdicts *v, const char *members);
void verdicts_close(struct verdicts *v);
struct judge_options verdicts_options(struct verdicts *v, const char *policy);

#endif /* TESTS_VERDICTS_H */
