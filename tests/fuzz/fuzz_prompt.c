/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_prompt.c - any bytes as a prompt against the default rules: it is judged, or said to be too
 * much; a finding lies inside the normalised text, which is UTF-8, and so do its tokens and guises.
 * The first byte chooses the context.
 */
#include "base/json.h"
#include "moderation/normal.h"
#include "moderation/prompt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool right)
{
    if (!right)
        abort();
}

/* What is no UTF-8 would not come back from JSON as it was. */
static void must_be_utf8(const struct normal *n)
{
    struct json_out o = {0};
    struct json *root;
    char *text = calloc(1, n->bytes + 1);

    must(text != NULL);
    memcpy(text, n->text, n->bytes);
    must(!memchr(text, 0, n->bytes));
    json_out_array(&o, NULL);
    json_out_string(&o, NULL, text);
    json_out_array_end(&o);
    must(!o.failed && json_parse(&root, o.text, o.bytes, NULL) == ST_OK);
    must(!strcmp(json_as_string(json_at(root, 0)), text));
    json_close(&root);
    json_out_close(&o);
    free(text);
}

static void check_parts(const struct normal *n)
{
    size_t before = 0;

    for (size_t i = 0; i < n->token_count; i++) {
        must(n->tokens[i].bytes > 0 && n->tokens[i].at >= before);
        before = (size_t)n->tokens[i].at + n->tokens[i].bytes;
        must(before <= n->bytes);
    }
    for (size_t i = 0; i < n->guise_count; i++) {
        const struct normal_guise *g = &n->guises[i];

        must(g->first <= g->last && g->last < n->token_count);
        for (uint32_t k = 0; k < g->bytes; k++)
            must(strchr("abcdefghijklmnopqrstuvwxyz1*+", n->letters[g->at + k]) != NULL);
        must(!g->spelled || g->last - g->first + 1 == g->bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct prompt_rules *rules;
    static const char *const contexts[] = {NULL, "medical", "art", "none"};
    const char *context = bytes ? contexts[data[0] & 3] : NULL;
    const char *text = (const char *)data + (bytes > 0);
    struct prompt_finding f;
    struct normal n;
    struct why why = {""};
    enum status st;

    if (!rules && prompt_open(&rules, "moderation/policies/prompt-rules.json", &why)) {
        fprintf(stderr, "%s\n", why.text);
        abort();
    }
    bytes -= bytes > 0;
    st = normal_open(&n, text, bytes, NULL);
    must(st == ST_OK || st == ST_FULL);
    if (!st) {
        must_be_utf8(&n);
        check_parts(&n);
    }
    if (prompt_score(rules, &f, text, bytes, context, &why))
        must(!f.found && why.text[0]);
    else if (f.found)
        must(f.at + f.bytes <= n.bytes && f.category[0] && f.rule[0]);
    normal_close(&n);
    return 0;
}
