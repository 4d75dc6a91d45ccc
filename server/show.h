/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h - a picture on the terminal itself, where the terminal can.
 */
#ifndef SERVER_SHOW_H
#define SERVER_SHOW_H

#include "codec/encode.h"

#include <stdbool.h>
#include <stdio.h>

enum terminal {
    TERMINAL_PLAIN, /* letters only */
    TERMINAL_KITTY, /* kitty's graphics protocol: kitty, Ghostty, Konsole */
    TERMINAL_ITERM, /* iTerm2's inline images: iTerm2, WezTerm, mintty */
};

/* By what terminals say of themselves in the environment; any of them may be NULL. Inside tmux and
   screen the outer terminal is not reached. */
enum terminal show_detect(const char *term, const char *term_program, const char *kitty_window,
                          const char *konsole_version);

/* Writes the escape sequence for a PNG. ST_UNSUPPORTED on a plain terminal, ST_IO when it could
   not be written, ST_FULL without memory. */
MUST_USE enum status show_png(FILE *out, enum terminal terminal, const struct bytes *png);

#endif /* SERVER_SHOW_H */
