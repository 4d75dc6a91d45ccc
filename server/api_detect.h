/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_detect.h - was this picture made here? For anybody, without an account.
 *
 *     POST /v1/detect    a picture as the body, or a form with one file: JSON (detect.h)
 *     GET  /detect       the page
 *     POST /detect       its form: the page with what was found
 *
 * A key with the scope compliance also sees the numbers behind the verdict.
 */
#ifndef SERVER_API_DETECT_H
#define SERVER_API_DETECT_H

#include "server/http.h"

struct service;

void api_detect(struct service *s, struct http_request *r);
void api_detect_page(struct service *s, struct http_request *r);

#endif /* SERVER_API_DETECT_H */
