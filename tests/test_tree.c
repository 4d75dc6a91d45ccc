/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree against a plain model that splits as RFC 9162 says, over all sizes to 300 and some
 * around whole tiles; and the roots of RFC 6962's own example.
 */
#include "base/crypto.h"
#include "tests/unit.h"
#include "watermark/tree.h"

#include <stdlib.h>
#include <string.h>

#define SIZES 300
#define LARGE 66000 /* more than 256 tiles */

typedef uint8_t hash[TREE_HASH];

static hash leaves[LARGE];

/* What the store keeps: all full tiles, and the last of each level. */
static struct kept {
    struct tree edge;
    hash level0[LARGE], level1[LARGE / TREE_TILE + 1], level2[2];
    int fulls;
} kept;

static void keep_full(void *to, int level, int64_t number, const uint8_t (*hashes)[TREE_HASH])
{
    struct kept *k = to;
    hash *rows = level == 0 ? k->level0 : k->level1;

    assert_in_range(level, 0, 1);
    memcpy(rows[number * TREE_TILE], hashes, TREE_TILE * TREE_HASH);
    k->fulls++;
}

static int fail_at; /* the nth read from now on; 0: none */

static enum status read_kept(void *from, int level, int64_t number, int count,
                             uint8_t (*out)[TREE_HASH], struct why *why)
{
    struct kept *k = from;
    hash *rows[] = {k->level0, k->level1, k->level2};

    assert_in_range(level, 0, 2);
    assert_in_range(count, 1, TREE_TILE);
    if (fail_at && !--fail_at)
        return why_fail(why, ST_IO, "as told");
    if (number == k->edge.size >> (8 * (level + 1))) {
        assert_true(count <= tree_tile_count(&k->edge, level));
        memcpy(out, k->edge.tile[level], (size_t)count * TREE_HASH);
    } else {
        memcpy(out, rows[level][number * TREE_TILE], (size_t)count * TREE_HASH);
    }
    return ST_OK;
}

/* ---- the model ---- */

static int half(int n)
{
    int k = 1;

    while (k * 2 < n)
        k *= 2;
    return k;
}

static void model_root(uint8_t out[TREE_HASH], int a, int b)
{
    hash left, right;

    if (a == b) {
        crypto_sha256(out, "", 0);
    } else if (b - a == 1) {
        memcpy(out, leaves[a], TREE_HASH);
    } else {
        model_root(left, a, a + half(b - a));
        model_root(right, a + half(b - a), b);
        tree_node(out, left, right);
    }
}

static int model_path(hash *out, int m, int a, int b)
{
    int k = half(b - a), count;

    if (b - a == 1)
        return 0;
    count = m < k ? model_path(out, m, a, a + k) : model_path(out, m - k, a + k, b);
    if (m < k)
        model_root(out[count], a + k, b);
    else
        model_root(out[count], a, a + k);
    return count + 1;
}

static int model_subproof(hash *out, int m, int a, int b, bool whole)
{
    int k = half(b - a), count;

    if (m == b - a) {
        if (!whole)
            model_root(out[0], a, b);
        return !whole;
    }
    if (m <= k) {
        count = model_subproof(out, m, a, a + k, whole);
        model_root(out[count], a + k, b);
    } else {
        count = model_subproof(out, m - k, a + k, b, false);
        model_root(out[count], a, a + k);
    }
    return count + 1;
}

/* ---- */

static void append(int upto)
{
    while (kept.edge.size < upto)
        tree_append(&kept.edge, leaves[kept.edge.size], keep_full, &kept);
}

static int open_tree(void **state)
{
    (void)state;
    memset(&kept, 0, sizeof(kept));
    fail_at = 0;
    for (int i = 0; i < LARGE; i++)
        tree_leaf(leaves[i], &i, sizeof(i));
    return 0;
}

static void expect_hex(const hash h, const char *hex)
{
    char text[65];

    crypto_hex(text, h, TREE_HASH);
    assert_string_equal(text, hex);
}

/* The eight inputs of RFC 6962's reference implementation, and their roots. */
static void known_roots(void **state)
{
    static const char *const inputs[8] = {"",
                                          "00",
                                          "10",
                                          "2021",
                                          "3031",
                                          "40414243",
                                          "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[9] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    hash root, leaf;

    (void)state;
    tree_init(&kept.edge);
    for (int i = 0; i <= 8; i++) {
        uint8_t input[16];

        tree_root(&kept.edge, root);
        expect_hex(root, roots[i]);
        if (i == 8)
            break;
        assert_true(crypto_unhex(input, strlen(inputs[i]) / 2, inputs[i], strlen(inputs[i])));
        tree_leaf(leaf, input, strlen(inputs[i]) / 2);
        tree_append(&kept.edge, leaf, keep_full, &kept);
    }
}

static void roots_are_the_models(void **state)
{
    hash root, model;

    (void)state;
    for (int n = 0; n <= SIZES; n++) {
        append(n);
        tree_root(&kept.edge, root);
        model_root(model, 0, n);
        assert_memory_equal(root, model, TREE_HASH);
        assert_int_equal(tree_root_at(root, n / 2, read_kept, &kept, NULL), ST_OK);
        model_root(model, 0, n / 2);
        assert_memory_equal(root, model, TREE_HASH);
    }
    assert_int_equal(kept.fulls, 1);
}

/* ---- proofs ---- */

static void expect_inclusion(int m, int n)
{
    struct tree_proof proof;
    hash model[TREE_PROOF_MAX], root;
    int count = model_path(model, m, 0, n);

    assert_int_equal(tree_inclusion(&proof, m, n, read_kept, &kept, NULL), ST_OK);
    assert_int_equal(proof.count, count);
    assert_memory_equal(proof.hashes, model, (size_t)count * TREE_HASH);
    model_root(root, 0, n);
    assert_true(tree_check_inclusion(leaves[m], m, n, proof.hashes, count, root));
    if (m != n - 1)
        assert_false(tree_check_inclusion(leaves[m], m + 1, n, proof.hashes, count, root));
    if (m)
        assert_false(tree_check_inclusion(leaves[m], m - 1, n, proof.hashes, count, root));
    assert_false(tree_check_inclusion(leaves[m + 1], m, n, proof.hashes, count, root));
    if (count)
        assert_false(tree_check_inclusion(leaves[m], m, n, proof.hashes, count - 1, root));
    assert_false(tree_check_inclusion(leaves[m], m, n, proof.hashes, count + 1, root));
    for (int i = 0; i < count; i++) {
        proof.hashes[i][i] ^= 1;
        assert_false(tree_check_inclusion(leaves[m], m, n, proof.hashes, count, root));
        proof.hashes[i][i] ^= 1;
    }
}

static void inclusion_is_proved_for_every_record_of_every_size(void **state)
{
    (void)state;
    append(SIZES + 1);
    for (int n = 1; n <= SIZES; n += n < 40 ? 1 : 7)
        for (int m = 0; m < n; m++)
            expect_inclusion(m, n);
}

static void expect_consistency(int m, int n)
{
    struct tree_proof proof;
    hash model[TREE_PROOF_MAX], older, newer;
    int count = model_subproof(model, m, 0, n, true);

    assert_int_equal(tree_consistency(&proof, m, n, read_kept, &kept, NULL), ST_OK);
    assert_int_equal(proof.count, count);
    assert_memory_equal(proof.hashes, model, (size_t)count * TREE_HASH);
    model_root(older, 0, m);
    model_root(newer, 0, n);
    assert_true(tree_check_consistency(m, n, proof.hashes, count, older, newer));
    assert_false(tree_check_consistency(m, n, proof.hashes, count + 1, older, newer));
    if (count)
        assert_false(tree_check_consistency(m, n, proof.hashes, count - 1, older, newer));
    if (m != n) {
        assert_false(tree_check_consistency(m, n, proof.hashes, count, newer, newer));
        assert_false(tree_check_consistency(m, n, proof.hashes, count, older, older));
    }
    for (int i = 0; i < count; i++) {
        proof.hashes[i][i] ^= 1;
        assert_false(tree_check_consistency(m, n, proof.hashes, count, older, newer));
        proof.hashes[i][i] ^= 1;
    }
}

static void every_tree_is_proved_to_begin_every_larger_one(void **state)
{
    (void)state;
    append(SIZES);
    for (int n = 1; n <= SIZES; n += n < 40 ? 1 : 11)
        for (int m = 1; m <= n; m++)
            expect_consistency(m, n);
}

/* Goal: three levels of tiles, and sizes around whole ones. */
static void large_trees_are_proved_as_well(void **state)
{
    static const int sizes[] = {255, 256, 257, 511, 512, 513, 65280, 65535, 65536, 65537, 65999};
    const int count = (int)(sizeof(sizes) / sizeof(sizes[0]));
    hash root, model;

    (void)state;
    append(LARGE);
    assert_int_equal(kept.fulls, LARGE / TREE_TILE + 1);
    tree_root(&kept.edge, root);
    model_root(model, 0, LARGE);
    assert_memory_equal(root, model, TREE_HASH);
    for (int i = 0; i < count; i++) {
        expect_inclusion(0, sizes[i]);
        expect_inclusion(sizes[i] / 3, sizes[i]);
        expect_inclusion(sizes[i] - 1, sizes[i]);
        for (int j = 0; j <= i; j++)
            expect_consistency(sizes[j], sizes[i]);
    }
}

static void an_edge_that_was_read_again_goes_on_as_before(void **state)
{
    static const int sizes[] = {0, 1, 255, 256, 300, 65536, 65600};
    struct tree again;
    hash root, model;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        append(sizes[i]);
        assert_int_equal(tree_load(&again, sizes[i], read_kept, &kept, NULL), ST_OK);
        kept.edge = again;
        append(sizes[i] + 3);
        tree_root(&kept.edge, root);
        model_root(model, 0, sizes[i] + 3);
        assert_memory_equal(root, model, TREE_HASH);
    }
}

/* ---- bad input ---- */

static void what_is_no_proof_is_refused(void **state)
{
    struct tree_proof proof;
    hash zero[2] = {{0}};
    struct why why = {""};

    (void)state;
    append(10);
    assert_int_equal(tree_inclusion(&proof, 10, 10, read_kept, &kept, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "no record 10"));
    assert_int_equal(tree_inclusion(&proof, -1, 10, read_kept, &kept, &why), ST_INVALID);
    assert_int_equal(tree_consistency(&proof, 0, 10, read_kept, &kept, &why), ST_INVALID);
    assert_int_equal(tree_consistency(&proof, 11, 10, read_kept, &kept, &why), ST_INVALID);
    assert_false(tree_check_inclusion(zero[0], -1, 1, NULL, 0, zero[0]));
    assert_false(tree_check_inclusion(zero[0], 0, 0, NULL, 0, zero[0]));
    assert_false(tree_check_inclusion(zero[0], INT64_MAX, INT64_MAX, NULL, 0, zero[0]));
    assert_false(tree_check_consistency(0, 1, NULL, 0, zero[0], zero[0]));
    assert_false(tree_check_consistency(INT64_MIN, 1, NULL, 0, zero[0], zero[0]));
    assert_false(tree_check_consistency(1, INT64_MAX, zero, 1, zero[0], zero[0]));
}

static void a_tile_that_cannot_be_read_ends_the_proof(void **state)
{
    struct tree_proof proof;
    struct why why = {""};
    bool failed = true;
    int reads = 0;

    (void)state;
    append(LARGE);
    for (; failed; reads++) {
        fail_at = reads + 1;
        failed = tree_consistency(&proof, 700, LARGE, read_kept, &kept, &why) == ST_IO;
    }
    assert_true(reads > 3);
    fail_at = 1;
    assert_int_equal(tree_inclusion(&proof, 700, LARGE, read_kept, &kept, &why), ST_IO);
    fail_at = 1;
    assert_int_equal(tree_load(&kept.edge, LARGE, read_kept, &kept, &why), ST_IO);
}

#define CLAIM(name) cmocka_unit_test_setup(name, open_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(known_roots),
        CLAIM(roots_are_the_models),
        CLAIM(inclusion_is_proved_for_every_record_of_every_size),
        CLAIM(every_tree_is_proved_to_begin_every_larger_one),
        CLAIM(large_trees_are_proved_as_well),
        CLAIM(an_edge_that_was_read_again_goes_on_as_before),
        CLAIM(what_is_no_proof_is_refused),
        CLAIM(a_tile_that_cannot_be_read_ends_the_proof),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
