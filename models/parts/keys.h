/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - the config.json of one part of a model, read as strictly as it is used.
 *
 * Every key has its default and its range where it is read; the first bad one sticks and names
 * file, key, value and range, and later reads return their defaults, so that a reader is a plain
 * list of keys that looks at `status` once at its end.
 */
#ifndef MODELS_PARTS_KEYS_H
#define MODELS_PARTS_KEYS_H

#include "base/json.h"

#define KEYS_PATH_MAX 4096

struct keys {
    struct json *root;
    const struct json *at; /* the object that is read: the root, or what was entered */
    char file[128];        /* how messages call it: "unet/config.json" */
    enum status status;
    struct why *why;
};

struct range {
    int min, max;
};

/* "folder/name" into path, KEYS_PATH_MAX bytes. ST_INVALID when it does not fit. */
MUST_USE enum status keys_path(char *path, const char *folder, const char *name, struct why *why);

/* Load folder/name, which must be an object; check c->status. Close it in any case. */
void keys_open(struct keys *c, const char *folder, const char *name, struct why *why);
void keys_close(struct keys *c);

/* From here on the keys are those of the object `key` of the root. ST_INVALID when it has none. */
void keys_enter(struct keys *c, const char *key);

/* Set the status (if none was set) with "FILE: sentence". */
void keys_fail(struct keys *c, enum status st, const char *format, ...) PRINTF_LIKE(3, 4);

/* Absent and null are the fallback. */
int keys_int(struct keys *c, const char *key, int fallback, struct range range);
double keys_real(struct keys *c, const char *key, double fallback);
bool keys_bool(struct keys *c, const char *key, bool fallback);
const char *keys_string(struct keys *c, const char *key, const char *fallback);

/* A number for all, or a list of exactly `count`. */
void keys_ints_each(struct keys *c, const char *key, int *out, int count, int fallback,
                    struct range range);

/* A list of 1 to count_max numbers; *count comes with the default's length. */
void keys_ints(struct keys *c, const char *key, int *out, int *count, int count_max,
               struct range range);

/* Strings of a list, borrowed; -1 when the key is absent. */
int keys_strings(struct keys *c, const char *key, const char **out, int count_max);

/* What limner does not do: the key must be absent, null, false, or this very string. */
void keys_refuse(struct keys *c, const char *key, const char *unless);

#endif /* MODELS_PARTS_KEYS_H */
