/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions in the store: what was stopped is kept, let go once with all that follows of it, and
 * erased in time.
 */
#include "tests/fault.h"
#include "tests/program.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- decisions ---- */

static void a_decision_is_found_as_it_was_made(void **state)
{
    struct store *s = rows_store();
    struct store_decision d = rows_decision(1, STORE_BLOCKED), out;
    struct store_record record = {.decisions = &d, .decision_count = 1};
    struct why why = {""};

    (void)state;
    rows_good(s->ops->decision_add(s, &record, &why), &why);
    store_close(&s);
    s = rows_store();
    rows_good(s->ops->decision_find(s, "dec_1", &out, &why), &why);
    assert_memory_equal(&out, &d, sizeof(d));
    assert_int_equal(s->ops->decision_find(s, "dec_2", &out, &why), ST_MISSING);
    store_close(&s);
}

/* Goal: a record is all there or not at all. Method: its item names a decision that is not there.
 */
static void a_record_that_is_half_wrong_leaves_nothing(void **state)
{
    struct store *s = rows_store();
    struct store_decision d = rows_decision(1, STORE_HELD), out;
    struct store_item item = rows_item(1, 2, STORE_ITEM_HOLD);
    struct store_record record = {
        .decisions = &d, .decision_count = 1, .items = &item, .item_count = 1};
    struct why why = {""};

    (void)state;
    assert_int_equal(s->ops->decision_add(s, &record, &why), ST_INVALID);
    assert_int_equal(s->ops->decision_find(s, "dec_1", &out, &why), ST_MISSING);
    store_close(&s);
}

static void lists_are_of_one_tenant_and_newest_first(void **state)
{
    struct store *s = rows_store();
    struct store_decision out[8], other = rows_decision(9, STORE_BLOCKED);
    struct store_record record = {.decisions = &other, .decision_count = 1};
    struct why why = {""};
    int count = 8;

    (void)state;
    for (int i = 0; i < 6; i++)
        rows_add(s, i, i % 2 ? STORE_BLOCKED : STORE_ALLOWED, -1);
    snprintf(other.tenant, sizeof(other.tenant), "other");
    rows_good(s->ops->decision_add(s, &record, &why), &why);

    rows_good(s->ops->decision_list(s, "clinic", 1 << STORE_BLOCKED, 0, out, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_string_equal(out[0].id, "dec_5");
    assert_string_equal(out[2].id, "dec_1");
    count = 1;
    rows_good(s->ops->decision_list(s, "clinic", 1 << STORE_BLOCKED, out[0].seq, out, &count, &why),
              &why);
    assert_int_equal(count, 1);
    assert_string_equal(out[0].id, "dec_3");
    count = 8;
    rows_good(s->ops->decision_list(s, "clinic", 0, 0, out, &count, &why), &why);
    assert_int_equal(count, 6);
    count = 8;
    rows_good(s->ops->decision_list(s, NULL, 0, 0, out, &count, &why), &why);
    assert_int_equal(count, 7);
    count = 8;
    rows_good(s->ops->decision_list(s, NULL, 1 << STORE_BLOCKED, 0, out, &count, &why), &why);
    assert_int_equal(count, 4);
    store_close(&s);
}

/* ---- letting go ---- */

static void a_release_brings_everything_with_it(void **state)
{
    struct store *s = rows_store();
    struct store_item item, out;
    struct store_release released;
    struct store_event events[8];
    enum store_standing standing;
    struct why why = {""};
    int count = 8;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    assert_int_equal(s->ops->precedent(s, "clinic", "subject 1", &standing, &why), ST_MISSING);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    store_close(&s);
    s = rows_store();
    assert_int_equal(rows_standing(s, "dec_1"), STORE_RELEASED);
    rows_good(s->ops->release_find(s, "dec_1", &released, &why), &why);
    assert_int_equal(released.picture.data.count, 9);
    assert_memory_equal(released.picture.data.data, "PNG of it", 9);
    assert_int_equal(released.at_s, ROWS_NOW + 9);
    assert_int_equal(released.format, 1);
    free(released.picture.data.data);
    rows_good(s->ops->item_find(s, "item_1", &out, &why), &why);
    assert_int_equal(out.state, STORE_ITEM_DECIDED);
    assert_int_equal(out.version, item.version + 1);
    rows_good(s->ops->event_list(s, "dec_1", events, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_string_equal(events[0].kind, "item.queued");
    assert_string_equal(events[1].kind, "item.claimed");
    assert_string_equal(events[2].kind, "item.decided");
    assert_int_equal(rows_messages(s), 1);
    rows_good(s->ops->precedent(s, "clinic", "subject 1", &standing, &why), &why);
    assert_int_equal(standing, STORE_RELEASED);
    assert_int_equal(s->ops->precedent(s, "other", "subject 1", &standing, &why), ST_MISSING);
    store_close(&s);
}

/* Goal: of two moves from one version, one wins, and the other leaves no trace. */
static void what_has_moved_is_not_moved_again(void **state)
{
    struct store *s = rows_store();
    struct store_item item;
    struct store_event events[8];
    struct why why = {""};
    int count = 8;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    snprintf(item.reviewer, sizeof(item.reviewer), "lmr-2");
    assert_int_equal(rows_let_go(s, item), ST_LATE);
    item.version++;
    assert_int_equal(rows_let_go(s, item), ST_LATE); /* the picture was released before */
    rows_good(s->ops->event_list(s, "dec_1", events, &count, &why), &why);
    assert_int_equal(count, 3);
    assert_int_equal(rows_messages(s), 1);
    store_close(&s);
}

/* Goal: other work on a picture that went out is over, whoever holds it. */
static void a_release_supersedes_what_else_was_open(void **state)
{
    struct store *s = rows_store();
    struct store_item second = rows_item(2, 1, STORE_ITEM_AUDIT), item, out;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, STORE_ITEM_APPEAL);
    second.due_first_s--;
    rows_good(s->ops->item_add(s, &second, &why), &why);
    item = rows_claim(s, "lmr-1");
    assert_string_equal(item.id, "item_2");
    rows_good(rows_let_go(s, item), &why);
    rows_good(s->ops->item_find(s, "item_1", &out, &why), &why);
    assert_int_equal(out.state, STORE_ITEM_SUPERSEDED);
    store_close(&s);
}

static void nobody_decides_twice_about_a_decision(void **state)
{
    struct store *s = rows_store();
    struct store_item audit = rows_item(2, 1, STORE_ITEM_AUDIT), first, second;
    struct store_event e;
    struct store_want want = {
        .reviewer = "lmr-1", .kinds = ~0u, .now_ms = (int64_t)ROWS_NOW * 1000};
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, STORE_ITEM_APPEAL);
    rows_good(s->ops->item_add(s, &audit, &why), &why);
    first = rows_claim(s, "lmr-1");
    second = rows_claim(s, "lmr-1"); /* while he has decided nothing he may */
    first.state = second.state = STORE_ITEM_DECIDED;
    e = rows_event(&first, "item.decided");
    rows_good(s->ops->item_move(
                  s, &(struct store_move){.item = &first, .event = &e, .now_s = ROWS_NOW}, &why),
              &why);
    assert_int_equal(
        s->ops->item_move(s, &(struct store_move){.item = &second, .event = &e, .now_s = ROWS_NOW},
                          &why),
        ST_REFUSED);
    second.state = STORE_ITEM_QUEUED;
    rows_good(s->ops->item_move(
                  s, &(struct store_move){.item = &second, .event = &e, .now_s = ROWS_NOW}, &why),
              &why);
    assert_int_equal(s->ops->item_claim(s, &want, &first, &why), ST_MISSING);
    want.reviewer = "lmr-2";
    rows_good(s->ops->item_claim(s, &want, &first, &why), &why);
    assert_string_equal(first.id, second.id);
    store_close(&s);
}

/* ---- jobs with pictures that wait ---- */

static struct store_job hold_job(struct store *s, const char *const *decisions, int count)
{
    struct store_job job = {.tenant = "clinic", .id = "job_1", .model = "tiny", .images = count};
    struct store_picture pictures[4] = {{.seed = 1}};
    struct why why = {""};

    rows_good(s->ops->job_add(s, &job, "{}", 2, &why), &why);
    for (int k = 0; k < count; k++) {
        if (decisions[k])
            snprintf(pictures[k].decision, sizeof(pictures[k].decision), "%s", decisions[k]);
        else
            pictures[k].data = (struct store_bytes){"picture", 7};
    }
    job.state = STORE_JOB_HELD;
    job.finished_s = ROWS_NOW;
    job.event = 5;
    rows_good(s->ops->job_end(s, &job, pictures, count, &why), &why);
    rows_good(s->ops->job_find(s, "job_1", &job, &why), &why);
    return job;
}

static void a_held_job_ends_with_its_last_picture(void **state)
{
    static const char *const decisions[] = {"dec_1", NULL, "dec_2", "dec_3"};
    struct store *s = rows_store();
    struct store_picture picture;
    struct store_bytes body;
    struct store_job job, out;
    struct store_item item;
    char named[6][STORE_ID_MAX];
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    rows_add(s, 2, STORE_HELD, STORE_ITEM_HOLD);
    rows_add(s, 3, STORE_BLOCKED, -1);
    job = hold_job(s, decisions, 4);
    assert_int_equal(job.state, STORE_JOB_HELD);
    assert_int_equal(s->ops->job_next(s, 0, &out, &body, &why), ST_MISSING);
    rows_good(s->ops->job_sweep(s, ROWS_NOW + 1000000, (struct store_keep){1, 1}, &why), &why);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    rows_good(s->ops->job_find(s, "job_1", &job, &why), &why);
    assert_int_equal(job.state, STORE_JOB_HELD);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    rows_good(s->ops->job_find(s, "job_1", &job, &why), &why);
    assert_int_equal(job.state, STORE_JOB_COMPLETED);
    assert_int_equal(job.finished_s, ROWS_NOW + 9);
    assert_int_equal(job.event, 6);
    for (int k = 0; k < 4; k++) {
        static const size_t bytes[] = {9, 7, 9, 0};

        rows_good(s->ops->job_picture(s, &job, k, &picture, &why), &why);
        assert_int_equal(picture.data.count, bytes[k]);
        assert_string_equal(picture.decision, decisions[k] ? decisions[k] : "");
        free(picture.data.data);
    }
    rows_good(s->ops->job_decisions(s, &job, named, 6, &why), &why);
    for (int k = 0; k < 6; k++)
        assert_string_equal(named[k], k < 4 && decisions[k] ? decisions[k] : "");
    rows_good(s->ops->job_decisions(s, &job, named, 1, &why), &why); /* as many as there is room */
    store_close(&s);
}

/* Goal: a reviewer may be faster than the job that he decides about. */
static void a_job_whose_pictures_were_decided_before_it_ends_is_over(void **state)
{
    static const char *const decisions[] = {"dec_1"};
    struct store *s = rows_store();
    struct store_item item;
    struct store_job job;
    struct why why = {""};

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    job = hold_job(s, decisions, 1);
    assert_int_equal(job.state, STORE_JOB_COMPLETED);
    store_close(&s);
}

/* ---- erasing ---- */

static bool file_holds(const char *name, const void *bytes, size_t count)
{
    char path[192];
    char *data;
    FILE *file;
    long size;
    bool found;

    snprintf(path, sizeof(path), "%s/%s", rows_folder, name);
    file = fopen(path, "rb");
    if (!file)
        return false;
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    found = memmem(data, (size_t)size, bytes, count) != NULL;
    free(data);
    return found;
}

static bool store_holds(const char *text)
{
    return file_holds(STORE_FILE, text, strlen(text)) ||
           file_holds(STORE_FILE "-wal", text, strlen(text));
}

static void what_expires_leaves_no_key(void **state)
{
    static const char *const decisions[] = {"dec_1"};
    struct store *s = rows_store();
    struct store_object o, frozen = rows_object(2, ROWS_NOW + 1000);
    struct store_decision d = rows_decision(2, STORE_HELD);
    struct store_record record = {
        .decisions = &d, .decision_count = 1, .objects = &frozen, .object_count = 1};
    struct store_item item;
    struct store_job job;
    struct why why = {""};
    int count;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    frozen.frozen = true;
    memset(frozen.key, 'f', frozen.key_bytes);
    rows_good(s->ops->decision_add(s, &record, &why), &why);
    hold_job(s, decisions, 1);
    rows_good(s->ops->object_sweep(s, ROWS_NOW + 999, &count, &why), &why);
    assert_int_equal(count, 0);
    assert_true(store_holds("the wrapped key of this object"));
    rows_good(s->ops->object_sweep(s, ROWS_NOW + 1000, &count, &why), &why);
    assert_int_equal(count, 1);
    assert_false(store_holds("the wrapped key of this object"));
    assert_false(store_holds("anatomy"));
    assert_int_equal(rows_standing(s, "dec_1"), STORE_EXPIRED);
    assert_int_equal(rows_standing(s, "dec_2"), STORE_HELD);
    rows_good(s->ops->item_find(s, "item_1", &item, &why), &why);
    assert_int_equal(item.state, STORE_ITEM_SUPERSEDED);
    rows_good(s->ops->object_find(s, "obj_1", &o, &why), &why);
    assert_int_equal(o.key_bytes, 0);
    assert_int_equal(o.data.count, 0);
    assert_int_equal(o.destroyed_s, ROWS_NOW + 1000);
    free(o.data.data);
    rows_good(s->ops->job_find(s, "job_1", &job, &why), &why);
    assert_int_equal(job.state, STORE_JOB_FAILED);
    assert_string_equal(job.code, "moderation_blocked");
    store_close(&s);
}

/* Goal: what is contested is kept, however long the answer takes; what was released is kept until
   some time after the last word. */
static void what_is_contested_does_not_expire(void **state)
{
    struct store *s = rows_store();
    struct store_release released;
    struct store_item item;
    struct why why = {""};
    int count;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, STORE_ITEM_APPEAL);
    rows_good(s->ops->object_sweep(s, ROWS_NOW + 2000, &count, &why), &why);
    assert_int_equal(count, 0);
    item = rows_claim(s, "lmr-1");
    rows_good(rows_let_go(s, item), &why);
    rows_good(s->ops->object_sweep(s, ROWS_NOW + 4999, &count, &why), &why);
    assert_int_equal(count, 0);
    rows_good(s->ops->object_sweep(s, ROWS_NOW + 5000, &count, &why), &why);
    assert_int_equal(count, 1);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_RELEASED);
    rows_good(s->ops->release_find(s, "dec_1", &released, &why), &why);
    assert_int_equal(released.picture.data.count, 0);
    free(released.picture.data.data);
    store_close(&s);
}

static void what_is_sealed_is_frozen_and_in_no_queue(void **state)
{
    struct store *s = rows_store();
    struct store_item audit = rows_item(2, 1, STORE_ITEM_AUDIT), item;
    struct store_decision d;
    struct store_event e;
    struct why why = {""};
    int count;

    (void)state;
    rows_add(s, 1, STORE_BLOCKED, STORE_ITEM_APPEAL);
    rows_good(s->ops->item_add(s, &audit, &why), &why);
    rows_good(s->ops->decision_find(s, "dec_1", &d, &why), &why);
    item = rows_claim(s, "lmr-1");
    item.state = STORE_ITEM_DECIDED;
    e = rows_event(&item, "item.decided");
    rows_good(s->ops->item_move(s,
                                &(struct store_move){.item = &item,
                                                     .event = &e,
                                                     .decision = &d,
                                                     .standing = STORE_SEALED,
                                                     .now_s = ROWS_NOW},
                                &why),
              &why);
    rows_good(s->ops->item_find(s, "item_2", &item, &why), &why);
    assert_int_equal(item.state, STORE_ITEM_SUPERSEDED);
    rows_good(s->ops->object_sweep(s, INT64_C(1) << 40, &count, &why), &why);
    assert_int_equal(count, 0);
    store_close(&s);
}

/* ---- small things ---- */

static void grants_and_notes_are_put_in_place_of_what_was_there(void **state)
{
    struct store *s = rows_store();
    struct store_grant grant = {"clinic", "medical",      "case 7", "lmr-9",
                                ROWS_NOW, ROWS_NOW + 100, 0};
    struct store_grant out[4];
    char name[STORE_NOTE_NAME_MAX] = "", body[STORE_NOTE_BODY_MAX];
    struct why why = {""};
    int count = 4;

    (void)state;
    rows_good(s->ops->grant_put(s, &grant, &why), &why);
    grant.revoked_s = ROWS_NOW + 5;
    rows_good(s->ops->grant_put(s, &grant, &why), &why);
    rows_good(s->ops->grant_list(s, out, &count, &why), &why);
    assert_int_equal(count, 1);
    assert_memory_equal(&out[0], &grant, sizeof(grant));

    rows_good(s->ops->note_put(s, "breaker/b", "open", &why), &why);
    rows_good(s->ops->note_put(s, "breaker/a", "closed", &why), &why);
    rows_good(s->ops->note_put(s, "breaker/a", "half", &why), &why);
    rows_good(s->ops->note_put(s, "canary", "x", &why), &why);
    rows_good(s->ops->note_get(s, "breaker/a", body, &why), &why);
    assert_string_equal(body, "half");
    rows_good(s->ops->note_next(s, "breaker/", name, body, &why), &why);
    assert_string_equal(name, "breaker/a");
    rows_good(s->ops->note_next(s, "breaker/", name, body, &why), &why);
    assert_string_equal(body, "open");
    assert_int_equal(s->ops->note_next(s, "breaker/", name, body, &why), ST_MISSING);
    rows_good(s->ops->note_put(s, "breaker/a", "", &why), &why);
    assert_int_equal(s->ops->note_get(s, "breaker/a", body, &why), ST_MISSING);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    rows_good(s->ops->note_put(s, name, "x", &why), &why);
    memset(body, 'b', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    rows_good(s->ops->note_put(s, "full", body, &why), &why);
    store_close(&s);
}

/* Goal: a store that was made before there were decisions goes on, with its jobs. */
static void a_store_of_the_step_before_is_brought_up_to_date(void **state)
{
    struct store_picture picture;
    struct store_bytes body;
    struct store_job job;
    struct store *s;
    struct why why = {""};
    char bytes[1 << 17], path[192];
    size_t count;
    FILE *file = fopen("tests/golden/store/v3.db", "rb");

    (void)state;
    assert_non_null(file);
    count = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/%s", rows_folder, STORE_FILE);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
    for (int round = 0; round < 2; round++) {
        s = rows_store();
        rows_good(s->ops->job_next(s, 0, &job, &body, &why), &why);
        assert_string_equal(job.id, "job_open");
        assert_memory_equal(body.data, "{\"prompt\":\"made by schema 3\"}", body.count);
        free(body.data);
        rows_good(s->ops->job_find(s, "job_done", &job, &why), &why);
        assert_int_equal(job.state, STORE_JOB_COMPLETED);
        rows_good(s->ops->job_picture(s, &job, 0, &picture, &why), &why);
        assert_int_equal(picture.data.count, 100);
        assert_string_equal(picture.decision, "");
        free(picture.data.data);
        rows_add(s, round, STORE_BLOCKED, STORE_ITEM_APPEAL);
        store_close(&s);
    }
}

static void a_release_survives_every_failed_allocation(void **state)
{
    struct store *s = rows_store();
    struct store_decision d;
    struct store_item item;
    struct why why = {""};
    enum status st;
    int nth = 1;

    (void)state;
    rows_add(s, 1, STORE_HELD, STORE_ITEM_HOLD);
    item = rows_claim(s, "lmr-1");
    rows_good(s->ops->decision_find(s, "dec_1", &d, &why), &why);
    do {
        fault_arm(nth++);
        st = rows_release(s, item, &d);
        fault_disarm();
    } while (fault_fired() && st == ST_FULL && rows_standing(s, "dec_1") == STORE_HELD);
    rows_good(st, &why);
    assert_int_equal(rows_standing(s, "dec_1"), STORE_RELEASED);
    assert_true(nth > 3);
    assert_int_equal(rows_messages(s), 1);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, rows_open, rows_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_decision_is_found_as_it_was_made),
        CLAIM(a_record_that_is_half_wrong_leaves_nothing),
        CLAIM(lists_are_of_one_tenant_and_newest_first),
        CLAIM(a_release_brings_everything_with_it),
        CLAIM(what_has_moved_is_not_moved_again),
        CLAIM(a_release_supersedes_what_else_was_open),
        CLAIM(nobody_decides_twice_about_a_decision),
        CLAIM(a_held_job_ends_with_its_last_picture),
        CLAIM(a_job_whose_pictures_were_decided_before_it_ends_is_over),
        CLAIM(what_expires_leaves_no_key),
        CLAIM(what_is_contested_does_not_expire),
        CLAIM(what_is_sealed_is_frozen_and_in_no_queue),
        CLAIM(grants_and_notes_are_put_in_place_of_what_was_there),
        CLAIM(a_store_of_the_step_before_is_brought_up_to_date),
        CLAIM(a_release_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests_name("decisions", tests, NULL, NULL);
}
