/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/trie.h"

#include <stdlib.h>

#define EDGES_MIN 1024
#define ITEMS_MIN 64

/* Room for one more. */
static bool grow(void **items, size_t count, size_t *size, size_t each)
{
    size_t more = *size ? 2 * *size : ITEMS_MIN;
    void *moved;

    if (count < *size)
        return true;
    moved = realloc(*items, more * each);
    if (!moved)
        return false;
    *items = moved;
    *size = more;
    return true;
}

static struct trie_edge *find_edge(struct trie_edge *edges, size_t size, uint32_t node,
                                   unsigned char byte)
{
    uint64_t key = ((uint64_t)node << 8 | byte) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(key >> 32) & (size - 1);

    while (edges[i].to && (edges[i].from != node || edges[i].byte != byte))
        i = (i + 1) & (size - 1);
    return &edges[i];
}

uint32_t trie_follow(const struct trie *t, uint32_t node, unsigned char byte)
{
    return find_edge(t->edges, t->edge_size, node, byte)->to;
}

/* Half of the edges stay free. */
static bool grow_edges(struct trie *t)
{
    size_t size = t->edge_size ? 2 * t->edge_size : EDGES_MIN;
    struct trie_edge *edges;

    if (2 * (t->edge_count + 1) <= t->edge_size)
        return true;
    edges = calloc(size, sizeof(*edges));
    if (!edges)
        return false;
    for (size_t i = 0; i < t->edge_size; i++) {
        if (t->edges[i].to)
            *find_edge(edges, size, t->edges[i].from, t->edges[i].byte) = t->edges[i];
    }
    free(t->edges);
    t->edges = edges;
    t->edge_size = size;
    return true;
}

static bool add_node(struct trie *t)
{
    void *nodes = t->nodes;

    if (!grow(&nodes, t->node_count, &t->node_size, sizeof(*t->nodes)))
        return false;
    t->nodes = nodes;
    t->nodes[t->node_count++] = (struct trie_node){0};
    return true;
}

enum status trie_init(struct trie *t, uint32_t roots)
{
    *t = (struct trie){.use_count = 1};
    t->uses = calloc(ITEMS_MIN, sizeof(*t->uses));
    t->use_size = t->uses ? ITEMS_MIN : 0;
    if (!t->uses || !grow_edges(t))
        return ST_FULL;
    while (t->node_count < roots) {
        if (!add_node(t))
            return ST_FULL;
    }
    return ST_OK;
}

void trie_reset(struct trie *t)
{
    free(t->nodes);
    free(t->edges);
    free(t->uses);
    *t = (struct trie){0};
}

uint32_t trie_insert(struct trie *t, uint32_t root, const char *word, size_t bytes)
{
    uint32_t node = root;

    for (size_t i = 0; i < bytes; i++) {
        struct trie_edge *edge;

        if (!grow_edges(t))
            return 0;
        edge = find_edge(t->edges, t->edge_size, node, (unsigned char)word[i]);
        if (!edge->to) {
            if (!add_node(t))
                return 0;
            *edge = (struct trie_edge){
                .from = node, .to = (uint32_t)t->node_count - 1, .byte = (unsigned char)word[i]};
            t->edge_count++;
        }
        node = edge->to;
    }
    return node;
}

enum status trie_use(struct trie *t, uint32_t node, bool prefix, uint32_t entry, uint32_t step)
{
    uint32_t *head = prefix ? &t->nodes[node].prefix : &t->nodes[node].exact;
    void *uses = t->uses;
    int count = 0;

    for (uint32_t i = *head; i; i = t->uses[i].next)
        count++;
    if (count >= TRIE_WORD_USES_MAX || t->use_count >= TRIE_USES_MAX)
        return ST_REFUSED;
    if (!grow(&uses, t->use_count, &t->use_size, sizeof(*t->uses)))
        return ST_FULL;
    t->uses = uses;
    t->uses[t->use_count] = (struct trie_use){.entry = entry, .step = step, .next = *head};
    *head = (uint32_t)t->use_count++;
    return ST_OK;
}
