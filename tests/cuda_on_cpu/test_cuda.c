/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs that are not as one would wish: absent, too old, full, failing. On the emulated one.
 */
#include "engine/sizing.h"
#include "kernels/cuda.h"
#include "kernels/devices.h"
#include "models/model.h"
#include "models/unet.h"
#include "tests/cuda_on_cpu/control.h"
#include "tests/unit.h"

#include <string.h>

static const struct device_options gpu = {.accelerator = ACCELERATOR_CUDA};

static int reset(void **state)
{
    (void)state;
    control_reset();
    return 0;
}

static void expect_no_gpu(const char *words)
{
    struct devices devices;
    struct why why = {""};

    assert_int_equal(devices_find(&devices, "cuda", gpu, &why), ST_UNSUPPORTED);
    if (!strstr(why.text, words))
        fail_msg("'%s' does not say '%s'", why.text, words);
    assert_int_equal(devices_find(&devices, "auto", (struct device_options){0}, &why), ST_OK);
    assert_int_equal(devices.count, 1);
    assert_int_equal(devices.device[0].accelerator, ACCELERATOR_CPU);
}

static void a_machine_without_a_driver_uses_the_cpu(void **state)
{
    (void)state;
    control_now()->driver = 0;
    expect_no_gpu("no NVIDIA driver");
}

static void an_old_driver_is_named_with_the_version_it_lacks(void **state)
{
    (void)state;
    control_now()->driver = 12040;
    expect_no_gpu("CUDA 12.4, older than the CUDA 13.0");
}

static void an_old_gpu_is_refused_with_what_it_would_take(void **state)
{
    (void)state;
    control_now()->major = 7;
    expect_no_gpu("limner needs 8.0");
}

static void every_gpu_is_found_and_listed_ones_are_taken(void **state)
{
    struct devices devices;
    struct why why = {""};
    (void)state;

    control_now()->devices = 3;
    assert_int_equal(devices_find(&devices, "auto", (struct device_options){0}, &why), ST_OK);
    assert_int_equal(devices.count, 3);
    assert_int_equal(devices_find(&devices, "cuda:2,0", gpu, &why), ST_OK);
    assert_int_equal(devices.count, 2);
    assert_int_equal(devices.device[0].index, 2);
    assert_int_equal(devices_find(&devices, "cuda:3", gpu, &why), ST_UNSUPPORTED);
    assert_non_null(strstr(why.text, "from 0 to 2"));
}

static void a_device_says_what_it_is(void **state)
{
    struct device *d = NULL;
    struct why why = {""};
    char text[200];
    (void)state;

    assert_int_equal(device_open(&d, gpu, &why), ST_OK);
    device_describe(d, text, sizeof(text));
    assert_non_null(strstr(text, "cuda:0: a GPU on a CPU, sm_90, cuBLASLt, graphs, bf16"));
    device_close(&d);
}

/* Goal: a model that does not fit says how large it is and how much there was, and leaves nothing
   behind. Method: half of what the tiny model's weights take. */
static void a_model_larger_than_memory_says_so(void **state)
{
    struct device *d = NULL;
    struct model *m = NULL;
    struct why why = {""};
    long before;
    (void)state;

    assert_int_equal(device_open(&d, gpu, &why), ST_OK);
    before = control_count().live;
    control_now()->memory = (size_t)34 << 20; /* cuBLASLt's workspace has 32 of them */
    assert_int_equal(model_open(&m, d, "starter", &why), ST_FULL);
    assert_null(m);
    if (!strstr(why.text, "starter needs") || !strstr(why.text, "MiB"))
        fail_msg("%s", why.text);
    control_now()->memory = (size_t)8 << 30;
    assert_int_equal(device_sync(d), ST_OK);         /* being full is no illness */
    assert_true(control_count().live <= before + 1); /* scratch memory may have grown */
    device_close(&d);
    assert_int_equal(control_count().live, 0);
}

/* One model on a GPU, and memory for one picture on it. */
struct seat_for_one {
    struct device *device;
    struct model *model;
    struct latent latent;
    struct picture picture;
};

static void carve_one(void *context)
{
    struct seat_for_one *s = context;

    model_latent_carve(s->model, &s->latent, s->picture.width, s->picture.height);
}

static enum status rehearse_one(void *context, int m, struct why *why)
{
    struct seat_for_one *s = context;

    assert_int_equal(m, 0);
    return model_rehearse(s->model, 1, s->picture.width, s->picture.height, why);
}

/* Sized where `left` bytes are left once the model is loaded. What single ops keep beside the arena
   is not part of it: they find memory again. */
static enum status open_one(struct seat_for_one *s, size_t left, int tile, struct why *why)
{
    struct sizing sizing = {.models = &s->model,
                            .model_count = 1,
                            .tile = tile,
                            .carve = carve_one,
                            .rehearse = rehearse_one,
                            .context = s};
    size_t all, before;
    enum status st;

    *s = (struct seat_for_one){.picture = {.prompt = "fox",
                                           .negative = "",
                                           .width = 256,
                                           .height = 64,
                                           .steps = 2,
                                           .guidance = 1,
                                           .seed = 5}};
    control_reset();
    assert_int_equal(device_open(&s->device, gpu, why), ST_OK);
    assert_int_equal(model_open(&s->model, s->device, "tests/golden/tiny_sd1", why), ST_OK);
    assert_int_equal(cudaMemGetInfo(&before, &all), cudaSuccess);
    control_now()->memory = all - before + left;
    sizing.device = s->device;
    st = sizing_take(&sizing, why);
    control_now()->memory = (size_t)8 << 30;
    return st;
}

static void close_one(struct seat_for_one *s)
{
    model_close(&s->model);
    device_close(&s->device);
    assert_int_equal(control_count().live, 0);
}

static void decode_one(struct seat_for_one *s, struct image *image)
{
    struct why why = {""};

    assert_int_equal(model_latent_start(s->model, &s->latent, &s->picture, NULL, NULL, &why),
                     ST_OK);
    assert_int_equal(model_decode(s->model, &s->latent, image, NULL, &why), ST_OK);
}

/* Goal: where memory is short of a whole picture, it is decoded in tiles, to the bytes that an
   operator gets who asks for these tiles; where it is short of a tile too, that is said.
   Method: a byte less than each of them takes. */
static void a_gpu_too_small_for_the_picture_decodes_in_tiles(void **state)
{
    static const size_t plenty = (size_t)1 << 30;
    struct image short_of, asked;
    struct seat_for_one s;
    struct why why = {""};
    size_t whole, tiled;
    char text[100];
    (void)state;

    assert_int_equal(open_one(&s, plenty, 0, &why), ST_OK);
    assert_int_equal(model_info(s.model)->tile, 0);
    sizing_describe(&s.model, 1, text, sizeof(text));
    assert_string_equal(text, "");
    whole = s.device->arena.peak;
    close_one(&s);

    assert_int_equal(open_one(&s, plenty, 16, &why), ST_OK);
    tiled = s.device->arena.peak;
    decode_one(&s, &asked);
    close_one(&s);
    assert_true(tiled < whole);

    assert_int_equal(open_one(&s, whole - 1, 0, &why), ST_OK);
    assert_int_equal(model_info(s.model)->tile, 16);
    sizing_describe(&s.model, 1, text, sizeof(text));
    assert_string_equal(text, ", tiny_sd1 decodes in tiles of 16 latents");
    assert_true(s.device->arena.peak == tiled);
    decode_one(&s, &short_of);
    close_one(&s);
    assert_memory_equal(short_of.rgb, asked.rgb, (size_t)256 * 64 * 3);
    image_close(&short_of);
    image_close(&asked);

    assert_int_equal(open_one(&s, tiled - 1, 0, &why), ST_FULL);
    assert_non_null(strstr(why.text, "MiB of memory for activations; serve smaller pictures"));
    assert_int_equal(device_sync(s.device), ST_OK);
    close_one(&s);
    assert_int_equal(open_one(&s, whole - 1, 32, &why), ST_FULL); /* what is asked for is done */
    close_one(&s);
}

enum { TOGETHER = 3, PARTY_STEPS = 20 };

/* Pictures of an SDXL that have just sat down. */
struct party {
    struct device *device;
    struct model *model;
    struct latent seat[TOGETHER], *seats[TOGETHER];
};

static void open_party(struct party *p)
{
    struct picture picture = {.prompt = "fox",
                              .negative = "red",
                              .width = 64,
                              .height = 64,
                              .steps = PARTY_STEPS,
                              .guidance = 3,
                              .sampler = SAMPLER_DDIM};
    struct why why = {""};

    assert_int_equal(device_open(&p->device, gpu, &why), ST_OK);
    assert_int_equal(model_open(&p->model, p->device, "tests/golden/tiny_sdxl", &why), ST_OK);
    device_measure_begin(p->device);
    for (int i = 0; i < TOGETHER; i++)
        model_latent_carve(p->model, &p->seat[i], 64, 64);
    assert_int_equal(model_rehearse(p->model, TOGETHER, 64, 64, &why), ST_OK);
    assert_int_equal(device_measure_end(p->device, &why), ST_OK);
    for (int i = 0; i < TOGETHER; i++) {
        p->seats[i] = &p->seat[i];
        model_latent_carve(p->model, &p->seat[i], 64, 64);
        picture.seed = (uint64_t)i;
        assert_int_equal(model_latent_start(p->model, &p->seat[i], &picture, NULL, NULL, &why),
                         ST_OK);
    }
}

static void close_party(struct party *p)
{
    model_close(&p->model);
    device_close(&p->device);
    assert_int_equal(control_count().live, 0);
}

/* One step of the first so many, and what it asked the GPU for. */
static struct control_counts step_counted(struct party *p, int count)
{
    struct control_counts before = control_count(), after;

    model_step(p->model, p->seats, count);
    assert_int_equal(device_sync(p->device), ST_OK);
    after = control_count();
    after.launches -= before.launches;
    after.graph_launches -= before.graph_launches;
    return after;
}

/* Goal: a step starts no more kernels for many pictures than for one, and its network is one graph.
   Method: pictures at steps of their own, after steps that prepare and that capture. */
static void a_step_brings_all_pictures_at_once(void **state)
{
    struct control_counts counts;
    struct party p;
    (void)state;

    open_party(&p);
    step_counted(&p, 1);
    step_counted(&p, TOGETHER);
    assert_int_equal(device_prepare(p.device), ST_OK);
    step_counted(&p, 1);
    step_counted(&p, TOGETHER);
    for (int count = 1; count <= TOGETHER; count += TOGETHER - 1) {
        counts = step_counted(&p, count);
        assert_int_equal(counts.graph_launches, 1);
        assert_int_equal(counts.launches, 4); /* for x, time and prompts, and the sampler's */
    }
    close_party(&p);
}

/* Goal: what time adds to a step is the same to a bit, read for all steps at once or for one alone.
   Method: what a picture keeps, against a UNet on the same device that is asked step by step. */
static void time_is_read_for_all_steps_as_for_one(void **state)
{
    struct party p;
    struct latent *l = &p.seat[0];
    struct unet *u = NULL;
    struct why why = {""};
    (void)state;

    open_party(&p);
    assert_int_equal(unet_open(&u, p.device, "tests/golden/tiny_sdxl/unet", &why), ST_OK);
    model_step(p.model, p.seats, 1);
    for (int s = 0; s < PARTY_STEPS; s++) {
        struct tensor kept = tensor_slice(l->shift, 2 * s, 2), alone, t;
        const float when[2] = {l->plan.step[s].t, l->plan.step[s].t};
        size_t mark = arena_mark(&p.device->arena), bytes = tensor_bytes(kept);
        char numbers[2][4096];

        assert_true(bytes <= sizeof(numbers[0]));
        alone = tensor_carve_like(&p.device->arena, kept);
        t = tensor_carve(&p.device->arena, DTYPE_F32, 2, 1, 1, 1);
        p.device->ops.upload(p.device, t, when);
        unet_read_time(u, alone, t, l->added);
        p.device->ops.download(p.device, numbers[0], alone);
        p.device->ops.download(p.device, numbers[1], kept);
        arena_rewind(&p.device->arena, mark);
        assert_memory_equal(numbers[0], numbers[1], bytes);
    }
    unet_close(&u);
    close_party(&p);
}

/* Goal: whichever call of the runtime fails while a device opens, computes and closes, nothing
   crashes, and it is noticed. Method: fail the first, then the second, until all went well. */
static void every_call_may_fail(void **state)
{
    float numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8];
    (void)state;

    for (int nth = 1; nth < 1000; nth++) {
        struct device *d = NULL;
        struct why why = {""};
        struct tensor t = tensor_view(NULL, DTYPE_F32, 1, 1, 1, 8);
        enum status st;

        control_reset();
        control_now()->fail_nth = nth;
        st = device_open(&d, gpu, &why);
        if (!st) {
            t.data = d->ops.memory_take(d, sizeof(numbers));
            if (t.data) {
                d->ops.upload(d, t, numbers);
                d->ops.affine(d, t, t, 2, 0);
                d->ops.download(d, back, t);
            }
            st = device_sync(d);
            d->ops.memory_give(d, t.data, sizeof(numbers));
            device_close(&d);
        } else {
            assert_true(why.text[0]);
        }
        if (control_now()->fail_nth > 0) { /* it was not reached */
            assert_int_equal(st, ST_OK);
            assert_true(back[7] == 16);
            return;
        }
        control_end_process();
    }
    fail_msg("there are always more calls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_machine_without_a_driver_uses_the_cpu, reset),
        cmocka_unit_test_teardown(an_old_driver_is_named_with_the_version_it_lacks, reset),
        cmocka_unit_test_teardown(an_old_gpu_is_refused_with_what_it_would_take, reset),
        cmocka_unit_test_teardown(every_gpu_is_found_and_listed_ones_are_taken, reset),
        cmocka_unit_test_teardown(a_device_says_what_it_is, reset),
        cmocka_unit_test_teardown(a_model_larger_than_memory_says_so, reset),
        cmocka_unit_test_teardown(a_gpu_too_small_for_the_picture_decodes_in_tiles, reset),
        cmocka_unit_test_teardown(a_step_brings_all_pictures_at_once, reset),
        cmocka_unit_test_teardown(time_is_read_for_all_steps_as_for_one, reset),
        cmocka_unit_test_teardown(every_call_may_fail, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
