/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who decide: what they get, what they may see, and what keeps them honest and well. Each
 * test has a server of its own, so that queues are empty and nobody is tired.
 */
#include "base/clock.h"
#include "store/store.h"
#include "tests/review_scene.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whose item it is ---- */

static void reviewing_needs_a_key_for_it(void **state)
{
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_refused(&s, NULL, "POST", "/v1/review/claim", "{}", 401, "missing_api_key");
    scene_refused(&s, s.owner, "POST", "/v1/review/claim", "{}", 403, "insufficient_permissions");
    scene_refused(&s, s.reviewer[0], "GET", "/v1/review/stats", NULL, 403,
                  "insufficient_permissions");
    scene_refused(&s, s.reviewer[0], "GET", "/v1/moderation/export?format=csv", NULL, 403,
                  "insufficient_permissions");
    assert_null(scene_json(&s, s.reviewer[0], "POST", "/v1/review/claim", "{}", 204));
    scene_end(&s);
}

struct grab {
    const struct scene *scene;
    const char *key;
    struct scene_claim claim;
    bool got;
};

static void *grab(void *memory)
{
    struct grab *g = memory;

    g->got = scene_claim(g->scene, g->key, &g->claim);
    return NULL;
}

static void twenty_reviewers_at_once_never_hold_the_same_item(void **state)
{
    struct grab grabs[SCENE_REVIEWERS];
    pthread_t thread[SCENE_REVIEWERS];
    struct scene s;
    int got = 0;
    (void)state;

    scene_begin(&s, "block", SCENE_REVIEWERS);
    scene_fill(&s, 15);
    for (int i = 0; i < SCENE_REVIEWERS; i++) {
        grabs[i] = (struct grab){.scene = &s, .key = s.reviewer[i]};
        assert_int_equal(pthread_create(&thread[i], NULL, grab, &grabs[i]), 0);
    }
    for (int i = 0; i < SCENE_REVIEWERS; i++) {
        pthread_join(thread[i], NULL);
        got += grabs[i].got;
        for (int k = 0; k < i; k++)
            assert_true(!grabs[i].got || !grabs[k].got ||
                        strcmp(grabs[i].claim.item, grabs[k].claim.item) != 0);
    }
    assert_int_equal(got, 15);
    scene_end(&s);
}

static void only_who_has_the_lease_decides_and_once(void **state)
{
    struct scene_claim c, other;
    char body[512];
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 2);
    scene_fill(&s, 1);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    assert_false(scene_claim(&s, s.reviewer[1], &other));
    other = c;
    scene_done(scene_decide(&s, s.reviewer[1], &other, "uphold", 409)); /* another's lease */
    snprintf(other.lease, sizeof(other.lease), "%s", "0123456789abcdef0123456789abcdef");
    scene_done(scene_decide(&s, s.reviewer[0], &other, "uphold", 409));
    other = c;
    other.version++;
    scene_done(scene_decide(&s, s.reviewer[0], &other, "uphold", 409)); /* not what he saw */
    scene_done(scene_decide(&s, s.reviewer[0], &c, "dance", 400));
    scene_lease(body, &c, "");
    scene_done(scene_post(&s, s.reviewer[0], c.item, "heartbeat", body, 200));
    scene_done(scene_post(&s, s.reviewer[0], c.item, "release", body, 200));
    scene_done(scene_decide(&s, s.reviewer[0], &c, "uphold", 409)); /* given back */
    scene_done(scene_post(&s, s.reviewer[0], c.item, "heartbeat", body, 409));
    assert_true(scene_claim(&s, s.reviewer[1], &c));
    scene_done(scene_decide(&s, s.reviewer[1], &c, "uphold", 200));
    scene_done(scene_decide(&s, s.reviewer[1], &c, "overturn", 409)); /* a second time */
    scene_end(&s);
}

/* Goal: nobody judges his own word. Method: one reviewer blocks what was held, its owner appeals.
 */
static void who_decided_before_does_not_get_the_appeal(void **state)
{
    struct scene_claim c, again;
    char appeal[SCENE_ID_MAX];
    struct scene s;
    (void)state;

    scene_begin(&s, "hold", 2);
    scene_done(
        scene_json(&s, s.owner, "POST", "/v1/images/generations", "{\"prompt\":\"held\"}", 202));
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    scene_done(scene_decide(&s, s.reviewer[0], &c, "uphold", 200));
    scene_appeal(&s, c.decision, appeal);
    assert_false(scene_claim(&s, s.reviewer[0], &again));
    assert_true(scene_claim(&s, s.reviewer[1], &again));
    assert_string_equal(again.decision, c.decision);
    scene_done(scene_decide(&s, s.reviewer[1], &again, "overturn", 200));
    scene_end(&s);
}

/* Goal: the first word does not count before the second, and the second person knows nothing of it.
   Method: one says no, the other lets it go. */
static void a_second_opinion_is_blind_and_counts(void **state)
{
    const struct scene_policy policy = {.action = "block", .version = 1, .second = true};
    char decision[SCENE_ID_MAX], appeal[SCENE_ID_MAX], path[160];
    struct scene_claim c;
    struct json *root;
    struct scene s;
    (void)state;

    scene_open(&s, &policy, 2);
    scene_serve(&s);
    scene_blocked(&s, "twice", decision, NULL);
    scene_appeal(&s, decision, appeal);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    scene_done(scene_decide(&s, s.reviewer[0], &c, "uphold", 200));
    assert_false(scene_claim(&s, s.reviewer[0], &c));
    snprintf(path, sizeof(path), "/v1/decisions/%s", decision);
    root = scene_json(&s, s.owner, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "status"), "blocked");
    scene_done(root);
    assert_true(scene_claim(&s, s.reviewer[1], &c));
    snprintf(path, sizeof(path), "/v1/review/items/%s", c.item);
    root = scene_json(&s, s.reviewer[1], "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "kind"), "appeal");
    assert_string_equal(scene_text(root, "owner.text"), "It is a drawing.");
    assert_null(scene_find_event(root, "item.decided"));
    assert_null(strstr(scene_text(root, "decision.statement"), "A person has"));
    scene_done(root);
    scene_done(scene_decide(&s, s.reviewer[1], &c, "overturn", 200));
    snprintf(path, sizeof(path), "/v1/decisions/%s/image", decision);
    scene_has_picture(&s, path);
    root = scene_json(&s, s.lead, "GET", "/v1/review/stats", NULL, 200);
    assert_int_equal(scene_int(root, "agreement.doubles"), 1);
    assert_int_equal(scene_int(root, "agreement.agreed"), 0);
    scene_done(root);
    scene_end(&s);
}

static void grant(const struct scene *s, const char *context)
{
    const char *const args[] = {"context",    "grant",      "acme",    context,
                                "--evidence", "a contract", "--state", s->folder,
                                "--policy",   s->policy,    NULL};
    struct program p;
    char text[1024];

    program_start(&p, args);
    if (program_wait(&p, 60000)) {
        program_read(&p, text, sizeof(text));
        fail_msg("%s", text);
    }
    program_forget(&p);
}

/* Goal: what would be a block is a hold for whom a context was granted, goes to those who know it,
   and a picture that they let go is not stopped again. */
static void a_granted_context_is_held_reviewed_and_remembered(void **state)
{
    static const char body[] = "{\"prompt\":\"anatomy\",\"seed\":7,\"context\":\"medical\"}";
    char path[160], headers[160], claim[] = "{\"queues\":[\"medical\"],\"kinds\":[\"hold\"]}";
    struct scene_claim c = {.version = 0};
    struct json *root;
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_refused(&s, s.owner, "POST", "/v1/images/generations", body, 403, "context_not_granted");
    grant(&s, "medical");
    for (int tick = 0;; tick++) {
        scene_ask(&s, s.owner, "POST", "/v1/images/generations", body, 0, &r);
        reply_close(&r);
        if (r.status == 202)
            break;
        assert_true(tick < 100);
        program_sleep_ms(100);
    }
    root = scene_json(&s, s.reviewer[0], "POST", "/v1/review/claim", "{\"queues\":[\"general\"]}",
                      204);
    assert_null(root);
    root = scene_json(&s, s.reviewer[0], "POST", "/v1/review/claim", claim, 200);
    assert_string_equal(scene_text(root, "item.queue"), "medical");
    snprintf(c.item, sizeof(c.item), "%s", scene_text(root, "item.id"));
    snprintf(c.decision, sizeof(c.decision), "%s", scene_text(root, "item.decision.id"));
    snprintf(c.lease, sizeof(c.lease), "%s", scene_text(root, "lease_token"));
    c.version = scene_int(root, "item.version");
    scene_done(root);
    scene_done(scene_decide(&s, s.reviewer[0], &c, "overturn", 200));
    snprintf(path, sizeof(path), "/v1/decisions/%s/image", c.decision);
    scene_has_picture(&s, path);
    snprintf(headers, sizeof(headers),
             "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", s.owner);
    client_ask(s.server.port, "POST", "/v1/images/generations", headers, body, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    scene_end(&s);
}

static void a_question_goes_to_the_owner_and_comes_back(void **state)
{
    char body[512], path[160], appeal[SCENE_ID_MAX], decision[SCENE_ID_MAX];
    struct scene_claim c;
    struct json *root;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_blocked(&s, "a question", decision, NULL);
    scene_appeal(&s, decision, appeal);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    scene_lease(body, &c, ",\"question\":\"What is it for?\"");
    scene_done(scene_post(&s, s.reviewer[0], c.item, "ask", body, 200));
    assert_false(scene_claim(&s, s.reviewer[0], &c));
    snprintf(path, sizeof(path), "/v1/appeals/%s", appeal);
    root = scene_json(&s, s.owner, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "status"), "info_requested");
    assert_string_equal(scene_text(root, "question"), "What is it for?");
    scene_done(root);
    snprintf(path, sizeof(path), "/v1/appeals/%s/reply", appeal);
    scene_done(scene_json(&s, s.owner, "POST", path, "{\"text\":\"A leaflet.\"}", 200));
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    snprintf(path, sizeof(path), "/v1/review/items/%s", c.item);
    root = scene_json(&s, s.reviewer[0], "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "owner.reply"), "A leaflet.");
    assert_string_equal(scene_text(root, "prompt"), "a question");
    assert_int_equal(json_type_of(scene_member(root, "scores")), JSON_TYPE_NULL);
    scene_done(root);
    scene_end(&s);
}

/* ---- what one may see ---- */

static void get_word(const struct scene *s, const char *key, const struct scene_claim *c,
                     const char *variant, char url[256])
{
    char body[512], more[64];
    struct json *root;

    snprintf(more, sizeof(more), ",\"variant\":\"%s\"", variant);
    scene_lease(body, c, more);
    root = scene_post(s, key, c->item, "view", body, 200);
    snprintf(url, 256, "%s", scene_text(root, "url"));
    scene_done(root);
}

static void a_picture_is_seen_once_by_who_asked(void **state)
{
    char url[256], body[512], headers[160];
    struct scene_claim c;
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 2);
    scene_fill(&s, 1);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    get_word(&s, s.reviewer[0], &c, "full", url);
    scene_refused(&s, s.reviewer[1], "GET", url, NULL, 403, "view_over");
    scene_refused(&s, NULL, "GET", url, NULL, 401, "missing_api_key");
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nRange: bytes=0-99\r\n",
             s.reviewer[0]);
    client_ask(s.server.port, "GET", url, headers, NULL, &r);
    assert_int_equal(r.status, 404);
    reply_close(&r);
    scene_ask(&s, s.reviewer[0], "GET", url, NULL, 200, &r);
    assert_memory_equal(r.body, "\x89PNG", 4);
    assert_non_null(strcasestr(r.head, "cache-control: no-store"));
    reply_close(&r);
    scene_refused(&s, s.reviewer[0], "GET", url, NULL, 403, "view_over");
    get_word(&s, s.reviewer[0], &c, "blur", url);
    scene_lease(body, &c, "");
    scene_done(scene_post(&s, s.reviewer[0], c.item, "release", body, 200));
    scene_refused(&s, s.reviewer[0], "GET", url, NULL, 409, "lease_over");
    scene_end(&s);
}

static void a_full_view_is_written_down_with_a_pseudonym(void **state)
{
    const struct json *event;
    struct scene_claim c;
    char url[256], path[160];
    struct json *root;
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_fill(&s, 1);
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    get_word(&s, s.reviewer[0], &c, "full", url);
    scene_ask(&s, s.reviewer[0], "GET", url, NULL, 200, &r);
    reply_close(&r);
    snprintf(path, sizeof(path), "/v1/review/items/%s", c.item);
    root = scene_json(&s, s.lead, "GET", path, NULL, 200);
    event = scene_find_event(root, "item.viewed");
    assert_non_null(event);
    assert_memory_equal(scene_text(event, "actor"), "R-", 2);
    scene_done(root);
    root = scene_json(&s, s.reviewer[0], "GET", "/v1/review/mine", NULL, 200);
    assert_int_equal(scene_int(root, "full_views_hour"), 1);
    assert_memory_equal(scene_text(root, "reviewer"), "R-", 2);
    scene_done(root);
    scene_end(&s);
}

static void exposure_and_work_have_their_limits(void **state)
{
    struct scene_claim c;
    char url[256], body[512];
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 1);
    scene_fill(&s, 2);
    scene_set(&s, "{\"full_views_per_hour\":1}");
    assert_true(scene_claim(&s, s.reviewer[0], &c));
    get_word(&s, s.reviewer[0], &c, "grey", url);
    scene_ask(&s, s.reviewer[0], "GET", url, NULL, 200, &r);
    reply_close(&r);
    scene_lease(body, &c, ",\"variant\":\"full\"");
    scene_done(scene_post(&s, s.reviewer[0], c.item, "view", body, 429));
    get_word(&s, s.reviewer[0], &c, "blur", url); /* which is no exposure */
    scene_set(&s, "{\"minutes_before_break\":0,\"break_minutes\":0}");
    scene_lease(body, &c, "");
    scene_done(scene_post(&s, s.reviewer[0], c.item, "release", body, 200));
    assert_true(scene_claim(&s, s.reviewer[0], &c)); /* without rules there are no breaks */
    scene_refused(&s, s.lead, "POST", "/v1/review/settings", "{\"golden_percent\":90}", 400,
                  "invalid_value");
    scene_end(&s);
    scene_begin(&s, "block", 1); /* the count outlives the server */
    scene_end(&s);
}

/* Goal: nothing of a held picture lies on the disk as it is. Method: look for a PNG in every file.
 */
static void what_is_held_cannot_be_read_from_the_disk(void **state)
{
    static const char *const files[] = {"limner.db", "limner.db-wal"};
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 0);
    scene_fill(&s, 3);
    for (int i = 0; i < 2; i++) {
        char path[192], *data;
        FILE *file;
        size_t bytes;

        snprintf(path, sizeof(path), "%s/%s", s.folder, files[i]);
        file = fopen(path, "rb");
        if (!file)
            continue;
        data = malloc(64 << 20);
        assert_non_null(data);
        bytes = fread(data, 1, 64 << 20, file);
        assert_null(memmem(data, bytes, "\x89PNG", 4));
        assert_null(memmem(data, bytes, "IHDR", 4));
        assert_null(memmem(data, bytes, "picture 1", 9)); /* the prompt */
        free(data);
        fclose(file);
    }
    scene_end(&s);
}

/* The clock of retention, moved forward by somebody else who has the store open. */
static void sweep_in_a_year(const struct scene *s)
{
    struct store_chain chain;
    struct store *store;
    struct why why = {""};
    int count = 1, all = 0;

    assert_int_equal(store_open(&store, s->folder, &why), ST_OK);
    while (count) {
        assert_int_equal(
            store->ops->object_sweep(store, clock_unix_s() + 366 * 24 * 3600, &count, &why), ST_OK);
        all += count;
    }
    assert_true(all >= 1);
    if (store->ops->event_verify(store, &chain, &why))
        fail_msg("event %lld: %s", (long long)chain.bad, why.text);
    store_close(&store);
}

static void what_is_over_its_time_is_gone_and_still_explained(void **state)
{
    char decision[SCENE_ID_MAX], token[SCENE_TOKEN_MAX], path[512];
    struct json *root;
    struct reply r;
    struct scene s;
    (void)state;

    scene_begin(&s, "block", 0);
    scene_blocked(&s, "retention", decision, token);
    snprintf(path, sizeof(path), "/v1/decisions/%s/preview?token=%s", decision, token);
    scene_ask(&s, NULL, "GET", path, NULL, 200, &r);
    reply_close(&r);
    sweep_in_a_year(&s);
    scene_refused(&s, NULL, "GET", path, NULL, 404, "not_kept");
    snprintf(path, sizeof(path), "/v1/decisions/%s/image?token=%s", decision, token);
    scene_refused(&s, NULL, "GET", path, NULL, 410, "expired");
    snprintf(path, sizeof(path), "/v1/decisions/%s?token=%s", decision, token);
    root = scene_json(&s, NULL, "GET", path, NULL, 200);
    assert_string_equal(scene_text(root, "status"), "expired");
    assert_non_null(scene_member(root, "statement.facts"));
    scene_done(root);
    snprintf(path, sizeof(path), "/appeal/%s?token=%s", decision, token);
    scene_ask(&s, NULL, "GET", path, NULL, 200, &r);
    assert_non_null(strstr(r.body, "is over"));
    reply_close(&r);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reviewing_needs_a_key_for_it),
        cmocka_unit_test(twenty_reviewers_at_once_never_hold_the_same_item),
        cmocka_unit_test(only_who_has_the_lease_decides_and_once),
        cmocka_unit_test(who_decided_before_does_not_get_the_appeal),
        cmocka_unit_test(a_second_opinion_is_blind_and_counts),
        cmocka_unit_test(a_granted_context_is_held_reviewed_and_remembered),
        cmocka_unit_test(a_question_goes_to_the_owner_and_comes_back),
        cmocka_unit_test(a_picture_is_seen_once_by_who_asked),
        cmocka_unit_test(a_full_view_is_written_down_with_a_pseudonym),
        cmocka_unit_test(exposure_and_work_have_their_limits),
        cmocka_unit_test(what_is_held_cannot_be_read_from_the_disk),
        cmocka_unit_test(what_is_over_its_time_is_gone_and_still_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
