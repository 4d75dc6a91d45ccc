/* SPDX-License-Identifier: Apache-2.0 */
#include "server/commands.h"
#include "server/restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often a thread looks again before it sleeps at a barrier of libgomp. Its own default spins
   for about 0.1 s, and two programs that do so on the same cores bring each other to a halt. */
#define BARRIER_SPINS "3000"

struct command {
    const char *name, *help;
    int (*run)(int count, char **args);
};

static const struct command commands[] = {
    {"serve", "answer requests for pictures over HTTP", command_serve},
    {"generate", "make one picture here and now", command_generate},
    {"key", "make, list and revoke the keys that a server asks for", command_key},
    {"policy", "check a moderation policy, and replay recorded scores under it", command_policy},
    {"detect", "say whether a picture was made here", command_detect},
    {"log", "check, prove and export the log of what was made", command_log},
    {"context", "grant tenants what they may say their pictures are for", command_context},
    {"bench", "load a server, and say how long answers take and how many are in time",
     command_bench},
    {"models", "say what a model folder holds and whether limner can run it", command_models},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* libgomp reads its environment before main runs, so the program starts itself once more. */
static void calm_barriers(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", BARRIER_SPINS, 1) == 0)
        restart_run(argv); /* if not: slower beside other programs, nothing worse */
}

static void print_help(FILE *out)
{
    fputs("limner - text in, pictures out\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "    limner %-10s %s\n", commands[i].name, commands[i].help);
    fputs("    limner version    say which limner this is\n\n"
          "limner COMMAND --help says more about each.\n",
          out);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 2, argv + 2);
    }
    if (!strcmp(name, "version") || !strcmp(name, "--version")) {
        puts("limner " LIMNER_VERSION);
        return 0;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return argc > 1 ? 0 : 2;
    }
    fprintf(stderr, "limner: there is no command '%s'\n\n", name);
    print_help(stderr);
    return 2;
}

int main(int argc, char **argv)
{
    int code;

    calm_barriers(argv);
    code = run(argc, argv);
    if (code == COMMAND_ABANDON)
        _exit(0);
    if (code == COMMAND_RESTART) {
        restart_run(argv);
        return 1;
    }
    return code;
}
