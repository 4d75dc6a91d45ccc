/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_stream.h - "stream": true of POST /v1/images/generations: pictures as OpenAI's events.
 *
 *     event: image_generation.partial_image    one for each preview, `partial_image_index` from 0
 *     event: image_generation.completed        one for each picture, as soon as it is there
 *     event: image_generation.moderated        one for each picture that was kept back, with why
 *     event: image_generation.in_review        with the job that tells what becomes of those held
 *     event: error                             data: {"type":"error","error":{...}}, and the end
 *
 * Which of n pictures an event is about, its seed and its hash stand in `limner`. A preview that
 * would wait behind one that the client has not taken yet is left out.
 */
#ifndef SERVER_API_STREAM_H
#define SERVER_API_STREAM_H

#include "server/generation.h"

#define STREAM_PREVIEW_UNSENT_MAX 4096 /* bytes; with more of them unsent a preview is left out */

/* Before the generation is submitted: its events go to its ticket. */
void stream_prepare(struct generation *g, int previews);
/* Once it was taken by the engine, on the io thread that holds its request; or before that, from
   any thread. */
void stream_begin(struct generation *g);
/* It was begun, and then the engine did not take it. The answer is closed. */
void stream_refuse(struct generation *g, struct answer *refusal);

/* The object that is a preview's event; the job is a generation's. */
void stream_write_preview(struct json_out *o, const char *type, const struct job *job, int index,
                          const struct bytes *body);

#endif /* SERVER_API_STREAM_H */
