/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_detect.h - the page where anybody finds out whether a picture was made here. It works
 * without a script: a form that sends one file, and the same page with what was found.
 */
#ifndef SERVER_PAGE_DETECT_H
#define SERVER_PAGE_DETECT_H

#include "server/answer.h"
#include "server/detect.h"

/* `r`: what was found, or NULL. `error`: a sentence, or NULL. */
void page_detect_answer(struct answer *a, const struct detect_result *r, const char *error);

#endif /* SERVER_PAGE_DETECT_H */
