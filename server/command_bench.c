/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/flag.h"
#include "server/bench/load.h"
#include "server/bench/plot.h"
#include "server/bench/report.h"
#include "server/bench/run.h"
#include "server/bench/simulation.h"
#include "server/command_line.h"
#include "server/commands.h"
#include "server/save.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND     "limner bench"
#define KEY_ENV     "LIMNER_API_KEY"
#define RATE_MAX    1e6
#define SECONDS_MAX (ARRIVALS_DAYS_MAX * 86400.0)
#define SEED_MAX    9007199254740991.0 /* 2^53 - 1: each has its double */

static const char help[] =
    "limner bench - load a server, and say how long answers take and how many are in time\n\n"
    "    limner bench --rate R [flags]        requests come at random, R per second in the mean\n"
    "    limner bench --trace FILE [flags]    requests come as a file says\n"
    "    limner bench --simulate --help       a day of requests on a virtual clock, no server\n\n"
    "    --url URL           the server (http://127.0.0.1:8080)\n"
    "    --requests N        end after so many\n"
    "    --duration S        end after so many seconds (30, when no --requests is said)\n"
    "    --warmup S          seconds before that are sent and not measured (0)\n"
    "    --mix FIELDS        a kind of request; may be said again, with weights:\n"
    "                        name=small,weight=3,size=512x512,steps=4,deadline_ms=2000\n"
    "                        Fields: name weight model prompt negative size steps n seed guidance\n"
    "                        sampler format priority deadline_ms key_env\n"
    "    --mix-file FILE     kinds as JSON: {\"kinds\": [{\"name\": \"small\", \"weight\": 3}, "
    "...]}\n"
    "    --deadline MS       of kinds that state none; sent as x-request-deadline-ms\n"
    "    --timeout S         after which a request is given up, from when it was due (300)\n"
    "    --connections N     at most so many requests under way (256)\n"
    "    --seed N            the same seed gives the same run (1)\n"
    "    --json FILE         the report for programs\n"
    "    --svg FILE          the report as a picture\n\n"
    "A line of a trace has milliseconds since the start and the name of a kind. The API key is "
    "read\n"
    "from " KEY_ENV ", or for a kind from the variable that its key_env names.\n\n"
    "Requests are sent when they are due, however slow the answers are, and latency counts from "
    "that\n"
    "moment. What is refused, times out or breaks is a miss. The exit code is 1 when nothing was\n"
    "answered.\n";

enum flag {
    FLAG_HELP = 'h',
    FLAG_URL = 256,
    FLAG_RATE,
    FLAG_TRACE,
    FLAG_REQUESTS,
    FLAG_DURATION,
    FLAG_WARMUP,
    FLAG_MIX,
    FLAG_MIX_FILE,
    FLAG_DEADLINE,
    FLAG_TIMEOUT,
    FLAG_CONNECTIONS,
    FLAG_SEED,
    FLAG_JSON,
    FLAG_SVG,
};

struct wish {
    struct arrivals_options arrivals;
    struct run_options run;
    struct mix mix;
    int64_t deadline_ms;
    const char *trace, *json, *svg;
    bool help;
};

static int complain(const struct why *why, int code)
{
    return command_line_complain(COMMAND, why, code);
}

/* ---- flags ---- */

static enum status read_seconds(int64_t *out_us, const char *text, const char *flag, double low,
                                struct why *why)
{
    double value = 0;
    enum status st =
        flag_number(&value, text, (struct flag_range){flag, low, SECONDS_MAX, false}, why);

    *out_us = st ? 0 : (int64_t)(value * 1e6);
    return st;
}

static enum status take_number(struct wish *w, int flag, const char *value, struct why *why)
{
    struct arrivals_options *a = &w->arrivals;
    int64_t number;
    enum status st;

    switch (flag) {
    case FLAG_RATE:
        return flag_number(&a->rate, value, (struct flag_range){"--rate", 1e-4, RATE_MAX, false},
                           why);
    case FLAG_REQUESTS:
        return flag_int(&a->requests, value, "--requests", 1, ARRIVALS_MAX, why);
    case FLAG_DURATION:
        return read_seconds(&a->duration_us, value, "--duration", 0.001, why);
    case FLAG_WARMUP:
        return read_seconds(&a->warmup_us, value, "--warmup", 0, why);
    case FLAG_TIMEOUT:
        return read_seconds(&w->run.timeout_us, value, "--timeout", 0.001, why);
    case FLAG_DEADLINE:
        return flag_int(&w->deadline_ms, value, "--deadline", 1, MIX_DEADLINE_MS, why);
    case FLAG_CONNECTIONS:
        st = flag_int(&number, value, "--connections", 1, LOAD_CONNECTIONS_MAX, why);
        w->run.connections = (int)number;
        return st;
    case FLAG_SEED:
        st = flag_int(&number, value, "--seed", 0, SEED_MAX, why);
        a->seed = (uint64_t)number;
        return st;
    default:
        return why_fail(why, ST_INVALID, "limner bench --help lists the flags");
    }
}

static enum status take_flag(struct wish *w, int flag, const char *value, struct why *why)
{
    switch (flag) {
    case FLAG_URL:
        w->run.url = value;
        return ST_OK;
    case FLAG_TRACE:
        w->trace = value;
        return ST_OK;
    case FLAG_MIX:
        return mix_add(&w->mix, value, why);
    case FLAG_MIX_FILE:
        return mix_load(&w->mix, value, why);
    case FLAG_JSON:
        w->json = value;
        return ST_OK;
    case FLAG_SVG:
        w->svg = value;
        return ST_OK;
    case FLAG_HELP:
        w->help = true;
        return ST_OK;
    default:
        return take_number(w, flag, value, why);
    }
}

static enum status check(struct wish *w, struct why *why)
{
    bool poisson = w->arrivals.rate > 0;

    if (w->help)
        return ST_OK;
    if (poisson == (w->trace != NULL))
        return why_fail(why, ST_INVALID, "say either --rate or --trace");
    if (poisson && !w->arrivals.requests && !w->arrivals.duration_us)
        w->arrivals.duration_us = 30 * 1000000;
    return mix_complete(&w->mix, w->deadline_ms, KEY_ENV, why);
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, FLAG_HELP},
        {"url", required_argument, NULL, FLAG_URL},
        {"rate", required_argument, NULL, FLAG_RATE},
        {"trace", required_argument, NULL, FLAG_TRACE},
        {"requests", required_argument, NULL, FLAG_REQUESTS},
        {"duration", required_argument, NULL, FLAG_DURATION},
        {"warmup", required_argument, NULL, FLAG_WARMUP},
        {"mix", required_argument, NULL, FLAG_MIX},
        {"mix-file", required_argument, NULL, FLAG_MIX_FILE},
        {"deadline", required_argument, NULL, FLAG_DEADLINE},
        {"timeout", required_argument, NULL, FLAG_TIMEOUT},
        {"connections", required_argument, NULL, FLAG_CONNECTIONS},
        {"seed", required_argument, NULL, FLAG_SEED},
        {"json", required_argument, NULL, FLAG_JSON},
        {"svg", required_argument, NULL, FLAG_SVG},
        {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.arrivals = {.seed = 1},
                       .run = {.url = "http://127.0.0.1:8080",
                               .connections = 256,
                               .timeout_us = 300 * 1000000,
                               .progress = isatty(STDERR_FILENO)}};
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = take_flag(w, flag, optarg, why);
    if (!st && optind != count + 1)
        return why_fail(why, ST_INVALID, "'%.32s' is too much", args[optind - 1]);
    return st ? st : check(w, why);
}

/* ---- what is said ---- */

/* All that a report is made of. */
struct outcome {
    const struct wish *wish;
    struct samples samples;
    struct report report;
    struct report_about about;
};

static enum status save_json(const struct outcome *o, struct why *why)
{
    struct json_out json = {0};
    enum status st;

    report_json(&json, &o->report, &o->samples, &o->wish->mix, &o->about);
    if (json.failed)
        st = why_fail(why, ST_FULL, "out of memory");
    else
        st = save_file(o->wish->json, json.text, json.bytes, why);
    json_out_close(&json);
    return st;
}

static enum status save_svg(const struct outcome *o, struct why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    enum status st =
        file ? plot_write(file, &o->report, &o->samples, &o->wish->mix, &o->about) : ST_FULL;

    if (file && fclose(file))
        st = ST_FULL;
    if (st)
        why_fail(why, st, "out of memory");
    else
        st = save_file(o->wish->svg, text, bytes, why);
    free(text);
    return st;
}

/* The text comes first: it is there even when a file cannot be written. */
static int tell(struct outcome *o)
{
    struct why why = {""};
    int code = 0;

    if (report_make(&o->report, &o->samples, &o->wish->mix))
        return complain(&(struct why){"out of memory"}, 1);
    report_print(stdout, &o->report, &o->samples, &o->wish->mix, &o->about);
    if (fflush(stdout))
        code = complain(&(struct why){"the report could not be written"}, 1);
    if (o->wish->json && save_json(o, &why))
        code = complain(&why, 1);
    if (o->wish->svg && save_svg(o, &why))
        code = complain(&why, 1);
    return o->report.ok ? code : 1;
}

static int measure(const struct wish *w, const struct arrivals *arrivals)
{
    struct outcome o = {.wish = w,
                        .about = {.url = w->run.url,
                                  .arrivals = w->trace ? w->trace : "poisson",
                                  .rate = w->arrivals.rate,
                                  .seed = w->arrivals.seed}};
    struct why why = {""};
    enum status st = run_bench(&o.samples, arrivals, &w->mix, &w->run, &o.about.ended_early, &why);
    int code;

    if (st)
        return complain(&why, st == ST_INVALID ? 2 : 1);
    code = tell(&o);
    run_close(&o.samples);
    return code;
}

static int bench(const struct wish *w)
{
    struct arrivals arrivals;
    struct why why = {""};
    enum status st;
    int code;

    if (w->trace)
        st = arrivals_load(&arrivals, w->trace, &w->arrivals, &w->mix, &why);
    else
        st = arrivals_poisson(&arrivals, &w->arrivals, &w->mix, &why);
    if (st)
        return complain(&why, st == ST_INVALID ? 2 : 1);
    code = measure(w, &arrivals);
    arrivals_close(&arrivals);
    return code;
}

int command_bench(int count, char **args)
{
    struct why why = {""};
    struct wish *w;
    int code = 0;

    if (count > 0 && !strcmp(args[0], "--simulate"))
        return simulation_run(count - 1, args + 1);
    w = malloc(sizeof(*w)); /* a mix is large for a stack */
    if (!w)
        return complain(&(struct why){"out of memory"}, 1);
    if (read_wish(w, count, args, &why))
        code = complain(&why, 2);
    else if (w->help)
        fputs(help, stdout);
    else
        code = bench(w);
    free(w);
    return code;
}
