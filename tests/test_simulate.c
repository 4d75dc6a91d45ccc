/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator against queueing theory, and the schedule against the goals that were set for it.
 * All of it is exact arithmetic on a virtual clock: what holds once holds on every machine.
 */
#include "engine/simulate.h"
#include "tests/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_US 5000000

static const struct simulate_kind square = {.name = "square",
                                            .share = 1,
                                            .weight = 1,
                                            .shape = {0, 512, 512},
                                            .rows = 2,
                                            .steps = 20,
                                            .deadline_us = DEADLINE_US};

/* Milliseconds of a step with 1, 8 and 32 pictures: about those of SD 1.5 on an H100. */
static struct costs *new_costs(void)
{
    struct costs *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    cost_learn_step(c, square.shape, 2, 9560);
    cost_learn_step(c, square.shape, 16, 24400);
    cost_learn_step(c, square.shape, 64, 85300);
    cost_learn_rest(c, square.shape, 30000);
    return c;
}

static struct simulate_report run(enum policy policy, double load, int batch, int64_t requests)
{
    struct costs *costs = new_costs();
    const struct simulate_options options = {
        .policy = policy,
        .costs = costs,
        .kinds = &square,
        .kind_count = 1,
        .rate = load * simulate_saturation(costs, &square, 1, batch),
        .requests = requests,
        .seed = 7,
        .lanes = 1,
        .batch_max = batch,
    };
    struct simulate_report report;
    struct why why = {""};

    assert_int_equal(simulate_run(&options, &report, &why), ST_OK);
    free(costs);
    assert_int_equal(report.all.asked, requests);
    assert_int_equal(report.all.asked, report.all.done + report.all.refused + report.all.late);
    return report;
}

static double percent_in_time(const struct simulate_report *r)
{
    return 100 * (double)r->all.in_time / (double)r->all.asked;
}

/* Goal: one server, Poisson arrivals and equal work wait as Pollaczek and Khinchine say:
   load / (2 (1 - load)) of the work in the mean. */
static void one_at_a_time_waits_as_theory_says(void **state)
{
    const double loads[] = {0.3, 0.6, 0.8};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct simulate_report r = run(POLICY_SINGLE, loads[i], 1, 300000);
        double work = r.all.alone_s;
        double expected = work * (1 + loads[i] / (2 * (1 - loads[i])));

        if (fabs(r.all.mean_s / expected - 1) > 0.02 || fabs(r.busy / loads[i] - 1) > 0.02)
            fail_msg("load %g: %g s, not %g s; busy %g", loads[i], r.all.mean_s, expected, r.busy);
    }
}

static void a_static_batch_of_one_is_one_at_a_time(void **state)
{
    struct simulate_report a = run(POLICY_SINGLE, 0.7, 1, 20000);
    struct simulate_report b = run(POLICY_STATIC, 0.7, 1, 20000);
    (void)state;

    assert_true(a.all.p95_s == b.all.p95_s && a.all.mean_s == b.all.mean_s);
}

/* Goal: who comes to an idle device is served as if nobody else existed. */
static void on_an_idle_device_everybody_is_alone(void **state)
{
    (void)state;
    for (int policy = 0; policy < POLICY_COUNT; policy++) {
        struct simulate_report r = run((enum policy)policy, 0.001, 32, 2000);

        assert_true(fabs(r.all.p50_s / r.all.alone_s - 1) < 1e-4);
        assert_int_equal(r.all.in_time, 2000);
    }
}

static void the_same_seed_is_the_same_day(void **state)
{
    struct simulate_report a = run(POLICY_LIMNER, 0.9, 32, 5000);
    struct simulate_report b = run(POLICY_LIMNER, 0.9, 32, 5000);
    (void)state;

    assert_memory_equal(&a, &b, sizeof(a));
}

/* Goal: at 80 % of what the device can do 99 of 100 are in time, and at 95 % still 98. */
static void deadlines_are_kept_near_saturation(void **state)
{
    struct simulate_report calm = run(POLICY_LIMNER, 0.8, 32, 50000);
    struct simulate_report busy = run(POLICY_LIMNER, 0.95, 32, 50000);
    (void)state;

    if (percent_in_time(&calm) < 99 || percent_in_time(&busy) < 98)
        fail_msg("%g and %g %% in time", percent_in_time(&calm), percent_in_time(&busy));
}

/* Goal: where static batches are in time for about 65 of 100, 30 points more. */
static void where_static_batches_fall_limner_does_not(void **state)
{
    struct simulate_report theirs = run(POLICY_STATIC, 0.985, 32, 50000);
    struct simulate_report ours = run(POLICY_LIMNER, 0.985, 32, 50000);
    (void)state;

    if (percent_in_time(&theirs) > 70 || percent_in_time(&ours) < percent_in_time(&theirs) + 30)
        fail_msg("%g %% in time, static batches %g %%", percent_in_time(&ours),
                 percent_in_time(&theirs));
}

/* Goal: under a fifth more than there is room for, 95 % of what the device can do is in time, and
   who cannot be helped is told at once, not late. */
static void overload_is_refused_early(void **state)
{
    struct simulate_report r = run(POLICY_LIMNER, 1.2, 32, 50000);
    struct costs *costs = new_costs();
    double most = simulate_saturation(costs, &square, 1, 32);
    (void)state;

    free(costs);
    if (r.in_time_per_s < 0.95 * most || r.all.late > r.all.asked / 100)
        fail_msg("%g of %g in time a second, %lld late", r.in_time_per_s, most,
                 (long long)r.all.late);
}

static void of_an_unknown_model_nothing_is_simulated(void **state)
{
    struct costs *costs = calloc(1, sizeof(*costs));
    const struct simulate_options options = {.costs = costs,
                                             .kinds = &square,
                                             .kind_count = 1,
                                             .rate = 1,
                                             .requests = 1,
                                             .lanes = 1,
                                             .batch_max = 1};
    struct simulate_report report;
    struct why why = {""};
    (void)state;

    assert_non_null(costs);
    assert_int_equal(simulate_run(&options, &report, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "square"));
    free(costs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_waits_as_theory_says),
        cmocka_unit_test(a_static_batch_of_one_is_one_at_a_time),
        cmocka_unit_test(on_an_idle_device_everybody_is_alone),
        cmocka_unit_test(the_same_seed_is_the_same_day),
        cmocka_unit_test(deadlines_are_kept_near_saturation),
        cmocka_unit_test(where_static_batches_fall_limner_does_not),
        cmocka_unit_test(overload_is_refused_early),
        cmocka_unit_test(of_an_unknown_model_nothing_is_simulated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
