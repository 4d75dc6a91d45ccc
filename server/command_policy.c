/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/capacity.h"
#include "moderation/replay.h"
#include "moderation/wilson.h"
#include "server/command_line.h"
#include "server/commands.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND     "limner policy"
#define CONFIDENCE  0.95
#define TRAFFIC_MAX 1e9
#define MOVES_SHOWN 20

static const char help[] =
    "limner policy - look at a moderation policy before it decides anything\n\n"
    "    limner policy check FILE                  is it right? What is not has a line\n"
    "    limner policy simulate FILE --scores S    what it would have done with recorded scores\n"
    "    limner policy diff OLD NEW --scores S     which pictures NEW treats in another way\n\n"
    "    --scores FILE       a line of JSON for each picture: {\"id\", \"tenant\", \"context\", "
    "\"model\",\n"
    "                        \"scores\": {\"main\": [...], \"second\": [...]}, \"action\"}; - is "
    "standard input\n"
    "    --baseline FILE     compare with this policy (else with the recorded \"action\")\n"
    "    --traffic N         pictures a day: how much work is that for the reviewers?\n"
    "    --reviewers N       so many of them (else the policy's capacity.reviewers)\n"
    "    --override REASON   say yes though the reviewers would have too much to do\n"
    "    --json              for programs\n\n"
    "The exit code is 1 when the file is not right, or when the reviewers would be busier than "
    "the\n"
    "policy's capacity.max_utilisation. Appeals are not in the forecast: nobody knows them "
    "before.\n";

struct wish {
    const char *word, *file, *other; /* of the command; other: the baseline */
    const char *scores, *override;
    double traffic;
    int reviewers; /* 0: the policy's */
    bool json, help;
};

/* A picture that is treated in another way. */
struct move {
    char id[48];
    enum band from, to;
};

struct outcome {
    struct policy *policy, *baseline;
    struct replay replay;
    struct policy_capacity capacity;
    struct capacity_forecast forecast;
    bool too_much; /* for the reviewers */
    int shown;
    struct move moves[MOVES_SHOWN]; /* the first ones */
};

static int complain(const struct why *why, int code)
{
    return command_line_complain(COMMAND, why, code);
}

/* ---- flags ---- */

static enum status read_number(double *out, const char *text, double low, double high,
                               const char *flag, struct why *why)
{
    char *end;

    errno = 0;
    *out = strtod(text, &end);
    if (errno || end == text || *end || !(*out >= low && *out <= high))
        return why_fail(why, ST_INVALID, "%s takes a number from %g to %g, not '%.32s'", flag, low,
                        high, text);
    return ST_OK;
}

static enum status take_flag(struct wish *w, int flag, const char *value, struct why *why)
{
    double number = 0;
    enum status st = ST_OK;

    switch (flag) {
    case 's':
        w->scores = value;
        return ST_OK;
    case 'b':
        w->other = value;
        return ST_OK;
    case 't':
        return read_number(&w->traffic, value, 1, TRAFFIC_MAX, "--traffic", why);
    case 'r':
        st = read_number(&number, value, 1, 100000, "--reviewers", why);
        w->reviewers = (int)number;
        return st;
    case 'o':
        w->override = value;
        return *value ? ST_OK : why_fail(why, ST_INVALID, "--override takes a reason");
    case 'j':
        w->json = true;
        return ST_OK;
    case 'h':
        w->help = true;
        return ST_OK;
    default:
        return why_fail(why, ST_INVALID, "limner policy --help says what there is");
    }
}

static enum status read_words(struct wish *w, int count, char **words, struct why *why)
{
    static const struct {
        const char *word;
        int count;
        const char *usage;
    } known[] = {{"check", 2, "limner policy check FILE"},
                 {"simulate", 2, "limner policy simulate FILE --scores SCORES"},
                 {"diff", 3, "limner policy diff OLD NEW --scores SCORES"}};
    size_t k = 0;

    if (w->help)
        return ST_OK;
    w->word = count > 0 ? words[0] : "";
    while (k < 3 && strcmp(w->word, known[k].word) != 0)
        k++;
    if (k == 3)
        return why_fail(why, ST_INVALID, "say limner policy check, simulate or diff");
    if (count != known[k].count)
        return why_fail(why, ST_INVALID, "say it like this: %s", known[k].usage);
    w->file = words[count - 1];
    if (k == 2 && w->other)
        return why_fail(why, ST_INVALID, "diff has its baseline in OLD: leave out --baseline");
    if (k == 2)
        w->other = words[1];
    if (k > 0 && !w->scores)
        return why_fail(why, ST_INVALID, "--scores is needed: %s", known[k].usage);
    if (k == 0 && (w->scores || w->other))
        return why_fail(why, ST_INVALID, "check looks at the file alone; simulate takes --scores");
    return ST_OK;
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {
        {"scores", required_argument, NULL, 's'},   {"baseline", required_argument, NULL, 'b'},
        {"traffic", required_argument, NULL, 't'},  {"reviewers", required_argument, NULL, 'r'},
        {"override", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.traffic = 0};
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = take_flag(w, flag, optarg, why);
    return st ? st : read_words(w, count + 1 - optind, args - 1 + optind, why);
}

/* ---- the work ---- */

static void keep_move(void *arg, const char *id, enum band from, enum band to)
{
    struct outcome *o = arg;

    if (o->shown == MOVES_SHOWN)
        return;
    snprintf(o->moves[o->shown].id, sizeof(o->moves[0].id), "%s", id);
    o->moves[o->shown].from = from;
    o->moves[o->shown++].to = to;
}

static enum status replay_scores(struct outcome *o, const struct wish *w, struct why *why)
{
    bool standard = !strcmp(w->scores, "-");
    FILE *file = standard ? stdin : fopen(w->scores, "rbe");
    enum status st;

    if (!file)
        return why_fail(why, ST_MISSING, "%s: %s", w->scores, strerror(errno));
    o->replay =
        (struct replay){.policy = o->policy, .baseline = o->baseline, .moved = keep_move, .arg = o};
    st = replay_file(&o->replay, file, standard ? "standard input" : w->scores, why);
    if (!standard)
        fclose(file);
    if (!st && o->replay.pictures == 0)
        return why_fail(why, ST_INVALID, "%s: there are no pictures in it", w->scores);
    return st;
}

static void look_ahead(struct outcome *o, const struct wish *w)
{
    const struct policy_settings *s = policy_settings(o->policy);

    o->capacity = s->capacity;
    if (w->reviewers)
        o->capacity.reviewers = w->reviewers;
    capacity_forecast(&o->forecast, &o->capacity, w->traffic / 24 * replay_review_share(&o->replay),
                      s->appeals.first_review_h);
    o->too_much = w->traffic > 0 && o->forecast.utilisation > o->capacity.max_utilisation;
}

/* ---- what is said, to people ---- */

static void print_actions(const struct replay *r)
{
    printf("\n%-10s %10s  %7s  95 %% interval\n", "", "pictures", "share");
    for (int i = 0; i < BAND_COUNT; i++) {
        struct wilson w = wilson_interval(r->action[i], r->pictures, CONFIDENCE);

        printf("%-10s %10ld  %6.2f%%  %.2f%% to %.2f%%\n", band_name((enum band)i), r->action[i],
               100.0 * (double)r->action[i] / (double)r->pictures, 100 * w.low, 100 * w.high);
    }
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (r->held_for[i])
            printf("held for %s: %ld\n", cause_name((enum cause)i), r->held_for[i]);
    }
}

static void print_categories(const struct replay *r)
{
    for (int i = 0; i < policy_category_count(r->policy); i++) {
        if (r->held[i] || r->blocked[i])
            printf("category %s: %ld held, %ld blocked\n", policy_category(r->policy, i)->id,
                   r->held[i], r->blocked[i]);
    }
}

static long count_moves(const struct replay *r)
{
    long count = r->compared;

    for (int i = 0; i < BAND_COUNT; i++)
        count -= r->moves[i][i];
    return count;
}

static void print_moves(const struct outcome *o)
{
    const struct replay *r = &o->replay;

    if (!r->compared) {
        puts("\nNothing to compare with: say --baseline, or record what was done as \"action\".");
        return;
    }
    printf("\nAgainst %s, %ld of %ld are treated in another way\n",
           o->baseline ? "the baseline" : "what was done", count_moves(r), r->compared);
    for (int from = 0; from < BAND_COUNT; from++) {
        for (int to = 0; to < BAND_COUNT; to++) {
            if (from != to && r->moves[from][to])
                printf("  %-5s -> %-5s %10ld\n", band_name((enum band)from),
                       band_name((enum band)to), r->moves[from][to]);
        }
    }
}

static void print_first_moves(const struct outcome *o)
{
    for (int i = 0; i < o->shown; i++)
        printf("  %s: %s -> %s\n", o->moves[i].id, band_name(o->moves[i].from),
               band_name(o->moves[i].to));
    if (count_moves(&o->replay) > o->shown)
        printf("  and %ld more\n", count_moves(&o->replay) - o->shown);
}

static void print_forecast(const struct outcome *o, const struct wish *w)
{
    const struct capacity_forecast *f = &o->forecast;

    if (!(w->traffic > 0)) {
        puts("\nSay --traffic N (pictures a day) to hear what that means for the reviewers.");
        return;
    }
    printf("\n%.0f pictures a day: %.1f an hour are for people (%.2f%%, audits among them)\n",
           w->traffic, f->arrivals_h, 100 * replay_review_share(&o->replay));
    printf("%d reviewer%s at %g an hour: %.0f%% busy, at most %.0f%% are planned\n",
           o->capacity.reviewers, o->capacity.reviewers == 1 ? "" : "s",
           o->capacity.items_per_reviewer_hour, 100 * f->utilisation,
           100 * o->capacity.max_utilisation);
    if (isinf(f->wait_h))
        puts("what waits would only grow");
    else
        printf("an item waits for %.1f minutes in the mean, %.1f of them at a time\n",
               60 * f->wait_h, f->waiting);
    printf("%d reviewer%s needed\n", f->needed, f->needed == 1 ? " is" : "s are");
}

static void print_policy(const struct policy *p)
{
    printf("policy %s, version %d, sha256 %s\n", policy_id(p), policy_version(p), policy_sha256(p));
}

/* ---- what is said, to programs ---- */

static void write_policy(struct json_out *o, const char *key, const struct policy *p)
{
    if (!p) {
        json_out_string(o, key, NULL);
        return;
    }
    json_out_object(o, key);
    json_out_string(o, "id", policy_id(p));
    json_out_int(o, "version", policy_version(p));
    json_out_string(o, "sha256", policy_sha256(p));
    json_out_object_end(o);
}

static void write_actions(struct json_out *o, const struct replay *r)
{
    json_out_object(o, "actions");
    for (int i = 0; i < BAND_COUNT; i++) {
        struct wilson w = wilson_interval(r->action[i], r->pictures, CONFIDENCE);

        json_out_object(o, band_name((enum band)i));
        json_out_int(o, "pictures", r->action[i]);
        json_out_real(o, "share", (double)r->action[i] / (double)r->pictures);
        json_out_real(o, "low", w.low);
        json_out_real(o, "high", w.high);
        json_out_object_end(o);
    }
    json_out_object_end(o);
    json_out_object(o, "held_for");
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (r->held_for[i])
            json_out_int(o, cause_name((enum cause)i), r->held_for[i]);
    }
    json_out_object_end(o);
    json_out_object(o, "categories");
    for (int i = 0; i < policy_category_count(r->policy); i++) {
        json_out_object(o, policy_category(r->policy, i)->id);
        json_out_int(o, "held", r->held[i]);
        json_out_int(o, "blocked", r->blocked[i]);
        json_out_object_end(o);
    }
    json_out_object_end(o);
}

static void write_moves(struct json_out *out, const struct outcome *o)
{
    json_out_int(out, "compared", o->replay.compared);
    json_out_array(out, "moves");
    for (int from = 0; from < BAND_COUNT; from++) {
        for (int to = 0; to < BAND_COUNT; to++) {
            if (from == to || !o->replay.moves[from][to])
                continue;
            json_out_object(out, NULL);
            json_out_string(out, "from", band_name((enum band)from));
            json_out_string(out, "to", band_name((enum band)to));
            json_out_int(out, "pictures", o->replay.moves[from][to]);
            json_out_object_end(out);
        }
    }
    json_out_array_end(out);
    json_out_array(out, "first_moves");
    for (int i = 0; i < o->shown; i++) {
        json_out_object(out, NULL);
        json_out_string(out, "id", o->moves[i].id);
        json_out_string(out, "from", band_name(o->moves[i].from));
        json_out_string(out, "to", band_name(o->moves[i].to));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_forecast(struct json_out *out, const struct outcome *o, const struct wish *w)
{
    json_out_object(out, "forecast");
    json_out_real(out, "pictures_per_day", w->traffic);
    json_out_real(out, "review_share", replay_review_share(&o->replay));
    json_out_real(out, "arrivals_per_hour", o->forecast.arrivals_h);
    json_out_int(out, "reviewers", o->capacity.reviewers);
    json_out_real(out, "utilisation", o->forecast.utilisation);
    json_out_real(out, "max_utilisation", o->capacity.max_utilisation);
    json_out_real(out, "wait_hours", o->forecast.wait_h); /* null: it only grows */
    json_out_real(out, "waiting", o->forecast.waiting);
    json_out_int(out, "reviewers_needed", o->forecast.needed);
    json_out_object_end(out);
}

static int print_json(const struct outcome *o, const struct wish *w)
{
    struct json_out out = {0};

    json_out_object(&out, NULL);
    write_policy(&out, "policy", o->policy);
    write_policy(&out, "baseline", o->baseline);
    json_out_int(&out, "pictures", o->replay.pictures);
    write_actions(&out, &o->replay);
    write_moves(&out, o);
    if (w->traffic > 0)
        write_forecast(&out, o, w);
    json_out_bool(&out, "refused", o->too_much && !w->override);
    json_out_string(&out, "override", o->too_much ? w->override : NULL);
    json_out_object_end(&out);
    return command_line_print(COMMAND, &out);
}

/* ---- the commands ---- */

static int check(const struct wish *w, const struct policy *p)
{
    static const char *const states[] = {"live", "shadow", "draft", "retired"};
    struct json_out out = {0};

    if (w->json) {
        json_out_object(&out, NULL);
        write_policy(&out, "policy", p);
        json_out_string(&out, "status", states[policy_settings(p)->status]);
        json_out_int(&out, "categories", policy_category_count(p));
        json_out_int(&out, "contexts", policy_context_count(p));
        json_out_object_end(&out);
        return command_line_print(COMMAND, &out);
    }
    print_policy(p);
    printf("%s, %d categories, %d contexts: it is right\n", states[policy_settings(p)->status],
           policy_category_count(p), policy_context_count(p));
    return 0;
}

static int simulate(struct outcome *o, const struct wish *w)
{
    struct why why = {""};

    if (replay_scores(o, w, &why))
        return complain(&why, 1);
    look_ahead(o, w);
    if (w->json && print_json(o, w))
        return 1;
    if (!w->json) {
        print_policy(o->policy);
        printf("%ld recorded pictures\n", o->replay.pictures);
        print_actions(&o->replay);
        print_categories(&o->replay);
        print_moves(o);
        if (!strcmp(w->word, "diff"))
            print_first_moves(o);
        print_forecast(o, w);
    }
    if (!o->too_much)
        return 0;
    if (w->override) {
        fprintf(stderr, "limner policy: too much for the reviewers; overridden: %s\n", w->override);
        return 0;
    }
    why_fail(&why, ST_REFUSED,
             "the reviewers would be %.0f%% busy, and %.0f%% is the most: raise the bands that "
             "hold, have %d reviewers, or say --override REASON",
             100 * o->forecast.utilisation, 100 * o->capacity.max_utilisation, o->forecast.needed);
    return complain(&why, 1);
}

int command_policy(int count, char **args)
{
    struct wish w;
    struct outcome o = {.shown = 0};
    struct why why = {""};
    int code;

    if (read_wish(&w, count, args, &why))
        return complain(&why, 2);
    if (w.help) {
        fputs(help, stdout);
        return 0;
    }
    if (policy_open(&o.policy, w.file, &why) ||
        (w.other && policy_open(&o.baseline, w.other, &why)))
        code = complain(&why, 1);
    else
        code = strcmp(w.word, "check") ? simulate(&o, &w) : check(&w, o.policy);
    policy_close(&o.policy);
    policy_close(&o.baseline);
    return code;
}
