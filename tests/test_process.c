/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void what_is_taken_is_seen(void **state)
{
    const size_t bytes = 64 << 20;
    struct process_use before, after;
    const clock_t until = clock() + CLOCKS_PER_SEC / 20;
    char *memory = malloc(bytes);
    int fd;

    (void)state;
    assert_non_null(memory);
    process_look(&before);
    memset(memory, 1, bytes);
    fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0 && memory[bytes - 1] == 1);
    while (clock() < until)
        continue;
    process_look(&after);

    assert_true(after.resident_bytes >= before.resident_bytes + (double)bytes * 0.9);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    assert_true(after.open_fds == before.open_fds + 1);
    assert_true(after.max_fds >= after.open_fds);
    assert_true(after.cpu_s >= before.cpu_s + 0.04);
    close(fd);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
