/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsa.h - decisions as the European Commission's DSA Transparency Database takes them.
 *
 * One JSON object for each, at most DSA_PAGE of them in {"statements":[...]}. The decision's id is
 * the `puid`, so sending a statement twice makes one. No text has anything personal: no prompt, no
 * tenant, no user. What was delivered without a label is no restriction, and has no statement.
 */
#ifndef SERVER_DSA_H
#define SERVER_DSA_H

#include "server/moderated.h"

#define DSA_PAGE 100 /* statements that the database takes at once */

/* Is it one to be reported? */
bool dsa_is_statement(const struct store_decision *d);
void dsa_write(struct json_out *o, const struct moderated *m, const struct store_decision *d);

#endif /* SERVER_DSA_H */
