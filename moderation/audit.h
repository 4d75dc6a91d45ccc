/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - which decisions are looked at by people who do not know what was decided.
 *
 * Appeals choose themselves, so what they overturn says little of what was wrong. A fixed share of
 * blocks and of allowed pictures, near to a border and far from it, is drawn instead. Drawing is a
 * keyed hash of the decision's id: it can be replayed with the key, and guessed by nobody without.
 */
#ifndef MODERATION_AUDIT_H
#define MODERATION_AUDIT_H

#include "moderation/policy.h"

#include <stdint.h>

enum audit_draw {
    AUDIT_NONE,       /* not drawn */
    AUDIT_BLOCK,      /* drawn among the automatic blocks */
    AUDIT_ALLOW_NEAR, /* among what was delivered, close below its next border */
    AUDIT_ALLOW_FAR,
    AUDIT_DRAWS
};

/* Held pictures are seen by people anyway, and what people decided is not automatic: never drawn.
 */
enum audit_draw audit_draw(const struct policy_audit *shares, const uint8_t key[32],
                           const char *decision, const struct verdict *v);

/* How likely a decision like this one is drawn. */
double audit_share(const struct policy_audit *shares, const struct verdict *v);

const char *audit_draw_name(enum audit_draw draw); /* "none", "auto_block", ... */

#endif /* MODERATION_AUDIT_H */
