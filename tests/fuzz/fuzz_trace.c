/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_trace.c - any bytes as the header traceparent. What is taken is written again the same, and
 * what is written is always taken.
 */
#include "server/trace.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + !bytes); /* exactly as long as it is: no NUL behind it */
    struct trace read = {.flags = 0}, own, again;
    char written[TRACE_TEXT_MAX];
    bool sound;

    must(text != NULL);
    memcpy(text, data, bytes);
    sound = trace_read(&read, text, bytes);
    must(sound == (read.id[0] != '\0'));
    if (sound)
        must(memcmp(read.id, text + 3, 32) == 0 && memcmp(read.parent, text + 36, 16) == 0);
    trace_take(&own, text, bytes);
    must(sound ? !strcmp(own.id, read.id) && !strcmp(own.parent, read.parent) : !own.parent[0]);
    trace_write(written, &own);
    must(strlen(written) == 55 && trace_read(&again, written, 55));
    must(!strcmp(again.id, own.id) && !strcmp(again.parent, own.span) && again.flags == own.flags);
    free(text);
    return 0;
}
