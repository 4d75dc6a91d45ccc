/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - PCRE2 counts its steps anew at every place where a match may begin: what bounds a search is the
 *   limit times the places, and the length of what one step may run over. Hence the pieces.
 * - A limit that stands in an expression, (*LIMIT_MATCH=...), can only lower ours.
 */
#include "moderation/pattern.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STEPS_MAX 2000 /* of one place where a match may begin */
#define DEPTH_MAX 500  /* of backtracking */
#define HEAP_KIB  1024
#define NEST_MAX  32
#define PIECE     64 /* bytes in which a match may begin, for one call */

struct pattern {
    pcre2_code *code;
};

struct pattern_room {
    pcre2_match_context *limits;
    pcre2_match_data *data;
};

enum status pattern_open(struct pattern **out, const char *text, struct why *why)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    struct pattern *p = calloc(1, sizeof(*p));
    PCRE2_UCHAR words[160] = "";
    PCRE2_SIZE place = 0;
    int error = 0;

    *out = NULL;
    if (!context || !p) {
        pcre2_compile_context_free(context);
        free(p);
        return why_fail(why, ST_FULL, "no memory for an expression");
    }
    pcre2_set_max_pattern_length(context, PATTERN_TEXT_MAX);
    pcre2_set_parens_nest_limit(context, NEST_MAX);
    p->code =
        pcre2_compile((PCRE2_SPTR)text, strlen(text),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
                      &error, &place, context);
    pcre2_compile_context_free(context);
    if (!p->code) {
        free(p);
        if (error == PCRE2_ERROR_HEAP_FAILED)
            return why_fail(why, ST_FULL, "no memory for an expression");
        pcre2_get_error_message(error, words, sizeof(words));
        return why_fail(why, ST_INVALID, "the expression is wrong at character %zu: %s", place + 1,
                        (const char *)words);
    }
    *out = p;
    return ST_OK;
}

void pattern_close(struct pattern **p)
{
    if (*p)
        pcre2_code_free((*p)->code);
    free(*p);
    *p = NULL;
}

enum status pattern_room_open(struct pattern_room **out)
{
    struct pattern_room *room = calloc(1, sizeof(*room));

    *out = NULL;
    if (!room)
        return ST_FULL;
    room->limits = pcre2_match_context_create(NULL);
    room->data = pcre2_match_data_create(1, NULL);
    if (!room->limits || !room->data) {
        pattern_room_close(&room);
        return ST_FULL;
    }
    pcre2_set_match_limit(room->limits, STEPS_MAX);
    pcre2_set_depth_limit(room->limits, DEPTH_MAX);
    pcre2_set_heap_limit(room->limits, HEAP_KIB);
    *out = room;
    return ST_OK;
}

void pattern_room_close(struct pattern_room **room)
{
    if (*room) {
        pcre2_match_context_free((*room)->limits);
        pcre2_match_data_free((*room)->data);
    }
    free(*room);
    *room = NULL;
}

/* Not inside a character. */
static size_t whole(const char *text, size_t bytes, size_t at)
{
    if (at >= bytes)
        return bytes;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

enum status pattern_find(const struct pattern *p, struct pattern_room *room, const char *text,
                         size_t bytes, size_t from, bool *found, size_t *at, size_t *length)
{
    *found = false;
    while (from < bytes) {
        size_t last = whole(text, bytes, from + PIECE);
        size_t end = whole(text, bytes, from + PIECE + PATTERN_SPAN);
        uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | (end < bytes ? PCRE2_NOTEOL : 0);
        int rc;

        pcre2_set_offset_limit(room->limits, last);
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, end, from, options, room->data, room->limits);
        if (rc >= 0) {
            const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(room->data);

            *found = true;
            *at = pair[0];
            *length = pair[1] > pair[0] ? pair[1] - pair[0] : 0; /* \K may turn them about */
            return ST_OK;
        }
        if (rc != PCRE2_ERROR_NOMATCH)
            return ST_FULL;
        from = last > from ? last : bytes;
    }
    return ST_OK;
}
