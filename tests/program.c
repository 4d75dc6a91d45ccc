/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/program.h"

#include "tests/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MS 60000

void program_sleep_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* limner lies beside the test that runs. */
static void find_program(char *path, size_t bytes)
{
    char self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    assert_true(length > 0);
    self[length] = '\0';
    slash = strrchr(self, '/');
    *slash = '\0';
    snprintf(path, bytes, "%s/limner", self);
    if (access(path, X_OK))
        fail_msg("%s is not built", path);
}

void program_start(struct program *p, const char *const *args)
{
    char path[600], *argv[PROGRAM_ARGS_MAX + 2] = {path};
    int fd;

    find_program(path, sizeof(path));
    for (int i = 0; args[i]; i++) {
        assert_true(i < PROGRAM_ARGS_MAX);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    *p = (struct program){.pid = -1};
    snprintf(p->output, sizeof(p->output), "%s/limner-output.XXXXXX", P_tmpdir);
    fd = mkostemp(p->output, O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        setenv("LIMNER_POLICY", "tests/policies/open.json", 0); /* tiny models make noise */
        setenv("LIMNER_MARKS", "off", 0); /* and pictures too small for a mark */
        setenv("LSAN_OPTIONS", "suppressions=tests/lsan.supp:print_suppressions=0", 0);
        execv(path, argv);
        _exit(127);
    }
    close(fd);
}

void program_read(const struct program *p, char *text, size_t bytes)
{
    FILE *file = fopen(p->output, "r");

    assert_non_null(file);
    text[fread(text, 1, bytes - 1, file)] = '\0';
    fclose(file);
}

static bool is_named(const char *const *args, const char *flag)
{
    for (int i = 0; args[i]; i++) {
        if (!strcmp(args[i], flag))
            return true;
    }
    return false;
}

void program_serve(struct program *p, const char *const *args)
{
    const char *all[PROGRAM_ARGS_MAX] = {"serve", "--listen", "127.0.0.1:0", "--metrics",
                                         "127.0.0.1:0"};
    char text[8192], state[128] = "";
    int count = 5;

    for (int i = 0; args[i]; i++) {
        assert_true(count + 3 < PROGRAM_ARGS_MAX);
        all[count++] = args[i];
    }
    if (!is_named(args, "--state")) {
        snprintf(state, sizeof(state), "%s/limner-state.XXXXXX", P_tmpdir);
        assert_non_null(mkdtemp(state));
        all[count++] = "--state";
        all[count++] = state;
    }
    program_start(p, all);
    memcpy(p->state, state, sizeof(state));
    for (int waited = 0; waited < READY_MS; waited += 20) {
        const char *listening;

        program_read(p, text, sizeof(text));
        if (strstr(text, "\"event\":\"ready\"")) {
            listening = strstr(text, "api=");
            assert_int_equal(sscanf(listening, "api=%d metrics=%d", &p->port, &p->metrics_port), 2);
            return;
        }
        if (waitpid(p->pid, NULL, WNOHANG) == p->pid)
            break;
        program_sleep_ms(20);
    }
    fail_msg("the server did not get ready: %s", text);
}

void program_signal(const struct program *p, int signal)
{
    assert_true(p->pid > 0);
    kill(p->pid, signal);
}

int program_wait(struct program *p, int wait_ms)
{
    int status = 0;
    pid_t ended = 0;

    for (int waited = 0; waited < wait_ms && !ended; waited += 10) {
        ended = waitpid(p->pid, &status, WNOHANG);
        if (!ended)
            program_sleep_ms(10);
    }
    if (!ended) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, &status, 0);
    }
    p->pid = -1;
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

void program_remove(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void program_forget(struct program *p)
{
    unlink(p->output);
    if (p->state[0])
        program_remove(p->state);
}

/* Its last words, for whoever has to find out why. */
static void show_end(const struct program *p)
{
    static char text[1 << 20];
    size_t length, from;

    program_read(p, text, sizeof(text));
    length = strlen(text);
    from = length > 6000 ? length - 6000 : 0;
    fprintf(stderr, "what limner said last:\n%s\n", text + from);
}

int program_stop(struct program *p)
{
    int code;

    program_signal(p, SIGTERM);
    code = program_wait(p, 60000);
    if (code)
        show_end(p);
    program_forget(p);
    return code;
}
