/* SPDX-License-Identifier: Apache-2.0 */
#include "server/matter.h"

#include "base/crypto.h"
#include "server/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct matters {
    pthread_mutex_t lock;
    struct matter *all, *free;
};

enum status matters_open(struct matters **out, int count)
{
    struct matters *m = calloc(1, sizeof(*m));

    *out = m;
    if (!m)
        return ST_FULL;
    pthread_mutex_init(&m->lock, NULL);
    m->all = calloc((size_t)count, sizeof(*m->all));
    if (!m->all) {
        matters_close(out);
        return ST_FULL;
    }
    for (int i = 0; i < count; i++) {
        m->all[i].next = m->free;
        m->free = &m->all[i];
    }
    return ST_OK;
}

void matters_close(struct matters **matters)
{
    struct matters *m = *matters;

    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m->all);
    free(m);
    *matters = NULL;
}

/* ---- one on its way ---- */

static void refuse(struct http_request *r, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    http_answer(r, &answer);
}

/* What people wrote is not left behind in memory. */
static void put(struct matter *m)
{
    struct matters *all = m->service->matters;

    crypto_wipe(m, sizeof(*m));
    pthread_mutex_lock(&all->lock);
    m->next = all->free;
    all->free = m;
    pthread_mutex_unlock(&all->lock);
}

static void on_gone(void *matter)
{
    atomic_store(&((struct matter *)matter)->gone, true);
}

static void on_over(void *matter)
{
    put(matter);
}

/* The first language that the reader names: "de" of "de-CH, en;q=0.5". */
static void read_language(struct matter *m, const struct http_request *r)
{
    struct http_text header = http_header(r, "accept-language");
    size_t bytes = 0;

    while (header.data && bytes < header.bytes && !strchr(",; ", header.data[bytes]))
        bytes++;
    if (bytes && bytes < sizeof(m->language) && header.data[0] != '*')
        memcpy(m->language, header.data, bytes);
}

static void read_who(struct matter *m, const struct http_request *r)
{
    struct tenant_limits tenant;

    m->who.tenant = r->tenant - 1;
    m->who.scopes = r->scopes;
    memcpy(m->who.prefix, r->caller, sizeof(m->who.prefix));
    if (!r->tenant)
        return;
    tenant_get(m->service->tenants, m->who.tenant, &tenant);
    memcpy(m->who.name, tenant.name, sizeof(m->who.name));
}

struct matter *matter_take(struct service *s, struct http_request *r, enum matter_kind kind)
{
    struct matters *all = s->matters;
    struct matter *m;

    pthread_mutex_lock(&all->lock);
    m = all->free;
    if (m)
        all->free = m->next;
    pthread_mutex_unlock(&all->lock);
    if (!m) {
        refuse(r, 429, (struct failure){0}, "too many requests about decisions at the same time");
        return NULL;
    }
    *m = (struct matter){.kind = kind, .service = s, .number = {-1, -1, -1, -1}};
    read_who(m, r);
    read_language(m, r);
    return m;
}

static void run(void *matter)
{
    struct matter *m = matter;

    desk_handle(m->service->desk, m);
}

void matter_send(struct matter *m, struct http_request *r)
{
    struct answer answer;

    m->ticket = http_hold(r, m, on_gone, on_over);
    if (!m->ticket) {
        put(m);
        refuse(r, 429, (struct failure){0}, "too many requests at the same time");
    } else if (!desk_run(m->service->desk, run, m)) {
        answer_fail_http(&answer, atomic_load(&m->service->draining) ? 503 : 429,
                         (struct failure){0}, "too many requests about decisions at the same time");
        http_ticket_answer(m->ticket, &answer);
    }
}

void matter_refuse(struct matter *m, struct http_request *r, int status, struct failure failure,
                   const char *message)
{
    put(m);
    refuse(r, status, failure, message);
}

static bool done(struct matter *m, struct http_request *r, enum status st,
                 const struct fields_error *e)
{
    if (!st)
        return true;
    matter_refuse(m, r, st == ST_FULL ? 503 : 400,
                  (struct failure){.param = e->param[0] ? e->param : NULL}, e->why.text);
    return false;
}

bool matter_read_json(struct matter *m, struct http_request *r, const struct field *fields,
                      int count)
{
    struct fields_error error;

    return done(m, r, fields_json(m, fields, count, r->body.data, r->body.bytes, &error), &error);
}

bool matter_read_query(struct matter *m, struct http_request *r, const struct field *fields,
                       int count)
{
    struct fields_error error;

    return done(m, r, fields_query(m, fields, count, r->query.data, r->query.bytes, &error),
                &error);
}

/* ---- answers ---- */

void matter_answer(struct matter *m, struct answer *a)
{
    http_ticket_answer(m->ticket, a);
}

void matter_fail(struct matter *m, int status, struct failure failure, const char *message)
{
    struct answer answer;

    answer_fail_http(&answer, status, failure, message);
    answer_header(&answer, "cache-control", "no-store");
    matter_answer(m, &answer);
}

void matter_fail_store(struct matter *m, enum status st)
{
    matter_fail(m, 503, (struct failure){.retry_after_ms = 5000},
                st == ST_FULL ? "the server has no room for this"
                              : "the server cannot reach its store");
}
