/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `limner generate`, `limner models` and what the program says when it is asked wrongly.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MODEL           "tests/golden/tiny_lcm"

/* A folder of our own, for pictures. */
static int open_folder(void **state)
{
    static char folder[128];

    snprintf(folder, sizeof(folder), "%s/limner-cli.XXXXXX", P_tmpdir);
    *state = folder;
    return mkdtemp(folder) ? 0 : 1;
}

static int close_folder(void **state)
{
    return rmdir(*state);
}

/* Run to the end: exit code and what was said. */
static int run(const char *const *args, char *text, size_t bytes)
{
    struct program p;
    int code;

    program_start(&p, args);
    code = program_wait(&p, 60000);
    program_read(&p, text, bytes);
    program_forget(&p);
    return code;
}

static size_t read_file(const char *path, unsigned char *data, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    size_t count;

    if (!file)
        return 0;
    count = fread(data, 1, bytes, file);
    fclose(file);
    return count;
}

static int files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Goal: the command line and the server make the same picture, to the byte. */
static void generate_makes_what_the_server_makes(void **state)
{
    static const char *const served[] = {"--model", MODEL, NULL};
    unsigned char local[65536];
    char path[256], text[4096];
    const char *const args[] = {"generate", "a red fox", "-o", path, "--model",
                                MODEL,      "--seed",    "41", NULL};
    struct program server;
    struct reply r;
    size_t count;

    snprintf(path, sizeof(path), "%s/fox.png", (char *)*state);
    assert_int_equal(run(args, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "seed 41"));
    count = read_file(path, local, sizeof(local));

    program_serve(&server, served);
    client_generate(server.port, "Accept: image/png\r\n", "{\"prompt\":\"a red fox\",\"seed\":41}",
                    &r);
    program_signal(&server, SIGTERM);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.bytes, count);
    assert_memory_equal(r.body, local, count);
    reply_close(&r);
    assert_int_equal(program_wait(&server, 20000), 0);
    program_forget(&server);
    unlink(path);
}

static void generate_takes_the_format_from_the_name(void **state)
{
    static const struct {
        const char *name, *magic;
    } cases[] = {{"a.png", "\x89PNG"},
                 {"a.webp", "RIFF"},
                 {"a.jpg", "\xff\xd8\xff"},
                 {"a.jpeg", "\xff\xd8\xff"}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned char data[8] = {0};
        char path[256], text[4096];
        const char *const args[] = {"generate", "fox",        "--output",  path,       "--model",
                                    MODEL,      "--width",    "16",        "--height", "24",
                                    "--steps",  "1",          "--sampler", "euler",    "--guidance",
                                    "2",        "--negative", "snow",      NULL};

        snprintf(path, sizeof(path), "%s/%s", (char *)*state, cases[i].name);
        if (run(args, text, sizeof(text)))
            fail_msg("%s: %s", cases[i].name, text);
        assert_non_null(strstr(text, "16x24"));
        assert_int_equal(read_file(path, data, 4), 4);
        assert_memory_equal(data, cases[i].magic, strlen(cases[i].magic));
        unlink(path);
    }
}

/* Goal: the dump's noise, fed back under another seed, gives the same picture. */
static void generate_reads_the_noise_that_it_dumped(void **state)
{
    unsigned char first[65536], second[65536];
    char path[256], dump[256], text[4096];
    const char *const write[] = {"generate", "fox", "-o",     path, "--model", MODEL,
                                 "--seed",   "1",   "--dump", dump, NULL};
    const char *const read[] = {"generate",  "fox",    "-o", path,      "--model",
                                MODEL,       "--seed", "2",  "--noise", dump,
                                "--sampler", "euler",  NULL};
    const char *const again[] = {"generate", "fox", "-o",        path,    "--model", MODEL,
                                 "--seed",   "1",   "--sampler", "euler", NULL};
    size_t count;

    snprintf(path, sizeof(path), "%s/fox.png", (char *)*state);
    snprintf(dump, sizeof(dump), "%s/stages.safetensors", (char *)*state);
    assert_int_equal(run(write, text, sizeof(text)), 0);
    assert_int_equal(run(read, text, sizeof(text)), 0);
    count = read_file(path, first, sizeof(first));
    assert_int_equal(run(again, text, sizeof(text)), 0);
    assert_int_equal(read_file(path, second, sizeof(second)), count);
    assert_memory_equal(first, second, count);
    unlink(path);
    unlink(dump);
}

/* Goal: what the policy does not allow is in no file, not in a dump either, and the sentence says
   why. */
static void generate_shows_nothing_that_is_blocked(void **state)
{
    char path[256], dump[256], text[4096];
    const struct {
        const char *args[12], *wanted;
    } cases[] = {
        {{"generate", "fox", "-o", path, "--model", MODEL, "--dump", dump, "--policy",
          "tests/policies/closed.json", NULL},
         "the picture was blocked (everything): Nothing is allowed"},
        {{"generate", "hardcore porn", "-o", path, "--model", MODEL, "--policy",
          "moderation/policies/default.json", NULL},
         "the prompt was blocked (sexual_explicit): "},
        {{"generate", "fox", "-o", path, "--model", MODEL, "--policy", "no-such.json", NULL},
         "no-such.json"},
    };

    snprintf(path, sizeof(path), "%s/fox.png", (char *)*state);
    snprintf(dump, sizeof(dump), "%s/stages.safetensors", (char *)*state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int code = run(cases[i].args, text, sizeof(text));

        if (code != 1 || !strstr(text, cases[i].wanted))
            fail_msg("case %zu: code %d, %s", i, code, text);
        assert_int_equal(files_in(*state), 0);
    }
}

/* Goal: a run that fails leaves no file, not even half of one. */
static void generate_that_fails_leaves_nothing(void **state)
{
    char path[256], text[4096];
    const char *const cases[][8] = {
        {"generate", "fox", "-o", path, "--model", MODEL, "--width=17", NULL},
        {"generate", "fox", "-o", path, "--model", "tests/golden/tokenizer", NULL},
        {"generate", "fox", "-o", path, "--model", MODEL, "--noise=missing.safetensors", NULL},
        {"generate", "\xc3\x28", "-o", path, "--model", MODEL, NULL},
        {"generate", "fox", "-o", "no/such/folder/a.png", "--model", MODEL, NULL},
    };

    snprintf(path, sizeof(path), "%s/fox.png", (char *)*state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int code = run(cases[i], text, sizeof(text));

        if (code != 1 || !strstr(text, "limner generate: "))
            fail_msg("case %zu: code %d, %s", i, code, text);
        assert_int_equal(files_in(*state), 0);
    }
}

static void wrong_words_are_refused_with_code_2(void **state)
{
    static const struct {
        const char *args[5], *says;
    } cases[] = {
        {{"paint", NULL}, "no command 'paint'"},
        {{"generate", NULL}, "one prompt"},
        {{"generate", "a", "b", NULL}, "one prompt"},
        {{"generate", "", NULL}, "one prompt"},
        {{"generate", "a", "--output=a.gif", NULL}, ".png"},
        {{"generate", "a", "--seed=-1", NULL}, "--seed"},
        {{"generate", "a", "--seed=1x", NULL}, "--seed"},
        {{"generate", "a", "--steps=many", NULL}, "--steps"},
        {{"generate", "a", "--guidance=nan", NULL}, "--guidance"},
        {{"generate", "a", "--sampler=fast", NULL}, "euler"},
        {{"generate", "a", "--precision=f8", NULL}, "mixed"},
        {{"generate", "a", "--vae-tile=6", NULL}, "multiple of 4"},
        {{"generate", "a", "--nonsense", NULL}, "nonsense"},
        {{"key", NULL}, "create, list or revoke"},
        {{"key", "make", NULL}, "create, list or revoke"},
        {{"key", "revoke", NULL}, "revoke PREFIX"},
        {{"key", "list", "x", NULL}, "too much"},
        {{"key", "list", "--state=a", "--state=b", NULL}, "--state may be said once"},
        {{"key", "create", "--scopes=all", NULL}, "'all' is no scope"},
        {{"key", "create", "--expires=soon", NULL}, "30d"},
        {{"key", "create", "--expires=2001-01-01", NULL}, "past"},
        {{"key", "create", "--tenant=a b", NULL}, "--tenant"},
        {{"key", "list", "--colour", NULL}, "colour"},
        {{"log", NULL}, "export PATH"},
        {{"log", "burn", NULL}, "export PATH"},
        {{"log", "proof", NULL}, "limner log proof INDEX"},
        {{"log", "proof", "--", "-1", NULL}, "from 0 on, not '-1'"},
        {{"log", "proof", "1x", NULL}, "from 0 on, not '1x'"},
        {{"log", "export", "a", "b", NULL}, "limner log export PATH"},
        {{"log", "key", "--head=a", NULL}, "--head is for"},
        {{"log", "evidence", "00", NULL}, "evidence ID -o PATH"},
        {{"log", "export", "a", "-ob", NULL}, "-o is for"},
        {{"models", NULL}, "limner models check"},
        {{"models", "check", NULL}, "limner models check"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[4096];
        int code = run(cases[i].args, text, sizeof(text));

        if (code != 2 || !strstr(text, cases[i].says))
            fail_msg("case %zu: code %d, %s", i, code, text);
    }
}

static void help_is_everywhere(void **state)
{
    static const char *const cases[][4] = {
        {"--help", NULL},           {"help", NULL},
        {"serve", "--help", NULL},  {"generate", "--help", NULL},
        {"models", "--help", NULL}, {"models", "check", "-h", NULL},
        {"key", "--help", NULL},    {"bench", "--help", NULL},
        {"log", "--help", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[8192];

        if (run(cases[i], text, sizeof(text)) || !strstr(text, "limner"))
            fail_msg("case %zu: %s", i, text);
    }
}

static void models_are_checked_and_listed(void **state)
{
    static const char *const good[] = {"models", "check", MODEL, NULL};
    static const char *const bad[] = {"models", "check", "tests/golden/tokenizer", NULL};
    static const char *const list[] = {"models", "list", "tests/golden", NULL};
    char text[8192];

    (void)state;
    assert_int_equal(run(good, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "limner can run"));
    assert_non_null(strstr(text, "LCMScheduler"));
    assert_int_equal(run(bad, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "limner cannot run"));
    assert_int_equal(run(list, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "tests/golden/tiny_lcm\n"));
    assert_non_null(strstr(text, "tests/golden/tiny_sd1\n"));
    assert_null(strstr(text, "golden/tokenizer"));
}

/* Goal: a day is told as JSON with every request accounted for, three policies beside each other,
   and what is asked wrongly is named. */
static void a_day_is_simulated_as_it_was_asked(void **state)
{
    static const char *const day[] = {"bench",
                                      "--simulate",
                                      "--json",
                                      "--requests",
                                      "2000",
                                      "--kind",
                                      "sd15:512x512:20:1:5000",
                                      "--load=1.5",
                                      NULL};
    static const struct {
        const char *flag, *value, *words;
    } wrong[] = {{"--load", "0", "--load does not take '0'"},
                 {"--rate", "5x", "--rate takes a number"},
                 {"--devices", "99", "--devices takes an integer from 1 to 16"},
                 {"--kind", "sd15", "--kind does not take 'sd15'"},
                 {"--kind", "foo:512x512:20", "knows none of these models"}};
    char text[8192];
    struct json *root;
    struct why why = {""};
    (void)state;

    assert_int_equal(run(day, text, sizeof(text)), 0);
    assert_int_equal(json_parse(&root, text, strlen(text), &why), ST_OK);
    assert_int_equal(json_size(root), 3);
    for (int i = 0; i < 3; i++) {
        const struct json *all = json_at(json_get(json_at(root, (size_t)i), "kinds"), 0);

        assert_int_equal(json_as_int(json_get(all, "asked")), 2000);
        assert_int_equal(json_as_int(json_get(all, "done")) +
                             json_as_int(json_get(all, "refused")) +
                             json_as_int(json_get(all, "late")),
                         2000);
    }
    json_close(&root);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *const args[] = {"bench", "--simulate", wrong[i].flag, wrong[i].value, NULL};

        assert_int_equal(run(args, text, sizeof(text)), i + 1 < COUNT_OF(wrong) ? 2 : 1);
        if (!strstr(text, wrong[i].words))
            fail_msg("%s %s: %s", wrong[i].flag, wrong[i].value, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generate_makes_what_the_server_makes),
        cmocka_unit_test(generate_takes_the_format_from_the_name),
        cmocka_unit_test(generate_reads_the_noise_that_it_dumped),
        cmocka_unit_test(generate_shows_nothing_that_is_blocked),
        cmocka_unit_test(generate_that_fails_leaves_nothing),
        cmocka_unit_test(wrong_words_are_refused_with_code_2),
        cmocka_unit_test(help_is_everywhere),
        cmocka_unit_test(models_are_checked_and_listed),
        cmocka_unit_test(a_day_is_simulated_as_it_was_asked),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
