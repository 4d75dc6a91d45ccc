/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - Of each step of a phrase the latest place is kept, as a gap only has an upper bound: a later
 *   place can do whatever an earlier one can. The one before it is kept too, for words that fill
 *   two steps at once, so that "x x" needs two of them.
 * - What a guise says is found where it ends, among the tokens, so all is seen in order.
 */
#include "moderation/prompt.h"

#include "moderation/normal.h"
#include "moderation/prompt_rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BRANCHES_MAX 128 /* ways of a guise that are open at once */
#define FLUSH_FREE   8   /* letters of a spelled word that may stand anywhere in a run */
#define WAYS_MAX     256 /* letters that are tried from one place of a spelled run */
#define MATCHES_MAX  256 /* of expressions in one text */

/* A word that is not a token: of a guise, or what an expression matched. */
struct event {
    uint32_t first, last; /* tokens */
    uint32_t uses;        /* 0: an expression's */
    uint32_t rule;
};

struct state {
    uint32_t start, end;               /* tokens + 1; 0: not yet */
    uint32_t start_before, end_before; /* the last one that ended earlier */
};

/* What a rule has seen. A hit waits for an excuse as long as its window is open. */
struct verdict {
    bool waits, is_found;
    uint32_t first, last; /* of the hit */
    uint32_t excuse,
        excuse_last; /* the last excuse: its entry + 1, 0 is none, and its last token */
};

struct score {
    const struct prompt_rules *r;
    const struct prompt_context *context;
    struct normal n;
    struct state *states;
    struct verdict *verdicts;
    struct event *events;
    size_t event_count, event_size;
    uint32_t excuse; /* the entry that excused a hit first, + 1 */
    bool relaxed;    /* the context excused one */
    bool no_memory;
};

/* ---- hits and excuses ---- */

/* Whether the window behind a hit is over where `now` is the token. */
static void settle(struct score *s, int rule, uint32_t now)
{
    struct verdict *v = &s->verdicts[rule];

    if (v->waits && now > v->last + s->r->rule[rule].window) {
        v->waits = false;
        v->is_found = true;
    }
}

static void excuse_by(struct score *s, uint32_t excuse)
{
    if (!s->excuse)
        s->excuse = excuse;
}

static void hit(struct score *s, int rule, uint32_t first, uint32_t last)
{
    struct verdict *v = &s->verdicts[rule];

    if (s->context && s->context->relaxes[rule]) {
        s->relaxed = true;
        return;
    }
    settle(s, rule, first);
    if (v->is_found || v->waits)
        return;
    if (v->excuse && v->excuse_last + s->r->rule[rule].window >= first) {
        excuse_by(s, v->excuse);
        return;
    }
    v->first = first;
    v->last = last;
    v->waits = s->r->rule[rule].has_harmless;
    v->is_found = !v->waits;
}

static void take_excuse(struct score *s, uint32_t entry, uint32_t first, uint32_t last)
{
    int rule = s->r->entries[entry].rule;
    struct verdict *v = &s->verdicts[rule];

    settle(s, rule, first);
    v->excuse = entry + 1;
    v->excuse_last = last;
    if (v->waits)
        excuse_by(s, v->excuse);
    v->waits = false;
}

/* ---- phrases ---- */

static void advance(struct state *to, uint32_t start, uint32_t end)
{
    if (to->end != end) {
        to->end_before = to->end;
        to->start_before = to->start;
    }
    to->end = end;
    to->start = start;
}

/* A word fills a step of an entry: tokens first to last. */
static void fill(struct score *s, const struct trie_use *use, uint32_t first, uint32_t last)
{
    const struct prompt_entry *e = &s->r->entries[use->entry];
    uint32_t start = first;

    if (use->step > 0) {
        const struct state *before = &s->states[e->state + use->step - 1];
        bool latest = before->end && before->end <= first;
        uint32_t end = latest ? before->end : before->end_before;

        if (!end || end > first || first - end > e->gap[use->step])
            return;
        start = (latest ? before->start : before->start_before) - 1;
    }
    if (use->step + 1u < e->count)
        advance(&s->states[e->state + use->step], start + 1, last + 1);
    else if (e->harmless)
        take_excuse(s, use->entry, start, last);
    else
        hit(s, e->rule, start, last);
}

static void fill_all(struct score *s, uint32_t uses, uint32_t first, uint32_t last)
{
    for (uint32_t i = uses; i; i = s->r->words.uses[i].next)
        fill(s, &s->r->words.uses[i], first, last);
}

/* ---- what is no token ---- */

static void add_event(struct score *s, struct event e)
{
    if (s->event_count == s->event_size) {
        size_t size = s->event_size ? 2 * s->event_size : 64;
        struct event *moved = realloc(s->events, size * sizeof(*moved));

        if (!moved) {
            s->no_memory = true;
            return;
        }
        s->events = moved;
        s->event_size = size;
    }
    s->events[s->event_count++] = e;
}

static void add_uses(struct score *s, uint32_t uses, uint32_t first, uint32_t last)
{
    if (uses)
        add_event(s, (struct event){.first = first, .last = last, .uses = uses});
}

/* One way to read a guise: at its letter `at` with the trie at `node`. */
struct branch {
    uint32_t node, at;
    char before; /* what a '+' repeats */
};

struct branches {
    struct branch open[BRANCHES_MAX];
    size_t count;
};

static void push(struct branches *b, struct branch branch)
{
    if (b->count < BRANCHES_MAX)
        b->open[b->count++] = branch;
}

static void follow(const struct score *s, struct branches *b, const struct branch *from,
                   const char *letters)
{
    for (; *letters; letters++) {
        uint32_t node = trie_follow(&s->r->words, from->node, (unsigned char)*letters);

        if (node)
            push(b, (struct branch){.node = node, .at = from->at + 1, .before = *letters});
    }
}

/* All that one letter of a guise may be. */
static void follow_guise(const struct score *s, struct branches *b, const struct branch *from,
                         char letter)
{
    char one[2] = {letter == '+' ? from->before : letter};

    if (letter == '+')
        push(b, (struct branch){from->node, from->at + 1, from->before});
    follow(s, b, from, letter == '*' ? "aeiou" : letter == '1' ? "il" : one);
}

/* A guise of one word. Masks are few (normal.c), so there are few branches. */
static void read_guise(struct score *s, const struct normal_guise *g)
{
    const char *letters = s->n.letters + g->at;
    struct branches b = {.open[0] = {.node = PROMPT_ROOT_GUISE}, .count = 1};

    while (b.count) {
        struct branch now = b.open[--b.count];
        const struct trie_node *node = &s->r->words.nodes[now.node];

        add_uses(s, node->prefix, g->first, g->last);
        if (now.at == g->bytes)
            add_uses(s, node->exact, g->first, g->last);
        else
            follow_guise(s, &b, &now, letters[now.at]);
    }
}

/* Whether a word of a spelled run may be [from, to) of it: long enough to be no accident, or all of
   the run but for an article before it or a letter behind it. "A N A L Y S I S" is one word. */
static bool is_flush(const char *letters, size_t bytes, size_t from, size_t to)
{
    bool starts = !from || (from == 1 && strchr("ai1", letters[0]));
    bool ends = to == bytes || (to + 1 == bytes && strchr("ai1s", letters[to]));

    return starts && ends;
}

static void read_spelled(struct score *s, const struct normal_guise *g, uint32_t from)
{
    const char *letters = s->n.letters + g->at;
    struct branches b = {.open[0] = {.node = PROMPT_ROOT_GUISE, .at = from}, .count = 1};

    for (int left = WAYS_MAX; b.count && left > 0; left--) {
        struct branch now = b.open[--b.count];
        const struct trie_node *node = &s->r->words.nodes[now.node];
        uint32_t length = now.at - from, last = g->first + now.at - 1;

        if (length >= FLUSH_FREE || is_flush(letters, g->bytes, from, now.at))
            add_uses(s, node->exact, g->first + from, last);
        if (length >= FLUSH_FREE || is_flush(letters, g->bytes, from, g->bytes))
            add_uses(s, node->prefix, g->first + from, last);
        if (now.at < g->bytes && length < NORMAL_GUISE_MAX)
            follow_guise(s, &b, &now, letters[now.at]);
    }
}

static void read_guises(struct score *s)
{
    for (size_t i = 0; i < s->n.guise_count && !s->no_memory; i++) {
        const struct normal_guise *g = &s->n.guises[i];

        if (!g->spelled)
            read_guise(s, g);
        for (uint32_t from = 0; g->spelled && from < g->bytes; from++)
            read_spelled(s, g, from);
    }
}

/* The token at a byte, or the next one; the last one when there is none behind. */
static uint32_t token_at(const struct normal *n, size_t at)
{
    size_t low = 0, high = n->token_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (n->tokens[middle].at + n->tokens[middle].bytes <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)(low < n->token_count ? low : n->token_count ? n->token_count - 1 : 0);
}

static enum status search_one(struct score *s, const struct prompt_expression *e,
                              struct pattern_room *room)
{
    size_t from = 0, at = 0, length = 0;
    bool found = true;

    for (int matches = 0; matches < MATCHES_MAX; matches++) {
        enum status st =
            pattern_find(e->pattern, room, s->n.text, s->n.bytes, from, &found, &at, &length);

        if (st || !found)
            return st;
        add_event(s, (struct event){.first = token_at(&s->n, at),
                                    .last = token_at(&s->n, at + (length ? length - 1 : 0)),
                                    .rule = e->rule});
        from = at + (length ? length : 1);
    }
    return ST_FULL;
}

static enum status search_all(struct score *s)
{
    struct pattern_room *room;
    enum status st = ST_OK;

    if (!s->r->expression_count)
        return ST_OK;
    st = pattern_room_open(&room);
    for (int i = 0; i < s->r->expression_count && !st; i++)
        st = search_one(s, &s->r->expression[i], room);
    pattern_room_close(&room);
    return st;
}

/* ---- tokens ---- */

static int by_last(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->last != y->last)
        return x->last < y->last ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static void read_token(struct score *s, uint32_t index)
{
    const struct normal_token *t = &s->n.tokens[index];
    const char *text = s->n.text + t->at;
    uint32_t node = PROMPT_ROOT_PLAIN;

    for (uint32_t i = 0; i < t->bytes; i++) {
        node = trie_follow(&s->r->words, node, (unsigned char)text[i]);
        if (!node)
            return;
        if (i + 1 < t->bytes)
            fill_all(s, s->r->words.nodes[node].prefix, index, index);
    }
    fill_all(s, s->r->words.nodes[node].exact, index, index);
    fill_all(s, s->r->words.nodes[node].prefix, index, index);
}

static void read_events(struct score *s, size_t *at, uint32_t index)
{
    for (; *at < s->event_count && s->events[*at].last <= index; ++*at) {
        const struct event *e = &s->events[*at];

        if (e->uses)
            fill_all(s, e->uses, e->first, e->last);
        else
            hit(s, (int)e->rule, e->first, e->last);
    }
}

static void read_all(struct score *s)
{
    size_t at = 0;

    if (s->event_count)
        qsort(s->events, s->event_count, sizeof(*s->events), by_last);
    for (uint32_t i = 0; i < s->n.token_count; i++) {
        read_token(s, i);
        read_events(s, &at, i);
    }
    read_events(s, &at, UINT32_MAX);
}

/* ---- the finding ---- */

static void place_finding(struct prompt_finding *out, const struct normal *n,
                          const struct verdict *v)
{
    const struct normal_token *first, *last;

    if (!n->token_count)
        return;
    first = &n->tokens[v->first];
    last = &n->tokens[v->last];
    out->at = first->at;
    out->bytes = last->at + last->bytes - first->at;
}

/* Rules stand in the order of their categories. */
static void conclude(struct prompt_finding *out, const struct score *s)
{
    const struct prompt_rules *r = s->r;

    if (s->excuse)
        memcpy(out->harmless, r->entries[s->excuse - 1].name, PROMPT_NAME_MAX);
    else if (s->relaxed)
        memcpy(out->harmless, s->context->id, PROMPT_NAME_MAX);
    for (int i = 0; i < r->rule_count; i++) {
        const struct verdict *v = &s->verdicts[i];

        if (!v->is_found && !v->waits)
            continue;
        out->found = true;
        memcpy(out->category, r->category[r->rule[i].category], PROMPT_NAME_MAX);
        memcpy(out->rule, r->rule[i].id, PROMPT_NAME_MAX);
        place_finding(out, &s->n, v);
        return;
    }
}

static enum status run(struct score *s, struct prompt_finding *out, struct why *why)
{
    const struct prompt_rules *r = s->r;
    enum status st;

    s->states = calloc(r->state_count + 1, sizeof(*s->states));
    s->verdicts = calloc((size_t)r->rule_count + 1, sizeof(*s->verdicts));
    if (!s->states || !s->verdicts)
        return why_fail(why, ST_FULL, "no memory to judge a prompt");
    st = search_all(s);
    if (st)
        return why_fail(why, st, "an expression of the rules took too long on this prompt");
    read_guises(s);
    if (s->no_memory)
        return why_fail(why, ST_FULL, "no memory to judge a prompt");
    read_all(s);
    conclude(out, s);
    return ST_OK;
}

static const struct prompt_context *find_context(const struct prompt_rules *r, const char *id)
{
    for (int i = 0; id && i < r->context_count; i++) {
        if (!strcmp(r->context[i].id, id))
            return &r->context[i];
    }
    return NULL;
}

enum status prompt_score(const struct prompt_rules *r, struct prompt_finding *out, const char *text,
                         size_t bytes, const char *context, struct why *why)
{
    struct score s = {.r = r, .context = find_context(r, context)};
    enum status st;

    *out = (struct prompt_finding){0};
    if (bytes > PROMPT_BYTES_MAX)
        return why_fail(why, ST_FULL, "the prompt has %zu bytes, at most %d are judged", bytes,
                        PROMPT_BYTES_MAX);
    st = normal_open(&s.n, text, bytes, why);
    if (!st)
        st = run(&s, out, why);
    normal_close(&s.n);
    free(s.states);
    free(s.verdicts);
    free(s.events);
    return st;
}
