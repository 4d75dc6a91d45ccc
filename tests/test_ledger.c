/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: what was appended is found, proved and stays; what may go, goes, and the log stays
 * whole.
 */
#include "base/crypto.h"
#include "tests/fault.h"
#include "tests/ledgers.h"
#include "tests/rows.h"
#include "tests/unit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONG_MS 600000 /* no head but those that are asked for */

static void sign_now(struct ledger *l)
{
    struct why why = {""};

    rows_good(ledger_sign(l, &why), &why);
}

static void records_come_back_with_their_numbers_and_proofs(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct why why = {""};
    struct record read;

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct record r = ledgers_record(i);

        rows_good(ledger_append(l, &r, NULL, &why), &why);
        assert_int_equal(r.index, i);
        assert_true(r.time_ns > 1600000000LL * 1000000000 && r.seq > 0);
        rows_good(ledger_find(l, i, &read, &why), &why);
        assert_memory_equal(&read, &r, sizeof(r));
    }
    assert_int_equal(ledger_find(l, 300, &read, &why), ST_MISSING);
    sign_now(l);
    for (int i = 0; i < 300; i += 37)
        ledgers_proved(l, i);
    assert_int_equal(ledgers_sound(l), 300);
    ledger_close(&l);
    assert_null(l);
    l = ledgers_open(s, LONG_MS);
    ledgers_append(l, 300);
    sign_now(l);
    ledgers_proved(l, 300);
    ledgers_proved(l, 0);
    ledger_close(&l);
    store_close(&s);
}

/* ---- finding ---- */

static int searched(struct ledger *l, const struct store_search *q, int64_t first)
{
    struct store_leaf leaves[8];
    struct why why = {""};
    int count = 8;

    rows_good(ledger_search(l, q, leaves, &count, &why), &why);
    if (count)
        assert_int_equal(leaves[0].index, first);
    for (int i = 1; i < count; i++)
        assert_true(leaves[i].index < leaves[i - 1].index);
    ledger_release(leaves, count);
    return count;
}

static void records_are_found_by_what_they_say(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct record r = ledgers_record(5), read, weak = ledgers_record(50);
    uint8_t hash[32], pixels[32];
    uint64_t id = 1005;
    struct why why = {""};

    (void)state;
    for (int i = 0; i < 50; i++)
        ledgers_append(l, i);
    weak.kind = RECORD_DETECT;
    weak.mark.weak = true;
    snprintf(weak.mark.verdict, sizeof(weak.mark.verdict), "absent");
    snprintf(weak.model, sizeof(weak.model), "other");
    rows_good(ledger_append(l, &weak, NULL, &why), &why);
    assert_true(crypto_unhex(hash, 32, r.sha256, 64) &&
                crypto_unhex(pixels, 32, r.pixels_sha256, 64));
    rows_good(ledger_find_id(l, id, &read, &why), &why);
    assert_int_equal(read.index, 5);
    rows_good(ledger_find_sha256(l, hash, &read, &why), &why);
    assert_int_equal(read.index, 5);
    rows_good(ledger_find_pixels(l, pixels, &read, &why), &why);
    assert_int_equal(read.index, 5);
    pixels[31] ^= 1; /* its first bytes are the same */
    assert_int_equal(ledger_find_pixels(l, pixels, &read, &why), ST_MISSING);
    assert_int_equal(ledger_find_id(l, 1050, &read, &why), ST_MISSING); /* of another kind */

    assert_int_equal(searched(l, &(struct store_search){.kind = -1}, 50), 8);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .before = 3}, 2), 3);
    assert_int_equal(searched(l, &(struct store_search){.kind = RECORD_DETECT}, 50), 1);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .weak = true}, 50), 1);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .verdict = "absent"}, 50), 1);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .model = "other"}, 50), 1);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .decision = "dec_7"}, 7), 1);
    assert_int_equal(
        searched(l, &(struct store_search){.kind = 0, .tenant = "0000000000000003"}, 45), 7);
    assert_int_equal(searched(l,
                              &(struct store_search){.kind = -1,
                                                     .since_ns = weak.time_ns,
                                                     .until_ns = weak.time_ns + 1},
                              50),
                     1);
    assert_int_equal(searched(l, &(struct store_search){.kind = -1, .until_ns = 5}, 0), 0);
    assert_int_equal(
        searched(l, &(struct store_search){.kind = -1, .id = &id, .model = "other"}, 0), 0);
    ledger_close(&l);
    store_close(&s);
}

static void fingerprints_and_counts_are_told(void **state)
{
    static struct store_print prints[16];
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct record none = {.kind = RECORD_START};
    int64_t counts[STORE_LEAF_KINDS];
    struct why why = {""};
    int count = 16;

    (void)state;
    ledgers_append(l, 0);
    rows_good(ledger_append(l, &none, NULL, &why), &why);
    ledgers_append(l, 2);
    rows_good(s->ops->leaf_prints(s, 0, prints, &count, &why), &why);
    assert_int_equal(count, 2);
    assert_int_equal(prints[1].index, 2);
    assert_memory_equal(prints[1].fingerprint, ledgers_record(2).fingerprint, 32);
    rows_good(s->ops->leaf_counts(s, 0, counts, &why), &why);
    assert_int_equal(counts[RECORD_EMBED], 2);
    assert_int_equal(counts[RECORD_START], 1);
    rows_good(s->ops->leaf_counts(s, INT64_MAX, counts, &why), &why);
    assert_int_equal(counts[RECORD_EMBED], 0);
    ledger_close(&l);
    store_close(&s);
}

/* ---- many at once ---- */

#define CROWD 8
#define EACH  60

struct member {
    struct ledger *ledger;
    int first;
    bool seen[2 * CROWD * EACH + 1];
};

static void *append_some(void *memory)
{
    struct member *m = memory;

    for (int i = 0; i < EACH; i++) {
        struct record r = ledgers_record(m->first + i);

        if (ledger_append(m->ledger, &r, i % 5 ? NULL : "clear", NULL) ||
            r.index >= 2 * CROWD * EACH + 1)
            return m;
        m->seen[r.index] = true;
    }
    return NULL;
}

/* Two stores of one folder are as two processes. */
static void many_append_at_once_and_each_has_a_number(void **state)
{
    static struct member members[2 * CROWD];
    struct store *stores[2] = {rows_store(), rows_store()};
    struct ledger *ledgers[2] = {ledgers_open(stores[0], 5), ledgers_open(stores[1], 5)};
    pthread_t threads[2 * CROWD];
    void *failed;

    (void)state;
    memset(members, 0, sizeof(members));
    for (int i = 0; i < 2 * CROWD; i++) {
        members[i].ledger = ledgers[i / CROWD];
        members[i].first = i * EACH;
        assert_int_equal(pthread_create(&threads[i], NULL, append_some, &members[i]), 0);
    }
    for (int i = 0; i < 2 * CROWD; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int index = 0; index < 2 * CROWD * EACH; index++) {
        int owners = 0;

        for (int i = 0; i < 2 * CROWD; i++)
            owners += members[i].seen[index];
        assert_int_equal(owners, 1);
    }
    ledger_close(&ledgers[0]);
    ledger_close(&ledgers[1]);
    ledgers[0] = ledgers_open(stores[0], LONG_MS);
    assert_int_equal(ledgers_sound(ledgers[0]), 2 * CROWD * EACH);
    ledgers_proved(ledgers[0], 700);
    ledger_close(&ledgers[0]);
    store_close(&stores[0]);
    store_close(&stores[1]);
}

/* ---- heads ---- */

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static int64_t head_size(struct ledger *l)
{
    struct store_checkpoint head;

    return ledger_checkpoint(l, &head, NULL) ? -1 : head.size;
}

static void heads_are_signed_by_themselves_on_demand_and_at_the_end(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, 20);
    struct tree_proof proof;
    struct store_checkpoint three, five;
    struct why why = {""};

    (void)state;
    for (int i = 0; i < 3; i++)
        ledgers_append(l, i);
    for (int i = 0; i < 500 && head_size(l) < 3; i++)
        wait_ms(10);
    assert_int_equal(head_size(l), 3);
    ledger_close(&l);
    l = ledgers_open(s, LONG_MS);
    ledgers_append(l, 3);
    ledgers_append(l, 4);
    ledger_close(&l);
    l = ledgers_open(s, LONG_MS);
    assert_int_equal(head_size(l), 5);
    rows_good(ledger_checkpoint_at(l, 3, &three, &why), &why);
    rows_good(ledger_checkpoint_at(l, 5, &five, &why), &why);
    assert_int_equal(ledger_checkpoint_at(l, 77, &five, &why), ST_MISSING);
    rows_good(ledger_checkpoint_at(l, 5, &five, &why), &why);
    rows_good(ledger_consistency(l, 3, 5, &proof, &why), &why);
    assert_true(tree_check_consistency(3, 5, (const uint8_t(*)[32])proof.hashes, proof.count,
                                       three.root, five.root));
    ledger_close(&l);
    store_close(&s);
}

static void what_is_not_there_is_told(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    char text[CHECKPOINT_PROOF_MAX];
    uint8_t hashes[TREE_TILE][TREE_HASH];
    struct tree_proof proof;
    struct store_bytes bytes;
    struct why why = {""};

    (void)state;
    ledgers_append(l, 0);
    sign_now(l);
    ledgers_append(l, 1);
    assert_int_equal(ledger_proof(l, 1, 0, text, &why), ST_LATE);
    assert_non_null(strstr(why.text, "within seconds"));
    assert_int_equal(ledger_proof(l, -1, 0, text, &why), ST_INVALID);
    assert_int_equal(ledger_proof(l, 0, 2, text, &why), ST_MISSING);
    assert_int_equal(ledger_inclusion(l, 0, 3, &proof, &why), ST_INVALID);
    assert_int_equal(ledger_consistency(l, 1, 3, &proof, &why), ST_INVALID);
    assert_int_equal(ledger_consistency(l, 0, 2, &proof, &why), ST_INVALID);
    assert_int_equal(ledger_tile(l, 0, 0, 2, hashes, &why), ST_OK);
    assert_int_equal(ledger_tile(l, 0, 0, 3, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_tile(l, 0, 1, 1, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_tile(l, 1, 0, 1, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_tile(l, -1, 0, 1, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_tile(l, 0, INT64_MAX, 1, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_tile(l, 0, 0, 257, hashes, &why), ST_MISSING);
    assert_int_equal(ledger_bundle(l, 0, 3, &bytes, &why), ST_MISSING);
    assert_int_equal(ledger_bundle(l, -1, 1, &bytes, &why), ST_MISSING);
    rows_good(ledger_bundle(l, 0, 2, &bytes, &why), &why);
    free(bytes.data);
    ledger_close(&l);
    store_close(&s);
}

static void tiles_and_bundles_are_what_was_written(void **state)
{
    uint8_t hashes[TREE_TILE][TREE_HASH], one[TREE_HASH], root[TREE_HASH];
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct store_bytes bundle;
    const uint8_t *at;
    struct why why = {""};

    (void)state;
    for (int i = 0; i < 257; i++)
        ledgers_append(l, i);
    rows_good(ledger_tile(l, 0, 0, 256, hashes, &why), &why);
    rows_good(ledger_bundle(l, 0, 256, &bundle, &why), &why);
    at = bundle.data;
    for (int i = 0; i < 256; i++) {
        size_t bytes = (size_t)at[0] << 8 | at[1];
        struct record r;

        rows_good(record_parse(&r, (const char *)at + 2, bytes, &why), &why);
        assert_int_equal(r.index, i);
        tree_leaf(one, at + 2, bytes);
        assert_memory_equal(one, hashes[i], TREE_HASH);
        at += 2 + bytes;
    }
    assert_ptr_equal(at, (const uint8_t *)bundle.data + bundle.count);
    free(bundle.data);
    tree_root_of(root, (const uint8_t(*)[TREE_HASH])hashes, 256);
    rows_good(ledger_tile(l, 1, 0, 1, hashes, &why), &why);
    assert_memory_equal(root, hashes[0], TREE_HASH);
    ledger_close(&l);
    store_close(&s);
}

/* ---- clear texts ---- */

/* Is it anywhere in the folder's files? */
static bool on_disk(const char *text)
{
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal"};
    bool found = false;

    for (int i = 0; i < 2; i++) {
        char path[192], *bytes = malloc(16 << 20);
        FILE *file;
        size_t count;

        assert_non_null(bytes);
        snprintf(path, sizeof(path), "%s/%s", rows_folder, names[i]);
        file = fopen(path, "rb");
        count = file ? fread(bytes, 1, 16 << 20, file) : 0;
        found |= memmem(bytes, count, text, strlen(text)) != NULL;
        if (file)
            fclose(file);
        free(bytes);
    }
    return found;
}

static void a_clear_text_is_erased_and_the_log_stays_whole(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct record r = ledgers_record(0), gone = {.note = "asked for by its owner"};
    struct store_hold hold = {.name = "case 7", .first = 0, .last = 10};
    struct why why = {""};
    char *text, *most = calloc(1, STORE_CLEAR_MAX + 1);

    (void)state;
    rows_good(ledger_append(l, &r, "a prompt of somebody's", &why), &why);
    assert_int_equal(strlen(r.commitment), 64);
    rows_good(ledger_clear(l, 0, &text, &why), &why);
    assert_string_equal(text, "a prompt of somebody's");
    free(text);
    assert_true(on_disk("a prompt of somebody's"));

    rows_good(s->ops->hold_put(s, &hold, &why), &why);
    assert_int_equal(ledger_erase(l, 0, &gone, &why), ST_REFUSED);
    assert_non_null(strstr(why.text, "case 7"));
    hold.last = -1;
    rows_good(s->ops->hold_put(s, &hold, &why), &why);
    rows_good(ledger_erase(l, 0, &gone, &why), &why);
    assert_int_equal(gone.index, 1);
    assert_int_equal(gone.kind, RECORD_ERASE);
    assert_int_equal(ledger_clear(l, 0, &text, &why), ST_MISSING);
    assert_int_equal(ledger_erase(l, 0, &gone, &why), ST_MISSING);
    assert_int_equal(ledger_erase(l, 1, &gone, &why), ST_MISSING);
    assert_int_equal(ledger_erase(l, 99, &gone, &why), ST_MISSING);
    assert_false(on_disk("a prompt of somebody's"));
    assert_int_equal(ledgers_sound(l), 2);

    memset(most, 'a', STORE_CLEAR_MAX);
    assert_int_equal(ledger_append(l, &r, most, &why), ST_INVALID);
    most[STORE_CLEAR_MAX - 1] = '\0';
    rows_good(ledger_append(l, &r, most, &why), &why);
    rows_good(ledger_append(l, &r, "", &why), &why);
    rows_good(ledger_clear(l, r.index, &text, &why), &why);
    assert_string_equal(text, "");
    free(text);
    free(most);
    assert_int_equal(ledgers_sound(l), 4);
    ledger_close(&l);
    store_close(&s);
}

/* ---- retention ---- */

static void old_segments_expire_and_their_roots_stay(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct store_hold hold = {.name = "case 7", .first = 300, .last = 300};
    struct record r = ledgers_record(0), read;
    struct store_bytes bundle;
    int64_t count = -1;
    struct why why = {""};

    (void)state;
    rows_good(ledger_append(l, &r, "a prompt that expires", &why), &why);
    for (int i = 1; i < 600; i++)
        ledgers_append(l, i);
    rows_good(ledger_expire(l, 1, &count, &why), &why);
    assert_int_equal(count, 0);
    rows_good(s->ops->hold_put(s, &hold, &why), &why);
    rows_good(ledger_find(l, 599, &read, &why), &why);
    rows_good(ledger_expire(l, read.time_ns, &count, &why), &why);
    assert_int_equal(count, 256); /* the next is held, the last is not full */
    assert_int_equal(ledger_find(l, 255, &read, &why), ST_MISSING);
    assert_int_equal(ledger_find_id(l, 1001, &read, &why), ST_MISSING);
    assert_int_equal(ledger_bundle(l, 0, 256, &bundle, &why), ST_MISSING);
    rows_good(ledger_find(l, 256, &read, &why), &why);
    rows_good(ledger_find(l, 600, &read, &why), &why);
    assert_int_equal(read.kind, RECORD_RETENTION);
    assert_string_equal(read.note, "0-255");
    assert_false(on_disk("a prompt that expires"));
    assert_false(on_disk(r.sha256));
    assert_int_equal(ledgers_sound(l), 601);
    sign_now(l);
    ledgers_proved(l, 7);
    ledgers_proved(l, 600);

    hold.last = -1;
    rows_good(s->ops->hold_put(s, &hold, &why), &why);
    rows_good(ledger_find(l, 599, &read, &why), &why);
    rows_good(ledger_expire(l, read.time_ns, &count, &why), &why);
    assert_int_equal(count, 256);
    ledger_close(&l);
    l = ledgers_open(s, LONG_MS);
    assert_int_equal(ledgers_sound(l), 602);
    ledgers_proved(l, 300);
    ledger_close(&l);
    store_close(&s);
}

static void holds_are_kept_listed_and_bounded(void **state)
{
    struct store *s = rows_store();
    struct store_hold hold = {.first = 1, .last = 2, .at_ns = 3, .note = "n"}, read[2];
    struct why why = {""};
    int count = 2;

    (void)state;
    for (int i = 0; i < STORE_HOLDS_MAX; i++) {
        snprintf(hold.name, sizeof(hold.name), "case %d", i);
        rows_good(s->ops->hold_put(s, &hold, &why), &why);
    }
    snprintf(hold.name, sizeof(hold.name), "one more");
    assert_int_equal(s->ops->hold_put(s, &hold, &why), ST_FULL);
    memset(hold.name, 0, sizeof(hold.name));
    snprintf(hold.name, sizeof(hold.name), "case 0");
    hold.first = 0;
    rows_good(s->ops->hold_put(s, &hold, &why), &why);
    rows_good(s->ops->hold_list(s, read, &count, &why), &why);
    assert_int_equal(count, 2);
    assert_memory_equal(&read[0], &hold, sizeof(hold));
    store_close(&s);
}

/* ---- clocks ---- */

static int64_t told_wall, told_boot;

static int64_t tell(void *of)
{
    return *(int64_t *)of;
}

static int64_t tell_wall(void *of)
{
    (void)of;
    return tell(&told_wall);
}

static int64_t tell_boot(void *of)
{
    (void)of;
    return tell(&told_boot);
}

static void expect_clock(struct ledger *l, int64_t index, const char *note)
{
    struct record read;
    struct why why = {""};

    rows_good(ledger_find(l, index, &read, &why), &why);
    assert_int_equal(read.kind, RECORD_CLOCK);
    assert_string_equal(read.note, note);
    assert_int_equal(read.time_ns, told_wall);
}

static void a_clock_that_goes_back_or_jumps_is_written_down(void **state)
{
    const struct ledger_clock clock = {tell_wall, tell_boot, NULL};
    struct store *s = rows_store();
    const struct ledger_options o = {.store = s,
                                     .origin = LEDGERS_ORIGIN,
                                     .key = ledgers_key,
                                     .checkpoint_ms = LONG_MS,
                                     .clock = &clock};
    struct ledger *l;
    struct record read;
    struct why why = {""};

    (void)state;
    told_wall = 1764550000000000000;
    told_boot = 5000000000;
    rows_good(ledger_open(&l, &o, &why), &why);
    ledgers_append(l, 0);
    told_wall += 500;
    told_boot += 500;
    ledgers_append(l, 1);
    rows_good(ledger_find(l, 1, &read, &why), &why);
    assert_int_equal(read.time_ns, told_wall);
    assert_int_equal(read.seq, told_boot);
    told_wall -= 300;
    ledgers_append(l, 2);
    expect_clock(l, 2, "the wall clock went back by 300 ns");
    told_wall += 3000000000;
    ledgers_append(l, 3);
    expect_clock(l, 4, "the wall clock jumped by 3000000000 ns");
    ledgers_append(l, 4);
    rows_good(ledger_find(l, 6, &read, &why), &why);
    assert_int_equal(read.kind, RECORD_EMBED);
    ledger_close(&l);
    told_wall -= 1;
    rows_good(ledger_open(&l, &o, &why), &why);
    ledgers_append(l, 5);
    expect_clock(l, 7, "the wall clock went back by 1 ns");
    assert_int_equal(ledgers_sound(l), 9);
    ledger_close(&l);
    store_close(&s);
}

/* ---- refusals ---- */

static void who_has_no_key_reads_and_a_bad_record_fails_alone(void **state)
{
    struct store *s = rows_store();
    struct ledger *l = ledgers_open(s, LONG_MS);
    struct ledger_options o = {.store = s, .origin = LEDGERS_ORIGIN};
    struct record r = ledgers_record(0);
    struct why why = {""};

    (void)state;
    r.sha256[0] = 'X';
    assert_int_equal(ledger_append(l, &r, NULL, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "sha256"));
    ledgers_append(l, 1);
    ledger_close(&l);
    rows_good(ledger_open(&l, &o, &why), &why);
    r = ledgers_record(0);
    assert_int_equal(ledger_append(l, &r, NULL, &why), ST_UNSUPPORTED);
    assert_int_equal(ledger_sign(l, &why), ST_UNSUPPORTED);
    assert_int_equal(ledgers_sound(l), 1);
    ledgers_proved(l, 0);
    ledger_close(&l);
    o.origin = "no origin";
    assert_int_equal(ledger_open(&l, &o, &why), ST_INVALID);
    assert_null(l);
    store_close(&s);
}

static void no_failed_allocation_loses_a_record_that_was_promised(void **state)
{
    bool fired = true;
    int kept = 0;
    struct store *s = rows_store();
    struct ledger *l;

    (void)state;
    for (int nth = 1; fired; nth += 1 + nth / 16) { /* there are thousands */
        const struct ledger_options o = {
            .store = s, .origin = LEDGERS_ORIGIN, .key = ledgers_key, .checkpoint_ms = LONG_MS};
        struct record r = ledgers_record(nth);
        struct why why = {""};
        enum status st;

        fault_arm(nth);
        st = ledger_open(&l, &o, &why);
        if (!st)
            st = ledger_append(l, &r, "c", &why);
        kept += !st;
        ledger_close(&l);
        fault_disarm();
        if (st && !why.text[0])
            fail_msg("allocation %d: no word about it", nth);
        fired = fault_fired();
        if (!fired)
            assert_int_equal(st, ST_OK);
    }
    l = ledgers_open(s, LONG_MS);
    assert_int_equal(ledgers_sound(l), kept);
    ledger_close(&l);
    store_close(&s);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, ledgers_open_all, ledgers_close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(records_come_back_with_their_numbers_and_proofs),
        CLAIM(records_are_found_by_what_they_say),
        CLAIM(fingerprints_and_counts_are_told),
        CLAIM(many_append_at_once_and_each_has_a_number),
        CLAIM(heads_are_signed_by_themselves_on_demand_and_at_the_end),
        CLAIM(what_is_not_there_is_told),
        CLAIM(tiles_and_bundles_are_what_was_written),
        CLAIM(a_clear_text_is_erased_and_the_log_stays_whole),
        CLAIM(old_segments_expire_and_their_roots_stay),
        CLAIM(holds_are_kept_listed_and_bounded),
        CLAIM(a_clock_that_goes_back_or_jumps_is_written_down),
        CLAIM(who_has_no_key_reads_and_a_bad_record_fails_alone),
        CLAIM(no_failed_allocation_loses_a_record_that_was_promised),
    };

    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
