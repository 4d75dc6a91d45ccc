/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement.h - the statement of reasons: what Article 17(3) of the Digital Services Act asks for,
 * for programs as JSON and for people as text.
 *
 * Which restriction, where and for how long; the facts, and that nobody reported it; what part of
 * it was automatic; the rule, and why it was broken; what can be done about it. The text says it in
 * short sentences to somebody who has done nothing wrong, which is often so.
 */
#ifndef SERVER_STATEMENT_H
#define SERVER_STATEMENT_H

#include "server/moderated.h"

#define STATEMENT_FACTS_MAX 1024

/* The decision object: everything about it that its owner may know, the statement included. */
void statement_write(struct json_out *o, const char *name, const struct moderated *m,
                     const struct store_decision *d);

/* The same for people, as lines of UTF-8. The bytes are the caller's; ST_FULL without memory. */
MUST_USE enum status statement_text(struct bytes *out, const struct moderated *m,
                                    const struct store_decision *d);

/* What was seen and who decided, without a word about whoever asked. */
void statement_facts(char out[STATEMENT_FACTS_MAX], const struct moderated *m,
                     const struct store_decision *d);

#endif /* SERVER_STATEMENT_H */
