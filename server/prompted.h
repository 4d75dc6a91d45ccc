/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompted.h - the words of a request, before anything is reserved or made of them.
 *
 * The rules are looked at on the io thread. Words that pass go on there, as if nothing had been;
 * words for which a person has to look at the pictures too, with a note in the order. What takes
 * longer is an errand: a block is written down by the keeper before it is told, and a team's own
 * classifier (hook.h) is waited for by nobody.
 */
#ifndef SERVER_PROMPTED_H
#define SERVER_PROMPTED_H

#include "server/order.h"

#define PROMPTED_HOOK                                                                              \
    "prompt_hook" /* the category of what a hook objects to without naming one                     \
                   */

/* True: the request is held or answered, and the order was moved away. */
bool prompted_take(struct service *s, struct http_request *r, struct order *order);

#endif /* SERVER_PROMPTED_H */
