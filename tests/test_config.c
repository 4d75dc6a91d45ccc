/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"
#include "server/listen.h"
#include "server/shipped.h"
#include "tests/fault.h"
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
    write_file(path, "queue: 15\nseats: 6\nthreads: 1\nprecision: mixed\nvae-tile: 64\n"
                     "model: [a, b, c]\n"
                     "listen: 127.0.0.1:1 # the only one\n");
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
    assert_string_equal(c.prompt_hook, "off");
    assert_int_equal(c.body_max, 1048576);
    assert_int_equal(c.prompt_max, 32000);
    assert_int_equal(c.prompt_hook_fail, HOOK_HOLD); /* nothing unjudged gets through by default */
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
        {{"--prompt-hook-fail", "pass"}, "must be block, hold or allow"},
        {{"--prompt-hook-ms", "0"}, "from 1 to 60000"},
        {{"--public-url", "pictures.example"}, "http:// or https://"},
        {{"--public-url", "https://pictures.example/"}, "without a slash at its end"},
        {{"--public-url", "https://a.b/\"><script>"}, "public-url must be"},
        {{"--body-max", "1023"}, "body-max must be an integer from 1024 to 67108864"},
        {{"--prompt-max", "32001"}, "prompt-max must be an integer from 1 to 32000"},
        {{"--judge-threads", "0"}, "from 1 to 64"},
        {{"--policy=", NULL}, "empty"},
        {{"serve", NULL}, "no flag"},
        {{"--", NULL}, "no flag"},
        {{"--config", "/nonexistent/limner.yaml"}, "/nonexistent/limner.yaml"},
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
        {"[]", ":1: Expecting MAPPING"},
        {"listen: 1:1\nqueues: 1\n", ":2: there is no setting called 'queues'"},
        {"queue: 15\nqueue: 16\n", ":2: 'queue' is said twice"},
        {"queue: [1]\n", ":1: Expecting STRING"},
        {"queue: 0\n", ":1: queue must be an integer from 10"},
        {"# queue: 1\nlisten: 'queue: 2'\n\nqueue: 1.5 # queue: 3\n", ":4: queue must be"},
        {"{listen: a,\n queue: 0x10}\n",
         ":2: queue must be an integer from 10 to 4096, not '0x10'"},
        {"seats: 4\n? queue\n:\n  !!str 9\n", ":2: queue must be an integer"},
        {"seats: 4\nqueue:\n", ":2: queue is empty"},
        {"model: 1\n", ":1: Expecting SEQUENCE"},
        {"model: [1, 2, 3, 4, 5, 6,\n 7, 8, 9]\n", ":2: at most 8"},
        {"{", ":1: libyaml"},
        {"listen: a\n\tqueue: 15\n", ":2: "},
        {"listen: &a b\nstate: *a\n", ":2: YAML alias"},
        {"queue: 15\n---\nqueue: 16\n", ":2: a second document"},
        {"# why\n---\nqueue: 15\n...\nqueue: 16\n", ":4: a second document"},
        {"\nvae-tile: 63\n", ":2: vae-tile must be a multiple of"},
        {"\n\nprecision: f8\n", ":3: "},
        {"precision: f8\n", "mixed, bf16, f16 or fp8"},
        {"metrics-auth: maybe\n", ":1: metrics-auth must be auto, open or key"},
        {"tenants:\n  - name: shop\n    weight: 4\n    wieght: 3\n", ":4: there is no setting"},
        {"tenants:\n  - weight: 3\n", ":2: a tenant needs a name"},
        {"tenants:\n  - weight: 3\n    name: a b\n", ":3: a tenant's name is"},
        {"tenants: [{name: a},\n {name: a}]\n", ":2: tenant a is listed twice"},
        {"weight: 0\n", ":1: there is no setting"},
        {"tenants:\n- name: b\n  weight: 1\n- name: a\n  weight: 0\n",
         ":5: tenant a: weight must be an integer from 1"},
        {"queue: 15\ntenant-default:\n  concurrency: 1\n  images-per-minute: -1\n",
         ":4: tenant-default: images-per-minute must be"},
        {"tenant-default: {name: a}\n", ":1: there is no setting called 'name'"},
        {"tenants: [{name: a,\n webhook: ftp://b.c}]\n", ":2: tenant a: webhook must be"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[32], says[160];
        char *args[] = {"--config", path};
        struct config c;
        struct why why = {""};

        write_file(path, cases[i].text);
        if (config_read(&c, 2, args, &why) == ST_OK)
            fail_msg("%s was taken", cases[i].text);
        snprintf(says, sizeof(says), "%s%s", cases[i].says[0] == ':' ? path : "", cases[i].says);
        if (!strstr(why.text, says) || !strstr(why.text, path))
            fail_msg("%s: %s", cases[i].text, why.text);
        config_close(&c);
        unlink(path);
    }
}

/* Goal: what --check-config prints can be fed back. */
static void config_print_writes_a_file_that_reads_the_same(void **state)
{
    char path[32], printed[2][4096] = {"", ""};
    char tenants[32];
    char *first[] = {"--queue", "13", "--model",  "a \"b\": #", "--config",     tenants,
                     "--drain", "0",  "--policy", "p.json",     "--public-url", "https://a.b"};
    char *second[] = {"--config", path};
    struct config c;
    struct why why;

    (void)state;
    write_file(tenants, "tenant-default: {concurrency: 3, webhook: 'https://hooks.example/all'}\n"
                        "tenants: [{name: b, weight: 5}, {name: a, concurrency: 0,\n"
                        "  webhook: 'http://127.0.0.1:9/a'}]\n");
    for (int round = 0; round < 2; round++) {
        FILE *out = fmemopen(printed[round], sizeof(printed[round]), "w");

        if (round)
            write_file(path, printed[0]);
        assert_int_equal(config_read(&c, round ? 2 : COUNT_OF(first), round ? second : first, &why),
                         ST_OK);
        assert_int_equal(config_print(&c, out), ST_OK);
        fclose(out);
        config_close(&c);
    }
    assert_string_equal(printed[0], printed[1]);
    assert_non_null(strstr(printed[0], "queue: 13\n"));
    assert_non_null(strstr(printed[0], "policy: p.json\n"));
    assert_non_null(strstr(printed[0], "public-url: https://a.b\n"));
    assert_null(strstr(printed[0], "vault-key"));
    unlink(path);
    unlink(tenants);
}

static void config_read_gives_tenants_what_they_do_not_say(void **state)
{
    char path[32];
    char *args[] = {"--config", path};
    struct config c;
    struct why why = {""};

    (void)state;
    write_file(path, "tenants:\n- name: shop\n  weight: 4\n  images-per-minute: 0\n- name: lab\n"
                     "  webhook: https://lab.example\n"
                     "tenant-default:\n  images-per-minute: 60\n  deadline-ms: 5000\n"
                     "  webhook: https://all.example/limner\n");
    if (config_read(&c, COUNT_OF(args), args, &why))
        fail_msg("%s", why.text);
    assert_int_equal(c.tenant_count, 2);
    assert_string_equal(c.tenant[0].name, "shop");
    assert_int_equal(c.tenant[0].weight, 4);
    assert_int_equal(c.tenant[0].images_per_minute, 0);
    assert_int_equal(c.tenant[0].deadline_ms, 5000);
    assert_int_equal(c.tenant[1].weight, 1);
    assert_int_equal(c.tenant[1].images_per_minute, 60);
    assert_int_equal(c.others.images_per_minute, 60);
    assert_string_equal(c.webhook_others, "https://all.example/limner");
    assert_string_equal(c.webhook[0], "https://all.example/limner");
    assert_string_equal(c.webhook[1], "https://lab.example");
    config_close(&c);
    unlink(path);
}

/* Goal: whatever an empty file looks like, it changes nothing. */
static void config_read_takes_files_that_say_nothing(void **state)
{
    static const char *const cases[] = {"", "\n", "# nothing\n", "{}\n", "tenants: []\n"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[32];
        char *args[] = {"--config", path};
        struct config c;
        struct why why = {""};

        write_file(path, cases[i]);
        if (config_read(&c, COUNT_OF(args), args, &why) || c.queue != 64 || c.tenant_count)
            fail_msg("'%s': %s", cases[i], why.text);
        config_close(&c);
        unlink(path);
    }
}

static void config_read_takes_a_mebibyte(void **state)
{
    char path[32], *text = malloc(CONFIG_FILE_BYTES_MAX + 2);
    char *args[] = {"--config", path};
    struct config c;
    struct why why = {""};

    (void)state;
    assert_non_null(text);
    memset(text, '#', CONFIG_FILE_BYTES_MAX + 1);
    text[CONFIG_FILE_BYTES_MAX] = '\0';
    write_file(path, text);
    assert_int_equal(config_read(&c, COUNT_OF(args), args, &why), ST_OK);
    config_close(&c);
    unlink(path);
    text[CONFIG_FILE_BYTES_MAX] = '#';
    text[CONFIG_FILE_BYTES_MAX + 1] = '\0';
    write_file(path, text);
    assert_int_equal(config_read(&c, COUNT_OF(args), args, &why), ST_INVALID);
    assert_non_null(strstr(why.text, "larger than 1048576"));
    config_close(&c);
    unlink(path);
    free(text);
}

/* Goal: no failed allocation while a file is read may crash or leak. */
/* Goal: the environment's LIMNER_VAULT_KEY is the key itself, and no name of a file. */
static void config_read_takes_no_key_for_a_file(void **state)
{
    char *args[] = {"--model", "x"}, *named[] = {"--vault-key", "my.key"};
    struct config c;
    struct why why;

    (void)state;
    setenv("LIMNER_VAULT_KEY", "a 00", 1);
    assert_int_equal(config_read(&c, COUNT_OF(args), args, &why), ST_OK);
    assert_null(c.vault_key);
    config_close(&c);
    assert_int_equal(config_read(&c, COUNT_OF(named), named, &why), ST_OK);
    assert_string_equal(c.vault_key, "my.key");
    config_close(&c);
    unsetenv("LIMNER_VAULT_KEY");
}

static void config_read_survives_every_failed_allocation(void **state)
{
    char path[32];
    char *args[] = {"--config", path};
    bool fired = true;

    (void)state;
    write_file(path, "listen: a:1\nmodel: [a, b]\ntenants:\n- name: shop\n  weight: 4\n");
    for (int nth = 1; fired; nth++) {
        struct config c;
        struct why why = {""};
        enum status st;

        fault_arm(nth);
        st = config_read(&c, COUNT_OF(args), args, &why);
        config_close(&c);
        fault_disarm();
        fired = fault_fired();
        if ((st && !fired) || (st && !why.text[0])) /* stdio gets by without a buffer */
            fail_msg("allocation %d: %s, '%s'", nth, status_name(st), why.text);
        if (fault_live() > 0) /* a sanitizer makes strdup's blocks itself, uncounted */
            fail_msg("allocation %d: %ld blocks are lost", nth, fault_live());
    }
    unlink(path);
}

static void config_compare_names_what_differs(void **state)
{
    char *first[] = {"--model", "a", "--model", "b", "--queue", "20"};
    char *second[] = {"--model",  "a",   "--model",     "c", "--queue",  "20",
                      "--listen", ":80", "--steps-max", "9", "--policy", "next.json"};
    struct config a, b;
    struct why why;
    char text[64];

    (void)state;
    assert_int_equal(config_read(&a, COUNT_OF(first), first, &why), ST_OK);
    assert_int_equal(config_read(&b, COUNT_OF(second), second, &why), ST_OK);
    config_compare(&a, &b, text, sizeof(text));
    assert_string_equal(text, "listen");
    config_compare(&a, &a, text, sizeof(text));
    assert_string_equal(text, "");
    config_close(&a);
    config_close(&b);
}

static void listen_knows_what_only_this_machine_reaches(void **state)
{
    (void)state;
    assert_true(listen_is_loopback("127.0.0.1"));
    assert_true(listen_is_loopback("127.9.9.9"));
    assert_true(listen_is_loopback("::1"));
    assert_true(listen_is_loopback("localhost"));
    assert_false(listen_is_loopback(""));
    assert_false(listen_is_loopback("0.0.0.0"));
    assert_false(listen_is_loopback("::"));
    assert_false(listen_is_loopback("10.0.0.1"));
    assert_false(listen_is_loopback("no such host"));
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

/* Goal: a fresh build finds what ships with it, wherever it was started. */
static void shipped_classifiers_are_found(void **state)
{
    char folder[4096], small[4];
    struct why why = {{0}};
    (void)state;

    assert_int_equal(shipped_find(folder, sizeof(folder), SHIPPED_CLASSIFIERS, &why), ST_OK);
    assert_non_null(strstr(folder, "/moderation/weights"));
    assert_int_equal(shipped_find(small, sizeof(small), SHIPPED_CLASSIFIERS, &why), ST_MISSING);
    assert_non_null(strstr(why.text, "the classifiers are not where they belong"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_read_lets_flags_win_over_environment_over_file),
        cmocka_unit_test(config_read_has_the_documented_defaults),
        cmocka_unit_test(config_read_refuses_bad_flags),
        cmocka_unit_test(config_read_refuses_bad_files),
        cmocka_unit_test(config_print_writes_a_file_that_reads_the_same),
        cmocka_unit_test(config_read_gives_tenants_what_they_do_not_say),
        cmocka_unit_test(config_read_takes_files_that_say_nothing),
        cmocka_unit_test(config_read_takes_a_mebibyte),
        cmocka_unit_test(config_read_takes_no_key_for_a_file),
        cmocka_unit_test(config_read_survives_every_failed_allocation),
        cmocka_unit_test(config_compare_names_what_differs),
        cmocka_unit_test(listen_knows_what_only_this_machine_reaches),
        cmocka_unit_test(listen_parse_takes_host_and_port),
        cmocka_unit_test(listen_open_refuses_an_address_that_is_taken),
        cmocka_unit_test(shipped_classifiers_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
