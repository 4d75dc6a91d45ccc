/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_form.c - forms, queries and small JSON bodies, each read from the whole input, in memory of
 * exactly its size.
 */
#include "server/fields.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct values {
    char guard[8];
    char token[16], text[64], list[48];
    int64_t number;
    char fence[8];
};

static const struct field fields[] = {
    {"token", FIELD_AT(struct values, token), FIELD_TEXT, true},
    {"text", FIELD_AT(struct values, text), FIELD_TEXT, false},
    {"list", FIELD_AT(struct values, list), FIELD_LIST, false},
    {"number", FIELD_AT(struct values, number), FIELD_INT, false},
};

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static void check(enum status st, const struct values *v, const struct fields_error *e)
{
    must(st == ST_OK || st == ST_INVALID || st == ST_FULL);
    must(!st || e->why.text[0]);
    must(memchr(v->token, 0, sizeof(v->token)) && memchr(v->text, 0, sizeof(v->text)) &&
         memchr(v->list, 0, sizeof(v->list)));
    must(v->number >= 0);
    must(!memcmp(v->guard, "guarded", 8) && !memcmp(v->fence, "fencing", 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct values empty = {.guard = "guarded", .fence = "fencing"};
    struct values form = empty, query = empty, object = empty;
    char *text = malloc(bytes ? bytes : 1);
    struct fields_error error;
    enum status st;

    if (!text)
        return 0;
    if (bytes)
        memcpy(text, data, bytes);
    st = fields_form(&form, fields, 4, text, bytes, &error);
    check(st, &form, &error);
    check(fields_query(&query, fields, 4, text, bytes, &error), &query, &error);
    must(st || !strcmp(form.text, query.text)); /* what a form may say, a query may */
    check(fields_json(&object, fields, 4, text, bytes, &error), &object, &error);
    free(text);
    return 0;
}
