/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview.h - pictures of the way to a picture.
 *
 * At evenly spaced steps the model's own decoder shows what the step made of the picture: the clean
 * latent that the sampler has foretold. It is one more decode of the engine's thread; judging and
 * encoding it and handing it on is for a thread of its own, so that previews never delay what is
 * finished. The latents are only read: with previews or without, the same bytes come out.
 *
 * A preview that is not ready when the next one is due is not overtaken: it may then be the last.
 */
#ifndef ENGINE_PREVIEW_H
#define ENGINE_PREVIEW_H

#include "engine/batch.h"

struct finish;
struct previews;

/* Room for a preview of each of `jobs_max` jobs; those that do not pass every stage of
   `finish` are left out. `back` is called for a job that was let go while its preview was on the
   way (job_let_go), on the thread. */
MUST_USE enum status previews_open(struct previews **out, int jobs_max, const struct finish *finish,
                                   void (*back)(void *context, struct job *job), void *context,
                                   struct why *why);
/* When nobody makes any more: those on the way are handed on, and the thread ends. */
void previews_close(struct previews **p);

/* Of those who sit here, the one whose preview is due and who has none on the way; or NULL. */
struct job *preview_due(const struct batch *batch);

/* Decode it and hand it to the thread. ST_FULL: it is left out. ST_DEVICE: the device failed. */
MUST_USE enum status preview_make(struct previews *p, struct batch *batch, struct job *job);

#endif /* ENGINE_PREVIEW_H */
