/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/simulation.h"

#include "base/json.h"
#include "engine/simulate.h"
#include "server/bench/flag.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX    20000000
#define LOADS_MAX       16
#define BATCH_MAX       32
#define DEADLINE_MS_MAX 86400000
#define SEED_MAX        9007199254740991.0 /* 2^53 - 1 */

static const char help[] =
    "limner bench --simulate - the scheduler on a virtual day, beside simpler ones\n\n"
    "    limner bench --simulate [OPTION...]\n\n"
    "    --mix NAME          sd15, sdxl or both: what is asked for; sd15 without it\n"
    "    --kind MODEL:WIDTHxHEIGHT:STEPS[:SHARE[:DEADLINE_MS[:TENANT]]]\n"
    "                        instead of a mix; may be said several times\n"
    "    --load F[,F...]     of what the devices can make at best; 0.8 without it\n"
    "    --rate R            or requests per second\n"
    "    --requests N        100000 without it; at most 20000000\n"
    "    --deadline-ms MS    of every request that has none of its own; 5000 without it; 0: none\n"
    "    --devices N         1 without it\n"
    "    --batch N           pictures that a device may take through a step; 32 without it\n"
    "    --policy NAME       limner, static or single; all three without it\n"
    "    --costs FILE        a server's STATE/costs.tsv instead of the table for an H100\n"
    "    --seed N            another day\n"
    "    --json              numbers for programs\n\n"
    "limner: shares, deadlines, early refusals. static: first come, first served, in batches that\n"
    "end together. single: one picture at a time. The table for an H100 is made of published\n"
    "figures for one picture at a time (SD 1.5 104.6, SDXL 21.6 steps/s; decoding 30 and 127 ms)\n"
    "and of estimates for batches (11 and 12 pictures/s of SD 1.5 at 8 and 32, 1.6 and 1.77 of\n"
    "SDXL); nothing in it was measured with limner.\n";

static const char *const policy_names[POLICY_COUNT] = {"limner", "static", "single"};

/* What is known of a machine without having one. Milliseconds of a step by pictures with guidance
   and of decoding one. */
static const struct {
    const char *model;
    int size, pictures;
    double step_ms;
} h100_steps[] = {{"sd15", 512, 1, 9.56},  {"sd15", 512, 8, 24.4},   {"sd15", 512, 32, 85.3},
                  {"sdxl", 1024, 1, 46.3}, {"sdxl", 1024, 8, 199.2}, {"sdxl", 1024, 32, 700.8}};

static const struct {
    const char *model;
    int size;
    double rest_ms;
} h100_rests[] = {{"sd15", 512, 30}, {"sdxl", 1024, 127}};

enum flag {
    FLAG_HELP = 'h',
    FLAG_JSON = 256,
    FLAG_COSTS,
    FLAG_MIX,
    FLAG_KIND,
    FLAG_LOAD,
    FLAG_POLICY,
    FLAG_RATE,
    FLAG_REQUESTS,
    FLAG_DEADLINE,
    FLAG_SEED,
    FLAG_DEVICES,
    FLAG_BATCH,
};

struct plan {
    struct simulate_kind kinds[SIMULATE_KINDS_MAX];
    const char *models[SIMULATE_KINDS_MAX]; /* names, by number */
    char names[SIMULATE_KINDS_MAX][32];
    int kind_count, model_count;
    double load[LOADS_MAX], rate;
    int load_count;
    int64_t requests, deadline_ms, seed, devices, batch;
    int policy; /* below 0: all */
    const char *costs_path;
    bool json, help;
    struct costs costs;
};

/* --- what is asked for ------------------------------------------------------------------- */

static int model_of(struct plan *p, const char *name)
{
    for (int i = 0; i < p->model_count; i++)
        if (!strcmp(p->models[i], name))
            return i;
    snprintf(p->names[p->model_count], sizeof(p->names[0]), "%s", name);
    p->models[p->model_count] = p->names[p->model_count];
    return p->model_count++;
}

static bool add_kind(struct plan *p, const char *text)
{
    struct simulate_kind *k = &p->kinds[p->kind_count];
    char model[32];
    long long deadline_ms = -1;

    if (p->kind_count == SIMULATE_KINDS_MAX)
        return false;
    *k = (struct simulate_kind){.share = 1, .weight = 1, .rows = 2};
    if (sscanf(text, "%31[^:]:%dx%d:%d:%lf:%lld:%d", model, &k->shape.width, &k->shape.height,
               &k->steps, &k->share, &deadline_ms, &k->tenant) < 4)
        return false;
    if (k->shape.width < 8 || k->shape.height < 8 || k->shape.width > 8192 ||
        k->shape.height > 8192 || k->steps < 1 || k->steps > 1000 || !(k->share > 0) ||
        k->share > 1e9 || k->tenant < 0 || k->tenant >= SCHEDULE_TENANTS_MAX ||
        deadline_ms > DEADLINE_MS_MAX)
        return false;
    k->deadline_us = deadline_ms * 1000; /* below 0: everybody's */
    k->shape.model = model_of(p, model);
    snprintf(k->name, sizeof(k->name), "%.12s %dx%d %d", model, k->shape.width % 10000,
             k->shape.height % 10000, k->steps % 10000);
    p->kind_count++;
    return true;
}

static bool add_mix(struct plan *p, const char *name)
{
    bool both = !strcmp(name, "both");

    if (both || !strcmp(name, "sd15")) {
        if (!add_kind(p, "sd15:512x512:20:8"))
            return false;
    }
    if (both || !strcmp(name, "sdxl"))
        return add_kind(p, "sdxl:1024x1024:20:2") && add_kind(p, "sdxl:1024x1024:30:1");
    return both || !strcmp(name, "sd15");
}

static bool read_loads(struct plan *p, const char *text)
{
    char *end;

    for (p->load_count = 0; p->load_count < LOADS_MAX; text = end + 1) {
        double load = strtod(text, &end);

        if (end == text || !(load > 0) || load > 100)
            return false;
        p->load[p->load_count++] = load;
        if (*end != ',')
            return !*end;
    }
    return false;
}

static bool read_policy(struct plan *p, const char *name)
{
    for (p->policy = 0; p->policy < POLICY_COUNT; p->policy++)
        if (!strcmp(policy_names[p->policy], name))
            return true;
    return false;
}

static enum status good(bool is, const char *flag, const char *value, struct why *why)
{
    return is ? ST_OK
              : why_fail(why, ST_INVALID,
                         "%s does not take '%.64s'; limner bench --simulate --help says what it "
                         "takes",
                         flag, value);
}

static enum status take_flag(struct plan *p, int flag, const char *value, struct why *why)
{
    switch (flag) {
    case FLAG_HELP:
        p->help = true;
        return ST_OK;
    case FLAG_JSON:
        p->json = true;
        return ST_OK;
    case FLAG_COSTS:
        p->costs_path = value;
        return ST_OK;
    case FLAG_MIX:
        return good(add_mix(p, value), "--mix", value, why);
    case FLAG_KIND:
        return good(add_kind(p, value), "--kind", value, why);
    case FLAG_LOAD:
        return good(read_loads(p, value), "--load", value, why);
    case FLAG_POLICY:
        return good(read_policy(p, value), "--policy", value, why);
    case FLAG_RATE:
        return flag_number(&p->rate, value, (struct flag_range){"--rate", 1e-4, 1e6, false}, why);
    case FLAG_REQUESTS:
        return flag_int(&p->requests, value, "--requests", 1, REQUESTS_MAX, why);
    case FLAG_DEADLINE:
        return flag_int(&p->deadline_ms, value, "--deadline-ms", 0, DEADLINE_MS_MAX, why);
    case FLAG_SEED:
        return flag_int(&p->seed, value, "--seed", 0, SEED_MAX, why);
    case FLAG_DEVICES:
        return flag_int(&p->devices, value, "--devices", 1, SCHEDULE_LANES_MAX, why);
    case FLAG_BATCH:
        return flag_int(&p->batch, value, "--batch", 1, BATCH_MAX, why);
    default:
        return why_fail(why, ST_INVALID, "limner bench --simulate --help lists the flags");
    }
}

static enum status read_plan(struct plan *p, int count, char **args, struct why *why)
{
    static const struct option options[] = {{"help", no_argument, NULL, FLAG_HELP},
                                            {"json", no_argument, NULL, FLAG_JSON},
                                            {"costs", required_argument, NULL, FLAG_COSTS},
                                            {"mix", required_argument, NULL, FLAG_MIX},
                                            {"kind", required_argument, NULL, FLAG_KIND},
                                            {"load", required_argument, NULL, FLAG_LOAD},
                                            {"policy", required_argument, NULL, FLAG_POLICY},
                                            {"rate", required_argument, NULL, FLAG_RATE},
                                            {"requests", required_argument, NULL, FLAG_REQUESTS},
                                            {"deadline-ms", required_argument, NULL, FLAG_DEADLINE},
                                            {"seed", required_argument, NULL, FLAG_SEED},
                                            {"devices", required_argument, NULL, FLAG_DEVICES},
                                            {"batch", required_argument, NULL, FLAG_BATCH},
                                            {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = take_flag(p, flag, optarg, why);
    if (!st && optind != count + 1)
        return why_fail(why, ST_INVALID, "'%.32s' is too much", args[optind - 1]);
    if (!st && p->rate > 0 && p->load_count)
        return why_fail(why, ST_INVALID, "say either --load or --rate");
    return st;
}

/* --- the table --------------------------------------------------------------------------- */

static void fill_h100(struct plan *p)
{
    for (size_t i = 0; i < sizeof(h100_steps) / sizeof(h100_steps[0]); i++)
        for (int m = 0; m < p->model_count; m++)
            if (!strcmp(p->models[m], h100_steps[i].model))
                cost_learn_step(
                    &p->costs, (struct cost_shape){m, h100_steps[i].size, h100_steps[i].size},
                    2 * h100_steps[i].pictures, (int64_t)(1000 * h100_steps[i].step_ms));
    for (size_t i = 0; i < sizeof(h100_rests) / sizeof(h100_rests[0]); i++)
        for (int m = 0; m < p->model_count; m++)
            if (!strcmp(p->models[m], h100_rests[i].model))
                cost_learn_rest(&p->costs,
                                (struct cost_shape){m, h100_rests[i].size, h100_rests[i].size},
                                (int64_t)(1000 * h100_rests[i].rest_ms));
}

static void fill_costs(struct plan *p)
{
    if (p->costs_path)
        cost_load(&p->costs, p->costs_path, NULL, p->models, p->model_count);
    else
        fill_h100(p);
}

/* --- what came --------------------------------------------------------------------------- */

static double share_of(int64_t part, int64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_line(const char *name, const struct simulate_result *r)
{
    printf("  %-22s %9lld %8.2f %8.2f %8.2f %8.3f %8.3f %8.3f %8.2f\n", name, (long long)r->asked,
           share_of(r->in_time, r->asked), share_of(r->refused, r->asked),
           share_of(r->late, r->asked), r->p50_s, r->p95_s, r->p99_s, r->p95_s / r->alone_s);
}

static void print_text(const struct plan *p, int policy, double load, double rate,
                       const struct simulate_report *r)
{
    printf(
        "%s, load %.2f: %.2f asked/s, %.2f made/s, %.2f in time/s; busy %.0f %%, %.1f pictures a "
        "step; forecasts are wrong by %.0f %%\n",
        policy_names[policy], load, rate, r->done_per_s, r->in_time_per_s, 100 * r->busy,
        r->occupancy, 100 * r->forecast_error);
    printf("  %-22s %9s %8s %8s %8s %8s %8s %8s %8s\n", "", "asked", "in time%", "refused%",
           "late%", "p50 s", "p95 s", "p99 s", "p95/alone");
    print_line("all", &r->all);
    for (int k = 0; p->kind_count > 1 && k < p->kind_count; k++)
        print_line(p->kinds[k].name, &r->kind[k]);
    fflush(stdout);
}

static void write_result(struct json_out *o, const char *name, const struct simulate_result *r)
{
    json_out_object(o, NULL);
    json_out_string(o, "kind", name);
    json_out_int(o, "asked", r->asked);
    json_out_int(o, "done", r->done);
    json_out_int(o, "in_time", r->in_time);
    json_out_int(o, "refused", r->refused);
    json_out_int(o, "late", r->late);
    json_out_int(o, "p50_us", (int64_t)(r->p50_s * 1e6));
    json_out_int(o, "p95_us", (int64_t)(r->p95_s * 1e6));
    json_out_int(o, "p99_us", (int64_t)(r->p99_s * 1e6));
    json_out_int(o, "alone_us", (int64_t)(r->alone_s * 1e6));
    json_out_object_end(o);
}

static void write_report(struct json_out *o, const struct plan *p, int policy, double load,
                         const struct simulate_report *r)
{
    json_out_object(o, NULL);
    json_out_string(o, "policy", policy_names[policy]);
    json_out_int(o, "load_permille", (int64_t)lround(1000 * load));
    json_out_int(o, "duration_ms", (int64_t)(1000 * r->duration_s));
    json_out_int(o, "busy_permille", (int64_t)(1000 * r->busy));
    json_out_int(o, "occupancy_permille", (int64_t)(1000 * r->occupancy));
    json_out_array(o, "kinds");
    write_result(o, "all", &r->all);
    for (int k = 0; k < p->kind_count; k++)
        write_result(o, p->kinds[k].name, &r->kind[k]);
    json_out_array_end(o);
    json_out_object_end(o);
}

/* --- running ----------------------------------------------------------------------------- */

static enum status run_one(const struct plan *p, int policy, double load, struct json_out *o,
                           struct why *why)
{
    double most =
        (double)p->devices * simulate_saturation(&p->costs, p->kinds, p->kind_count, (int)p->batch);
    const struct simulate_options options = {
        .policy = (enum policy)policy,
        .costs = &p->costs,
        .kinds = p->kinds,
        .kind_count = p->kind_count,
        .rate = p->rate > 0 ? p->rate : load * most,
        .requests = p->requests,
        .seed = (uint64_t)p->seed,
        .lanes = (int)p->devices,
        .batch_max = (int)p->batch,
        .encode_us = 5000,
    };
    struct simulate_report report;
    enum status st = most > 0 ? simulate_run(&options, &report, why)
                              : why_fail(why, ST_INVALID,
                                         "the table knows none of these models: --costs FILE "
                                         "takes one that a server has measured");

    if (st)
        return st;
    if (p->json)
        write_report(o, p, policy, options.rate / most, &report);
    else
        print_text(p, policy, options.rate / most, options.rate, &report);
    return ST_OK;
}

static enum status run_all(const struct plan *p, struct json_out *o, struct why *why)
{
    enum status st = ST_OK;

    for (int l = 0; l < p->load_count && !st; l++)
        for (int policy = 0; policy < POLICY_COUNT && !st; policy++)
            if (p->policy < 0 || p->policy == policy)
                st = run_one(p, policy, p->load[l], o, why);
    return st;
}

/* What was not said. */
static void finish_plan(struct plan *p)
{
    if (!p->kind_count)
        add_mix(p, "sd15");
    if (!p->load_count)
        p->load[p->load_count++] = 0.8;
    for (int k = 0; k < p->kind_count; k++)
        if (p->kinds[k].deadline_us < 0)
            p->kinds[k].deadline_us = 1000 * p->deadline_ms;
    fill_costs(p);
}

static enum status simulate(struct plan *p, struct why *why)
{
    struct json_out o = {0};
    enum status st;

    finish_plan(p);
    json_out_array(&o, NULL);
    st = run_all(p, &o, why);
    json_out_array_end(&o);
    if (!st && p->json && o.failed)
        st = why_fail(why, ST_FULL, "out of memory");
    if (!st && p->json)
        printf("%.*s\n", (int)o.bytes, o.text);
    json_out_close(&o);
    return st;
}

int simulation_run(int count, char **args)
{
    struct plan *p = calloc(1, sizeof(*p));
    struct why why = {""};
    enum status st;
    int code = 0;

    if (!p)
        return 1;
    *p = (struct plan){
        .requests = 100000, .deadline_ms = 5000, .devices = 1, .batch = 32, .policy = -1};
    st = read_plan(p, count, args, &why);
    if (st) {
        code = 2;
    } else if (p->help) {
        fputs(help, stdout);
    } else {
        st = simulate(p, &why);
        code = st ? 1 : 0;
    }
    if (st)
        fprintf(stderr, "limner bench: %s\n", why.text);
    free(p);
    return code;
}
