/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - the words behind `limner`, one file each.
 *
 * Each takes the arguments behind its own name and gives back the exit code of the program: 0, 1
 * when the world did not let it, 2 when it was asked wrongly.
 */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

/* Threads still work that cannot be waited for: leave without tearing anything down. */
#define COMMAND_ABANDON (-1)

/* Everything is torn down, and the program should run once more from its beginning. */
#define COMMAND_RESTART (-2)

int command_serve(int count, char **args);
int command_generate(int count, char **args);
int command_models(int count, char **args);
int command_detect(int count, char **args);
int command_bench(int count, char **args);
int command_key(int count, char **args);
int command_context(int count, char **args);
int command_policy(int count, char **args);
int command_log(int count, char **args);

#endif /* SERVER_COMMANDS_H */
