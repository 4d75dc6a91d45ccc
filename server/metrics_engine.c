/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_engine.h"

#include "engine/engine.h"

#include <assert.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LABELS_MAX      (EXPOSITION_LABEL_MAX + 64)

static_assert(ENGINE_MODELS_MAX <= METRICS_MODELS_MAX, "a series for every model");

static const uint64_t latency_us[] = {
    500,       1000,      1500,      2000,      2500,      3000,     4000,      5000,
    6000,      8000,      10000,     15000,     20000,     25000,    30000,     40000,
    50000,     60000,     80000,     100000,    150000,    200000,   250000,    300000,
    400000,    500000,    600000,    800000,    1000000,   1500000,  2000000,   2500000,
    3000000,   4000000,   5000000,   6000000,   8000000,   10000000, 15000000,  20000000,
    25000000,  30000000,  40000000,  50000000,  60000000,  80000000, 100000000, 150000000,
    200000000, 250000000, 300000000, 400000000, 500000000, 600000000};

/* From the reading of a request to the denoising of minutes. */
static const uint64_t stage_us[] = {50,       100,       200,       500,      1000,     2000,
                                    5000,     10000,     20000,     50000,    100000,   200000,
                                    500000,   1000000,   2000000,   5000000,  10000000, 20000000,
                                    50000000, 100000000, 200000000, 600000000};

static const uint64_t ratio_bounds[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};

const struct exposition_bounds metrics_latency_bounds = {latency_us, COUNT_OF(latency_us), 1e-6};
static const struct exposition_bounds stage_bounds = {stage_us, COUNT_OF(stage_us), 1e-6};
static const struct exposition_bounds ratios = {ratio_bounds, COUNT_OF(ratio_bounds), 1e-3};

/* One series, if anything is in it. */
static void write_series(FILE *page, const char *family, const char *labels,
                         const struct exposition_bounds *bounds, const struct histogram *h)
{
    if (h->count)
        exposition_histogram(page, family, labels, bounds, h);
}

static void label_of(char out[EXPOSITION_LABEL_MAX], const struct stages *s, int model)
{
    exposition_label(out, stages_model_name(s, model));
}

static void write_pictures(FILE *page, const struct stages *s)
{
    static const char family[] = "limner_picture_duration_seconds";

    exposition_head(page, family, "histogram",
                    "From a request's last byte until its picture was made, or given up.");
    for (int m = 0; m < stages_models(s); m++) {
        char labels[LABELS_MAX], model[EXPOSITION_LABEL_MAX];

        label_of(model, s, m);
        for (enum stages_outcome o = 0; o < OUTCOME_COUNT; o++) {
            struct histogram h = {.count = 0};

            stages_add_pictures(s, m, o, &h);
            snprintf(labels, sizeof(labels), "model=\"%s\",outcome=\"%s\"", model, outcome_name(o));
            write_series(page, family, labels, &metrics_latency_bounds, &h);
        }
    }
}

static void write_stages_of(FILE *page, const char *family, const struct stages *s, int m)
{
    char labels[LABELS_MAX], model[EXPOSITION_LABEL_MAX];

    label_of(model, s, m);
    for (int i = 0; i < STAGE_COUNT * OUTCOME_COUNT; i++) {
        enum stage stage = (enum stage)(i / OUTCOME_COUNT);
        enum stages_outcome o = (enum stages_outcome)(i % OUTCOME_COUNT);
        struct histogram h = {.count = 0};

        stages_add(s, m, o, stage, &h);
        snprintf(labels, sizeof(labels), "stage=\"%s\",model=\"%s\",outcome=\"%s\"",
                 stage_name(stage), model, outcome_name(o));
        write_series(page, family, labels, &stage_bounds, &h);
    }
}

/* Sending belongs to requests, which may have several pictures, and is counted by the server. */
static void write_stages(FILE *page, const struct metrics *m, const struct stages *s)
{
    static const char family[] = "limner_stage_duration_seconds";

    exposition_head(page, family, "histogram",
                    "Stages of a picture, each with the wait before it; send: of an answer.");
    for (int i = 0; i < stages_models(s); i++) {
        struct histogram h = {.count = 0};
        char labels[LABELS_MAX], model[EXPOSITION_LABEL_MAX];

        write_stages_of(page, family, s, i);
        histogram_add(&h, &m->send[i]);
        label_of(model, s, i);
        snprintf(labels, sizeof(labels), "stage=\"send\",model=\"%s\",outcome=\"ok\"", model);
        write_series(page, family, labels, &stage_bounds, &h);
    }
}

static void write_steps(FILE *page, const struct stages *s)
{
    static const char family[] = "limner_denoise_step_duration_seconds";

    exposition_head(page, family, "histogram", "One step of the network, by pictures in it.");
    for (int m = 0; m < stages_models(s); m++) {
        char labels[LABELS_MAX], model[EXPOSITION_LABEL_MAX];

        label_of(model, s, m);
        for (int batch = 1; batch <= stages_batch_max(s); batch++) {
            struct histogram h = {.count = 0};

            stages_add_steps(s, m, batch, &h);
            snprintf(labels, sizeof(labels), "model=\"%s\",batch=\"%d\"", model, batch);
            write_series(page, family, labels, &stage_bounds, &h);
        }
    }
}

static uint64_t steps_with(const struct stages *s, int batch)
{
    struct histogram h = {.count = 0};

    for (int m = 0; m < stages_models(s); m++)
        stages_add_steps(s, m, batch, &h);
    return h.count;
}

static void write_batches(FILE *page, const struct stages *s)
{
    static const int bounds[] = {1, 2, 4, 8, 16, 32, 64};
    uint64_t steps = 0, pictures = 0;
    int batch = 1;

    exposition_head(page, "limner_batch_size", "histogram", "Pictures in a step.");
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        for (; batch <= bounds[i] && batch <= stages_batch_max(s); batch++) {
            uint64_t more = steps_with(s, batch);

            steps += more;
            pictures += more * (uint64_t)batch;
        }
        fprintf(page, "limner_batch_size_bucket{le=\"%d\"} %llu\n", bounds[i],
                (unsigned long long)steps);
    }
    fprintf(page,
            "limner_batch_size_bucket{le=\"+Inf\"} %llu\nlimner_batch_size_sum %llu\n"
            "limner_batch_size_count %llu\n",
            (unsigned long long)steps, (unsigned long long)pictures, (unsigned long long)steps);
}

static void write_promises(FILE *page, const struct stages *s)
{
    static const char family[] = "limner_forecast_error_ratio";
    struct histogram early = {.count = 0}, late = {.count = 0};

    stages_add_early(s, &early);
    stages_add_late(s, &late);
    exposition_head(page, family, "histogram",
                    "By how much of the time that was promised a picture came early or late.");
    write_series(page, family, "direction=\"early\"", &ratios, &early);
    write_series(page, family, "direction=\"late\"", &ratios, &late);
}

void metrics_write_refusals(FILE *page, const struct metrics *m, const struct engine_stats *stats)
{
    static const char *const by_engine[] = {"queue_full", "backlog", "deadline", "stopping"};
    static const char *const by_server[] = {"limit", "places", "unready"};
    static const char line[] = "limner_refusals_total{reason=\"%s\"} %llu\n";
    static_assert(COUNT_OF(by_engine) == ENGINE_REFUSALS, "a word for every refusal");
    static_assert(COUNT_OF(by_server) == METRICS_REFUSALS, "a word for every refusal");
    exposition_head(page, "limner_refusals_total", "counter",
                    "Requests for pictures that were sound and not taken.");
    for (size_t i = 0; i < COUNT_OF(by_engine); i++)
        fprintf(page, line, by_engine[i], (unsigned long long)(stats ? stats->refused[i] : 0));
    for (size_t i = 0; i < COUNT_OF(by_server); i++)
        fprintf(page, line, by_server[i], (unsigned long long)atomic_load(&m->refused[i]));
}

void metrics_write_engine(FILE *page, const struct metrics *m, const struct stages *s)
{
    write_pictures(page, s);
    write_stages(page, m, s);
    write_steps(page, s);
    write_batches(page, s);
    write_promises(page, s);
}
