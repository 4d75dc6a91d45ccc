/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moderation.h - what was decided about prompts and pictures, what waits for people, and what they
 * said: rows of the store, and what is done with them.
 *
 *     decision  what was judged, and where it stands now. Written before anything is sent
 *     object    held bytes, encrypted by moderation/vault.c; without its key it is gone
 *     item      something that waits for a person: a held picture, an appeal, an audit, ...
 *     event     one line of what happened to a decision; only ever added
 *     message   a word to a tenant's webhook that has not been delivered yet
 *
 *     hand      who decided about a decision, and so gets nothing of it again
 *
 * Nothing is decided here. moderation/appeal.c says what may become what; the store moves an item
 * only from the version that was looked at, with everything that goes with it, in one transaction:
 * a decision's new state, the released picture, the end of its job, the event, the message to its
 * owner.
 *
 * Each event holds a hash of the one before it, so that what was changed afterwards is found.
 */
#ifndef STORE_MODERATION_H
#define STORE_MODERATION_H

#include "store/jobs.h"

#define STORE_ID_MAX         40 /* these with a NUL */
#define STORE_NAME_MAX       64
#define STORE_HASH_MAX       65 /* hexadecimal SHA-256 */
#define STORE_SCORES_MAX     512
#define STORE_USER_MAX       65 /* a SHA-256 in hexadecimal is what many send */
#define STORE_REASON_MAX     48
#define STORE_SENTENCE_MAX   2048 /* what a reviewer or an owner wrote: 2,000 bytes */
#define STORE_URL_MAX        512
#define STORE_EVENT_MAX      1024
#define STORE_PAYLOAD_MAX    4096
#define STORE_OBJECT_KEY_MAX 128 /* a wrapped key */
#define STORE_QUEUES_MAX     16
#define STORE_MESSAGE_DAYS   30

/* ---- decisions ---- */

enum store_stage { STORE_STAGE_PROMPT, STORE_STAGE_IMAGE };

/* Where a decision stands now. */
enum store_standing {
    STORE_ALLOWED,
    STORE_BLURRED,  /* delivered, to be shown behind a click */
    STORE_HELD,     /* waits for a person */
    STORE_BLOCKED,  /* may be appealed */
    STORE_RELEASED, /* a person, a precedent or a newer policy let it go */
    STORE_FINAL,    /* a person upheld the block; only new facts open it again */
    STORE_EXPIRED,  /* the time for an appeal is over; what was held is destroyed */
    STORE_SEALED,   /* out of every queue and view: suspected to be illegal */
    STORE_STANDINGS
};

/* Times are seconds since 1970; 0: not yet, or never. */
struct store_decision {
    int64_t seq; /* given by the store */
    char id[STORE_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    char request[STORE_NAME_MAX];
    char user[STORE_USER_MAX]; /* the caller's own word for whom it was made; or empty */
    char job[STORE_ID_MAX];    /* of jobs.h, when there is one */
    int index;                 /* which of the request's pictures */
    enum store_stage stage;
    char model[STORE_NAME_MAX];
    char context[STORE_NAME_MAX]; /* that was claimed and granted; or empty */
    char policy[STORE_NAME_MAX];
    int policy_version;
    char policy_sha256[STORE_HASH_MAX], weights_sha256[STORE_HASH_MAX];
    char scores[STORE_SCORES_MAX]; /* of scores.h, as text; a prompt's finding as JSON */
    char category[STORE_NAME_MAX]; /* that decided; or empty */
    int decision, action, cause;   /* enum band, enum band, enum cause of policy.h */
    int shadow;                    /* what a candidate policy would have done; below 0: none ran */
    enum store_standing standing;
    char pixels_sha256[STORE_HASH_MAX]; /* before any mark; empty for prompts */
    char subject[STORE_HASH_MAX]; /* keyed hash of tenant and prompt (and pixels): precedents */
    char object[STORE_ID_MAX];    /* what is kept of it in the vault; or empty */
    bool audited;                 /* drawn for the blind audit */
    int64_t seed;
    int width, height, format, quality;
    int64_t created_s, appeal_until_s, decided_s /* by a person */;
};

/* ---- the vault's objects: bytes that mean nothing without the key ---- */

struct store_object {
    char id[STORE_ID_MAX];
    char decision[STORE_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    uint8_t key[STORE_OBJECT_KEY_MAX]; /* wrapped by the master key; no bytes once destroyed */
    size_t key_bytes;
    char master[STORE_NAME_MAX]; /* which master key */
    int64_t created_s, expires_s, destroyed_s;
    bool frozen; /* legal hold: nothing expires */
    struct store_bytes data;
};

/* ---- what waits for a person ---- */

enum store_item_kind {
    STORE_ITEM_HOLD,   /* a picture that nobody blocked and nobody let go */
    STORE_ITEM_APPEAL, /* an owner contests a block */
    STORE_ITEM_AUDIT,  /* a blind look at what was decided without a person */
    STORE_ITEM_SECOND, /* a second opinion on an item that was decided */
    STORE_ITEM_GOLDEN, /* its answer is known: it judges the reviewer */
    STORE_ITEM_KINDS
};

enum store_item_state {
    STORE_ITEM_QUEUED,
    STORE_ITEM_CLAIMED,
    STORE_ITEM_ASKED, /* the owner was asked something */
    STORE_ITEM_DECIDED,
    STORE_ITEM_WITHDRAWN,  /* by its owner */
    STORE_ITEM_SUPERSEDED, /* a precedent or a newer policy decided it */
    STORE_ITEM_STATES
};

/* What a person says about the picture. He may not know what was done with it: an audit of an
   allowed one that is "upheld" says that it should have been blocked. */
enum store_outcome {
    STORE_UNDECIDED,
    STORE_OVERTURNED, /* the picture goes to its owner */
    STORE_PARTLY,     /* it goes, to be shown behind a click */
    STORE_UPHELD,
    STORE_ILLEGAL, /* sealed, and a named role is told */
    STORE_OUTCOMES
};

struct store_item {
    int64_t seq;
    char id[STORE_ID_MAX];
    enum store_item_kind kind;
    char decision[STORE_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    char queue[STORE_NAME_MAX];
    char category[STORE_NAME_MAX];
    int severity; /* the worst first among equal times */
    enum store_item_state state;
    int64_t version; /* one more with every move */
    int skips;       /* how often somebody left it to others */
    int64_t created_s, due_first_s, due_s;
    int64_t escalated_s; /* its time was over: it is on the lead's page, and still open */
    int64_t asked_s;     /* when its owner was asked */

    /* Of an appeal, as its owner wrote it. */
    char reason[STORE_REASON_MAX];
    char text[STORE_SENTENCE_MAX], question[STORE_SENTENCE_MAX], reply[STORE_SENTENCE_MAX];
    char key[STORE_JOB_KEY_MAX]; /* Idempotency-Key; or empty */
    uint8_t hash[32];            /* of the request */

    /* Of whoever has it, or decided it: a key's prefix. */
    char reviewer[STORE_NAME_MAX];
    uint8_t lease[32]; /* SHA-256 of the token */
    int64_t lease_until_s, claimed_ms /* since 1970 */;
    enum store_outcome outcome, expected /* of a golden item */;
    char code[STORE_REASON_MAX], clause[STORE_NAME_MAX], answer[STORE_SENTENCE_MAX];
    int confidence; /* 1 to 5; 0: not said */
    int64_t decided_s, spent_ms;
    char parent[STORE_ID_MAX]; /* the item that this is a second opinion of */
};

/* ---- what goes with a move ---- */

struct store_event {
    int64_t seq; /* given by the store */
    char decision[STORE_ID_MAX], item[STORE_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    char actor[STORE_NAME_MAX]; /* "system", "owner", or a key's prefix */
    char kind[STORE_REASON_MAX];
    char text[STORE_EVENT_MAX]; /* JSON: what changed; nothing personal, no prompt, no pixels */
    int64_t at_ms;              /* since 1970 */
};

struct store_message {
    int64_t seq;
    char id[STORE_ID_MAX];
    char tenant[STORE_JOB_TENANT_MAX];
    char kind[STORE_REASON_MAX]; /* "decision.released", "appeal.decided", ... */
    char payload[STORE_PAYLOAD_MAX];
    int tries;
    int64_t created_s, next_s, delivered_s, given_up_s;
};

/* A picture on its way to its owner after all. */
struct store_release {
    struct store_picture picture; /* data is the caller's, from malloc when it was found */
    int format;
    int64_t at_s; /* given by the store */
};

/* Decisions with what is kept of them and what goes out of them: all or none. */
struct store_record {
    struct store_decision *decisions; /* their seq is filled in */
    int decision_count;
    const struct store_object *objects; /* these three name their decision */
    int object_count;
    const struct store_item *items;
    int item_count;
    const struct store_event *events;
    int event_count;
    const struct store_message *messages;
    int message_count;
};

/* An appeal as it comes in. */
struct store_filing {
    const struct store_item *item;
    const struct store_event *event;
    const struct store_message *message; /* NULL: none */
};

/* All that happens with one move of an item, or none of it. NULL: not this. */
struct store_move {
    const struct store_item *item;         /* as it shall be; its version is that of before */
    const struct store_item *follow;       /* an item that is added: a second opinion */
    const struct store_event *event;       /* required */
    const struct store_decision *decision; /* as it was looked at, when it shall stand elsewhere */
    enum store_standing standing;          /* there; no other open item of it outlives a release */
    const struct store_release *release;   /* the bytes */
    const struct store_message *message;
    int64_t keep_until_s;   /* its object is kept until then at least */
    int64_t appeal_until_s; /* and an appeal may come until then at least */
    int64_t aside_until_s;  /* event->actor is not given this item before */
    int64_t now_s;
};

/* What a claim may find, and on what terms. */
struct store_want {
    const char *reviewer;      /* never what he had decided, or what is a second look at it */
    const char *const *queues; /* NULL: all */
    int queue_count;           /* STORE_QUEUES_MAX at most */
    unsigned kinds;            /* 1 << enum store_item_kind, or'ed */
    int64_t now_ms;            /* since 1970; a lease that is over then is nobody's */
    uint8_t lease[32];         /* SHA-256 of the new token */
    int64_t lease_until_s;
};

struct store_counts {
    int64_t items[STORE_ITEM_KINDS][STORE_ITEM_STATES]; /* over leases count as queued */
    int64_t oldest_s, first_due_s, overdue;             /* of those queued or claimed; 0: none */
    int64_t arrived, decided;                           /* since the time that was asked for */
};

/* The chain of events as it was found. */
struct store_chain {
    int64_t count;             /* that were good */
    int64_t bad;               /* seq of the first that was changed; 0: none was */
    char head[STORE_HASH_MAX]; /* hash of the last good one: keep it on another machine */
};

/* A tenant may claim a context. */
struct store_grant {
    char tenant[STORE_JOB_TENANT_MAX], context[STORE_NAME_MAX];
    char evidence[256], granted_by[STORE_NAME_MAX];
    int64_t granted_s, expires_s, revoked_s;
};

/* A small thing by its name, for what must survive and is no row of its own: a breaker's slice, an
   exposure count, a reference histogram. */
#define STORE_NOTE_NAME_MAX 256
#define STORE_NOTE_BODY_MAX 8192

#endif /* STORE_MODERATION_H */
