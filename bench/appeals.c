/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_appeals [FOLDER]: how long people wait for the store when many appeals wait for people.
 *
 * 10,000 decisions, each contested, then 2,000 claims and decisions with a released picture of
 * 200 KB, with the rest still queued. Every operation is one transaction that is on the disk when
 * it returns, so FOLDER (a new one, removed afterwards) says whose disk is measured.
 */
#include "moderation/appeal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUED        10000
#define CLAIMS        2000
#define PICTURE_BYTES 200000
#define NOW           1700000000

static const char policy_text[] =
    "{\"schema\": \"moderation-policy/1\", \"policy_id\": \"x\", \"version\": 1,\n"
    "\"status\": \"live\", \"ignore\": [\"Drawing\", \"Neutral\", \"Sexy\"], \"categories\": [\n"
    "{\"id\": \"sexual_explicit\", \"clause\": \"rule 1\", \"appealable\": true,\n"
    " \"from\": {\"op\": \"sum\", \"classes\": [\"Porn\", \"Hentai\"]},\n"
    " \"reason\": {\"en\": \"r\"}, \"bands\": {\"block\": 0.9}}]}";

static void must(enum status st, const struct why *why)
{
    if (!st)
        return;
    fprintf(stderr, "bench_appeals: %s: %s\n", status_name(st), why->text);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- times ---- */

struct times {
    int count;
    double ms[QUEUED];
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *name, struct times *t)
{
    qsort(t->ms, (size_t)t->count, sizeof(t->ms[0]), compare);
    printf("%s\t%d\t%.2f\t%.2f\t%.2f\t%.2f\n", name, t->count, t->ms[t->count / 2],
           t->ms[t->count * 95 / 100], t->ms[t->count * 99 / 100], t->ms[t->count - 1]);
}

/* ---- what is done ---- */

static struct store_decision decision_of(int number)
{
    struct store_decision d = {.tenant = "clinic",
                               .stage = STORE_STAGE_IMAGE,
                               .model = "tiny",
                               .policy = "x",
                               .category = "sexual_explicit",
                               .scores = "0.1,0.9",
                               .decision = 3,
                               .action = 3,
                               .standing = STORE_BLOCKED,
                               .created_s = NOW,
                               .appeal_until_s = NOW + 86400};

    snprintf(d.id, sizeof(d.id), "dec_%d", number);
    snprintf(d.subject, sizeof(d.subject), "subject_%d", number);
    return d;
}

static void file(struct store *s, const struct policy *p, struct times *times)
{
    for (int i = 0; i < QUEUED; i++) {
        struct store_decision d = decision_of(i);
        const struct store_record record = {.decisions = &d, .decision_count = 1};
        const struct appeal_filing filing = {
            .reason = "medical", .text = "It is a plate", .key = "", .now_s = NOW + i};
        enum appeal_refusal refusal;
        struct store_item item;
        struct why why = {""};
        bool replayed;
        double begin;

        must(s->ops->decision_add(s, &record, &why), &why);
        begin = now_ms();
        must(appeal_file(s, p, &d, &filing, &item, &replayed, &refusal, &why), &why);
        times->ms[times->count++] = now_ms() - begin;
    }
}

static void work(struct store *s, const struct policy *p, struct times *claim, struct times *decide)
{
    static char picture[PICTURE_BYTES];
    const struct store_release release = {
        .picture = {.sha256 = "", .data = {picture, sizeof(picture)}}};
    const struct appeal_ruling ruling = {
        .outcome = STORE_OVERTURNED, .code = "c", .clause = "rule 1", .answer = "It is yours"};

    for (int i = 0; i < CLAIMS; i++) {
        char reviewer[16], token[APPEAL_TOKEN_MAX];
        const struct store_want want = {
            .reviewer = reviewer, .kinds = ~0u, .now_ms = (int64_t)NOW * 1000};
        enum appeal_refusal refusal;
        struct store_item item;
        struct appeal_lease lease = {
            .item = item.id, .reviewer = reviewer, .token = token, .now_s = NOW};
        struct why why = {""};
        double begin = now_ms();

        snprintf(reviewer, sizeof(reviewer), "lmr-%d", i % 20);
        must(appeal_claim(s, &want, &item, token, &why), &why);
        claim->ms[claim->count++] = now_ms() - begin;
        if (i % 10 == 0)
            continue; /* stays in hand: what a claim has to walk past */
        begin = now_ms();
        must(appeal_decide(s, p, &lease, &ruling, &release, &item, &refusal, &why), &why);
        decide->ms[decide->count++] = now_ms() - begin;
    }
}

/* The worst that a claim can meet: nothing in all the queue is for this one. */
static void find_nothing(struct store *s, struct times *times)
{
    static const char *const queues[] = {"medical"};
    const struct store_want want = {.reviewer = "lmr-1",
                                    .queues = queues,
                                    .queue_count = 1,
                                    .kinds = ~0u,
                                    .now_ms = (int64_t)NOW * 1000};

    for (int i = 0; i < 200; i++) {
        char token[APPEAL_TOKEN_MAX];
        struct store_item item;
        struct why why = {""};
        double begin = now_ms();

        if (appeal_claim(s, &want, &item, token, &why) != ST_MISSING)
            must(ST_INVALID, &why);
        times->ms[times->count++] = now_ms() - begin;
    }
}

static void clean(const char *folder)
{
    static const char *const files[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm"};
    char path[4096];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    static struct times filing, claim, decide, nothing;
    char made[] = "/tmp/bench_appeals.XXXXXX";
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    struct store *s;
    struct policy *p;
    struct why why = {""};

    must(folder ? ST_OK : ST_IO, &why);
    must(store_open(&s, folder, &why), &why);
    must(policy_open_text(&p, policy_text, strlen(policy_text), "policy", &why), &why);
    file(s, p, &filing);
    work(s, p, &claim, &decide);
    find_nothing(s, &nothing);
    printf("operation\tcount\tp50_ms\tp95_ms\tp99_ms\tmax_ms\n");
    print("file", &filing);
    print("claim", &claim);
    print("decide", &decide);
    print("claim nothing", &nothing);
    policy_close(&p);
    store_close(&s);
    clean(folder);
    return 0;
}
