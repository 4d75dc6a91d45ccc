/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* One field of the body: its name, and how its value (never null) gets into the request. */
struct field {
    const char *name;
    enum status (*read)(struct request *r, const char *name, const struct json *value,
                        struct why *why);
};

/* ---- values by kind ---- */

static enum status read_integer(int64_t *out, const char *name, const struct json *value,
                                int64_t low, int64_t high, struct why *why)
{
    if (json_type_of(value) != JSON_TYPE_INT || json_as_int(value) < low ||
        json_as_int(value) > high)
        return why_fail(why, ST_INVALID, "%s must be an integer from %lld to %lld", name,
                        (long long)low, (long long)high);
    *out = json_as_int(value);
    return ST_OK;
}

static enum status read_text(const char **out, const char *name, const struct json *value,
                             struct why *why)
{
    if (json_type_of(value) != JSON_TYPE_STRING)
        return why_fail(why, ST_INVALID, "%s must be a string", name);
    *out = json_as_string(value);
    return ST_OK;
}

/* A word out of a list, whose index is *chosen. */
static enum status read_word(size_t *chosen, const char *name, const struct json *value,
                             const char *const *words, struct why *why)
{
    char list[256] = "";

    for (size_t i = 0; words[i]; i++) {
        size_t used = strlen(list);

        *chosen = i;
        if (json_type_of(value) == JSON_TYPE_STRING && strcmp(json_as_string(value), words[i]) == 0)
            return ST_OK;
        snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
    }
    return why_fail(why, ST_INVALID, "%s must be one of: %s", name, list);
}

static size_t characters_of(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

/* ---- fields that make the picture ---- */

static enum status read_prompt(struct request *r, const char *name, const struct json *value,
                               struct why *why)
{
    enum status st = read_text(&r->prompt, name, value, why);
    size_t characters;

    if (st)
        return st;
    characters = characters_of(r->prompt);
    if (characters < 1 || characters > REQUEST_PROMPT_MAX)
        return why_fail(why, ST_INVALID, "prompt must have 1 to %d characters; it has %zu",
                        REQUEST_PROMPT_MAX, characters);
    r->prompt_characters = (int)characters;
    return ST_OK;
}

static enum status read_negative(struct request *r, const char *name, const struct json *value,
                                 struct why *why)
{
    enum status st = read_text(&r->negative, name, value, why);
    size_t characters;

    if (st)
        return st;
    characters = characters_of(r->negative);
    if (characters > REQUEST_PROMPT_MAX)
        return why_fail(why, ST_INVALID, "%s must have at most %d characters; it has %zu", name,
                        REQUEST_PROMPT_MAX, characters);
    r->negative_characters = (int)characters;
    return ST_OK;
}

static enum status read_model(struct request *r, const char *name, const struct json *value,
                              struct why *why)
{
    return read_text(&r->model, name, value, why);
}

static enum status read_count(struct request *r, const char *name, const struct json *value,
                              struct why *why)
{
    int64_t n = 1;
    enum status st = read_integer(&n, name, value, 1, REQUEST_IMAGES_MAX, why);

    r->images = (int)n;
    return st;
}

/* Up to five digits; 0 when there are none or more. */
static int read_side(const char **text)
{
    int side = 0, digits = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++, digits++)
        side = digits < 5 ? side * 10 + (**text - '0') : 0;
    return digits > 5 ? 0 : side;
}

static enum status read_size(struct request *r, const char *name, const struct json *value,
                             struct why *why)
{
    const char *text = json_type_of(value) == JSON_TYPE_STRING ? json_as_string(value) : "";

    if (strcmp(text, "auto") == 0)
        return ST_OK;
    r->width = read_side(&text);
    if (*text++ == 'x')
        r->height = read_side(&text);
    if (r->width > 0 && r->height > 0 && *text == '\0')
        return ST_OK;
    return why_fail(why, ST_INVALID,
                    "%s must be \"WIDTHxHEIGHT\" in pixels, as \"512x512\", or \"auto\"", name);
}

static enum status read_steps(struct request *r, const char *name, const struct json *value,
                              struct why *why)
{
    int64_t steps = 0;
    enum status st = read_integer(&steps, name, value, 1, SAMPLER_STEPS_MAX, why);

    r->steps = (int)steps;
    return st;
}

static enum status read_guidance(struct request *r, const char *name, const struct json *value,
                                 struct why *why)
{
    enum json_type type = json_type_of(value);
    double guidance = type == JSON_TYPE_INT || type == JSON_TYPE_REAL ? json_as_real(value) : -1;

    if (!(isfinite(guidance) && guidance >= 0 && guidance <= REQUEST_GUIDANCE_MAX))
        return why_fail(why, ST_INVALID, "%s must be a number from 0 to %d", name,
                        REQUEST_GUIDANCE_MAX);
    r->guidance = guidance;
    return ST_OK;
}

static enum status read_seed(struct request *r, const char *name, const struct json *value,
                             struct why *why)
{
    int64_t seed = 0;
    enum status st = read_integer(&seed, name, value, 0, REQUEST_SEED_MAX, why);

    r->seed = (uint64_t)seed;
    r->seed_given = true;
    return st;
}

static enum status read_sampler(struct request *r, const char *name, const struct json *value,
                                struct why *why)
{
    const char *words[SAMPLER_COUNT + 1] = {NULL};
    size_t chosen = 0;
    enum status st;

    for (int i = 0; i < SAMPLER_COUNT; i++)
        words[i] = sampler_name((enum sampler)i);
    st = read_word(&chosen, name, value, words, why);
    r->sampler = (enum sampler)chosen;
    r->sampler_given = true;
    return st;
}

static enum status read_priority(struct request *r, const char *name, const struct json *value,
                                 struct why *why)
{
    static const char *const words[] = {"normal", "high", "low", NULL};
    size_t chosen = 0;
    enum status st = read_word(&chosen, name, value, words, why);

    r->priority = (enum priority)chosen;
    return st;
}

/* ---- fields that say how it comes back ---- */

static enum status read_format(struct request *r, const char *name, const struct json *value,
                               struct why *why)
{
    static const char *const words[] = {"png", "webp", "jpeg", NULL};
    size_t chosen = 0;
    enum status st = read_word(&chosen, name, value, words, why);

    if (st)
        return st;
    r->format_given = true;
    return encode_format_from_name(&r->format, words[chosen]);
}

static enum status read_compression(struct request *r, const char *name, const struct json *value,
                                    struct why *why)
{
    int64_t compression = 0;
    enum status st = read_integer(&compression, name, value, 0, 100, why);

    r->compression = (int)compression;
    return st;
}

static enum status read_response_format(struct request *r, const char *name,
                                        const struct json *value, struct why *why)
{
    (void)r;
    if (json_type_of(value) == JSON_TYPE_STRING && strcmp(json_as_string(value), "b64_json") == 0)
        return ST_OK;
    if (json_type_of(value) == JSON_TYPE_STRING && strcmp(json_as_string(value), "url") == 0)
        return why_fail(why, ST_UNSUPPORTED,
                        "%s url is not supported: take b64_json, or ask for raw bytes with the "
                        "header Accept: image/png",
                        name);
    return why_fail(why, ST_INVALID, "%s must be b64_json", name);
}

static enum status read_stream(struct request *r, const char *name, const struct json *value,
                               struct why *why)
{
    if (json_type_of(value) != JSON_TYPE_BOOL)
        return why_fail(why, ST_INVALID, "%s must be true or false", name);
    r->stream = json_as_bool(value);
    return ST_OK;
}

static enum status read_partial(struct request *r, const char *name, const struct json *value,
                                struct why *why)
{
    int64_t count = 0;
    enum status st = read_integer(&count, name, value, 0, JOB_PREVIEWS_MAX, why);

    r->partials = (int)count;
    return st;
}

/* ---- fields that OpenAI's clients may send ---- */

static enum status read_quality(struct request *r, const char *name, const struct json *value,
                                struct why *why)
{
    static const char *const words[] = {"auto", "low",      "medium", "high", "xhigh",
                                        "max",  "standard", "hd",     NULL};
    size_t chosen;

    (void)r;
    return read_word(&chosen, name, value, words, why);
}

static enum status read_style(struct request *r, const char *name, const struct json *value,
                              struct why *why)
{
    static const char *const words[] = {"vivid", "natural", NULL};
    size_t chosen;

    (void)r;
    return read_word(&chosen, name, value, words, why);
}

static enum status read_moderation(struct request *r, const char *name, const struct json *value,
                                   struct why *why)
{
    static const char *const words[] = {"auto", "low", NULL};
    size_t chosen;

    (void)r;
    return read_word(&chosen, name, value, words, why);
}

static enum status read_background(struct request *r, const char *name, const struct json *value,
                                   struct why *why)
{
    static const char *const words[] = {"auto", "opaque", "transparent", NULL};
    size_t chosen = 0;
    enum status st = read_word(&chosen, name, value, words, why);

    (void)r;
    if (!st && chosen == 2)
        return why_fail(why, ST_UNSUPPORTED, "%s transparent is not supported: say auto or opaque",
                        name);
    return st;
}

static enum status read_word_of_theirs(const char **out, const char *name, const struct json *value,
                                       size_t bytes_max, struct why *why)
{
    enum status st = read_text(out, name, value, why);
    size_t bytes = st ? 0 : strlen(*out);

    if (bytes > bytes_max)
        return why_fail(why, ST_INVALID, "%s must have at most %zu bytes; it has %zu", name,
                        bytes_max, bytes);
    return st;
}

static enum status read_user(struct request *r, const char *name, const struct json *value,
                             struct why *why)
{
    return read_word_of_theirs(&r->user, name, value, REQUEST_USER_MAX, why);
}

static enum status read_context(struct request *r, const char *name, const struct json *value,
                                struct why *why)
{
    return read_word_of_theirs(&r->context, name, value, REQUEST_CONTEXT_MAX, why);
}

static const struct field fields[] = {
    {"prompt", read_prompt},
    {"negative_prompt", read_negative},
    {"model", read_model},
    {"n", read_count},
    {"size", read_size},
    {"num_inference_steps", read_steps},
    {"guidance_scale", read_guidance},
    {"seed", read_seed},
    {"sampler", read_sampler},
    {"priority", read_priority},
    {"output_format", read_format},
    {"output_compression", read_compression},
    {"response_format", read_response_format},
    {"stream", read_stream},
    {"partial_images", read_partial},
    {"quality", read_quality},
    {"style", read_style},
    {"moderation", read_moderation},
    {"background", read_background},
    {"user", read_user},
    {"safety_identifier", read_user},
    {"context", read_context},
};

/* ---- the whole body ---- */

static enum status fail(struct request_error *error, enum status st, const char *param,
                        const char *code)
{
    snprintf(error->param, sizeof(error->param), "%s", param);
    error->code = code;
    return st;
}

static enum status read_field(struct request *r, const char *name, const struct json *value,
                              struct request_error *error)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        enum status st;

        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (json_type_of(value) == JSON_TYPE_NULL)
            return ST_OK;
        st = fields[i].read(r, name, value, &error->why);
        return st ? fail(error, st, name, st == ST_UNSUPPORTED ? "unsupported_value" : NULL) : st;
    }
    why_fail(&error->why, ST_INVALID, "%.64s is not a field of this request", name);
    return fail(error, ST_INVALID, name, "unknown_parameter");
}

static enum status read_fields(struct request *r, struct request_error *error)
{
    const struct json *value;
    const char *name;
    void *at = NULL;

    if (json_type_of(r->document) != JSON_TYPE_OBJECT) {
        why_fail(&error->why, ST_INVALID, "the body must be a JSON object");
        return fail(error, ST_INVALID, "", NULL);
    }
    while (json_next(r->document, &at, &name, &value)) {
        enum status st = read_field(r, name, value, error);

        if (st)
            return st;
    }
    return ST_OK;
}

/* What no field says alone. */
static enum status check_together(const struct request *r, struct request_error *error)
{
    if (!r->prompt) {
        why_fail(&error->why, ST_INVALID, "prompt is required: a string of 1 to %d characters",
                 REQUEST_PROMPT_MAX);
        return fail(error, ST_INVALID, "prompt", "missing_required_parameter");
    }
    if (r->partials && !r->stream) {
        why_fail(&error->why, ST_INVALID, "partial_images needs stream to be true");
        return fail(error, ST_INVALID, "partial_images", NULL);
    }
    if (r->seed_given && r->seed + (uint64_t)r->images - 1 > REQUEST_SEED_MAX) {
        why_fail(&error->why, ST_INVALID, "seed + n - 1 must be at most %lld",
                 (long long)REQUEST_SEED_MAX);
        return fail(error, ST_INVALID, "seed", NULL);
    }
    return ST_OK;
}

enum status request_parse(struct request *out, const char *body, size_t bytes,
                          struct request_error *error)
{
    enum status st;

    *out = (struct request){.negative = "", .images = 1, .guidance = -1, .compression = -1};
    *error = (struct request_error){.param = ""};
    st = json_parse(&out->document, body, bytes, &error->why);
    if (st) {
        *out = (struct request){0};
        return fail(error, st, "", st == ST_INVALID ? "invalid_json" : NULL);
    }
    st = read_fields(out, error);
    if (!st)
        st = check_together(out, error);
    if (st)
        request_close(out);
    return st;
}

void request_close(struct request *r)
{
    json_close(&r->document);
    *r = (struct request){0};
}

static bool is_side_possible(int side, const struct model_info *info, int high)
{
    return side >= info->size_min && side <= high && side % info->size_multiple == 0;
}

enum status request_picture(const struct request *r, const struct model_info *info, int size_max,
                            struct picture *out, struct request_error *error)
{
    int high = size_max > 0 && size_max < info->size_max ? size_max : info->size_max;
    int side = info->size_default < high ? info->size_default
                                         : high / info->size_multiple * info->size_multiple;

    *error = (struct request_error){.param = ""};
    *out = (struct picture){
        .prompt = r->prompt,
        .negative = r->negative,
        .width = r->width ? r->width : side,
        .height = r->height ? r->height : side,
        .steps = r->steps ? r->steps : info->steps_default,
        .guidance = r->guidance >= 0 ? r->guidance : info->guidance_default,
        .sampler = r->sampler_given ? r->sampler : info->sampler_default,
        .seed = r->seed,
    };
    if (is_side_possible(out->width, info, high) && is_side_possible(out->height, info, high))
        return ST_OK;
    why_fail(&error->why, ST_INVALID,
             "size must have sides from %d to %d pixels, divisible by %d; it is %dx%d",
             info->size_min, high, info->size_multiple, out->width, out->height);
    return fail(error, ST_INVALID, "size", NULL);
}
