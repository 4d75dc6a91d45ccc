/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook.h - asks a team's own text classifier about a prompt, over HTTP, before it is drawn.
 *
 * One thread of its own talks to the service; whoever asks never waits. The request is
 *
 *     POST {"id","tenant","prompt","negative_prompt","context","model"}
 *
 * and the answer, with status 200,
 *
 *     {"action":"allow|hold|block","category":"...","reason":"..."}
 *
 * of which only "action" is needed. Anything else (another status, a redirect, an answer above
 * HOOK_ANSWER_MAX or that is no such JSON, a connection that breaks, silence until the deadline) is
 * a failure, and then what `on_failure` says holds. A category that is no name is left out, and so
 * are control characters of a reason. Connections are kept and used again; the environment's
 * proxies are not asked, as prompts are nobody else's business.
 */
#ifndef SERVER_HOOK_H
#define SERVER_HOOK_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOOK_ANSWER_MAX      ((size_t)64 << 10)
#define HOOK_CATEGORY_MAX    48  /* with a NUL; of letters, digits, '_', '-' and '.' */
#define HOOK_REASON_MAX      256 /* with a NUL; cut to fit */
#define HOOK_QUEUE_MAX       1024
#define HOOK_CONNECTIONS_MAX 64
#define HOOK_MS_MAX          60000

#define HOOK_SECRET_MAX 1024
#define HOOK_SECRET_ENV "LIMNER_PROMPT_HOOK_SECRET" /* where its caller looks for the secret */

struct hook;

enum hook_action { HOOK_ALLOW, HOOK_HOLD, HOOK_BLOCK };

struct hook_options {
    const char *url;    /* http:// or https:// */
    const char *secret; /* sent as "Authorization: Bearer"; NULL: nothing is sent */
    int deadline_ms;    /* from hook_ask to the answer, waiting included */
    enum hook_action on_failure;
    int queue_max;   /* questions that wait or are under way; 0: HOOK_QUEUE_MAX */
    int connections; /* at the same time; 0: 8 */
};

/* Copied by hook_ask. NULL texts are sent as null. */
struct hook_request {
    const char *id, *tenant, *prompt, *negative_prompt, *context, *model;
};

struct hook_answer {
    enum hook_action action; /* on_failure's when `failed` */
    bool failed;             /* the service gave no answer that could be used; `reason` says why */
    bool late;               /* and that was because the deadline passed */
    char category[HOOK_CATEGORY_MAX]; /* empty: none was named */
    char reason[HOOK_REASON_MAX];     /* the service's, or of the failure; for the record alone */
};

/* Called on the hook's thread; must not wait, nor call hook_close. */
typedef void (*hook_done)(void *owner, const struct hook_answer *answer);

/* ST_INVALID: the sentence says which option is wrong. ST_FULL, ST_IO: no memory, no thread. */
MUST_USE enum status hook_open(struct hook **out, const struct hook_options *options,
                               struct why *why);

/* Any thread; does not wait. ST_OK: `done` is called exactly once. ST_FULL: too many wait, or there
   is no memory: `done` is not called, and *refused, which may be NULL, is the answer. */
MUST_USE enum status hook_ask(struct hook *h, const struct hook_request *request, hook_done done,
                              void *owner, struct hook_answer *refused);

/* Everybody who still waits is answered as failed. Nobody may ask any more. NULL inside is fine. */
void hook_close(struct hook **h);

struct hook_counts {
    uint64_t asked, allowed, held, blocked; /* the three are the service's own answers */
    uint64_t failed;                        /* refused and late ones included */
    uint64_t late;
};

void hook_count(struct hook *h, struct hook_counts *out); /* any thread */

/* "allow", "hold", "block"; below 0: none of these. */
const char *hook_action_name(enum hook_action action);
int hook_find_action(const char *name);

#endif /* SERVER_HOOK_H */
