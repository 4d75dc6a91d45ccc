/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the load generator that need no server: arrivals, mixes, traces, arithmetic.
 */
#include "server/bench/arrivals.h"
#include "server/bench/plot.h"
#include "server/bench/report.h"
#include "server/bench/timing.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mix two_kinds(void)
{
    struct mix mix = {.count = 0};

    assert_int_equal(mix_add(&mix, "name=a,weight=3,deadline_ms=100", NULL), ST_OK);
    assert_int_equal(mix_add(&mix, "name=b,weight=1,n=2", NULL), ST_OK);
    assert_int_equal(mix_complete(&mix, 0, "NO_KEY", NULL), ST_OK);
    return mix;
}

/* ---- arrivals ---- */

/* Goal: gaps are exponential with the mean that was asked for, and kinds come by weight.
   Method: 100,000 of them; the bounds are more than five standard errors away. */
static void arrivals_are_a_poisson_process_of_the_rate(void **state)
{
    const struct arrivals_options options = {.rate = 50, .requests = 100000, .seed = 7};
    struct mix mix = two_kinds();
    struct arrivals a;
    double sum = 0, squares = 0;
    size_t first_kind = 0;

    (void)state;
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_OK);
    assert_int_equal(a.count, 100000);
    for (size_t i = 0; i < a.count; i++) {
        double gap = (double)(a.of[i].at_us - (i ? a.of[i - 1].at_us : 0)) / 1e6;

        assert_true(gap >= 0);
        sum += gap;
        squares += gap * gap;
        first_kind += a.of[i].kind == 0;
    }
    assert_true(fabs(sum / 100000 * 50 - 1) < 0.02);
    /* of an exponential: the mean of squares is twice the square of the mean */
    assert_true(fabs(squares / 100000 * 2500 / 2 - 1) < 0.06);
    assert_true(fabs((double)first_kind / 100000 - 0.75) < 0.01);
    assert_true(a.end_us == a.of[a.count - 1].at_us);
    arrivals_close(&a);
}

static void the_same_seed_gives_the_same_run_and_another_does_not(void **state)
{
    struct arrivals_options options = {.rate = 10, .duration_us = 20000000, .seed = 3};
    struct mix mix = two_kinds();
    struct arrivals a, same, other;

    (void)state;
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_OK);
    assert_int_equal(arrivals_poisson(&same, &options, &mix, NULL), ST_OK);
    options.seed = 4;
    assert_int_equal(arrivals_poisson(&other, &options, &mix, NULL), ST_OK);

    assert_int_equal(a.count, same.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_true(a.of[i].at_us == same.of[i].at_us && a.of[i].seed == same.of[i].seed);
        assert_int_equal(a.of[i].kind, same.of[i].kind);
    }
    assert_true(a.of[0].at_us != other.of[0].at_us && a.of[0].seed != other.of[0].seed);
    arrivals_close(&a);
    arrivals_close(&same);
    arrivals_close(&other);
}

static void warm_up_comes_before_what_was_asked_for(void **state)
{
    const struct arrivals_options options = {
        .rate = 100, .requests = 50, .warmup_us = 1000000, .seed = 1};
    struct mix mix = two_kinds();
    struct arrivals a;
    int measured = 0;

    (void)state;
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_OK);
    for (size_t i = 0; i < a.count; i++)
        measured += a.of[i].at_us >= 1000000;
    assert_int_equal(measured, 50);
    assert_true(a.count > 100);
    arrivals_close(&a);
}

static void a_run_without_end_is_refused(void **state)
{
    struct arrivals_options options = {.rate = 1e6, .duration_us = 3600000000};
    struct mix mix = two_kinds();
    struct arrivals a;

    (void)state;
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_INVALID);
    options = (struct arrivals_options){.rate = 0.0001, .requests = 1000};
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_INVALID);
    options = (struct arrivals_options){.rate = 0.0001, .duration_us = 1000};
    assert_int_equal(arrivals_poisson(&a, &options, &mix, NULL), ST_INVALID);
}

/* ---- traces and mixes ---- */

static void a_trace_says_when_and_what(void **state)
{
    static const char text[] = "# ms kind\n\n0 a\n 1.25\tb \r\n1.25 a\n2000 b";
    const struct arrivals_options options = {.seed = 1};
    struct mix mix = two_kinds();
    struct arrivals a;

    (void)state;
    assert_int_equal(arrivals_trace(&a, text, strlen(text), &options, &mix, NULL), ST_OK);
    assert_int_equal(a.count, 4);
    assert_true(a.of[0].at_us == 0 && a.of[0].kind == 0);
    assert_true(a.of[1].at_us == 1250 && a.of[1].kind == 1);
    assert_true(a.of[3].at_us == 2000000 && a.end_us == 2000000);
    arrivals_close(&a);
}

static void a_bad_trace_is_refused_by_its_line(void **state)
{
    static const char *const texts[][2] = {
        {"0 a\nx b\n", "line 2"},
        {"0 a\n\n-1 b", "line 3"},
        {"5 a\n4 a\n", "back in time"},
        {"0 c\n", "called 'c'"},
        {"0\n", "kind"},
        {"1.2345 a\n", "milliseconds"},
        {"99999999999999999999 a", "milliseconds"},
        {"1e3 a", "milliseconds"},
        {"", "no request"},
        {"#\n", "no request"},
        {"1 a b\n", "called 'a b'"},
    };
    const struct arrivals_options options = {.seed = 1};
    struct mix mix = two_kinds();

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arrivals a;
        struct why why = {""};

        if (!arrivals_trace(&a, texts[i][0], strlen(texts[i][0]), &options, &mix, &why) ||
            !strstr(why.text, texts[i][1]))
            fail_msg("'%s' for '%s'", why.text, texts[i][0]);
    }
}

static void a_mix_reads_the_same_from_text_and_json(void **state)
{
    static const char json[] =
        "{\"kinds\":[{\"name\":\"x\",\"weight\":2.5,\"size\":\"64x64\",\"steps\":4,\"n\":2,"
        "\"seed\":9,\"guidance\":1.5,\"deadline_ms\":300,\"key_env\":\"K\",\"prompt\":\"a "
        "fox\",\"priority\":\"low\"}]}";
    struct mix a = {.count = 0}, b = {.count = 0};
    struct json_out body = {0};

    (void)state;
    assert_int_equal(mix_parse(&a, json, strlen(json), NULL), ST_OK);
    assert_int_equal(mix_add(&b,
                             "name=x,weight=2.5,size=64x64,steps=4,n=2,seed=9,guidance=1.5,"
                             "deadline_ms=300,key_env=K,prompt=a fox,priority=low",
                             NULL),
                     ST_OK);
    assert_memory_equal(&a, &b, sizeof(a));
    mix_body(&body, &a.kind[0], 1);
    assert_string_equal(body.text, "{\"prompt\":\"a fox\",\"size\":\"64x64\",\"priority\":\"low\","
                                   "\"num_inference_steps\":4,\"n\":2,\"guidance_scale\":1.5,"
                                   "\"seed\":9}");
    json_out_close(&body);
}

static void a_bad_mix_is_refused_by_its_field(void **state)
{
    static const char *const texts[][2] = {
        {"", "FIELD=VALUE"},
        {"name", "FIELD=VALUE"},
        {"colour=red", "called 'colour'"},
        {"steps=0", "steps"},
        {"steps=1.5", "steps"},
        {"steps=", "steps"},
        {"steps=4x", "steps"},
        {"weight=-1", "weight"},
        {"weight=nan", "weight"},
        {"name=a b", "name"},
        {"name=", "name"},
        {"name=a,", "FIELD=VALUE"},
        {"deadline_ms=0", "deadline_ms"},
        {"name=taken", "two kinds"},
    };
    static const char *const jsons[] = {
        "[]",
        "{}",
        "{\"kinds\":{}}",
        "{\"kinds\":[1]}",
        "{\"kinds\":[{\"steps\":\"4\"}]}",
        "{\"kinds\":[{\"name\":4}]}",
        "{\"kinds\":[{\"no\":4}]}",
        "{\"kinds\":[],\"more\":1}",
    };
    struct mix mix = {.count = 0};

    (void)state;
    assert_int_equal(mix_add(&mix, "name=taken,weight=0", NULL), ST_OK);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct why why = {""};

        if (mix_add(&mix, texts[i][0], &why) != ST_INVALID || !strstr(why.text, texts[i][1]))
            fail_msg("'%s' for '%s'", why.text, texts[i][0]);
    }
    for (size_t i = 0; i < sizeof(jsons) / sizeof(jsons[0]); i++) {
        if (mix_parse(&mix, jsons[i], strlen(jsons[i]), NULL) != ST_INVALID)
            fail_msg("taken: %s", jsons[i]);
    }
    assert_int_equal(mix.count, 1);
    assert_int_equal(mix_complete(&mix, 0, "K", NULL), ST_INVALID); /* nobody has a weight */
}

/* ---- Server-Timing ---- */

static void timings_are_read_and_nonsense_is_passed_over(void **state)
{
    static const char text[] = "queue;dur=1.5, text;desc=\"a,b;c\";DUR=2 ,,;,cached, bad;dur=x,"
                               "minus;dur=-1,huge;dur=1e99,open;desc=\"";
    struct labels stages = {.count = 0};
    float ms[LABELS_MAX];

    (void)state;
    for (int i = 0; i < LABELS_MAX; i++)
        ms[i] = -1;
    timing_read(ms, &stages, text, strlen(text));
    assert_int_equal(stages.count, 2);
    assert_string_equal(stages.name[0], "queue");
    assert_string_equal(stages.name[1], "text");
    assert_true(ms[0] == 1.5f && ms[1] == 2.0f && ms[2] == -1.0f);
}

static void labels_never_outgrow_their_room(void **state)
{
    struct labels l = {.count = 0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(labels_find(&l, name, strlen(name)),
                         i < LABELS_MAX - 1 ? i : LABELS_MAX - 1);
    }
    assert_string_equal(l.name[LABELS_MAX - 1], LABELS_OTHER);
    assert_int_equal(labels_find(&l, "n3", 2), 3);
}

/* ---- the report ---- */

static void quantiles_are_exact(void **state)
{
    double values[100], one[] = {5};
    struct quantiles q;

    (void)state;
    for (int i = 0; i < 100; i++)
        values[i] = 100 - i;
    q = report_quantiles(values, 100);
    assert_true(q.p50 == 50 && q.p90 == 90 && q.p95 == 95 && q.p99 == 99 && q.max == 100);
    assert_true(q.mean == 50.5 && q.count == 100);
    q = report_quantiles(one, 1);
    assert_true(q.p50 == 5 && q.p99 == 5 && q.max == 5);
    q = report_quantiles(one, 0);
    assert_true(q.count == 0 && q.max == 0);
}

#define SENT(at, kind_, fate_, took)                                                               \
    {                                                                                              \
        .intended_us = at, .sent_us = at, .ended_us = (at) + (took), .kind = kind_, .fate = fate_, \
        .code = -1, .predicted_ms = -1, .stage_ms = {                                              \
            -1,                                                                                    \
            -1                                                                                     \
        }                                                                                          \
    }

/* A run of ten seconds, of which the first warms up: seven requests are measured. */
static struct sample small[] = {
    SENT(0, 0, FATE_OK, 9000000),       /* warm-up */
    SENT(1000000, 0, FATE_OK, 50000),   /* in time */
    SENT(2000000, 0, FATE_OK, 100000),  /* just in time */
    SENT(3000000, 0, FATE_OK, 100001),  /* just not */
    SENT(4000000, 1, FATE_OK, 7000000), /* no deadline: in time; ends at 11 s */
    SENT(5000000, 1, FATE_STATUS, 10),  /* refused at once: no latency */
    SENT(6000000, 0, FATE_TIMEOUT, 2000000),
    SENT(7000000, 1, FATE_STATUS, 10),
    SENT(8000000, 0, FATE_UNFINISHED, 0), /* left out */
};

static struct samples small_run(void)
{
    struct samples s = {.of = small, .count = 9, .warmup_us = 1000000, .end_us = 10000000};
    int refused = labels_find(&s.codes, "queue<full>", 11);

    labels_find(&s.stages, "denoise", 7);
    small[1].stage_ms[0] = 40;
    small[1].predicted_ms = 45;
    small[2].predicted_ms = 120;
    small[2].sent_us = 2010000; /* late by 10 ms */
    small[6].sent_us = -1;
    small[5].http = small[7].http = 429;
    small[5].code = small[7].code = refused;
    return s;
}

static void a_report_counts_what_a_person_would(void **state)
{
    struct mix mix = two_kinds();
    struct samples s = small_run();
    struct report r;

    (void)state;
    assert_int_equal(report_make(&r, &s, &mix), ST_OK);
    assert_int_equal(r.warmup, 1);
    assert_int_equal(r.unfinished, 1);
    assert_int_equal(r.requests, 7);
    assert_int_equal(r.ok, 4);
    assert_int_equal(r.attained, 3);
    assert_int_equal(r.pictures, 5); /* kind b asks for two */
    assert_true(r.span_s == 9 && r.elapsed_s == 10 && r.offered == 7.0 / 9);
    assert_true(r.throughput == 0.4 && r.goodput == 0.3 && r.attainment == 3.0 / 7);
    /* answered and timed out: 50, 100, 100.001, 2000, 7000 */
    assert_int_equal(r.latency_ms.count, 5);
    assert_true(r.latency_ms.p50 == 100.001 && r.latency_ms.p90 == 7000);
    assert_int_equal(r.kind[0].latency_ms.count, 4);
    assert_int_equal(r.kind[1].attained, 1);
    assert_int_equal(r.late, 1);
    assert_int_equal(r.unsent, 1);
    assert_true(r.late_ms.count == 6 && r.late_ms.max == 10);
    assert_true(r.stage_ms[0].count == 1 && r.stage_ms[0].p95 == 40);
    /* 50 for 45, and 90 from being sent for 120 */
    assert_true(r.prediction_error_ms.max == 30 && r.prediction_error_ms.p50 == 5);
    assert_true(r.prediction_bias_ms == -12.5);
    assert_int_equal(r.miss_count, 2);
    assert_true(r.miss[0].count == 2 && r.miss[0].http == 429 && r.miss[1].fate == FATE_TIMEOUT);
}

/* Goal: all three forms hold what was counted, and nothing in them is broken by odd names. */
static void a_report_is_written_in_three_forms(void **state)
{
    const struct report_about about = {.url = "http://a/<&\">", .arrivals = "poisson", .rate = 1};
    struct mix mix = two_kinds();
    struct samples s = small_run();
    struct json_out o = {0};
    struct json *root;
    struct report r;
    double value = 0;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_int_equal(report_make(&r, &s, &mix), ST_OK);
    report_json(&o, &r, &s, &mix, &about);
    assert_int_equal(json_parse(&root, o.text, o.bytes, NULL), ST_OK);
    assert_int_equal(json_get_real(json_get(root, "latency_ms"), "p90", &value, NULL), ST_OK);
    assert_true(value == 7000);
    assert_int_equal(json_size(json_get(root, "misses")), 2);
    json_close(&root);
    json_out_close(&o);

    report_print(out, &r, &s, &mix, &about);
    assert_int_equal(plot_write(out, &r, &s, &mix, &about), ST_OK);
    fclose(out);
    assert_non_null(strstr(text, "2 status 429: queue<full>\n"));
    assert_non_null(strstr(text, "42.86 % (3 of 7; 4 answered)"));
    assert_non_null(strstr(text, "a/&#60;&#38;&#34;&#62;"));
    assert_non_null(strstr(text, "</svg>\n"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
}

/* Goal: no failed allocation may crash or leak. Method: fail the first, the second, until a whole
   run on paper needs no more of them. */
static void every_failed_allocation_is_survived(void **state)
{
    static const char json[] = "{\"kinds\":[{\"name\":\"a\"}]}", trace[] = "0 a\n";
    const struct arrivals_options options = {.rate = 10, .requests = 5};
    struct samples s = small_run();
    struct mix two = two_kinds();

    (void)state;
    for (int nth = 1;; nth++) {
        struct mix mix = {.count = 0};
        struct arrivals a = {0}, b = {0};
        struct report r;
        bool failed;

        fault_arm(nth);
        failed = mix_parse(&mix, json, strlen(json), NULL) ||
                 arrivals_poisson(&a, &options, &two, NULL) ||
                 arrivals_trace(&b, trace, strlen(trace), &options, &two, NULL) ||
                 report_make(&r, &s, &two);
        arrivals_close(&a);
        arrivals_close(&b);
        fault_disarm();
        assert_int_equal(failed, fault_fired());
        assert_int_equal(fault_live(), 0);
        if (!fault_fired())
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_a_poisson_process_of_the_rate),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_does_not),
        cmocka_unit_test(warm_up_comes_before_what_was_asked_for),
        cmocka_unit_test(a_run_without_end_is_refused),
        cmocka_unit_test(a_trace_says_when_and_what),
        cmocka_unit_test(a_bad_trace_is_refused_by_its_line),
        cmocka_unit_test(a_mix_reads_the_same_from_text_and_json),
        cmocka_unit_test(a_bad_mix_is_refused_by_its_field),
        cmocka_unit_test(timings_are_read_and_nonsense_is_passed_over),
        cmocka_unit_test(labels_never_outgrow_their_room),
        cmocka_unit_test(quantiles_are_exact),
        cmocka_unit_test(a_report_counts_what_a_person_would),
        cmocka_unit_test(a_report_is_written_in_three_forms),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
