/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/job_client.h"

#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define WAL_WRITE_LOCK_AT 120 /* in the file beside the store, as SQLite has it */

void job_ask(const struct program *server, const char *method, const char *path, int status,
             struct reply *r)
{
    client_ask(server->port, method, path, "", NULL, r);
    if (r->status != status)
        fail_msg("%s %s: %d, not %d: %s", method, path, r->status, status, r->body);
}

const char *job_text(const struct json *o, const char *name)
{
    return json_as_string(json_get(o, name));
}

void job_expect_error(struct reply *r, int status, const char *code, bool retry)
{
    struct json *root = reply_json(r);
    char value[16];

    assert_int_equal(r->status, status);
    assert_string_equal(job_text(json_get(root, "error"), "code"), code);
    assert_true(reply_header(r, "x-should-retry", value, sizeof(value)));
    assert_string_equal(value, retry ? "true" : "false");
    assert_true(reply_header(r, "retry-after", value, sizeof(value)) == retry);
    json_close(&root);
    reply_close(r);
}

/* Ask for a job; its path comes back. */
void job_promise(const struct program *server, const char *headers, const char *body, char path[64])
{
    struct json *root;
    struct reply r;
    char all[512], value[64];

    snprintf(all, sizeof(all), JOB_ASYNC "%s", headers);
    client_generate(server->port, all, body, &r);
    if (r.status != 202)
        fail_msg("%d: %s", r.status, r.body);
    assert_true(reply_header(&r, "location", path, 64));
    assert_true(reply_header(&r, "preference-applied", value, sizeof(value)));
    assert_string_equal(value, "respond-async");
    root = reply_json(&r);
    assert_int_equal(strncmp(path, "/v1/jobs/job_", 13), 0);
    assert_string_equal(job_text(root, "id"), path + 9);
    assert_string_equal(job_text(root, "object"), "image.generation.job");
    json_close(&root);
    reply_close(&r);
}

/* Wait until the job is over; the object is the caller's. */
struct json *job_outcome(const struct program *server, const char *path)
{
    for (int waited = 0; waited < 240000; waited += 20) {
        struct json *root;
        struct reply r;
        const char *status;

        job_ask(server, "GET", path, 200, &r);
        root = reply_json(&r);
        reply_close(&r);
        status = job_text(root, "status");
        if (!strcmp(status, "completed") || !strcmp(status, "failed"))
            return root;
        json_close(&root);
        program_sleep_ms(20);
    }
    fail_msg("%s does not end", path);
    return NULL;
}

void job_expect_completed(const struct program *server, const char *path)
{
    struct json *root = job_outcome(server, path);

    if (strcmp(job_text(root, "status"), "completed") != 0)
        fail_msg("%s: %s", path, job_text(json_get(root, "error"), "message"));
    assert_int_equal(json_as_int(json_get(root, "progress")), 100);
    json_close(&root);
}

void job_wait_for_metric(const struct program *server, const char *name, double value)
{
    for (int waited = 0; waited < 30000; waited += 10) {
        if (client_metric(server->metrics_port, name) == value)
            return;
        program_sleep_ms(10);
    }
    fail_msg("%s is not %g", name, value);
}

int job_lock_store(const char *folder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_start = WAL_WRITE_LOCK_AT, .l_len = 1};
    char beside[256];
    int fd;

    snprintf(beside, sizeof(beside), "%s/limner.db-shm", folder);
    fd = open(beside, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    while (fcntl(fd, F_SETLK, &lock))
        program_sleep_ms(1);
    return fd;
}
