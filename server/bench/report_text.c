/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/report.h"

#include <inttypes.h>

static void print_quantiles(FILE *out, const char *name, const struct quantiles *q)
{
    if (q->count == 0)
        return;
    fprintf(out, "  %-20.20s %8zu %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f\n", name, q->count, q->mean,
            q->p50, q->p90, q->p95, q->p99, q->max);
}

static void print_times(FILE *out, const struct report *r, const struct samples *samples)
{
    fprintf(out, "\n%-22s %8s %9s %9s %9s %9s %9s %9s\n", "milliseconds", "count", "mean", "p50",
            "p90", "p95", "p99", "max");
    print_quantiles(out, "end to end", &r->latency_ms);
    print_quantiles(out, "sent after due", &r->late_ms);
    for (int i = 0; i < samples->stages.count; i++)
        print_quantiles(out, samples->stages.name[i], &r->stage_ms[i]);
    print_quantiles(out, "prediction off by", &r->prediction_error_ms);
    if (r->prediction_error_ms.count)
        fprintf(out, "  it took %.1f ms %s than predicted, in the mean\n",
                r->prediction_bias_ms < 0 ? -r->prediction_bias_ms : r->prediction_bias_ms,
                r->prediction_bias_ms < 0 ? "less" : "more");
}

static void print_kinds(FILE *out, const struct report *r, const struct mix *mix)
{
    fprintf(out, "\n%-22s %8s %9s %9s %9s %9s %9s %9s\n", "kind", "requests", "answered",
            "deadline", "in time", "p50", "p95", "p99");
    for (int i = 0; i < mix->count; i++) {
        const struct report_kind *k = &r->kind[i];
        char deadline[32] = "none";

        if (mix->kind[i].deadline_ms)
            snprintf(deadline, sizeof(deadline), "%" PRId64 " ms", mix->kind[i].deadline_ms);
        if (k->requests)
            fprintf(out, "  %-20.20s %8zu %9zu %9s %8.2f%% %9.1f %9.1f %9.1f\n", mix->kind[i].name,
                    k->requests, k->ok, deadline, 100 * (double)k->attained / (double)k->requests,
                    k->latency_ms.p50, k->latency_ms.p95, k->latency_ms.p99);
    }
}

static void print_misses(FILE *out, const struct report *r, const struct samples *samples)
{
    if (r->miss_count || r->ok > r->attained)
        fprintf(out, "\nmisses\n");
    if (r->ok > r->attained)
        fprintf(out, "  %8zu answered after the deadline\n", r->ok - r->attained);
    for (int i = 0; i < r->miss_count; i++) {
        const struct report_miss *m = &r->miss[i];

        fprintf(out, "  %8zu %s", m->count, sample_fate_name(m->fate));
        if (m->http)
            fprintf(out, " %d", m->http);
        fprintf(out, "%s%s\n", m->code >= 0 ? ": " : "",
                m->code >= 0 ? samples->codes.name[m->code] : "");
    }
    if (r->miss_other)
        fprintf(out, "  %8zu in other ways\n", r->miss_other);
}

void report_print(FILE *out, const struct report *r, const struct samples *samples,
                  const struct mix *mix, const struct report_about *about)
{
    if (about->ended_early)
        fprintf(out, "ENDED EARLY: %zu requests were under way and are left out\n", r->unfinished);
    fprintf(out, "%s, %s", about->url, about->arrivals);
    if (about->rate > 0)
        fprintf(out, " at %g requests/s", about->rate);
    fprintf(out, ", seed %" PRIu64 ", %zu requests in %.1f s", about->seed, r->requests, r->span_s);
    if (r->warmup)
        fprintf(out, " (%zu before to warm up)", r->warmup);
    fprintf(out, "\n\n  offered     %8.3f requests/s\n", r->offered);
    fprintf(out, "  throughput  %8.3f requests/s, %.3f pictures/s\n", r->throughput,
            r->pictures_per_s);
    fprintf(out, "  goodput     %8.3f requests/s in time\n", r->goodput);
    fprintf(out, "  in time     %8.2f %% (%zu of %zu; %zu answered)\n", 100 * r->attainment,
            r->attained, r->requests, r->ok);
    if (r->late || r->unsent)
        fprintf(out,
                "  sent late   %8zu by more than %g ms, %zu never: all connections were taken\n",
                r->late, REPORT_LATE_MS, r->unsent);
    print_times(out, r, samples);
    print_kinds(out, r, mix);
    print_misses(out, r, samples);
}
