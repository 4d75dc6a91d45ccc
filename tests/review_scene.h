/* SPDX-License-Identifier: Apache-2.0 */
/*
 * review_scene.h - a server whose policy puts every picture where the test wants it, keys for all
 * who take part, and what they ask for, for tests that fail when they do not get it.
 */
#ifndef TESTS_REVIEW_SCENE_H
#define TESTS_REVIEW_SCENE_H

#include "tests/client.h"
#include "tests/program.h"

#define SCENE_REVIEWERS 20
#define SCENE_KEY_MAX   64
#define SCENE_ID_MAX    64
#define SCENE_TOKEN_MAX 128

/* What the policy does. */
struct scene_policy {
    const char *action; /* "block", "hold" or "allow": every picture's */
    int version;
    const char *extra; /* members more, each ending in a comma; NULL: none */
    bool second;       /* every hold and appeal is looked at twice */
};

struct scene {
    struct program server;
    char folder[128], policy[192], config[192];
    int reviewers;
    char owner[SCENE_KEY_MAX]; /* generate, of tenant "acme" */
    char other[SCENE_KEY_MAX]; /* the same of "rival" */
    char lead[SCENE_KEY_MAX], compliance[SCENE_KEY_MAX];
    char reviewer[SCENE_REVIEWERS][SCENE_KEY_MAX];
};

/* A state folder with keys, and a policy. */
void scene_open(struct scene *s, const struct scene_policy *p, int reviewers);
/* acme's webhook, before the server starts. */
void scene_webhook(struct scene *s, int port);
void scene_serve(struct scene *s);
void scene_stop(struct scene *s);
void scene_kill(struct scene *s); /* as a crash would */
void scene_close(struct scene *s);
/* Another policy, by SIGHUP. */
void scene_policy(struct scene *s, const struct scene_policy *p);

/* One request with a key (NULL: none); the status must be `status`, or any when it is 0. `body`
   NULL: none. Close the reply. */
void scene_ask(const struct scene *s, const char *key, const char *method, const char *path,
               const char *body, int status, struct reply *r);
/* The same, and the answer as JSON, to be closed; NULL when it has no body. */
struct json *scene_json(const struct scene *s, const char *key, const char *method,
                        const char *path, const char *body, int status);
/* The same for an error with this code. */
void scene_refused(const struct scene *s, const char *key, const char *method, const char *path,
                   const char *body, int status, const char *code);

/* A member that is text, somewhere below: "error.code". Fails when it is none. */
const char *scene_text(const struct json *o, const char *path);
const struct json *scene_member(const struct json *o, const char *path);
int64_t scene_int(const struct json *o, const char *path);

/* acme asks for a picture, which is blocked: its decision, and its link's token (may be NULL). */
void scene_blocked(const struct scene *s, const char *prompt, char decision[SCENE_ID_MAX],
                   char token[SCENE_TOKEN_MAX]);
/* The owner appeals; the id. */
void scene_appeal(const struct scene *s, const char *decision, char appeal[SCENE_ID_MAX]);

/* A reviewer's claim; false: nothing waits. */
struct scene_claim {
    char item[SCENE_ID_MAX], decision[SCENE_ID_MAX], lease[SCENE_TOKEN_MAX];
    int64_t version;
};
bool scene_claim(const struct scene *s, const char *key, struct scene_claim *c);
/* A decide request; the answer is the caller's. */
struct json *scene_decide(const struct scene *s, const char *key, const struct scene_claim *c,
                          const char *outcome, int status);

/* A server with this policy, at once; and its end. */
void scene_begin(struct scene *s, const char *action, int reviewers);
void scene_end(struct scene *s);
void scene_done(struct json *root);
/* `count` appeals, each of another picture: "picture 0", ... */
void scene_fill(const struct scene *s, int count);
/* POST about an item. */
struct json *scene_post(const struct scene *s, const char *key, const char *item, const char *what,
                        const char *body, int status);
/* A body with the lease; `more` begins with a comma, or is empty. */
void scene_lease(char out[512], const struct scene_claim *c, const char *more);
/* The lead's settings. */
void scene_set(const struct scene *s, const char *body);
/* Of an item's history; NULL: nothing of this kind happened. */
const struct json *scene_find_event(const struct json *item, const char *kind);
/* The owner gets a picture at this path. */
void scene_has_picture(const struct scene *s, const char *path);

#endif /* TESTS_REVIEW_SCENE_H */
