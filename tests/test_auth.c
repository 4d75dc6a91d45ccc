/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "server/auth.h"
#include "server/limits.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1000000

struct door {
    char folder[128];
    struct store *store;
    struct tenants *tenants;
    struct auth *auth;
};

static struct door door;

static int open_door(void **state)
{
    (void)state;
    snprintf(door.folder, sizeof(door.folder), "%s/limner-auth.XXXXXX", P_tmpdir);
    if (!mkdtemp(door.folder))
        return 1;
    return store_open(&door.store, door.folder, NULL) || tenant_open(&door.tenants) ||
           auth_open(&door.auth, door.tenants);
}

static int close_door(void **state)
{
    (void)state;
    auth_close(&door.auth);
    tenant_close(&door.tenants);
    store_close(&door.store);
    program_remove(door.folder);
    return 0;
}

static bool load(void)
{
    struct why why = {""};
    bool changed;

    if (auth_load(door.auth, door.store, &changed, &why))
        fail_msg("%s", why.text);
    return changed;
}

/* A new key, written by somebody else. */
static void make(struct store_key *key, char text[AUTH_KEY_MAX])
{
    struct store *other;

    assert_int_equal(auth_make(key, text), ST_OK);
    assert_int_equal(store_open(&other, door.folder, NULL), ST_OK);
    assert_int_equal(other->ops->key_add(other, key, NOW, NULL), ST_OK);
    store_close(&other);
}

static enum auth_verdict check(const char *header, unsigned scopes, int64_t now_s,
                               struct auth_caller *caller)
{
    struct http_text text = {header, header ? strlen(header) : 0};

    return auth_check(door.auth, text, scopes, now_s, caller);
}

static enum auth_verdict check_key(const char *key, unsigned scopes, int64_t now_s)
{
    struct auth_caller caller;
    char header[128];

    snprintf(header, sizeof(header), "Bearer %s", key);
    return check(header, scopes, now_s, &caller);
}

static void nobody_needs_a_key_before_the_first_is_made(void **state)
{
    struct store_key key = {.tenant = "shop", .scopes = SCOPE_GENERATE}, row;
    struct auth_caller caller;
    char text[AUTH_KEY_MAX];

    (void)state;
    load();
    assert_int_equal(check(NULL, SCOPE_GENERATE, NOW, &caller), AUTH_OPEN);
    assert_int_equal(caller.tenant, tenant_find(door.tenants, AUTH_TENANT_DEFAULT));
    assert_false(load());

    make(&key, text);
    assert_true(load());
    assert_int_equal(check(NULL, SCOPE_GENERATE, NOW, &caller), AUTH_ABSENT);
    assert_int_equal(caller.tenant, -1);

    assert_int_equal(door.store->ops->key_revoke(door.store, key.prefix, NOW, &row, NULL), ST_OK);
    make(&key, text); /* so that the change is seen */
    assert_int_equal(door.store->ops->key_revoke(door.store, key.prefix, NOW, &row, NULL), ST_OK);
    load();
    assert_int_equal(check(NULL, SCOPE_GENERATE, NOW, &caller), AUTH_ABSENT); /* for ever after */
}

static void a_key_opens_what_its_scopes_name(void **state)
{
    struct store_key key = {.tenant = "shop", .scopes = SCOPE_GENERATE | SCOPE_LEAD};
    struct auth_caller caller;
    char text[AUTH_KEY_MAX], header[128];

    (void)state;
    make(&key, text);
    load();
    snprintf(header, sizeof(header), "bEARER   %s", text);
    assert_int_equal(check(header, SCOPE_GENERATE, NOW, &caller), AUTH_OK);
    assert_int_equal(caller.tenant, tenant_find(door.tenants, "shop"));
    assert_string_equal(caller.prefix, key.prefix);
    assert_int_equal(check_key(text, 0, NOW), AUTH_OK);
    assert_int_equal(check_key(text, SCOPE_LEAD | SCOPE_ADMIN, NOW), AUTH_OK);
    assert_int_equal(check_key(text, SCOPE_ADMIN, NOW), AUTH_SCOPE);
    assert_int_equal(check_key(text, SCOPE_METRICS, NOW), AUTH_SCOPE);
}

static void what_is_no_key_is_refused(void **state)
{
    struct store_key key = {.tenant = "shop", .scopes = SCOPE_GENERATE};
    char text[AUTH_KEY_MAX];
    static const char *const absent[] = {"",           "Bearer",     "Bearer ",
                                         "Bearer    ", "Basic YTpi", "lmr-00000000"};
    struct auth_caller caller;

    (void)state;
    make(&key, text);
    load();
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        if (check(absent[i], 0, NOW, &caller) != AUTH_ABSENT)
            fail_msg("'%s'", absent[i]);
    }
    assert_int_equal(check_key(key.prefix, 0, NOW), AUTH_UNKNOWN);
    assert_int_equal(check_key("unused", 0, NOW), AUTH_UNKNOWN);
    for (size_t i = 0; text[i]; i++) {
        char changed[AUTH_KEY_MAX];

        memcpy(changed, text, sizeof(changed));
        changed[i] ^= 1;
        if (check_key(changed, 0, NOW) != AUTH_UNKNOWN)
            fail_msg("digit %zu does not matter", i);
    }
}

static void keys_end(void **state)
{
    struct store_key key = {.tenant = "shop", .scopes = SCOPE_GENERATE, .expires_s = NOW + 10};
    struct store_key row;
    struct store *other;
    char text[AUTH_KEY_MAX];

    (void)state;
    make(&key, text);
    load();
    assert_int_equal(check_key(text, SCOPE_GENERATE, NOW + 9), AUTH_OK);
    assert_int_equal(check_key(text, SCOPE_GENERATE, NOW + 10), AUTH_EXPIRED);
    assert_int_equal(store_open(&other, door.folder, NULL), ST_OK);
    assert_int_equal(other->ops->key_revoke(other, key.prefix, NOW, &row, NULL), ST_OK);
    store_close(&other);
    assert_true(load());
    assert_int_equal(check_key(text, SCOPE_GENERATE, NOW), AUTH_REVOKED);
}

/* Goal: keys are unlike each other, and what is kept of one does not tell it. */
static void keys_are_made_by_chance(void **state)
{
    struct store_key first, second;
    char one[AUTH_KEY_MAX], two[AUTH_KEY_MAX];
    uint8_t hash[32];

    (void)state;
    assert_int_equal(auth_make(&first, one), ST_OK);
    assert_int_equal(auth_make(&second, two), ST_OK);
    assert_int_equal(strlen(one), 44);
    assert_int_equal(strspn(one + 4, "0123456789abcdef"), 40);
    assert_string_not_equal(one + 12, two + 12);
    assert_int_equal(strlen(first.prefix), 12);
    assert_memory_equal(first.prefix, one, 12);
    crypto_sha256(hash, one, strlen(one));
    assert_memory_equal(first.hash, hash, sizeof(hash));
}

static void refusals_speak_as_openai_and_rfc_6750(void **state)
{
    static const struct {
        enum auth_verdict verdict;
        int status;
        const char *code, *challenge;
    } cases[] = {
        {AUTH_ABSENT, 401, "\"code\":\"missing_api_key\"", "Bearer realm=\"limner\""},
        {AUTH_UNKNOWN, 401, "\"code\":\"invalid_api_key\"",
         "Bearer realm=\"limner\", error=\"invalid_token\""},
        {AUTH_SCOPE, 403, "\"code\":\"insufficient_permissions\"",
         "Bearer realm=\"limner\", error=\"insufficient_scope\", scope=\"generate,admin\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a;
        bool found = false;

        auth_refuse(&a, cases[i].verdict, SCOPE_GENERATE | SCOPE_ADMIN);
        assert_int_equal(a.status, cases[i].status);
        assert_non_null(strstr(a.json.text, cases[i].code));
        assert_non_null(strstr(a.json.text, "\"type\":\"invalid_request_error\""));
        for (int h = 0; h < a.header_count; h++)
            found |= !strcmp(a.header[h].name, "www-authenticate") &&
                     !strcmp(a.header_text + a.header[h].value_at, cases[i].challenge);
        assert_true(found);
        answer_close(&a);
    }
}

static void times_are_written_as_openai_does(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0ms"},      {12, "12ms"},     {1000, "1s"},        {1001, "2s"},
                 {60000, "1m0s"}, {359001, "6m0s"}, {3600000, "1h0m0s"}, {86400000, "24h0m0s"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[LIMITS_TIME_MAX];

        limits_time(text, cases[i].ms);
        assert_string_equal(text, cases[i].text);
    }
}

/* ---- threads ---- */

struct asker {
    char key[AUTH_KEY_MAX];
    atomic_bool stop;
    atomic_int wrong;
};

static void *ask(void *memory)
{
    struct asker *a = memory;

    while (!atomic_load(&a->stop)) {
        if (check_key(a->key, SCOPE_GENERATE, NOW) != AUTH_OK ||
            check_key("unused", 0, NOW) != AUTH_UNKNOWN)
            atomic_fetch_add(&a->wrong, 1);
    }
    return NULL;
}

/* Goal: who asks while keys are read again is answered as before. */
static void keys_are_read_while_others_ask(void **state)
{
    struct store_key key = {.tenant = "shop", .scopes = SCOPE_GENERATE}, more = key;
    struct asker asker = {.stop = false};
    char text[AUTH_KEY_MAX];
    pthread_t thread[3];

    (void)state;
    make(&key, asker.key);
    load();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask, &asker), 0);
    for (int i = 0; i < 20; i++) {
        make(&more, text);
        assert_true(load());
    }
    atomic_store(&asker.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&asker.wrong), 0);
    assert_int_equal(auth_count(door.auth), 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_needs_a_key_before_the_first_is_made, open_door,
                                        close_door),
        cmocka_unit_test_setup_teardown(a_key_opens_what_its_scopes_name, open_door, close_door),
        cmocka_unit_test_setup_teardown(what_is_no_key_is_refused, open_door, close_door),
        cmocka_unit_test_setup_teardown(keys_end, open_door, close_door),
        cmocka_unit_test(keys_are_made_by_chance),
        cmocka_unit_test(refusals_speak_as_openai_and_rfc_6750),
        cmocka_unit_test(times_are_written_as_openai_does),
        cmocka_unit_test_setup_teardown(keys_are_read_while_others_ask, open_door, close_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
