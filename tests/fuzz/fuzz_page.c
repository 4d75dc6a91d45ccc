/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_page.c - any template with any value: bytes up to the first NUL are a stranger's value, the
 * rest is the template. What comes out of a template without marks of its own never has more tags
 * or quotes than the template.
 */
#include "server/page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static size_t count(const void *text, size_t bytes)
{
    const char *c = text;
    size_t found = 0;

    for (size_t i = 0; i < bytes; i++)
        found += c[i] == '<' || c[i] == '>' || c[i] == '"' || c[i] == '\'';
    return found;
}

static void check(const char *template, const struct page_value *values, int value_count)
{
    struct bytes out;
    struct why why = {""};
    enum status st = page_render(&out, template, values, value_count, &why);

    if (st ? !why.text[0] || out.data || out.count
           : count(out.data, out.count) > count(template, strlen(template)))
        abort();
    bytes_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1), *template;
    struct page_value values[] = {{"name", NULL}, {"other", NULL}};

    if (!text)
        abort();
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    values[0].value = text;
    template = text + strlen(text) < text + bytes ? text + strlen(text) + 1 : text + bytes;
    check(template, values, 2);
    check("<p title=\"{{name}}\">{{#if name}}{{name}}{{/if}}</p>", values, 2);
    free(text);
    return 0;
}
