/* SPDX-License-Identifier: Apache-2.0 */
#include "server/timing.h"

#include "engine/stages.h"
#include "server/answer.h"

#include <assert.h>
#include <stdio.h>

static_assert(STAGE_COUNT <= TIMING_STAGES_MAX, "a place for every stage");

static void add_job(struct timing *t, const struct job *job)
{
    int64_t us[STAGE_COUNT];

    stages_of(us, &job->times);
    for (int i = 0; i < STAGE_COUNT; i++)
        t->us[i] = us[i] > t->us[i] ? us[i] : t->us[i];
    t->batch_most = job->batch_most > t->batch_most ? job->batch_most : t->batch_most;
    if (t->logged_us < job->times.logged_us)
        t->logged_us = job->times.logged_us;
}

void timing_of(struct timing *out, struct job *const *jobs, int count)
{
    bool all = true;

    *out = (struct timing){.told = true, .slot = jobs[0]->slot};
    for (int i = 0; i < STAGE_COUNT; i++)
        out->us[i] = -1;
    for (int i = 0; i < count; i++) {
        add_job(out, jobs[i]);
        all = all && jobs[i]->status == ST_OK;
    }
    if (!all)
        out->logged_us = 0;
    if (jobs[0]->promised_us)
        out->predicted_us = jobs[0]->promised_us - jobs[0]->times.received_us;
}

void timing_write(struct answer *a)
{
    const struct timing *t = &a->timing;
    char text[48 * STAGE_COUNT];
    size_t used = 0;

    for (int i = 0; i < STAGE_COUNT; i++) {
        if (t->us[i] >= 0)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s;dur=%.1f",
                                     used ? ", " : "", stage_name((enum stage)i),
                                     (double)t->us[i] / 1000);
    }
    if (used)
        answer_header(a, "server-timing", "%s", text);
    if (t->predicted_us > 0)
        answer_header(a, "x-limner-predicted-ms", "%lld", (long long)(t->predicted_us / 1000));
    if (t->batch_most)
        answer_header(a, "x-limner-batch", "%d", t->batch_most);
}
