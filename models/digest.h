/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.h - which weights made a picture, in 64 digits of hex.
 *
 * The SHA-256 of one line "SHA256  PATH\n" for every *.safetensors file of a model's folder, two
 * folders deep, in the order of their paths: what `find`, `sort` and `sha256sum` print for it.
 */
#ifndef MODELS_DIGEST_H
#define MODELS_DIGEST_H

#include "base/status.h"

#define DIGEST_HEX 65 /* with a NUL */

/* Reads all of the weights: seconds for a large model. Several threads may. ST_MISSING: there is no
   such file; ST_IO names what could not be read; ST_FULL: more than DIGEST_FILES_MAX. */
#define DIGEST_FILES_MAX 256
MUST_USE enum status digest_folder(char out[DIGEST_HEX], const char *folder, struct why *why);

#endif /* MODELS_DIGEST_H */
