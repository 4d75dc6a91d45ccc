/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/judge_room.h"

#include "base/log.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

int room_open(void **state, const char *members)
{
    struct room *r = calloc(1, sizeof(*r));

    if (!r || job_pool_open(&r->pool, 4 * JUDGE_BATCH_MAX))
        return 1;
    verdicts_open(&r->v, members);
    *state = r;
    return 0;
}

int room_open_classes(void **state)
{
    return room_open(state, VERDICTS_CLASSES VERDICTS_NO_AUDIT);
}

int room_be_quiet(void **state)
{
    (void)state;
    log_set_level(LOG_OFF);
    return 0;
}

void room_put(struct room *r)
{
    for (int i = 0; i < r->count; i++)
        job_put(r->pool, r->jobs[i]);
    r->count = 0;
}

int room_close(void **state)
{
    struct room *r = *state;

    room_put(r);
    job_pool_close(&r->pool);
    verdicts_close(&r->v);
    free(r);
    return 0;
}

struct job *room_add(struct room *r, uint8_t first)
{
    static const char prompt[] = "a drawing of a heart";
    struct job *job;

    assert_int_equal(job_take(r->pool, &job, 1), ST_OK);
    assert_int_equal(job_set_texts(job, prompt, strlen(prompt), "blue", 4, NULL), ST_OK);
    assert_int_equal(image_open(&job->image, ROOM_SIDE, ROOM_SIDE), ST_OK);
    for (size_t i = 0; i < image_bytes(&job->image); i++)
        job->image.rgb[i] = (uint8_t)((i + first) * 37 + i * i);
    job->image.rgb[0] = first;
    snprintf(job->id, sizeof(job->id), "picture-%d", r->count);
    snprintf(job->owner.tenant, sizeof(job->owner.tenant), "clinic");
    snprintf(job->owner.user, sizeof(job->owner.user), "ward 7");
    snprintf(job->owner.request, sizeof(job->owner.request), "req_1");
    job->owner.index = r->count;
    job->picture.seed = 40 + (uint64_t)r->count;
    r->jobs[r->count++] = job;
    return job;
}

void room_judge(struct room *r)
{
    judge_pictures(r->v.judge, r->jobs, r->count);
}

struct store_decision room_row(struct room *r, const struct job *job)
{
    struct store_decision d;
    struct why why = {""};

    if (r->v.real->ops->decision_find(r->v.real, job->decision, &d, &why))
        fail_msg("%s of %s: %s", job->decision, job->id, why.text);
    return d;
}

int room_rows(struct room *r)
{
    static struct store_decision room[64];
    int count = COUNT_OF(room);

    assert_int_equal(r->v.real->ops->decision_list(r->v.real, NULL, 0, 0, room, &count, NULL),
                     ST_OK);
    return count;
}

struct judge_stats room_stats(struct room *r)
{
    struct judge_stats stats;

    judge_get_stats(r->v.judge, &stats);
    return stats;
}
