/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - utf8proc's own ordering of combining marks swaps neighbours: quadratic for a word that is
 *   nothing but marks. Marks are ordered here by a merge sort; utf8proc decomposes single
 *   characters and composes, both linear.
 * - utf8proc takes U+11A7, a vowel that stands just before the trailing consonants, for one of them
 *   and swallows it behind a syllable. It combines with nothing, so text is cut before it.
 * - U+0345 is a mark whose upper case is a letter. In a pattern that ignores case the `regex`
 *   module finds it neither in [\p{L}] nor in [^\s\p{L}\p{N}]: it ends a run and is lost.
 */
#include "models/unicode.h"

#include <assert.h>
#include <string.h>
#include <utf8proc.h>

#define SIGMA           0x3a3
#define SIGMA_SMALL     0x3c3
#define SIGMA_FINAL     0x3c2
#define BEFORE_TRAILING 0x11a7

struct range {
    int32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t count, int32_t point)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

bool unicode_take(const char **text, const char *end, int32_t *point)
{
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)*text, end - *text, point);

    if (n <= 0)
        return false;
    *text += n;
    return true;
}

size_t unicode_put(unsigned char out[4], int32_t point)
{
    return (size_t)utf8proc_encode_char(point, out);
}

bool unicode_is_control(int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        return true;
    default:
        return false;
    }
}

bool unicode_is_space(int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);

    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

enum unicode_class unicode_classify(int32_t point)
{
    if (point == 0x345)
        return UNICODE_NOTHING;
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return UNICODE_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return UNICODE_NUMBER;
    default:
        return UNICODE_OTHER;
    }
}

static int mark_order(int32_t point)
{
    return utf8proc_get_property(point)->combining_class;
}

/* Stable merge of two sorted neighbours, [0, half) and [half, count), by way of `spare`. */
static void merge(int32_t *marks, size_t half, size_t count, int32_t *spare)
{
    size_t left = 0, right = half;

    memcpy(spare, marks, half * sizeof(*marks));
    for (size_t to = 0; left < half; to++) {
        if (right < count && mark_order(marks[right]) < mark_order(spare[left]))
            marks[to] = marks[right++];
        else
            marks[to] = spare[left++];
    }
}

/* Stable sort by combining class, bottom up. */
static void order_marks(int32_t *marks, size_t count, int32_t *spare)
{
    for (size_t half = 1; half < count; half *= 2)
        for (size_t at = 0; at + half < count; at += 2 * half)
            merge(marks + at, half, count - at < 2 * half ? count - at : 2 * half, spare);
}

/* Canonical order: every run of marks between two starters is sorted. */
static void order_runs(int32_t *text, size_t count, int32_t *spare)
{
    size_t start = 0;

    for (size_t i = 0; i <= count; i++) {
        if (i < count && mark_order(text[i]) != 0)
            continue;
        order_marks(text + start, i - start, spare);
        start = i + 1;
    }
}

/* Composes in order, from `text` to `out`; `text` is lost. Returns the new count. */
static size_t compose(int32_t *out, int32_t *text, size_t count)
{
    utf8proc_ssize_t n;
    size_t total = 0;

    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && text[to] != BEFORE_TRAILING; to++)
            ;
        n = utf8proc_normalize_utf32(text + from, (utf8proc_ssize_t)(to - from),
                                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        assert(n >= 0);
        memcpy(out + total, text + from, (size_t)n * sizeof(*out));
        total += (size_t)n;
    }
    return total;
}

size_t unicode_compose(int32_t *text, size_t count, int32_t *spare)
{
    size_t room = UNICODE_NFC_GROWTH * count, used = 0;
    utf8proc_ssize_t n;
    bool inert = true;

    for (size_t i = 0; i < count; i++)
        inert = inert && text[i] < 0x300; /* nothing below changes or combines */
    if (inert)
        return count;
    for (size_t i = 0; i < count; i++) {
        n = utf8proc_decompose_char(text[i], spare + used, (utf8proc_ssize_t)(room - used),
                                    UTF8PROC_STABLE | UTF8PROC_COMPOSE, NULL);
        assert(n > 0 && used + (size_t)n <= room);
        used += (size_t)n;
    }
    order_runs(spare, used, text);
    return compose(text, spare, used);
}

/* Unicode's Cased without Case_Ignorable: letters that have a case, and these symbols. */
static bool is_cased(int32_t point)
{
    static const struct range more[] = {
        {0xaa, 0xaa},       {0xba, 0xba},       {0x2160, 0x217f},   {0x24b6, 0x24e9},
        {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189},
    };

    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
        return true;
    default:
        return in_ranges(more, sizeof(more) / sizeof(more[0]), point);
    }
}

/* Unicode's Case_Ignorable: marks, modifiers, and what may stand inside a word. */
static bool is_case_ignorable(int32_t point)
{
    static const struct range more[] = {
        {0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},
        {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
        {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
        {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a},
    };

    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return in_ranges(more, sizeof(more) / sizeof(more[0]), point);
    }
}

/* A sigma is final behind a cased letter and not before one, whatever is ignored in between. */
static bool is_final(const int32_t *text, size_t count, size_t at)
{
    size_t before = at, after = at + 1;

    while (before > 0 && is_case_ignorable(text[before - 1]))
        before--;
    if (before == 0 || !is_cased(text[before - 1]))
        return false;
    while (after < count && is_case_ignorable(text[after]))
        after++;
    return after == count || !is_cased(text[after]);
}

size_t unicode_lower(int32_t *out, const int32_t *text, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (text[i] == SIGMA) {
            out[n++] = is_final(text, count, i) ? SIGMA_FINAL : SIGMA_SMALL;
        } else if (text[i] == 0x130) { /* the one letter that becomes two: i and a dot */
            out[n++] = 'i';
            out[n++] = 0x307;
        } else {
            out[n++] = utf8proc_tolower(text[i]);
        }
    }
    return n;
}
