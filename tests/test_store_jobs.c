/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in the store: what was promised is found again, ends once, and is forgotten in time.
 */
#include "store/store.h"
#include "tests/fault.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char body[] = "{\"prompt\":\"a red fox\"}";

static char folder[128];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/limner-store.XXXXXX", P_tmpdir);
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    (void)state;
    program_remove(folder);
    return 0;
}

static struct store *open_store(void)
{
    struct store *s;
    struct why why = {""};

    if (store_open(&s, folder, &why))
        fail_msg("%s", why.text);
    return s;
}

static struct store_job job_of(int number)
{
    struct store_job job = {.tenant = "shop",
                            .model = "tiny",
                            .width = 64,
                            .height = 96,
                            .steps = 4,
                            .images = 2,
                            .seed = (INT64_C(1) << 53) - 2,
                            .format = 1,
                            .raw = true,
                            .created_s = 1700000000 + number,
                            .deadline_ms = 1700000009123,
                            .starts = 1};

    snprintf(job.id, sizeof(job.id), "job_%d", number);
    memset(job.hash, 0xab, sizeof(job.hash));
    return job;
}

static struct store_job add(struct store *s, int number, const char *key)
{
    struct store_job job = job_of(number);
    struct why why = {""};

    snprintf(job.key, sizeof(job.key), "%s", key);
    if (s->ops->job_add(s, &job, body, sizeof(body) - 1, &why))
        fail_msg("%s", why.text);
    return job;
}

/* A picture that begins with its number. */
static struct store_picture picture_of(int k, size_t bytes)
{
    struct store_picture p = {.seed = 7 + k, .data = {calloc(1, bytes), bytes}};

    assert_non_null(p.data.data);
    memset(p.sha256, 'a' + k, 64);
    *(char *)p.data.data = (char)k;
    return p;
}

static enum status complete(struct store *s, const struct store_job *job, int64_t finished_s,
                            size_t bytes)
{
    struct store_picture pictures[2] = {picture_of(0, bytes), picture_of(1, bytes)};
    struct store_job over = *job;
    struct why why = {""};
    enum status st;

    over.state = STORE_JOB_COMPLETED;
    over.finished_s = finished_s;
    over.cut = 77;
    over.event = 1000012;
    st = s->ops->job_end(s, &over, pictures, 2, &why);
    free(pictures[0].data.data);
    free(pictures[1].data.data);
    return st;
}

static enum status find(struct store *s, const char *id, struct store_job *out)
{
    struct why why = {""};

    return s->ops->job_find(s, id, out, &why);
}

static void what_was_promised_is_found_again(void **state)
{
    struct store *s = open_store();
    struct store_job first = add(s, 1, "order-1"), second = add(s, 2, ""), out;
    struct store_bytes sent;
    struct why why = {""};

    (void)state;
    store_close(&s);
    s = open_store();
    assert_int_equal(s->ops->job_next(s, 0, &out, &sent, &why), ST_OK);
    assert_memory_equal(&out, &first, sizeof(out));
    assert_int_equal(sent.count, sizeof(body) - 1);
    assert_memory_equal(sent.data, body, sent.count);
    free(sent.data);
    assert_int_equal(s->ops->job_next(s, out.seq, &out, &sent, &why), ST_OK);
    assert_memory_equal(&out, &second, sizeof(out));
    free(sent.data);
    assert_int_equal(s->ops->job_next(s, out.seq, &out, &sent, &why), ST_MISSING);

    second.starts = 2;
    second.falls = 1;
    assert_int_equal(s->ops->job_start(s, &second, &why), ST_OK);
    assert_int_equal(find(s, "job_2", &out), ST_OK);
    assert_int_equal(out.starts, 2);
    assert_int_equal(out.falls, 1);
    assert_int_equal(find(s, "job_3", &out), ST_MISSING);
    store_close(&s);
}

static void a_job_ends_once(void **state)
{
    struct store *s = open_store();
    struct store_job job = add(s, 1, ""), out;
    struct store_picture picture;
    struct store_bytes sent;
    struct why why = {""};

    (void)state;
    assert_int_equal(s->ops->job_picture(s, &job, 0, &picture, &why), ST_MISSING);
    assert_int_equal(complete(s, &job, 1700000100, 5000), ST_OK);
    assert_int_equal(complete(s, &job, 1700000200, 6000), ST_MISSING);
    store_close(&s);
    s = open_store();
    assert_int_equal(find(s, "job_1", &out), ST_OK);
    assert_int_equal(out.state, STORE_JOB_COMPLETED);
    assert_int_equal(out.finished_s, 1700000100);
    assert_int_equal(out.cut, 77);
    assert_int_equal(out.event, 1000012);
    assert_int_equal(s->ops->job_next(s, 0, &out, &sent, &why), ST_MISSING);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(s->ops->job_picture(s, &job, k, &picture, &why), ST_OK);
        assert_int_equal(picture.seed, 7 + k);
        assert_int_equal(picture.data.count, 5000);
        assert_int_equal(*(char *)picture.data.data, k);
        assert_int_equal(picture.sha256[0], 'a' + k);
        assert_int_equal(strlen(picture.sha256), 64);
        free(picture.data.data);
    }
    assert_int_equal(s->ops->job_picture(s, &job, 2, &picture, &why), ST_MISSING);
    store_close(&s);
}

static void a_job_that_failed_says_why(void **state)
{
    struct store *s = open_store();
    struct store_job job = add(s, 1, ""), out;
    struct why why = {""};

    (void)state;
    job.state = STORE_JOB_FAILED;
    job.status = ST_LATE;
    job.finished_s = 1700000050;
    snprintf(job.code, sizeof(job.code), "deadline_exceeded");
    snprintf(job.message, sizeof(job.message), "the deadline \"passed\"");
    assert_int_equal(s->ops->job_end(s, &job, NULL, 0, &why), ST_OK);
    assert_int_equal(find(s, "job_1", &out), ST_OK);
    assert_memory_equal(&out, &job, sizeof(out));
    store_close(&s);
}

static void a_key_names_one_job_of_a_tenant(void **state)
{
    struct store *s = open_store();
    struct store_job other = job_of(3), out;
    struct why why = {""};

    (void)state;
    add(s, 1, "a key");
    add(s, 2, "");
    add(s, 4, "");
    snprintf(other.key, sizeof(other.key), "a key");
    assert_int_equal(s->ops->job_add(s, &other, body, 0, &why), ST_INVALID);
    snprintf(other.tenant, sizeof(other.tenant), "bakery");
    assert_int_equal(s->ops->job_find_key(s, "bakery", "a key", &out, &why), ST_MISSING);
    assert_int_equal(s->ops->job_add(s, &other, body, 0, &why), ST_OK);
    assert_int_equal(s->ops->job_find_key(s, "bakery", "a key", &out, &why), ST_OK);
    assert_string_equal(out.id, "job_3");
    assert_int_equal(s->ops->job_find_key(s, "shop", "a key", &out, &why), ST_OK);
    assert_string_equal(out.id, "job_1");
    assert_int_equal(s->ops->job_find_key(s, "shop", "A KEY", &out, &why), ST_MISSING);
    store_close(&s);
}

/* Goal: neither time nor the number of requests makes the file grow for ever. */
static void what_is_over_is_forgotten_in_time(void **state)
{
    struct store *s = open_store();
    struct store_job job[4], out;
    struct store_picture picture;
    struct store_keep keep = {.seconds = 100, .bytes = 1 << 20};
    struct why why = {""};

    (void)state;
    for (int i = 0; i < 4; i++)
        job[i] = add(s, i, i ? "" : "key");
    for (int i = 0; i < 3; i++)
        assert_int_equal(complete(s, &job[i], 1000 + i, 10000), ST_OK);
    assert_int_equal(s->ops->job_sweep(s, 1100, keep, &why), ST_OK);
    assert_int_equal(find(s, "job_0", &out), ST_MISSING);
    assert_int_equal(s->ops->job_find_key(s, "shop", "key", &out, &why), ST_MISSING);
    assert_int_equal(s->ops->job_picture(s, &job[0], 0, &picture, &why), ST_MISSING);
    assert_int_equal(find(s, "job_1", &out), ST_OK);

    keep.bytes = 40000; /* room for one of the two */
    assert_int_equal(s->ops->job_sweep(s, 1100, keep, &why), ST_OK);
    assert_int_equal(find(s, "job_1", &out), ST_MISSING);
    assert_int_equal(find(s, "job_2", &out), ST_OK);
    keep.bytes = 1; /* the newest stays */
    assert_int_equal(s->ops->job_sweep(s, 1100, keep, &why), ST_OK);
    assert_int_equal(find(s, "job_2", &out), ST_OK);
    assert_int_equal(find(s, "job_3", &out), ST_OK); /* and what is to be finished, always */
    assert_int_equal(s->ops->job_sweep(s, INT64_C(1) << 40, keep, &why), ST_OK);
    assert_int_equal(find(s, "job_2", &out), ST_MISSING);
    assert_int_equal(find(s, "job_3", &out), ST_OK);
    store_close(&s);
}

/* Goal: what job_add said yes to is there after the process was killed at any moment. */
static void a_killed_process_loses_nothing_it_promised(void **state)
{
    int told[2], count = 0;
    struct store *s;
    char byte;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(told), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        s = open_store();
        for (int i = 0;; i++) {
            struct store_job job = add(s, i, "");

            if (i % 2 && complete(s, &job, 1700000000, 300))
                _exit(1);
            if (write(told[1], "x", 1) != 1)
                _exit(1);
        }
    }
    close(told[1]);
    while (count < 30 && read(told[0], &byte, 1) == 1)
        count++;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(told[0], &byte, 1) == 1)
        count++;
    close(told[0]);
    assert_true(count >= 30);
    s = open_store();
    for (int i = 0; i < count; i++) {
        struct store_job out;
        char id[32];

        snprintf(id, sizeof(id), "job_%d", i);
        assert_int_equal(find(s, id, &out), ST_OK);
        assert_int_equal(out.state, i % 2 ? STORE_JOB_COMPLETED : STORE_JOB_OPEN);
    }
    store_close(&s);
}

static enum status live_once(struct store *s, int number)
{
    struct store_job job = job_of(number), out;
    struct store_picture picture;
    struct store_bytes sent;
    struct why why = {""};
    enum status st = s->ops->job_add(s, &job, body, sizeof(body) - 1, &why);

    if (!st)
        st = s->ops->job_next(s, job.seq - 1, &out, &sent, &why);
    if (st)
        return st;
    free(sent.data);
    st = complete(s, &job, 1700000000, 100);
    if (!st)
        st = s->ops->job_find(s, job.id, &out, &why);
    if (!st)
        st = s->ops->job_picture(s, &out, 1, &picture, &why);
    if (st)
        return st;
    free(picture.data.data);
    return s->ops->job_sweep(s, 1700000001, (struct store_keep){1, 1 << 20}, &why);
}

static void a_job_survives_every_failed_allocation(void **state)
{
    struct store *s = open_store();

    (void)state;
    for (int nth = 1;; nth++) {
        struct why why = {""};
        struct store_job out;
        enum status st;

        fault_arm(nth);
        st = s->ops->job_find(s, "job_0", &out, &why);
        fault_disarm();
        if (!fault_fired())
            break;
        assert_true(st == ST_FULL || st == ST_MISSING);
    }
    for (int nth = 1;; nth++) {
        struct store_job job = job_of(nth);
        struct why why = {""};
        enum status st;

        fault_arm(nth);
        st = s->ops->job_add(s, &job, body, sizeof(body) - 1, &why);
        fault_disarm();
        if (!fault_fired())
            break;
        assert_true(st == ST_OK || st == ST_FULL);
    }
    assert_int_equal(live_once(s, 100000), ST_OK);
    store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_promised_is_found_again, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_job_ends_once, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_job_that_failed_says_why, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_key_names_one_job_of_a_tenant, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(what_is_over_is_forgotten_in_time, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_killed_process_loses_nothing_it_promised, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(a_job_survives_every_failed_allocation, open_folder,
                                        close_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
