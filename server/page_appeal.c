/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page_appeal.h"

#include "server/page.h"
#include "server/web.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_MAX   48
#define VALUES_MAX 48

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What stands in the template as {{#if NAME}}. */
static const char *const states[] = {
    [PAGE_APPEAL_BLOCKED] = "blocked",   [PAGE_APPEAL_FINAL] = "final",
    [PAGE_APPEAL_HELD] = "held",         [PAGE_APPEAL_PENDING] = "pending",
    [PAGE_APPEAL_ASKED] = "asked",       [PAGE_APPEAL_WITHDRAWN] = "withdrawn",
    [PAGE_APPEAL_UPHELD] = "upheld",     [PAGE_APPEAL_OVERTURNED] = "overturned",
    [PAGE_APPEAL_PARTLY] = "partly",     [PAGE_APPEAL_EXPIRED] = "expired",
    [PAGE_APPEAL_LINK_OLD] = "link_old", [PAGE_APPEAL_LINK_WRONG] = "link_wrong",
};
_Static_assert(COUNT_OF(states) == PAGE_APPEAL_STATES, "one for each");

static const struct page_value reasons[] = {
    {"medical", "It is medical or educational"},
    {"art", "It is art or history"},
    {"not_what_it_says", "It does not show what the check reported"},
    {"other", "Something else"},
};

struct values {
    struct page_value value[VALUES_MAX];
    int count;
};

static void give(struct values *v, const char *name, const char *value)
{
    assert(v->count < VALUES_MAX);
    v->value[v->count++] = (struct page_value){name, value};
}

static const char *when(bool said)
{
    return said ? "yes" : NULL;
}

/* "30 November 2026"; with_time: ", 14:05 UTC" behind it. NULL: not known. */
static const char *write_time(char out[TIME_MAX], int64_t at_s, bool with_time)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    time_t at = (time_t)at_s;
    struct tm tm;
    int used;

    if (at_s <= 0 || !gmtime_r(&at, &tm))
        return NULL;
    used = snprintf(out, TIME_MAX, "%d %s %d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
    if (with_time)
        snprintf(out + used, (size_t)(TIME_MAX - used), ", %02d:%02d UTC", tm.tm_hour, tm.tm_min);
    return out;
}

/* The owner's reason: in words, and which of the buttons is pressed. */
static void give_reason(struct values *v, const char *reason)
{
    const char *words = NULL;

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        static const char *const names[] = {"is_medical", "is_art", "is_not_what", "is_other"};
        bool same = reason && !strcmp(reason, reasons[i].name);

        give(v, names[i], when(same));
        words = same ? reasons[i].value : words;
    }
    give(v, "reason", words);
}

static bool is_address(const char *url)
{
    return url && (!strncmp(url, "https://", 8) || !strncmp(url, "http://", 7));
}

static void give_all(struct values *v, const struct page_appeal *p, char time[5][TIME_MAX])
{
    bool released = p->state == PAGE_APPEAL_OVERTURNED || p->state == PAGE_APPEAL_PARTLY;
    bool asks_more = p->state == PAGE_APPEAL_BLOCKED || p->state == PAGE_APPEAL_WITHDRAWN;

    for (int i = 0; i < PAGE_APPEAL_STATES; i++)
        give(v, states[i], when((int)p->state == i));
    give(v, "no_link", when(p->state >= PAGE_APPEAL_LINK_OLD));
    give(v, "released", when(released));
    give(v, "ruled", when(released || p->state == PAGE_APPEAL_UPHELD));
    give(v, "form", when(asks_more));
    give(v, "decision", p->decision);
    give(v, "token", p->token);
    give(v, "words", when(p->words));
    give(v, "preview", when(p->preview));
    give(v, "picture", when(p->picture));
    give(v, "decided", write_time(time[0], p->decided_s, true));
    give(v, "facts", p->facts);
    give(v, "clause", p->clause);
    give(v, "clause_url", is_address(p->clause_url) ? p->clause_url : NULL);
    give(v, "until", write_time(time[1], p->until_s, false));
    give(v, "expected", write_time(time[2], p->expected_s, true));
    give_reason(v, p->reason);
    give(v, "text", p->text);
    give(v, "appealed", write_time(time[3], p->appealed_s, true));
    give(v, "question", p->question);
    give(v, "answer", p->answer);
    give(v, "answered", write_time(time[4], p->answered_s, true));
    give(v, "error", p->error);
}

void page_appeal_answer(struct answer *a, const struct page_appeal *p)
{
    struct values v = {.count = 0};
    char time[5][TIME_MAX];
    struct bytes page;
    struct why why;
    enum status st;

    give_all(&v, p, time);
    st = page_render(&page, web_appeal, v.value, v.count, &why);
    if (st) {
        assert(st == ST_FULL); /* a wrong template is ours, and fails the test of this file */
        answer_fail_http(a, 503, (struct failure){.retry_after_ms = 2000},
                         "the server is out of memory");
        return;
    }
    answer_text(a,
                p->state == PAGE_APPEAL_LINK_OLD     ? 410
                : p->state == PAGE_APPEAL_LINK_WRONG ? 404
                : p->error                           ? 422
                                                     : 200,
                "text/html; charset=utf-8", NULL);
    a->raw = page;
    web_policy(a, web_appeal, WEB_PICTURES | WEB_FORMS);
    answer_header(a, "cache-control", "no-store");
    answer_header(a, "x-robots-tag", "noindex");
}
