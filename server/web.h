/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.h - the pages of server/web/, inside the program, and what a browser may do with them.
 *
 * The build makes each page into text, with the styles and scripts that it names put in their
 * places. A page may run its own scripts, use its own styles, and nothing else: its policy names
 * them by their hash, so that no text that ends up in it can ever become a script.
 */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

#include "server/answer.h"

extern const char web_appeal[]; /* a template of page.h */
extern const char web_dashboard[];
extern const char web_detect[]; /* a template, too */
extern const char web_lead[];
extern const char web_officer[];
extern const char web_review[];

/* What a page may do beyond that. */
enum web_may {
    WEB_ASK = 1,      /* talk to this server by script */
    WEB_PICTURES = 2, /* show pictures of this server */
    WEB_BLOBS = 4,    /* show pictures that its script has fetched */
    WEB_FORMS = 8     /* send forms to this server */
};

/* Begin a 200 with the page, and its policy. */
void web_answer(struct answer *a, const char *page, unsigned may);
/* The policy alone, for an answer with what was made of the page. Adds headers. */
void web_policy(struct answer *a, const char *page, unsigned may);

#endif /* SERVER_WEB_H */
