/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stranger.h"

#include "base/clock.h"
#include "codec/stranger/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct decoder {
    pid_t pid;
    int answer; /* where it writes */
    int64_t until_us;
};

static int64_t now_us(void)
{
    struct clock clock;

    clock_init_real(&clock);
    return clock_now_us(&clock);
}

/* Beside the running program. */
static enum status find_program(char path[PATH_MAX], struct why *why)
{
    ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX - sizeof(STRANGER_PROGRAM));
    char *slash;

    path[bytes > 0 ? bytes : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        memcpy(slash + 1, STRANGER_PROGRAM, sizeof(STRANGER_PROGRAM));
    if (!slash || access(path, X_OK) != 0)
        return why_fail(why, ST_MISSING,
                        "%s does not lie beside the program: install both into one folder",
                        STRANGER_PROGRAM);
    return ST_OK;
}

/* The bytes as a file that has no name, at its beginning. -1: no memory. */
static int open_copy(const void *file, size_t bytes)
{
    int fd = memfd_create("picture", MFD_CLOEXEC);
    const char *at = file;

    while (fd >= 0 && bytes > 0) {
        ssize_t put = write(fd, at, bytes);

        if (put <= 0) {
            close(fd);
            return -1;
        }
        at += put;
        bytes -= (size_t)put;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* With nothing of ours: no environment, no descriptors, no blocked signals. */
static int spawn(struct decoder *d, char *path, int file, int answer, size_t bytes)
{
    char count[24], *argv[] = {path, count, NULL}, *none[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t how;
    sigset_t signals;
    int trouble;

    snprintf(count, sizeof(count), "%zu", bytes);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, answer, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&how);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&how, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&how, &signals);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    trouble = posix_spawn(&d->pid, path, &actions, &how, argv, none);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&actions);
    return trouble;
}

static enum status start(struct decoder *d, const void *file, size_t bytes, struct why *why)
{
    char path[PATH_MAX];
    int pipes[2], copy, trouble;
    enum status st = find_program(path, why);

    if (st)
        return st;
    copy = open_copy(file, bytes);
    if (copy < 0)
        return why_fail(why, ST_FULL, "no memory for a copy of the file");
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        close(copy);
        return why_fail(why, ST_FULL, "no pipe to the decoder: %s", strerror(errno));
    }
    trouble = spawn(d, path, copy, pipes[1], bytes);
    close(copy);
    close(pipes[1]);
    d->answer = pipes[0];
    if (!trouble)
        return ST_OK;
    close(pipes[0]);
    return why_fail(why, ST_FULL, "no process for the decoder: %s", strerror(trouble));
}

/* All of it. ST_LATE: the time is over; ST_MISSING: it wrote less. */
static enum status take(struct decoder *d, void *to, size_t bytes)
{
    char *at = to;

    while (bytes > 0) {
        int64_t left_ms = (d->until_us - now_us()) / 1000;
        struct pollfd one = {.fd = d->answer, .events = POLLIN};
        ssize_t got;

        if (left_ms <= 0)
            return ST_LATE;
        if (poll(&one, 1, (int)left_ms) <= 0)
            continue;
        got = read(d->answer, at, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ST_MISSING;
        at += got;
        bytes -= (size_t)got;
    }
    return ST_OK;
}

static enum status take_answer(struct decoder *d, struct image *out, const struct stranger *look,
                               struct why *why)
{
    struct stranger_reply reply;
    enum status st = take(d, &reply, sizeof(reply));

    if (st)
        return st;
    reply.text[sizeof(reply.text) - 1] = '\0';
    if (reply.magic != STRANGER_MAGIC || reply.status < ST_OK || reply.status > ST_DEVICE)
        return ST_MISSING;
    if (reply.status)
        return why_fail(why, (enum status)reply.status, "%s", reply.text);
    if (reply.width != stranger_upright_width(look) ||
        reply.height != stranger_upright_height(look))
        return ST_MISSING;
    st = image_open(out, reply.width, reply.height);
    if (st)
        return why_fail(why, st, "no memory for a picture of %dx%d", reply.width, reply.height);
    return take(d, out->rgb, image_bytes(out));
}

/* It has nothing more to say, and is not asked. */
static void stop(struct decoder *d)
{
    kill(d->pid, SIGKILL);
    while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(d->answer);
}

enum status stranger_decode(struct image *out, const void *file, size_t bytes, struct why *why)
{
    struct why said = {""};
    struct stranger look;
    struct decoder d = {.until_us = now_us() + STRANGER_SECONDS * 1000000ll};
    enum status st;

    *out = (struct image){0};
    st = stranger_look(&look, file, bytes, why);
    if (!st)
        st = start(&d, file, bytes, why);
    if (st)
        return st;
    st = take_answer(&d, out, &look, &said);
    stop(&d);
    if (!st)
        return ST_OK;
    image_close(out);
    *out = (struct image){0};
    if (said.text[0])
        return why_fail(why, st, "%s", said.text);
    if (st == ST_LATE)
        return why_fail(why, ST_INVALID, "the picture takes longer than %d seconds to decode",
                        STRANGER_SECONDS);
    return why_fail(why, ST_INVALID, "the picture is damaged in a way that ended its decoder");
}
