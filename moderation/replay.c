/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/replay.h"

#include "base/json.h"
#include "moderation/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct record {
    const char *id, *tenant, *context, *model, *action;
    struct scores scores;
    bool judged;
};

static enum status read_record(struct record *out, const struct json *root, struct why *why)
{
    static const char *const keys[] = {"id", "tenant", "context", "model", "action"};
    const char **texts[] = {&out->id, &out->tenant, &out->context, &out->model, &out->action};
    const struct json *scores;
    enum status st = ST_OK;

    *out = (struct record){.judged = false};
    if (json_type_of(root) != JSON_TYPE_OBJECT)
        return why_fail(why, ST_INVALID, "a record is an object: {\"id\": ..., \"scores\": ...}");
    for (int i = 0; !st && i < 5; i++)
        st = json_get_string(root, keys[i], texts[i], why);
    scores = json_get(root, "scores");
    if (!st && !scores)
        st = why_fail(why, ST_INVALID, "'scores' is needed; null when a picture was not judged");
    if (!st && json_type_of(scores) != JSON_TYPE_NULL) {
        out->judged = true;
        st = scores_read(&out->scores, scores, why);
    }
    if (!st && out->action && band_find(out->action) < 0)
        st = why_fail(why, ST_INVALID, "'action' is allow, blur, hold or block, not '%.32s'",
                      out->action);
    return st;
}

static void count(struct replay *r, const struct record *record)
{
    struct policy_case c = {.scores = record->judged ? &record->scores : NULL,
                            .tenant = record->tenant,
                            .context = record->context,
                            .generator = record->model};
    struct verdict v, before;

    policy_decide(r->policy, &c, &v);
    r->pictures++;
    r->action[v.action]++;
    r->audits += audit_share(&policy_settings(r->policy)->audit, &v);
    if (v.action == BAND_HOLD)
        r->held_for[v.cause]++;
    if (v.action == BAND_HOLD && v.category >= 0)
        r->held[v.category]++;
    if (v.action == BAND_BLOCK && v.category >= 0)
        r->blocked[v.category]++;
    if (r->baseline)
        policy_decide(r->baseline, &c, &before);
    else if (record->action)
        before.action = (enum band)band_find(record->action);
    else
        return;
    r->compared++;
    r->moves[before.action][v.action]++;
    if (before.action != v.action && r->moved)
        r->moved(r->arg, record->id ? record->id : "-", before.action, v.action);
}

enum status replay_line(struct replay *r, const char *text, size_t bytes, struct why *why)
{
    struct json *root = NULL;
    struct record record;
    enum status st = json_parse(&root, text, bytes, why);

    if (st)
        return st;
    st = read_record(&record, root, why);
    if (!st)
        count(r, &record);
    json_close(&root);
    return st;
}

enum status replay_file(struct replay *r, FILE *file, const char *name, struct why *why)
{
    char *line = malloc(REPLAY_LINE_MAX);
    struct why inner = {""};
    enum status st = ST_OK;
    long number = 0;

    if (!line)
        return why_fail(why, ST_FULL, "%s: no memory for a line", name);
    while (!st && fgets(line, REPLAY_LINE_MAX, file)) {
        size_t bytes = strlen(line);

        number++;
        if (bytes == REPLAY_LINE_MAX - 1 && line[bytes - 1] != '\n')
            st = why_fail(&inner, ST_INVALID, "the line is longer than %d bytes", REPLAY_LINE_MAX);
        else if (line[strspn(line, " \t\r\n")])
            st = replay_line(r, line, bytes, &inner);
    }
    free(line);
    if (!st && ferror(file))
        return why_fail(why, ST_IO, "%s: %s", name, strerror(errno));
    return st ? why_fail(why, st, "%s:%ld: %s", name, number, inner.text) : ST_OK;
}

double replay_review_share(const struct replay *r)
{
    if (r->pictures == 0)
        return 0;
    return ((double)r->action[BAND_HOLD] + r->audits) / (double)r->pictures;
}
