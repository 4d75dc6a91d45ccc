/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_images.h - POST /v1/images/generations.
 *
 * The io thread reads the request, takes one job per picture and hands them to the engine; the
 * pictures come back on finish threads, and the last of them writes the body there: base64 and
 * JSON, or the picture's own bytes when the client asked with Accept: image/... A generation goes
 * back to its pool on the io thread that took it, so a client that leaves can only ever cancel its
 * own.
 *
 * Two things may come between. The words are judged before anything is reserved (prompted.h); and
 * where a picture was kept back, or goes out to be shown behind a click, the keeper's thread reads
 * what was written about it, and answers with that (keeper_settle).
 */
#ifndef SERVER_API_IMAGES_H
#define SERVER_API_IMAGES_H

#include "server/keeper.h"
#include "server/result.h"

void images_generate(struct service *s, struct http_request *r);

/* The pictures of an errand that neither is promised nor has a key, once its words may pass: from
   any thread that is not in a hurry to leave. The errand's ticket is answered. */
void images_begin(struct errand *e);

/* Begin the answer to a generation whose jobs are all done: pictures and what they took, or why
   not. What the pictures are made of is taken. `outcomes` is NULL where all are plainly allowed. */
void images_write(struct answer *a, const struct generation *g, const struct outcomes *outcomes);

#endif /* SERVER_API_IMAGES_H */
