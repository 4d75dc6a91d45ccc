/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_line.h - what the commands share that read flags and answer on a terminal.
 *
 * A command says who it is ("limner key") with every complaint. Texts are checked for their length
 * where they are read, so that nothing is cut off silently. Flags that the server has as well are
 * passed on to config_read, which knows them better.
 */
#ifndef SERVER_COMMAND_LINE_H
#define SERVER_COMMAND_LINE_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_LINE_PASSED_MAX 8

/* Arguments for config_read. The texts stay the caller's. */
struct command_line_passed {
    char *args[COMMAND_LINE_PASSED_MAX];
    int count;
};

/* What every command takes. */
struct command_line_common {
    struct command_line_passed passed;
    bool json, help;
};

/* "COMMAND: what is wrong" as a line of stderr. Gives `code` back, the exit code. */
int command_line_complain(const char *command, const struct why *why, int code);

/* A text of at most size - 1 bytes. ST_INVALID names `what`: a flag, or a word as TENANT. */
MUST_USE enum status command_line_copy(char *out, size_t size, const char *value, const char *what,
                                       struct why *why);

/* A flag of getopt_long: 'S', 'C' and 'P' are --state, --config and --policy, 'j' is --json and 'h'
   is --help. ST_INVALID: another, or one of the first three for the second time. */
MUST_USE enum status command_line_take(struct command_line_common *c, const char *command, int flag,
                                       char *value, struct why *why);

/* Seconds since 1970; 0 is null: it never was, or never will be. */
void command_line_time(struct json_out *o, const char *key, int64_t time_s);

/* A line of stdout, and the end of `o`. The exit code: 1 when there was no memory for it. */
int command_line_print(const char *command, struct json_out *o);

#endif /* SERVER_COMMAND_LINE_H */
