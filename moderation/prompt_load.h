/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_load.h - the words, phrases and lists of a file of rules for prompts, on their way into
 * the trie. Private to prompt_rules.c, which reads all else of the file.
 *
 * The first failure is kept in `s` with its sentence; what is read after it is nothing, so that it
 * need be asked for at the end alone.
 */
#ifndef MODERATION_PROMPT_LOAD_H
#define MODERATION_PROMPT_LOAD_H

#include "base/strict.h"
#include "moderation/prompt_rules.h"

/* A word in the trie: where it ends as it stands and as a guise (0: it is not looked for there). */
struct prompt_load_word {
    uint32_t plain, guise;
    bool prefix; /* any word that begins so */
};

struct prompt_load_list {
    const char *name;
    size_t from, count; /* in words */
};

struct prompt_load {
    struct strict s;
    struct prompt_rules *r;
    struct prompt_load_list lists[PROMPT_LISTS_MAX];
    int list_count;
    struct prompt_load_word *words; /* of the lists */
    size_t word_count, word_size;
    bool plain_only; /* of the words that are read now */
};

enum prompt_load_manner { PROMPT_LOAD_WORD, PROMPT_LOAD_PHRASE };

bool prompt_load_failed(const struct prompt_load *l);
void prompt_load_fail_memory(struct prompt_load *l);
/* At this place of the array that is read. */
void prompt_load_fail_at(struct prompt_load *l, int index, const char *words);

/* Cut at a whole character. */
void prompt_load_name(char out[PROMPT_NAME_MAX], const char *text);

/* The array `key` of words or phrases, of a rule, or of what excuses it. */
void prompt_load_entries(struct prompt_load *l, const char *key, enum prompt_load_manner manner,
                         int rule, bool harmless);
/* The object "lists", which entries name; `words` is the caller's to free. */
void prompt_load_lists(struct prompt_load *l);

#endif /* MODERATION_PROMPT_LOAD_H */
