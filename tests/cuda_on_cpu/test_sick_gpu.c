/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server whose GPU fails under it. limner runs here with the emulated GPU, which fails for good
 * when it finds a file.
 */
#include "tests/client.h"
#include "tests/program.h"
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\",\"num_inference_steps\":1}"
#define LONG                                                                                       \
    "{\"model\":\"tiny_lcm\",\"prompt\":\"a red fox\",\"num_inference_steps\":4,"                  \
    "\"n\":10}"
#define WAIT_MS 120000

static void ask(int port, const char *body, struct reply *r)
{
    client_ask(port, "POST", "/v1/images/generations", "Content-Type: application/json\r\n", body,
               r);
}

/* The ports of the latest start, once it is ready for the nth time. */
static void wait_until_ready(struct program *p, int times)
{
    static char text[1 << 16];

    for (int waited = 0; waited < WAIT_MS; waited += 50) {
        const char *at = text, *listening = NULL;
        int ready = 0;

        program_read(p, text, sizeof(text));
        while ((at = strstr(at, "\"event\":\"ready\""))) {
            ready++;
            at++;
        }
        for (at = text; (at = strstr(at, "api=")); at++)
            listening = at;
        if (ready >= times) {
            assert_int_equal(sscanf(listening, "api=%d metrics=%d", &p->port, &p->metrics_port), 2);
            return;
        }
        program_sleep_ms(50);
    }
    fail_msg("not ready again: %s", text);
}

/* Goal: who waits is told to come back, and whoever comes back gets a picture.
   Method: the GPU fails while ten pictures are made. */
static void a_server_whose_gpu_failed_starts_afresh(void **state)
{
    const char *const args[] = {"--model", "tests/golden/tiny_lcm", "--device", "cuda", "--seats",
                                "1",       "--precision",           "bf16",     NULL};
    char path[] = "/tmp/limner-fail-XXXXXX", value[32];
    struct program server;
    struct reply r;
    int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    setenv("CUDA_ON_CPU_FAIL_FILE", path, 1);
    setenv("LIMNER_CLASSIFIERS", "moderation/weights", 1); /* this limner lies a folder deeper */
    program_serve(&server, args);
    ask(server.port, QUICK, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);

    fclose(fopen(path, "w"));
    ask(server.port, LONG, &r);
    assert_int_equal(r.status, 503);
    assert_true(reply_header(&r, "x-should-retry", value, sizeof(value)));
    assert_string_equal(value, "true");
    reply_close(&r);
    assert_int_equal(access(path, F_OK), -1);

    wait_until_ready(&server, 2);
    ask(server.port, QUICK, &r);
    assert_int_equal(r.status, 200);
    reply_close(&r);
    program_signal(&server, SIGTERM);
    assert_int_equal(program_wait(&server, WAIT_MS), 0);
    program_forget(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_whose_gpu_failed_starts_afresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
