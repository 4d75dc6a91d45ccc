/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - Every special token is also an added token, the pad token included. Where it is "!" (SD 2 and
 *   SDXL), every "!" of a prompt becomes the pad token.
 * - A special token that vocab.json lacks gets the next id behind the vocabulary's count, in the
 *   order bos, eos, unk, sep, pad, cls, mask, additional ones.
 * - Ids are keys: a token that is given the id of another one pushes that out of the raw text's
 *   tokens, but where byte pairs make the old text it keeps the id.
 * - lstrip and rstrip of a token change nothing here: CLIP drops the blanks around words anyway.
 * - The reference's trie agrees with "leftmost, then longest" unless one token hides in another.
 */
#include "models/special.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u << 20)
#define LENGTH_MAX     4096
#define PATH_BYTES_MAX 4096

/* What is being read: names first, ids when all files have spoken. */
struct reading {
    struct special *s;
    struct bpe *bpe;
    const char *folder;
    struct json *config, *map, *added, *fast; /* of the four files; NULL: there is no such file */
    char role[SPECIAL_ROLES][SPECIAL_BYTES_MAX + 1]; /* empty: none */
    struct why *why;
};

static enum status no_memory(struct reading *r)
{
    return why_fail(r->why, ST_FULL, "%s: no memory", r->folder);
}

static enum status bad(struct reading *r, const char *what)
{
    return why_fail(r->why, ST_INVALID, "%s: %s", r->folder, what);
}

/* A getter's sentence with the folder before it. */
static enum status in_folder(struct reading *r, enum status st, const struct why *inner)
{
    return st ? why_fail(r->why, st, "%s: %s", r->folder, inner->text) : ST_OK;
}

static enum status load_file(struct reading *r, struct json **out, const char *name, bool needed)
{
    char path[PATH_BYTES_MAX];
    struct why inner = {0};
    enum status st;

    if (snprintf(path, sizeof(path), "%s/%s", r->folder, name) >= (int)sizeof(path))
        return bad(r, "path is too long");
    st = json_load(out, path, FILE_BYTES_MAX, &inner);
    if (st == ST_MISSING && !needed)
        return ST_OK;
    if (st)
        return why_fail(r->why, st, "%s", inner.text);
    if (json_type_of(*out) != JSON_TYPE_OBJECT)
        return why_fail(r->why, ST_INVALID, "%s: not an object", path);
    return ST_OK;
}

/* The text of a token: a string, or an object that has it as "content". NULL: null. */
static enum status token_text(struct reading *r, const struct json *value, const char **text)
{
    struct why inner = {0};
    bool single = false;
    enum status st;

    *text = NULL;
    if (json_type_of(value) == JSON_TYPE_OBJECT) {
        st = json_get_bool(value, "single_word", &single, &inner);
        if (st)
            return in_folder(r, st, &inner);
        if (single)
            return why_fail(r->why, ST_UNSUPPORTED, "%s: a token with \"single_word\"", r->folder);
        value = json_get(value, "content");
        if (!value)
            return bad(r, "a special token has no \"content\"");
    }
    if (json_type_of(value) == JSON_TYPE_NULL)
        return ST_OK;
    if (json_type_of(value) != JSON_TYPE_STRING)
        return bad(r, "a special token is neither text nor an object with \"content\"");
    *text = json_as_string(value);
    return strlen(*text) <= SPECIAL_BYTES_MAX ? ST_OK : bad(r, "a special token is too long");
}

/* The place of the token with this id, or a new one. */
static struct special_token *place_of(struct special *s, int32_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->tokens[i].id == id)
            return &s->tokens[i];
    return s->count < SPECIAL_COUNT_MAX ? &s->tokens[s->count++] : NULL;
}

/* Make `text` a token of this id. */
static enum status put(struct reading *r, const char *text, int64_t id)
{
    struct special_token *token;
    char *copy;

    if (id < 0 || id >= BPE_IDS_MAX)
        return bad(r, "the id of a special token is out of range");
    if (!text[0])
        return ST_OK; /* as the reference does */
    copy = strdup(text);
    if (!copy)
        return no_memory(r);
    token = place_of(r->s, (int32_t)id);
    if (!token) {
        free(copy);
        return why_fail(r->why, ST_UNSUPPORTED, "%s: more than %d special tokens", r->folder,
                        SPECIAL_COUNT_MAX);
    }
    free(token->text);
    *token = (struct special_token){.text = copy, .bytes = strlen(copy), .id = (int32_t)id};
    r->s->starts[(unsigned char)text[0]] = true;
    return bpe_set_id(r->bpe, text, (int32_t)id) ? no_memory(r) : ST_OK;
}

/* A special token without an id of its own: the vocabulary's, or the next one. */
static enum status put_known(struct reading *r, const char *text)
{
    int32_t id = bpe_id(r->bpe, text);

    return put(r, text, id >= 0 ? id : (int64_t)bpe_count(r->bpe));
}

/* "added_tokens_decoder": {"49406": {"content": ...}} */
static enum status read_decoder(struct reading *r, const struct json *decoder)
{
    void *iter = NULL;
    const char *key, *text;
    const struct json *value;
    enum status st = ST_OK;

    if (json_type_of(decoder) != JSON_TYPE_OBJECT)
        return bad(r, "\"added_tokens_decoder\" is not an object");
    while (!st && json_next(decoder, &iter, &key, &value)) {
        size_t digits = strspn(key, "0123456789");

        if (digits == 0 || digits > 9 || key[digits] || json_type_of(value) != JSON_TYPE_OBJECT)
            return bad(r, "\"added_tokens_decoder\" does not map ids to tokens");
        st = token_text(r, value, &text);
        if (!st && !text)
            st = bad(r, "an added token is null");
        if (!st)
            st = put(r, text, atol(key));
    }
    return st;
}

/* added_tokens.json: {"<token>": 49408} */
static enum status read_added(struct reading *r)
{
    void *iter = NULL;
    const char *key;
    const struct json *value;
    enum status st = ST_OK;

    while (!st && r->added && json_next(r->added, &iter, &key, &value)) {
        if (json_type_of(value) != JSON_TYPE_INT || strlen(key) > SPECIAL_BYTES_MAX)
            return bad(r, "added_tokens.json does not map tokens to ids");
        st = put(r, key, json_as_int(value));
    }
    return st;
}

/* tokenizer.json: {"added_tokens": [{"id": 49406, "content": ...}]} */
static enum status read_fast(struct reading *r)
{
    const struct json *list = json_get(r->fast, "added_tokens");
    enum status st = ST_OK;

    for (size_t i = 0; i < json_size(list) && !st; i++) {
        const struct json *value = json_at(list, i);
        struct why inner = {0};
        const char *text;
        int64_t id = -1;

        st = token_text(r, value, &text);
        if (!st && (!text || json_type_of(value) != JSON_TYPE_OBJECT))
            st = bad(r, "tokenizer.json: an added token is not an object");
        if (!st)
            st = in_folder(r, json_get_int(value, "id", &id, &inner), &inner);
        if (!st)
            st = put(r, text, id);
    }
    return st;
}

static enum status read_roles(struct reading *r, const struct json *from)
{
    static const char *const keys[SPECIAL_ROLES] = {
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    };
    void *iter = NULL;
    const char *key, *text;
    const struct json *value;
    enum status st = ST_OK;

    while (!st && from && json_next(from, &iter, &key, &value)) {
        for (int i = 0; i < SPECIAL_ROLES && !st; i++) {
            if (strcmp(key, keys[i]) != 0)
                continue;
            st = token_text(r, value, &text);
            if (!st)
                snprintf(r->role[i], sizeof(r->role[i]), "%s", text ? text : "");
        }
    }
    return st;
}

static enum status put_additional(struct reading *r, const struct json *from)
{
    const struct json *list = json_get(from, "additional_special_tokens");
    const char *text;
    enum status st = ST_OK;

    for (size_t i = 0; i < json_size(list) && !st; i++) {
        st = token_text(r, json_at(list, i), &text);
        if (!st && text)
            st = put_known(r, text);
    }
    return st;
}

static enum status side_is_right(struct reading *r, const char *key)
{
    const char *side = "right";
    struct why inner = {0};
    enum status st = json_get_string(r->config, key, &side, &inner);

    if (st)
        return in_folder(r, st, &inner);
    if (strcmp(side, "right") != 0)
        return why_fail(r->why, ST_UNSUPPORTED, "%s: \"%s\" is not \"right\"", r->folder, key);
    return ST_OK;
}

static enum status read_config(struct reading *r)
{
    const char *class = "CLIPTokenizer";
    bool split = false;
    int64_t length = 0;
    struct why inner = {0};
    enum status st = json_get_string(r->config, "tokenizer_class", &class, &inner);

    if (!st)
        st = json_get_int(r->config, "model_max_length", &length, &inner);
    if (!st)
        st = json_get_bool(r->config, "split_special_tokens", &split, &inner);
    st = in_folder(r, st, &inner);
    if (!st)
        st = side_is_right(r, "padding_side");
    if (!st)
        st = side_is_right(r, "truncation_side");
    if (st)
        return st;
    if (strcmp(class, "CLIPTokenizer") != 0 && strcmp(class, "CLIPTokenizerFast") != 0)
        return why_fail(r->why, ST_UNSUPPORTED, "%s: \"tokenizer_class\" is not CLIPTokenizer",
                        r->folder);
    if (split || json_size(json_get(r->config, "extra_special_tokens")) > 0)
        return why_fail(r->why, ST_UNSUPPORTED,
                        "%s: \"split_special_tokens\" or \"extra_special_tokens\"", r->folder);
    if (length < 2 || length > LENGTH_MAX)
        return why_fail(r->why, ST_INVALID, "%s: \"model_max_length\" is not from 2 to %d",
                        r->folder, LENGTH_MAX);
    r->s->length = (int)length;
    return ST_OK;
}

/* Files in the order in which they overrule each other, see the header. */
static enum status read_files(struct reading *r)
{
    const struct json *decoder;
    enum status st = load_file(r, &r->config, "tokenizer_config.json", true);

    if (!st)
        st = read_config(r);
    if (!st)
        st = read_roles(r, r->config);
    if (st)
        return st;
    decoder = json_get(r->config, "added_tokens_decoder");
    if (decoder)
        return read_decoder(r, decoder);
    st = load_file(r, &r->map, "special_tokens_map.json", false);
    if (!st)
        st = load_file(r, &r->added, "added_tokens.json", false);
    if (!st)
        st = load_file(r, &r->fast, "tokenizer.json", false);
    if (!st)
        st = read_roles(r, r->map);
    if (!st)
        st = read_added(r);
    return st ? st : read_fast(r);
}

static enum status put_roles(struct reading *r)
{
    enum status st = ST_OK;

    for (int i = 0; i < SPECIAL_ROLES && !st; i++)
        if (r->role[i][0])
            st = put_known(r, r->role[i]);
    return st;
}

/* What a text means is known when everything was put: the last id that it was given. */
static enum status settle(struct reading *r)
{
    struct special *s = r->s;

    for (size_t i = 0; i < s->count; i++)
        s->tokens[i].id = bpe_id(r->bpe, s->tokens[i].text);
    for (int i = 0; i < SPECIAL_ROLES; i++)
        s->role[i] = r->role[i][0] ? bpe_id(r->bpe, r->role[i]) : -1;
    if (s->role[SPECIAL_BOS] < 0 || s->role[SPECIAL_EOS] < 0 || s->role[SPECIAL_UNK] < 0 ||
        s->role[SPECIAL_PAD] < 0)
        return why_fail(r->why, ST_UNSUPPORTED, "%s: needs a bos, eos, unk and pad token",
                        r->folder);
    return ST_OK;
}

enum status special_load(struct special *s, struct bpe *bpe, const char *folder, struct why *why)
{
    struct reading r = {
        .s = s,
        .bpe = bpe,
        .folder = folder,
        .role = {"<|startoftext|>", "<|endoftext|>", "<|endoftext|>", "", "<|endoftext|>", "", ""},
        .why = why,
    };
    enum status st = read_files(&r);

    if (!st)
        st = put_roles(&r);
    if (!st)
        st = put_additional(&r, r.config);
    if (!st && !json_get(r.config, "added_tokens_decoder"))
        st = put_additional(&r, r.map);
    if (!st)
        st = settle(&r);
    json_close(&r.config);
    json_close(&r.map);
    json_close(&r.added);
    json_close(&r.fast);
    return st;
}

void special_reset(struct special *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->tokens[i].text);
    *s = (struct special){0};
}

const struct special_token *special_at(const struct special *s, const char *text, const char *end)
{
    const struct special_token *best = NULL;

    if (text == end || !s->starts[(unsigned char)*text])
        return NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct special_token *token = &s->tokens[i];

        if ((!best || token->bytes > best->bytes) && token->bytes <= (size_t)(end - text) &&
            memcmp(token->text, text, token->bytes) == 0)
            best = token;
    }
    return best;
}
