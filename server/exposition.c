/* SPDX-License-Identifier: Apache-2.0 */
#include "server/exposition.h"

#include <string.h>

void exposition_head(FILE *page, const char *name, const char *type, const char *help)
{
    fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_label(char out[EXPOSITION_LABEL_MAX], const char *value)
{
    size_t used = 0;

    for (; *value && used + 3 < EXPOSITION_LABEL_MAX; value++) {
        if (strchr("\\\"\n", *value))
            out[used++] = '\\';
        out[used++] = *value == '\n' ? 'n' : *value;
    }
    out[used] = '\0';
}

void exposition_histogram(FILE *page, const char *name, const char *labels,
                          const struct exposition_bounds *bounds, const struct histogram *h)
{
    const char *comma = labels[0] ? "," : "", *open = labels[0] ? "{" : "";
    const char *close = labels[0] ? "}" : "";
    uint64_t below = 0, from = 0;

    for (int i = 0; i < bounds->count; i++) {
        below += histogram_between(h, from, bounds->of[i]);
        from = bounds->of[i];
        fprintf(page, "%s_bucket{%s%sle=\"%.10g\"} %llu\n", name, labels, comma,
                (double)from * bounds->unit, (unsigned long long)below);
    }
    fprintf(page, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
            (unsigned long long)h->count);
    fprintf(page, "%s_sum%s%s%s %.10g\n", name, open, labels, close, (double)h->sum * bounds->unit);
    fprintf(page, "%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)h->count);
}
