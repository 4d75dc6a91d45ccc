/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/escape.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct line {
    char text[LOG_LINE_MAX];
    size_t bytes;
};

static const char line_end[] = "\"}\n";
static const char *const names[] = {"debug", "info", "warn", "error"};

static atomic_int level_min = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&level_min, (int)level);
}

/* Append escaped text, as many whole characters as leave room for the end of the line. */
static void line_add(struct line *line, const char *text)
{
    const char *end = text + strlen(text);
    size_t size = sizeof(line->text) - (sizeof(line_end) - 1);

    while (text < end) {
        char one[ESCAPE_MAX];
        size_t bytes = escape_json(one, &text, end);

        if (bytes > size - line->bytes)
            return;
        memcpy(line->text + line->bytes, one, bytes);
        line->bytes += bytes;
    }
}

static void line_start(struct line *line, const char *level)
{
    struct timespec now;
    struct tm utc;
    size_t bytes;
    int more;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    bytes = strftime(line->text, sizeof(line->text), "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    more = snprintf(line->text + bytes, sizeof(line->text) - bytes,
                    ".%03dZ\",\"level\":\"%s\",\"event\":\"", (int)(now.tv_nsec / 1000000), level);
    line->bytes = bytes + (size_t)more;
}

/* A line is far shorter than a pipe's atomic write, so one write is all of it or nothing. */
static void line_write(struct line *line)
{
    while (write(STDERR_FILENO, line->text, line->bytes) < 0 && errno == EINTR)
        continue;
}

static bool is_told(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_min, memory_order_relaxed);
}

/* As it is; there is room. */
static void line_append(struct line *line, const char *text)
{
    size_t bytes = strlen(text);

    assert(bytes <= sizeof(line->text) - line->bytes);
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

void log_fields(enum log_level level, const char *event, const char *fields)
{
    int errno_before = errno;
    struct line line;

    assert(strlen(event) < 64 && strlen(fields) < LOG_FIELDS_MAX);
    if (!is_told(level))
        return;
    line_start(&line, names[level]);
    line_append(&line, event);
    line_append(&line, "\",");
    line_append(&line, fields);
    line_append(&line, "}\n");
    line_write(&line);
    errno = errno_before;
}

static void log_line(enum log_level level, const char *event, const char *format, va_list args)
{
    int errno_before = errno; /* logging a failure must not change what failed */
    char text[LOG_LINE_MAX], short_event[64];
    struct line line;

    if (!is_told(level))
        return;
    vsnprintf(text, sizeof(text), format, args);
    snprintf(short_event, sizeof(short_event), "%s", event); /* leaves the text its room */

    line_start(&line, names[level]);
    line_add(&line, short_event);
    line_append(&line, "\",\"text\":\"");
    line_add(&line, text);
    line_append(&line, line_end);
    line_write(&line);
    errno = errno_before;
}

void log_debug(const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line(LOG_DEBUG, event, format, args);
    va_end(args);
}

void log_info(const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line(LOG_INFO, event, format, args);
    va_end(args);
}

void log_warn(const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line(LOG_WARN, event, format, args);
    va_end(args);
}

void log_error(const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line(LOG_ERROR, event, format, args);
    va_end(args);
}
