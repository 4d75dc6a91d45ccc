/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - Look-alikes are looked up before case folding: a Greek capital eta is an H, a small one an n.
 * - Hangul is not decomposed: its syllables are letters, and nothing looks like them.
 * - Marks of Indic and other scripts are part of the word; only those on Latin, Greek and Cyrillic
 *   letters that compose with nothing are disguise.
 */
#include "moderation/normal.h"

#include "moderation/normal_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define UNFOLDED_MAX    32 /* code points that one becomes: U+FDFA, the longest, 18 */
#define SHORT_MAX       4  /* one letter a token: between two of them stand at most 3 others */
#define CHAIN_MAX       8  /* pieces of a word with dots or hyphens inside */
#define MASKED_MAX      64 /* ways to read one guise */
#define RUN_MIN         3  /* of one letter: a word that is drawn out */
#define LETTERS_PER     4  /* guises that a cell may stand in, '+' included */
#define CORE_MIN        4  /* letters of a word that digits stand around */
#define KEY_MIN         3  /* letters of a word that is looked for in guises */

enum kind { KIND_SPACE, KIND_JOIN, KIND_SYMBOL, KIND_DIGIT, KIND_LETTER };

/* One character of the plain reading. */
struct cell {
    int32_t point;
    char fold; /* what it stands for in a guise; 0: nothing Latin */
    unsigned char kind;
    bool alone; /* a token by itself */
};

struct builder {
    struct normal *n;
    struct cell *cells;
    size_t count, size;
    uint32_t *token_of; /* by cell; for those of tokens alone */
    size_t letter_bytes, letter_size, guise_size;
};

/* ---- characters ---- */

static char look_up(int32_t point)
{
    size_t low = 0, high = COUNT_OF(look_alikes);

    if (point >= 'a' && point <= 'z')
        return (char)point;
    if (point >= 'A' && point <= 'Z')
        return (char)(point - 'A' + 'a');
    for (size_t i = 0; i < COUNT_OF(alphabets); i++) {
        if (point >= alphabets[i] && point < alphabets[i] + 26)
            return (char)('a' + point - alphabets[i]);
    }
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (look_alikes[middle].point < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT_OF(look_alikes) && look_alikes[low].point == point ? look_alikes[low].letter
                                                                          : 0;
}

static bool is_joint(int32_t point)
{
    return point && point < 0x80 ? strchr("._-~^`\\/", point) != NULL
                                 : point == 0xb7 || point == 0x2022;
}

/* Whether a mark may be left away: not where it makes the letters of a script. */
static bool is_european(int32_t point)
{
    return point < 0x590 || (point >= 0x1e00 && point < 0x2000);
}

static bool is_lone(int32_t point)
{
    return (point >= 0x3040 && point < 0x3100) || (point >= 0x3400 && point < 0xa000) ||
           (point >= 0xf900 && point < 0xfb00) || (point >= 0x20000 && point < 0x32000);
}

enum fate { FATE_KEEP, FATE_MARK, FATE_DROP };

static enum fate classify(struct cell *c, utf8proc_category_t category)
{
    switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        c->kind = KIND_LETTER;
        return FATE_KEEP;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        c->kind = KIND_DIGIT;
        return FATE_KEEP;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        c->kind = KIND_LETTER;
        return FATE_MARK;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
        return FATE_DROP;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        c->kind = KIND_SPACE;
        return FATE_KEEP;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
        c->kind = KIND_JOIN;
        return FATE_KEEP;
    default:
        c->kind = is_joint(c->point) ? KIND_JOIN : c->fold ? KIND_SYMBOL : KIND_SPACE;
        return FATE_KEEP;
    }
}

/* ---- cells ---- */

static bool push(struct builder *b, struct cell c)
{
    if (b->count == b->size)
        return false;
    b->cells[b->count++] = c;
    return true;
}

/* A mark joins the character before it, or is dropped, or is a letter of its script. */
static bool add_mark(struct builder *b, struct cell mark)
{
    struct cell *last = b->count ? &b->cells[b->count - 1] : NULL;
    int32_t pair[2];

    if (!last || last->kind < KIND_DIGIT || is_european(last->point)) {
        if (!last || last->kind != KIND_LETTER)
            return true;
        pair[0] = last->point;
        pair[1] = mark.point;
        if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1)
            last->point = pair[0];
        return true;
    }
    return push(b, mark);
}

/* One code point of compatibility form: folded, it may be several. */
static bool add_point(struct builder *b, int32_t point)
{
    int32_t folded[UNFOLDED_MAX];
    struct cell c = {.point = point, .fold = look_up(point), .alone = is_lone(point)};
    const utf8proc_property_t *about = utf8proc_get_property(point);
    enum fate fate = classify(&c, (utf8proc_category_t)about->category);
    utf8proc_ssize_t count;
    int boundary = 0;

    if (fate == FATE_DROP || about->ignorable)
        return true;
    if (fate == FATE_MARK)
        return add_mark(b, c);
    if (c.kind == KIND_SPACE) {
        if (about->category == UTF8PROC_CATEGORY_ZS)
            c.point = ' ';
        return push(b, c);
    }
    if (c.fold && c.kind == KIND_SYMBOL && point > 0x1f000)
        c.kind = KIND_LETTER; /* alphabets of signs */
    count = utf8proc_decompose_char(point, folded, UNFOLDED_MAX, UTF8PROC_CASEFOLD, &boundary);
    assert(count >= 1 && count <= UNFOLDED_MAX);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        c.point = folded[i];
        if (count > 1)
            c.fold = look_up(c.point);
        if (!push(b, c))
            return false;
    }
    return true;
}

static bool add_ascii(struct builder *b, char byte)
{
    struct cell c = {.point = byte, .fold = look_up(byte)};

    if (byte >= 'A' && byte <= 'Z')
        c.point = byte - 'A' + 'a';
    if (c.point >= 'a' && c.point <= 'z')
        c.kind = KIND_LETTER;
    else if (byte >= '0' && byte <= '9')
        c.kind = KIND_DIGIT;
    else if (is_joint(byte))
        c.kind = KIND_JOIN;
    else if (c.fold)
        c.kind = KIND_SYMBOL;
    else if (byte == '\t' || byte == '\n' || byte == '\r' || byte == ' ')
        c.point = ' ';
    else if (byte < ' ' || byte == 0x7f)
        return true;
    if (c.point == ' ' && b->count && b->cells[b->count - 1].point == ' ')
        return true;
    return push(b, c);
}

/* The next character of the text; what is not UTF-8 is U+FFFD, which separates. */
static bool add_next(struct builder *b, const char **text, const char *end)
{
    int32_t point, parts[UNFOLDED_MAX];
    utf8proc_ssize_t bytes, count;
    int boundary = 0;

    if (!(**text & 0x80))
        return add_ascii(b, *(*text)++);
    bytes = utf8proc_iterate((const utf8proc_uint8_t *)*text, end - *text, &point);
    if (bytes <= 0) {
        ++*text;
        return push(b, (struct cell){.point = 0xfffd});
    }
    *text += bytes;
    if (point >= 0xac00 && point <= 0xd7a3)
        return push(b, (struct cell){.point = point, .kind = KIND_LETTER});
    count = utf8proc_decompose_char(point, parts, UNFOLDED_MAX,
                                    UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundary);
    assert(count >= 0 && count <= UNFOLDED_MAX);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        if (!add_point(b, parts[i]))
            return false;
    }
    return true;
}

/* ---- tokens ---- */

static bool is_word(const struct cell *c)
{
    return c->kind >= KIND_DIGIT;
}

/* Writes the text and cuts it; every cell learns the token that it is in, or that follows it. */
static void cut(struct builder *b)
{
    struct normal *n = b->n;
    bool open = false;

    for (size_t i = 0; i < b->count; i++) {
        const struct cell *c = &b->cells[i];
        struct normal_token *last;

        if (is_word(c) && (!open || c->alone || b->cells[i - 1].alone))
            n->tokens[n->token_count++].at = (uint32_t)n->bytes;
        open = is_word(c);
        b->token_of[i] = (uint32_t)(open ? n->token_count - 1 : n->token_count);
        n->bytes += (size_t)utf8proc_encode_char(c->point, (utf8proc_uint8_t *)n->text + n->bytes);
        if (open) {
            last = &n->tokens[n->token_count - 1];
            last->bytes = (uint32_t)(n->bytes - last->at);
        }
    }
}

/* ---- guises ---- */

/* What a stretch of cells says as a guise, KIND_JOIN left out. */
struct reading {
    size_t from, to; /* cells */
    size_t letters, others;
    bool disguised, broken;
};

static struct reading read_cells(const struct builder *b, size_t from, size_t to)
{
    struct reading r = {.from = from, .to = to};
    size_t run = 0, ways = 1;
    char before = 0;

    for (size_t i = from; i < to; i++) {
        const struct cell *c = &b->cells[i];

        if (c->kind == KIND_JOIN) {
            r.disguised = true;
            continue;
        }
        r.broken |= !c->fold;
        r.disguised |= c->kind != KIND_LETTER || c->fold != c->point;
        if (c->kind == KIND_LETTER)
            r.letters++;
        else
            r.others++;
        run = c->fold == before ? run + 1 : 1;
        before = c->fold;
        r.disguised |= run == RUN_MIN;
        if (ways <= MASKED_MAX)
            ways *= c->fold == '*' ? 5 : c->fold == '1' || run == RUN_MIN ? 2 : 1;
    }
    r.broken |= ways > MASKED_MAX || r.letters < 2 || r.others > 2 * r.letters;
    return r;
}

/* The letters of cells; of three and more of one, the first and a '+'. */
static size_t write_letters(const struct builder *b, char *out, size_t from, size_t to)
{
    size_t used = 0, run = 0;
    char before = 0;

    for (size_t i = from; i < to; i++) {
        const struct cell *c = &b->cells[i];

        if (c->kind == KIND_JOIN)
            continue;
        run = c->fold == before ? run + 1 : 1;
        before = c->fold;
        if (run < RUN_MIN)
            out[used++] = c->fold;
        else if (run == RUN_MIN)
            out[used - 1] = '+';
    }
    return used;
}

static void add_guise(struct builder *b, size_t from, size_t to)
{
    struct normal *n = b->n;
    struct normal_guise *g = &n->guises[n->guise_count];
    size_t first = from, last = to;

    while (!is_word(&b->cells[first]))
        first++;
    while (!is_word(&b->cells[last - 1]))
        last--;
    assert(n->guise_count < b->guise_size && b->letter_bytes + (to - from) <= b->letter_size);
    g->at = (uint32_t)b->letter_bytes;
    g->bytes = (uint32_t)write_letters(b, n->letters + b->letter_bytes, from, to);
    g->first = b->token_of[first];
    g->last = b->token_of[last - 1];
    g->spelled = false;
    if (g->bytes > NORMAL_GUISE_MAX)
        return;
    b->letter_bytes += g->bytes;
    n->guise_count++;
}

static bool is_edge(const struct cell *c)
{
    return c->kind == KIND_SYMBOL && c->point < 0x80 && strchr("!|+*", c->point);
}

/* A run of letters, digits and symbols, which has a letter or digit: by itself, and without the
   digits around it. */
static void add_cluster(struct builder *b, size_t from, size_t to)
{
    struct reading r;

    while (is_edge(&b->cells[from]))
        from++;
    while (is_edge(&b->cells[to - 1]))
        to--;
    r = read_cells(b, from, to);
    if (r.disguised && !r.broken)
        add_guise(b, from, to);
    if (b->cells[from].kind != KIND_DIGIT && b->cells[to - 1].kind != KIND_DIGIT)
        return;
    while (from < to && b->cells[from].kind == KIND_DIGIT)
        from++;
    while (from < to && b->cells[to - 1].kind == KIND_DIGIT)
        to--;
    if (to - from < CORE_MIN)
        return;
    r = read_cells(b, from, to);
    if (!r.broken)
        add_guise(b, from, to);
}

static bool has_word(const struct builder *b, size_t from, size_t to)
{
    while (from < to && !is_word(&b->cells[from]))
        from++;
    return from < to;
}

static void add_chain(struct builder *b, size_t from, size_t to)
{
    while (is_edge(&b->cells[from]))
        from++;
    while (is_edge(&b->cells[to - 1]))
        to--;
    if (!read_cells(b, from, to).broken)
        add_guise(b, from, to);
}

/* The clusters, and chains of them with one joint between two. */
static void find_clusters(struct builder *b)
{
    size_t chain = 0, pieces = 0, i = 0;

    while (i < b->count) {
        size_t from = i;

        while (i < b->count && b->cells[i].kind >= KIND_SYMBOL)
            i++;
        if (!has_word(b, from, i)) {
            pieces = 0;
            i += i == from;
            continue;
        }
        add_cluster(b, from, i);
        if (!pieces++)
            chain = from;
        if (i + 1 < b->count && b->cells[i].kind == KIND_JOIN &&
            b->cells[i + 1].kind >= KIND_SYMBOL) {
            i++;
            continue;
        }
        if (pieces > 1 && pieces <= CHAIN_MAX)
            add_chain(b, chain, i);
        pieces = 0;
    }
}

/* Whether a cell is a token of one letter that stands for a Latin one. */
static bool is_single(const struct builder *b, size_t cell)
{
    const struct cell *c = &b->cells[cell];

    return is_word(c) && c->fold && (!cell || !is_word(c - 1)) &&
           (cell + 1 == b->count || !is_word(c + 1));
}

/* What is used between two letters tells where a spelled word ends: "p.o.r.n s.t.a.r" are two. */
static bool is_spaced(const struct builder *b, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (b->cells[i].kind == KIND_SPACE)
            return true;
    }
    return false;
}

struct spelling {
    struct normal_guise guise;
    size_t letters, last; /* the cell of the last one */
    bool spaced;
};

static void end_spelled(struct builder *b, struct spelling *s)
{
    if (s->guise.bytes >= RUN_MIN && s->letters >= 2) {
        assert(b->n->guise_count < b->guise_size);
        b->n->guises[b->n->guise_count++] = s->guise;
        b->letter_bytes += s->guise.bytes;
    }
    *s = (struct spelling){0};
}

static void spell(struct builder *b, struct spelling *s, size_t cell)
{
    struct normal_guise *g = &s->guise;

    if (g->bytes &&
        (cell - s->last > SHORT_MAX || (g->bytes > 1 && is_spaced(b, s->last, cell) != s->spaced)))
        end_spelled(b, s);
    if (g->bytes == 1)
        s->spaced = is_spaced(b, s->last, cell);
    if (!g->bytes)
        *g = (struct normal_guise){
            .at = (uint32_t)b->letter_bytes, .first = b->token_of[cell], .spelled = true};
    assert(b->letter_bytes + g->bytes < b->letter_size);
    b->n->letters[b->letter_bytes + g->bytes++] = b->cells[cell].fold;
    s->letters += b->cells[cell].kind == KIND_LETTER;
    g->last = b->token_of[cell];
    s->last = cell;
}

static void find_spelled(struct builder *b)
{
    struct spelling s = {0};

    for (size_t i = 0; i < b->count; i++) {
        if (is_single(b, i))
            spell(b, &s, i);
        else if (is_word(&b->cells[i]))
            end_spelled(b, &s);
    }
    end_spelled(b, &s);
}

/* ---- all of it ---- */

static bool room(struct builder *b, size_t bytes)
{
    b->size = 2 * bytes + UNFOLDED_MAX;
    b->cells = malloc(b->size * sizeof(*b->cells));
    return b->cells != NULL;
}

static bool room_out(struct builder *b)
{
    struct normal *n = b->n;

    b->letter_size = LETTERS_PER * b->count + 1;
    b->guise_size = LETTERS_PER * b->count + 1;
    n->text = malloc(4 * b->count + 4);
    n->tokens = malloc((b->count + 1) * sizeof(*n->tokens));
    n->letters = malloc(b->letter_size);
    n->guises = malloc(b->guise_size * sizeof(*n->guises));
    b->token_of = malloc((b->count + 1) * sizeof(*b->token_of));
    return n->text && n->tokens && n->letters && n->guises && b->token_of;
}

static enum status build(struct builder *b, const char *text, size_t bytes, struct why *why)
{
    const char *end = text + bytes;

    if (!room(b, bytes))
        return why_fail(why, ST_FULL, "no memory to read a text of %zu bytes", bytes);
    while (text < end) {
        if (!add_next(b, &text, end))
            return why_fail(why, ST_FULL,
                            "the text has compatibility characters that unfold to more than %zu",
                            b->size);
    }
    if (!room_out(b))
        return why_fail(why, ST_FULL, "no memory to read a text of %zu characters", b->count);
    cut(b);
    find_clusters(b);
    find_spelled(b);
    return ST_OK;
}

enum status normal_open(struct normal *n, const char *text, size_t bytes, struct why *why)
{
    struct builder b = {.n = n};
    enum status st;

    *n = (struct normal){0};
    st = build(&b, text, bytes, why);
    free(b.cells);
    free(b.token_of);
    if (st)
        normal_close(n);
    return st;
}

void normal_close(struct normal *n)
{
    free(n->text);
    free(n->tokens);
    free(n->letters);
    free(n->guises);
    *n = (struct normal){0};
}

bool normal_key(char out[NORMAL_GUISE_MAX + 1], const char *word, size_t bytes)
{
    struct cell cells[NORMAL_GUISE_MAX + 1];
    struct builder b = {.cells = cells, .size = NORMAL_GUISE_MAX + 1};
    const char *end = word + bytes;

    while (word < end) {
        if (!add_next(&b, &word, end))
            return false;
    }
    if (b.count < KEY_MIN || b.count > NORMAL_GUISE_MAX)
        return false;
    for (size_t i = 0; i < b.count; i++) {
        if (cells[i].kind != KIND_LETTER || cells[i].fold < 'a')
            return false;
        out[i] = cells[i].fold;
    }
    out[b.count] = 0;
    return true;
}
