/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matter.h - a request about decisions, appeals or reviews on its way to the desk.
 *
 * The io thread reads what the client said into a matter and lets it go; a function of server/desk/
 * answers it on the desk's thread. All texts are copies, since the client's own may go with the
 * client, and are as long as the store takes them.
 *
 *     m = matter_take(s, r, MATTER_CLAIM);  if (!m) return;    answered: too many at once
 *     fill;  matter_send(m, r);        or  matter_refuse(m, r, 400, ...)
 */
#ifndef SERVER_MATTER_H
#define SERVER_MATTER_H

#include "server/fields.h"
#include "server/http.h"
#include "server/service.h"
#include "store/store.h"

#define MATTER_TOKEN_MAX  128
#define MATTER_WORD_MAX   16
#define MATTER_QUEUES_MAX 1024 /* names, a line for each */
#define MATTER_SLICE_MAX  256

enum matter_kind {
    MATTER_LIST,     /* decisions of a tenant */
    MATTER_DECISION, /* one, as JSON or text */
    MATTER_PICTURE,  /* that was released */
    MATTER_PREVIEW,  /* of what is kept */
    MATTER_PAGE,     /* its owner's */
    MATTER_FORM,     /* that came from there */
    MATTER_APPEAL,   /* a new one */
    MATTER_STATE,    /* of an appeal */
    MATTER_WITHDRAW,
    MATTER_REPLY,
    MATTER_CLAIM, /* reviewers, from here on */
    MATTER_ITEM,
    MATTER_HEARTBEAT,
    MATTER_RELEASE,
    MATTER_SKIP,
    MATTER_ASK,
    MATTER_DECIDE,
    MATTER_VIEW, /* a word to look once */
    MATTER_LOOK, /* and the look */
    MATTER_MINE,
    MATTER_BREAK,
    MATTER_STATS, /* leads, from here on */
    MATTER_ITEMS,
    MATTER_SETTINGS,
    MATTER_SET,
    MATTER_GOLDEN,
    MATTER_CLOSE, /* a breaker's slice */
    MATTER_EXPORT,
    MATTER_NOTHING, /* somebody tried what there is not */
    MATTER_KINDS
};

/* Who asks. */
struct matter_who {
    bool link;                     /* a signed link was shown: it is for decision `id` alone */
    int tenant;                    /* -1: by link, or nobody */
    char name[STORE_TENANT_MAX];   /* of the tenant; empty: by link */
    char prefix[STORE_PREFIX_MAX]; /* of the key; empty: there is none */
    unsigned scopes;
};

struct matter {
    enum matter_kind kind;
    struct service *service;
    struct http_ticket *ticket;
    struct matter_who who;
    char id[STORE_ID_MAX];        /* of the decision or the item */
    char token[MATTER_TOKEN_MAX]; /* of a link, or to look once */
    char lease[MATTER_TOKEN_MAX];
    char language[MATTER_WORD_MAX]; /* the reader's; empty: not said */
    bool as_text;
    char act[MATTER_WORD_MAX]; /* of a form: appeal, reply, withdraw */
    char reason[STORE_REASON_MAX], code[STORE_REASON_MAX], clause[STORE_NAME_MAX];
    char text[STORE_SENTENCE_MAX]; /* of an owner, or a reviewer's answer or question */
    char key[STORE_JOB_KEY_MAX];   /* Idempotency-Key; or empty */
    uint8_t hash[32];              /* of what came with it */
    char word[MATTER_WORD_MAX];    /* outcome, variant, format, state */
    char queues[MATTER_QUEUES_MAX], kinds[MATTER_SLICE_MAX];
    char slice[MATTER_SLICE_MAX];
    int64_t number[4]; /* confidence, version, limit, since, ...; below 0: not said */
    atomic_bool gone;  /* nobody waits for the answer */
    struct matter *next;
};

struct matters;

MUST_USE enum status matters_open(struct matters **out, int count);
void matters_close(struct matters **m);

/* NULL: the request is answered. `who` is filled from the request. */
struct matter *matter_take(struct service *s, struct http_request *r, enum matter_kind kind);
/* From here on the desk answers. */
void matter_send(struct matter *m, struct http_request *r);
/* Answer now, and let go of it. */
void matter_refuse(struct matter *m, struct http_request *r, int status, struct failure failure,
                   const char *message);
/* Read the fields of a body or a query; false: refused, and gone. */
bool matter_read_json(struct matter *m, struct http_request *r, const struct field *fields,
                      int count);
bool matter_read_query(struct matter *m, struct http_request *r, const struct field *fields,
                       int count);

/* The answer leaves, on the desk's thread; the matter may be gone from here on. */
void matter_answer(struct matter *m, struct answer *a);
void matter_fail(struct matter *m, int status, struct failure failure, const char *message);
void matter_fail_store(struct matter *m, enum status st); /* the store failed */

#define MATTER_FIELD(member) FIELD_AT(struct matter, member)

#endif /* SERVER_MATTER_H */
