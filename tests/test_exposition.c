/* SPDX-License-Identifier: Apache-2.0 */
#include "server/exposition.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t bounds_us[] = {500, 1000, 2500000};
static const struct exposition_bounds bounds = {bounds_us, 3, 1e-6};

/* What was written, to be freed. */
static char *written(const char *labels, const struct histogram *h)
{
    char *text = NULL;
    size_t bytes;
    FILE *page = open_memstream(&text, &bytes);

    assert_non_null(page);
    exposition_head(page, "a_seconds", "histogram", "How long.");
    exposition_histogram(page, "a_seconds", labels, &bounds, h);
    assert_int_equal(fclose(page), 0);
    return text;
}

/* Goal: buckets count up to their bound and grow; the last is the count. */
static void a_histogram_is_written_with_cumulative_buckets(void **state)
{
    struct histogram h = {.count = 0};
    char *text;

    (void)state;
    histogram_record(&h, 499);
    histogram_record(&h, 500);
    histogram_record(&h, 2000000);
    histogram_record(&h, 2000001);
    histogram_record(&h, 3000000);
    text = written("stage=\"text\"", &h);
    assert_string_equal(text, "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n"
                              "a_seconds_bucket{stage=\"text\",le=\"0.0005\"} 1\n"
                              "a_seconds_bucket{stage=\"text\",le=\"0.001\"} 2\n"
                              "a_seconds_bucket{stage=\"text\",le=\"2.5\"} 4\n"
                              "a_seconds_bucket{stage=\"text\",le=\"+Inf\"} 5\n"
                              "a_seconds_sum{stage=\"text\"} 7.001\n"
                              "a_seconds_count{stage=\"text\"} 5\n");
    free(text);
}

static void a_histogram_without_labels_has_no_empty_braces(void **state)
{
    const struct histogram none = {.count = 0};
    char *text;

    (void)state;
    text = written("", &none);
    assert_non_null(strstr(text, "a_seconds_bucket{le=\"+Inf\"} 0\n"));
    assert_non_null(strstr(text, "a_seconds_sum 0\na_seconds_count 0\n"));
    free(text);
}

static void labels_are_escaped_and_cut(void **state)
{
    char out[EXPOSITION_LABEL_MAX], longer[2 * EXPOSITION_LABEL_MAX];

    (void)state;
    exposition_label(out, "a\"b\\c\nd");
    assert_string_equal(out, "a\\\"b\\\\c\\nd");
    memset(longer, '"', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    exposition_label(out, longer);
    assert_true(strlen(out) >= EXPOSITION_LABEL_MAX - 4);
    assert_int_equal(strlen(out) % 2, 0); /* no half of an escape */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_is_written_with_cumulative_buckets),
        cmocka_unit_test(a_histogram_without_labels_has_no_empty_braces),
        cmocka_unit_test(labels_are_escaped_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
