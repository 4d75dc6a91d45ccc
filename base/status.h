/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - how things end, in one word for code and one sentence for people.
 *
 * A function that can fail because of the world returns `enum status`. The words for a human are
 * written once, where the trouble is seen, into a `struct why` that belongs to whoever cares:
 *
 *     if (bytes < 8)
 *         return why_fail(why, ST_INVALID, "file is %zu bytes, a header needs 8", bytes);
 *
 * A promise that our own code broke is not a status: it asserts.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define MUST_USE                 __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum status {
    ST_OK = 0,
    ST_INVALID,     /* the input is wrong; saying it again will not help */
    ST_MISSING,     /* no such file, tensor, model, path */
    ST_UNSUPPORTED, /* well-formed, but not something limner can do */
    ST_FULL,        /* a bound was reached: memory, queue, pool; later may work */
    ST_IO,          /* the file system or network said no */
    ST_CANCELLED,   /* nobody waits for the result any more */
    ST_LATE,        /* the deadline has passed, or could not be met */
    ST_REFUSED,     /* allowed to say no, and said no */
    ST_DEVICE,      /* the device makes no sense any more; drain and restart */
};

struct why {
    char text[512]; /* one sentence in UTF-8, no full stop, empty when nothing went wrong */
};

/* Write the sentence (cut to fit) and hand back `st`, so that failing is one line. why may be NULL.
 */
enum status why_fail(struct why *why, enum status st, const char *format, ...) PRINTF_LIKE(3, 4);

/* "ok", "invalid", ... for logs. */
const char *status_name(enum status st);

#ifdef __cplusplus
}
#endif

#endif /* BASE_STATUS_H */
