/* SPDX-License-Identifier: Apache-2.0 */
#include "server/history.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define STEP_US (INT64_C(1000000) * HISTORY_STEP_S)

/* A server that does the same in every step: so many pictures, each of so many microseconds. */
struct world {
    struct history *history;
    struct history_view now;
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    return !w || history_open(&w->history) != ST_OK;
}

static int close_world(void **state)
{
    struct world *w = *state;

    history_close(&w->history);
    free(w);
    return 0;
}

static void pass(struct world *w, int pictures, uint64_t us)
{
    w->now.now_us += STEP_US;
    w->now.unix_s += HISTORY_STEP_S;
    w->now.lanes = 2;
    w->now.counts.ended[OUTCOME_OK] += (uint64_t)pictures;
    w->now.counts.steps += 4;
    w->now.counts.rows += 10;
    w->now.counts.steps_us += (uint64_t)STEP_US / 2;
    for (int i = 0; i < pictures; i++)
        for (int s = 0; s < HISTORY_SERIES; s++)
            histogram_record(&w->now.series[s], us / (s == HISTORY_PICTURE ? 1 : 10));
    *history_look(w->history) = w->now;
    history_note(w->history);
}

/* What the page would read; close it. */
static struct json *read_after(struct world *w, int64_t after)
{
    struct json_out o = {0};
    struct json *root;

    json_out_object(&o, NULL);
    history_write(w->history, after, &o);
    json_out_object_end(&o);
    assert_false(o.failed);
    assert_int_equal(json_parse(&root, o.text, o.bytes, NULL), ST_OK);
    json_out_close(&o);
    return root;
}

static int64_t number_of(const struct json *object, const char *key)
{
    int64_t value = -1;

    assert_int_equal(json_get_int(object, key, &value, NULL), ST_OK);
    return value;
}

static const struct json *point(const struct json *root, size_t i)
{
    return json_at(json_get(root, "points"), i);
}

static int64_t quantile(const struct json *p, size_t series, size_t q)
{
    return json_as_int(json_at(json_at(json_get(p, "quantiles_us"), series), q));
}

static void the_first_look_is_a_beginning(void **state)
{
    struct world *w = *state;
    struct json *root;

    assert_true(history_is_due(w->history, 0));
    pass(w, 7, 1000);
    assert_false(history_is_due(w->history, w->now.now_us + STEP_US - 1));
    assert_true(history_is_due(w->history, w->now.now_us + STEP_US));
    root = read_after(w, 0);
    assert_int_equal(json_size(json_get(root, "points")), 0);
    assert_int_equal(json_size(json_get(root, "series")), HISTORY_SERIES);
    json_close(&root);
}

static void a_point_tells_what_came_since_the_one_before(void **state)
{
    struct world *w = *state;
    const struct json *p;
    struct json *root;

    pass(w, 100, 5000000);
    w->now.counts.refused = 3;
    w->now.counts.judged[BAND_HOLD] = 2;
    w->now.waiting = 5;
    w->now.oldest_us = 1234;
    pass(w, 2, 1000);
    root = read_after(w, 0);
    assert_int_equal(json_size(json_get(root, "points")), 1);
    p = point(root, 0);
    assert_int_equal(number_of(p, "number"), 1);
    assert_int_equal(number_of(p, "unix_s"), 2 * HISTORY_STEP_S);
    assert_int_equal(number_of(p, "ok"), 2);
    assert_int_equal(number_of(p, "made"), 2);
    assert_int_equal(number_of(p, "refused"), 3);
    assert_int_equal(number_of(p, "held"), 2);
    assert_int_equal(number_of(p, "blocked"), 0);
    assert_int_equal(number_of(p, "waiting"), 5);
    assert_int_equal(number_of(p, "oldest_us"), 1234);
    assert_int_equal(number_of(p, "rows"), 10);
    assert_int_equal(number_of(p, "busy_permille"), 250); /* half a device of two */
    assert_in_range(quantile(p, HISTORY_PICTURE, 2), 975, 1025);
    assert_in_range(quantile(p, HISTORY_SEND, 0), 97, 103);
    json_close(&root);
}

/* Goal: a percentile is of a minute: it rises with the first slow picture, and forgets the last one
   HISTORY_WINDOW points later. */
static void percentiles_look_back_a_minute(void **state)
{
    struct world *w = *state;
    struct json *root;

    pass(w, 0, 0);
    for (int i = 0; i < HISTORY_WINDOW + 3; i++)
        pass(w, 1, i == 0 ? 900000 : 1000);
    root = read_after(w, 0);
    for (int i = 0; i < HISTORY_WINDOW + 3; i++) {
        const struct json *p = point(root, (size_t)i);
        int64_t p99 = quantile(p, HISTORY_PICTURE, 2);

        if (i < HISTORY_WINDOW ? p99 < 800000 : p99 > 2000)
            fail_msg("point %d has a p99 of %lld", i, (long long)p99);
        assert_int_equal(number_of(p, "made"), i < HISTORY_WINDOW ? i + 1 : HISTORY_WINDOW);
    }
    json_close(&root);
}

static void a_minute_without_pictures_has_no_percentiles(void **state)
{
    struct world *w = *state;
    struct json *root;

    pass(w, 0, 0);
    pass(w, 0, 0);
    root = read_after(w, 0);
    assert_int_equal(json_type_of(json_at(json_get(point(root, 0), "quantiles_us"), 0)),
                     JSON_TYPE_NULL);
    json_close(&root);
}

/* Goal: what is old is forgotten, and who asks after what he has gets only the rest. */
static void the_oldest_points_go(void **state)
{
    struct world *w = *state;
    struct json *root;

    for (int i = 0; i < HISTORY_POINTS + 21; i++)
        pass(w, 1, 1000);
    root = read_after(w, 0);
    assert_int_equal(json_size(json_get(root, "points")), HISTORY_POINTS);
    for (size_t i = 0; i < HISTORY_POINTS; i++)
        assert_int_equal(number_of(point(root, i), "number"), 21 + i);
    json_close(&root);
    root = read_after(w, HISTORY_POINTS + 18);
    assert_int_equal(json_size(json_get(root, "points")), 2);
    json_close(&root);
    root = read_after(w, INT64_MAX - 1);
    assert_int_equal(json_size(json_get(root, "points")), 0);
    json_close(&root);
    root = read_after(w, INT64_MIN + 1);
    assert_int_equal(json_size(json_get(root, "points")), HISTORY_POINTS);
    json_close(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_look_is_a_beginning, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_point_tells_what_came_since_the_one_before, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(percentiles_look_back_a_minute, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_minute_without_pictures_has_no_percentiles, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(the_oldest_points_go, open_world, close_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
