/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle is transformers' CLIPTokenizer without ftfy: what diffusers loads for "CLIPTokenizer"
 * in model_index.json on a usual installation. CLIPTokenizerFast cleans up differently.
 *
 * Details that cause bugs:
 * - Special and added tokens are found in the raw text, case and all, before any clean-up.
 * - CLIP's pattern knows <|startoftext|> and <|endoftext|> a second time, after clean-up and
 *   lower-casing: <|EndOfText|> is the end token too. There an "s" is also U+017F, as it is in
 *   contractions; but such a word is not the special one and is encoded like any other.
 * - do_lower_case in tokenizer_config.json is ignored by the slow tokenizer: it always lowers.
 * - Format characters (zero-width joiner, directional marks), private use and everything
 *   unassigned vanish; CJK characters stand alone; tab and line ends are blanks, \v and \f vanish.
 */
#include "models/tokenizer.h"

#include "models/bpe.h"
#include "models/special.h"
#include "models/unicode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (1u << 18) /* far above what a server lets through */

struct tokenizer {
    struct bpe *bpe;
    struct special special;
    int32_t unknown;
    int32_t start, end; /* ids of <|startoftext|> and <|endoftext|> found by the pattern */
};

/* One text on its way. The words' buffers have room for the whole text as one word. */
struct work {
    const struct tokenizer *t;
    int32_t *word;        /* characters between blanks */
    int32_t *lower;       /* the same word in lower case */
    unsigned char *bytes; /* and a part of it in UTF-8 */
    struct bpe_work bpe;
    int32_t *ids;  /* of the prompt */
    int64_t count; /* tokens of the text so far; those beyond the length are only counted */
};

enum status tokenizer_open(struct tokenizer **out, const char *folder, struct why *why)
{
    struct tokenizer *t = *out = calloc(1, sizeof(*t));
    enum status st;

    if (!t)
        return why_fail(why, ST_FULL, "%s: no memory", folder);
    st = bpe_open(&t->bpe, folder, why);
    if (!st)
        st = special_load(&t->special, t->bpe, folder, why);
    if (st) {
        tokenizer_close(out);
        return st;
    }
    t->unknown = t->special.role[SPECIAL_UNK];
    t->start = bpe_id(t->bpe, "<|startoftext|>");
    t->end = bpe_id(t->bpe, "<|endoftext|>");
    if (t->start < 0)
        t->start = t->unknown;
    if (t->end < 0)
        t->end = t->unknown;
    return ST_OK;
}

void tokenizer_close(struct tokenizer **t)
{
    if (!*t)
        return;
    bpe_close(&(*t)->bpe);
    special_reset(&(*t)->special);
    free(*t);
    *t = NULL;
}

int tokenizer_length(const struct tokenizer *t)
{
    return t->special.length;
}

int tokenizer_vocabulary(const struct tokenizer *t)
{
    return bpe_limit(t->bpe);
}

static void emit(struct work *w, int32_t id)
{
    if (w->count < w->t->special.length - 2)
        w->ids[1 + w->count] = id;
    w->count++;
}

static bool is_cjk(int32_t p)
{
    return (p >= 0x4e00 && p <= 0x9fff) || (p >= 0x3400 && p <= 0x4dbf) ||
           (p >= 0x20000 && p <= 0x2a6df) || (p >= 0x2a700 && p <= 0x2b73f) ||
           (p >= 0x2b740 && p <= 0x2b81f) || (p >= 0x2b820 && p <= 0x2ceaf) ||
           (p >= 0xf900 && p <= 0xfaff) || (p >= 0x2f800 && p <= 0x2fa1f);
}

/* Does the word go on with these ASCII letters, as a pattern that ignores case sees it? */
static bool goes_on(const int32_t *word, size_t count, const char *letters)
{
    for (size_t i = 0; letters[i]; i++)
        if (i >= count || (word[i] != letters[i] && !(letters[i] == 's' && word[i] == 0x17f)))
            return false;
    return true;
}

/* Length of the first alternative of CLIP's pattern that matches at the start of the word; 0: none.
   <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ */
static size_t part_length(const int32_t *word, size_t count)
{
    static const char *const fixed[] = {
        "<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    enum unicode_class class = unicode_classify(word[0]);
    size_t n = 1;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (goes_on(word, count, fixed[i]))
            return strlen(fixed[i]);
    if (class == UNICODE_NOTHING)
        return 0;
    while (class != UNICODE_NUMBER && n < count && unicode_classify(word[n]) == class)
        n++;
    return n;
}

/* One match of the pattern: to bytes, to tokens. */
static enum status put_part(struct work *w, const int32_t *part, size_t count)
{
    size_t bytes = 0, ids;
    enum status st;

    for (size_t i = 0; i < count; i++)
        bytes += unicode_put(w->bytes + bytes, part[i]);
    if (bytes == 15 && memcmp(w->bytes, "<|startoftext|>", 15) == 0) {
        emit(w, w->t->start);
        return ST_OK;
    }
    if (bytes == 13 && memcmp(w->bytes, "<|endoftext|>", 13) == 0) {
        emit(w, w->t->end);
        return ST_OK;
    }
    st = bpe_word(w->t->bpe, &w->bpe, w->bytes, bytes, w->t->unknown, &ids);
    for (size_t i = 0; i < ids && !st; i++)
        emit(w, w->bpe.ids[i]);
    return st;
}

/* Everything between two blanks. */
static enum status put_word(struct work *w, size_t count)
{
    enum status st = ST_OK;
    size_t lowered, n;

    count = unicode_compose(w->word, count, w->lower);
    lowered = unicode_lower(w->lower, w->word, count);
    for (size_t at = 0; at < lowered && !st; at += n ? n : 1) {
        n = part_length(w->lower + at, lowered - at);
        if (n > 0)
            st = put_part(w, w->lower + at, n);
    }
    return st;
}

/* Text without special tokens: clean-up, and words as they come. */
static enum status put_text(struct work *w, const char *text, const char *end)
{
    enum status st = ST_OK;
    size_t count = 0;

    while (text < end && !st) {
        int32_t p;
        bool known = unicode_take(&text, end, &p); /* the whole text was judged before */
        bool blank = p == '\t' || p == '\n' || p == '\r' || unicode_is_space(p);
        bool alone = is_cjk(p);

        assert(known);
        if (!blank && (p == 0 || p == 0xfffd || unicode_is_control(p)))
            continue;
        if ((blank || alone) && count > 0) {
            st = put_word(w, count);
            count = 0;
        }
        if (!blank)
            w->word[count++] = p;
        if (alone && !st) {
            st = put_word(w, count);
            count = 0;
        }
    }
    return st || count == 0 ? st : put_word(w, count);
}

/* Special tokens cut the raw text; what lies between them is text. */
static enum status put_all(struct work *w, const char *text, const char *end)
{
    const char *from = text;
    enum status st = ST_OK;

    while (text < end && !st) {
        const struct special_token *token = special_at(&w->t->special, text, end);

        if (!token) {
            text++;
            continue;
        }
        st = put_text(w, from, text);
        if (!st)
            emit(w, token->id);
        from = text += token->bytes;
    }
    return st ? st : put_text(w, from, end);
}

static enum status check_text(const char *text, size_t bytes, size_t *points, struct why *why)
{
    const char *at = text, *end = text + bytes;
    int32_t p;

    *points = 0;
    if (bytes > TEXT_BYTES_MAX)
        return why_fail(why, ST_INVALID, "text of %zu bytes, at most %u are encoded", bytes,
                        TEXT_BYTES_MAX);
    while (at < end) {
        if (!unicode_take(&at, end, &p))
            return why_fail(why, ST_INVALID, "text is not UTF-8 at byte %zu", (size_t)(at - text));
        (*points)++;
    }
    return ST_OK;
}

static enum status work_open(struct work *w, const struct tokenizer *t, size_t points)
{
    size_t word = UNICODE_NFC_GROWTH * points + 1, lower = UNICODE_LOWER_GROWTH * word;

    *w = (struct work){.t = t};
    w->word = malloc(word * sizeof(*w->word));
    w->lower = malloc(lower * sizeof(*w->lower));
    w->bytes = malloc(4 * lower);
    return w->word && w->lower && w->bytes ? ST_OK : ST_FULL;
}

static void work_close(struct work *w)
{
    free(w->word);
    free(w->lower);
    free(w->bytes);
    bpe_work_close(&w->bpe);
}

enum status tokenizer_encode(const struct tokenizer *t, int32_t *ids, const char *text,
                             size_t bytes, int *ids_wanted, struct why *why)
{
    struct work w;
    size_t points;
    int64_t kept;
    enum status st = check_text(text, bytes, &points, why);

    if (st)
        return st;
    st = work_open(&w, t, points);
    w.ids = ids;
    if (!st)
        st = put_all(&w, text, text + bytes);
    work_close(&w);
    if (st)
        return why_fail(why, st, "no memory for a text of %zu bytes", bytes);
    *ids_wanted = (int)w.count + 2;
    kept = w.count < t->special.length - 2 ? w.count : t->special.length - 2;
    ids[0] = t->special.role[SPECIAL_BOS];
    ids[1 + kept] = t->special.role[SPECIAL_EOS];
    for (int64_t i = 2 + kept; i < t->special.length; i++)
        ids[i] = t->special.role[SPECIAL_PAD];
    return ST_OK;
}
