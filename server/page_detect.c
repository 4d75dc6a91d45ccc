/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page_detect.h"

#include "server/page.h"
#include "server/web.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *when(bool said)
{
    return said ? "yes" : NULL;
}

static const char *manifest_words(const struct detect_result *r)
{
    static const char *const words[] = {
        [DETECT_MANIFEST_NONE] = "none in the file",
        [DETECT_MANIFEST_UNREADABLE] = "there is one that cannot be read",
        [DETECT_MANIFEST_BROKEN] = "there is one, and the file is not as it was signed",
        [DETECT_MANIFEST_FOREIGN] = "valid, signed by somebody else",
        [DETECT_MANIFEST_OURS] = "valid, and signed here",
    };

    return r ? words[r->manifest] : NULL;
}

static const char *mark_words(const struct detect_result *r)
{
    static const char *const words[] = {
        [MARK_ABSENT] = "not found",
        [MARK_PRESENT] = "found; its number cannot be read",
        [MARK_ID] = "found, with its number",
    };

    return r ? words[r->mark.verdict] : NULL;
}

static const char *print_words(const struct detect_result *r)
{
    static const char *const words[] = {
        [DETECT_PRINT_NONE] = "nothing to compare with",
        [DETECT_PRINT_AGREES] = "looks like the picture of the record",
        [DETECT_PRINT_DIFFERS] = "looks different from the picture of the record",
    };

    return r ? words[r->print] : NULL;
}

void page_detect_answer(struct answer *a, const struct detect_result *r, const char *error)
{
    bool confirmed = r && r->verdict == DETECT_CONFIRMED;
    char id[24] = "";
    struct bytes page;
    struct why why;
    enum status st;

    if (confirmed && r->record.has_id)
        snprintf(id, sizeof(id), "%016" PRIx64, r->record.id);
    {
        const struct page_value values[] = {
            {"error", error},
            {"found", when(r != NULL)},
            {"confirmed", when(confirmed)},
            {"warn", when(r && r->verdict == DETECT_DISAGREE)},
            {"sentence", r ? r->sentence : NULL},
            {"manifest", manifest_words(r)},
            {"mark", mark_words(r)},
            {"fingerprint", print_words(r)},
            {"system", confirmed ? r->record.system : NULL},
            {"id", id},
        };

        st = page_render(&page, web_detect, values, (int)COUNT_OF(values), &why);
    }
    if (st) {
        assert(st == ST_FULL); /* a wrong template is ours, and fails a test */
        answer_fail_http(a, 503, (struct failure){.retry_after_ms = 2000},
                         "the server is out of memory");
        return;
    }
    answer_text(a, error ? 422 : 200, "text/html; charset=utf-8", NULL);
    a->raw = page;
    web_policy(a, web_detect, WEB_FORMS);
    answer_header(a, "cache-control", "no-store");
}
