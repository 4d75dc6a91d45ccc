/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn_plans - is there an engine for every convolution and attention that we run? Asked on any
 * machine, for the device that h100.json describes.
 *
 *     tests/cudnn/run.sh build/release/cudnn_plans LIBRARIES [--all] [--tsv=FILE]
 *     build/release/cudnn_plans --describe     prints the JSON of the device that is here
 *
 * - Every graph must be offered an engine at every batch size.
 * - A family whose first engine is compiled already must get one engine for all its sizes from
 *   `plans_build`, be found again, and be built from a store without being asked for.
 * - Where the first engine is one that cuDNN compiles, it must compile: up to where it would be
 *   loaded, which takes a driver.
 *
 * By itself it asks about bf16 at every batch size and f16 at one image, and compiles a sample.
 * With --all everything is compiled, in minutes; bench/cudnn_h100.tsv is what that wrote for cuDNN
 * 9.19, its milliseconds on two shared cores.
 */
#include "base/log.h"
#include "kernels/cuda/plan_store.h"
#include "tests/cudnn/shapes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAX    8192
#define ENGINES_MAX 80
#define WORKERS     2
#define SAMPLE      40                /* one in so many that are compiled is, without --all */
#define TOLD_MAX    30                /* failures that are told one by one */
#define WORKSPACE   ((size_t)8 << 30) /* none is refused for its size here: the table tells it */

struct options {
    bool all;
    const char *tsv;
    char json[JSON_MAX];
};

struct row {
    int engines;
    struct plan_engine first, engine; /* of this key, of its family */
    struct plan_trial trial;
    bool tried;
};

struct table {
    const struct options *options;
    struct shapes shapes;
    struct row *row;
    atomic_int failures;
};

static void fail(struct table *t, const struct plan_key *key, const char *what, const char *why)
{
    char text[PLAN_TEXT_MAX];

    plan_key_write(text, key, false);
    if (atomic_fetch_add(&t->failures, 1) < TOLD_MAX)
        printf("%s: %s%s%s\n", text, what, *why ? ": " : "", why);
}

static struct plans *open_plans(const struct options *o, int threads, struct plan_store *store)
{
    struct plans_options options = {
        .device_json = o->json, .threads = threads, .workspace_max = WORKSPACE, .store = store};
    struct plans *p;
    struct why why;

    if (plans_open(&p, &options, &why)) {
        printf("skipped: %s\n", why.text);
        exit(77);
    }
    return p;
}

/* Two passes over all graphs, by a few threads with plans of their own */

static int images_of(const struct plan_key *key)
{
    return key->kind == PLAN_CONV ? key->of.conv.images : key->of.attention.images;
}

/* The first: what do the heuristics say? */
static void ask(struct table *t, struct plans *p, int i)
{
    struct plan_engine engines[ENGINES_MAX];
    struct why why = {{0}};
    struct row *r = &t->row[i];

    if (plans_list(p, &t->shapes.keys[i], engines, ENGINES_MAX, &r->engines, &why) || !r->engines)
        fail(t, &t->shapes.keys[i], "no engine", why.text);
    else
        r->first = engines[0];
}

static bool is_family(struct plan_key a, struct plan_key b)
{
    int32_t *images_a = a.kind == PLAN_CONV ? &a.of.conv.images : &a.of.attention.images;
    int32_t *images_b = b.kind == PLAN_CONV ? &b.of.conv.images : &b.of.attention.images;

    *images_a = *images_b = 0;
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* A family's engine is what its most images were offered first: plans_build begins with that. */
static void choose(struct table *t)
{
    for (int i = 0; i < t->shapes.count; i++) {
        const struct plan_key *keys = t->shapes.keys;
        int most = i;

        for (int j = 0; j < t->shapes.count; j++)
            if (images_of(&keys[j]) > images_of(&keys[most]) && is_family(keys[i], keys[j]))
                most = j;
        t->row[i].engine = t->row[most].first;
    }
}

/* The second: does that engine make a plan? */
static void try_first(struct table *t, struct plans *p, int i)
{
    const struct plan_key *key = &t->shapes.keys[i];
    struct row *r = &t->row[i];
    struct why why = {{0}};

    if (!r->engines)
        return;
    if (r->engine.compiled && !t->options->all && i % SAMPLE)
        return;
    r->trial = plans_try(p, key, &r->engine, &why);
    r->tried = true;
    if (r->trial.outcome == PLAN_REFUSED)
        fail(t, key, "its family's engine makes no plan", why.text);
}

struct pass {
    struct table *table;
    void (*look)(struct table *t, struct plans *p, int i);
    atomic_int next;
};

static void *work(void *argument)
{
    struct pass *pass = argument;
    struct plans *p = open_plans(pass->table->options, 1, NULL);
    int i;

    while ((i = atomic_fetch_add(&pass->next, 1)) < pass->table->shapes.count)
        pass->look(pass->table, p, i);
    plans_close(&p);
    return NULL;
}

static void go_through(struct table *t, void (*look)(struct table *t, struct plans *p, int i))
{
    struct pass pass = {.table = t, .look = look};
    pthread_t thread[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&thread[i], NULL, work, &pass))
            abort();
    for (int i = 0; i < WORKERS; i++)
        pthread_join(thread[i], NULL);
}

/* What plans_build makes of it */

/* Keys whose engines need no compiler, and so can be made here to the end. */
static int ready_keys(const struct table *t, struct plan_key *keys)
{
    int count = 0;

    for (int i = 0; i < t->shapes.count; i++) {
        if (t->row[i].engines && !t->row[i].engine.compiled)
            keys[count++] = t->shapes.keys[i];
    }
    return count;
}

static void build(struct table *t, const struct plan_key *keys, int count)
{
    struct plans *p = open_plans(t->options, WORKERS, NULL);
    struct plans_report report;
    struct why why = {{0}};

    if (plans_build(p, keys, count, NULL, &report, &why))
        fail(t, &keys[0], "plans_build", why.text);
    if (report.plans != count || report.missing)
        fail(t, &keys[0], "plans_build left some out", "");
    for (int i = 0; i < count; i++)
        if (!plans_find(p, &keys[i]))
            fail(t, &keys[i], "no one engine for all sizes", "");
    printf("plans_build: %d families, %d plans, %d missing, %.1f s, %.1f MiB of workspace\n",
           report.families, report.plans, report.missing, report.ms * 1e-3,
           (double)plans_workspace(p) / (1 << 20));
    if (plans_build(p, keys, count, NULL, &report, &why) || report.families)
        fail(t, &keys[0], "what is there was built again", "");
    plans_close(&p);
}

/* The first family, built from a record: what a room has to survive, and what it must use. */
static struct plans_report recall(struct table *t, const struct plan_key *key, const char *value)
{
    const struct plan_store_machine machine = {
        .device = "described", .capability = 90, .driver = 1};
    struct plan_store *store;
    struct plans_report report = {0};
    char text[PLAN_TEXT_MAX];
    struct why why = {{0}};
    struct plans *p;

    if (plan_store_open(&store, "/nonexistent/plans", &machine, &why))
        abort();
    p = open_plans(t->options, 1, store);
    plan_key_write(text, key, true);
    if (plan_store_put(
            store,
            &(struct plan_store_record){
                .room = "cudnn", .library = plans_library(p), .key = text, .value = value, .us = 1},
            &why) ||
        plans_build(p, key, 1, NULL, &report, &why) || !plans_find(p, key))
        fail(t, key, value, why.text);
    plans_close(&p);
    plan_store_close(&store);
    return report;
}

static void build_from_records(struct table *t, const struct plan_key *key)
{
    static const char *const wrong[] = {"999999", "0:1=1", "41:", "41:2=99999", "x", "-1", "1:1"};
    struct plan_engine engines[ENGINES_MAX];
    struct plans *p = open_plans(t->options, 1, NULL);
    char value[PLAN_ENGINE_MAX];
    struct why why = {{0}};
    int count = 0;

    if (plans_list(p, key, engines, ENGINES_MAX, &count, &why) || count < 2)
        fail(t, key, "too few engines", why.text);
    plans_close(&p);
    for (int i = 0; i < count && i < 4; i++) {
        if (engines[i].compiled)
            continue;
        plan_engine_write(value, &engines[i]);
        if (recall(t, key, value).remembered != 1)
            fail(t, key, "a good record was not used", value);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (recall(t, key, wrong[i]).remembered)
            fail(t, key, "a wrong record was used", wrong[i]);
}

/* Records are found by a key's text: no two may share one. */
static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void tell_apart(struct table *t)
{
    char(*text)[PLAN_TEXT_MAX] = calloc((size_t)t->shapes.count, sizeof(*text));

    if (!text)
        abort();
    for (int i = 0; i < t->shapes.count; i++)
        plan_key_write(text[i], &t->shapes.keys[i], false);
    qsort(text, (size_t)t->shapes.count, sizeof(*text), by_text);
    for (int i = 1; i < t->shapes.count; i++)
        if (!strcmp(text[i - 1], text[i]))
            fail(t, &t->shapes.keys[0], "two keys have one text", text[i]);
    free(text);
}

/* A description must come out as it went in, or one taken from a device could not be kept. */
static void describe(struct table *t)
{
    struct plans *p = open_plans(t->options, 1, NULL);
    char json[JSON_MAX], tight[16];
    struct why why = {{0}};

    if (plans_describe(p, json, sizeof(json), &why) || strcmp(json, t->options->json))
        fail(t, &t->shapes.keys[0], "the device is described otherwise", why.text);
    if (plans_describe(p, tight, sizeof(tight), &why) != ST_FULL)
        fail(t, &t->shapes.keys[0], "a description was cut", "");
    plans_close(&p);
}

static int describe_own(void)
{
    char json[JSON_MAX];
    struct plans *p;
    struct why why;
    enum status st = plans_open(&p, &(struct plans_options){.threads = 1}, &why);

    if (!st)
        st = plans_describe(p, json, sizeof(json), &why);
    if (st)
        fprintf(stderr, "cudnn_plans: %s\n", why.text);
    else
        puts(json);
    plans_close(&p);
    return st != ST_OK;
}

/* What the program meets at its start on most machines. */
static void open_without_a_device(struct table *t)
{
    struct plans *p;
    struct why why = {{0}};

    if (plans_open(&p, &(struct plans_options){.threads = 1}, &why) && (p || !*why.text))
        fail(t, &t->shapes.keys[0], "no device, and no word about it", "");
    plans_close(&p);
}

/* Telling */

/* A family in one line. */
struct line {
    int sizes, tried, fewest, most; /* batch sizes; engines offered */
    enum plan_outcome outcome;      /* the worst */
    double ms;                      /* the longest */
    int64_t workspace;              /* the largest */
};

static struct line sum_up(const struct table *t, int first, bool *done)
{
    struct line l = {.fewest = ENGINES_MAX};

    for (int i = first; i < t->shapes.count; i++) {
        const struct row *r = &t->row[i];

        if (!is_family(t->shapes.keys[first], t->shapes.keys[i]))
            continue;
        done[i] = true;
        l.sizes++;
        l.fewest = r->engines < l.fewest ? r->engines : l.fewest;
        l.most = r->engines > l.most ? r->engines : l.most;
        l.tried += r->tried;
        if (r->tried && r->trial.outcome > l.outcome)
            l.outcome = r->trial.outcome;
        if (r->tried && r->trial.ms > l.ms)
            l.ms = r->trial.ms;
        if (r->trial.workspace > l.workspace)
            l.workspace = r->trial.workspace;
    }
    return l;
}

static void write_line(FILE *f, const struct table *t, int first, const struct line *l)
{
    static const char *const outcomes[] = {"ready", "compiled", "refused"};
    char text[PLAN_TEXT_MAX], engine[PLAN_ENGINE_MAX];

    plan_key_write(text, &t->shapes.keys[first], true);
    plan_engine_write(engine, &t->row[first].engine);
    fprintf(f, "%s\t%d\t%d\t%d\t%s\t%s\t", text, l->sizes, l->fewest, l->most, engine,
            l->tried < l->sizes ? "listed" : outcomes[l->outcome]);
    if (l->tried && l->outcome == PLAN_READY)
        fprintf(f, "%.1f\t%lld\n", l->ms, (long long)l->workspace);
    else if (l->tried)
        fprintf(f, "%.0f\t-\n", l->ms);
    else
        fprintf(f, "-\t-\n");
}

static void write_table(const struct table *t)
{
    FILE *f = fopen(t->options->tsv, "w");
    bool *done = calloc((size_t)t->shapes.count, sizeof(*done));

    if (!f || !done) {
        perror(t->options->tsv);
        exit(1);
    }
    fprintf(f, "graph\tbatch sizes\tengines, fewest\tmost\tengine\toutcome\tms\tworkspace\n");
    for (int i = 0; i < t->shapes.count; i++) {
        struct line l;

        if (done[i])
            continue;
        l = sum_up(t, i, done);
        write_line(f, t, i, &l);
    }
    free(done);
    fclose(f);
}

static void read_options(struct options *o, int argc, char **argv)
{
    FILE *f = fopen("tests/cudnn/h100.json", "r");

    if (!f) {
        perror("tests/cudnn/h100.json");
        exit(1);
    }
    o->json[fread(o->json, 1, sizeof(o->json) - 1, f)] = '\0';
    fclose(f);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--all")) {
            o->all = true;
        } else if (!strncmp(argv[i], "--tsv=", 6)) {
            o->tsv = argv[i] + 6;
        } else {
            printf("usage: cudnn_plans --describe | [--all] [--tsv=FILE]\n");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct options options;
    struct table t = {.options = &options};
    struct plan_key *keys;
    int count, compiled = 0;

    log_set_level(LOG_OFF);
    if (argc == 2 && !strcmp(argv[1], "--describe"))
        return describe_own();
    read_options(&options, argc, argv);
    shapes_all(&t.shapes, options.all);
    t.row = calloc((size_t)t.shapes.count, sizeof(*t.row));
    keys = calloc((size_t)t.shapes.count, sizeof(*keys));
    if (!t.row || !keys)
        abort();
    tell_apart(&t);
    describe(&t);
    open_without_a_device(&t);
    go_through(&t, ask);
    choose(&t);
    go_through(&t, try_first);
    for (int i = 0; i < t.shapes.count; i++)
        compiled += t.row[i].engine.compiled;
    printf("%d graphs, %d by an engine that is compiled first\n", t.shapes.count, compiled);
    count = ready_keys(&t, keys);
    if (count) {
        build(&t, keys, count);
        build_from_records(&t, &keys[0]);
    }
    if (options.tsv)
        write_table(&t);
    printf("%d failures\n", atomic_load(&t.failures));
    free(keys);
    free(t.row);
    free(t.shapes.keys);
    return t.failures || !count;
}
