/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h - 32 bytes that this installation alone knows: what signs its links.
 */
#ifndef MODERATION_SECRET_H
#define MODERATION_SECRET_H

#include "base/status.h"

#include <stdint.h>

#define SECRET_FILE  "secret.key" /* in the state folder */
#define SECRET_BYTES 32

/* Of `folder`, made when there is none. Who has another signs other links: the old ones are dead.
   The caller wipes it. ST_INVALID: others may read the file, or it holds no 64 digits of hex. */
MUST_USE enum status secret_open(uint8_t out[SECRET_BYTES], const char *folder, struct why *why);

#endif /* MODERATION_SECRET_H */
