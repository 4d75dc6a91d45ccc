/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web.h"

#include "base/crypto.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HASH_MAX 64
#define RULE_MAX 512 /* all hashes of one kind */

/* What a policy calls the text between two tags: the browser takes that and nothing else. Each
   block has its own; a page without any gets 'none'. */
static void hash_between(char out[RULE_MAX], const char *page, const char *open, const char *close)
{
    const char *from = page, *to;
    size_t used = 0;

    snprintf(out, RULE_MAX, "'none'");
    while ((from = strstr(from, open)) != NULL) {
        uint8_t hash[32];

        from += strlen(open);
        to = strstr(from, close);
        assert(to && used + HASH_MAX < RULE_MAX);
        crypto_sha256(hash, from, (size_t)(to - from));
        used += (size_t)snprintf(out + used, RULE_MAX - used, "%s'sha256-", used ? " " : "");
        crypto_base64_encode(out + used, hash, sizeof(hash));
        used += crypto_base64_length(sizeof(hash));
        memcpy(out + used++, "'", 2);
    }
}

static const char *images(unsigned may)
{
    if (may & WEB_PICTURES)
        return may & WEB_BLOBS ? "data: 'self' blob:" : "data: 'self'";
    return may & WEB_BLOBS ? "data: blob:" : "data:";
}

void web_policy(struct answer *a, const char *page, unsigned may)
{
    char script[RULE_MAX], style[RULE_MAX];

    hash_between(script, page, "<script>", "</script>");
    hash_between(style, page, "<style>", "</style>");
    answer_header(a, "content-security-policy",
                  "default-src 'none'; script-src %s; style-src %s; connect-src %s; img-src %s; "
                  "base-uri 'none'; form-action %s; frame-ancestors 'none'",
                  script, style, may & WEB_ASK ? "'self'" : "'none'", images(may),
                  may & WEB_FORMS ? "'self'" : "'none'");
    answer_header(a, "x-content-type-options", "nosniff");
    answer_header(a, "referrer-policy", "no-referrer");
    answer_header(a, "cross-origin-opener-policy", "same-origin");
}

void web_answer(struct answer *a, const char *page, unsigned may)
{
    answer_text(a, 200, "text/html; charset=utf-8", page);
    web_policy(a, page, may);
    answer_header(a, "cache-control", "no-cache");
}
