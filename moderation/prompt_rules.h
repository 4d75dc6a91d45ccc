/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt_rules.h - a rules file as prompt.c reads it: for that file, and prompt_rules.c and
 * prompt_load.c, which fill it.
 *
 * All words stand in one trie with two roots: what a token is as it stands, and what a guise is
 * (normal.h). The uses of a word are the steps of entries that it fills. An entry is a word or a
 * phrase of a rule, or a word or phrase that excuses it.
 */
#ifndef MODERATION_PROMPT_RULES_H
#define MODERATION_PROMPT_RULES_H

#include "moderation/pattern.h"
#include "moderation/prompt.h"
#include "moderation/trie.h"

#include <stdint.h>

#define PROMPT_CATEGORIES_MAX  32
#define PROMPT_RULES_MAX       256
#define PROMPT_CONTEXTS_MAX    16
#define PROMPT_LISTS_MAX       64
#define PROMPT_ENTRIES_MAX     10000
#define PROMPT_EXPRESSIONS_MAX 64
#define PROMPT_STEPS_MAX       8 /* words of a phrase */
#define PROMPT_GAP_MAX         16
#define PROMPT_GAP             4 /* what ".." means */
#define PROMPT_WINDOW_MAX      64
#define PROMPT_WINDOW          12
#define PROMPT_ENTRY_BYTES_MAX 200

#define PROMPT_ROOT_PLAIN 0
#define PROMPT_ROOT_GUISE 1

struct prompt_entry {
    uint32_t state; /* where its steps stand among all steps that a score keeps */
    uint16_t rule;
    uint8_t count;                 /* of steps */
    bool harmless;                 /* it excuses hits of the rule */
    uint8_t gap[PROMPT_STEPS_MAX]; /* tokens that may stand before each step */
    char name[PROMPT_NAME_MAX];    /* as the file says it, cut: for the record */
};

struct prompt_rule {
    char id[PROMPT_NAME_MAX];
    uint16_t category, window;
    bool has_harmless;
};

struct prompt_expression {
    struct pattern *pattern;
    uint16_t rule;
};

struct prompt_context {
    char id[PROMPT_NAME_MAX];
    bool relaxes[PROMPT_RULES_MAX];
};

struct prompt_rules {
    char sha256[65], version[PROMPT_NAME_MAX];
    char category[PROMPT_CATEGORIES_MAX][PROMPT_NAME_MAX];
    bool never_harmless[PROMPT_CATEGORIES_MAX];
    int category_count, rule_count, context_count, expression_count;
    struct prompt_rule rule[PROMPT_RULES_MAX];
    struct prompt_context context[PROMPT_CONTEXTS_MAX];
    struct prompt_expression expression[PROMPT_EXPRESSIONS_MAX];

    struct prompt_entry *entries;
    size_t entry_count, entry_size;
    struct trie words;
    size_t state_count;
};

#endif /* MODERATION_PROMPT_RULES_H */
