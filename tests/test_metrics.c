/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"
#include "tests/unit.h"

#include <string.h>

static const char *const names[] = {"other", "/livez"};

static void metrics_write_shows_what_was_counted(void **state)
{
    static struct metrics m;
    const struct metrics_extra extra[] = {{"limner_x", "Something.", false, 2.5},
                                          {"limner_y", "Not known.", false, -1}};
    const struct health_gpu gpus[] = {{"00000000:0A:00.0", 61, HEALTH_UNKNOWN, 1, 2, 7, 0, 1}};
    const struct metrics_page what = {.version = "1.2.3",
                                      .names = names,
                                      .name_count = 2,
                                      .extra = extra,
                                      .extra_count = 2,
                                      .gpus = gpus,
                                      .gpu_count = 1};
    struct bytes page;
    char text[16384];

    (void)state;
    metrics_count(&m, 1, 200, 700);
    metrics_count(&m, 1, 200, 40000000000);
    metrics_count(&m, 1, 777, 1);
    metrics_refuse(&m, METRICS_LIMIT);
    assert_int_equal(metrics_write(&m, &what, &page), ST_OK);
    assert_true(page.count < sizeof(text));
    memcpy(text, page.data, page.count);
    text[page.count] = '\0';
    bytes_close(&page);

    assert_non_null(strstr(text, "limner_requests_total{route=\"/livez\",code=\"200\"} 2\n"));
    assert_non_null(strstr(text, "limner_gpu_temperature_celsius{pci=\"00000000:0A:00.0\"} 61\n"));
    assert_null(strstr(text, "limner_gpu_power_watts{")); /* which this one does not tell */
    assert_non_null(strstr(text, "limner_gpu_ecc_corrected{pci=\"00000000:0A:00.0\"} 7\n"));
    assert_non_null(strstr(text, "limner_requests_total{route=\"/livez\",code=\"other\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{route=\"/livez\",le=\"0.0005\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{route=\"/livez\",le=\"0.001\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{route=\"/livez\",le=\"600\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{route=\"/livez\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "_count{route=\"/livez\"} 3\n"));
    assert_non_null(strstr(text, "# TYPE limner_x gauge\nlimner_x 2.5\n"));
    assert_non_null(strstr(text, "_bucket{route=\"/livez\",le=\"300\"} 2\n"));
    assert_non_null(strstr(text, "_sum{route=\"/livez\"} 40000.0007"));
    assert_null(strstr(text, "limner_y")); /* nobody knows it */
    assert_non_null(strstr(text, "limner_build_info{version=\"1.2.3\"} 1\n"));
    assert_non_null(strstr(text, "limner_refusals_total{reason=\"limit\"} 1\n"));
    assert_non_null(strstr(text, "limner_refusals_total{reason=\"deadline\"} 0\n"));
    assert_null(strstr(text, "limner_stage_duration")); /* there is no engine */
    assert_null(strstr(text, "route=\"other\""));       /* nothing happened there */
}

static void metrics_picture_follows_the_mean(void **state)
{
    static struct metrics m;

    (void)state;
    metrics_picture(&m, 1000);
    assert_int_equal(atomic_load(&m.picture_us), 1000);
    for (int i = 0; i < 100; i++)
        metrics_picture(&m, 5000);
    assert_in_range(atomic_load(&m.picture_us), 4900, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_write_shows_what_was_counted),
        cmocka_unit_test(metrics_picture_follows_the_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
