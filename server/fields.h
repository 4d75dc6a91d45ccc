/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - what a client says in a small body or a query, read strictly into a struct.
 *
 *     static const struct field fields[] = {
 *         {"decision_id", FIELD_AT(struct filing, decision), FIELD_TEXT, true},
 *     };
 *     st = fields_json(&filing, fields, 1, body, bytes, &error);
 *
 * A name that is not in the table, one that comes twice, a text that is too long, is no UTF-8 or
 * holds a NUL, and one that is required and is not there: ST_INVALID, and the error names it. Of a
 * query, names that are not in the table are left alone, since others put theirs into links. An
 * object, a form and a query with the same values fill the struct alike.
 */
#ifndef SERVER_FIELDS_H
#define SERVER_FIELDS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_TEXT, /* char[size] */
    FIELD_INT,  /* int64_t, from 0 on */
    FIELD_LIST, /* texts, a line for each, in char[size]; JSON alone has such */
};

struct field {
    const char *name;
    size_t at, size; /* where it goes; of a text with its NUL */
    enum field_kind kind;
    bool required;
};

/* Where a member is, and its size. */
#define FIELD_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

struct fields_error {
    char param[64]; /* which name; empty: none in particular */
    struct why why;
};

/* `out` keeps what was there for what is not said. */
MUST_USE enum status fields_json(void *out, const struct field *fields, int count, const char *text,
                                 size_t bytes, struct fields_error *error);
/* application/x-www-form-urlencoded. A line's end is "\n" afterwards, however it was sent. */
MUST_USE enum status fields_form(void *out, const struct field *fields, int count, const char *text,
                                 size_t bytes, struct fields_error *error);
MUST_USE enum status fields_query(void *out, const struct field *fields, int count,
                                  const char *text, size_t bytes, struct fields_error *error);

#endif /* SERVER_FIELDS_H */
