/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logbook.h - questions about the log on their way to the store, and their answers.
 *
 * An io thread reads what the client said into a question and lets it go; it is answered on the
 * desk's thread, which may wait for the store. So many are let in at once; one more is told 429.
 *
 *     q = logbook_take(s, r, LOGBOOK_PROOF);   if (!q) return;         answered: too many at once
 *     fill;   logbook_send(q, r);
 *
 * Heads, proofs and hashes say nothing of what is in the log. Whoever is shown records is written
 * into it first: the key's prefix, what he was shown, and why, as he said.
 */
#ifndef SERVER_LOGBOOK_H
#define SERVER_LOGBOOK_H

#include "server/fields.h"
#include "server/service.h"
#include "watermark/ledger.h"

#define LOGBOOK_QUESTIONS   64  /* at once */
#define LOGBOOK_ENTRIES_MAX 256 /* records of an answer */
#define LOGBOOK_ENTRIES     100 /* when nothing is said */
#define LOGBOOK_REASON_MAX  256

struct logbook;

enum logbook_kind {
    LOGBOOK_CHECKPOINT,
    LOGBOOK_KEY,
    LOGBOOK_PROOF,
    LOGBOOK_CONSISTENCY,
    LOGBOOK_TILE,
    LOGBOOK_STATS,
    LOGBOOK_BUNDLE, /* records, from here on */
    LOGBOOK_ENTRIES_LIST,
    LOGBOOK_SEARCH,
    LOGBOOK_KINDS
};

struct logbook_question {
    enum logbook_kind kind;
    struct service *service;
    struct http_ticket *ticket;
    char prefix[STORE_PREFIX_MAX]; /* of the key; empty: there is none */
    char request[HTTP_ID_MAX];
    char said[256]; /* the path and query, for the record of a read */
    char reason[LOGBOOK_REASON_MAX];
    int level, width; /* of a tile */
    int64_t first;    /* index, older size, first record, number of a tile; -1: not said */
    int64_t last;     /* size, newer size; -1: not said */
    int64_t count;    /* of records at most */
    /* A search: empty and -1 are not said. */
    char id[17], sha256[65], pixels[65], kind_name[16];
    char tenant[STORE_LEAF_TENANT_MAX], model[STORE_LEAF_NAME_MAX];
    char verdict[STORE_LEAF_VERDICT_MAX], decision[STORE_LEAF_DECISION_MAX];
    int64_t since_s, until_s, before;
    struct logbook_question *next;
};

#define LOGBOOK_FIELD(member) FIELD_AT(struct logbook_question, member)

/* `ledger` and `key` (of its signatures: 32 bytes) outlive it. */
MUST_USE enum status logbook_open(struct logbook **out, struct ledger *ledger,
                                  const uint8_t key[CHECKPOINT_PUBLIC], struct why *why);
void logbook_close(struct logbook **l); /* after http_close */

/* NULL: the request is answered; there is no log, or too much is asked at once. */
struct logbook_question *logbook_take(struct service *s, struct http_request *r,
                                      enum logbook_kind kind);
void logbook_send(struct logbook_question *q, struct http_request *r);
/* Read the query's fields; false: refused, and gone. */
bool logbook_read(struct logbook_question *q, struct http_request *r, const struct field *fields,
                  int count);
void logbook_refuse(struct logbook_question *q, struct http_request *r, int status,
                    struct failure failure, const char *message);

#endif /* SERVER_LOGBOOK_H */
