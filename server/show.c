/* SPDX-License-Identifier: Apache-2.0 */
#include "server/show.h"

#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define KITTY_CHUNK 4096 /* characters of base64 per sequence, as its protocol wants */

static bool is(const char *value, const char *word)
{
    return value && !strcmp(value, word);
}

static bool begins(const char *value, const char *word)
{
    return value && !strncmp(value, word, strlen(word));
}

enum terminal show_detect(const char *term, const char *term_program, const char *kitty_window,
                          const char *konsole_version)
{
    if (begins(term, "tmux") || begins(term, "screen") || is(term, "dumb"))
        return TERMINAL_PLAIN;
    if (kitty_window || is(term, "xterm-kitty") || is(term, "xterm-ghostty") ||
        is(term_program, "ghostty") || konsole_version)
        return TERMINAL_KITTY;
    if (is(term_program, "iTerm.app") || is(term_program, "WezTerm") || is(term_program, "mintty"))
        return TERMINAL_ITERM;
    return TERMINAL_PLAIN;
}

static void write_kitty(FILE *out, const char *base64, size_t length)
{
    for (size_t at = 0; at < length; at += KITTY_CHUNK) {
        size_t chunk = length - at < KITTY_CHUNK ? length - at : KITTY_CHUNK;
        bool more = at + chunk < length;

        fprintf(out, "\033_G%sm=%d;%.*s\033\\", at ? "" : "a=T,f=100,", more, (int)chunk,
                base64 + at);
    }
    fputc('\n', out);
}

static void write_iterm(FILE *out, const char *base64, size_t bytes)
{
    fprintf(out, "\033]1337;File=inline=1;size=%zu:%s\a\n", bytes, base64);
}

enum status show_png(FILE *out, enum terminal terminal, const struct bytes *png)
{
    size_t length = crypto_base64_length(png->count);
    char *base64;

    if (terminal == TERMINAL_PLAIN)
        return ST_UNSUPPORTED;
    base64 = malloc(length + 1);
    if (!base64)
        return ST_FULL;
    crypto_base64_encode(base64, png->data, png->count);
    if (terminal == TERMINAL_KITTY)
        write_kitty(out, base64, length);
    else
        write_iterm(out, base64, png->count);
    free(base64);
    return fflush(out) || ferror(out) ? ST_IO : ST_OK;
}
