/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trace.h"

#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

#define FLAG_SAMPLED 1
#define FLAG_RANDOM  2

#define ID_AT     3 /* where the parts stand, and how long they are */
#define ID        32
#define PARENT_AT 36
#define PARENT    16
#define FLAGS_AT  53
#define LENGTH    55

/* Lower-case only, as the standard wants it. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (digit(text[i]) < 0)
            return false;
    }
    return true;
}

static bool is_zero(const char *text, size_t bytes)
{
    return strspn(text, "0") >= bytes;
}

/* A version to come may have more behind the flags, after another hyphen; 00 ends there. */
static bool is_sound(const char *text, size_t bytes)
{
    bool first_version = bytes >= 2 && text[0] == '0' && text[1] == '0';

    if (bytes < LENGTH || !is_hex(text, 2) || (text[0] == 'f' && text[1] == 'f'))
        return false;
    if (bytes > LENGTH && (first_version || text[LENGTH] != '-'))
        return false;
    return text[ID_AT - 1] == '-' && text[PARENT_AT - 1] == '-' && text[FLAGS_AT - 1] == '-' &&
           is_hex(text + ID_AT, ID) && is_hex(text + PARENT_AT, PARENT) &&
           is_hex(text + FLAGS_AT, 2);
}

bool trace_read(struct trace *out, const char *text, size_t bytes)
{
    char id[ID + 1] = "", parent[PARENT + 1] = "";

    if (!is_sound(text, bytes))
        return false;
    memcpy(id, text + ID_AT, ID);
    memcpy(parent, text + PARENT_AT, PARENT);
    if (is_zero(id, ID) || is_zero(parent, PARENT))
        return false;
    memcpy(out->id, id, sizeof(id));
    memcpy(out->parent, parent, sizeof(parent));
    out->flags = (uint8_t)(digit(text[FLAGS_AT + 1]) & (FLAG_SAMPLED | FLAG_RANDOM));
    return true;
}

void trace_take(struct trace *out, const char *header, size_t bytes)
{
    uint8_t chance[ID / 2 + PARENT / 2];

    memset(out, 0, sizeof(*out));
    if (crypto_random(chance, sizeof(chance)))
        return;
    chance[0] |= 1; /* an id of zeros would be none */
    chance[ID / 2] |= 1;
    if (!header || !trace_read(out, header, bytes)) {
        crypto_hex(out->id, chance, ID / 2);
        out->flags = FLAG_RANDOM;
    }
    crypto_hex(out->span, chance + ID / 2, PARENT / 2);
}

void trace_write(char text[TRACE_TEXT_MAX], const struct trace *t)
{
    snprintf(text, TRACE_TEXT_MAX, "00-%s-%s-%02x", t->id, t->span, t->flags);
}
