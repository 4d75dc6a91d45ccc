/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/plans.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAX (1 << 20)
#define VALUE_MAX (1 << 30)

void plan_engine_write(char text[PLAN_ENGINE_MAX], const struct plan_engine *engine)
{
    int used = snprintf(text, PLAN_ENGINE_MAX, "%" PRId64 "%s", engine->index,
                        engine->compiled ? "c" : "");

    for (int i = 0; i < engine->knobs && used < PLAN_ENGINE_MAX; i++)
        used += snprintf(text + used, (size_t)(PLAN_ENGINE_MAX - used), "%c%" PRId64 "=%" PRId64,
                         i ? ',' : ':', engine->knob[i].type, engine->knob[i].value);
}

/* A number from least to most, written as a program writes it. */
static bool read_number(const char **text, int64_t most, int64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return !errno && *out <= most;
}

enum status plan_engine_read(struct plan_engine *engine, const char *text)
{
    memset(engine, 0, sizeof(*engine));
    if (!read_number(&text, INDEX_MAX, &engine->index))
        return ST_INVALID;
    if (*text == 'c') {
        engine->compiled = true;
        text++;
    }
    for (char before = ':'; *text == before && engine->knobs < PLAN_KNOBS_MAX; before = ',') {
        struct plan_knob *knob = &engine->knob[engine->knobs++];

        text++;
        if (!read_number(&text, INDEX_MAX, &knob->type) || *text++ != '=' ||
            !read_number(&text, VALUE_MAX, &knob->value))
            return ST_INVALID;
    }
    return *text ? ST_INVALID : ST_OK;
}
