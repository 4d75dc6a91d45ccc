/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/prompt_rules.h"

#include "base/crypto.h"
#include "base/strict.h"
#include "moderation/normal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA         "prompt-rules/1"
#define COMMENT_MAX    2000
#define ITEMS_MIN      64
#define LIST_WORDS_MAX PROMPT_ENTRIES_MAX

/* A word in the trie: where it ends as it stands and as a guise (0: it is not looked for there). */
struct word {
    uint32_t plain, guise;
    bool prefix; /* any word that begins so */
};

struct list {
    const char *name;
    size_t from, count; /* in words */
};

struct load {
    struct strict s;
    struct prompt_rules *r;
    struct list lists[PROMPT_LISTS_MAX];
    int list_count;
    struct word *words; /* of the lists */
    size_t word_count, word_size;
    bool plain_only; /* of the words that are read now */
};

static bool failed(const struct load *l)
{
    return l->s.st != ST_OK;
}

static void fail_memory(struct load *l)
{
    if (!failed(l))
        l->s.st = why_fail(l->s.why, ST_FULL, "%s: no memory for these rules", l->s.name);
}

static void fail_at(struct load *l, int index, const char *words)
{
    char part[16];

    snprintf(part, sizeof(part), "%d", index);
    strict_fail(&l->s, part, "%s", words);
}

/* Room for one more, doubled as needed: the items, moved perhaps; NULL after a failure. */
static void *grow(struct load *l, void *items, size_t count, size_t *size, size_t each)
{
    size_t more = *size ? 2 * *size : ITEMS_MIN;
    void *moved = count < *size ? items : realloc(items, more * each);

    if (!moved)
        fail_memory(l);
    else if (count >= *size)
        *size = more;
    return moved;
}

/* ---- one word or phrase ---- */

enum manner { MANNER_WORD, MANNER_PHRASE };

/* An entry while it is read; `index` is its place in the array, for mistakes. */
struct draft {
    int index;
    enum manner manner;
    size_t entry; /* in the rules */
    int gap;      /* tokens that may stand before what comes next; below 0: none was said */
};

/* The word fills a step of the entry. False after a failure. */
static bool place_word(struct load *l, const struct draft *d, const struct word *w, uint32_t step)
{
    struct trie *t = &l->r->words;
    uint32_t entry = (uint32_t)d->entry;
    bool disguised = w->guise && !l->r->entries[entry].harmless; /* an excuse is written plainly */
    enum status st = trie_use(t, w->plain, w->prefix, entry, step);

    if (!st && disguised)
        st = trie_use(t, w->guise, w->prefix, entry, step);
    if (st == ST_FULL)
        fail_memory(l);
    else if (st && t->use_count >= TRIE_USES_MAX)
        fail_at(l, d->index, "too many phrases with too long lists: make the lists shorter");
    else if (st)
        fail_at(l, d->index, "a word of this stands in more than 256 phrases: join them by a list");
    return !st;
}

/* The next step of the draft; NULL after a failure. */
static struct prompt_entry *add_step(struct load *l, struct draft *d)
{
    struct prompt_entry *e = &l->r->entries[d->entry];

    if (e->count == PROMPT_STEPS_MAX) {
        fail_at(l, d->index, "a phrase has at most 8 words");
        return NULL;
    }
    e->gap[e->count++] = (uint8_t)(d->gap < 0 ? 0 : d->gap);
    d->gap = -1;
    return e;
}

static void add_word(struct load *l, struct draft *d, const struct word *w)
{
    struct prompt_entry *e = add_step(l, d);

    if (e)
        place_word(l, d, w, e->count - 1u);
}

/* One token of the file, in the trie. False after a failure. */
static bool make_word(struct load *l, struct word *out, const char *token, size_t bytes,
                      bool prefix)
{
    struct trie *t = &l->r->words;
    char key[NORMAL_GUISE_MAX + 1];
    bool disguised = !l->plain_only && normal_key(key, token, bytes);

    *out = (struct word){.prefix = prefix};
    out->plain = trie_insert(t, PROMPT_ROOT_PLAIN, token, bytes);
    if (disguised)
        out->guise = trie_insert(t, PROMPT_ROOT_GUISE, key, strlen(key));
    if (!out->plain || (disguised && !out->guise))
        fail_memory(l);
    return !failed(l);
}

static void split(struct load *l, struct draft *d, const struct normal *n, bool prefix)
{
    for (size_t i = 0; i < n->token_count && !failed(l); i++) {
        const struct normal_token *t = &n->tokens[i];
        struct word w;

        if (make_word(l, &w, n->text + t->at, t->bytes, prefix && i + 1 == n->token_count))
            add_word(l, d, &w);
    }
}

/* A piece between blanks: a word, which may end in a '*', or several that belong together. */
static void read_piece(struct load *l, struct draft *d, const char *piece, size_t bytes)
{
    bool prefix = bytes > 1 && piece[bytes - 1] == '*';
    struct normal n;

    if (prefix)
        bytes--;
    if (memchr(piece, '*', bytes)) {
        fail_at(l, d->index, "a '*' stands at the end of a word");
        return;
    }
    if (normal_open(&n, piece, bytes, NULL)) {
        fail_memory(l);
        return;
    }
    if (!n.token_count)
        fail_at(l, d->index, "there is no letter in a word of this");
    split(l, d, &n, prefix);
    normal_close(&n);
}

static const struct list *find_list(const struct load *l, const char *name, size_t bytes)
{
    for (int i = 0; i < l->list_count; i++) {
        if (strlen(l->lists[i].name) == bytes && !memcmp(l->lists[i].name, name, bytes))
            return &l->lists[i];
    }
    return NULL;
}

static void read_list_piece(struct load *l, struct draft *d, const char *name, size_t bytes)
{
    const struct list *list = find_list(l, name, bytes);
    struct prompt_entry *e;

    if (!list) {
        fail_at(l, d->index, "there is no list of this name under \"lists\"");
        return;
    }
    e = add_step(l, d);
    for (size_t i = 0; e && i < list->count; i++) {
        if (!place_word(l, d, &l->words[list->from + i], e->count - 1u))
            return;
    }
}

/* ".." or "..7" */
static void read_gap(struct load *l, struct draft *d, const char *piece, size_t bytes)
{
    int gap = bytes == 2 ? PROMPT_GAP : 0;

    for (size_t i = 2; i < bytes && gap <= PROMPT_GAP_MAX; i++)
        gap = piece[i] >= '0' && piece[i] <= '9' ? 10 * gap + piece[i] - '0' : PROMPT_GAP_MAX + 1;
    if (gap < 1 || gap > PROMPT_GAP_MAX || d->gap >= 0 || !l->r->entries[d->entry].count)
        fail_at(l, d->index, "a gap is \"..\" or \"..N\", N from 1 to 16, between two words");
    d->gap = gap;
}

static void read_pieces(struct load *l, struct draft *d, const char *text)
{
    while (*text && !failed(l)) {
        size_t bytes = strcspn(text, " ");

        if (bytes >= 2 && text[0] == '.' && text[1] == '.')
            read_gap(l, d, text, bytes);
        else if (text[0] == '@' && bytes > 1)
            read_list_piece(l, d, text + 1, bytes - 1);
        else if (bytes)
            read_piece(l, d, text, bytes);
        text += bytes;
        if (*text && d->manner == MANNER_WORD && !failed(l))
            fail_at(l, d->index, "this is more than one word: put it under \"phrases\"");
        text += strspn(text, " ");
    }
}

/* Cut at a whole character. */
static void copy_name(char out[PROMPT_NAME_MAX], const char *text)
{
    size_t bytes = strlen(text);

    if (bytes >= PROMPT_NAME_MAX) {
        bytes = PROMPT_NAME_MAX - 1;
        while (bytes && ((unsigned char)text[bytes] & 0xc0) == 0x80)
            bytes--;
    }
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

static void read_entry(struct load *l, int index, enum manner manner, int rule, bool harmless)
{
    struct prompt_rules *r = l->r;
    struct draft d = {.index = index, .manner = manner, .entry = r->entry_count, .gap = -1};
    const char *text = strict_text_at(&l->s, index, PROMPT_ENTRY_BYTES_MAX);
    struct prompt_entry *grown, *e;

    if (!text)
        return;
    if (r->entry_count == PROMPT_ENTRIES_MAX) {
        fail_at(l, index, "the file has more than 10,000 words and phrases");
        return;
    }
    grown = grow(l, r->entries, r->entry_count, &r->entry_size, sizeof(*grown));
    if (!grown)
        return;
    r->entries = grown;
    e = &r->entries[r->entry_count++];
    *e = (struct prompt_entry){.rule = (uint16_t)rule, .harmless = harmless};
    copy_name(e->name, text);
    read_pieces(l, &d, text);
    if (!failed(l) && d.gap >= 0)
        fail_at(l, index, "a gap stands between two words");
    e->state = (uint32_t)r->state_count;
    r->state_count += e->count;
}

static void read_entries(struct load *l, const char *key, enum manner manner, int rule,
                         bool harmless)
{
    if (!strict_enter_list(&l->s, key))
        return;
    l->plain_only = !strcmp(key, "plain_words");
    for (int i = 0, count = strict_count(&l->s); i < count && !failed(l); i++)
        read_entry(l, i, manner, rule, harmless);
    l->plain_only = false;
    strict_leave(&l->s);
}

/* ---- lists ---- */

static void read_list_word(struct load *l, struct list *list, int index)
{
    const char *text = strict_text_at(&l->s, index, PROMPT_ENTRY_BYTES_MAX);
    size_t bytes = text ? strlen(text) : 0;
    bool prefix = bytes > 1 && text[bytes - 1] == '*';
    struct word *grown;
    struct normal n;

    if (!text)
        return;
    grown = grow(l, l->words, l->word_count, &l->word_size, sizeof(*grown));
    if (!grown)
        return;
    l->words = grown;
    if (l->word_count == LIST_WORDS_MAX) {
        fail_at(l, index, "the lists have more than 10,000 words");
        return;
    }
    if (normal_open(&n, text, bytes - prefix, NULL)) {
        fail_memory(l);
        return;
    }
    if (n.token_count != 1)
        fail_at(l, index, "in a list stand single words");
    else if (make_word(l, &l->words[l->word_count], n.text + n.tokens[0].at, n.tokens[0].bytes,
                       prefix))
        l->word_count++;
    normal_close(&n);
    list->count = l->word_count - list->from;
}

static void read_list(struct load *l, const char *name)
{
    struct list *list = &l->lists[l->list_count];

    if (!strict_enter_list(&l->s, name)) {
        strict_fail(&l->s, name, "a list is [\"word\", ...]");
        return;
    }
    *list = (struct list){.name = name, .from = l->word_count};
    for (int i = 0, count = strict_count(&l->s); i < count && !failed(l); i++)
        read_list_word(l, list, i);
    l->list_count++;
    strict_leave(&l->s);
}

static void read_lists(struct load *l)
{
    const char *name;

    if (!strict_enter(&l->s, "lists"))
        return;
    if (strict_count(&l->s) > PROMPT_LISTS_MAX)
        strict_fail(&l->s, NULL, "there are at most %d lists", PROMPT_LISTS_MAX);
    for (int i = 0; (name = strict_key_at(&l->s, i)); i++)
        read_list(l, name);
    strict_leave(&l->s);
}

/* ---- rules and categories ---- */

/* Into out; false after a failure. */
static bool read_id(struct load *l, char out[PROMPT_NAME_MAX])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *id = strict_text(&l->s, "id", PROMPT_NAME_MAX - 1, true);

    if (!id)
        return false;
    if (strspn(id, good) != strlen(id)) {
        strict_fail(&l->s, "id", "an id is of small letters, digits, '_' and '-'");
        return false;
    }
    copy_name(out, id);
    return true;
}

static void read_expression(struct load *l, int index, int rule)
{
    struct prompt_rules *r = l->r;
    const char *text = strict_text_at(&l->s, index, PATTERN_TEXT_MAX);
    struct why inner = {""};
    enum status st;

    if (!text)
        return;
    if (r->expression_count == PROMPT_EXPRESSIONS_MAX) {
        fail_at(l, index, "the file has more than 64 expressions");
        return;
    }
    st = pattern_open(&r->expression[r->expression_count].pattern, text, &inner);
    if (st == ST_FULL)
        fail_memory(l);
    else if (st)
        fail_at(l, index, inner.text);
    else
        r->expression[r->expression_count++].rule = (uint16_t)rule;
}

static void read_expressions(struct load *l, int rule)
{
    if (!strict_enter_list(&l->s, "expressions"))
        return;
    for (int i = 0, count = strict_count(&l->s); i < count && !failed(l); i++)
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

static void read_rule(struct load *l, int category)
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
    read_entries(l, "words", MANNER_WORD, number, false);
    read_entries(l, "plain_words", MANNER_WORD, number, false);
    read_entries(l, "phrases", MANNER_PHRASE, number, false);
    read_expressions(l, number);
    if (!failed(l) && r->entry_count == before && r->expression_count == expressions)
        strict_fail(&l->s, NULL, "the rule has no words, phrases or expressions");
    rule->has_harmless = strict_has(&l->s, "harmless");
    if (rule->has_harmless && r->never_harmless[category])
        strict_fail(&l->s, "harmless", "nothing excuses this category: it says never_harmless");
    rule->window = (uint16_t)strict_int(&l->s, "window", 0, PROMPT_WINDOW_MAX, PROMPT_WINDOW);
    read_entries(l, "harmless", MANNER_PHRASE, number, true);
}

static void read_category(struct load *l)
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
static void read_relaxed(struct load *l, struct prompt_context *c, int index)
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
            fail_at(l, index, "no context relaxes this category: it says never_harmless");
    }
    if (!known)
        fail_at(l, index, "there is no such category or \"category/rule\"");
}

static void read_context(struct load *l)
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
    for (int i = 0, count = strict_count(&l->s); i < count && !failed(l); i++)
        read_relaxed(l, c, i);
    strict_leave(&l->s);
}

/* ---- the file ---- */

static void read_arrays(struct load *l)
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

static void read_file(struct load *l)
{
    struct strict *s = &l->s;
    const char *schema, *version;

    strict_keys(s, "schema version comment lists categories contexts");
    schema = strict_text(s, "schema", PROMPT_NAME_MAX, true);
    if (schema && strcmp(schema, SCHEMA))
        strict_fail(s, "schema", "this limner reads \"" SCHEMA "\"");
    version = strict_text(s, "version", PROMPT_NAME_MAX - 1, true);
    if (version)
        copy_name(l->r->version, version);
    strict_text(s, "comment", COMMENT_MAX, false);
    if (trie_init(&l->r->words, 2))
        fail_memory(l);
    read_lists(l);
    read_arrays(l);
}

static enum status load(struct load *l, struct prompt_rules **out)
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
static enum status finish(struct load *l, struct prompt_rules **out, struct why *why)
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
    struct load *l = calloc(1, sizeof(*l));

    *out = NULL;
    if (!l)
        return why_fail(why, ST_FULL, "no memory for rules");
    l->s.st = strict_load(&l->s, path, PROMPT_FILE_MAX, why);
    return finish(l, out, why);
}

enum status prompt_open_text(struct prompt_rules **out, const char *text, size_t bytes,
                             const char *name, struct why *why)
{
    struct load *l = calloc(1, sizeof(*l));

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
