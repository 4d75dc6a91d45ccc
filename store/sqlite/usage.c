/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/guest.h"

#include <stdio.h>

static enum status put(struct sqlite *s, const struct store_usage *row, struct why *why)
{
    return sqlite_do(
        s, why,
        "INSERT INTO usage (tenant, day, requests, images) VALUES (?, ?, ?, ?) ON CONFLICT "
        "(tenant, day) DO UPDATE SET requests = excluded.requests, images = excluded.images",
        "siii", row->tenant, row->day, row->requests, row->images);
}

static enum status forget_before(struct sqlite *s, int64_t day, struct why *why)
{
    return sqlite_do(s, why, "DELETE FROM usage WHERE day < ?", "i", day);
}

enum status usage_put(struct store *store, const struct store_usage *rows, int count,
                      struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    for (int i = 0; i < count && !st; i++)
        st = put(s, &rows[i], why);
    if (!st && count)
        st = forget_before(s, rows[0].day - STORE_USAGE_DAYS, why);
    return sqlite_end(s, st, why);
}

static void read_row(struct store_usage *out, sqlite3_stmt *row, int64_t day)
{
    const unsigned char *tenant = sqlite3_column_text(row, 0);

    *out = (struct store_usage){.day = day,
                                .requests = sqlite3_column_int64(row, 1),
                                .images = sqlite3_column_int64(row, 2)};
    snprintf(out->tenant, sizeof(out->tenant), "%s", tenant ? (const char *)tenant : "");
}

static enum status list(struct sqlite *s, int64_t day, struct store_usage *out, int *count,
                        struct why *why)
{
    sqlite3_stmt *rows;
    enum status st = sqlite_prepare(
        s, &rows, why, "SELECT tenant, requests, images FROM usage WHERE day = ?", "i", day);
    int step = SQLITE_DONE;

    *count = 0;
    if (st)
        return st;
    while (*count < STORE_USAGE_MAX && (step = sqlite3_step(rows)) == SQLITE_ROW)
        read_row(&out[(*count)++], rows, day);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        st = sqlite_fail(s, why);
    sqlite3_finalize(rows);
    return st;
}

enum status usage_list(struct store *store, int64_t day, struct store_usage *out, int *count,
                       struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st;

    pthread_mutex_lock(&s->lock);
    st = list(s, day, out, count, why);
    pthread_mutex_unlock(&s->lock);
    return st;
}
