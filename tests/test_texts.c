/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of prompts: which are, for how long, and that a picture does not know.
 */
#include "models/model.h"
#include "models/texts.h"
#include "tests/parity.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 5, IDS_MAX = 2 * 2 * LENGTH };

struct bench {
    struct device *d;
    struct texts *texts;
    int encoders;
    int32_t ids[IDS_MAX]; /* [encoders][2][LENGTH] */
};

static void open_bench(struct bench *b, int encoders)
{
    const struct texts_shape shape = {.encoders = encoders,
                                      .length = LENGTH,
                                      .context_width = 8,
                                      .pooled_width = encoders == 2 ? 6 : 0};
    struct why why = {""};

    memset(b, 0, sizeof(*b));
    b->d = parity_device(true);
    b->encoders = encoders;
    assert_int_equal(texts_open(&b->texts, shape, b->d, &why), ST_OK);
}

static void close_bench(struct bench *b)
{
    texts_close(&b->texts);
    device_close(&b->d);
}

/* Two texts that differ in the last id of the last encoder alone. */
static bool find(struct bench *b, int32_t negative, int32_t prompt, int row, struct text *text)
{
    int32_t *last = b->ids + (b->encoders - 1) * 2 * LENGTH;

    last[LENGTH - 1] = negative;
    last[2 * LENGTH - 1] = prompt;
    return texts_find(b->texts, b->ids, row, text);
}

static void a_text_is_there_the_second_time(void **state)
{
    (void)state;
    for (int encoders = 1; encoders <= 2; encoders++) {
        struct bench b;
        struct text first, again, other;

        open_bench(&b, encoders);
        assert_false(find(&b, 1, 2, 0, &first));
        assert_int_equal(first.ids[encoders * LENGTH - 1], 1);
        assert_false(find(&b, 1, 2, 1, &other));
        assert_true(find(&b, 1, 9, 0, &again));
        assert_ptr_equal(again.context.data, first.context.data);
        assert_ptr_not_equal(again.context.data, other.context.data);
        assert_int_equal(again.pooled.dim[3], encoders == 2 ? 6 : 0);
        assert_true(find(&b, 2, 1, 0, &again)); /* the side does not matter, the ids do */
        assert_ptr_equal(again.context.data, other.context.data);
        texts_forget(b.texts);
        assert_false(find(&b, 1, 2, 0, &again));
        close_bench(&b);
    }
}

/* Goal: the text that was not looked at for longest makes room. */
static void the_least_recently_used_makes_room(void **state)
{
    struct bench b;
    struct text text;
    (void)state;

    open_bench(&b, 1);
    for (int i = 0; i < TEXTS_MAX; i++)
        assert_false(find(&b, 0, i, 1, &text));
    assert_true(find(&b, 0, 0, 1, &text));
    assert_false(find(&b, 0, TEXTS_MAX, 1, &text)); /* in place of 1 */
    assert_true(find(&b, 0, 0, 1, &text));
    assert_true(find(&b, 0, 2, 1, &text));
    assert_false(find(&b, 0, 1, 1, &text));
    close_bench(&b);
}

static void make_room(struct device *d, const struct model *m, struct latent *l, int size)
{
    struct why why = {""};

    device_measure_begin(d);
    model_latent_carve(m, l, size, size);
    assert_int_equal(model_rehearse(m, 1, size, size, &why), ST_OK);
    assert_int_equal(device_measure_end(d, &why), ST_OK);
    model_latent_carve(m, l, size, size);
}

static void draw(struct model *m, struct latent *l, const char *prompt, struct image *image)
{
    const struct picture picture = {.prompt = prompt,
                                    .negative = "",
                                    .width = model_info(m)->size_default,
                                    .height = model_info(m)->size_default,
                                    .steps = 2,
                                    .guidance = 5,
                                    .sampler = model_info(m)->sampler_default,
                                    .seed = 3};
    struct why why = {""};

    assert_int_equal(model_latent_start(m, l, &picture, NULL, NULL, &why), ST_OK);
    while (!model_latent_done(l))
        model_step(m, &l, 1);
    assert_int_equal(model_decode(m, l, image, NULL, &why), ST_OK);
}

/* Goal: a prompt that is kept, was kept once, or never was, draws the same picture. */
static void a_picture_does_not_know_what_was_kept(void **state)
{
    struct device *d = parity_device(false);
    struct model *m;
    struct latent latent;
    struct image first, again;
    struct why why = {""};
    char prompt[32];
    (void)state;

    assert_int_equal(model_open(&m, d, "tests/golden/tiny_sdxl", &why), ST_OK);
    make_room(d, m, &latent, model_info(m)->size_default);
    draw(m, &latent, "a red house", &first);
    for (int i = 0; i <= TEXTS_MAX; i++) {
        if (i == 0 || i == TEXTS_MAX) {
            draw(m, &latent, "a red house", &again);
            assert_memory_equal(first.rgb, again.rgb, image_bytes(&first));
            image_close(&again);
        }
        snprintf(prompt, sizeof(prompt), "%d houses", i);
        draw(m, &latent, prompt, &again);
        assert_memory_not_equal(first.rgb, again.rgb, image_bytes(&first));
        image_close(&again);
    }
    image_close(&first);
    model_close(&m);
    device_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_there_the_second_time),
        cmocka_unit_test(the_least_recently_used_makes_room),
        cmocka_unit_test(a_picture_does_not_know_what_was_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
