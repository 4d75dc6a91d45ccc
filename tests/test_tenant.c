/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tenant.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define DAY_S 86400

static struct tenants *tenants;

static int open_tenants(void **state)
{
    (void)state;
    return tenant_open(&tenants);
}

static int close_tenants(void **state)
{
    (void)state;
    tenant_close(&tenants);
    return 0;
}

/* One tenant called "shop" with these limits. */
static int shop(struct tenant_limits limits)
{
    const struct tenant_limits others = {.weight = 1};

    snprintf(limits.name, sizeof(limits.name), "shop");
    assert_int_equal(tenant_configure(tenants, &others, &limits, 1), ST_OK);
    return tenant_find(tenants, "shop");
}

static struct tenant_time at_ms(int64_t ms)
{
    return (struct tenant_time){ms * 1000, DAY_S * 100 + 3600 + ms / 1000};
}

static enum status take(int tenant, int images, int64_t ms, struct tenant_grant *grant)
{
    struct tenant_refusal refusal = {.retry_after_ms = 0};

    return tenant_take(tenants, grant, tenant, images, at_ms(ms), &refusal);
}

/* How long the same request should wait. */
static int retry_ms(int tenant, int images, int64_t ms)
{
    struct tenant_refusal refusal = {.retry_after_ms = 0};
    struct tenant_grant grant;

    assert_int_equal(tenant_take(tenants, &grant, tenant, images, at_ms(ms), &refusal), ST_FULL);
    assert_non_null(strstr(refusal.why.text, "limit of"));
    return refusal.retry_after_ms;
}

static void a_minute_fills_again_at_its_rate(void **state)
{
    int tenant = shop((struct tenant_limits){.requests_per_minute = 6});
    struct tenant_grant grant;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(take(tenant, 1, 0, &grant), ST_OK);
    assert_int_equal(retry_ms(tenant, 1, 0), 10000);
    assert_int_equal(retry_ms(tenant, 1, 9999), 1);
    assert_int_equal(take(tenant, 1, 10000, &grant), ST_OK);
    assert_int_equal(retry_ms(tenant, 1, 10000), 10000);
    for (int i = 0; i < 6; i++)
        assert_int_equal(take(tenant, 1, 1000000, &grant), ST_OK);
    assert_int_equal(take(tenant, 1, 1000000, &grant), ST_FULL);
}

/* Goal: the time that is named is the time it takes, to the millisecond, whatever the rate. */
static void a_request_passes_when_it_was_told_to_come_back(void **state)
{
    (void)state;
    for (int rate = 1; rate < 100000; rate = rate * 3 + 1) {
        int tenant = shop((struct tenant_limits){.images_per_minute = rate});
        int n = rate < 10 ? rate : 10;
        struct tenant_grant grant;
        int64_t now_ms = rate * INT64_C(1000000); /* far from the rate before */
        int wait_ms;

        while (take(tenant, n, now_ms, &grant) == ST_OK)
            tenant_end(tenants, &grant);
        wait_ms = retry_ms(tenant, n, now_ms);
        if (wait_ms > 1)
            assert_int_equal(take(tenant, n, now_ms + wait_ms - 1, &grant), ST_FULL);
        assert_int_equal(take(tenant, n, now_ms + wait_ms, &grant), ST_OK);
    }
}

static void what_is_given_back_never_was(void **state)
{
    int tenant = shop((struct tenant_limits){.requests_per_minute = 1,
                                             .images_per_minute = 4,
                                             .requests_per_day = 2,
                                             .images_per_day = 5,
                                             .concurrency = 4});
    struct tenant_grant grant;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take(tenant, 4, 0, &grant), ST_OK);
        tenant_return(tenants, &grant);
    }
    assert_int_equal(take(tenant, 4, 0, &grant), ST_OK);
    assert_int_equal(take(tenant, 1, 60000, &grant), ST_FULL); /* four are still on their way */
    tenant_end(tenants, &grant);
    assert_int_equal(take(tenant, 1, 60000, &grant), ST_OK);
    assert_int_equal(take(tenant, 1, 120000, &grant), ST_FULL); /* the day is used up */
}

/* Goal: what an earlier process granted holds its places, and pays no second time. */
static void what_is_resumed_only_takes_places(void **state)
{
    int tenant = shop(
        (struct tenant_limits){.requests_per_minute = 2, .images_per_day = 3, .concurrency = 4});
    struct tenant_grant before, more;
    struct tenant_view view;

    (void)state;
    tenant_resume(tenants, &before, tenant, 6); /* more than the limit is today */
    assert_int_equal(take(tenant, 1, 0, &more), ST_FULL);
    tenant_end(tenants, &before);
    tenant_resume(tenants, &before, tenant, 3);
    tenant_look(tenants, tenant, at_ms(0), &view);
    assert_int_equal(view.requests.remaining, 2);
    assert_int_equal(take(tenant, 2, 0, &more), ST_FULL);
    assert_int_equal(take(tenant, 1, 0, &more), ST_OK);
    tenant_end(tenants, &before);
    tenant_end(tenants, &more);
    assert_int_equal(take(tenant, 2, 0, &more), ST_OK);
}

static void a_day_ends_at_midnight(void **state)
{
    int tenant = shop((struct tenant_limits){.images_per_day = 3});
    struct tenant_grant grant, yesterday;
    int64_t midnight_ms = (DAY_S - 3600) * INT64_C(1000);

    (void)state;
    assert_int_equal(take(tenant, 3, 0, &yesterday), ST_OK);
    assert_int_equal(retry_ms(tenant, 1, 0), midnight_ms);
    assert_int_equal(retry_ms(tenant, 1, midnight_ms - 1000), 1000);
    assert_int_equal(take(tenant, 2, midnight_ms, &grant), ST_OK);
    tenant_return(tenants, &yesterday); /* which does nothing to today */
    assert_int_equal(take(tenant, 2, midnight_ms, &grant), ST_FULL);
    assert_int_equal(take(tenant, 2, 0, &grant), ST_FULL); /* a clock that was set back */
    assert_int_equal(take(tenant, 1, midnight_ms, &grant), ST_OK);
}

static void what_can_never_pass_is_invalid(void **state)
{
    static const struct tenant_limits cases[] = {
        {.images_per_minute = 2}, {.images_per_day = 2}, {.concurrency = 2}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int tenant = shop(cases[i]);
        struct tenant_refusal refusal = {.retry_after_ms = 0};
        struct tenant_grant grant;

        assert_int_equal(tenant_take(tenants, &grant, tenant, 3, at_ms(0), &refusal), ST_INVALID);
        assert_non_null(strstr(refusal.why.text, "n is 3"));
        assert_int_equal(take(tenant, 2, 0, &grant), ST_OK);
        tenant_return(tenants, &grant);
    }
}

static void the_nearer_limit_is_shown(void **state)
{
    int tenant = shop((struct tenant_limits){
        .requests_per_minute = 60, .requests_per_day = 100, .images_per_day = 50});
    int other = tenant_find(tenants, "other");
    struct tenant_grant grant;
    struct tenant_view view;

    (void)state;
    assert_int_equal(take(tenant, 10, 0, &grant), ST_OK);
    tenant_look(tenants, tenant, at_ms(0), &view);
    assert_int_equal(view.requests.limit, 60);
    assert_int_equal(view.requests.remaining, 59);
    assert_int_equal(view.requests.reset_ms, 1000);
    assert_int_equal(view.images.limit, 50);
    assert_int_equal(view.images.remaining, 40);
    assert_int_equal(view.images.reset_ms, (DAY_S - 3600) * 1000);
    for (int i = 1; i <= 35; i++)
        assert_int_equal(take(tenant, 1, i * 3000, &grant), ST_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(tenant, 1, 200000, &grant), ST_OK);
    tenant_look(tenants, tenant, at_ms(200000), &view);
    assert_int_equal(view.requests.limit, 60); /* 55 of the minute, 59 of the day */
    assert_int_equal(view.requests.remaining, 55);
    tenant_look(tenants, tenant, at_ms(300000), &view);
    assert_int_equal(view.requests.limit, 100);
    assert_int_equal(view.requests.remaining, 59);
    assert_int_equal(view.images.remaining, 0);
    tenant_look(tenants, other, at_ms(0), &view);
    assert_int_equal(view.requests.limit, 0);
    assert_int_equal(view.images.limit, 0);
}

/* Goal: new limits take hold at once, and what was used under the old ones stays used. */
static void limits_change_while_they_are_used(void **state)
{
    int tenant = shop((struct tenant_limits){.requests_per_minute = 10, .concurrency = 5});
    struct tenant_grant grant[5], more;
    struct tenant_limits read;
    struct tenant_view view;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(tenant, 1, 0, &grant[i]), ST_OK);
    assert_int_equal(shop((struct tenant_limits){.requests_per_minute = 3, .weight = 7}), tenant);
    tenant_get(tenants, tenant, &read);
    assert_string_equal(read.name, "shop");
    assert_int_equal(read.weight, 7);
    tenant_look(tenants, tenant, at_ms(0), &view);
    assert_int_equal(view.requests.limit, 3);
    assert_int_equal(view.requests.remaining, 0);
    assert_int_equal(take(tenant, 1, 0, &more), ST_FULL);
    shop((struct tenant_limits){.requests_per_minute = 6, .concurrency = 1});
    assert_int_equal(take(tenant, 1, 0, &more), ST_FULL); /* five are on their way */
    for (int i = 0; i < 5; i++)
        tenant_end(tenants, &grant[i]);
    assert_int_equal(take(tenant, 1, 0, &more), ST_OK);
    assert_int_equal(take(tenant, 1, 0, &more), ST_FULL);
}

static void names_are_bounded(void **state)
{
    const struct tenant_limits others = {.weight = 3};
    struct tenant_limits named = {.weight = 9, .name = "late"}, read;
    char name[32];

    (void)state;
    for (int i = 0; i < TENANT_MAX; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(tenant_find(tenants, name), i);
    }
    assert_int_equal(tenant_find(tenants, "one-more"), -1);
    assert_int_equal(tenant_find(tenants, "t7"), 7);
    assert_int_equal(tenant_configure(tenants, &others, &named, 1), ST_FULL);
    tenant_get(tenants, 7, &read);
    assert_int_equal(read.weight, 1);
    assert_true(tenant_name_is_good("Shop_1.x-y"));
    assert_false(tenant_name_is_good(""));
    assert_false(tenant_name_is_good("a b"));
    assert_false(
        tenant_name_is_good("0123456789012345678901234567890123456789012345678901234567890123"));
}

/* Goal: a restart gives nobody a fresh day, and what did not change is not told again. */
static void a_day_is_handed_from_one_start_to_the_next(void **state)
{
    const struct tenant_limits limits = {.images_per_day = 10};
    int tenant = shop(limits);
    struct tenant_grant grant;
    struct store_usage told[4];

    (void)state;
    assert_int_equal(tenant_changes(tenants, told, 4), 0);
    assert_int_equal(take(tenant, 6, 0, &grant), ST_OK);
    assert_int_equal(take(tenant_find(tenants, "unlimited"), 6, 0, &grant), ST_OK);
    assert_int_equal(tenant_changes(tenants, told, 4), 1);
    assert_string_equal(told[0].tenant, "shop");
    assert_int_equal(told[0].images, 6);
    assert_int_equal(tenant_changes(tenants, told, 4), 0);

    tenant_close(&tenants);
    assert_int_equal(tenant_open(&tenants), ST_OK);
    tenant_restore(tenants, told);
    tenant = shop(limits);
    assert_int_equal(tenant_changes(tenants, told, 4), 0);
    assert_int_equal(take(tenant, 5, 0, &grant), ST_FULL);
    assert_int_equal(take(tenant, 4, 0, &grant), ST_OK);
    assert_int_equal(take(tenant, 10, DAY_S * INT64_C(1000), &grant), ST_OK);
}

/* ---- many threads ---- */

#define THREADS 8
#define ROUNDS  3000

struct crowd {
    int tenant;
    atomic_int away, away_most, taken, images;
};

/* Takes 1 to 3 pictures, holds them for a moment, gives every other one back. */
static void *hammer(void *memory)
{
    struct crowd *c = memory;

    for (int i = 0; i < ROUNDS; i++) {
        struct tenant_grant grant;
        int images = 1 + i % 3, away, most;

        if (take(c->tenant, images, 0, &grant))
            continue;
        away = atomic_fetch_add(&c->away, images) + images;
        most = atomic_load(&c->away_most);
        while (away > most && !atomic_compare_exchange_weak(&c->away_most, &most, away))
            ;
        atomic_fetch_sub(&c->away, images);
        if (i % 2) {
            tenant_return(tenants, &grant);
            continue;
        }
        atomic_fetch_add(&c->taken, 1);
        atomic_fetch_add(&c->images, images);
        tenant_end(tenants, &grant);
    }
    return NULL;
}

static void run_crowd(struct crowd *c)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

/* Goal: however many threads race, what was kept is never more than a limit, and in the end it is
   all of it: nothing given back is lost. Method: time stands still. */
static void no_race_exceeds_a_limit(void **state)
{
    const struct {
        struct tenant_limits limits;
        int requests, images;
    } cases[] = {
        {{.requests_per_minute = 500, .concurrency = 5}, 500, 0},
        {{.requests_per_day = 700}, 700, 0},
        {{.images_per_minute = 900, .concurrency = 3}, 0, 900},
        {{.images_per_day = 1100}, 0, 1100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct crowd c = {.tenant = shop(cases[i].limits)};
        struct tenant_grant grant;
        struct tenant_view view;

        run_crowd(&c);
        assert_true(!cases[i].limits.concurrency ||
                    atomic_load(&c.away_most) <= cases[i].limits.concurrency);
        if (cases[i].requests) {
            assert_true(atomic_load(&c.taken) <= cases[i].requests);
            tenant_look(tenants, c.tenant, at_ms(0), &view);
            assert_int_equal(view.requests.remaining, cases[i].requests - atomic_load(&c.taken));
            assert_int_equal(view.requests.remaining, 0);
        } else {
            assert_true(atomic_load(&c.images) <= cases[i].images);
            while (take(c.tenant, 1, 0, &grant) == ST_OK) /* what no three could fill */
                atomic_fetch_add(&c.images, 1);
            assert_int_equal(atomic_load(&c.images), cases[i].images);
        }
        close_tenants(NULL);
        open_tenants(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_minute_fills_again_at_its_rate, open_tenants,
                                        close_tenants),
        cmocka_unit_test_setup_teardown(a_request_passes_when_it_was_told_to_come_back,
                                        open_tenants, close_tenants),
        cmocka_unit_test_setup_teardown(what_is_given_back_never_was, open_tenants, close_tenants),
        cmocka_unit_test_setup_teardown(what_is_resumed_only_takes_places, open_tenants,
                                        close_tenants),
        cmocka_unit_test_setup_teardown(a_day_ends_at_midnight, open_tenants, close_tenants),
        cmocka_unit_test_setup_teardown(what_can_never_pass_is_invalid, open_tenants,
                                        close_tenants),
        cmocka_unit_test_setup_teardown(the_nearer_limit_is_shown, open_tenants, close_tenants),
        cmocka_unit_test_setup_teardown(limits_change_while_they_are_used, open_tenants,
                                        close_tenants),
        cmocka_unit_test_setup_teardown(a_day_is_handed_from_one_start_to_the_next, open_tenants,
                                        close_tenants),
        cmocka_unit_test_setup_teardown(names_are_bounded, open_tenants, close_tenants),
        cmocka_unit_test_setup_teardown(no_race_exceeds_a_limit, open_tenants, close_tenants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
