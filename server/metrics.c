/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include "server/desk_numbers.h"
#include "server/exposition.h"
#include "server/metrics_engine.h"
#include "server/metrics_marks.h"
#include "server/webhook.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MEAN_WEIGHT     8 /* a new picture counts for one in eight */

/* Every code that can be answered; the last one stands for the rest. */
static const int codes[] = {200, 201, 202, 204, 303, 400, 401, 403, 404, 405, 409,
                            410, 413, 415, 417, 422, 429, 499, 500, 503, 504, 0};

_Static_assert(COUNT_OF(codes) <= METRICS_CODES_MAX, "a counter per code");

static void add(atomic_ullong *counter, unsigned long long amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static unsigned long long get(const atomic_ullong *counter)
{
    return atomic_load_explicit((atomic_ullong *)counter, memory_order_relaxed);
}

static void record(struct histogram *h, int64_t us)
{
    histogram_record(h, us > 0 ? (uint64_t)us : 0);
}

void metrics_count(struct metrics *m, int route, int code, int64_t duration_us)
{
    struct metrics_route *r = &m->route[route];
    size_t c = 0;

    while (c < COUNT_OF(codes) - 1 && codes[c] != code)
        c++;
    add(&r->by_code[c], 1);
    record(&r->duration, duration_us);
}

void metrics_picture(struct metrics *m, int64_t duration_us)
{
    long long mean = atomic_load(&m->picture_us);

    mean = mean ? mean + (duration_us - mean) / MEAN_WEIGHT : duration_us;
    atomic_store(&m->picture_us, mean); /* two at once: one of them is lost, which does no harm */
}

void metrics_send(struct metrics *m, int model, int64_t duration_us)
{
    assert(model >= 0 && model < METRICS_MODELS_MAX);
    record(&m->send[model], duration_us);
}

void metrics_refuse(struct metrics *m, enum metrics_refusal why)
{
    add(&m->refused[why], 1);
}

static void write_requests(FILE *page, const struct metrics *m, const char *const *names, int count)
{
    exposition_head(page, "limner_requests_total", "counter",
                    "Requests by route and status code; 499: the client left.");
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

static void write_durations(FILE *page, const struct metrics *m, const char *const *names,
                            int count)
{
    static const char family[] = "limner_request_duration_seconds";

    exposition_head(page, family, "histogram", "From a request's last byte to its answer's.");
    for (int i = 0; i < count; i++) {
        struct histogram h = {.count = 0};
        char labels[64];

        histogram_add(&h, &m->route[i].duration);
        if (!h.count)
            continue;
        snprintf(labels, sizeof(labels), "route=\"%s\"", names[i]);
        exposition_histogram(page, family, labels, &metrics_latency_bounds, &h);
    }
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
        exposition_head(page, gpu_series[s].name, "gauge", gpu_series[s].help);
        for (int i = 0; i < count; i++) {
            double value;

            memcpy(&value, (const char *)&gpus[i] + gpu_series[s].at, sizeof(value));
            if (value >= 0)
                fprintf(page, "%s{pci=\"%s\"} %.17g\n", gpu_series[s].name, gpus[i].pci, value);
        }
    }
}

static void write_extra(FILE *page, const struct metrics_extra *extra, int count)
{
    for (int i = 0; i < count; i++) {
        if (extra[i].value < 0)
            continue;
        exposition_head(page, extra[i].name, extra[i].counter ? "counter" : "gauge", extra[i].help);
        fprintf(page, "%s %.17g\n", extra[i].name, extra[i].value);
    }
}

static void write_webhooks(FILE *page, const struct webhook_stats *w)
{
    const struct metrics_extra extra[] = {
        {"limner_webhooks_delivered_total", "Messages that a tenant's server took.", true,
         (double)w->delivered},
        {"limner_webhooks_failed_total", "Tries that it did not take.", true, (double)w->failed},
        {"limner_webhooks_given_up_total", "Messages that will not be tried again.", true,
         (double)w->given_up},
        {"limner_webhooks_slowest_seconds", "The longest way of a message that arrived.", false,
         (double)w->slowest_ms / 1000},
    };

    write_extra(page, extra, COUNT_OF(extra));
}

static void write_all(FILE *page, const struct metrics *m, const struct metrics_page *what)
{
    exposition_head(page, "limner_build_info", "gauge", "Which limner this is; always 1.");
    fprintf(page, "limner_build_info{version=\"%s\"} 1\n", what->version);
    write_requests(page, m, what->names, what->name_count);
    write_durations(page, m, what->names, what->name_count);
    write_gpus(page, what->gpus, what->gpu_count);
    write_extra(page, what->extra, what->extra_count);
    metrics_write_refusals(page, m, what->stats);
    if (what->judge)
        metrics_write_moderation(page, &m->moderation, what->judge, what->hook, what->now_s);
    metrics_write_marks(page, what->marker);
    if (what->reviews)
        desk_numbers_expose(page, what->reviews);
    if (what->webhooks)
        write_webhooks(page, what->webhooks);
    if (what->stages)
        metrics_write_engine(page, m, what->stages);
}

enum status metrics_write(const struct metrics *m, const struct metrics_page *what,
                          struct bytes *out)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    bool failed;

    if (!page)
        return ST_FULL;
    write_all(page, m, what);
    failed = ferror(page);
    failed |= fclose(page) != 0;
    if (failed) {
        free(text);
        return ST_FULL;
    }
    *out = (struct bytes){(uint8_t *)text, bytes};
    return ST_OK;
}
