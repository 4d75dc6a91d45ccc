/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MEAN_WEIGHT     8 /* a new picture counts for one in eight */

/* From a health check to a picture of minutes; upper bounds in microseconds. */
static const int64_t bounds_us[] = {
    500,     1000,    2500,    5000,     10000,    25000,    50000,     100000,    250000,   500000,
    1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000, 250000000, 600000000};

/* Every code that can be answered; the last one stands for the rest. */
static const int codes[] = {200, 400, 401, 403, 404, 405, 413, 415, 417, 429, 499, 500, 503, 0};

_Static_assert(COUNT_OF(bounds_us) < METRICS_BUCKETS_MAX, "and one for +Inf");
_Static_assert(COUNT_OF(codes) <= METRICS_CODES_MAX, "a counter per code");

static void add(atomic_ullong *counter, unsigned long long amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static unsigned long long get(const atomic_ullong *counter)
{
    return atomic_load_explicit((atomic_ullong *)counter, memory_order_relaxed);
}

void metrics_count(struct metrics *m, int route, int code, int64_t duration_us)
{
    struct metrics_route *r = &m->route[route];
    size_t c = 0, b = 0;

    while (c < COUNT_OF(codes) - 1 && codes[c] != code)
        c++;
    while (b < COUNT_OF(bounds_us) && duration_us > bounds_us[b])
        b++;
    add(&r->by_code[c], 1);
    add(&r->by_bucket[b], 1);
    add(&r->duration_us, (unsigned long long)duration_us);
}

void metrics_picture(struct metrics *m, int64_t duration_us)
{
    long long mean = atomic_load(&m->picture_us);

    add(&m->pictures, 1);
    mean = mean ? mean + (duration_us - mean) / MEAN_WEIGHT : duration_us;
    atomic_store(&m->picture_us, mean); /* two at once: one of them is lost, which does no harm */
}

static void write_requests(FILE *page, const struct metrics *m, const char *const *names, int count)
{
    fputs("# HELP limner_requests_total Requests by route and status code; 499: the client left.\n"
          "# TYPE limner_requests_total counter\n",
          page);
    for (int i = 0; i < count; i++) {
        for (size_t c = 0; c < COUNT_OF(codes); c++) {
            unsigned long long value = get(&m->route[i].by_code[c]);

            if (value && codes[c])
                fprintf(page, "limner_requests_total{route=\"%s\",code=\"%d\"} %llu\n", names[i],
                        codes[c], value);
            else if (value)
                fprintf(page, "limner_requests_total{route=\"%s\",code=\"other\"} %llu\n", names[i],
                        value);
        }
    }
}

static void write_histogram(FILE *page, const struct metrics_route *r, const char *name)
{
    static const char series[] = "limner_request_duration_seconds";
    unsigned long long sum = 0;

    for (size_t b = 0; b < COUNT_OF(bounds_us); b++) {
        sum += get(&r->by_bucket[b]);
        fprintf(page, "%s_bucket{route=\"%s\",le=\"%g\"} %llu\n", series, name,
                (double)bounds_us[b] / 1e6, sum);
    }
    sum += get(&r->by_bucket[COUNT_OF(bounds_us)]);
    fprintf(page, "%s_bucket{route=\"%s\",le=\"+Inf\"} %llu\n", series, name, sum);
    fprintf(page, "%s_sum{route=\"%s\"} %.6f\n", series, name, (double)get(&r->duration_us) / 1e6);
    fprintf(page, "%s_count{route=\"%s\"} %llu\n", series, name, sum);
}

static bool is_used(const struct metrics_route *r)
{
    for (size_t b = 0; b <= COUNT_OF(bounds_us); b++) {
        if (get(&r->by_bucket[b]))
            return true;
    }
    return false;
}

/* A series of every GPU; one that does not tell has no line. */
static const struct {
    const char *name, *help;
    size_t at; /* in struct health_gpu */
} gpu_series[] = {
    {"limner_gpu_temperature_celsius", "Heat of the chip.",
     offsetof(struct health_gpu, temperature_celsius)},
    {"limner_gpu_power_watts", "Power that the card draws.",
     offsetof(struct health_gpu, power_watts)},
    {"limner_gpu_memory_used_bytes", "Memory in use by all programs.",
     offsetof(struct health_gpu, memory_used_bytes)},
    {"limner_gpu_memory_total_bytes", "Memory of the card.",
     offsetof(struct health_gpu, memory_total_bytes)},
    {"limner_gpu_ecc_corrected", "Bit errors corrected since the driver was loaded.",
     offsetof(struct health_gpu, ecc_corrected)},
    {"limner_gpu_ecc_uncorrected", "Bit errors not corrected since the driver was loaded.",
     offsetof(struct health_gpu, ecc_uncorrected)},
    {"limner_gpu_slowed", "1 when heat or power hold the clocks down.",
     offsetof(struct health_gpu, slowed)},
};

static void write_gpus(FILE *page, const struct health_gpu *gpus, int count)
{
    for (size_t s = 0; count && s < COUNT_OF(gpu_series); s++) {
        fprintf(page, "# HELP %s %s\n# TYPE %s gauge\n", gpu_series[s].name, gpu_series[s].help,
                gpu_series[s].name);
        for (int i = 0; i < count; i++) {
            double value;

            memcpy(&value, (const char *)&gpus[i] + gpu_series[s].at, sizeof(value));
            if (value >= 0)
                fprintf(page, "%s{pci=\"%s\"} %.17g\n", gpu_series[s].name, gpus[i].pci, value);
        }
    }
}

enum status metrics_write(const struct metrics *m, const struct metrics_page *what,
                          struct bytes *out)
{
    const struct metrics_extra *extra = what->extra;
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    bool failed;

    if (!page)
        return ST_FULL;
    write_requests(page, m, what->names, what->name_count);
    fputs("# HELP limner_request_duration_seconds From a request's last byte to its answer's.\n"
          "# TYPE limner_request_duration_seconds histogram\n",
          page);
    for (int i = 0; i < what->name_count; i++) {
        if (is_used(&m->route[i]))
            write_histogram(page, &m->route[i], what->names[i]);
    }
    write_gpus(page, what->gpus, what->gpu_count);
    for (int i = 0; i < what->extra_count; i++)
        fprintf(page, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", extra[i].name, extra[i].help,
                extra[i].name, extra[i].counter ? "counter" : "gauge", extra[i].name,
                extra[i].value);
    failed = ferror(page);
    failed |= fclose(page) != 0;
    if (failed) {
        free(text);
        return ST_FULL;
    }
    *out = (struct bytes){(uint8_t *)text, bytes};
    return ST_OK;
}
