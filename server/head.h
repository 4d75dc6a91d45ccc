/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head.h - is the head of an HTTP/1 request one that every server would read alike?
 *
 * Two servers in a row that cut the same bytes into different requests let a stranger smuggle one
 * past the first. So what is ambiguous is refused here, even though the parser behind would take
 * it: two lengths, a length beside a transfer coding, a folded line, a line that ends in a bare
 * line feed, no Host or two of them. It works on bytes and knows no HTTP library.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* `bytes` bytes that begin with a request head; what stands after the empty line is not read.
   ST_INVALID says what is ambiguous. */
MUST_USE enum status head_check(const char *text, size_t bytes, bool host_needed, struct why *why);

#endif /* SERVER_HEAD_H */
