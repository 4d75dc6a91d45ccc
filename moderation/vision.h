/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vision.h - pictures in, scores out: the shipped classifiers, and the safety checkers of
 * checkpoints that bring one.
 *
 *     vision_open(&v, &(struct vision_options){.folder = folder, .threads = 1}, &why);
 *     vision_add_safety(v, "models/sd15", &checker, &why);
 *     vision_score(v, scores, images, safety, count, &why);
 *     vision_close(&v);
 *
 * The folder holds main.safetensors (MobileNetV2 1.4), second.safetensors (MobileNetV2 1.0) and
 * hashes.txt, the SHA-256 of each. A file that is not the one that was shipped is refused: another
 * classifier's scores mean something else to every policy.
 *
 * One thread at a time uses a vision. It owns devices of its own, on the CPU in float32, so it
 * never waits for the engine's; with one thread it calls no team. Every thread has the classifiers
 * to itself, 70 MB of memory. What is computed for a picture does not depend on its neighbours in
 * the batch, bit for bit. Nothing is decided here: scores.h says what they are.
 */
#ifndef MODERATION_VISION_H
#define MODERATION_VISION_H

#include "base/image.h"
#include "base/status.h"
#include "moderation/scores.h"

#define VISION_BATCH_MAX  8
#define VISION_SAFETY_MAX 16 /* checkers in one vision */

struct vision;

struct vision_options {
    const char *folder; /* of the shipped classifiers */
    int threads;        /* compute threads; 0: 1 */
};

/* ST_MISSING when a file is not there, ST_INVALID when one is not what hashes.txt says or its
   numbers are no classifier, ST_FULL without memory. */
MUST_USE enum status vision_open(struct vision **out, const struct vision_options *o,
                                 struct why *why);
void vision_close(struct vision **v);

/* The safety checker of a checkpoint: MODEL_FOLDER/safety_checker. *out is the number to name it
   by, -1 (and ST_OK) when the checkpoint has none. A folder that was added before gives its number
   again. ST_INVALID or ST_UNSUPPORTED when what is there cannot be used. */
MUST_USE enum status vision_add_safety(struct vision *v, const char *model_folder, int *out,
                                       struct why *why);

/* Score 1 to VISION_BATCH_MAX pictures of any sizes, none of them empty. safety[i] names the
   checker to ask for picture i, -1 for none; safety may be NULL: none for all. ST_DEVICE when the
   device broke or a score is no number: then nothing in `out` may be used. */
MUST_USE enum status vision_score(struct vision *v, struct scores *out,
                                  const struct image *const *images, const int *safety, int count,
                                  struct why *why);

/* 64 hex digits over all weights in use, in the order in which they were opened: it goes into every
   decision's record. Borrowed; changes when a checker is added. */
const char *vision_sha256(const struct vision *v);
/* The same of one shipped classifier's file alone: what a policy may ask for. */
const char *vision_file_sha256(const struct vision *v, enum scores_model model);

#endif /* MODERATION_VISION_H */
