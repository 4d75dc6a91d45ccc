/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_images.h - POST /v1/images/generations.
 *
 * The io thread reads the request, takes one job per picture and hands them to the engine; the
 * pictures come back on finish threads, and the last of them writes the body there: base64 and
 * JSON, or the picture's own bytes when the client asked with Accept: image/... A generation goes
 * back to its pool on the io thread that took it, so a client that leaves can only ever cancel its
 * own.
 */
#ifndef SERVER_API_IMAGES_H
#define SERVER_API_IMAGES_H

#include "server/generation.h"

void images_generate(struct service *s, struct http_request *r);

/* Begin the answer to a generation whose jobs are all done: pictures and what they took, or why
   not. What the pictures are made of is taken. */
void images_write(struct answer *a, const struct generation *g);

#endif /* SERVER_API_IMAGES_H */
