/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - a template and values to HTML, for pages that work without a script.
 *
 *     {{name}}                              the value, so that it can only ever be read as text
 *     {{#if name}} ... {{else}} ... {{/if}}     the first part where the value is there and not
 * empty
 *
 * Names are lower-case letters and '_'. A template is ours and values are strangers': a name that
 * has no value of its own in the list, or a mark that is not closed, is an error that names its
 * line. Escaped values may stand between tags and in quoted attributes, and nowhere else; an
 * address that goes into href or src has to be looked at by whoever fills it in.
 */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "codec/encode.h"

#define PAGE_DEPTH_MAX 8
#define PAGE_BYTES_MAX (1 << 20) /* of what comes out */

struct page_value {
    const char *name, *value; /* value NULL: there is none */
};

/* *out is the caller's, to close with bytes_close. ST_INVALID: the template; ST_FULL: too long, or
   no memory. On failure *out is empty. */
MUST_USE enum status page_render(struct bytes *out, const char *page,
                                 const struct page_value *values, int count, struct why *why);

#endif /* SERVER_PAGE_H */
