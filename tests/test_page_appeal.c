/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page_appeal.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTILE "<img src=x onerror=alert(1)><script>alert(2)</script>\"' &amp;"

static struct page_appeal full(enum page_appeal_state state)
{
    return (struct page_appeal){.state = state,
                                .decision = "dec_0123",
                                .token = "to-ken_1",
                                .preview = true,
                                .picture = true,
                                .decided_s = 1796130300, /* 1 December 2026, 13:05 UTC */
                                .facts = "It looks explicit" HOSTILE,
                                .clause = "T&C 4.2",
                                .clause_url = "https://example.org/rules",
                                .until_s = 1811894400,
                                .expected_s = 1796216700,
                                .reason = "medical",
                                .text = "A leaflet" HOSTILE,
                                .appealed_s = 1796130400,
                                .question = "What is it for?" HOSTILE,
                                .answer = "No" HOSTILE,
                                .answered_s = 1796130500};
}

/* The page as text, the caller's to free; *a keeps the headers. */
static char *make(struct answer *a, const struct page_appeal *p)
{
    char *text;

    page_appeal_answer(a, p);
    assert_non_null(a->raw.data);
    text = calloc(a->raw.count + 1, 1);
    assert_non_null(text);
    memcpy(text, a->raw.data, a->raw.count);
    answer_close(a);
    return text;
}

static const char *header(const struct answer *a, const char *name)
{
    for (int i = 0; i < a->header_count; i++) {
        if (!strcmp(a->header[i].name, name))
            return a->header_text + a->header[i].value_at;
    }
    return "";
}

static void must_have(const char *page, const char *words)
{
    if (!strstr(page, words))
        fail_msg("not on the page: %s", words);
}

static void must_not_have(const char *page, const char *words)
{
    if (strstr(page, words))
        fail_msg("on the page: %s", words);
}

/* How often; a page has one title, one main heading, and as many ends as beginnings. */
static int count(const char *page, const char *word)
{
    int found = 0;

    for (; (page = strstr(page, word)) != NULL; page += strlen(word))
        found++;
    return found;
}

static void check_sound(const char *page)
{
    static const char *const tags[][2] = {
        {"<form", "</form>"}, {"<div", "</div>"},       {"<dl", "</dl>"},
        {"<p", "</p>"},       {"<figure", "</figure>"}, {"<blockquote", "</blockquote>"},
        {"<ol", "</ol>"},     {"<label", "</label>"},   {"<h2", "</h2>"}};

    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (count(page, tags[i][0]) != count(page, tags[i][1]))
            fail_msg("%s: %d and %d", tags[i][0], count(page, tags[i][0]), count(page, tags[i][1]));
    }
    assert_int_equal(count(page, "<h1>"), 1);
    assert_int_equal(count(page, "<title>"), 1);
    must_not_have(page, "{{");
    must_not_have(page, "}}\n<"); /* of a mark; a style ends so with a blank or another brace */
    must_not_have(page, "<script");
    must_not_have(page, "<img src=x");
    must_not_have(page, "style=");
    must_not_have(page, "(null)");
}

static void test_every_state(void **state)
{
    static const char *const says[PAGE_APPEAL_STATES] = {"holding back a picture",
                                                         "rule that has no exceptions",
                                                         "waiting for a person",
                                                         "will look at your",
                                                         "has a question for you",
                                                         "You took your request back",
                                                         "the answer is no",
                                                         "here is your picture",
                                                         "only when somebody chooses",
                                                         "second look is over",
                                                         "no longer valid",
                                                         "nothing at this link"};

    (void)state;
    for (int words = 0; words < 2; words++) {
        for (int i = 0; i < PAGE_APPEAL_STATES; i++) {
            struct page_appeal p = full((enum page_appeal_state)i), bare;
            struct answer a;
            char *page;

            p.words = words;
            p.preview = p.picture = !words;
            page = make(&a, &p);
            check_sound(page);
            if (!words)
                must_have(page, says[i]);
            assert_int_equal(a.status, i == PAGE_APPEAL_LINK_OLD     ? 410
                                       : i == PAGE_APPEAL_LINK_WRONG ? 404
                                                                     : 200);
            free(page);
            bare = (struct page_appeal){
                .state = (enum page_appeal_state)i, .decision = "dec_1", .token = "t"};
            page = make(&a, &bare); /* nothing more is known */
            check_sound(page);
            free(page);
        }
    }
}

static void test_form(void **state)
{
    struct page_appeal p = full(PAGE_APPEAL_BLOCKED);
    struct answer a;
    char *page;

    (void)state;
    p.error = "please choose a reason";
    page = make(&a, &p);
    assert_int_equal(a.status, 422);
    must_have(page, "please choose a reason");
    must_have(page, "role=\"alert\"");
    must_have(page, "action=\"/appeal/dec_0123\"");
    must_have(page, "name=\"token\" value=\"to-ken_1\"");
    must_have(page, "value=\"medical\" required checked>"); /* what was chosen and written stays */
    must_have(page, ">A leaflet&lt;img src=x onerror=alert(1)&gt;");
    must_have(page, "until 2 June 2027");
    must_have(page, "1 December 2026, 13:05 UTC");
    must_have(page, "/v1/decisions/dec_0123/preview?token=to-ken_1");
    must_not_have(page, "/image?"); /* never before it is released */
    free(page);
}

static void test_only_the_released_are_shown(void **state)
{
    (void)state;
    for (int i = 0; i < PAGE_APPEAL_STATES; i++) {
        struct page_appeal p = full((enum page_appeal_state)i);
        struct answer a;
        char *page = make(&a, &p);
        bool shown = i == PAGE_APPEAL_OVERTURNED || i == PAGE_APPEAL_PARTLY;

        assert_int_equal(strstr(page, "/image?") != NULL, shown);
        assert_int_equal(strstr(page, "<details>") != NULL, i == PAGE_APPEAL_PARTLY);
        free(page);
    }
}

static void test_an_address_is_one(void **state)
{
    struct page_appeal p = full(PAGE_APPEAL_BLOCKED);
    struct answer a;
    char *page;

    (void)state;
    p.clause_url = "javascript:alert(1)";
    page = make(&a, &p);
    must_not_have(page, "javascript:");
    must_have(page, "<dd>T&amp;C 4.2</dd>");
    free(page);
}

static void test_policy(void **state)
{
    struct page_appeal p = full(PAGE_APPEAL_BLOCKED);
    struct answer a;
    const char *policy;
    char *page = make(&a, &p);

    (void)state;
    policy = header(&a, "content-security-policy");
    must_have(policy, "default-src 'none'; script-src 'none'; style-src 'sha256-");
    must_have(policy, "form-action 'self'");
    must_have(policy, "img-src data: 'self'");
    must_have(policy, "frame-ancestors 'none'");
    must_not_have(policy, "unsafe");
    assert_string_equal(header(&a, "cache-control"), "no-store");
    assert_string_equal(header(&a, "referrer-policy"), "no-referrer"); /* the token is in the URL */
    free(page);
}

/* ---- for tests/browser/appeal.py: every state as it is sent, with its policy as the first line
 * ---- */

static void write_page(const char *folder, const char *name, const struct page_appeal *p)
{
    struct answer a;
    char *page = make(&a, p), path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.html", folder, name);
    file = fopen(path, "w");
    if (!file || fprintf(file, "%s\n%s", header(&a, "content-security-policy"), page) < 0 ||
        fclose(file))
        fail_msg("%s cannot be written", path);
    free(page);
}

static void write_all(const char *folder)
{
    static const char *const names[PAGE_APPEAL_STATES] = {
        "blocked", "final",      "held",   "pending", "asked",    "withdrawn",
        "upheld",  "overturned", "partly", "expired", "link_old", "link_wrong"};

    for (int i = 0; i < PAGE_APPEAL_STATES; i++) {
        struct page_appeal p = full((enum page_appeal_state)i);

        p.facts = "An automatic check found what looks like explicit sexual content.";
        p.clause_url = NULL;
        p.text =
            "It is a plate for a leaflet on breast self-examination that our clinic gives out. "
            "<img src=x onerror=alert(1)>";
        p.question = "What will the leaflet say beside this picture?";
        p.answer =
            "Thank you for the explanation. The picture shows a self-examination in the manner "
            "of a textbook, which our rules allow for medical use.";
        if (i == PAGE_APPEAL_UPHELD)
            p.answer =
                "The picture shows an explicit act, and nothing in it or in your words shows "
                "a medical or educational purpose. Rule 4.2 leaves no room for it.";
        write_page(folder, names[i], &p);
        if (i == PAGE_APPEAL_BLOCKED) {
            p.reason = NULL;
            p.error = "Please say why it should be let through.";
            write_page(folder, "blocked_error", &p);
            p.error = NULL;
            p.words = true;
            p.preview = p.picture = false;
            p.text = NULL;
            p.facts = "The words of the request ask for something that our rules do not allow.";
            write_page(folder, "blocked_words", &p);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_only_the_released_are_shown),
        cmocka_unit_test(test_an_address_is_one),
        cmocka_unit_test(test_policy),
    };

    if (argc > 1) {
        write_all(argv[1]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
