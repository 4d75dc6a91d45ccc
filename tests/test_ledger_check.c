/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log that was altered behind our back is found out, and the record is named. Method: the store
 * answers as one would whose rows were changed, cut, swapped or rolled back.
 */
#include "tests/ledgers.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 600 /* two full tiles, and some */

/* ---- a store that lies ---- */

static const struct store_ops *honest;
static struct store_ops lying;

static struct lie {
    int64_t size;       /* of the log; 0: as it is */
    int64_t record;     /* whose line is another one's, hash included; -1: none */
    int64_t flip;       /* whose line has a flipped bit */
    int64_t both;       /* whose line has one, and its hash with it */
    int64_t column;     /* that is searched by something else */
    int64_t empty;      /* whose bytes are gone */
    int64_t gone;       /* that is not there */
    int64_t tile, hash; /* a hash of a tile of level 0 */
    bool head;          /* another root, rightly signed for another log's */
} lie;

static void tell_the_truth(void)
{
    lie = (struct lie){
        .record = -1, .flip = -1, .both = -1, .column = -1, .empty = -1, .gone = -1, .tile = -1};
}

static void bend(struct store *s, struct store_leaf *leaf)
{
    char *text = leaf->record.data;

    if (leaf->index == lie.record) {
        struct store_leaf other;
        int count = 1;

        free(leaf->record.data);
        assert_int_equal(honest->leaf_list(s, lie.record + 1, &other, &count, NULL), ST_OK);
        other.index = leaf->index;
        *leaf = other;
        return;
    }
    if (leaf->index == lie.flip || leaf->index == lie.both)
        text[leaf->record.count / 2] ^= 1;
    if (leaf->index == lie.both)
        tree_leaf(leaf->hash, leaf->record.data, leaf->record.count);
    if (leaf->index == lie.column)
        leaf->sha256[3] ^= 1;
    if (leaf->index == lie.empty)
        leaf->record.count = 0;
}

static enum status leaf_list(struct store *s, int64_t first, struct store_leaf *out, int *count,
                             struct why *why)
{
    enum status st = honest->leaf_list(s, first, out, count, why);
    int kept = 0;

    for (int i = 0; i < *count && !st; i++) {
        bend(s, &out[i]);
        if (out[i].index == lie.gone) {
            free(out[i].record.data);
            continue;
        }
        out[kept++] = out[i];
    }
    *count = kept;
    return st;
}

static enum status leaf_hashes(struct store *s, int64_t first, uint8_t (*out)[32], int *count,
                               struct why *why)
{
    enum status st = honest->leaf_hashes(s, first, out, count, why);

    for (int i = 0; i < *count && !st; i++) {
        struct store_leaf leaf;
        int one = 1;

        assert_int_equal(leaf_list(s, first + i, &leaf, &one, NULL), ST_OK);
        if (one)
            memcpy(out[i], leaf.hash, 32);
        ledger_release(&leaf, one);
    }
    return st;
}

static enum status ledger_size_of(struct store *s, int64_t *out, struct why *why)
{
    enum status st = honest->ledger_size(s, out, why);

    if (lie.size)
        *out = lie.size;
    return st;
}

static enum status tile_find(struct store *s, int level, int64_t number, struct store_tile *out,
                             struct why *why)
{
    enum status st = honest->tile_find(s, level, number, out, why);

    if (!level && number == lie.tile)
        out->hashes[lie.hash][0] ^= 1;
    return st;
}

static enum status checkpoint_list(struct store *s, int64_t seq, int64_t size,
                                   struct store_checkpoint *out, int *count, struct why *why)
{
    enum status st = honest->checkpoint_list(s, seq, size, out, count, why);

    if (lie.head)
        out->root[0] ^= 1;
    return st;
}

static struct store *liar(void)
{
    struct store *s = rows_store();

    honest = s->ops;
    lying = *honest;
    lying.leaf_list = leaf_list;
    lying.leaf_hashes = leaf_hashes;
    lying.ledger_size = ledger_size_of;
    lying.tile_find = tile_find;
    lying.checkpoint_list = checkpoint_list;
    s->ops = &lying;
    return s;
}

static int open_altered(void **state)
{
    struct store *s;
    struct ledger *l;

    tell_the_truth();
    if (ledgers_open_all(state))
        return 1;
    s = rows_store();
    l = ledgers_open(s, 1000000);
    for (int i = 0; i < RECORDS; i++)
        ledgers_append(l, i);
    ledger_close(&l);
    store_close(&s);
    return 0;
}

/* ---- */

/* All of it is looked at, with the log open since before it was altered. */
static void expect_found(struct lie told, int64_t index, const char *says)
{
    struct store *s = liar();
    struct ledger *l;
    struct why why = {""};
    int64_t bad = -2;
    enum status st;

    tell_the_truth();
    l = ledgers_open(s, 1000000);
    assert_int_equal(ledgers_sound(l), RECORDS);
    lie = told;
    st = ledger_check(l, &bad, &why);
    if (st != ST_INVALID || bad != index || !strstr(why.text, says))
        fail_msg("%s: %" PRId64 ", not %" PRId64 ": '%s'", status_name(st), bad, index, why.text);
    tell_the_truth();
    ledger_close(&l);
    store_close(&s);
}

#define FOUND(field, value, index, says)                                                           \
    do {                                                                                           \
        tell_the_truth();                                                                          \
        lie.field = (value);                                                                       \
        expect_found(lie, (index), (says));                                                        \
    } while (0)

static void what_was_altered_is_found_and_named(void **state)
{
    (void)state;
    FOUND(flip, 0, 0, "record 0 is not as it was written");
    FOUND(flip, 300, 300, "record 300 is not");
    FOUND(flip, RECORDS - 1, RECORDS - 1, "record 599 is not");
    FOUND(record, 77, 77, "another's place");
    FOUND(column, 400, 400, "searched by something else");
    FOUND(empty, 10, 10, "no record says that it expired");
    FOUND(gone, 20, 20, "record 20 is missing");
    FOUND(gone, RECORDS - 1, RECORDS - 1, "is missing");
    FOUND(size, 599, -1, "record 599 is missing, its newest head has 600");
    FOUND(head, true, -1, "newest head is not as it was");
    tell_the_truth();
    lie.tile = 1;
    lie.hash = 5;
    expect_found(lie, 261, "record 261 is not the one of its tile");
}

/* Goal: who writes the hash anew as well is found by the tiles, or by what was signed. */
static void hashes_that_were_made_anew_are_found(void **state)
{
    (void)state;
    for (int64_t index = 100; index < 600; index += 450) {
        struct store *s = liar();
        struct ledger *l = ledgers_open(s, 1000000);
        struct why why = {""};
        int64_t bad;

        lie.both = index;
        assert_int_equal(ledger_check(l, &bad, &why), ST_INVALID);
        assert_non_null(strstr(why.text, "was altered"));
        tell_the_truth();
        ledger_close(&l);
        store_close(&s);
    }
}

/* ---- at the start ---- */

static void expect_closed(const char *says)
{
    struct store *s = liar();
    struct why why = {""};

    if (ledgers_try(s, &why) != ST_INVALID || !strstr(why.text, says))
        fail_msg("'%s', not '%s'", why.text, says);
    tell_the_truth();
    assert_int_equal(ledgers_try(s, &why), ST_OK);
    store_close(&s);
}

static void the_edge_is_looked_at_when_the_log_is_opened(void **state)
{
    (void)state;
    lie.flip = 590;
    expect_closed("record 590 is not as it was written");
    lie.both = 590;
    expect_closed("was altered");
    lie.gone = 590;
    expect_closed("record 590 is missing");
    lie.size = 512;
    expect_closed("record 512 is missing, its newest head has 600");
    lie.flip = 513;
    expect_closed("record 513 is not as it was written");
    lie.head = true;
    expect_closed("newest head is not as it was");
}

static void a_log_keeps_its_key_and_its_name(void **state)
{
    struct store *s = rows_store();
    struct sign_key *mine = ledgers_key;
    struct ledger_options o = {.store = s, .origin = "example.org/other", .key = mine};
    struct ledger *l;
    char path[160];
    struct why why = {""};

    (void)state;
    assert_int_equal(ledger_open(&l, &o, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "not signed by this key for example.org/other"));
    snprintf(path, sizeof(path), "%s/other.pem", rows_folder);
    rows_good(sign_create(path, SIGN_ED25519, &why), &why);
    rows_good(sign_open(&ledgers_key, path, &why), &why);
    assert_int_equal(ledgers_try(s, &why), ST_INVALID);
    sign_close(&ledgers_key);
    ledgers_key = mine;
    assert_int_equal(ledgers_try(s, &why), ST_OK);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_altered, ledgers_close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(what_was_altered_is_found_and_named),
        CLAIM(hashes_that_were_made_anew_are_found),
        CLAIM(the_edge_is_looked_at_when_the_log_is_opened),
        CLAIM(a_log_keeps_its_key_and_its_name),
    };

    return cmocka_run_group_tests_name("ledger_check", tests, NULL, NULL);
}
