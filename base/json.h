/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON in and out: the one room where Jansson is a guest.
 *
 * Reading is strict: one value, UTF-8, no duplicate keys, no NUL in strings, at most
 * JSON_DEPTH_MAX deep. A `struct json` is a view into a parsed document; only the root is closed.
 * The typed getters treat "absent" and "null" alike and leave *out as it was, so defaults are
 * written before reading; a value of the wrong type is ST_INVALID and names the key.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_DEPTH_MAX 64

struct json; /* one value of a document */

/* The long names, here and in json_as_*, keep clear of the guest's JSON_NULL, json_string(), ... */
enum json_type {
    JSON_TYPE_NULL,
    JSON_TYPE_BOOL,
    JSON_TYPE_INT,
    JSON_TYPE_REAL,
    JSON_TYPE_STRING,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT,
};

/* Parse exactly `bytes` bytes. *out is the root; close it. The error names line and column. */
MUST_USE enum status json_parse(struct json **out, const char *text, size_t bytes, struct why *why);

/* Parse a whole file of at most `bytes_max` bytes; the error names the path. */
MUST_USE enum status json_load(struct json **out, const char *path, size_t bytes_max,
                               struct why *why);
void json_close(struct json **root);

enum json_type json_type_of(const struct json *value); /* NULL is JSON_TYPE_NULL */
const struct json *json_get(const struct json *object, const char *key); /* NULL when absent */
size_t json_size(const struct json *value); /* of an array or object, else 0 */
const struct json *json_at(const struct json *array, size_t index); /* NULL when out of range */

/* Walk an object in file order: start with *iter == NULL; false at the end. The key is borrowed. */
bool json_next(const struct json *object, void **iter, const char **key, const struct json **value);

/* Scalars of `object`; an integer is a valid real. Strings are borrowed from the document. A NULL
   object is an absent one; a value that is no object has no members, which is ST_INVALID. */
MUST_USE enum status json_get_bool(const struct json *object, const char *key, bool *out,
                                   struct why *why);
MUST_USE enum status json_get_int(const struct json *object, const char *key, int64_t *out,
                                  struct why *why);
MUST_USE enum status json_get_real(const struct json *object, const char *key, double *out,
                                   struct why *why);
MUST_USE enum status json_get_string(const struct json *object, const char *key, const char **out,
                                     struct why *why);

/* A value by itself, when its type was already looked at. Asserts the type. */
bool json_as_bool(const struct json *value);
int64_t json_as_int(const struct json *value);
double json_as_real(const struct json *value); /* of JSON_TYPE_INT too */
const char *json_as_string(const struct json *value);
size_t json_string_bytes(const struct json *value); /* without the NUL */

/* The line, from 1, of what a JSON pointer (RFC 6901, "/categories/0/bands/hold") means in a text
   that was parsed: of a member's name, or of an element. What is not there has the line of the
   closest thing around it that is. Text that is no JSON gives some line of it. */
int json_line_of(const char *text, size_t bytes, const char *pointer);

/*
 * Writing: text grows in a buffer that the caller closes. Keys and values alternate as called;
 * commas are put by the writer, strings are escaped and checked: a broken UTF-8 sequence is written
 * as U+FFFD.
 */
struct json_out {
    char *text; /* NUL-terminated after every call; NULL before the first */
    size_t bytes, size;
    bool comma;  /* the next value needs one before it */
    bool quote;  /* a reserved string still needs its closing quote */
    bool failed; /* memory ran out: text is incomplete */
};

void json_out_object(struct json_out *o, const char *key); /* key NULL inside arrays and at root */
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o, const char *key);
void json_out_array_end(struct json_out *o);
void json_out_string(struct json_out *o, const char *key, const char *value); /* NULL: null */
void json_out_text(struct json_out *o, const char *key, const char *value);   /* "": null */
void json_out_int(struct json_out *o, const char *key, int64_t value);
void json_out_real(struct json_out *o, const char *key, double value); /* %.17g; NaN, inf: null */
void json_out_bool(struct json_out *o, const char *key, bool value);

/* Room for `bytes` bytes that the caller writes itself, as a JSON string whose content needs no
   escaping: base64. A NUL right behind them is allowed: the closing quote is put by the next call,
   and that call is also when the room stops being valid. NULL when memory ran out. */
char *json_out_reserve(struct json_out *o, const char *key, size_t bytes);
void json_out_close(struct json_out *o);

#ifdef __cplusplus
}
#endif

#endif /* BASE_JSON_H */
