/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_command_policy.c - `limner policy` as people use it.
 */
#include "base/json.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL "tests/policies/full.json"

static char scores[] = "/tmp/limner-scores-XXXXXX", wrong[] = "/tmp/limner-policy-XXXXXX";
static char output[1 << 16];

/* 100 pictures: 90 are nothing, 6 are held by their scores, 4 are blocked. */
static int setup(void **state)
{
    int fd = mkstemp(scores);
    FILE *file;

    (void)state;
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) {
        double p = i < 90 ? 0.01 : i < 96 ? 0.75 : 0.97, rest = (1 - p) / 2;

        fprintf(file,
                "{\"id\":\"p%d\",\"tenant\":\"t\",\"model\":\"starter\",\"action\":\"%s\","
                "\"scores\":{\"main\":[%.9g,-999,%.9g,%.9g,-999],\"second\":[%.9g,-999,%.9g,%.9g,"
                "-999]}}\n",
                i, i < 98 ? "allow" : "block", 4 + 2 * log(rest), 4 + 2 * log(rest), 4 + 2 * log(p),
                log(rest), log(rest), log(p));
    }
    fclose(file);
    fd = mkstemp(wrong);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    fputs("{\n \"schema\": \"moderation-policy/1\",\n \"polcy\": 1}", file);
    fclose(file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(scores);
    unlink(wrong);
    return 0;
}

/* The exit code of `limner policy ARGS...`; what it wrote is in `output`. */
static int run(const char *const *args)
{
    struct program p;
    int code;

    program_start(&p, args);
    code = program_wait(&p, 60000);
    program_read(&p, output, sizeof(output));
    program_forget(&p);
    return code;
}

#define RUN(...) run((const char *const[]){"policy", __VA_ARGS__, NULL})

static void says(const char *text)
{
    if (!strstr(output, text))
        fail_msg("it does not say '%s' but:\n%s", text, output);
}

static void a_right_file_is_named_and_hashed(void **state)
{
    (void)state;
    assert_int_equal(RUN("check", FULL), 0);
    says("policy full, version 14, sha256 ");
    says("live, 5 categories, 2 contexts: it is right");
    assert_int_equal(RUN("check", "moderation/policies/default.json", "--json"), 0);
    says("\"policy\":{\"id\":\"default\",\"version\":1,\"sha256\":\"");
}

static void a_wrong_file_is_told_where(void **state)
{
    char said[128];

    (void)state;
    assert_int_equal(RUN("check", wrong), 1);
    snprintf(said, sizeof(said), "limner policy: %s:3: there is no key 'polcy' here", wrong);
    says(said);
    assert_int_equal(RUN("check", "/none.json"), 1);
    says("/none.json: No such file or directory");
}

static void wrong_words_are_code_2(void **state)
{
    (void)state;
    assert_int_equal(RUN("chek", FULL), 2);
    says("say limner policy check, simulate or diff");
    assert_int_equal(RUN("simulate", FULL), 2);
    says("--scores is needed");
    assert_int_equal(RUN("diff", FULL, "--scores", scores), 2);
    assert_int_equal(RUN("simulate", FULL, "--scores", scores, "--traffic", "none"), 2);
    says("--traffic takes a number from 1 to 1e+09, not 'none'");
    assert_int_equal(RUN("simulate", FULL, "--scores", scores, "--override", ""), 2);
    assert_int_equal(RUN("check", FULL, "--scores", scores), 2);
    assert_int_equal(RUN("--help"), 0);
    says("limner policy simulate FILE --scores S");
}

static void recorded_scores_are_replayed(void **state)
{
    (void)state;
    assert_int_equal(RUN("simulate", FULL, "--scores", scores), 0);
    says("100 recorded pictures");
    says("hold                6    6.00%  2.78% to 12.48%");
    says("block               4    4.00%  1.57% to 9.84%");
    says("held for scores: 6");
    says("category explicit: 6 held, 4 blocked");
    says("Against what was done, 8 of 100 are treated in another way");
    says("allow -> hold           6");
    says("allow -> block          2");
    says("Say --traffic N");
}

static void two_versions_are_compared(void **state)
{
    (void)state;
    assert_int_equal(RUN("diff", "tests/policies/open.json", FULL, "--scores", scores), 0);
    says("Against the baseline, 10 of 100 are treated in another way");
    says("p90: allow -> hold");
    says("p99: allow -> block");
    assert_int_equal(RUN("diff", FULL, FULL, "--scores", scores), 0);
    says("0 of 100 are treated in another way");
}

/* 6 % held, and half of the 4 % that are blocked are drawn, and 1 % of the allowed: 8.9 % of
   24,000 a day are 89 an hour; 4 reviewers do 240, so they are 37 % busy. */
static void reviewers_are_told_what_it_means(void **state)
{
    struct json *root = NULL;
    const struct json *forecast;
    double arrivals = 0, busy = 0;
    int64_t needed = 0;

    (void)state;
    assert_int_equal(RUN("simulate", FULL, "--scores", scores, "--traffic", "24000", "--json"), 0);
    assert_int_equal(json_parse(&root, output, strlen(output), NULL), ST_OK);
    forecast = json_get(root, "forecast");
    assert_int_equal(json_get_real(forecast, "arrivals_per_hour", &arrivals, NULL), ST_OK);
    assert_int_equal(json_get_real(forecast, "utilisation", &busy, NULL), ST_OK);
    assert_int_equal(json_get_int(forecast, "reviewers_needed", &needed, NULL), ST_OK);
    assert_true(fabs(arrivals - 89) < 1e-9 && fabs(busy - 89.0 / 240) < 1e-9 && needed == 2);
    assert_false(json_as_bool(json_get(root, "refused")));
    json_close(&root);
}

static void too_much_is_refused_unless_somebody_says_why(void **state)
{
    (void)state;
    assert_int_equal(
        RUN("simulate", FULL, "--scores", scores, "--traffic", "24000", "--reviewers", "1"), 1);
    says("148% busy, at most 80% are planned");
    says("what waits would only grow");
    says("2 reviewers are needed");
    says("the reviewers would be 148% busy, and 80% is the most");
    assert_int_equal(RUN("simulate", FULL, "--scores", scores, "--traffic", "24000", "--reviewers",
                         "1", "--override", "two more start on Monday"),
                     0);
    says("too much for the reviewers; overridden: two more start on Monday");
    assert_int_equal(RUN("simulate", FULL, "--scores", scores, "--traffic", "24000", "--reviewers",
                         "1", "--json"),
                     1);
    says("\"refused\":true");
    says("\"wait_hours\":null");
}

static void scores_that_are_wrong_are_told_where(void **state)
{
    (void)state;
    assert_int_equal(RUN("simulate", FULL, "--scores", wrong), 1);
    says(":1: ");
    assert_int_equal(RUN("simulate", FULL, "--scores", "/none"), 1);
    says("/none: No such file or directory");
    assert_int_equal(RUN("simulate", FULL, "--scores", "/dev/null"), 1);
    says("there are no pictures in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_file_is_named_and_hashed),
        cmocka_unit_test(a_wrong_file_is_told_where),
        cmocka_unit_test(wrong_words_are_code_2),
        cmocka_unit_test(recorded_scores_are_replayed),
        cmocka_unit_test(two_versions_are_compared),
        cmocka_unit_test(reviewers_are_told_what_it_means),
        cmocka_unit_test(too_much_is_refused_unless_somebody_says_why),
        cmocka_unit_test(scores_that_are_wrong_are_told_where),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
