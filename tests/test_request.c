/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SIXTY           "012345678901234567890123456789012345678901234567890123456789"

static enum status parse(struct request *r, const char *body, struct request_error *error)
{
    return request_parse(r, body, strlen(body), error);
}

static const struct model_info model = {
    .name = "toy",
    .size_default = 128,
    .size_multiple = 8,
    .size_min = 64,
    .size_max = 256,
    .prompt_tokens = 24,
    .sampler_default = SAMPLER_DDIM,
    .steps_default = 25,
    .guidance_default = 4.0,
};

static void request_parse_reads_every_field(void **state)
{
    static const char body[] =
        "{\"prompt\":\"a red fox\",\"negative_prompt\":\"snow\",\"model\":\"toy\",\"n\":3,"
        "\"size\":\"128x256\",\"num_inference_steps\":20,\"guidance_scale\":7.5,"
        "\"seed\":9007199254740989,\"sampler\":\"dpmpp_2m\",\"output_format\":\"webp\","
        "\"output_compression\":80,\"response_format\":\"b64_json\",\"stream\":false,"
        "\"partial_images\":0,\"quality\":\"hd\",\"style\":\"vivid\",\"moderation\":\"low\","
        "\"background\":\"opaque\",\"safety_identifier\":\"" SIXTY
        "1234\",\"context\":\"medical\"}";
    struct request_error error;
    struct request r;

    (void)state;
    assert_int_equal(parse(&r, body, &error), ST_OK);
    assert_string_equal(r.prompt, "a red fox");
    assert_string_equal(r.negative, "snow");
    assert_string_equal(r.model, "toy");
    assert_int_equal(r.images, 3);
    assert_int_equal(r.width, 128);
    assert_int_equal(r.height, 256);
    assert_int_equal(r.steps, 20);
    assert_true(r.guidance == 7.5);
    assert_true(r.seed_given);
    assert_true(r.seed == UINT64_C(9007199254740989));
    assert_true(r.sampler_given);
    assert_int_equal(r.sampler, SAMPLER_DPMPP_2M);
    assert_int_equal(r.format, FORMAT_WEBP);
    assert_int_equal(r.compression, 80);
    assert_string_equal(r.user, SIXTY "1234");
    assert_string_equal(r.context, "medical");
    request_close(&r);
}

/* Goal: what is left out, or null, takes the model's default. */
static void request_picture_takes_the_models_defaults(void **state)
{
    struct request_error error;
    struct picture picture;
    struct request r;

    (void)state;
    assert_int_equal(parse(&r, "{\"prompt\":\"fox\",\"size\":\"auto\",\"seed\":null}", &error),
                     ST_OK);
    assert_int_equal(request_picture(&r, &model, 0, &picture, &error), ST_OK);
    assert_int_equal(picture.width, 128);
    assert_int_equal(picture.height, 128);
    assert_int_equal(picture.steps, 25);
    assert_true(picture.guidance == 4.0);
    assert_int_equal(picture.sampler, SAMPLER_DDIM);
    assert_string_equal(picture.negative, "");
    assert_false(r.seed_given);
    request_close(&r);
}

static void request_picture_keeps_sizes_within_model_and_server(void **state)
{
    static const struct {
        const char *size;
        int size_max;
        enum status st;
    } cases[] = {
        {"64x256", 0, ST_OK},      {"64x257", 0, ST_INVALID}, {"56x64", 0, ST_INVALID},
        {"264x64", 0, ST_INVALID}, {"65x64", 0, ST_INVALID},  {"256x256", 128, ST_INVALID},
        {"128x128", 128, ST_OK},   {"256x256", 4096, ST_OK},  {"99999x8", 0, ST_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct request_error error;
        struct picture picture;
        struct request r;
        char body[128];

        snprintf(body, sizeof(body), "{\"prompt\":\"fox\",\"size\":\"%s\"}", cases[i].size);
        assert_int_equal(parse(&r, body, &error), ST_OK);
        if (request_picture(&r, &model, cases[i].size_max, &picture, &error) != cases[i].st)
            fail_msg("size %s with limit %d", cases[i].size, cases[i].size_max);
        if (cases[i].st) {
            assert_string_equal(error.param, "size");
            assert_non_null(strstr(error.why.text, "divisible by 8"));
        }
        request_close(&r);
    }
}

static const struct {
    const char *members, *param, *says;
} bad_members[] = {
    {"\"prompt\":\"\"", "prompt", "1 to 32000"},
    {"\"prompt\":7", "prompt", "string"},
    {"\"n\":1", "prompt", "required"},
    {"\"prompt\":null", "prompt", "required"},
    {"\"prompt\":\"a\",\"negative_prompt\":[]", "negative_prompt", "string"},
    {"\"prompt\":\"a\",\"model\":1", "model", "string"},
    {"\"prompt\":\"a\",\"n\":0", "n", "from 1 to 10"},
    {"\"prompt\":\"a\",\"n\":11", "n", "from 1 to 10"},
    {"\"prompt\":\"a\",\"n\":1.5", "n", "integer"},
    {"\"prompt\":\"a\",\"n\":\"1\"", "n", "integer"},
    {"\"prompt\":\"a\",\"n\":true", "n", "integer"},
    {"\"prompt\":\"a\",\"size\":\"512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"512x\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"x512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"512x512x3\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"512X512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\" 512x512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"-8x512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"0x0\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":\"4294967808x512\"", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"size\":512", "size", "WIDTHxHEIGHT"},
    {"\"prompt\":\"a\",\"num_inference_steps\":0", "num_inference_steps", "from 1 to 150"},
    {"\"prompt\":\"a\",\"num_inference_steps\":151", "num_inference_steps", "from 1 to 150"},
    {"\"prompt\":\"a\",\"guidance_scale\":-0.1", "guidance_scale", "from 0 to 100"},
    {"\"prompt\":\"a\",\"guidance_scale\":100.5", "guidance_scale", "from 0 to 100"},
    {"\"prompt\":\"a\",\"guidance_scale\":\"7\"", "guidance_scale", "from 0 to 100"},
    {"\"prompt\":\"a\",\"seed\":-1", "seed", "from 0 to 9007199254740991"},
    {"\"prompt\":\"a\",\"seed\":9007199254740992", "seed", "from 0 to 9007199254740991"},
    {"\"prompt\":\"a\",\"seed\":1e3", "seed", "integer"},
    {"\"prompt\":\"a\",\"n\":2,\"seed\":9007199254740991", "seed", "seed + n - 1"},
    {"\"prompt\":\"a\",\"sampler\":\"euler_a\"", "sampler", "euler_ancestral"},
    {"\"prompt\":\"a\",\"sampler\":3", "sampler", "one of"},
    {"\"prompt\":\"a\",\"output_format\":\"gif\"", "output_format", "png, webp, jpeg"},
    {"\"prompt\":\"a\",\"output_format\":\"jpg\"", "output_format", "png, webp, jpeg"},
    {"\"prompt\":\"a\",\"output_compression\":101", "output_compression", "from 0 to 100"},
    {"\"prompt\":\"a\",\"output_compression\":-1", "output_compression", "from 0 to 100"},
    {"\"prompt\":\"a\",\"response_format\":\"url\"", "response_format", "b64_json"},
    {"\"prompt\":\"a\",\"response_format\":\"file\"", "response_format", "b64_json"},
    {"\"prompt\":\"a\",\"stream\":1", "stream", "true or false"},
    {"\"prompt\":\"a\",\"partial_images\":2", "partial_images", "needs stream"},
    {"\"prompt\":\"a\",\"partial_images\":4", "partial_images", "from 0 to 3"},
    {"\"prompt\":\"a\",\"quality\":\"best\"", "quality", "one of"},
    {"\"prompt\":\"a\",\"style\":\"loud\"", "style", "vivid, natural"},
    {"\"prompt\":\"a\",\"moderation\":\"off\"", "moderation", "auto, low"},
    {"\"prompt\":\"a\",\"background\":\"transparent\"", "background", "opaque"},
    {"\"prompt\":\"a\",\"background\":\"green\"", "background", "one of"},
    {"\"prompt\":\"a\",\"user\":1", "user", "string"},
    {"\"prompt\":\"a\",\"user\":\"" SIXTY "12345\"", "user", "at most 64 bytes; it has 65"},
    {"\"prompt\":\"a\",\"safety_identifier\":\"" SIXTY "12345\"", "safety_identifier", "64"},
    {"\"prompt\":\"a\",\"context\":[]", "context", "string"},
    {"\"prompt\":\"a\",\"context\":\"" SIXTY "\"", "context", "at most 48"},
    {"\"prompt\":\"a\",\"steps\":20", "steps", "not a field"},
    {"\"prompt\":\"a\",\"\":1", "", "not a field"},
};

/* Goal: every bad value is refused, and the refusal names the field and what it may be. */
static void request_parse_names_the_bad_field(void **state)
{

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_members); i++) {
        struct request_error error;
        struct request r;
        char body[256];

        snprintf(body, sizeof(body), "{%s}", bad_members[i].members);
        if (parse(&r, body, &error) == ST_OK)
            fail_msg("%s was taken", body);
        if (strcmp(error.param, bad_members[i].param) ||
            !strstr(error.why.text, bad_members[i].says))
            fail_msg("%s: param '%s', '%s'", body, error.param, error.why.text);
        assert_null(r.document);
    }
}

/* Goal: what is no JSON object is refused, with the place where it breaks. */
static void request_parse_refuses_what_is_not_json(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "{\"prompt\":\"a\"",
        "{\"prompt\":\"a",
        "{\"prompt\":\"a\"}}",
        "{\"prompt\":\"a\",}",
        "{\"prompt\":\"a\",\"prompt\":\"b\"}",
        "{\"prompt\":\"a\\u0000b\"}",
        "{\"prompt\":\"\xc3\x28\"}",
        "{\"prompt\":\"\xed\xa0\x80\"}",
        "{\"prompt\":\"\\ud800\"}",
        "{\"prompt\":\"a\",\"guidance_scale\":NaN}",
        "{\"prompt\":\"a\",\"guidance_scale\":Infinity}",
        "{\"prompt\":\"a\",\"guidance_scale\":1e999}",
        "{\"prompt\":\"a\",\"seed\":99999999999999999999}",
        "prompt=a",
    };
    struct request_error error;
    struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        if (parse(&r, bodies[i], &error) != ST_INVALID)
            fail_msg("'%s' was taken", bodies[i]);
        if (!strstr(error.why.text, "line 1"))
            fail_msg("'%s' does not say where: %s", bodies[i], error.why.text);
        assert_string_equal(error.code, "invalid_json");
    }
    assert_int_equal(parse(&r, "[]", &error), ST_INVALID);
    assert_non_null(strstr(error.why.text, "object"));
    assert_int_equal(parse(&r, "\"fox\"", &error), ST_INVALID);
}

static void request_parse_refuses_what_is_too_deep(void **state)
{
    struct request_error error;
    struct request r;
    char body[1024] = "{\"prompt\":";

    (void)state;
    memset(body + strlen(body), '[', 500);
    assert_int_equal(parse(&r, body, &error), ST_INVALID);
    assert_non_null(strstr(error.why.text, "deeper"));
}

/* Method: a prompt of `count` characters of four bytes each, so that bytes are not characters. */
static enum status parse_long(int count, struct request_error *error)
{
    size_t bytes = (size_t)count * 4 + 32, used;
    char *body = malloc(bytes);
    struct request r;
    enum status st;

    assert_non_null(body);
    used = (size_t)snprintf(body, bytes, "{\"prompt\":\"");
    for (int i = 0; i < count; i++, used += 4)
        memcpy(body + used, "\xf0\x9f\xa6\x8a", 4);
    used += (size_t)snprintf(body + used, bytes - used, "\"}");
    st = request_parse(&r, body, used, error);
    request_close(&r);
    free(body);
    return st;
}

static void request_parse_counts_characters_not_bytes(void **state)
{
    struct request_error error;

    (void)state;
    assert_int_equal(parse_long(REQUEST_PROMPT_MAX, &error), ST_OK);
    assert_int_equal(parse_long(REQUEST_PROMPT_MAX + 1, &error), ST_INVALID);
    assert_string_equal(error.param, "prompt");
    assert_non_null(strstr(error.why.text, "it has 32001"));
}

/* Goal: no failed allocation while parsing may crash, leak or half-fill the request.
   Method: fail the first allocation, then the second, until a parse needs no more of them. */
static void request_parse_survives_every_failed_allocation(void **state)
{
    static const char body[] = "{\"prompt\":\"a red fox\",\"size\":\"512x512\",\"seed\":7}";

    (void)state;
    for (int nth = 1;; nth++) {
        struct request_error error;
        struct request r;
        enum status st;

        fault_arm(nth);
        st = parse(&r, body, &error);
        fault_disarm();
        if (!fault_fired()) {
            assert_int_equal(st, ST_OK);
            assert_true(nth > 3);
            request_close(&r);
            return;
        }
        assert_int_equal(st, ST_FULL);
        assert_null(r.document);
        assert_int_equal(r.width, 0);
        assert_int_equal(fault_live(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_parse_reads_every_field),
        cmocka_unit_test(request_picture_takes_the_models_defaults),
        cmocka_unit_test(request_picture_keeps_sizes_within_model_and_server),
        cmocka_unit_test(request_parse_names_the_bad_field),
        cmocka_unit_test(request_parse_refuses_what_is_not_json),
        cmocka_unit_test(request_parse_refuses_what_is_too_deep),
        cmocka_unit_test(request_parse_counts_characters_not_bytes),
        cmocka_unit_test(request_parse_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
