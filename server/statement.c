/* SPDX-License-Identifier: Apache-2.0 */
#include "server/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char court[] = "You can also go to a court.";
static const char body[] = "In the European Union you can also take it to a certified body for "
                           "out-of-court dispute settlement.";

static bool is_of_prompt(const struct store_decision *d)
{
    return d->stage == STORE_STAGE_PROMPT;
}

void statement_facts(char out[STATEMENT_FACTS_MAX], const struct moderated *m,
                     const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    const char *what = is_of_prompt(d)
                           ? "The words of a request for a picture were checked before anything "
                             "was made"
                           : "A picture that was made by a computer program was checked before "
                             "it was delivered";
    char found[POLICY_ID_MAX + 160] = "no category of its policy was decisive";

    if (d->cause == CAUSE_UNJUDGED)
        snprintf(found, sizeof(found), "the check could not be completed");
    else if (d->category[0])
        snprintf(found, sizeof(found), "the finding was in the category %s%s%s", d->category,
                 category ? ", rule " : "", category ? category->clause : "");
    snprintf(out, STATEMENT_FACTS_MAX,
             "%s, by software, under policy %s version %d; %s. Nobody reported it: the check is "
             "the service's own. %s",
             what, d->policy, d->policy_version, found,
             d->standing == STORE_FINAL ? "A person has looked at it since, and confirmed it."
             : d->action == BAND_HOLD   ? "The software did not decide alone: a person does."
                                        : "No person was part of the decision.");
}

/* ---- as JSON ---- */

static const char *restriction_of(const struct store_decision *d)
{
    if (!moderated_is_withheld(d))
        return d->action == BAND_BLUR || d->standing == STORE_BLURRED ? "content_labelled" : "none";
    return is_of_prompt(d) ? "service_refused" : "content_disabled";
}

static void write_restriction(struct json_out *o, const struct store_decision *d)
{
    json_out_object(o, "restriction");
    json_out_string(o, "type", restriction_of(d));
    json_out_string(o, "territory", "everywhere");
    json_out_object(o, "duration");
    moderated_write_date(o, "from", d->created_s);
    moderated_write_date(o, "until", d->standing == STORE_RELEASED ? d->decided_s : 0);
    json_out_string(o, "condition",
                    d->standing == STORE_HELD      ? "until a person has decided"
                    : d->standing == STORE_BLOCKED ? "unless a person overturns it"
                                                   : NULL);
    json_out_object_end(o);
    json_out_object_end(o);
}

static void write_redress(struct json_out *o, const struct moderated *m,
                          const struct store_decision *d)
{
    bool allowed = moderated_is_appealable(m, d);
    char url[MODERATED_URL_MAX];

    moderated_appeal_url(url, m, d);
    json_out_object(o, "redress");
    json_out_object(o, "internal_complaint");
    json_out_bool(o, "available", allowed);
    json_out_string(o, "url", url);
    json_out_string(o, "api", "/v1/appeals");
    json_out_bool(o, "free_of_charge", true);
    json_out_bool(o, "decided_by_a_person", true);
    moderated_write_date(o, "deadline", allowed ? d->appeal_until_s : 0);
    json_out_object_end(o);
    json_out_string(o, "out_of_court", body);
    json_out_string(o, "court", court);
    json_out_object_end(o);
}

static void write_statement(struct json_out *o, const struct moderated *m,
                            const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    char facts[STATEMENT_FACTS_MAX], reason[POLICY_REASON_MAX + 256];

    statement_facts(facts, m, d);
    moderated_reason(reason, m, d);
    json_out_object(o, "statement");
    write_restriction(o, d);
    json_out_string(o, "facts", facts);
    json_out_string(o, "source", "own_initiative");
    json_out_bool(o, "automated_detection", true);
    json_out_string(o, "automated_decision",
                    d->action == BAND_HOLD || d->standing == STORE_FINAL ? "partial" : "full");
    json_out_object(o, "ground");
    json_out_string(o, "type", "terms");
    json_out_string(o, "clause", category ? category->clause : NULL);
    json_out_string(o, "clause_url", category ? category->clause_url : NULL);
    json_out_string(o, "explanation", reason);
    json_out_object_end(o);
    write_redress(o, m, d);
    json_out_object_end(o);
}

/* What the owner asked for and got of it, by his own words and numbers. */
static void write_identity(struct json_out *o, const struct store_decision *d)
{
    char size[32];

    moderated_write_date(o, "created_at", d->created_s);
    moderated_write_date(o, "decided_at", d->decided_s);
    moderated_write_date(o, "appeal_until", d->appeal_until_s);
    json_out_string(o, "request_id", d->request);
    json_out_text(o, "job_id", d->job);
    json_out_text(o, "user", d->user);
    json_out_text(o, "context", d->context);
    json_out_string(o, "model", d->model);
    if (!is_of_prompt(d)) {
        snprintf(size, sizeof(size), "%dx%d", d->width, d->height);
        json_out_int(o, "index", d->index);
        json_out_int(o, "seed", d->seed);
        json_out_string(o, "size", size);
    }
    json_out_array(o, "content_type");
    json_out_string(o, NULL, "IMAGE");
    json_out_string(o, NULL, "SYNTHETIC_MEDIA");
    json_out_array_end(o);
}

static void write_places(struct json_out *o, const struct store_decision *d)
{
    char path[STORE_ID_MAX + 32];

    if (is_of_prompt(d))
        return;
    snprintf(path, sizeof(path), "/v1/decisions/%s/image", d->id);
    json_out_string(o, "image_url", d->standing == STORE_RELEASED ? path : NULL);
    snprintf(path, sizeof(path), "/v1/decisions/%s/preview", d->id);
    json_out_string(o, "preview_url", d->object[0] ? path : NULL);
}

void statement_write(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *d)
{
    json_out_object(o, name);
    json_out_string(o, "id", d->id);
    json_out_string(o, "object", "moderation.decision");
    json_out_string(o, "status", moderated_standing(d->standing));
    write_identity(o, d);
    moderated_write(o, "moderation", m, d);
    write_places(o, d);
    json_out_string(o, "language", moderated_language(m));
    write_statement(o, m, d);
    json_out_object_end(o);
}

/* ---- as text ---- */

/* 30 November 2026, 21:16 UTC */
static void print_day(char out[48], int64_t time_s)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    time_t time = (time_t)time_s;
    struct tm t = {.tm_mday = 1};

    gmtime_r(&time, &t);
    snprintf(out, 48, "%d %s %d, %02d:%02d UTC", t.tm_mday, months[t.tm_mon % 12], t.tm_year + 1900,
             t.tm_hour % 24, t.tm_min % 60);
}

static void print_outcome(FILE *out, const struct store_decision *d)
{
    static const char *const sentences[STORE_STANDINGS] = {
        [STORE_ALLOWED] = "Your picture was checked and delivered.",
        [STORE_BLURRED] = "Your picture was delivered, to be shown behind a click.",
        [STORE_HELD] = "Your picture is made, and waits for a person to look at it.",
        [STORE_BLOCKED] = "Your picture was made, but not delivered.",
        [STORE_RELEASED] = "Your picture was kept back at first, and is yours now.",
        [STORE_FINAL] = "Your picture was not delivered. A person has confirmed this.",
        [STORE_EXPIRED] = ("Your picture was not delivered. The time in which this could be "
                           "contested is over, and the picture was deleted."),
        [STORE_SEALED] = "Your picture was not delivered.",
    };

    if (is_of_prompt(d) && d->standing == STORE_BLOCKED)
        fputs("Your request was not carried out. No picture was made, and nothing is charged.\n",
              out);
    else if (is_of_prompt(d) && d->standing == STORE_RELEASED)
        fputs("Your request was refused at first. You can send it again now.\n", out);
    else if (is_of_prompt(d))
        fputs("Your request was not carried out.\n", out);
    else
        fprintf(out, "%s\n", sentences[d->standing]);
}

static void print_why(FILE *out, const struct moderated *m, const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    char reason[POLICY_REASON_MAX + 256], facts[STATEMENT_FACTS_MAX], day[48];

    if (d->standing == STORE_ALLOWED)
        return;
    moderated_reason(reason, m, d);
    statement_facts(facts, m, d);
    print_day(day, d->created_s);
    fprintf(out, "\nWhy\n%s\n", reason);
    if (category)
        fprintf(out, "The rule: %s%s%s\n", category->clause, category->clause_url ? ", " : "",
                category->clause_url ? category->clause_url : "");
    fprintf(out,
            "\nHow this was decided\n%s\nWhen: %s. It holds everywhere.\n"
            "Automatic checks make mistakes, also about medical pictures and art.\n",
            facts, day);
}

static void print_ways(FILE *out, const struct moderated *m, const struct store_decision *d)
{
    char url[MODERATED_URL_MAX], until[48], review[48];

    moderated_appeal_url(url, m, d);
    print_day(until, d->appeal_until_s);
    print_day(review, moderated_first_review(m, d));
    fputs("\nWhat you can do\n", out);
    if (d->standing == STORE_HELD)
        fprintf(out,
                "Nothing is needed: a person looks at it by %s. If it is fine, you get this very "
                "picture.\nSee how it stands: %s\n",
                review, url);
    else if (moderated_is_appealable(m, d))
        fprintf(out,
                "Ask a person to look at it. It is free, and you can do so until %s:\n%s\n"
                "If the decision was wrong, you get %s.\n",
                until, url, is_of_prompt(d) ? "your request let through" : "this very picture");
    else
        fprintf(out, "This cannot be contested here. See how it stands: %s\n", url);
    fprintf(out, "%s\n%s\n", body, court);
}

enum status statement_text(struct bytes *out, const struct moderated *m,
                           const struct store_decision *d)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    bool failed;

    *out = (struct bytes){NULL, 0};
    if (!page)
        return ST_FULL;
    print_outcome(page, d);
    print_why(page, m, d);
    if (moderated_is_withheld(d))
        print_ways(page, m, d);
    fprintf(page, "\nDecision %s, request %s\n", d->id, d->request);
    failed = ferror(page);
    failed |= fclose(page) != 0;
    if (failed) {
        free(text);
        return ST_FULL;
    }
    *out = (struct bytes){(uint8_t *)text, bytes};
    return ST_OK;
}
