/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier.h - the files of tools/verify_log inside the program, so that evidence can be checked by
 * whoever has nothing else.
 */
#ifndef SERVER_VERIFIER_H
#define SERVER_VERIFIER_H

#include "watermark/evidence.h"

extern const struct evidence_file verifier_files[];
extern const int verifier_file_count;

#endif /* SERVER_VERIFIER_H */
