/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h - what the desk's thread works with. Private to desk.c and here.
 *
 * But for what stands under the lock, everything belongs to that thread. A function that takes a
 * matter answers it, exactly once, unless it says that it returns false for that.
 */
#ifndef SERVER_DESK_ROOM_H
#define SERVER_DESK_ROOM_H

#include "moderation/appeal.h"
#include "moderation/breaker.h"
#include "server/desk.h"
#include "server/desk_numbers.h"
#include "server/matter.h"
#include "server/moderated.h"
#include "server/veil.h"

#include <pthread.h>

#define PEOPLE_MAX    256 /* reviewers since the start */
#define VIEWS_MAX     512 /* words to look once that are out */
#define VIEW_S        60
#define EXPOSURES_MAX 200 /* looks at the whole of a picture that are remembered */
#define ITEMS_MAX     512 /* decided items that numbers are made of, and of a lead's list */
#define EVENTS_MAX    128 /* of a decision, that are told */
#define PSEUDONYM_MAX 8
#define HOURS         24 /* of which each is told */
#define SKIPS_MAX     16 /* reasons that are told apart */
#define DATE_MAX      MODERATED_DATE_MAX

/* Of desk_run. */
struct call {
    void (*run)(void *owner);
    void *owner;
};

/* What a lead may set. */
struct settings {
    int64_t views_per_hour, work_minutes, break_minutes, golden_percent;
};

/* A reviewer, as long as the server runs; what must survive is in a note of the store. */
struct person {
    char prefix[STORE_PREFIX_MAX];
    char name[PSEUDONYM_MAX];
    int64_t seen[EXPOSURES_MAX]; /* when he saw the whole of a picture; a ring */
    int seen_count, seen_next;
    int64_t since_s, last_s; /* he works without a break, and did something */
    int64_t break_until_s;
};

/* A word to look once. */
struct view {
    uint8_t word[32]; /* SHA-256 */
    char item[STORE_ID_MAX], reviewer[STORE_PREFIX_MAX];
    char lease[MATTER_TOKEN_MAX];
    enum veil veil;
    int64_t until_s; /* 0: free, or used */
};

/* What came and was decided in an hour, counted from 1970. */
struct hour {
    int64_t hour, arrived, decided;
};

/* Why items were left to others, since the start. */
struct skip {
    char reason[STORE_REASON_MAX];
    int count;
};

struct desk {
    struct service *service;
    struct store *store;
    pthread_t thread;
    bool running; /* the thread was started */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct call *calls;     /* a ring */
    int calls_max, call_first, call_count;
    bool stop;
    struct desk_numbers numbers;

    struct settings settings;
    struct person *person[PEOPLE_MAX];
    int person_count;
    struct view view[VIEWS_MAX];
    struct store_item *items; /* room for ITEMS_MAX, for one function at a time */
    struct store_event *events;
    int64_t look_us, sweep_us; /* when numbers are made again, and old things go */
    int64_t minute;            /* in which so many tries were written down, and so many not */
    int tries, tries_left_out;
    int64_t full_views, refused_views, sweeps, alarms;
    struct hour hour[HOURS];     /* a ring */
    struct skip skip[SKIPS_MAX]; /* the first ones are taken */
    bool store_failed;           /* as it was said already */
};

/* desk.c */
int64_t desk_now_ms(void);
/* Tell the log once that the store fails, and once that it does no more. */
void desk_note(struct desk *d, enum status st, const struct why *why);
/* One line of what happened; its failing is only said. */
void desk_event(struct desk *d, const struct store_decision *decision, const char *item,
                const char *actor, const char *kind, const char *text);
/* Begin an answer of JSON that nobody keeps. */
void desk_answer(struct answer *a, int status);
/* "R-7F3A"; "owner" and "system" as they are. */
void desk_pseudonym(const struct desk *d, char out[PSEUDONYM_MAX], const char *prefix);
/* ST_OK, or the matter is answered: why not. */
bool desk_is_refused(struct desk *d, struct matter *m, enum status st, enum appeal_refusal refusal,
                     const struct why *why);

/* owner.c: a decision, for its owner. False: answered. */
bool owner_find(struct desk *d, struct matter *m, struct store_decision *out);
void owner_list(struct desk *d, struct matter *m);
void owner_decision(struct desk *d, struct matter *m);
void owner_picture(struct desk *d, struct matter *m);
void owner_preview(struct desk *d, struct matter *m);
void owner_nothing(struct desk *d, struct matter *m);
/* Somebody tried to see what he may not. */
void owner_tried(struct desk *d, const struct matter *m, const char *what);

/* file.c: an appeal, for its owner. */
void file_appeal(struct desk *d, struct matter *m);
void file_state(struct desk *d, struct matter *m);
void file_withdraw(struct desk *d, struct matter *m);
void file_reply(struct desk *d, struct matter *m);
/* The newest appeal of a decision. ST_MISSING: there is none. */
MUST_USE enum status file_newest(struct desk *d, const char *decision, struct store_item *out,
                                 struct why *why);
/* The item, if it is an appeal of the asker's. False: answered. */
bool file_find(struct desk *d, struct matter *m, struct store_item *item,
               struct store_decision *decision);
bool file_is_reason(const char *reason);

/* form.c: the page and its form. */
void form_page(struct desk *d, struct matter *m);
void form_take(struct desk *d, struct matter *m);

/* people.c: who reviews, how long and how much. */
struct person *people_find(struct desk *d, const char *prefix); /* NULL: there are too many */
/* He does something now. False: a break is due, or the cap is reached, and it is answered. */
bool people_may_claim(struct desk *d, struct matter *m, struct person *p, int64_t now_s);
bool people_may_see(struct desk *d, struct matter *m, struct person *p, int64_t now_s);
void people_saw(struct desk *d, struct person *p, int64_t now_s);
int people_seen_since(const struct person *p, int64_t since_s);
int64_t people_break_due_s(const struct desk *d, const struct person *p, int64_t now_s);
void people_keep(struct desk *d, const struct person *p);
void people_mine(struct desk *d, struct matter *m);
void people_break(struct desk *d, struct matter *m); /* he takes one */

/* claim.c: an item comes to a reviewer, and goes back. */
void claim_run(struct desk *d, struct matter *m);
void claim_beat(struct desk *d, struct matter *m);
void claim_put_back(struct desk *d, struct matter *m); /* released or skipped */
void claim_ask(struct desk *d, struct matter *m);
struct appeal_lease claim_lease(const struct matter *m, int64_t now_s);

/* item.c: what a reviewer sees of an item. */
void item_write(struct desk *d, struct json_out *o, const char *name, const struct matter *m,
                const struct store_item *item);
void item_write_short(struct desk *d, struct json_out *o, const char *name,
                      const struct store_item *item);
void item_answer(struct desk *d, struct matter *m, const struct store_item *item);
void item_run(struct desk *d, struct matter *m);
void item_list(struct desk *d, struct matter *m);
/* Would who reviews it know that it is no usual one? */
bool item_is_blind(const struct store_item *item);
bool item_is_code(const char *code);               /* one of those that a ruling may name */
enum store_outcome item_outcome(const char *word); /* STORE_UNDECIDED: there is no such word */

/* rule.c: a decision, and what follows of it. */
void rule_decide(struct desk *d, struct matter *m);
void rule_golden(struct desk *d, struct matter *m);

/* show.c: looks at a picture. */
void show_word(struct desk *d, struct matter *m);
void show_look(struct desk *d, struct matter *m);

/* pace.c: reviewers whose decisions are too quick, or all alike. */
struct pace {
    const char *kind; /* "too_fast", "identical_run"; NULL: nothing of the kind */
    int decisions, longest_run;
    int64_t since_s, median_ms;
};
/* Of his decisions among `items`, the newest first. */
void pace_person(struct pace *out, const struct store_item *items, int count, const char *prefix);
/* After a decision of his: is there something to be done? */
void pace_after(struct desk *d, const char *prefix);

/* slices.c: the breaker. */
void slices_outcome(struct desk *d, const struct policy *p, const struct store_decision *decision,
                    const struct store_item *item);
void slices_close(struct desk *d, struct matter *m);
void slices_write(struct desk *d, struct json_out *o, const char *name);

/* tell.c: numbers. */
void tell_stats(struct desk *d, struct matter *m);
void tell_look(struct desk *d); /* for those who do not wait: d->numbers */

/* export.c */
void export_run(struct desk *d, struct matter *m);

/* settings.c */
void settings_load(struct desk *d);
void settings_show(struct desk *d, struct matter *m);
void settings_set(struct desk *d, struct matter *m);

#endif /* SERVER_DESK_ROOM_H */
