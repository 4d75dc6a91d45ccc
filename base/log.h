/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one JSON line per event on stderr.
 *
 *     log_info("job_done", "id=%s steps=%d ms=%.1f", id, steps, ms);
 *
 * writes {"time":"2026-11-23T06:00:00.123Z","level":"info","event":"job_done","text":"id=..."}.
 * A line is one write(2), at most LOG_LINE_MAX bytes, so lines of several threads never mix. The
 * level is the program's one mutable global.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOG_LINE_MAX   2048
#define LOG_FIELDS_MAX (LOG_LINE_MAX - 256) /* of log_fields, with a NUL */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

void log_set_level(enum log_level level);

void log_debug(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_error(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);

/* In the place of "text": members of the line's own, as JSON, such as "\"status\":200,\"ms\":1.5".
 */
void log_fields(enum log_level level, const char *event, const char *fields);

#ifdef __cplusplus
}
#endif

#endif /* BASE_LOG_H */
