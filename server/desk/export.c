/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions for those who look at all of them: as statements for the DSA Transparency Database, a
 * page of them at a time, or as CSV. Nothing personal is in either.
 */
#include "server/desk/room.h"
#include "server/dsa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 200 /* decisions that are read at once */
#define ROWS 10000

/* All that were not simply delivered. */
#define STOPPED (((1u << STORE_STANDINGS) - 1) & ~(1u << STORE_ALLOWED))

/* The standings that are asked for, before row `seq`, the newest first, until `since_s`. */
struct walk {
    struct desk *d;
    struct store_decision *list;
    int count, at;
    int64_t seq, since_s;
    enum status st;
    struct why why;
};

static const struct store_decision *next(struct walk *w)
{
    if (w->at == w->count) {
        w->at = 0;
        w->count = PAGE;
        w->st = w->d->store->ops->decision_list(w->d->store, NULL, STOPPED, w->seq, w->list,
                                                &w->count, &w->why);
        if (w->st || !w->count)
            return NULL;
    }
    if (w->list[w->at].created_s < w->since_s)
        return NULL;
    w->seq = w->list[w->at].seq;
    return &w->list[w->at++];
}

/* Where the next page begins. */
static void point_on(struct answer *a, const struct walk *w, const char *format)
{
    answer_header(a, "link",
                  "</v1/moderation/export?format=%s&since=%lld&after=%lld>; rel=\"next\"", format,
                  (long long)w->since_s, (long long)w->seq);
}

static void write_dsa(struct walk *w, struct answer *a)
{
    const struct store_decision *decision = NULL;
    struct moderated mo;
    int told = 0;

    moderated_open(&mo, w->d->service);
    desk_answer(a, 200);
    json_out_object(&a->json, NULL);
    json_out_array(&a->json, "statements");
    while (told < DSA_PAGE && (decision = next(w)) != NULL) {
        if (!dsa_is_statement(decision))
            continue;
        dsa_write(&a->json, &mo, decision);
        told++;
    }
    json_out_array_end(&a->json);
    json_out_object_end(&a->json);
    answer_json_end(a);
    if (decision)
        point_on(a, w, "dsa");
    moderated_close(&mo, w->d->service);
}

/* As RFC 4180 has it; what a spreadsheet would take for a formula is made a text. */
static void field(FILE *out, const char *text, const char *behind)
{
    fputc('"', out);
    if (strchr("=+-@\t\r", text[0]) && text[0])
        fputc('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
    fputs(behind, out);
}

static void write_row(FILE *out, const struct store_decision *d)
{
    char date[2][DATE_MAX];

    moderated_date(date[0], d->created_s);
    moderated_date(date[1], d->decided_s);
    field(out, d->id, ",");
    field(out, date[0], ",");
    field(out, d->stage == STORE_STAGE_PROMPT ? "prompt" : "image", ",");
    field(out, d->tenant, ",");
    field(out, d->model, ",");
    field(out, d->context, ",");
    field(out, d->category, ",");
    field(out, band_name((enum band)d->decision), ",");
    field(out, band_name((enum band)d->action), ",");
    field(out, cause_name((enum cause)d->cause), ",");
    field(out, moderated_standing(d->standing), ",");
    field(out, d->policy, ",");
    fprintf(out, "%d,", d->policy_version);
    field(out, d->policy_sha256, ",");
    field(out, d->weights_sha256, ",");
    fprintf(out, "%s,", d->audited ? "true" : "false");
    field(out, d->decided_s ? date[1] : "", "\r\n");
}

static enum status write_csv(struct walk *w, struct answer *a)
{
    const struct store_decision *decision = NULL;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    bool failed;

    if (!out)
        return ST_FULL;
    fputs("decision_id,created_at,stage,tenant,model,context,category,decision,action,cause,"
          "standing,policy,policy_version,policy_sha256,weights_sha256,audited,decided_at\r\n",
          out);
    for (int rows = 0; rows < ROWS && (decision = next(w)) != NULL; rows++)
        write_row(out, decision);
    failed = ferror(out);
    failed |= fclose(out) != 0;
    if (failed || w->st) {
        free(text);
        return w->st ? w->st : ST_FULL;
    }
    answer_text(a, 200, "text/csv; charset=utf-8", NULL);
    a->raw = (struct bytes){(uint8_t *)text, bytes};
    if (decision)
        point_on(a, w, "csv");
    answer_header(a, "cache-control", "no-store");
    answer_header(a, "content-disposition", "attachment; filename=\"decisions.csv\"");
    return ST_OK;
}

void export_run(struct desk *d, struct matter *m)
{
    struct walk w = {.d = d,
                     .list = calloc(PAGE, sizeof(*w.list)),
                     .since_s = m->number[0] > 0 ? m->number[0] : 0,
                     .seq = m->number[1] > 0 ? m->number[1] : 0};
    bool dsa = !strcmp(m->word, "dsa");
    struct answer answer;
    enum status st;

    if (!dsa && strcmp(m->word, "csv") != 0) {
        matter_fail(m, 400, (struct failure){.param = "format"}, "format is dsa or csv");
        free(w.list);
        return;
    }
    if (w.list && dsa)
        write_dsa(&w, &answer);
    st = !w.list ? ST_FULL : dsa ? w.st : write_csv(&w, &answer);
    free(w.list);
    if (!st) {
        matter_answer(m, &answer);
        return;
    }
    if (w.list && dsa)
        answer_close(&answer);
    desk_note(d, st, &w.why);
    matter_fail_store(m, st);
}
