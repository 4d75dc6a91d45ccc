/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages.h - how long pictures take, stage by stage, for whoever wants to see a percentile.
 *
 *     received  admitted  seated  text  first step  last step  decoded  judged  marked  encoded
 * logged
 *         `-admit-'-queue-'-text-'--wait--'-denoise-'--decode-'-judge-'-mark-'-encode-'-log-'
 *
 * A stage lasts from one border to the next, waiting included: a picture waits between its text and
 * its first step where more sit than step, and before it is decoded where another is first. The
 * stages of a picture add up to its time.
 *
 * Every picture that an engine hands back is recorded by its model and how it ended; so is every
 * step, by how many pictures took it. Recording is a few relaxed atomic additions (histogram.h). A
 * lane has histograms of its own, so that devices do not wait for each other's cache lines. Memory
 * is taken when it is opened; pages of numbers that never came are never touched.
 *
 * Engines that follow each other share the stages, so that counters never go back: a model keeps
 * its number as long as it keeps its name.
 */
#ifndef ENGINE_STAGES_H
#define ENGINE_STAGES_H

#include "base/histogram.h"
#include "engine/job.h"

enum stage {
    STAGE_ADMIT,   /* read, checked, reserved */
    STAGE_QUEUE,   /* waited for a seat */
    STAGE_TEXT,    /* the prompt was read */
    STAGE_WAIT,    /* sat until its first step */
    STAGE_DENOISE, /* from its first step to its last */
    STAGE_DECODE,  /* to pixels */
    STAGE_JUDGE,   /* allowed, and that written down */
    STAGE_MARK,    /* invisibly, and read back */
    STAGE_ENCODE,  /* to a file, with a signed manifest */
    STAGE_LOG,     /* its record was written to the disk */
    STAGE_COUNT
};

enum stages_outcome {
    OUTCOME_OK,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_LATE,
    OUTCOME_WITHHELD, /* made and judged, and blocked or held */
    OUTCOME_COUNT
};

struct stages;

struct stages_span {
    int64_t begun_us, ended_us;
};

/* Pictures that were promised a time: how many, and by how much in all it was wrong. */
struct stages_promises {
    uint64_t count, wrong_us;
};

const char *stage_name(enum stage stage);
const char *outcome_name(enum stages_outcome outcome);
enum stages_outcome outcome_of(enum status st);

/* Microseconds of each stage; the one in which the picture ended early counts until then, and those
   that it never came to are below 0. */
void stages_of(int64_t us[STAGE_COUNT], const struct job_times *t);

/* ST_FULL without memory. */
MUST_USE enum status stages_open(struct stages **out, int lanes, int models, int batch_max);
void stages_close(struct stages **s);

/* The number of the model of this name, a new one if it is new; below 0: there is no room for one
   more. One thread at a time asks, and names are never forgotten. */
int stages_model(struct stages *s, const char *name);

/* These jobs of one model took a step together on a lane whose thread says so: their first and last
   steps are stamped, and the largest step each was in. */
void stages_stepped(struct stages *s, int lane, struct job *const *jobs, int count,
                    struct stages_span span);
/* A job ended, as its status, times and promise say. From any thread. */
void stages_ended(struct stages *s, const struct job *job);

/* From any thread: add what all lanes have recorded since the start. Microseconds. */
void stages_add(const struct stages *s, int model, enum stages_outcome outcome, enum stage stage,
                struct histogram *to);
void stages_add_pictures(const struct stages *s, int model, enum stages_outcome outcome,
                         struct histogram *to); /* from received to the end */
void stages_add_steps(const struct stages *s, int model, int count, struct histogram *to);
/* By how many thousandths of the time it was promised a picture came early, or late. */
void stages_add_early(const struct stages *s, struct histogram *to);
void stages_add_late(const struct stages *s, struct histogram *to);
struct stages_promises stages_promises(const struct stages *s);

int stages_models(const struct stages *s); /* that have a name; from any thread, as the next */
const char *stages_model_name(const struct stages *s, int model);
int stages_batch_max(const struct stages *s);

#endif /* ENGINE_STAGES_H */
