/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/job.h"

#include "base/crypto.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct job_pool {
    pthread_mutex_t lock;
    struct job *free; /* a list through job->next */
    size_t free_count, jobs_max;
    struct job *jobs;
};

enum status job_pool_open(struct job_pool **out, size_t jobs_max)
{
    struct job_pool *pool = calloc(1, sizeof(*pool));

    *out = NULL;
    if (!pool)
        return ST_FULL;
    /* A job is a quarter of a megabyte of room for texts; calloc leaves untouched pages unmapped.
     */
    pool->jobs = calloc(jobs_max, sizeof(*pool->jobs));
    if (!pool->jobs) {
        free(pool);
        return ST_FULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pool->jobs_max = jobs_max;
    for (size_t i = 0; i < jobs_max; i++) {
        pool->jobs[i].next = pool->free;
        pool->free = &pool->jobs[i];
    }
    pool->free_count = jobs_max;
    *out = pool;
    return ST_OK;
}

void job_pool_close(struct job_pool **pool)
{
    if (!*pool)
        return;
    assert((*pool)->free_count == (*pool)->jobs_max);
    pthread_mutex_destroy(&(*pool)->lock);
    free((*pool)->jobs);
    free(*pool);
    *pool = NULL;
}

/* The texts are left as they are: job_set_texts writes both ends of them. */
static void job_clean(struct job *job)
{
    job->id[0] = '\0';
    job->model = job->slot = job->judged_as = 0;
    job->picture = (struct picture){.prompt = job->prompt, .negative = job->negative};
    job->prompt[0] = job->negative[0] = '\0';
    job->format = FORMAT_PNG;
    job->quality = 100;
    job->owner = (struct job_owner){.index = 0};
    job->done = NULL;
    job->ticket = NULL;
    atomic_store(&job->cancelled, false);
    atomic_store(&job->state, JOB_RECEIVED);
    atomic_store(&job->step, 0);
    job->status = ST_OK;
    job->why.text[0] = '\0';
    job->prompt_cut = false;
    job->image = (struct image){0};
    job->body = (struct bytes){0};
    job->pixels_sha256[0] = '\0';
    job->judged = false;
    job->verdict = (struct verdict){.action = BAND_ALLOW, .category = -1};
    job->decision[0] = '\0';
    job->times = (struct job_times){0};
    job->promised_us = 0;
    job->batch_most = 0;
    atomic_store(&job->previews, 0);
    job->previewed = NULL;
    job->preview.image = (struct image){0};
    job->preview.made = 0;
    atomic_store(&job->preview.away, false);
    job->next = NULL;
}

enum status job_take(struct job_pool *pool, struct job **jobs, size_t count)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->free_count < count) {
        pthread_mutex_unlock(&pool->lock);
        return ST_FULL;
    }
    for (size_t i = 0; i < count; i++) {
        jobs[i] = pool->free;
        pool->free = pool->free->next;
    }
    pool->free_count -= count;
    pthread_mutex_unlock(&pool->lock);

    for (size_t i = 0; i < count; i++)
        job_clean(jobs[i]);
    return ST_OK;
}

void job_put(struct job_pool *pool, struct job *job)
{
    image_close(&job->image);
    bytes_close(&job->body);
    pthread_mutex_lock(&pool->lock);
    job->next = pool->free;
    pool->free = job;
    pool->free_count++;
    pthread_mutex_unlock(&pool->lock);
}

enum status job_set_texts(struct job *job, const char *prompt, size_t prompt_bytes,
                          const char *negative, size_t negative_bytes, struct why *why)
{
    if (prompt_bytes > JOB_PROMPT_BYTES_MAX || negative_bytes > JOB_PROMPT_BYTES_MAX)
        return why_fail(why, ST_INVALID, "a prompt may have at most %d bytes",
                        JOB_PROMPT_BYTES_MAX);
    memcpy(job->prompt, prompt, prompt_bytes);
    job->prompt[prompt_bytes] = '\0';
    memcpy(job->negative, negative, negative_bytes);
    job->negative[negative_bytes] = '\0';
    return ST_OK;
}

void job_hash_pixels(struct job *job)
{
    uint8_t hash[32];

    crypto_sha256(hash, job->image.rgb, image_bytes(&job->image));
    crypto_hex(job->pixels_sha256, hash, sizeof(hash));
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[] = {"received",  "queued", "seated",
                                        "finishing", "done",   "failed"};

    return names[state];
}
