/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/prompt_rules.h"

#include "base/crypto.h"
#include "moderation/prompt_load.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA      "prompt-rules/1"
#define COMMENT_MAX 2000

/* ---- rules and categories ---- */

/* Into out; false after a failure. */
static bool read_id(struct prompt_load *l, char out[PROMPT_NAME_MAX])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *id = strict_text(&l->s, "id", PROMPT_NAME_MAX - 1, true);

    if (!id)
        return false;
    if (strspn(id, good) != strlen(id)) {
        strict_fail(&l->s, "id", "an id is of small letters, digits, '_' and '-'");
        return false;
    }
    prompt_load_name(out, id);
    return true;
}

static void read_expression(struct prompt_load *l, int index, int rule)
{
    struct prompt_rules *r = l->r;
    const char *text = strict_text_at(&l->s, index, PATTERN_TEXT_MAX);
    struct why inner = {""};
    enum status st;

    if (!text)
        return;
    if (r->expression_count == PROMPT_EXPRESSIONS_MAX) {
        prompt_load_fail_at(l, index, "the file has more than 64 expressions");
        return;
    }
    st = pattern_open(&r->expression[r->expression_count].pattern, text, &inner);
    if (st == ST_FULL)
        prompt_load_fail_memory(l);
    else if (st)
        prompt_load_fail_at(l, index, inner.text);
    else
        r->expression[r->expression_count++].rule = (uint16_t)rule;
}

static void read_expressions(struct prompt_load *l, int rule)
{
    if (!strict_enter_list(&l->s, "expressions"))
        return;
    for (int i = 0, count = strict_count(&l->s); i < count && !prompt_load_failed(l); i++)
        read_expression(l, i, rule);
    strict_leave(&l->s);
}

static bool has_rule(const struct prompt_rules *r, int category, const char *id, int count)
{
    for (int i = 0; i < count; i++) {
        if (r->rule[i].category == category && !strcmp(r->rule[i].id, id))
            return true;
    }
    return false;
}

static void read_rule(struct prompt_load *l, int category)
{
    struct prompt_rules *r = l->r;
    struct prompt_rule *rule = &r->rule[r->rule_count];
    size_t before = r->entry_count;
    int number = r->rule_count, expressions = r->expression_count;

    strict_keys(&l->s, "id comment words plain_words phrases expressions harmless window");
    if (number == PROMPT_RULES_MAX) {
        strict_fail(&l->s, NULL, "there are at most %d rules", PROMPT_RULES_MAX);
        return;
    }
    if (!read_id(l, rule->id))
        return;
    if (has_rule(r, category, rule->id, number))
        strict_fail(&l->s, "id", "the category has two rules of this name");
    rule->category = (uint16_t)category;
    r->rule_count++;
    strict_text(&l->s, "comment", COMMENT_MAX, false);
    prompt_load_entries(l, "words", PROMPT_LOAD_WORD, number, false);
    prompt_load_entries(l, "plain_words", PROMPT_LOAD_WORD, number, false);
    prompt_load_entries(l, "phrases", PROMPT_LOAD_PHRASE, number, false);
    read_expressions(l, number);
    if (!prompt_load_failed(l) && r->entry_count == before && r->expression_count == expressions)
        strict_fail(&l->s, NULL, "the rule has no words, phrases or expressions");
    rule->has_harmless = strict_has(&l->s, "harmless");
    if (rule->has_harmless && r->never_harmless[category])
        strict_fail(&l->s, "harmless", "nothing excuses this category: it says never_harmless");
    rule->window = (uint16_t)strict_int(&l->s, "window", 0, PROMPT_WINDOW_MAX, PROMPT_WINDOW);
    prompt_load_entries(l, "harmless", PROMPT_LOAD_PHRASE, number, true);
}

static void read_category(struct prompt_load *l)
{
    struct prompt_rules *r = l->r;
    int number = r->category_count;

    strict_keys(&l->s, "id comment never_harmless rules");
    if (number == PROMPT_CATEGORIES_MAX) {
        strict_fail(&l->s, NULL, "there are at most %d categories", PROMPT_CATEGORIES_MAX);
        return;
    }
    if (!read_id(l, r->category[number]))
        return;
    for (int i = 0; i < number; i++) {
        if (!strcmp(r->category[i], r->category[number]))
            strict_fail(&l->s, "id", "there are two categories of this name");
    }
    strict_text(&l->s, "comment", COMMENT_MAX, false);
    r->never_harmless[number] = strict_bool(&l->s, "never_harmless", false);
    r->category_count++;
    if (!strict_enter_list(&l->s, "rules")) {
        strict_fail(&l->s, NULL, "'rules' is needed here: a list of rules");
        return;
    }
    for (int i = 0; strict_enter_at(&l->s, i); i++) {
        read_rule(l, number);
        strict_leave(&l->s);
    }
    strict_leave(&l->s);
}

/* ---- contexts ---- */

/* "category" or "category/rule" */
static void read_relaxed(struct prompt_load *l, struct prompt_context *c, int index)
{
    const struct prompt_rules *r = l->r;
    const char *text = strict_text_at(&l->s, index, 2 * PROMPT_NAME_MAX);
    size_t bytes = text ? strcspn(text, "/") : 0;
    bool known = false;

    if (!text)
        return;
    for (int i = 0; i < r->rule_count; i++) {
        const struct prompt_rule *rule = &r->rule[i];
        const char *category = r->category[rule->category];

        if (strlen(category) != bytes || memcmp(category, text, bytes) ||
            (text[bytes] && strcmp(text + bytes + 1, rule->id)))
            continue;
        known = true;
        c->relaxes[i] = true;
        if (r->never_harmless[rule->category])
            prompt_load_fail_at(l, index,
                                "no context relaxes this category: it says never_harmless");
    }
    if (!known)
        prompt_load_fail_at(l, index, "there is no such category or \"category/rule\"");
}

static void read_context(struct prompt_load *l)
{
    struct prompt_rules *r = l->r;
    struct prompt_context *c = &r->context[r->context_count];

    strict_keys(&l->s, "id comment relaxes");
    if (r->context_count == PROMPT_CONTEXTS_MAX) {
        strict_fail(&l->s, NULL, "there are at most %d contexts", PROMPT_CONTEXTS_MAX);
        return;
    }
    if (!read_id(l, c->id))
        return;
    if (prompt_knows_context(r, c->id))
        strict_fail(&l->s, "id", "there are two contexts of this name");
    r->context_count++;
    strict_text(&l->s, "comment", COMMENT_MAX, false);
    if (!strict_enter_list(&l->s, "relaxes")) {
        strict_fail(&l->s, NULL, "'relaxes' is needed here: a list of categories or rules");
        return;
    }
    for (int i = 0, count = strict_count(&l->s); i < count && !prompt_load_failed(l); i++)
        read_relaxed(l, c, i);
    strict_leave(&l->s);
}

/* ---- the file ---- */

static void read_arrays(struct prompt_load *l)
{
    struct strict *s = &l->s;

    if (!strict_enter_list(s, "categories")) {
        strict_fail(s, NULL, "'categories' is needed here: a list of categories");
        return;
    }
    for (int i = 0; strict_enter_at(s, i); i++) {
        read_category(l);
        strict_leave(s);
    }
    strict_leave(s);
    if (!strict_enter_list(s, "contexts"))
        return;
    for (int i = 0; strict_enter_at(s, i); i++) {
        read_context(l);
        strict_leave(s);
    }
    strict_leave(s);
}

static void read_file(struct prompt_load *l)
{
    struct strict *s = &l->s;
    const char *schema, *version;

    strict_keys(s, "schema version comment lists categories contexts");
    schema = strict_text(s, "schema", PROMPT_NAME_MAX, true);
    if (schema && strcmp(schema, SCHEMA))
        strict_fail(s, "schema", "this limner reads \"" SCHEMA "\"");
    version = strict_text(s, "version", PROMPT_NAME_MAX - 1, true);
    if (version)
        prompt_load_name(l->r->version, version);
    strict_text(s, "comment", COMMENT_MAX, false);
    if (trie_init(&l->r->words, 2))
        prompt_load_fail_memory(l);
    prompt_load_lists(l);
    read_arrays(l);
}

static enum status load(struct prompt_load *l, struct prompt_rules **out)
{
    uint8_t digest[32];

    crypto_sha256(digest, l->s.text, l->s.bytes);
    crypto_hex(l->r->sha256, digest, sizeof(digest));
    read_file(l);
    free(l->words);
    if (l->s.st)
        prompt_close(&l->r);
    *out = l->r;
    return l->s.st;
}

/* Takes over a reader that was begun, or failed to begin. */
static enum status finish(struct prompt_load *l, struct prompt_rules **out, struct why *why)
{
    enum status st = l->s.st;

    *out = NULL;
    if (!st) {
        l->r = calloc(1, sizeof(*l->r));
        st = l->r ? load(l, out) : why_fail(why, ST_FULL, "no memory for rules");
    }
    strict_reset(&l->s);
    free(l);
    return st;
}

enum status prompt_open(struct prompt_rules **out, const char *path, struct why *why)
{
    struct prompt_load *l = calloc(1, sizeof(*l));

    *out = NULL;
    if (!l)
        return why_fail(why, ST_FULL, "no memory for rules");
    l->s.st = strict_load(&l->s, path, PROMPT_FILE_MAX, why);
    return finish(l, out, why);
}

enum status prompt_open_text(struct prompt_rules **out, const char *text, size_t bytes,
                             const char *name, struct why *why)
{
    struct prompt_load *l = calloc(1, sizeof(*l));

    *out = NULL;
    if (!l)
        return why_fail(why, ST_FULL, "no memory for rules");
    if (bytes > PROMPT_FILE_MAX)
        l->s.st = why_fail(why, ST_INVALID, "%s:1: the file is longer than %zu bytes", name,
                           PROMPT_FILE_MAX);
    else
        l->s.st = strict_init(&l->s, text, bytes, name, why);
    return finish(l, out, why);
}

void prompt_close(struct prompt_rules **r)
{
    if (*r) {
        for (int i = 0; i < (*r)->expression_count; i++)
            pattern_close(&(*r)->expression[i].pattern);
        free((*r)->entries);
        trie_reset(&(*r)->words);
    }
    free(*r);
    *r = NULL;
}

bool prompt_knows_context(const struct prompt_rules *r, const char *context)
{
    for (int i = 0; context && i < r->context_count; i++) {
        if (!strcmp(r->context[i].id, context))
            return true;
    }
    return false;
}

const char *prompt_sha256(const struct prompt_rules *r)
{
    return r->sha256;
}

const char *prompt_version(const struct prompt_rules *r)
{
    return r->version;
}
