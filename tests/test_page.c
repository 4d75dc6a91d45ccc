/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static const struct page_value values[] = {
    {"name", "fox"},
    {"hostile", "<img src=x onerror=alert(1)>\"'&{{name}}\x01\n\xc3\xa4"},
    {"empty", ""},
    {"none", NULL},
};
#define COUNT ((int)(sizeof(values) / sizeof(values[0])))

static void expect(const char *page, const char *wanted)
{
    struct bytes out;
    struct why why = {""};

    if (page_render(&out, page, values, COUNT, &why))
        fail_msg("%s: %s", page, why.text);
    if (out.count != strlen(wanted) || (out.count && memcmp(out.data, wanted, out.count)))
        fail_msg("%s: %.*s", page, (int)out.count, (const char *)out.data);
    bytes_close(&out);
}

static void refuse(const char *page, const char *words)
{
    struct bytes out;
    struct why why = {""};

    assert_int_equal(page_render(&out, page, values, COUNT, &why), ST_INVALID);
    if (!strstr(why.text, words))
        fail_msg("%s: %s", page, why.text);
    assert_null(out.data);
    assert_int_equal(out.count, 0);
}

static void test_values_are_put_in(void **state)
{
    (void)state;
    expect("", "");
    expect("a { b } c", "a { b } c");
    expect("a {{name}}, {{name}}{{empty}}{{none}}.", "a fox, fox.");
}

static void test_a_value_is_only_text(void **state)
{
    (void)state;
    expect("<p title=\"{{hostile}}\">",
           "<p title=\"&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;{{name}} \n\xc3\xa4\">");
}

static void test_branches(void **state)
{
    (void)state;
    expect("{{#if name}}yes{{else}}no{{/if}}", "yes");
    expect("{{#if none}}yes{{else}}no{{/if}}", "no");
    expect("{{#if empty}}yes{{/if}}.", ".");
    expect("{{#if name}}a{{#if none}}b{{else}}c{{/if}}d{{else}}e{{/if}}f", "acdf");
    /* what is not shown stays so, whatever stands in it */
    expect("{{#if none}}a{{#if name}}b{{else}}c{{/if}}{{name}}d{{/if}}e", "e");
    expect("{{#if none}}a{{else}}{{#if none}}b{{else}}{{name}}{{/if}}{{/if}}", "fox");
}

static void test_wrong_templates(void **state)
{
    (void)state;
    refuse("a\nb {{nobody}}", "line 2 of the page: nobody fills in nobody");
    refuse("{{#if none}}{{nobody}}{{/if}}", "nobody fills in nobody"); /* shown or not */
    refuse("{{#if nobody}}{{/if}}", "nobody fills in nobody");
    refuse("\n\n{{name", "line 3 of the page: {{ without }}");
    refuse("{{ name }}", "a mark that is none");
    refuse("{{}}", "a mark that is none");
    refuse("{{NAME}}", "a mark that is none");
    refuse("\n{{#if name}}a", "line 2 of the page: an if without its end");
    refuse("{{/if}}", "there is no if for this");
    refuse("{{else}}", "there is no if for this");
    refuse("{{#if name}}{{else}}{{else}}{{/if}}", "there is no if for this");
}

static void test_too_deep(void **state)
{
    char page[512] = "";

    (void)state;
    for (int i = 0; i < PAGE_DEPTH_MAX; i++)
        strncat(page, "{{#if name}}", sizeof(page) - strlen(page) - 1);
    strncat(page, "x", sizeof(page) - strlen(page) - 1);
    for (int i = 0; i < PAGE_DEPTH_MAX; i++)
        strncat(page, "{{/if}}", sizeof(page) - strlen(page) - 1);
    expect(page, "x");
    memmove(page + 12, page, strlen(page) + 1);
    memcpy(page, "{{#if name}}", 12);
    strncat(page, "{{/if}}", sizeof(page) - strlen(page) - 1);
    refuse(page, "more than 8 deep");
}

static void test_too_long(void **state)
{
    char *text = malloc(PAGE_BYTES_MAX / 2 + 2);
    struct page_value value = {"text", text};
    struct bytes out;
    struct why why = {""};

    (void)state;
    assert_non_null(text);
    memset(text, 'x', PAGE_BYTES_MAX / 2 + 1);
    text[PAGE_BYTES_MAX / 2] = '\0';
    assert_int_equal(page_render(&out, "{{text}}{{text}}", &value, 1, &why), ST_OK);
    assert_int_equal(out.count, PAGE_BYTES_MAX);
    bytes_close(&out);
    assert_int_equal(page_render(&out, "{{text}}{{text}}.", &value, 1, &why), ST_FULL);
    assert_null(out.data);
    free(text);
}

static void test_without_memory(void **state)
{
    (void)state;
    for (int nth = 1;; nth++) {
        struct bytes out;
        struct why why = {""};
        enum status st;

        fault_arm(nth);
        st = page_render(&out, "{{name}}{{name}}", values, COUNT, &why);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            bytes_close(&out);
            break;
        }
        assert_int_equal(st, ST_FULL);
        assert_null(out.data);
        assert_int_equal(fault_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_put_in), cmocka_unit_test(test_a_value_is_only_text),
        cmocka_unit_test(test_branches),          cmocka_unit_test(test_wrong_templates),
        cmocka_unit_test(test_too_deep),          cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
