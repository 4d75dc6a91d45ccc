/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_images.h - POST /v1/images/generations.
 *
 * The io thread reads the request, takes one job per picture and hands them to the engine; the
 * pictures come back on finish threads, and the last of them writes the body there: base64 and
 * JSON, or the picture's own bytes when the client asked with Accept: image/... A generation is
 * what n jobs and one ticket have in common; its jobs go back to their pool on the io thread that
 * took them, so a client that leaves can only ever cancel its own.
 */
#ifndef SERVER_API_IMAGES_H
#define SERVER_API_IMAGES_H

#include "server/service.h"

/* Room for `jobs_max` pictures on their way, and as many requests. */
MUST_USE enum status images_open(struct images **out, int jobs_max);
void images_close(struct images **images); /* after the last answer */

void images_generate(struct service *s, struct http_request *r);

#endif /* SERVER_API_IMAGES_H */
