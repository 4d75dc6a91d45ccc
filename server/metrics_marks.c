/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_marks.h"

#include "engine/marking.h"
#include "server/exposition.h"

#include <inttypes.h>

static void write_one(FILE *page, const char *name, const char *help, uint64_t value)
{
    exposition_head(page, name, "counter", help);
    fprintf(page, "%s %" PRIu64 "\n", name, value);
}

void metrics_write_marks(FILE *page, const struct marker *marker)
{
    struct marking_stats s;

    exposition_head(page, "limner_marks_on", "gauge", "1: every picture is marked and logged.");
    fprintf(page, "limner_marks_on %d\n", marker != NULL);
    if (!marker)
        return;
    marking_get_stats(marker, &s);
    write_one(page, "limner_marks_total", "Pictures that were marked, previews among them.",
              s.marked);
    write_one(page, "limner_marks_again_total",
              "Pictures whose mark was not read back and that were marked again, stronger.",
              s.marked_again);
    write_one(page, "limner_marks_weak_total", "Pictures whose mark could not be read back.",
              s.weak);
    write_one(page, "limner_marks_failed_total",
              "Pictures that could not be marked, signed or logged, and were not sent.", s.failed);
    write_one(page, "limner_log_records_total",
              "Pictures whose record is in the log. With limner_marks_total it tells what was "
              "marked and not sent.",
              s.logged);
}
