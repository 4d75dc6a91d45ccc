/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"
#include "server/listen.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A file with this text, whose name goes into `path`. */
static void write_file(char path[32], const char *text)
{
    int fd;

    snprintf(path, 32, "%s/limner-config.XXXXXX", P_tmpdir);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void config_read_lets_flags_win_over_environment_over_file(void **state)
{
    char path[32];
    char *args[] = {"--config", path, "--queue=17", "--model", "x", "--model", "y"};
    struct config c;
    struct why why;

    (void)state;
    write_file(path,
               "{\"queue\":15,\"seats\":6,\"threads\":1,\"precision\":\"mixed\",\"vae-tile\":64,"
               "\"model\":[\"a\",\"b\",\"c\"],\"listen\":\"127.0.0.1:1\"}");
    setenv("LIMNER_SEATS", "9", 1);
    setenv("LIMNER_QUEUE", "18", 1);
    setenv("LIMNER_SIZE_MAX", "512", 1);
    assert_int_equal(config_read(&c, COUNT_OF(args), args, &why), ST_OK);
    assert_int_equal(c.queue, 17);
    assert_int_equal(c.seats, 9);
    assert_int_equal(c.threads, 1);
    assert_int_equal(c.size_max, 512);
    assert_int_equal(c.precision, PRECISION_MIXED);
    assert_int_equal(c.vae_tile, 64);
    assert_string_equal(c.listen, "127.0.0.1:1");
    assert_string_equal(c.metrics, "127.0.0.1:9090");
    assert_int_equal(c.model_count, 2);
    assert_string_equal(c.model[1], "y");
    config_close(&c);
    unsetenv("LIMNER_SEATS");
    unsetenv("LIMNER_QUEUE");
    unsetenv("LIMNER_SIZE_MAX");
    unlink(path);
}

static void config_read_has_the_documented_defaults(void **state)
{
    char *args[] = {"--model", "x"};
    struct config c;
    struct why why;

    (void)state;
    assert_int_equal(config_read(&c, COUNT_OF(args), args, &why), ST_OK);
    assert_string_equal(c.listen, "127.0.0.1:8080");
    assert_string_equal(c.metrics, "127.0.0.1:9090");
    assert_string_equal(c.state, "./state");
    assert_int_equal(c.precision, PRECISION_AUTO);
    assert_string_equal(c.device, "auto");
    assert_false(c.check_only);
    config_close(&c);
}

/* Goal: a mistake is told with the place where it stands. */
static void config_read_refuses_bad_flags(void **state)
{
    static const struct {
        const char *arg[2], *says;
    } cases[] = {
        {{"--quue", "1"}, "no flag --quue"},
        {{"--queue", "0"}, "--queue: queue must be an integer from 10"},
        {{"--queue", "1x"}, "--queue: queue must be an integer from 10"},
        {{"--queue=99999999999999999999", NULL}, "integer"},
        {{"--queue", NULL}, "needs a value"},
        {{"--vae-tile", "30"}, "--vae-tile: vae-tile must be a multiple of 4"},
        {{"--vae-tile", "2000"}, "from 0 to 1024"},
        {{"--listen=", NULL}, "empty"},
        {{"--precision", "f8"}, "mixed, bf16, f16 or fp8"},
        {{"serve", NULL}, "no flag"},
        {{"--", NULL}, "no flag"},
        {{"--config", "/nonexistent/limner.json"}, "/nonexistent/limner.json"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *args[] = {(char *)(uintptr_t)cases[i].arg[0], (char *)(uintptr_t)cases[i].arg[1]};
        struct config c;
        struct why why = {""};

        if (config_read(&c, cases[i].arg[1] ? 2 : 1, args, &why) == ST_OK)
            fail_msg("%s was taken", args[0]);
        if (!strstr(why.text, cases[i].says))
            fail_msg("%s: %s", args[0], why.text);
        config_close(&c);
    }
}

static void config_read_refuses_bad_files(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "object"},
        {"{\"queues\":1}", "'queues'"},
        {"{\"queue\":\"1\"}", "queue must be an integer"},
        {"{\"queue\":0}", "from 10"},
        {"{\"vae-tile\":\"64\"}", "vae-tile must be an integer"},
        {"{\"listen\":8080}", "listen must be a string"},
        {"{\"model\":[1]}", "model must be a string"},
        {"{\"model\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}", "at most 8"},
        {"{\"queue\":1,\"queue\":2}", "line 1"},
        {"{", "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[32];
        char *args[] = {"--config", path};
        struct config c;
        struct why why = {""};

        write_file(path, cases[i].text);
        if (config_read(&c, 2, args, &why) == ST_OK)
            fail_msg("%s was taken", cases[i].text);
        if (!strstr(why.text, cases[i].says) || !strstr(why.text, path))
            fail_msg("%s: %s", cases[i].text, why.text);
        config_close(&c);
        unlink(path);
    }
}

/* Goal: what --check-config prints can be fed back. */
static void config_print_writes_a_file_that_reads_the_same(void **state)
{
    char path[32], printed[2][1024] = {"", ""};
    char *first[] = {"--queue", "13", "--model", "a \"b\"", "--drain", "0"};
    char *second[] = {"--config", path};
    struct config c;
    struct why why;

    (void)state;
    for (int round = 0; round < 2; round++) {
        FILE *out = fmemopen(printed[round], sizeof(printed[round]), "w");

        if (round)
            write_file(path, printed[0]);
        assert_int_equal(config_read(&c, round ? 2 : 6, round ? second : first, &why), ST_OK);
        assert_int_equal(config_print(&c, out), ST_OK);
        fclose(out);
        config_close(&c);
    }
    assert_string_equal(printed[0], printed[1]);
    unlink(path);
}

static void listen_parse_takes_host_and_port(void **state)
{
    static const struct {
        const char *address, *host;
        int port; /* below 0: refused */
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]:80", "::1", 80},
        {":0", "", 0},
        {"localhost:65535", "localhost", 65535},
        {"8080", "", -1},
        {"a:", "", -1},
        {"a:65536", "", -1},
        {"a:-1", "", -1},
        {"a:8x", "", -1},
        {"", "", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char host[64];
        int port;
        enum status st = listen_parse(host, sizeof(host), &port, cases[i].address, NULL);

        if ((st == ST_OK) != (cases[i].port >= 0))
            fail_msg("'%s' gave %s", cases[i].address, status_name(st));
        if (!st && (strcmp(host, cases[i].host) || port != cases[i].port))
            fail_msg("'%s' gave '%s' and %d", cases[i].address, host, port);
    }
}

/* Goal: sockets that share a port among our threads never share it with somebody else. */
static void listen_open_refuses_an_address_that_is_taken(void **state)
{
    struct why why = {""};
    int first[2], second[2];

    (void)state;
    assert_int_equal(listen_open(first, 2, "127.0.0.1", 0, &why), ST_OK);
    assert_int_equal(listen_port(first[0]), listen_port(first[1]));
    assert_int_equal(listen_open(second, 2, "127.0.0.1", listen_port(first[0]), &why), ST_IO);
    assert_non_null(strstr(why.text, "127.0.0.1"));
    close(first[0]);
    close(first[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_read_lets_flags_win_over_environment_over_file),
        cmocka_unit_test(config_read_has_the_documented_defaults),
        cmocka_unit_test(config_read_refuses_bad_flags),
        cmocka_unit_test(config_read_refuses_bad_files),
        cmocka_unit_test(config_print_writes_a_file_that_reads_the_same),
        cmocka_unit_test(listen_parse_takes_host_and_port),
        cmocka_unit_test(listen_open_refuses_an_address_that_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
