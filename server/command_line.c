/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command_line.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int command_line_complain(const char *command, const struct why *why, int code)
{
    fprintf(stderr, "%s: %s\n", command, why->text);
    return code;
}

enum status command_line_copy(char *out, size_t size, const char *value, const char *what,
                              struct why *why)
{
    if (strlen(value) >= size)
        return why_fail(why, ST_INVALID, "%s takes up to %zu bytes", what, size - 1);
    memcpy(out, value, strlen(value) + 1);
    return ST_OK;
}

static enum status pass_on(struct command_line_passed *p, char *flag, char *value, struct why *why)
{
    for (int i = 0; i < p->count; i += 2) {
        if (!strcmp(p->args[i], flag))
            return why_fail(why, ST_INVALID, "%s may be said once", flag);
    }
    assert(p->count + 2 <= COMMAND_LINE_PASSED_MAX);
    p->args[p->count++] = flag;
    p->args[p->count++] = value;
    return ST_OK;
}

enum status command_line_take(struct command_line_common *c, const char *command, int flag,
                              char *value, struct why *why)
{
    switch (flag) {
    case 'S':
        return pass_on(&c->passed, "--state", value, why);
    case 'C':
        return pass_on(&c->passed, "--config", value, why);
    case 'P':
        return pass_on(&c->passed, "--policy", value, why);
    case 'j':
        c->json = true;
        return ST_OK;
    case 'h':
        c->help = true;
        return ST_OK;
    default:
        return why_fail(why, ST_INVALID, "%s --help says what there is", command);
    }
}

void command_line_time(struct json_out *o, const char *key, int64_t time_s)
{
    if (time_s)
        json_out_int(o, key, time_s);
    else
        json_out_string(o, key, NULL);
}

int command_line_print(const char *command, struct json_out *o)
{
    struct why why = {"out of memory"};
    int code = 0;

    if (o->failed)
        code = command_line_complain(command, &why, 1);
    else
        puts(o->text);
    json_out_close(o);
    return code;
}
