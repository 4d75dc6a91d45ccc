/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tokenizer.c - any bytes as a prompt of the starter model: refused when they are not UTF-8,
 * else ids that the text encoder knows. Runs in the root of the repository.
 */
#include "models/tokenizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static const struct tokenizer *tokenizer_once(void)
{
    static struct tokenizer *t; /* the process is the harness */

    if (!t)
        must(tokenizer_open(&t, "starter/tokenizer", NULL) == ST_OK);
    return t;
}

/* RFC 3629's table, written a second time. Bytes of the sequence at `at`, 0 when there is none. */
static size_t sequence(const uint8_t *at, size_t left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (n == 0 || at[0] > 0xf4 || n > left)
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (at[i] < low || at[i] > high)
            return 0;
    return n;
}

static bool is_utf8(const uint8_t *data, size_t bytes)
{
    for (size_t at = 0, n; at < bytes; at += n) {
        n = sequence(data + at, bytes - at);
        if (n == 0)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct tokenizer *t = tokenizer_once();
    int32_t ids[64];
    int wanted = 0, length = tokenizer_length(t);
    struct why why = {0};
    enum status st;

    must(length <= 64);
    st = tokenizer_encode(t, ids, (const char *)data, bytes, &wanted, &why);
    must(st == (is_utf8(data, bytes) ? ST_OK : ST_INVALID));
    if (st) {
        must(why.text[0] != '\0');
        return 0;
    }
    must(wanted >= 2 && (size_t)wanted <= 2 + 12 * bytes); /* a character may become three */
    for (int i = 0; i < length; i++)
        must(ids[i] >= 0 && ids[i] < tokenizer_vocabulary(t));
    for (int i = wanted; i < length; i++)
        must(ids[i] == ids[length - 1]);
    return 0;
}
