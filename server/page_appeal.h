/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_appeal.h - the page of somebody whose picture was held back: what happened, and what he can
 * do about it. It works without a script, and without an account: the link's token is the key.
 *
 * Its forms go to POST /appeal/DECISION as application/x-www-form-urlencoded, with `token`, `do`
 * and, as it says:
 *
 *     do=appeal    `reason` (medical, art, not_what_it_says, other) and `text`, which may be empty
 *     do=reply     `text`
 *     do=withdraw  nothing
 *
 * Whatever is wrong with a form is said in `error`, on the same page, with what was written still
 * in it. All texts are borrowed, and may hold anything: they are escaped. Times are seconds since
 * 1970; 0: not known.
 */
#ifndef SERVER_PAGE_APPEAL_H
#define SERVER_PAGE_APPEAL_H

#include "server/answer.h"

enum page_appeal_state {
    PAGE_APPEAL_BLOCKED, /* by a machine: the form */
    PAGE_APPEAL_FINAL,   /* the same, and the rule cannot be appealed */
    PAGE_APPEAL_HELD,    /* waits for a person by itself */
    PAGE_APPEAL_PENDING,
    PAGE_APPEAL_ASKED, /* the reviewer has a question: another form */
    PAGE_APPEAL_WITHDRAWN,
    PAGE_APPEAL_UPHELD,
    PAGE_APPEAL_OVERTURNED, /* the picture */
    PAGE_APPEAL_PARTLY,     /* the picture, behind a click */
    PAGE_APPEAL_EXPIRED,    /* the time is over, and the picture gone */
    PAGE_APPEAL_LINK_OLD,   /* 410; nothing else is looked at in these two */
    PAGE_APPEAL_LINK_WRONG, /* 404 */
    PAGE_APPEAL_STATES
};

struct page_appeal {
    enum page_appeal_state state;
    const char *decision, *token;
    bool words;            /* the prompt was refused, and no picture made */
    bool preview, picture; /* the server has them: it may be too late, or a prompt's */
    int64_t decided_s;
    const char *facts;               /* the policy's sentence for its owner */
    const char *clause, *clause_url; /* the address only when it begins with http */
    int64_t until_s;                 /* the last moment to appeal */
    int64_t expected_s;              /* of the first review */
    const char *reason, *text;       /* of the appeal; or of the form that was wrong */
    int64_t appealed_s;
    const char *question, *answer; /* of the reviewer */
    int64_t answered_s;
    const char *error; /* a sentence; NULL: nothing was wrong */
};

/* Begin an answer with the page, its policy, and cache-control: no-store. Without memory it is a
   503. */
void page_appeal_answer(struct answer *a, const struct page_appeal *p);

#endif /* SERVER_PAGE_APPEAL_H */
