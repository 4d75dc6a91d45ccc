/* SPDX-License-Identifier: Apache-2.0 */
#include "server/dsa.h"

#include "server/statement.h"

#include <stdio.h>
#include <time.h>

bool dsa_is_statement(const struct store_decision *d)
{
    return d->action == BAND_BLUR || d->action == BAND_HOLD || d->action == BAND_BLOCK;
}

static void write_one(struct json_out *o, const char *name, const char *value)
{
    json_out_array(o, name);
    json_out_string(o, NULL, value);
    json_out_array_end(o);
}

static void write_day(struct json_out *o, const char *name, int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm parts;
    char day[16] = "";

    if (gmtime_r(&time, &parts))
        strftime(day, sizeof(day), "%Y-%m-%d", &parts);
    json_out_string(o, name, day);
}

static void write_ground(struct json_out *o, const struct moderated *m,
                         const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    char reason[POLICY_REASON_MAX + 256];

    moderated_reason(reason, m, d);
    json_out_string(o, "decision_ground", "DECISION_GROUND_INCOMPATIBLE_CONTENT");
    if (category && category->clause_url)
        json_out_string(o, "decision_ground_reference_url", category->clause_url);
    json_out_string(o, "incompatible_content_ground",
                    category ? category->clause : "a rule of an earlier policy");
    json_out_string(o, "incompatible_content_explanation", reason);
}

void dsa_write(struct json_out *o, const struct moderated *m, const struct store_decision *d)
{
    const struct policy_category *category = moderated_category(m, d);
    bool by_people = d->action == BAND_HOLD || d->standing == STORE_FINAL;
    char facts[STATEMENT_FACTS_MAX];

    statement_facts(facts, m, d);
    json_out_object(o, NULL);
    write_one(o, "decision_visibility",
              d->action == BAND_BLUR ? "DECISION_VISIBILITY_CONTENT_LABELLED"
                                     : "DECISION_VISIBILITY_CONTENT_DISABLED");
    write_ground(o, m, d);
    json_out_array(o, "content_type");
    json_out_string(o, NULL, "CONTENT_TYPE_IMAGE");
    json_out_string(o, NULL, "CONTENT_TYPE_SYNTHETIC_MEDIA");
    json_out_array_end(o);
    json_out_string(o, "category",
                    category ? category->dsa_category : "STATEMENT_CATEGORY_OTHER_VIOLATION_TC");
    if (category && category->dsa_keyword)
        write_one(o, "category_specification", category->dsa_keyword);
    json_out_string(o, "decision_facts", facts);
    json_out_string(o, "source_type", "SOURCE_VOLUNTARY");
    json_out_string(o, "automated_detection", "Yes");
    json_out_string(o, "automated_decision",
                    by_people ? "AUTOMATED_DECISION_PARTIALLY" : "AUTOMATED_DECISION_FULLY");
    write_day(o, "content_date", d->created_s);
    write_day(o, "application_date", d->created_s);
    if (d->standing == STORE_RELEASED && d->decided_s)
        write_day(o, "end_date_visibility_restriction", d->decided_s);
    json_out_string(o, "puid", d->id);
    json_out_object_end(o);
}
