/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request.c - what a stranger controls of a request: head, Accept header and body.
 *
 * The input is cut at its first NUL: what stands before it is the Accept header and a request head,
 * what stands behind it (or all of it, without a NUL) is the body. A body that is taken keeps every
 * promise that request.h makes to those who read the struct.
 */
#include "server/head.h"
#include "server/negotiate.h"
#include "server/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

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

/* Not assert: a build may turn that off. */
static void must(bool promise)
{
    if (!promise)
        abort();
}

static void check_refusal(const struct request *r, enum status st,
                          const struct request_error *error)
{
    must(st == ST_INVALID || st == ST_UNSUPPORTED);
    must(error->why.text[0] != '\0');
    must(r->document == NULL && r->prompt == NULL);
}

static void check_picture(const struct picture *p)
{
    must(p->width >= 64 && p->width <= 256 && p->width % 8 == 0);
    must(p->height >= 64 && p->height <= 256 && p->height % 8 == 0);
    must(p->steps >= 1 && p->steps <= SAMPLER_STEPS_MAX);
    must(p->guidance >= 0 && p->guidance <= REQUEST_GUIDANCE_MAX);
    must((int)p->sampler >= 0 && p->sampler < SAMPLER_COUNT);
    must(p->seed <= REQUEST_SEED_MAX);
}

static void check_body(const char *body, size_t bytes)
{
    struct request_error error;
    struct picture picture;
    struct request r;
    enum status st = request_parse(&r, body, bytes, &error);

    if (st) {
        check_refusal(&r, st, &error);
        return;
    }
    must(r.prompt[0] != '\0' && strlen(r.prompt) <= (size_t)REQUEST_PROMPT_MAX * 4);
    must(strlen(r.negative) <= (size_t)REQUEST_PROMPT_MAX * 4);
    must(r.images >= 1 && r.images <= REQUEST_IMAGES_MAX);
    must(r.compression >= -1 && r.compression <= 100);
    st = request_picture(&r, &model, 0, &picture, &error);
    if (st)
        must(!strcmp(error.param, "size"));
    else
        check_picture(&picture);
    request_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    const char *cut = bytes ? memchr(text, '\0', bytes) : NULL;
    size_t before = cut ? (size_t)(cut - text) : 0;
    struct wish wish = negotiate_accept(text, before);
    struct why why = {""};

    must(!wish.raw || wish.format[wish.best]);
    if (head_check(text, before, true, &why))
        must(why.text[0] != '\0');
    negotiate_is_json(text, before);
    check_body(cut ? cut + 1 : text, cut ? bytes - before - 1 : bytes);
    return 0;
}
