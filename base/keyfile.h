/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyfile.h - a small file of secrets that only its owner may read, made once.
 *
 * It appears whole or not at all: it is written beside, and linked in place only when nobody else
 * has made one meanwhile, whose is read then.
 */
#ifndef BASE_KEYFILE_H
#define BASE_KEYFILE_H

#include "base/status.h"

#include <stddef.h>

#define KEYFILE_BYTES_MAX 16384 /* with a NUL */

/* The text of the file, which is `fresh` when there was none; the caller wipes it. ST_INVALID:
   others may read it, or it is too large, or no file; ST_IO: the disk said no. */
MUST_USE enum status keyfile_read(char text[KEYFILE_BYTES_MAX], const char *path, const char *fresh,
                                  struct why *why);

#endif /* BASE_KEYFILE_H */
