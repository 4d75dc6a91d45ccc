/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/audit.h"

#include "base/crypto.h"

#include <string.h>

static enum audit_draw kind_of(const struct policy_audit *shares, const struct verdict *v)
{
    if (v->cause == CAUSE_PRECEDENT || v->action == BAND_HOLD)
        return AUDIT_NONE;
    if (v->action == BAND_BLOCK)
        return AUDIT_BLOCK;
    return v->gap <= shares->near ? AUDIT_ALLOW_NEAR : AUDIT_ALLOW_FAR;
}

/* 0 to just below 1. The key has one length, so that no end of it can be taken for an id. */
static double place_of(const uint8_t key[32], const char *decision)
{
    uint8_t text[32 + 6 + 128], hash[32];
    size_t bytes = strlen(decision) < 128 ? strlen(decision) : 128;
    uint64_t number = 0;

    memcpy(text, key, 32);
    memcpy(text + 32, "audit|", 6);
    memcpy(text + 38, decision, bytes);
    crypto_sha256(hash, text, 38 + bytes);
    crypto_wipe(text, sizeof(text));
    for (int i = 0; i < 8; i++)
        number = number << 8 | hash[i];
    return (double)(number >> 11) * 0x1p-53;
}

static double share_of(const struct policy_audit *shares, enum audit_draw kind)
{
    const double share[AUDIT_DRAWS] = {0, shares->auto_block, shares->auto_allow_near,
                                       shares->auto_allow_far};

    return share[kind];
}

enum audit_draw audit_draw(const struct policy_audit *shares, const uint8_t key[32],
                           const char *decision, const struct verdict *v)
{
    enum audit_draw kind = kind_of(shares, v);

    return place_of(key, decision) < share_of(shares, kind) ? kind : AUDIT_NONE;
}

double audit_share(const struct policy_audit *shares, const struct verdict *v)
{
    return share_of(shares, kind_of(shares, v));
}

const char *audit_draw_name(enum audit_draw draw)
{
    static const char *const names[AUDIT_DRAWS] = {"none", "auto_block", "auto_allow_near",
                                                   "auto_allow_far"};

    return names[draw];
}
