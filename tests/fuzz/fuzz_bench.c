/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_bench.c - any bytes as what the load generator reads by hand: a trace, fields of a mix, the
 * header Server-Timing. The first byte says which.
 */
#include "server/bench/arrivals.h"
#include "server/bench/timing.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool right)
{
    if (!right)
        abort();
}

static void read_trace(const char *text, size_t bytes)
{
    const struct arrivals_options options = {.warmup_us = 1000, .seed = 1};
    struct mix mix = {.count = 2};
    struct arrivals a;
    struct why why = {""};

    mix.kind[0].name[0] = 'a';
    mix.kind[1].name[0] = 'b';
    if (arrivals_trace(&a, text, bytes, &options, &mix, &why)) {
        must(!a.of && why.text[0]);
        return;
    }
    for (size_t i = 0; i < a.count; i++) {
        must(a.of[i].kind >= 0 && a.of[i].kind < 2 && a.of[i].at_us >= 0);
        must(!i || a.of[i - 1].at_us <= a.of[i].at_us);
    }
    arrivals_close(&a);
}

static void read_mix(const char *text)
{
    struct mix mix = {.count = 0};
    struct why why = {""};
    struct json_out body = {0};

    if (mix_add(&mix, text, &why)) {
        must(mix.count == 0 && why.text[0]);
        return;
    }
    mix_body(&body, &mix.kind[0], 1);
    json_out_close(&body);
}

static void read_timing(const char *text, size_t bytes)
{
    struct labels stages = {.count = 0};
    float ms[LABELS_MAX] = {0};

    timing_read(ms, &stages, text, bytes);
    for (int i = 0; i < LABELS_MAX; i++)
        must(ms[i] >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text;

    if (bytes == 0)
        return 0;
    text = malloc(bytes); /* exactly as long as it is, and a NUL */
    must(text != NULL);
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = '\0';
    if (data[0] == 't')
        read_trace(text, bytes - 1);
    else if (data[0] == 'm')
        read_mix(text);
    else
        read_timing(text, bytes - 1);
    free(text);
    return 0;
}
