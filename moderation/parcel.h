/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parcel.h - what the vault keeps of a decision, as one block of bytes: the texts that were asked
 * for, the picture as it was made (PNG, before any mark), and a preview of 12 by 12 pixels that
 * nobody can sharpen.
 */
#ifndef MODERATION_PARCEL_H
#define MODERATION_PARCEL_H

#include "store/jobs.h"

#define PARCEL_PREVIEW     12 /* pixels along a side */
#define PARCEL_TEXT_MAX    (1 << 20)
#define PARCEL_PICTURE_MAX (1 << 28)

struct parcel {
    const char *prompt, *negative;
    struct store_bytes picture; /* PNG; empty for a prompt's decision */
    uint8_t preview[PARCEL_PREVIEW * PARCEL_PREVIEW * 3];
};

/* *out is the caller's, to wipe and free. ST_FULL: no memory, or beyond a bound of the above. */
MUST_USE enum status parcel_pack(struct store_bytes *out, const struct parcel *p);
/* *out points into `bytes`, picture.data too: not to be freed. ST_INVALID: these are none. */
MUST_USE enum status parcel_unpack(struct parcel *out, struct store_bytes bytes, struct why *why);

#endif /* MODERATION_PARCEL_H */
