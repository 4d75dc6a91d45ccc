/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - may this be made, may this be sent: the classifiers, the policy and the record in one
 * place, for whoever makes pictures.
 *
 * A picture's outcome is on the disk before anything of it is sent. When the classifiers fail, it
 * is held; when the record cannot be written, it fails; when a canary's scores change, everything
 * does. Nothing passes by default: only job->judged with job->status ST_OK says yes.
 *
 *     scores -> policy -> precedent -> sealed parcel, audit -> one transaction for the batch
 *
 * One thread of each engine's calls judge_pictures, and they take turns. Where a thread is not
 * named, any may call; what waits for a disk says so. The policy may be replaced at any time: who
 * has the old one keeps it until he is done.
 */
#ifndef ENGINE_JUDGE_H
#define ENGINE_JUDGE_H

#include "engine/job.h"
#include "moderation/prompt.h"

struct breaker;
struct judge;
struct marker;
struct store;
struct vault;

#define JUDGE_THREADS_MAX 64

struct judge_options {
    const char *weights; /* folder of the classifiers */
    const char *policy;  /* file */
    const char *shadow;  /* a candidate's file, whose decisions are only recorded; or NULL */
    struct store *store; /* NULL: no record is kept (the command line): nothing can be held, */
    struct vault *vault; /* and what would be, is refused. Both are borrowed */
    uint8_t secret[32];  /* for subjects and samples; of the state folder */
    int threads;         /* of the classifiers; 0: 1 */
    /* A word to the owner of what was blocked or held, which goes into the store with it; false: he
       has asked for none. Called by whoever records; NULL: nobody has asked. */
    bool (*tell)(void *context, const struct store_decision *d, struct store_message *out);
    void *context;
};

/* The classifiers have scored the canaries when this returns. What can be wrong is a file that is
   missing or was altered, a policy that was fitted to other weights, a canary. */
MUST_USE enum status judge_open(struct judge **out, const struct judge_options *o, struct why *why);
void judge_close(struct judge **j); /* when nobody has a policy of it any more */

/* A model by its name, and its safety checker when its folder has one: engine_open says so, before
   the first picture. *out is what job->judged_as says, until judge_drop_model. A checker whose
   folder was read before is not read again. */
MUST_USE enum status judge_add_model(struct judge *j, int *out, const char *name,
                                     const char *folder, struct why *why);
void judge_drop_model(struct judge *j, int model); /* no picture of it comes any more */

/* Other policies in the place of those that are: all or nothing. Reads files. */
MUST_USE enum status judge_reload(struct judge *j, const char *policy, const char *shadow,
                                  struct why *why);
/* The policy that decides now, until judge_release. Neither waits. */
const struct policy *judge_policy(struct judge *j);
void judge_release(struct judge *j, const struct policy *p);

/* The slices in which people overturn too many blocks. Whoever sees what people decide adds it, and
   keeps the rows as notes of the store under JUDGE_BREAKER_NOTE and the slice, where judge_open
   finds them. */
#define JUDGE_BREAKER_NOTE "breaker:"
struct breaker *judge_breaker(struct judge *j);

/* Who asks, and for what. NULL and "" are the same: nothing was said. */
struct judge_asked {
    const char *tenant, *context /* granted */, *user, *request, *model;
    const char *prompt, *negative;
};

/* The prompt alone, before any device time; waits for nothing. out->action is BAND_ALLOW;
   BAND_HOLD: the pictures are made, and each waits for a person: judge_held_for goes into
   job->owner.held_for; or BAND_BLOCK: judge_record comes next, on a thread that may wait. Rules
   that could not be followed to their end hold. What a picture shall not show is not judged. */
void judge_prompt(struct judge *j, const struct judge_asked *asked, struct verdict *out,
                  struct prompt_finding *finding);
const char *judge_held_for(const struct verdict *v, const struct prompt_finding *finding);

/* Write down that a prompt was blocked, with its texts sealed; waits for the disk. *released: this
   tenant's same prompt was let go before, so the pictures may be made after all, and no decision
   is added. Other than ST_OK: it may not, and there is no record. */
MUST_USE enum status judge_record(struct judge *j, const struct judge_asked *asked,
                                  const struct verdict *verdict,
                                  const struct prompt_finding *finding, struct store_decision *out,
                                  bool *released, struct why *why);

/* Score, decide and record 1 to JUDGE_BATCH_MAX pictures: verdict, decision and pixels_sha256 of
   each. Its status afterwards is ST_OK: it may be sent (to be shown behind a click with
   BAND_BLUR); ST_REFUSED: it was blocked or held, as verdict.action says; or it could not be
   recorded (ST_IO), or nothing can be judged any more (ST_DEVICE). job->why says it in words. Waits
   for the disk. */
#define JUDGE_BATCH_MAX 8
void judge_pictures(struct judge *j, struct job *const *jobs, int count);

/* May this picture of the way to job's be shown? Scored and decided, not recorded: there is nothing
   to appeal when a preview is left out. Waits while finished pictures are judged. */
bool judge_preview(struct judge *j, const struct job *job, const struct image *image);

/* What is due with the time: canaries. On a thread of judge_pictures; returns for how many
   microseconds nothing is; below 0: ever. */
int64_t judge_idle(struct judge *j);

/* False for good once a canary's scores changed, or could not be had. */
bool judge_is_sound(const struct judge *j);

/* What is kept of a decision, opened; waits for the disk. judge_kept_close afterwards, which wipes.
   ST_MISSING: nothing was kept, or it was destroyed. */
#define JUDGE_PREVIEW 12 /* pixels along a side */
struct judge_kept {
    const char *prompt, *negative;
    struct store_bytes picture; /* PNG, as it was made; empty for a prompt's */
    uint8_t preview[JUDGE_PREVIEW * JUDGE_PREVIEW * 3]; /* RGB */
    struct store_bytes bytes;                           /* all of it lies in here */
};
MUST_USE enum status judge_keep_open(struct judge *j, const struct store_decision *d,
                                     struct judge_kept *out, struct why *why);
void judge_kept_close(struct judge_kept *k);

/* A picture that a person lets go, through every stage that a picture passes after the judge (of
   `marker`: marking.h), encoded as it was asked for. The bytes are the caller's. Waits for the
   disk. */
MUST_USE enum status judge_release_picture(struct judge *j, struct marker *marker,
                                           const struct store_decision *d,
                                           struct store_release *out, struct why *why);

struct judge_stats {
    uint64_t pictures, by_action[BAND_COUNT], by_cause[CAUSE_COUNT];
    uint64_t previews, previews_withheld;
    uint64_t prompts, prompts_by_action[BAND_COUNT];
    uint64_t unrecorded; /* pictures that failed because they could not be recorded */
    uint64_t precedents, audits;
    uint64_t shadow_differs; /* pictures about which a candidate policy says otherwise */
    uint64_t batches;        /* that pictures were scored in */
    uint64_t canary_runs;
    int64_t canary_unix_s; /* when the last one was */
    bool sound;
    int categories; /* of the policy that decides now: */
    struct judge_drift {
        char category[POLICY_ID_MAX];
        double psi; /* against the reference; NAN: not enough pictures yet */
    } drift[POLICY_CATEGORIES_MAX];
};
void judge_get_stats(struct judge *j, struct judge_stats *out);

#endif /* ENGINE_JUDGE_H */
