/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logbook.h"

#include "base/crypto.h"
#include "engine/marking.h"
#include "server/desk.h"
#include "watermark/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOR_EVER "private, max-age=31536000, immutable" /* who has no key is shown nothing */
#define NANO     INT64_C(1000000000)

struct logbook {
    struct ledger *ledger;
    uint8_t key[CHECKPOINT_PUBLIC];
    pthread_mutex_t lock;
    struct logbook_question *all, *free;
};

enum status logbook_open(struct logbook **out, struct ledger *ledger,
                         const uint8_t key[CHECKPOINT_PUBLIC], struct why *why)
{
    struct logbook *l = calloc(1, sizeof(*l));

    *out = l;
    if (l)
        l->all = calloc(LOGBOOK_QUESTIONS, sizeof(*l->all));
    if (!l || !l->all) {
        free(l);
        *out = NULL;
        return why_fail(why, ST_FULL, "no memory for questions about the log");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->ledger = ledger;
    memcpy(l->key, key, sizeof(l->key));
    for (int i = 0; i < LOGBOOK_QUESTIONS; i++) {
        l->all[i].next = l->free;
        l->free = &l->all[i];
    }
    return ST_OK;
}

void logbook_close(struct logbook **out)
{
    struct logbook *l = *out;

    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l->all);
    free(l);
    *out = NULL;
}

/* ---- on the io thread ---- */

static void refuse(struct http_request *r, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    http_answer(r, &answer);
}

static void put(struct logbook_question *q)
{
    struct logbook *l = q->service->logbook;

    pthread_mutex_lock(&l->lock);
    q->next = l->free;
    l->free = q;
    pthread_mutex_unlock(&l->lock);
}

static void on_gone(void *question)
{
    (void)question; /* it is answered all the same: what was begun takes no longer */
}

static void on_over(void *question)
{
    put(question);
}

struct logbook_question *logbook_take(struct service *s, struct http_request *r,
                                      enum logbook_kind kind)
{
    struct logbook *l = s->logbook;
    struct logbook_question *q;

    if (!l) {
        refuse(r, 404, (struct failure){.code = "no_log"}, "this server keeps no log of pictures");
        return NULL;
    }
    pthread_mutex_lock(&l->lock);
    q = l->free;
    if (q)
        l->free = q->next;
    pthread_mutex_unlock(&l->lock);
    if (!q) {
        refuse(r, 429, (struct failure){0}, "too many requests about the log at the same time");
        return NULL;
    }
    *q = (struct logbook_question){.kind = kind,
                                   .service = s,
                                   .first = -1,
                                   .last = -1,
                                   .count = LOGBOOK_ENTRIES,
                                   .since_s = -1,
                                   .until_s = -1,
                                   .before = -1};
    memcpy(q->prefix, r->caller, sizeof(q->prefix));
    snprintf(q->request, sizeof(q->request), "%s", r->id);
    snprintf(q->said, sizeof(q->said), "%.*s%s%.*s", (int)r->path.bytes, r->path.data,
             r->query.bytes ? "?" : "", (int)r->query.bytes, r->query.data ? r->query.data : "");
    return q;
}

void logbook_refuse(struct logbook_question *q, struct http_request *r, int status,
                    struct failure failure, const char *message)
{
    put(q);
    refuse(r, status, failure, message);
}

bool logbook_read(struct logbook_question *q, struct http_request *r, const struct field *fields,
                  int count)
{
    struct fields_error e;
    enum status st = fields_query(q, fields, count, r->query.data, r->query.bytes, &e);

    if (!st)
        return true;
    logbook_refuse(q, r, st == ST_FULL ? 503 : 400,
                   (struct failure){.param = e.param[0] ? e.param : NULL}, e.why.text);
    return false;
}

static void run(void *question);

void logbook_send(struct logbook_question *q, struct http_request *r)
{
    struct service *s = q->service;
    struct answer answer;

    q->ticket = http_hold(r, q, on_gone, on_over);
    if (!q->ticket) {
        logbook_refuse(q, r, 429, (struct failure){0}, "too many requests at the same time");
    } else if (!desk_run(s->desk, run, q)) {
        answer_fail_http(&answer, atomic_load(&s->draining) ? 503 : 429, (struct failure){0},
                         "too many requests about the log at the same time");
        http_ticket_answer(q->ticket, &answer);
    }
}

/* ---- on the desk's thread ---- */

static void fail(struct answer *a, enum status st, const struct why *why)
{
    if (st == ST_MISSING)
        answer_fail_http(a, 404, (struct failure){.code = "not_in_the_log"}, why->text);
    else if (st == ST_LATE)
        answer_fail_http(a, 404, (struct failure){.code = "not_signed_yet"}, why->text);
    else if (st == ST_INVALID)
        answer_fail_http(a, 400, (struct failure){0}, why->text);
    else
        answer_fail_http(a, 503, (struct failure){.retry_after_ms = 5000},
                         "the server cannot reach its log");
}

/* A body that the answer owns. ST_FULL. */
static enum status take_body(struct answer *a, const char *type, const void *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes + 1);

    if (!copy)
        return ST_FULL;
    memcpy(copy, data, bytes);
    answer_text(a, 200, type, NULL);
    a->raw = (struct bytes){copy, bytes};
    return ST_OK;
}

static enum status take_text(struct answer *a, const char *text)
{
    return take_body(a, "text/plain; charset=utf-8", text, strlen(text));
}

static enum status tell_checkpoint(struct logbook *l, const struct logbook_question *q,
                                   struct answer *a, struct why *why)
{
    struct store_checkpoint head;
    enum status st = ledger_checkpoint(l->ledger, &head, why);

    (void)q;
    return st ? st : take_text(a, head.note);
}

/* It is called as its head says. */
static enum status tell_key(struct logbook *l, const struct logbook_question *q, struct answer *a,
                            struct why *why)
{
    char vkey[CHECKPOINT_VKEY_MAX + 1];
    struct store_checkpoint head;
    struct checkpoint c;
    enum status st = ledger_checkpoint(l->ledger, &head, why);

    (void)q;
    if (!st)
        st = checkpoint_parse(&c, head.note, strlen(head.note), why);
    if (st)
        return st;
    checkpoint_vkey(vkey, c.origin, l->key);
    strcat(vkey, "\n");
    return take_text(a, vkey);
}

static enum status tell_proof(struct logbook *l, const struct logbook_question *q, struct answer *a,
                              struct why *why)
{
    char text[CHECKPOINT_PROOF_MAX];
    enum status st = ledger_proof(l->ledger, q->first, q->last < 0 ? 0 : q->last, text, why);

    return st ? st : take_text(a, text);
}

static enum status tell_consistency(struct logbook *l, const struct logbook_question *q,
                                    struct answer *a, struct why *why)
{
    char text[CHECKPOINT_PROOF_MAX];
    struct store_checkpoint head;
    struct tree_proof proof;
    enum status st = ledger_checkpoint_at(l->ledger, q->last < 0 ? 0 : q->last, &head, why);

    if (!st)
        st = ledger_consistency(l->ledger, q->first, head.size, &proof, why);
    if (st)
        return st;
    layout_consistency(text, q->first, &proof, head.note);
    return take_text(a, text);
}

static enum status tell_tile(struct logbook *l, const struct logbook_question *q, struct answer *a,
                             struct why *why)
{
    uint8_t hashes[TREE_TILE][TREE_HASH];
    enum status st = ledger_tile(l->ledger, q->level, q->first, q->width, hashes, why);

    return st ? st : take_body(a, "application/octet-stream", hashes, (size_t)q->width * TREE_HASH);
}

static enum status tell_bundle(struct logbook *l, const struct logbook_question *q,
                               struct answer *a, struct why *why)
{
    struct store_bytes bundle;
    enum status st = ledger_bundle(l->ledger, q->first, q->width, &bundle, why);

    if (st)
        return st;
    answer_text(a, 200, "application/octet-stream", NULL);
    a->raw = (struct bytes){bundle.data, bundle.count};
    return ST_OK;
}

/* A line each, as they were hashed; what has expired is left out. */
static enum status tell_leaves(struct answer *a, const struct store_leaf *leaves, int count)
{
    size_t bytes = 0;
    uint8_t *text, *at;

    for (int i = 0; i < count; i++)
        bytes += leaves[i].record.count + 1;
    text = malloc(bytes + 1);
    if (!text)
        return ST_FULL;
    at = text;
    for (int i = 0; i < count; i++) {
        if (!leaves[i].record.count)
            continue;
        memcpy(at, leaves[i].record.data, leaves[i].record.count);
        at += leaves[i].record.count;
        *at++ = '\n';
    }
    answer_text(a, 200, "application/x-ndjson", NULL);
    a->raw = (struct bytes){text, (size_t)(at - text)};
    return ST_OK;
}

static int room(const struct logbook_question *q)
{
    return q->count < LOGBOOK_ENTRIES_MAX ? (int)q->count : LOGBOOK_ENTRIES_MAX;
}

static enum status tell_entries(struct logbook *l, const struct logbook_question *q,
                                struct answer *a, struct why *why)
{
    struct store_leaf leaves[LOGBOOK_ENTRIES_MAX];
    int count = room(q);
    enum status st = ledger_entries(l->ledger, q->first, leaves, &count, why);

    if (st)
        return st;
    st = tell_leaves(a, leaves, count);
    if (!st && count == room(q))
        answer_header(a, "link", "</v1/log/entries?first=%lld&count=%d>; rel=\"next\"",
                      (long long)leaves[count - 1].index + 1, count);
    ledger_release(leaves, count);
    return st;
}

/* ---- numbers ---- */

static enum status write_counts(struct logbook *l, struct json_out *o, const char *name,
                                int64_t since_ns, struct why *why)
{
    int64_t counts[STORE_LEAF_KINDS] = {0};
    enum status st = ledger_counts(l->ledger, since_ns, counts, why);

    json_out_object(o, name);
    for (int i = 0; i < RECORD_KINDS && !st; i++) {
        if (counts[i])
            json_out_int(o, record_kind_name((enum record_kind)i), counts[i]);
    }
    json_out_object_end(o);
    return st;
}

/* What the marker did since the start: as many logged as marked, or pictures were lost on the way.
 */
static void write_marker(struct json_out *o, const struct marker *marker)
{
    struct marking_stats s;

    if (!marker)
        return;
    marking_get_stats(marker, &s);
    json_out_object(o, "since_start");
    json_out_int(o, "marked", (int64_t)s.marked);
    json_out_int(o, "logged", (int64_t)s.logged);
    json_out_int(o, "weak", (int64_t)s.weak);
    json_out_int(o, "failed", (int64_t)s.failed);
    json_out_object_end(o);
}

static enum status tell_stats(struct logbook *l, const struct logbook_question *q, struct answer *a,
                              struct why *why)
{
    int64_t size = 0, now_s = clock_unix_s();
    struct store_checkpoint head;
    enum status st = ledger_size(l->ledger, &size, why);

    if (!st)
        st = ledger_checkpoint(l->ledger, &head, why);
    if (st)
        return st;
    answer_json(a);
    json_out_object(&a->json, NULL);
    json_out_int(&a->json, "size", size);
    json_out_object(&a->json, "head");
    json_out_int(&a->json, "size", head.size);
    json_out_int(&a->json, "age_s", now_s - head.time_ns / NANO);
    json_out_object_end(&a->json);
    st = write_counts(l, &a->json, "all", 0, why);
    if (!st)
        st = write_counts(l, &a->json, "last_day", (now_s - 86400) * NANO, why);
    write_marker(&a->json, q->service->marker);
    json_out_object_end(&a->json);
    if (st)
        answer_close(a);
    else
        answer_json_end(a);
    return st;
}

/* ---- a search ---- */

struct wanted {
    struct store_search search;
    uint64_t id;
    uint8_t sha256[32], pixels[32];
};

static enum status read_hash(const uint8_t **to, uint8_t hash[32], const char *text,
                             const char *name, struct why *why)
{
    if (!*text)
        return ST_OK;
    *to = hash;
    if (crypto_unhex(hash, 32, text, strlen(text)))
        return ST_OK;
    return why_fail(why, ST_INVALID, "%s is 64 hexadecimal digits", name);
}

static enum status read_wanted(struct wanted *w, const struct logbook_question *q, struct why *why)
{
    struct store_search *s = &w->search;
    enum record_kind kind;
    uint8_t id[8];
    enum status st;

    *w = (struct wanted){.search = {.kind = -1,
                                    .before = q->before < 0 ? 0 : q->before,
                                    .tenant = q->tenant[0] ? q->tenant : NULL,
                                    .model = q->model[0] ? q->model : NULL,
                                    .verdict = q->verdict[0] ? q->verdict : NULL,
                                    .decision = q->decision[0] ? q->decision : NULL}};
    if (q->since_s > INT64_MAX / NANO || q->until_s > INT64_MAX / NANO)
        return why_fail(why, ST_INVALID, "from and to are seconds since 1970");
    s->since_ns = q->since_s < 0 ? 0 : q->since_s * NANO;
    s->until_ns = q->until_s < 0 ? 0 : q->until_s * NANO;
    st = read_hash(&s->sha256, w->sha256, q->sha256, "sha256", why);
    if (!st)
        st = read_hash(&s->pixels, w->pixels, q->pixels, "pixels", why);
    if (st)
        return st;
    if (q->kind_name[0]) {
        if (!record_kind_of(&kind, q->kind_name))
            return why_fail(why, ST_INVALID, "no kind of records is called so");
        s->kind = (int)kind;
    }
    if (!q->id[0])
        return ST_OK;
    if (!crypto_unhex(id, sizeof(id), q->id, strlen(q->id)))
        return why_fail(why, ST_INVALID, "id is 16 hexadecimal digits");
    for (size_t i = 0; i < sizeof(id); i++)
        w->id = w->id << 8 | id[i];
    s->id = &w->id;
    return ST_OK;
}

static enum status tell_found(struct logbook *l, const struct logbook_question *q, struct answer *a,
                              struct why *why)
{
    struct store_leaf leaves[LOGBOOK_ENTRIES_MAX];
    struct wanted wanted;
    int count = room(q);
    enum status st = read_wanted(&wanted, q, why);

    if (!st)
        st = ledger_search(l->ledger, &wanted.search, leaves, &count, why);
    if (st)
        return st;
    st = tell_leaves(a, leaves, count);
    ledger_release(leaves, count);
    return st;
}

/* ---- */

static enum status (*const tell[LOGBOOK_KINDS])(struct logbook *l, const struct logbook_question *q,
                                                struct answer *a, struct why *why) = {
    [LOGBOOK_STATS] = tell_stats,
    [LOGBOOK_CHECKPOINT] = tell_checkpoint,
    [LOGBOOK_KEY] = tell_key,
    [LOGBOOK_PROOF] = tell_proof,
    [LOGBOOK_CONSISTENCY] = tell_consistency,
    [LOGBOOK_TILE] = tell_tile,
    [LOGBOOK_BUNDLE] = tell_bundle,
    [LOGBOOK_ENTRIES_LIST] = tell_entries,
    [LOGBOOK_SEARCH] = tell_found,
};

/* Records are shown once it is on the disk who looks at them. */
static enum status note_read(struct logbook *l, const struct logbook_question *q, struct why *why)
{
    struct record r = {.kind = RECORD_READ};
    char text[RECORD_NOTE_MAX];

    if (q->kind < LOGBOOK_BUNDLE)
        return ST_OK;
    snprintf(text, sizeof(text), "%s looked at %s%s%s", q->prefix, q->said,
             q->reason[0] ? " because: " : "", q->reason);
    record_text(r.note, sizeof(r.note), text);
    record_text(r.request, sizeof(r.request), q->request);
    return ledger_append(l->ledger, &r, NULL, why);
}

static bool never_changes(const struct logbook_question *q)
{
    return q->kind == LOGBOOK_TILE && q->width == TREE_TILE;
}

static void run(void *question)
{
    struct logbook_question *q = question;
    struct logbook *l = q->service->logbook;
    struct answer answer;
    struct why why = {""};
    enum status st = note_read(l, q, &why);

    if (!st)
        st = tell[q->kind](l, q, &answer, &why);
    if (st)
        fail(&answer, st, &why);
    answer_header(&answer, "cache-control", "%s", !st && never_changes(q) ? FOR_EVER : "no-store");
    http_ticket_answer(q->ticket, &answer);
}
