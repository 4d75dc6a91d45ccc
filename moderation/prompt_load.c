/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/prompt_load.h"

#include "moderation/normal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MIN      64
#define LIST_WORDS_MAX PROMPT_ENTRIES_MAX

bool prompt_load_failed(const struct prompt_load *l)
{
    return l->s.st != ST_OK;
}

void prompt_load_fail_memory(struct prompt_load *l)
{
    if (!prompt_load_failed(l))
        l->s.st = why_fail(l->s.why, ST_FULL, "%s: no memory for these rules", l->s.name);
}

void prompt_load_fail_at(struct prompt_load *l, int index, const char *words)
{
    char part[16];

    snprintf(part, sizeof(part), "%d", index);
    strict_fail(&l->s, part, "%s", words);
}

/* Room for one more, doubled as needed: the items, moved perhaps; NULL after a failure. */
static void *grow(struct prompt_load *l, void *items, size_t count, size_t *size, size_t each)
{
    size_t more = *size ? 2 * *size : ITEMS_MIN;
    void *moved = count < *size ? items : realloc(items, more * each);

    if (!moved)
        prompt_load_fail_memory(l);
    else if (count >= *size)
        *size = more;
    return moved;
}

/* ---- one word or phrase ---- */

/* An entry while it is read; `index` is its place in the array, for mistakes. */
struct draft {
    int index;
    enum prompt_load_manner manner;
    size_t entry; /* in the rules */
    int gap;      /* tokens that may stand before what comes next; below 0: none was said */
};

/* The word fills a step of the entry. False after a failure. */
static bool place_word(struct prompt_load *l, const struct draft *d,
                       const struct prompt_load_word *w, uint32_t step)
{
    struct trie *t = &l->r->words;
    uint32_t entry = (uint32_t)d->entry;
    bool disguised = w->guise && !l->r->entries[entry].harmless; /* an excuse is written plainly */
    enum status st = trie_use(t, w->plain, w->prefix, entry, step);

    if (!st && disguised)
        st = trie_use(t, w->guise, w->prefix, entry, step);
    if (st == ST_FULL)
        prompt_load_fail_memory(l);
    else if (st && t->use_count >= TRIE_USES_MAX)
        prompt_load_fail_at(l, d->index,
                            "too many phrases with too long lists: make the lists shorter");
    else if (st)
        prompt_load_fail_at(l, d->index,
                            "a word of this stands in more than 256 phrases: join them by a list");
    return !st;
}

/* The next step of the draft; NULL after a failure. */
static struct prompt_entry *add_step(struct prompt_load *l, struct draft *d)
{
    struct prompt_entry *e = &l->r->entries[d->entry];

    if (e->count == PROMPT_STEPS_MAX) {
        prompt_load_fail_at(l, d->index, "a phrase has at most 8 words");
        return NULL;
    }
    e->gap[e->count++] = (uint8_t)(d->gap < 0 ? 0 : d->gap);
    d->gap = -1;
    return e;
}

static void add_word(struct prompt_load *l, struct draft *d, const struct prompt_load_word *w)
{
    struct prompt_entry *e = add_step(l, d);

    if (e)
        place_word(l, d, w, e->count - 1u);
}

/* One token of the file, in the trie. False after a failure. */
static bool make_word(struct prompt_load *l, struct prompt_load_word *out, const char *token,
                      size_t bytes, bool prefix)
{
    struct trie *t = &l->r->words;
    char key[NORMAL_GUISE_MAX + 1];
    bool disguised = !l->plain_only && normal_key(key, token, bytes);

    *out = (struct prompt_load_word){.prefix = prefix};
    out->plain = trie_insert(t, PROMPT_ROOT_PLAIN, token, bytes);
    if (disguised)
        out->guise = trie_insert(t, PROMPT_ROOT_GUISE, key, strlen(key));
    if (!out->plain || (disguised && !out->guise))
        prompt_load_fail_memory(l);
    return !prompt_load_failed(l);
}

static void split(struct prompt_load *l, struct draft *d, const struct normal *n, bool prefix)
{
    for (size_t i = 0; i < n->token_count && !prompt_load_failed(l); i++) {
        const struct normal_token *t = &n->tokens[i];
        struct prompt_load_word w;

        if (make_word(l, &w, n->text + t->at, t->bytes, prefix && i + 1 == n->token_count))
            add_word(l, d, &w);
    }
}

/* A piece between blanks: a word, which may end in a '*', or several that belong together. */
static void read_piece(struct prompt_load *l, struct draft *d, const char *piece, size_t bytes)
{
    bool prefix = bytes > 1 && piece[bytes - 1] == '*';
    struct normal n;

    if (prefix)
        bytes--;
    if (memchr(piece, '*', bytes)) {
        prompt_load_fail_at(l, d->index, "a '*' stands at the end of a word");
        return;
    }
    if (normal_open(&n, piece, bytes, NULL)) {
        prompt_load_fail_memory(l);
        return;
    }
    if (!n.token_count)
        prompt_load_fail_at(l, d->index, "there is no letter in a word of this");
    split(l, d, &n, prefix);
    normal_close(&n);
}

static const struct prompt_load_list *find_list(const struct prompt_load *l, const char *name,
                                                size_t bytes)
{
    for (int i = 0; i < l->list_count; i++) {
        if (strlen(l->lists[i].name) == bytes && !memcmp(l->lists[i].name, name, bytes))
            return &l->lists[i];
    }
    return NULL;
}

static void read_list_piece(struct prompt_load *l, struct draft *d, const char *name, size_t bytes)
{
    const struct prompt_load_list *list = find_list(l, name, bytes);
    struct prompt_entry *e;

    if (!list) {
        prompt_load_fail_at(l, d->index, "there is no list of this name under \"lists\"");
        return;
    }
    e = add_step(l, d);
    for (size_t i = 0; e && i < list->count; i++) {
        if (!place_word(l, d, &l->words[list->from + i], e->count - 1u))
            return;
    }
}

/* ".." or "..7" */
static void read_gap(struct prompt_load *l, struct draft *d, const char *piece, size_t bytes)
{
    int gap = bytes == 2 ? PROMPT_GAP : 0;

    for (size_t i = 2; i < bytes && gap <= PROMPT_GAP_MAX; i++)
        gap = piece[i] >= '0' && piece[i] <= '9' ? 10 * gap + piece[i] - '0' : PROMPT_GAP_MAX + 1;
    if (gap < 1 || gap > PROMPT_GAP_MAX || d->gap >= 0 || !l->r->entries[d->entry].count)
        prompt_load_fail_at(l, d->index,
                            "a gap is \"..\" or \"..N\", N from 1 to 16, between two words");
    d->gap = gap;
}

static void read_pieces(struct prompt_load *l, struct draft *d, const char *text)
{
    while (*text && !prompt_load_failed(l)) {
        size_t bytes = strcspn(text, " ");

        if (bytes >= 2 && text[0] == '.' && text[1] == '.')
            read_gap(l, d, text, bytes);
        else if (text[0] == '@' && bytes > 1)
            read_list_piece(l, d, text + 1, bytes - 1);
        else if (bytes)
            read_piece(l, d, text, bytes);
        text += bytes;
        if (*text && d->manner == PROMPT_LOAD_WORD && !prompt_load_failed(l))
            prompt_load_fail_at(l, d->index,
                                "this is more than one word: put it under \"phrases\"");
        text += strspn(text, " ");
    }
}

void prompt_load_name(char out[PROMPT_NAME_MAX], const char *text)
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

static void read_entry(struct prompt_load *l, int index, enum prompt_load_manner manner, int rule,
                       bool harmless)
{
    struct prompt_rules *r = l->r;
    struct draft d = {.index = index, .manner = manner, .entry = r->entry_count, .gap = -1};
    const char *text = strict_text_at(&l->s, index, PROMPT_ENTRY_BYTES_MAX);
    struct prompt_entry *grown, *e;

    if (!text)
        return;
    if (r->entry_count == PROMPT_ENTRIES_MAX) {
        prompt_load_fail_at(l, index, "the file has more than 10,000 words and phrases");
        return;
    }
    grown = grow(l, r->entries, r->entry_count, &r->entry_size, sizeof(*grown));
    if (!grown)
        return;
    r->entries = grown;
    e = &r->entries[r->entry_count++];
    *e = (struct prompt_entry){.rule = (uint16_t)rule, .harmless = harmless};
    prompt_load_name(e->name, text);
    read_pieces(l, &d, text);
    if (!prompt_load_failed(l) && d.gap >= 0)
        prompt_load_fail_at(l, index, "a gap stands between two words");
    e->state = (uint32_t)r->state_count;
    r->state_count += e->count;
}

void prompt_load_entries(struct prompt_load *l, const char *key, enum prompt_load_manner manner,
                         int rule, bool harmless)
{
    if (!strict_enter_list(&l->s, key))
        return;
    l->plain_only = !strcmp(key, "plain_words");
    for (int i = 0, count = strict_count(&l->s); i < count && !prompt_load_failed(l); i++)
        read_entry(l, i, manner, rule, harmless);
    l->plain_only = false;
    strict_leave(&l->s);
}

/* ---- lists ---- */

static void read_list_word(struct prompt_load *l, struct prompt_load_list *list, int index)
{
    const char *text = strict_text_at(&l->s, index, PROMPT_ENTRY_BYTES_MAX);
    size_t bytes = text ? strlen(text) : 0;
    bool prefix = bytes > 1 && text[bytes - 1] == '*';
    struct prompt_load_word *grown;
    struct normal n;

    if (!text)
        return;
    grown = grow(l, l->words, l->word_count, &l->word_size, sizeof(*grown));
    if (!grown)
        return;
    l->words = grown;
    if (l->word_count == LIST_WORDS_MAX) {
        prompt_load_fail_at(l, index, "the lists have more than 10,000 words");
        return;
    }
    if (normal_open(&n, text, bytes - prefix, NULL)) {
        prompt_load_fail_memory(l);
        return;
    }
    if (n.token_count != 1)
        prompt_load_fail_at(l, index, "in a list stand single words");
    else if (make_word(l, &l->words[l->word_count], n.text + n.tokens[0].at, n.tokens[0].bytes,
                       prefix))
        l->word_count++;
    normal_close(&n);
    list->count = l->word_count - list->from;
}

static void read_list(struct prompt_load *l, const char *name)
{
    struct prompt_load_list *list = &l->lists[l->list_count];

    if (!strict_enter_list(&l->s, name)) {
        strict_fail(&l->s, name, "a list is [\"word\", ...]");
        return;
    }
    *list = (struct prompt_load_list){.name = name, .from = l->word_count};
    for (int i = 0, count = strict_count(&l->s); i < count && !prompt_load_failed(l); i++)
        read_list_word(l, list, i);
    l->list_count++;
    strict_leave(&l->s);
}

void prompt_load_lists(struct prompt_load *l)
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
