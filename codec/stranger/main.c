/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limner-decode - one stranger's picture, from descriptor 0 to pixels on descriptor 1. For limner
 * alone; see stranger.h.
 */
#include "codec/stranger/lock.h"
#include "codec/stranger/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void send(const void *data, size_t bytes)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t sent = write(STDOUT_FILENO, at, bytes);

        if (sent <= 0)
            _exit(EXIT_FAILURE);
        at += sent;
        bytes -= (size_t)sent;
    }
}

static _Noreturn void fail(enum status st, const char *text)
{
    struct stranger_reply reply = {.magic = STRANGER_MAGIC, .status = (int32_t)st};

    memcpy(reply.text, text, strnlen(text, sizeof(reply.text) - 1));
    send(&reply, sizeof(reply));
    _exit(EXIT_SUCCESS);
}

static uint8_t *take(size_t bytes)
{
    uint8_t *file = malloc(bytes);
    size_t got = 0;

    if (!file)
        fail(ST_FULL, "no memory for the file");
    while (got < bytes) {
        ssize_t more = read(STDIN_FILENO, file + got, bytes - got);

        if (more <= 0)
            fail(ST_IO, "the file did not arrive");
        got += (size_t)more;
    }
    return file;
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct stranger_reply reply = {.magic = STRANGER_MAGIC};
    struct stranger_bytes file = {NULL, bytes};
    struct stranger_pixels pixels;
    struct stranger look;
    struct why why = {""};
    enum status st;
    uint8_t *row;

    if (!bytes || bytes > STRANGER_BYTES_MAX) {
        fputs("limner-decode is a part of limner, which runs it itself\n", stderr);
        return EXIT_FAILURE;
    }
    if (!lock_self())
        fail(ST_UNSUPPORTED, "this system cannot lock up the decoder of pictures (seccomp)");
    file.data = take(bytes);
    st = stranger_look(&look, file.data, bytes, &why);
    if (!st)
        st = stranger_pixels(&pixels, &look, file, &why);
    if (st)
        fail(st, why.text);
    reply.width = stranger_upright_width(&look);
    reply.height = stranger_upright_height(&look);
    row = malloc((size_t)reply.width * 3);
    if (!row)
        fail(ST_FULL, "no memory for a row");
    send(&reply, sizeof(reply));
    for (int y = 0; y < reply.height; y++) {
        stranger_row(row, y, &look, &pixels);
        send(row, (size_t)reply.width * 3);
    }
    _exit(EXIT_SUCCESS);
}
