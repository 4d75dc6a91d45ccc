/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/log.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What was written to stderr between listen and heard. */
struct ear {
    FILE *file;
    int stderr_before;
};

static struct ear listen_to_stderr(void)
{
    struct ear ear = {.file = tmpfile(), .stderr_before = dup(STDERR_FILENO)};

    assert_non_null(ear.file);
    assert_true(dup2(fileno(ear.file), STDERR_FILENO) >= 0);
    return ear;
}

/* The text, to be freed. */
static char *heard(struct ear *ear)
{
    off_t bytes = lseek(fileno(ear->file), 0, SEEK_END);
    char *text = calloc(1, (size_t)bytes + 1);

    dup2(ear->stderr_before, STDERR_FILENO);
    close(ear->stderr_before);
    assert_non_null(text);
    assert_int_equal(pread(fileno(ear->file), text, (size_t)bytes, 0), bytes);
    fclose(ear->file);
    return text;
}

static const char *member(const struct json *line, const char *key)
{
    const char *value = NULL;

    assert_int_equal(json_get_string(line, key, &value, NULL), ST_OK);
    assert_non_null(value);
    return value;
}

/* Parse one line, which ends in a line feed and holds no other. */
static struct json *parse_line(const char *text, size_t bytes)
{
    struct why why = {0};
    struct json *line;

    assert_ptr_equal(memchr(text, '\n', bytes), text + bytes - 1);
    if (json_parse(&line, text, bytes, &why) != ST_OK)
        fail_msg("%s in %s", why.text, text);
    return line;
}

static void a_line_is_one_json_object(void **state)
{
    struct ear ear = listen_to_stderr();
    (void)state;

    log_warn("job_done", "id=%s steps=%d", "a\"b\\c\n\x01", 7);

    char *text = heard(&ear);
    struct json *line = parse_line(text, strlen(text));
    assert_int_equal(json_size(line), 4);
    assert_string_equal(member(line, "level"), "warn");
    assert_string_equal(member(line, "event"), "job_done");
    assert_string_equal(member(line, "text"), "id=a\"b\\c\n\x01 steps=7");
    json_close(&line);
    free(text);
}

static void a_line_may_have_members_of_its_own(void **state)
{
    struct ear ear = listen_to_stderr();
    char longest[LOG_FIELDS_MAX];
    int64_t status = 0;
    (void)state;

    log_fields(LOG_INFO, "request", "\"status\":200,\"path\":\"/a\\\"b\"");
    log_fields(LOG_DEBUG, "request", "\"status\":1");

    char *text = heard(&ear);
    struct json *line = parse_line(text, strlen(text));
    assert_int_equal(json_size(line), 5);
    assert_string_equal(member(line, "event"), "request");
    assert_string_equal(member(line, "path"), "/a\"b");
    assert_int_equal(json_get_int(line, "status", &status, NULL), ST_OK);
    assert_int_equal(status, 200);
    json_close(&line);
    free(text);

    snprintf(longest, sizeof(longest), "\"a\":\"%*s\"", (int)sizeof(longest) - 7, "");
    assert_int_equal(strlen(longest), LOG_FIELDS_MAX - 1);
    ear = listen_to_stderr();
    log_fields(LOG_ERROR, "an_event_with_a_name_that_is_as_long_as_it_may_be_and_no_longer",
               longest);
    text = heard(&ear);
    line = parse_line(text, strlen(text));
    assert_int_equal(json_size(line), 4);
    json_close(&line);
    free(text);
}

static void the_time_is_now_in_utc(void **state)
{
    struct ear ear = listen_to_stderr();
    struct tm then = {0};
    (void)state;

    log_info("tick", "%s", "");

    char *text = heard(&ear);
    struct json *line = parse_line(text, strlen(text));
    const char *rest = strptime(member(line, "time"), "%Y-%m-%dT%H:%M:%S", &then);
    assert_non_null(rest);
    assert_int_equal(strlen(rest), 5);
    assert_true(rest[0] == '.' && rest[4] == 'Z');
    assert_in_range(time(NULL) - timegm(&then), 0, 10);
    json_close(&line);
    free(text);
}

static void lines_below_the_level_are_not_written(void **state)
{
    struct ear ear = listen_to_stderr();
    (void)state;

    log_debug("one", "%s", "the level is info at first");
    log_set_level(LOG_ERROR);
    log_warn("two", "%s", "no");
    log_error("three", "%s", "yes");
    log_set_level(LOG_OFF);
    log_error("four", "%s", "no");
    log_set_level(LOG_DEBUG);
    log_debug("five", "%s", "yes");
    log_set_level(LOG_INFO);

    char *text = heard(&ear);
    assert_null(strstr(text, "one"));
    assert_null(strstr(text, "two"));
    assert_non_null(strstr(text, "\"three\""));
    assert_null(strstr(text, "four"));
    assert_non_null(strstr(text, "\"five\""));
    free(text);
}

/* Goal: however long the text, the line is bounded, is still JSON and cuts no character in two.
   Method: lengths around the limit, of characters of one, two and six bytes on the line. */
static void a_long_line_is_cut_between_characters(void **state)
{
    static const char *const units[] = {"x", "\xC3\xA9", "\x02"};
    char longer[3 * LOG_LINE_MAX];
    (void)state;

    for (size_t unit = 0; unit < 3; unit++) {
        for (size_t lead = 0; lead < 7; lead++) {
            size_t used = lead;

            memset(longer, 'a', lead);
            while (used + 2 < sizeof(longer)) {
                memcpy(longer + used, units[unit], strlen(units[unit]));
                used += strlen(units[unit]);
            }
            longer[used] = '\0';

            struct ear ear = listen_to_stderr();
            log_error("long", "%s", longer);
            char *text = heard(&ear);
            struct json *line = parse_line(text, strlen(text));
            assert_in_range(strlen(text), LOG_LINE_MAX - 8, LOG_LINE_MAX);
            json_close(&line);
            free(text);
        }
    }
}

static void broken_utf8_is_replaced(void **state)
{
    struct ear ear = listen_to_stderr();
    (void)state;

    log_info("utf8", "%s", "ok \xE2\x82\xAC, bad \xE2\x82 \xFF");

    char *text = heard(&ear);
    struct json *line = parse_line(text, strlen(text));
    assert_string_equal(member(line, "text"),
                        "ok \xE2\x82\xAC, bad \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD");
    json_close(&line);
    free(text);
}

static void logging_leaves_errno_alone(void **state)
{
    struct ear ear = listen_to_stderr();
    (void)state;

    errno = ERANGE;
    log_info("errno", "%s", "untouched");
    int after = errno;

    free(heard(&ear));
    assert_int_equal(after, ERANGE);
}

#define THREADS 4
#define LINES   200

static void *talk(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_info("talk", "thread=%d %0*d", *(int *)arg, 400, i);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    int ids[THREADS] = {0, 1, 2, 3}, count = 0;
    struct ear ear = listen_to_stderr();
    pthread_t threads[THREADS];
    (void)state;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, talk, &ids[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    char *text = heard(&ear);
    for (char *at = text, *end; *at; at = end + 1, count++) {
        end = strchr(at, '\n');
        assert_non_null(end);
        struct json *line = parse_line(at, (size_t)(end - at) + 1);
        json_close(&line);
    }
    assert_int_equal(count, THREADS * LINES);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object),
        cmocka_unit_test(a_line_may_have_members_of_its_own),
        cmocka_unit_test(the_time_is_now_in_utc),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(a_long_line_is_cut_between_characters),
        cmocka_unit_test(broken_utf8_is_replaced),
        cmocka_unit_test(logging_leaves_errno_alone),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
