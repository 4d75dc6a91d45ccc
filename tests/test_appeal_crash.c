/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 in the middle: what was promised is there, and nothing is there by half or twice.
 */
#include "tests/appeals.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS    30
#define STEPS_MAX 2000 /* of a child, which is killed long before */

/* ---- the one who is killed ---- */

/* What it says once the store has said yes. */
struct word {
    int number;
    char what; /* 'w': it waits for a person; 'd': it was decided */
};

static void say(int told, int number, char what)
{
    const struct word word = {.number = number, .what = what};

    if (write(told, &word, sizeof(word)) != sizeof(word))
        _exit(1);
}

/* A job of one picture, which is held. */
static void hold(struct store *s, int number)
{
    struct store_job job = {.tenant = "clinic", .model = "tiny", .images = 1};
    struct store_picture picture = {.seed = 1};
    struct why why = {""};

    snprintf(job.id, sizeof(job.id), "job_%d", number);
    snprintf(picture.decision, sizeof(picture.decision), "dec_%d", number);
    rows_good(s->ops->job_add(s, &job, "{}", 2, &why), &why);
    rows_add(s, number, STORE_HELD, STORE_ITEM_HOLD);
    job.state = STORE_JOB_HELD;
    rows_good(s->ops->job_end(s, &job, &picture, 1, &why), &why);
}

/* Odd ones are held pictures of jobs, even ones are contested blocks. */
static void wait_for_a_person(struct store *s, int number)
{
    enum appeal_refusal refusal;
    struct store_item item;
    bool replayed;

    if (number % 2) {
        hold(s, number);
        return;
    }
    rows_add(s, number, STORE_BLOCKED, -1);
    if (appeals_file(s, number, "x", "", &item, &replayed, &refusal))
        _exit(1);
}

static void work(int told, int first)
{
    const struct appeal_ruling ruling = appeals_ruling(STORE_OVERTURNED);
    struct store *s = rows_store();
    char reviewer[16];

    snprintf(reviewer, sizeof(reviewer), "lmr-%d", first);
    for (int number = first; number < first + STEPS_MAX; number++) {
        enum appeal_refusal refusal;
        struct appeals_hand h;

        wait_for_a_person(s, number);
        say(told, number, 'w');
        if (appeals_try_claim(s, reviewer, ~0u, ROWS_NOW + first, &h) ||
            appeals_decide(s, &h, &ruling, true, &refusal))
            _exit(1);
        say(told, atoi(h.item.decision + 4), 'd');
    }
    _exit(1);
}

/* ---- what it left ---- */

struct ledger {
    int count; /* of words */
    struct word words[ROUNDS * STEPS_MAX];
};

static void expect_promised(struct store *s, const struct ledger *l)
{
    static struct store_item items[8];
    struct why why = {""};

    for (int i = 0; i < l->count; i++) {
        char id[STORE_ID_MAX];
        int count = 8;

        snprintf(id, sizeof(id), "dec_%d", l->words[i].number);
        rows_good(s->ops->item_list(s, id, items, &count, &why), &why);
        if (count != 1)
            fail_msg("%s has %d items", id, count);
        if (l->words[i].what == 'd' && items[0].state != STORE_ITEM_DECIDED)
            fail_msg("%s was decided, and is not", id);
    }
}

/* A job ends with its picture; one that had not been told to wait yet is to be done again. */
static void expect_job(struct store *s, int number, bool out)
{
    struct store_job job;
    struct why why = {""};
    char id[STORE_ID_MAX];
    enum status st;

    snprintf(id, sizeof(id), "job_%d", number);
    st = s->ops->job_find(s, id, &job, &why);
    if (st != ST_MISSING && job.state != STORE_JOB_OPEN &&
        job.state != (out ? STORE_JOB_COMPLETED : STORE_JOB_HELD))
        fail_msg("%s is in state %d", id, job.state);
}

/* All that goes with a decision is there, or none of it. */
static void expect_whole(struct store *s, const struct store_decision *d)
{
    bool out = d->standing == STORE_RELEASED;
    struct store_release released;
    struct why why = {""};

    if (s->ops->release_find(s, d->id, &released, &why) != (out ? ST_OK : ST_MISSING))
        fail_msg("%s stands at %d: its release", d->id, d->standing);
    if (out)
        free(released.picture.data.data);
    if (rows_events(s, d->id, "item.decided") != out)
        fail_msg("%s stands at %d: its event", d->id, d->standing);
    if (atoi(d->id + 4) % 2)
        expect_job(s, atoi(d->id + 4), out);
}

static void expect_all_whole(struct store *s)
{
    static struct store_decision list[32];
    struct why why = {""};
    int64_t seq = 0;
    int count;

    do {
        count = 32;
        rows_good(s->ops->decision_list(s, NULL, 0, seq, list, &count, &why), &why);
        for (int i = 0; i < count; i++)
            expect_whole(s, &list[i]);
        seq = count ? list[count - 1].seq : 0;
    } while (count == 32);
}

/* Each decision and each appeal was told once. */
static void expect_told(struct store *s)
{
    struct store_counts counts;
    struct why why = {""};
    int64_t expected = 0;

    rows_good(s->ops->item_counts(s, ROWS_NOW, 0, &counts, &why), &why);
    for (int kind = 0; kind < STORE_ITEM_KINDS; kind++)
        expected += counts.items[kind][STORE_ITEM_DECIDED];
    for (int state = 0; state < STORE_ITEM_STATES; state++)
        expected += counts.items[STORE_ITEM_APPEAL][state];
    assert_int_equal(rows_messages(s), expected);
}

static void expect_sound(const struct ledger *l)
{
    struct store *s = rows_store();
    struct store_chain chain;
    struct why why = {""};

    expect_promised(s, l);
    expect_all_whole(s);
    rows_good(s->ops->event_verify(s, &chain, &why), &why);
    store_close(&s);
}

/* ---- killing ---- */

static unsigned draw(unsigned bound)
{
    static unsigned seed = 1;

    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % bound;
}

/* Starts one, lets it say some words, and kills it some moments later. */
static void run_and_kill(struct ledger *l, int round)
{
    int told[2], words = 1 + (int)draw(8);
    struct timespec moment = {0, 1000L * (long)draw(40000)};
    pid_t child;

    assert_int_equal(pipe(told), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child)
        work(told[1], 1 + round * STEPS_MAX);
    close(told[1]);
    for (int i = 0; i < words; i++) {
        if (read(told[0], &l->words[l->count], sizeof(l->words[0])) != sizeof(l->words[0]))
            fail_msg("round %d ended by itself", round);
        l->count++;
    }
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(told[0], &l->words[l->count], sizeof(l->words[0])) == sizeof(l->words[0]))
        l->count++;
    close(told[0]);
}

static void who_is_killed_has_lost_nothing_and_done_nothing_twice(void **state)
{
    struct ledger *l = calloc(1, sizeof(*l));
    struct store *s;

    (void)state;
    assert_non_null(l);
    for (int round = 0; round < ROUNDS; round++) {
        run_and_kill(l, round);
        expect_sound(l);
    }
    s = rows_store();
    expect_told(s);
    store_close(&s);
    free(l);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, appeals_open, appeals_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(who_is_killed_has_lost_nothing_and_done_nothing_twice),
    };

    return cmocka_run_group_tests_name("appeal_crash", tests, NULL, NULL);
}
