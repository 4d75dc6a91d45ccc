/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/row.h"

#include <string.h>

struct note {
    char *name, *body; /* of STORE_NOTE_NAME_MAX and STORE_NOTE_BODY_MAX bytes */
};

static void read_note(struct row *r, void *to)
{
    struct note *note = to;

    row_text(r, note->name, STORE_NOTE_NAME_MAX);
    row_text(r, note->body, STORE_NOTE_BODY_MAX);
}

static enum status put(struct sqlite *s, const char *name, const char *body, struct why *why)
{
    if (strlen(name) >= STORE_NOTE_NAME_MAX || strlen(body) >= STORE_NOTE_BODY_MAX)
        return why_fail(why, ST_INVALID, "a note has a name of %d bytes and a body of %d at most",
                        STORE_NOTE_NAME_MAX - 1, STORE_NOTE_BODY_MAX - 1);
    if (*body)
        return sqlite_do(s, why, "INSERT OR REPLACE INTO notes (name, body) VALUES (?, ?)", "ss",
                         name, body);
    return sqlite_do(s, why, "DELETE FROM notes WHERE name = ?", "s", name);
}

enum status notes_put(struct store *store, const char *name, const char *body, struct why *why)
{
    struct sqlite *s = (struct sqlite *)store;
    enum status st = sqlite_begin(s, why);

    if (st)
        return st;
    return sqlite_end(s, put(s, name, body, why), why);
}

enum status notes_get(struct store *store, const char *name, char body[STORE_NOTE_BODY_MAX],
                      struct why *why)
{
    char same[STORE_NOTE_NAME_MAX];
    struct note note = {same, body};

    return row_find(store, read_note, &note, "there is no such note", why,
                    "SELECT name, body FROM notes WHERE name = ?", "s", name);
}

enum status notes_next(struct store *store, const char *prefix, char name[STORE_NOTE_NAME_MAX],
                       char body[STORE_NOTE_BODY_MAX], struct why *why)
{
    char after[STORE_NOTE_NAME_MAX];
    struct note note = {name, body};

    memcpy(after, name, sizeof(after));
    return row_find(store, read_note, &note, "there is no other note", why,
                    "SELECT name, body FROM notes WHERE name > ?1 AND name >= ?2 AND "
                    "substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT 1",
                    "ss", after, prefix);
}
