/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_ledger FOLDER [RECORDS]: how long a picture waits for the log, and how long a search takes.
 *
 * FOLDER is a new one, and its disk is what is measured; it is left there, with RECORDS records in
 * it (100,000; about 1.2 KB each). Appenders wait until each record is durable:
 *
 *     one       a record each 20 ms, as a small server has them
 *     some      16 appenders without a pause
 *     many      128 appenders without a pause
 *
 * then searches by id, hash and pixels for records that are there. Times are milliseconds.
 */
#include "watermark/ledger.h"

#include "base/crypto.h"
#include "base/sign.h"
#include "store/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS  5
#define TIMES    400000
#define FILLERS  256
#define SEARCHES 1000

static void must(enum status st, const struct why *why)
{
    if (!st)
        return;
    fprintf(stderr, "bench_ledger: %s: %s\n", status_name(st), why->text);
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
    atomic_int count;
    double ms[TIMES];
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *name, int64_t size, struct times *t, double seconds)
{
    int n = t->count;

    qsort(t->ms, (size_t)n, sizeof(t->ms[0]), compare);
    printf("%s\t%" PRId64 "\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\n", name, size, n, n / seconds,
           t->ms[n / 2], t->ms[(size_t)n * 95 / 100], t->ms[(size_t)n * 99 / 100], t->ms[n - 1]);
    fflush(stdout);
}

/* ---- appending ---- */

struct load {
    struct ledger *ledger;
    struct times *times; /* NULL: nobody asks */
    atomic_llong number;
    int64_t numbers; /* below this one; or until */
    double until_ms;
    int pause_ms;
};

static void hash_of(char out[RECORD_HASH_MAX], int64_t number, char what)
{
    char text[32];
    uint8_t hash[32];

    snprintf(text, sizeof(text), "%" PRId64 "%c", number, what);
    crypto_sha256(hash, text, strlen(text));
    crypto_hex(out, hash, sizeof(hash));
}

/* As large as those of pictures are. */
static struct record record_of(int64_t number)
{
    struct record r = {.kind = RECORD_EMBED,
                       .has_id = true,
                       .has_fingerprint = true,
                       .width = 1024,
                       .height = 1024,
                       .format = "png",
                       .model = "sd15",
                       .system = "limner/0.1.0",
                       .mark = {.alg = "limner-tile/1", .psnr = 45000, .z = 30000, .verdict = "id"},
                       .manifest = "urn:c2pa:00000000-0000-4000-8000-000000000000",
                       .endpoint = "/v1/images/generations",
                       .policy_version = 1};

    hash_of(r.sha256, number, 'f');
    hash_of(r.pixels_sha256, number, 'p');
    hash_of(r.unmarked_sha256, number, 'u');
    hash_of(r.weights_sha256, 0, 'w');
    hash_of(r.manifest_sha256, number, 'm');
    crypto_unhex(r.fingerprint, 32, r.pixels_sha256, 64);
    memcpy(&r.id, r.fingerprint, sizeof(r.id));
    snprintf(r.request, sizeof(r.request), "req_%.24s", r.sha256);
    snprintf(r.decision, sizeof(r.decision), "dec_%.32s", r.pixels_sha256);
    snprintf(r.tenant, sizeof(r.tenant), "%016" PRIx64, (uint64_t)number % 50);
    return r;
}

static void *append(void *memory)
{
    struct load *l = memory;

    for (;;) {
        int64_t number = atomic_fetch_add(&l->number, 1);
        struct record r = record_of(number);
        struct why why = {""};
        double began = now_ms();

        if (l->times ? began >= l->until_ms : number >= l->numbers)
            return NULL;
        must(ledger_append(l->ledger, &r, l->times ? "a prompt of some words" : NULL, &why), &why);
        if (l->times) {
            int at = atomic_fetch_add(&l->times->count, 1);

            if (at >= TIMES)
                exit(1);
            l->times->ms[at] = now_ms() - began;
        }
        nanosleep(&(struct timespec){0, l->pause_ms * 1000000L}, NULL);
    }
}

static void run(struct load *l, int threads)
{
    pthread_t thread[FILLERS];
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], &attr, append, l))
            exit(1);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    pthread_attr_destroy(&attr);
}

static int64_t next; /* a number that no record has */

static void measure(struct ledger *ledger, const char *name, int threads, int pause_ms)
{
    struct times *times = calloc(1, sizeof(*times));
    struct load l = {.ledger = ledger, .times = times, .number = next, .pause_ms = pause_ms};
    int64_t size = 0;
    double began = now_ms();
    struct why why = {""};

    if (!times)
        exit(1);
    must(ledger_size(ledger, &size, &why), &why);
    l.until_ms = began + SECONDS * 1e3;
    run(&l, threads);
    next = l.number;
    print(name, size, times, (now_ms() - began) / 1e3);
    free(times);
}

static void fill(struct ledger *ledger, int64_t records)
{
    struct load l = {.ledger = ledger, .number = next, .numbers = records};
    double began = now_ms();

    if (next >= records)
        return;
    run(&l, FILLERS);
    printf("# filled up to %" PRId64 " at %.0f records/s\n", records,
           (double)(records - next) * 1e3 / (now_ms() - began));
    next = records;
}

/* ---- searching ---- */

static void search(struct ledger *ledger, const char *name, char what)
{
    static struct times times;
    struct why why = {""};
    int64_t size = 0;
    double first = now_ms();

    times.count = 0;
    must(ledger_size(ledger, &size, &why), &why);
    for (int i = 0; i < SEARCHES; i++) {
        struct record r = record_of((int64_t)i * 7919 % next), found;
        uint8_t hash[32];
        double began = now_ms();
        enum status st;

        if (what == 'i') {
            st = ledger_find_id(ledger, r.id, &found, &why);
        } else {
            crypto_unhex(hash, 32, what == 'f' ? r.sha256 : r.pixels_sha256, 64);
            st = what == 'f' ? ledger_find_sha256(ledger, hash, &found, &why)
                             : ledger_find_pixels(ledger, hash, &found, &why);
        }
        if (st != ST_MISSING) /* the numbers that ended a measurement have no record */
            must(st, &why);
        times.ms[times.count++] = now_ms() - began;
    }
    print(name, size, &times, (now_ms() - first) / 1e3);
}

static void prove(struct ledger *ledger)
{
    static struct times times;
    struct why why = {""};
    int64_t size = 0;
    double first = now_ms();

    must(ledger_sign(ledger, &why), &why);
    must(ledger_size(ledger, &size, &why), &why);
    for (int i = 0; i < SEARCHES; i++) {
        char text[CHECKPOINT_PROOF_MAX];
        double began = now_ms();

        must(ledger_proof(ledger, (int64_t)i * 7919 % size, 0, text, &why), &why);
        times.ms[times.count++] = now_ms() - began;
    }
    print("proof", size, &times, (now_ms() - first) / 1e3);
}

int main(int argc, char **argv)
{
    int64_t records = argc > 2 ? atoll(argv[2]) : 100000;
    struct ledger_options o = {.origin = "bench.local/log"};
    struct ledger *ledger;
    struct sign_key *key;
    struct store *store;
    struct why why = {""};
    char path[4096];
    double began;

    if (argc < 2) {
        fprintf(stderr, "bench_ledger FOLDER [RECORDS]\n");
        return 2;
    }
    must(store_open(&store, argv[1], &why), &why);
    snprintf(path, sizeof(path), "%s/bench.pem", argv[1]);
    must(sign_create(path, SIGN_ED25519, &why), &why);
    must(sign_open(&key, path, &why), &why);
    o.store = store;
    o.key = key;
    must(ledger_open(&ledger, &o, &why), &why);
    printf("what\trecords before\tn\tper second\tp50\tp95\tp99\tmax\n");
    measure(ledger, "one", 1, 20);
    measure(ledger, "some", 16, 0);
    measure(ledger, "many", 128, 0);
    fill(ledger, records);
    measure(ledger, "one", 1, 20);
    measure(ledger, "some", 16, 0);
    measure(ledger, "many", 128, 0);
    search(ledger, "id", 'i');
    search(ledger, "sha256", 'f');
    search(ledger, "pixels", 'p');
    prove(ledger);
    ledger_close(&ledger);
    began = now_ms();
    must(ledger_open(&ledger, &o, &why), &why);
    printf("# opened again in %.1f ms\n", now_ms() - began);
    ledger_close(&ledger);
    sign_close(&key);
    store_close(&store);
    return 0;
}
