/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/review_scene.h"

#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL  "tests/golden/tiny_lcm"
#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

/* One category of which every picture has its share: some of Drawing and Neutral is in all. */
static const char policy_text[] =
    "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"scene\", \"version\": %d,\n"
    " \"status\": \"live\", \"change_reason\": \"a test\", \"languages\": [\"en\"],\n"
    " \"classifiers\": [\n"
    "  {\"id\": \"nsfwjs_mid\", \"role\": \"main\",\n"
    "   \"preprocess\": \"bilinear_align_corners_224\"},\n"
    "  {\"id\": \"nsfwjs_small\", \"role\": \"second_opinion\",\n"
    "   \"preprocess\": \"bilinear_align_corners_224\"}],\n"
    " \"ignore\": [\"Porn\", \"Hentai\", \"Sexy\"],\n"
    " \"categories\": [\n"
    "  {\"id\": \"everything\", \"from\": {\"op\": \"sum\", \"classes\": [\"Drawing\", "
    "\"Neutral\"]},\n"
    "   \"clause\": \"Rule 1: nothing\",\n"
    "   \"dsa_category\": \"STATEMENT_CATEGORY_OTHER_VIOLATION_TC\",\n"
    "   \"dsa_keyword\": \"KEYWORD_OTHER\",\n"
    "   \"reason\": {\"en\": \"This check objects to everything.\"}, \"appealable\": true,\n"
    "   \"bands\": {%s}}],\n"
    " \"contexts\": [{\"id\": \"medical\", \"grant_required\": true, \"evidence_required\": true,\n"
    "   \"max_grant_days\": 180, \"overrides\": {\"everything\": {\"hold\": 0.000001, \"block\": "
    "null}},\n"
    "   \"deliver_hold_as\": \"owner_blurred_preview\", \"reviewer_queue\": \"medical\"}],\n"
    " \"on_error\": \"hold\", %s\n"
    " \"breaker\": {\"window\": 200, \"min_n\": 20, \"max_overturn\": 0.20, \"confidence\": 0.95,\n"
    "   \"slices\": [\"category\", \"tenant\", \"context\"], \"half_open_share\": 0.05},\n"
    " \"audit_sample\": {\"auto_block\": 0, \"auto_allow_near\": 0, \"auto_allow_far\": 0},\n"
    " \"appeals\": {\"window_days\": 183, \"max_text\": 2000, \"sla_first_review_h\": 24,\n"
    "   \"sla_final_h\": 72, \"info_days\": 14,\n"
    "   \"second_review\": {\"share\": %s, \"when\": []}},\n"
    " \"retention\": {\"held_image_days\": 183, \"after_final_days\": 30, \"audit_years\": 5},\n"
    " \"capacity\": {\"reviewers\": 4, \"items_per_reviewer_hour\": 60, \"max_utilisation\": "
    "0.8}}\n";

/* ---- the stage ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_policy(const struct scene *s, const struct scene_policy *p)
{
    char bands[64], text[8192];

    if (!strcmp(p->action, "allow"))
        snprintf(bands, sizeof(bands), "\"block\": 0.999999999");
    else
        snprintf(bands, sizeof(bands), "\"%s\": 0.000001", p->action);
    snprintf(text, sizeof(text), policy_text, p->version, bands, p->extra ? p->extra : "",
             p->second ? "1" : "0");
    write_file(s->policy, text);
}

static void make_key(const struct scene *s, const char *scopes, const char *tenant,
                     char out[SCENE_KEY_MAX])
{
    const char *const args[] = {"key",  "create",   "--state", s->folder, "--scopes",
                                scopes, "--tenant", tenant,    NULL};
    struct program p;
    char text[1024];
    int code;

    program_start(&p, args);
    code = program_wait(&p, 60000);
    program_read(&p, text, sizeof(text));
    program_forget(&p);
    if (code || sscanf(text, "%63s", out) != 1 || strncmp(out, "lmr-", 4) != 0)
        fail_msg("%s", text);
}

void scene_open(struct scene *s, const struct scene_policy *p, int reviewers)
{
    *s = (struct scene){.reviewers = reviewers};
    snprintf(s->folder, sizeof(s->folder), "%s/limner-review.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->policy, sizeof(s->policy), "%s/policy.json", s->folder);
    write_policy(s, p);
    make_key(s, "generate", "acme", s->owner);
    make_key(s, "generate", "rival", s->other);
    make_key(s, "lead", "default", s->lead);
    make_key(s, "compliance", "default", s->compliance);
    assert_true(reviewers <= SCENE_REVIEWERS);
    for (int i = 0; i < reviewers; i++)
        make_key(s, "review", "default", s->reviewer[i]);
}

void scene_webhook(struct scene *s, int port)
{
    char text[256];

    snprintf(s->config, sizeof(s->config), "%s/limner.yaml", s->folder);
    snprintf(text, sizeof(text),
             "tenants:\n  - name: acme\n    webhook: http://127.0.0.1:%d/hook\n", port);
    write_file(s->config, text);
    setenv("LIMNER_WEBHOOK_SECRET", SECRET, 1);
}

void scene_serve(struct scene *s)
{
    const char *args[] = {"--model", MODEL,      "--threads", "1",  "--seats", "2", "--state",
                          s->folder, "--policy", s->policy,   NULL, NULL,      NULL};

    if (s->config[0]) {
        args[10] = "--config";
        args[11] = s->config;
    }
    program_serve(&s->server, args);
}

void scene_stop(struct scene *s)
{
    assert_int_equal(program_stop(&s->server), 0);
}

void scene_kill(struct scene *s)
{
    program_signal(&s->server, SIGKILL);
    program_wait(&s->server, 10000);
    program_forget(&s->server);
}

void scene_close(struct scene *s)
{
    program_remove(s->folder);
}

/* ---- asking ---- */

void scene_ask(const struct scene *s, const char *key, const char *method, const char *path,
               const char *body, int status, struct reply *r)
{
    char headers[256] = "";
    int used = 0;

    if (key)
        used = snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", key);
    if (body)
        snprintf(headers + used, sizeof(headers) - (size_t)used, "Content-Type: %s\r\n",
                 body[0] == '{' ? "application/json" : "application/x-www-form-urlencoded");
    client_ask(s->server.port, method, path, headers, body, r);
    if (status && r->status != status)
        fail_msg("%s %s: %d, not %d: %.600s", method, path, r->status, status,
                 r->body ? r->body : "");
}

struct json *scene_json(const struct scene *s, const char *key, const char *method,
                        const char *path, const char *body, int status)
{
    struct json *root = NULL;
    struct reply r;

    scene_ask(s, key, method, path, body, status, &r);
    if (r.bytes)
        root = reply_json(&r);
    reply_close(&r);
    return root;
}

void scene_refused(const struct scene *s, const char *key, const char *method, const char *path,
                   const char *body, int status, const char *code)
{
    struct json *root = scene_json(s, key, method, path, body, status);

    if (strcmp(scene_text(root, "error.code"), code) != 0)
        fail_msg("%s %s: %s, not %s", method, path, scene_text(root, "error.code"), code);
    json_close(&root);
}

const struct json *scene_member(const struct json *o, const char *path)
{
    char name[64];

    while (o && *path) {
        size_t bytes = strcspn(path, ".");

        assert_true(bytes < sizeof(name));
        memcpy(name, path, bytes);
        name[bytes] = '\0';
        o = json_type_of(o) == JSON_TYPE_OBJECT ? json_get(o, name) : NULL;
        path += bytes + (path[bytes] == '.');
    }
    return o;
}

const char *scene_text(const struct json *o, const char *path)
{
    const struct json *value = scene_member(o, path);

    if (json_type_of(value) != JSON_TYPE_STRING)
        fail_msg("%s is no text", path);
    return json_as_string(value);
}

int64_t scene_int(const struct json *o, const char *path)
{
    const struct json *value = scene_member(o, path);

    if (json_type_of(value) != JSON_TYPE_INT)
        fail_msg("%s is no whole number", path);
    return json_as_int(value);
}

static void copy(char *out, size_t bytes, const char *text)
{
    assert_true(strlen(text) < bytes);
    memcpy(out, text, strlen(text) + 1);
}

/* ---- what those who take part do ---- */

void scene_policy(struct scene *s, const struct scene_policy *p)
{
    char text[65536];

    write_policy(s, p);
    program_signal(&s->server, SIGHUP);
    for (int tick = 0; tick < 500; tick++) {
        program_sleep_ms(20);
        program_read(&s->server, text, sizeof(text));
        if (strstr(text, "\"event\":\"reloaded\""))
            return;
    }
    fail_msg("the policy was not read again");
}

void scene_blocked(const struct scene *s, const char *prompt, char decision[SCENE_ID_MAX],
                   char token[SCENE_TOKEN_MAX])
{
    char body[512];
    struct json *root;
    const char *at;

    snprintf(body, sizeof(body), "{\"prompt\":\"%s\",\"seed\":7}", prompt);
    root = scene_json(s, s->owner, "POST", "/v1/images/generations", body, 400);
    assert_string_equal(scene_text(root, "error.code"), "moderation_blocked");
    copy(decision, SCENE_ID_MAX, scene_text(root, "error.moderation.decision_id"));
    at = strstr(scene_text(root, "error.moderation.statement_url"), "token=");
    assert_non_null(at);
    if (token)
        copy(token, SCENE_TOKEN_MAX, at + 6);
    json_close(&root);
}

void scene_appeal(const struct scene *s, const char *decision, char appeal[SCENE_ID_MAX])
{
    char body[256];
    struct json *root;

    snprintf(body, sizeof(body),
             "{\"decision_id\":\"%s\",\"reason\":\"medical\",\"text\":\"It is a drawing.\"}",
             decision);
    root = scene_json(s, s->owner, "POST", "/v1/appeals", body, 201);
    copy(appeal, SCENE_ID_MAX, scene_text(root, "id"));
    json_close(&root);
}

bool scene_claim(const struct scene *s, const char *key, struct scene_claim *c)
{
    struct reply r;
    struct json *root;

    scene_ask(s, key, "POST", "/v1/review/claim", "{}", 0, &r);
    if (r.status == 204) {
        reply_close(&r);
        return false;
    }
    if (r.status != 200)
        fail_msg("claim: %d %.300s", r.status, r.body ? r.body : "");
    root = reply_json(&r);
    copy(c->item, sizeof(c->item), scene_text(root, "item.id"));
    copy(c->decision, sizeof(c->decision), scene_text(root, "item.decision.id"));
    copy(c->lease, sizeof(c->lease), scene_text(root, "lease_token"));
    c->version = scene_int(root, "item.version");
    json_close(&root);
    reply_close(&r);
    return true;
}

struct json *scene_decide(const struct scene *s, const char *key, const struct scene_claim *c,
                          const char *outcome, int status)
{
    char path[128], body[768];

    snprintf(path, sizeof(path), "/v1/review/items/%s/decide", c->item);
    snprintf(body, sizeof(body),
             "{\"lease_token\":\"%s\",\"outcome\":\"%s\",\"code\":\"medical_or_educational\","
             "\"clause\":\"everything\",\"answer\":\"Because I looked.\",\"confidence\":4,"
             "\"version\":%lld}",
             c->lease, outcome, (long long)c->version);
    return scene_json(s, key, "POST", path, body, status);
}

/* ---- whole tests' beginnings and ends ---- */

void scene_done(struct json *root)
{
    json_close(&root);
}

void scene_begin(struct scene *s, const char *action, int reviewers)
{
    const struct scene_policy policy = {.action = action, .version = 1};

    scene_open(s, &policy, reviewers);
    scene_serve(s);
}

void scene_end(struct scene *s)
{
    scene_stop(s);
    scene_close(s);
}

/* `count` appeals, each of another picture. */
void scene_fill(const struct scene *s, int count)
{
    char decision[SCENE_ID_MAX], appeal[SCENE_ID_MAX], prompt[32];

    for (int i = 0; i < count; i++) {
        snprintf(prompt, sizeof(prompt), "picture %d", i);
        scene_blocked(s, prompt, decision, NULL);
        scene_appeal(s, decision, appeal);
    }
}

struct json *scene_post(const struct scene *s, const char *key, const char *item, const char *what,
                        const char *body, int status)
{
    char path[160];

    snprintf(path, sizeof(path), "/v1/review/items/%s/%s", item, what);
    return scene_json(s, key, "POST", path, body, status);
}

void scene_lease(char out[512], const struct scene_claim *c, const char *more)
{
    snprintf(out, 512, "{\"lease_token\":\"%s\"%s}", c->lease, more);
}

void scene_set(const struct scene *s, const char *body)
{
    scene_done(scene_json(s, s->lead, "POST", "/v1/review/settings", body, 200));
}

const struct json *scene_find_event(const struct json *item, const char *kind)
{
    const struct json *history = scene_member(item, "history");

    for (size_t i = 0; i < json_size(history); i++) {
        if (!strcmp(scene_text(json_at(history, i), "kind"), kind))
            return json_at(history, i);
    }
    return NULL;
}

/* Its owner has the picture. */
void scene_has_picture(const struct scene *s, const char *path)
{
    struct reply r;

    scene_ask(s, s->owner, "GET", path, NULL, 200, &r);
    assert_true(r.bytes > 60);
    reply_close(&r);
}
