/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/export.h"

#include "watermark/layout.h"
#include "watermark/sink.h"

#include <stdlib.h>
#include <string.h>

static enum status put_tiles(struct sink *s, struct ledger *l, int64_t size, struct why *why)
{
    uint8_t hashes[TREE_TILE][TREE_HASH];
    char name[LAYOUT_PATH_MAX];
    int width;

    for (int level = 0; level < TREE_LEVELS; level++) {
        for (int64_t n = 0; (width = layout_width(size, level, n)) > 0; n++) {
            enum status st = ledger_tile(l, level, n, width, hashes, why);

            layout_path(name, level, n, width);
            if (!st)
                st = sink_put(s, name, hashes, (size_t)width * TREE_HASH, why);
            if (st)
                return st;
        }
    }
    return ST_OK;
}

static enum status put_records(struct sink *s, struct ledger *l, int64_t size, int64_t *expired,
                               struct why *why)
{
    char name[LAYOUT_PATH_MAX];
    int width;

    for (int64_t n = 0; (width = layout_width(size, 0, n)) > 0; n++) {
        struct store_bytes bundle;
        enum status st = ledger_bundle(l, n, width, &bundle, why);

        layout_path(name, LAYOUT_RECORDS, n, width);
        if (!st)
            st = sink_put(s, name, bundle.data, bundle.count, why);
        else if (st == ST_MISSING && width == TREE_TILE) {
            *expired += TREE_TILE;
            continue;
        }
        free(bundle.data);
        if (st)
            return st;
    }
    return ST_OK;
}

enum status export_write(struct ledger *l, const uint8_t key[CHECKPOINT_PUBLIC], const char *path,
                         struct export_done *out, struct why *why)
{
    char vkey[CHECKPOINT_VKEY_MAX + 1];
    struct checkpoint c;
    struct sink s;
    enum status st;

    out->expired = 0;
    st = ledger_checkpoint(l, &out->head, why);
    if (!st)
        st = checkpoint_parse(&c, out->head.note, strlen(out->head.note), why);
    if (!st)
        st = sink_open(&s, path, out->head.time_ns / 1000000000, why);
    if (st)
        return st;
    checkpoint_vkey(vkey, c.origin, key);
    strcat(vkey, "\n");
    st = sink_put(&s, "checkpoint", out->head.note, strlen(out->head.note), why);
    if (!st)
        st = sink_put(&s, "key", vkey, strlen(vkey), why);
    if (!st)
        st = put_tiles(&s, l, c.size, why);
    if (!st)
        st = put_records(&s, l, c.size, &out->expired, why);
    return sink_close(&s, st, why);
}
