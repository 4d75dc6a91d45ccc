/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_plan_store.c - any bytes as a plan store's file, and as a record. NULs part the input into
 * the file, the same again as lines that want their checksums, a key and a value: what can be put
 * is found.
 */
#include "kernels/cuda/plan_store.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

/* The next part of the input, up to a NUL, as a string of its own. */
static char *part(const uint8_t **data, size_t *bytes)
{
    const uint8_t *stop = *bytes ? memchr(*data, '\0', *bytes) : NULL;
    size_t length = stop ? (size_t)(stop - *data) : *bytes;
    char *text = strndup((const char *)*data, length);

    must(text != NULL);
    length += stop != NULL;
    *data += length;
    *bytes -= length;
    return text;
}

/* As the file has it, so that mutation gets past the checksum. */
static uint32_t checksum(const char *text, size_t bytes)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < bytes; i++)
        sum = (sum ^ (unsigned char)text[i]) * 16777619u;
    return sum;
}

static void read_lines(struct plan_store *s, const char *lines)
{
    size_t size = strlen(lines) * 10 + 64, used;
    char *text = malloc(size);

    must(text != NULL);
    used = (size_t)snprintf(text, size, "limner-plans 1\n");
    while (*lines) {
        size_t length = strcspn(lines, "\n");

        used += (size_t)snprintf(text + used, size - used, "%08" PRIx32 "\t%.*s\n",
                                 checksum(lines, length), (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
    must(used < size);
    must(plan_store_read(s, text, used) >= 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct plan_store_machine machine = {"GPU", 90, 13000};
    char *file = part(&data, &bytes), *lines = part(&data, &bytes), *key = part(&data, &bytes);
    char *value = part(&data, &bytes);
    struct plan_store_record record = {
        .room = "cudnn", .library = 91900, .key = key, .value = value, .us = 1};
    struct plan_store *s;

    must(plan_store_open(&s, "/nonexistent/plans", &machine, NULL) == ST_OK);
    must(plan_store_read(s, file, strlen(file)) >= 0);
    read_lines(s, lines);
    must(plan_store_count(s) <= PLAN_STORE_RECORDS_MAX);
    if (plan_store_put(s, &record, NULL) == ST_OK) {
        const char *found = plan_store_find(s, "cudnn", 91900, key);
        must(found && !strcmp(found, value));
    }
    plan_store_close(&s);
    free(file);
    free(lines);
    free(key);
    free(value);
    return 0;
}
