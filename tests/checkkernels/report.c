/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: failures with the command that repeats them, verdicts, times. */
#include "tests/checkkernels/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[KINDS] = {"normal", "tails", "equal",
                                              "offset", "zeros", "denormal"};

static size_t say(char *text, size_t bytes, size_t used, const char *format, ...) PRINTF_LIKE(4, 5);

static size_t say(char *text, size_t bytes, size_t used, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (used < bytes)
        used += (size_t)vsnprintf(text + used, bytes - used, format, args);
    va_end(args);
    return used;
}

/* "x 2x1x7x40/64 bf16, y 2x1x7x5 over x, normal" */
void report_case(const struct check *c, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = 0;
    for (int i = 0; i < c->twin_count; i++) {
        const struct twin *twin = &c->twins[i];
        const struct tensor *t = &twin->whole;
        if (!t->data)
            continue;
        used = say(text, bytes, used, "%s %lldx%lldx%lldx%lld", twin->name, (long long)t->dim[0],
                   (long long)t->dim[1], (long long)t->dim[2], (long long)t->dim[3]);
        if (!tensor_is_dense(*t))
            used = say(text, bytes, used, "/%lld", (long long)t->stride);
        if (t->dtype != DTYPE_F32)
            used = say(text, bytes, used, " %s", dtype_name(t->dtype));
        if (twin->over)
            used = say(text, bytes, used, " over %s", twin->over->name);
        used = say(text, bytes, used, ", ");
    }
    if (c->weight_w)
        used = say(text, bytes, used, "stride %d, pad %d %d %d %d, ", c->weights[RUNGS_MAX].stride,
                   c->weights[RUNGS_MAX].pad[0], c->weights[RUNGS_MAX].pad[1],
                   c->weights[RUNGS_MAX].pad[2], c->weights[RUNGS_MAX].pad[3]);
    say(text, bytes, used, "%s%s%s", kind_names[c->kind], c->note[0] ? ", " : "", c->note);
}

/* Repeats case `index` of rung r, alone. */
void report_again(const struct check *c, int r, int index)
{
    const struct options *o = c->options;
    const struct rung *rung = &c->rungs[r];

    printf("      again: checkkernels --op=%s --caps=%s", c->slot->name, rung->caps);
    if (o->accelerator == ACCELERATOR_CUDA)
        printf(" --device=cuda:%d --type=%s", o->gpu, dtype_name(c->dtype));
    else
        printf(" --precision=%s", rung->precision == PRECISION_MIXED ? "mixed" : "f32");
    if (o->repeat > 1) /* where the listed shapes begin */
        printf(" --repeat=%d", o->repeat);
    printf(" --seed=%llu --case=%d%s\n", (unsigned long long)o->seed, index,
           o->full ? " --full" : "");
}

void report_failure(struct check *c, const char *format, ...)
{
    int r = c->step == STEP_JUDGE ? 0 : c->rung;
    const struct rung *rung = &c->rungs[r];
    struct verdict *v = &c->shared->verdicts[r];
    va_list args;

    v->judged = true;
    if (v->failures++ >= FAILURES_SHOWN)
        return;
    printf("FAIL  %s, %s: ", c->slot->name, c->step == STEP_JUDGE ? "the judge" : rung->name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n      %s\n", c->shared->what);
    report_again(c, r, c->index);
    fflush(stdout);
}

void report_verdicts(const struct check *c)
{
    for (int r = 0; r < c->rung_count; r++) {
        const struct verdict *v = &c->shared->verdicts[r];
        const char *row = close_row(c, r);
        if (!v->judged)
            continue;
        printf("%-5s %-14s %-34s %-8s %4d cases", v->failures || v->crashed ? "FAIL" : "ok",
               c->slot->name, c->rungs[r].name, row, v->cases);
        if (v->failures)
            printf(", %d failed", v->failures);
        if (close_reduces(c, r))
            printf("  nmse %.1e  worst %.1e\n", v->gap.nmse, v->gap.worst);
        else
            printf("  ulp %.3g\n", v->gap.ulp);
        if (c->tsv)
            fprintf(c->tsv, "check\t%s\t%s\t%s\t%d cases\t%d\t%.2e\t%.2e\t%.3g\t\t\t\t\t\t\n",
                    c->slot->name, c->rungs[r].name, row, v->cases, v->failures, v->gap.nmse,
                    v->gap.worst, v->gap.ulp);
    }
    fflush(stdout);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Bytes that must move at least once: every input read, every output written. */
static double bytes_moved(const struct check *c)
{
    double bytes = 0;

    for (int i = 0; i < c->twin_count; i++)
        if (c->twins[i].whole.data)
            bytes += (double)tensor_bytes(c->twins[i].whole);
    return bytes;
}

/* Rates and ratios are of the least time: whatever else the machine does can only add to it. */
void report_times(struct check *c)
{
    double below = 0, bytes = bytes_moved(c) * 1e-9, flops = c->flops * 1e-9;

    printf("%s: %s\n", c->slot->name, c->shared->what);
    for (int r = 0; r < c->rung_count; r++) {
        int n = c->timed[r];
        double *s = c->seconds[r], ratio;
        if (!n)
            continue;
        qsort(s, (size_t)n, sizeof(*s), by_size);
        ratio = below > 0 ? below / s[0] : 1;
        below = s[0];
        printf("  %-38s %10.1f us (median %.1f, highest %.1f of %d) %8.2f GB/s %9.2f GFLOP/s"
               " %7.2fx\n",
               c->rungs[r].name, s[0] * 1e6, s[n / 2] * 1e6, s[n - 1] * 1e6, n, bytes / s[0],
               flops / s[0], ratio);
        if (c->tsv)
            fprintf(c->tsv, "time\t%s\t%s\t%s\t%s\t\t\t\t\t%.2f\t%.2f\t%.2f\t%.3f\t%.3f\t%.3f\n",
                    c->slot->name, c->rungs[r].name, close_row(c, r), c->shared->what, s[0] * 1e6,
                    s[n / 2] * 1e6, s[n - 1] * 1e6, bytes / s[0], flops / s[0], ratio);
    }
    fflush(stdout);
}
