/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "seq, id, tenant, request, user, job, k, stage, model, context, policy, policy_version, "      \
    "policy_sha256, weights_sha256, scores, category, decision, action, cause, shadow, standing, " \
    "pixels_sha256, subject, object, audited, seed, width, height, format, quality, created_s, "   \
    "appeal_until_s, decided_s"

/* ---- rows ---- */

static void read_decision(struct row *r, void *to)
{
    struct store_decision *d = to;

    memset(d, 0, sizeof(*d));
    d->seq = row_int(r);
    row_text(r, d->id, sizeof(d->id));
    row_text(r, d->tenant, sizeof(d->tenant));
    row_text(r, d->request, sizeof(d->request));
    row_text(r, d->user, sizeof(d->user));
    row_text(r, d->job, sizeof(d->job));
    d->index = row_small(r);
    d->stage = (enum store_stage)row_enum(r, STORE_STAGE_IMAGE + 1);
    row_text(r, d->model, sizeof(d->model));
    row_text(r, d->context, sizeof(d->context));
    row_text(r, d->policy, sizeof(d->policy));
    d->policy_version = row_small(r);
    row_text(r, d->policy_sha256, sizeof(d->policy_sha256));
    row_text(r, d->weights_sha256, sizeof(d->weights_sha256));
    row_text(r, d->scores, sizeof(d->scores));
    row_text(r, d->category, sizeof(d->category));
    d->decision = row_small(r);
    d->action = row_small(r);
    d->cause = row_small(r);
    d->shadow = row_small(r);
    d->standing = (enum store_standing)row_enum(r, STORE_STANDINGS);
    row_text(r, d->pixels_sha256, sizeof(d->pixels_sha256));
    row_text(r, d->subject, sizeof(d->subject));
    row_text(r, d->object, sizeof(d->object));
    d->audited = row_int(r) != 0;
    d->seed = row_int(r);
    d->width = row_small(r);
    d->height = row_small(r);
    d->format = row_small(r);
    d->quality = row_small(r);
    d->created_s = row_int(r);
    d->appeal_until_s = row_int(r);
    d->decided_s = row_int(r);
}

static enum status insert(struct sqlite *s, struct store_decision *d, struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "INSERT INTO decisions (id, tenant, request, user, job, k, stage, model, context, policy, "
        "policy_version, policy_sha256, weights_sha256, scores, category, decision, action, cause, "
        "shadow, standing, pixels_sha256, subject, object, audited, seed, width, height, format, "
        "quality, created_s, appeal_until_s, decided_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "sssssiisssissssiiiiisssiiiiiiiii", d->id, d->tenant, d->request, d->user, d->job,
        (int64_t)d->index, (int64_t)d->stage, d->model, d->context, d->policy,
        (int64_t)d->policy_version, d->policy_sha256, d->weights_sha256, d->scores, d->category,
        (int64_t)d->decision, (int64_t)d->action, (int64_t)d->cause, (int64_t)d->shadow,
        (int64_t)d->standing, d->pixels_sha256, d->subject, d->object, (int64_t)d->audited, d->seed,
        (int64_t)d->width, (int64_t)d->height, (int64_t)d->format, (int64_t)d->quality,
        d->created_s, d->appeal_until_s, d->decided_s);

    if (!st)
        d->seq = sqlite3_last_insert_rowid(s->db);
    return st;
}

static enum status insert_all(struct sqlite *s, const struct store_record *r, struct why *why)
{
    enum status st = ST_OK;

    for (int i = 0; i < r->decision_count && !st; i++)
        st = insert(s, &r->decisions[i], why);
    for (int i = 0; i < r->object_count && !st; i++)
        st = objects_insert(s, &r->objects[i], why);
    for (int i = 0; i < r->event_count && !st; i++)
        st = events_insert(s, &r->events[i], why);
    for (int i = 0; i < r->item_count && !st; i++)
        st = items_insert(s, &r->items[i], why);
    for (int i = 0; i < r->message_count && !st; i++)
        st = messages_insert(s, &r->messages[i], why);
    return st;
}

enum status decisions_add(struct store *store, const struct store_record *record, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, insert_all(s, record, why), why);
}

enum status decisions_find(struct store *store, const char *id, struct store_decision *out,
                           struct why *why)
{
    return row_find(store, read_decision, out, "there is no such decision", why,
                    "SELECT " COLUMNS " FROM decisions WHERE id = ?", "s", id);
}

/* A list without those that were allowed says so in words, so that SQLite takes the small index. */
enum status decisions_list(struct store *store, const char *tenant, unsigned standings, int64_t seq,
                           struct store_decision *out, int *count, struct why *why)
{
    static const char *const texts[2][2] = {
        {"SELECT " COLUMNS " FROM decisions WHERE ?1 IS NULL AND seq < ?2 AND (?3 >> standing) & 1 "
         "ORDER BY seq DESC LIMIT ?4",
         "SELECT " COLUMNS " FROM decisions WHERE ?1 IS NULL AND seq < ?2 AND standing > 0 AND "
         "(?3 >> standing) & 1 ORDER BY seq DESC LIMIT ?4"},
        {"SELECT " COLUMNS " FROM decisions WHERE tenant = ?1 AND seq < ?2 AND "
         "(?3 >> standing) & 1 ORDER BY seq DESC LIMIT ?4",
         "SELECT " COLUMNS " FROM decisions WHERE tenant = ?1 AND seq < ?2 AND standing > 0 AND "
         "(?3 >> standing) & 1 ORDER BY seq DESC LIMIT ?4"},
    };
    int64_t mask = standings ? (int64_t)standings : (INT64_C(1) << STORE_STANDINGS) - 1;
    const char *text = texts[tenant != NULL][!(mask & 1 << STORE_ALLOWED)];
    struct row_into into = {read_decision, out, sizeof(*out), count};

    return row_list(store, &into, why, text, "siii", tenant, seq ? seq : INT64_MAX, mask,
                    (int64_t)*count);
}

static void read_standing(struct row *r, void *to)
{
    *(enum store_standing *)to = (enum store_standing)row_enum(r, STORE_STANDINGS);
}

enum status decisions_precedent(struct store *store, const char *tenant, const char *subject,
                                enum store_standing *out, struct why *why)
{
    return row_find(store, read_standing, out, "nobody has decided about this", why,
                    "SELECT standing FROM decisions WHERE tenant = ? AND subject = ? AND "
                    "decided_s > 0 AND subject != '' ORDER BY decided_s DESC, seq DESC LIMIT 1",
                    "ss", tenant, subject);
}

enum status decisions_stand(struct sqlite *s, const struct store_move *m, struct why *why)
{
    enum status st =
        sqlite_do(s, why,
                  "UPDATE decisions SET standing = ?, decided_s = ?, "
                  "appeal_until_s = max(appeal_until_s, ?) WHERE id = ? AND standing = ?",
                  "iiisi", (int64_t)m->standing, m->now_s, m->appeal_until_s, m->decision->id,
                  (int64_t)m->decision->standing);

    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_LATE, "decision %s was decided meanwhile", m->decision->id);
    return st;
}

/* ---- what was released ---- */

enum status releases_insert(struct sqlite *s, const char *decision,
                            const struct store_release *release, int64_t now_s, struct why *why)
{
    enum status st = sqlite_do(
        s, why,
        "INSERT INTO releases (decision, seed, sha256, format, at_s, data) VALUES "
        "(?, ?, ?, ?, ?, ?) ON CONFLICT (decision) DO NOTHING",
        "sisiib", decision, release->picture.seed, release->picture.sha256,
        (int64_t)release->format, now_s, release->picture.data.data, release->picture.data.count);

    if (!st && sqlite3_changes(s->db) == 0)
        st = why_fail(why, ST_LATE, "the picture of decision %s was released before", decision);
    return st;
}

static void read_release(struct row *r, void *to)
{
    struct store_release *release = to;

    memset(release, 0, sizeof(*release));
    row_text(r, release->picture.decision, sizeof(release->picture.decision));
    release->picture.seed = row_int(r);
    row_text(r, release->picture.sha256, sizeof(release->picture.sha256));
    release->format = row_small(r);
    release->at_s = row_int(r);
    row_blob(r, &release->picture.data);
}

enum status releases_find(struct store *store, const char *decision, struct store_release *out,
                          struct why *why)
{
    return row_find(store, read_release, out, "nothing was released of this decision", why,
                    "SELECT decision, seed, sha256, format, at_s, data FROM releases WHERE "
                    "decision = ?",
                    "s", decision);
}
