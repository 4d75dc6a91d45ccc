/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench/timing.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_BYTES 32
#define MS_MAX       1e9 /* eleven days: more is no duration */

/* A piece of the header, without blanks around it. */
struct piece {
    const char *text;
    size_t bytes;
};

/* Cut the next piece that ends with `stop` off the front of *rest; a comma or semicolon between
   quotes ends nothing. False when nothing is left. */
static bool cut(struct piece *out, struct piece *rest, char stop)
{
    size_t end = 0;
    bool quoted = false;

    if (rest->bytes == 0)
        return false;
    while (end < rest->bytes && (quoted || rest->text[end] != stop)) {
        if (quoted && rest->text[end] == '\\' && end + 1 < rest->bytes)
            end++;
        else if (rest->text[end] == '"')
            quoted = !quoted;
        end++;
    }
    *out = (struct piece){rest->text, end};
    end += end < rest->bytes;
    rest->text += end;
    rest->bytes -= end;
    while (out->bytes && (*out->text == ' ' || *out->text == '\t'))
        *out = (struct piece){out->text + 1, out->bytes - 1};
    while (out->bytes && strchr(" \t\r\n", out->text[out->bytes - 1]))
        out->bytes--;
    return true;
}

double timing_number(const char *text, size_t bytes)
{
    char number[NUMBER_BYTES], *end;
    double value;

    if (bytes == 0 || bytes >= sizeof(number))
        return -1;
    memcpy(number, text, bytes);
    number[bytes] = '\0';
    if (strspn(number, "0123456789.") != bytes)
        return -1;
    value = strtod(number, &end);
    return *end || !isfinite(value) || value > MS_MAX ? -1 : value;
}

static double duration_of(struct piece rest)
{
    struct piece parameter;

    while (cut(&parameter, &rest, ';')) {
        if (parameter.bytes > 4 && !strncasecmp(parameter.text, "dur=", 4))
            return timing_number(parameter.text + 4, parameter.bytes - 4);
    }
    return -1;
}

void timing_read(float ms[LABELS_MAX], struct labels *stages, const char *text, size_t bytes)
{
    struct piece rest = {text, bytes}, entry, name;

    while (cut(&entry, &rest, ',')) {
        double took;

        if (!cut(&name, &entry, ';') || name.bytes == 0)
            continue;
        took = duration_of(entry);
        if (took >= 0)
            ms[labels_find(stages, name.text, name.bytes)] = (float)took;
    }
}
