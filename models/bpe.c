/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Details that cause bugs:
 * - The reference reads merges.txt as lines 1 to 48,894 behind the first line, whatever the first
 *   line says. A pair that is listed twice has the rank of its last place.
 * - One round of the reference merges all occurrences of one pair, and only then looks for the next
 *   pair. A pair that a round creates may stand higher in the list than the round's own: it waits.
 * - Symbols are strings: "a" and "bc" make the same symbol as "ab" and "c".
 */
#include "models/bpe.h"

#include "base/crypto.h"
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#define VOCAB_BYTES_MAX  (32u << 20)
#define MERGES_BYTES_MAX (16u << 20)
#define MERGES_MAX       (49152 - 256 - 2) /* the reference's bound */
#define TOKEN_BYTES_MAX  1024 /* of a symbol; a word of CLIP's vocabulary has at most 54 */
#define PATH_BYTES_MAX   4096
#define NONE             (-1)

struct symbol {
    uint32_t at;    /* its NUL-terminated text, from the start of the pool */
    uint32_t bytes; /* without the NUL */
    int32_t id;     /* NONE: not in the vocabulary */
};

struct pair {
    int32_t left, right; /* left NONE: a free slot */
    int32_t merged;
    uint32_t rank;
};

struct bpe {
    char *pool;
    size_t pool_used, pool_room;
    struct symbol *symbols;
    size_t symbol_count, symbol_room;
    int32_t *slots; /* symbols by their text; twice as many as symbols at least, NONE when free */
    size_t slot_count;
    struct pair *pairs; /* by left and right */
    size_t pair_slots;
    size_t ids_count;
    int32_t ids_limit;
    uint64_t seed;             /* a hostile vocabulary cannot know which names collide */
    int32_t bytes[256];        /* symbol of a byte */
    int32_t bytes_at_end[256]; /* and at the end of a word */
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t hash_text(const struct bpe *b, const char *text, size_t bytes)
{
    uint64_t hash = b->seed ^ bytes, word;

    for (size_t i = 0; i < bytes; i += sizeof(word)) {
        word = 0;
        memcpy(&word, text + i, bytes - i < sizeof(word) ? bytes - i : sizeof(word));
        hash = mix(hash ^ word) + b->seed;
    }
    return mix(hash);
}

/* The slot where this text stands, or the free one where it would. */
static int32_t *slot_of(const struct bpe *b, const char *text, size_t bytes)
{
    size_t at = hash_text(b, text, bytes) & (b->slot_count - 1);

    while (b->slots[at] != NONE) {
        const struct symbol *s = &b->symbols[b->slots[at]];

        if (s->bytes == bytes && memcmp(b->pool + s->at, text, bytes) == 0)
            break;
        at = (at + 1) & (b->slot_count - 1);
    }
    return &b->slots[at];
}

static enum status grow_slots(struct bpe *b)
{
    size_t count = b->slot_count ? 2 * b->slot_count : 1 << 12;
    int32_t *slots;

    if (2 * (b->symbol_count + 1) <= b->slot_count)
        return ST_OK;
    slots = malloc(count * sizeof(*slots));
    if (!slots)
        return ST_FULL;
    free(b->slots);
    b->slots = slots;
    b->slot_count = count;
    memset(slots, 0xff, count * sizeof(*slots)); /* NONE everywhere */
    for (size_t i = 0; i < b->symbol_count; i++)
        *slot_of(b, b->pool + b->symbols[i].at, b->symbols[i].bytes) = (int32_t)i;
    return ST_OK;
}

/* At least `wanted` elements of `element` bytes; *room only grows. */
static enum status grow(void **array, size_t *room, size_t wanted, size_t element)
{
    size_t more = *room ? *room : 4096;
    void *moved;

    if (wanted <= *room)
        return ST_OK;
    while (more < wanted)
        more *= 2;
    moved = realloc(*array, more * element);
    if (!moved)
        return ST_FULL;
    *array = moved;
    *room = more;
    return ST_OK;
}

/* The symbol of this text, made if it is new. */
static enum status intern(struct bpe *b, const char *text, size_t bytes, int32_t *out)
{
    int32_t *slot;

    if (grow_slots(b))
        return ST_FULL;
    slot = slot_of(b, text, bytes);
    *out = *slot;
    if (*slot != NONE)
        return ST_OK;
    if (grow((void **)&b->pool, &b->pool_room, b->pool_used + bytes + 1, 1) ||
        grow((void **)&b->symbols, &b->symbol_room, b->symbol_count + 1, sizeof(*b->symbols)))
        return ST_FULL;
    memcpy(b->pool + b->pool_used, text, bytes);
    b->pool[b->pool_used + bytes] = '\0';
    b->symbols[b->symbol_count] =
        (struct symbol){.at = (uint32_t)b->pool_used, .bytes = (uint32_t)bytes, .id = NONE};
    b->pool_used += bytes + 1;
    *out = *slot = (int32_t)b->symbol_count++;
    return ST_OK;
}

int32_t bpe_id(const struct bpe *b, const char *token)
{
    int32_t symbol = *slot_of(b, token, strlen(token));

    return symbol == NONE ? NONE : b->symbols[symbol].id;
}

enum status bpe_set_id(struct bpe *b, const char *token, int32_t id)
{
    int32_t symbol;
    enum status st = intern(b, token, strlen(token), &symbol);

    if (st)
        return st;
    b->ids_count += b->symbols[symbol].id == NONE;
    b->symbols[symbol].id = id;
    if (b->ids_limit <= id)
        b->ids_limit = id + 1;
    return ST_OK;
}

int32_t bpe_limit(const struct bpe *b)
{
    return b->ids_limit;
}

size_t bpe_count(const struct bpe *b)
{
    return b->ids_count;
}

static enum status read_vocab(struct bpe *b, const char *path, struct why *why)
{
    struct json *root;
    void *iter = NULL;
    const char *key;
    const struct json *value;
    enum status st = json_load(&root, path, VOCAB_BYTES_MAX, why);

    if (st)
        return st;
    if (json_type_of(root) != JSON_TYPE_OBJECT || json_size(root) > BPE_IDS_MAX)
        st = why_fail(why, ST_INVALID, "%s: not a table of at most %d tokens", path, BPE_IDS_MAX);
    while (!st && json_next(root, &iter, &key, &value)) {
        if (json_type_of(value) != JSON_TYPE_INT || json_as_int(value) < 0 ||
            json_as_int(value) >= BPE_IDS_MAX)
            st = why_fail(why, ST_INVALID, "%s: an id is not a number from 0 to %d", path,
                          BPE_IDS_MAX - 1);
        else if (strlen(key) > TOKEN_BYTES_MAX)
            st = why_fail(why, ST_INVALID, "%s: a token has more than %d bytes", path,
                          TOKEN_BYTES_MAX);
        else if (bpe_set_id(b, key, (int32_t)json_as_int(value)))
            st = why_fail(why, ST_FULL, "%s: no memory", path);
    }
    json_close(&root);
    return st;
}

static enum status read_fd(int fd, char **text, size_t *bytes, const char *path, struct why *why)
{
    struct stat about;

    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return why_fail(why, ST_INVALID, "%s: not a regular file", path);
    if (about.st_size > (off_t)MERGES_BYTES_MAX)
        return why_fail(why, ST_INVALID, "%s: %lld bytes, at most %u are read", path,
                        (long long)about.st_size, MERGES_BYTES_MAX);
    *text = malloc((size_t)about.st_size + 1);
    if (!*text)
        return why_fail(why, ST_FULL, "%s: no memory", path);
    while (*bytes < (size_t)about.st_size) {
        ssize_t n = read(fd, *text + *bytes, (size_t)about.st_size - *bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        *bytes += (size_t)n;
    }
    return ST_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

/* Up to two parts between blanks; returns how many there are, 3 meaning more. */
static int split_line(const char *line, const char *end, const char *part[2], size_t bytes[2])
{
    int count = 0;

    while (line < end) {
        const char *start = line;

        if (is_blank(*line)) {
            line++;
            continue;
        }
        while (line < end && !is_blank(*line))
            line++;
        if (count == 2)
            return 3;
        part[count] = start;
        bytes[count++] = (size_t)(line - start);
    }
    return count;
}

static struct pair *pair_of(const struct bpe *b, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = mix(key ^ b->seed) & (b->pair_slots - 1);

    while (b->pairs[at].left != NONE && (b->pairs[at].left != left || b->pairs[at].right != right))
        at = (at + 1) & (b->pair_slots - 1);
    return &b->pairs[at];
}

static enum status add_merge(struct bpe *b, const char *part[2], const size_t bytes[2],
                             uint32_t rank)
{
    char both[2 * TOKEN_BYTES_MAX];
    int32_t left, right, merged;

    memcpy(both, part[0], bytes[0]);
    memcpy(both + bytes[0], part[1], bytes[1]);
    if (intern(b, part[0], bytes[0], &left) || intern(b, part[1], bytes[1], &right) ||
        intern(b, both, bytes[0] + bytes[1], &merged))
        return ST_FULL;
    *pair_of(b, left, right) =
        (struct pair){.left = left, .right = right, .merged = merged, .rank = rank};
    return ST_OK;
}

/* Room for as many pairs as there are lines, half full at most. */
static enum status new_pairs(struct bpe *b, const char *text, size_t bytes)
{
    size_t lines = 1;

    for (size_t i = 0; i < bytes && lines < MERGES_MAX; i++)
        lines += text[i] == '\n' || text[i] == '\r';
    for (b->pair_slots = 64; b->pair_slots < 2 * lines;)
        b->pair_slots *= 2;
    b->pairs = malloc(b->pair_slots * sizeof(*b->pairs));
    if (!b->pairs)
        return ST_FULL;
    for (size_t i = 0; i < b->pair_slots; i++)
        b->pairs[i] = (struct pair){.left = NONE};
    return ST_OK;
}

static enum status parse_merges(struct bpe *b, const char *text, const char *end, const char *path,
                                struct why *why)
{
    while (text < end && is_blank(*text))
        text++;
    while (text < end && is_blank(end[-1]))
        end--;
    for (uint32_t line = 0; text < end && line <= MERGES_MAX; line++) {
        const char *stop = text, *part[2];
        size_t bytes[2];

        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        if (line > 0 && split_line(text, stop, part, bytes) != 2)
            return why_fail(why, ST_INVALID, "%s: line %u is not a pair", path, line + 1);
        if (line > 0 && (bytes[0] > TOKEN_BYTES_MAX || bytes[1] > TOKEN_BYTES_MAX))
            return why_fail(why, ST_INVALID, "%s: line %u has more than %d bytes", path, line + 1,
                            TOKEN_BYTES_MAX);
        if (line > 0 && add_merge(b, part, bytes, line - 1))
            return why_fail(why, ST_FULL, "%s: no memory", path);
        text = stop + (end - stop >= 2 && stop[0] == '\r' && stop[1] == '\n') + (stop < end);
    }
    return ST_OK;
}

static enum status read_merges(struct bpe *b, const char *path, struct why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    enum status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */

    if (fd < 0)
        return why_fail(why, errno == ENOENT || errno == ENOTDIR ? ST_MISSING : ST_IO, "%s: %s",
                        path, strerror(errno));
    st = read_fd(fd, &text, &bytes, path, why);
    close(fd);
    if (!st && new_pairs(b, text, bytes))
        st = why_fail(why, ST_FULL, "%s: no memory", path);
    if (!st)
        st = parse_merges(b, text, text + bytes, path, why);
    free(text);
    return st;
}

/* GPT-2's byte alphabet: printable Latin-1 is itself, the rest moves to U+0100 and up. */
static enum status make_bytes(struct bpe *b)
{
    int32_t moved = 256;

    for (int byte = 0; byte < 256; byte++) {
        bool itself =
            (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        char text[8];
        size_t n = (size_t)utf8proc_encode_char(itself ? byte : moved++, (utf8proc_uint8_t *)text);

        if (intern(b, text, n, &b->bytes[byte]))
            return ST_FULL;
        memcpy(text + n, "</w>", 4);
        if (intern(b, text, n + 4, &b->bytes_at_end[byte]))
            return ST_FULL;
    }
    return ST_OK;
}

enum status bpe_open(struct bpe **out, const char *folder, struct why *why)
{
    char vocab[PATH_BYTES_MAX], merges[PATH_BYTES_MAX];
    struct bpe *b = *out = calloc(1, sizeof(*b));
    enum status st = ST_OK;

    if (!b)
        return why_fail(why, ST_FULL, "%s: no memory", folder);
    if (snprintf(vocab, sizeof(vocab), "%s/vocab.json", folder) >= (int)sizeof(vocab) ||
        snprintf(merges, sizeof(merges), "%s/merges.txt", folder) >= (int)sizeof(merges))
        st = why_fail(why, ST_INVALID, "path of the tokenizer is too long");
    if (!st && crypto_random(&b->seed, sizeof(b->seed)))
        st = why_fail(why, ST_IO, "the system has no random numbers");
    if (!st && make_bytes(b))
        st = why_fail(why, ST_FULL, "%s: no memory", folder);
    if (!st)
        st = read_vocab(b, vocab, why);
    if (!st)
        st = read_merges(b, merges, why);
    if (st)
        bpe_close(out);
    return st;
}

void bpe_close(struct bpe **b)
{
    if (!*b)
        return;
    free((*b)->pool);
    free((*b)->symbols);
    free((*b)->slots);
    free((*b)->pairs);
    free(*b);
    *b = NULL;
}

void bpe_work_close(struct bpe_work *work)
{
    free(work->symbols);
    free(work->next);
    free(work->before);
    free(work->heap);
    free(work->round);
    free(work->ids);
    *work = (struct bpe_work){0};
}

static enum status work_reserve(struct bpe_work *work, size_t bytes)
{
    size_t room = bytes < 64 ? 64 : bytes;

    if (bytes <= work->room)
        return ST_OK;
    bpe_work_close(work);
    work->symbols = malloc(room * sizeof(*work->symbols));
    work->next = malloc(room * sizeof(*work->next));
    work->before = malloc(room * sizeof(*work->before));
    work->heap = malloc(3 * room * sizeof(*work->heap)); /* each merge adds two, frees none */
    work->round = malloc(room * sizeof(*work->round));
    work->ids = malloc(room * sizeof(*work->ids));
    if (!work->symbols || !work->next || !work->before || !work->heap || !work->round || !work->ids)
        return ST_FULL; /* room is 0: the next call starts again */
    work->room = room;
    return ST_OK;
}

/* The heap's entries are rank and place of a pair: smaller is sooner, then further left. Those that
   later merges have overtaken stay in it and are passed over when they come up. */
static void heap_put(uint64_t *heap, size_t *count, uint64_t entry)
{
    size_t at = (*count)++;

    for (; at > 0 && heap[(at - 1) / 2] > entry; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = entry;
}

static uint64_t heap_take(uint64_t *heap, size_t *count)
{
    uint64_t first = heap[0], last = heap[--*count];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < *count) {
        if (child + 1 < *count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

/* Note the pair that starts at `at`, if there is one and it can be merged. */
static void note_pair(const struct bpe *b, struct bpe_work *work, size_t *heap_count, int32_t at)
{
    const struct pair *pair;

    if (at == NONE || work->next[at] == NONE)
        return;
    pair = pair_of(b, work->symbols[at], work->symbols[work->next[at]]);
    if (pair->left != NONE)
        heap_put(work->heap, heap_count, (uint64_t)pair->rank << 32 | (uint32_t)at);
}

/* Merge the pair at `at` if it still is the one of this rank. */
static void merge_at(const struct bpe *b, struct bpe_work *work, size_t *heap_count, uint32_t rank,
                     int32_t at)
{
    int32_t right = work->symbols[at] == NONE ? NONE : work->next[at];
    const struct pair *pair;

    if (right == NONE)
        return;
    pair = pair_of(b, work->symbols[at], work->symbols[right]);
    if (pair->left == NONE || pair->rank != rank)
        return;
    work->symbols[at] = pair->merged;
    work->symbols[right] = NONE; /* gone: what the heap says of this place is old */
    work->next[at] = work->next[right];
    if (work->next[at] != NONE)
        work->before[work->next[at]] = at;
    note_pair(b, work, heap_count, work->before[at]);
    note_pair(b, work, heap_count, at);
}

static void start_word(const struct bpe *b, struct bpe_work *work, const unsigned char *word,
                       size_t bytes, size_t *heap_count)
{
    int32_t last = (int32_t)bytes - 1;

    *heap_count = 0;
    for (int32_t i = 0; i <= last; i++) {
        work->symbols[i] = i < last ? b->bytes[word[i]] : b->bytes_at_end[word[i]];
        work->before[i] = i - 1;
        work->next[i] = i < last ? i + 1 : NONE;
    }
    for (int32_t i = 0; i < last; i++)
        note_pair(b, work, heap_count, i);
}

/* All pairs of the best rank, from left to right; what they create waits for a later round. */
static void merge_round(const struct bpe *b, struct bpe_work *work, size_t *heap_count)
{
    uint32_t rank = (uint32_t)(work->heap[0] >> 32);
    size_t places = 0;

    while (*heap_count > 0 && work->heap[0] >> 32 == rank)
        work->round[places++] = heap_take(work->heap, heap_count) & UINT32_MAX;
    for (size_t i = 0; i < places; i++)
        merge_at(b, work, heap_count, rank, (int32_t)work->round[i]);
}

enum status bpe_word(const struct bpe *b, struct bpe_work *work, const unsigned char *word,
                     size_t bytes, int32_t unknown, size_t *count)
{
    size_t heap_count;

    assert(bytes > 0 && bytes < INT32_MAX);
    if (work_reserve(work, bytes))
        return ST_FULL;
    start_word(b, work, word, bytes, &heap_count);
    while (heap_count > 0)
        merge_round(b, work, &heap_count);
    *count = 0;
    for (int32_t at = 0; at != NONE; at = work->next[at]) {
        int32_t id = b->symbols[work->symbols[at]].id;

        work->ids[(*count)++] = id == NONE ? unknown : id;
    }
    return ST_OK;
}
