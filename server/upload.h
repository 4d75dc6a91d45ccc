/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload.h - the one file in a request's body: as it is, or as a browser's form sends it.
 */
#ifndef SERVER_UPLOAD_H
#define SERVER_UPLOAD_H

#include "server/http.h"

/* `type`: the content-type header. *out lies in `body`. Of multipart/form-data it is the first part
   that names a file. ST_INVALID: there is none, or the form is damaged. */
MUST_USE enum status upload_find(struct http_text *out, struct http_text type,
                                 struct http_text body, struct why *why);

/* Was it sent by a form? */
bool upload_is_form(struct http_text type);

#endif /* SERVER_UPLOAD_H */
