/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/half.h"
#include "models/params.h"
#include "tests/parity.h"

#include <unistd.h>

#define WIDTH 4

/* A file with one of each: every float type, matrices laid out as linear layers and as 1x1
   convolutions, and whole numbers. Weight (n, k) of every matrix is 10 n + k. */
struct file {
    char path[64];
    struct device *device;
    struct params params;
    struct weight a, b; /* as long-lived as the params */
    struct why why;
};

static void add(struct weights_out *out, const char *name, struct tensor t, int dims)
{
    struct why why = {{0}};

    if (weights_out_add(out, name, t, dims, &why) != ST_OK)
        fail_msg("%s", why.text);
}

static void write_file(const char *path)
{
    float matrix[WIDTH * WIDTH], vector[WIDTH] = {1, -2, 0.5f, 65504};
    uint16_t half[WIDTH], bf16[WIDTH];
    int32_t whole[WIDTH] = {1, 2, 3, 4};
    struct weights_out *out = NULL;
    struct why why = {{0}};

    for (int i = 0; i < WIDTH * WIDTH; i++)
        matrix[i] = (float)(10 * (i / WIDTH) + i % WIDTH);
    for (int i = 0; i < WIDTH; i++) {
        half[i] = float_to_half(vector[i]);
        bf16[i] = float_to_bf16(vector[i]);
    }
    assert_int_equal(weights_out_open(&out, path, &why), ST_OK);
    add(out, "linear.weight", tensor_view(matrix, DTYPE_F32, 1, 1, WIDTH, WIDTH), 2);
    add(out, "linear.bias", tensor_view(vector, DTYPE_F32, 1, 1, 1, WIDTH), 1);
    add(out, "conv.weight", tensor_view(matrix, DTYPE_F32, WIDTH, WIDTH, 1, 1), 4);
    add(out, "conv.bias", tensor_view(vector, DTYPE_F32, 1, 1, 1, WIDTH), 1);
    add(out, "norm.weight", tensor_view(half, DTYPE_F16, 1, 1, 1, WIDTH), 1);
    add(out, "norm.bias", tensor_view(bf16, DTYPE_BF16, 1, 1, 1, WIDTH), 1);
    add(out, "ids.weight", tensor_view(whole, DTYPE_I32, 1, 1, 1, WIDTH), 1);
    add(out, "bytes.weight", tensor_view(whole, DTYPE_U8, 1, 1, 1, WIDTH), 1);
    matrix[WIDTH] = NAN;
    bf16[2] = 0x7f80; /* infinity */
    add(out, "nan.weight", tensor_view(matrix, DTYPE_F32, 1, 1, WIDTH, WIDTH), 2);
    add(out, "inf.weight", tensor_view(half, DTYPE_F16, 1, 1, 1, WIDTH), 1);
    add(out, "inf.bias", tensor_view(bf16, DTYPE_BF16, 1, 1, 1, WIDTH), 1);
    add(out, "table", tensor_view(half, DTYPE_F16, 1, 1, 2, 2), 2);
    assert_int_equal(weights_out_finish(out, &why), ST_OK);
    weights_out_close(&out);
}

static int open_file(void **state)
{
    struct file *f = calloc(1, sizeof(*f));
    int fd;

    assert_non_null(f);
    snprintf(f->path, sizeof(f->path), "/tmp/limner-test-XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    write_file(f->path);
    f->device = parity_device(true);
    params_open(&f->params, f->device, f->path, &f->why);
    assert_int_equal(f->params.status, ST_OK);
    *state = f;
    return 0;
}

static int close_file(void **state)
{
    struct file *f = *state;

    params_close(&f->params);
    device_close(&f->device);
    remove(f->path);
    free(f);
    return 0;
}

/* y = x w^T + b for x = (1, 0, 0, 0), which is the matrix's first column and the bias. */
static void multiplies(struct file *f, const struct weight *w)
{
    const float want[WIDTH] = {0 + 1, 10 - 2, 20 + 0.5f, 30 + 65504};
    float x[WIDTH] = {1}, y[WIDTH];
    struct tensor out = tensor_view(y, DTYPE_F32, 1, 1, 1, WIDTH);
    struct tensor in = tensor_view(x, DTYPE_F32, 1, 1, 1, WIDTH);

    if (w->w.dim[0] == 1)
        f->device->ops.linear(f->device, out, in, w, NULL);
    else
        f->device->ops.conv(f->device, out, in, w, NULL);
    assert_memory_equal(y, want, sizeof(want));
}

static void params_read_a_linear_layer_in_both_layouts(void **state)
{
    struct file *f = *state;
    params_linear(&f->params, &f->a, WIDTH, WIDTH, true, "%s", "linear");
    params_linear(&f->params, &f->b, WIDTH, WIDTH, true, "conv");
    assert_int_equal(f->params.status, ST_OK);
    multiplies(f, &f->a);
    multiplies(f, &f->b);
}

static void params_read_a_small_convolution_in_both_layouts(void **state)
{
    struct file *f = *state;
    struct conv_shape shape = {
        .outputs = WIDTH, .inputs = WIDTH, .kernel = 1, .stride = 1, .bias = true};

    params_conv(&f->params, &f->a, shape, "conv");
    params_conv(&f->params, &f->b, shape, "linear");
    assert_int_equal(f->params.status, ST_OK);
    multiplies(f, &f->a);
    multiplies(f, &f->b);
}

static void params_widen_norms_exactly(void **state)
{
    const float want[WIDTH] = {1, -2, 0.5f, 65504};
    struct file *f = *state;
    struct norm norm;

    params_norm(&f->params, &norm, WIDTH, "norm");
    assert_int_equal(f->params.status, ST_OK);
    assert_int_equal(norm.gamma.dtype, DTYPE_F32);
    assert_memory_equal(norm.gamma.data, want, sizeof(want));
    assert_memory_equal(norm.beta.data, want, 3 * sizeof(float));
    assert_true(((float *)norm.beta.data)[3] == 65536); /* as bf16 rounds it */
}

static void params_leave_a_table_as_it_lies(void **state)
{
    struct file *f = *state;
    struct tensor table;

    params_table(&f->params, &table, 2, 2, "table");
    assert_int_equal(f->params.status, ST_OK);
    assert_int_equal(table.dtype, DTYPE_F16);
    assert_int_equal(((uint16_t *)table.data)[0], float_to_half(1));
}

static void params_name_a_missing_tensor_and_stick_to_the_first_failure(void **state)
{
    struct file *f = *state;
    struct norm norm = {.gamma = {.dtype = DTYPE_F32}};

    params_linear(&f->params, &f->a, WIDTH, WIDTH, true, "block.%d.to_q", 7);
    assert_int_equal(f->params.status, ST_MISSING);
    assert_non_null(strstr(f->why.text, "block.7.to_q.weight"));
    params_norm(&f->params, &norm, 99, "norm");
    params_table(&f->params, &norm.beta, 99, 99, "table");
    params_finish(&f->params);
    assert_int_equal(f->params.status, ST_MISSING);
    assert_non_null(strstr(f->why.text, "block.7.to_q.weight"));
}

static void params_refuse_another_shape(void **state)
{
    struct file *f = *state;

    params_linear(&f->params, &f->a, WIDTH, WIDTH + 1, true, "linear");
    assert_int_equal(f->params.status, ST_INVALID);
    assert_non_null(strstr(f->why.text, "linear.weight"));
}

static void params_refuse_whole_numbers(void **state)
{
    struct file *f = *state;
    struct norm norm;

    params_norm(&f->params, &norm, WIDTH, "ids");
    assert_int_equal(f->params.status, ST_INVALID);
    assert_non_null(strstr(f->why.text, "ids.weight holds i32"));
}

/* Quantised weights are for those who know their scale. */
static void params_refuse_bytes(void **state)
{
    struct file *f = *state;
    struct norm norm;

    params_norm(&f->params, &norm, WIDTH, "bytes");
    assert_int_equal(f->params.status, ST_INVALID);
    assert_non_null(strstr(f->why.text, "bytes.weight holds u8"));
}

/* Goal: a checkpoint with a number that is none is refused by the tensor's name, not drawn with. */
static void params_name_a_tensor_that_is_not_finite(void **state)
{
    struct file *f = *state;
    struct norm norm;

    params_linear(&f->params, &f->a, WIDTH, WIDTH, false, "nan");
    assert_int_equal(f->params.status, ST_INVALID);
    assert_non_null(strstr(f->why.text, "nan.weight"));

    f->params.status = ST_OK;
    params_norm(&f->params, &norm, WIDTH, "inf");
    assert_int_equal(f->params.status, ST_INVALID);
    assert_non_null(strstr(f->why.text, "inf.bias"));
}

static void params_open_says_that_a_file_is_missing(void **state)
{
    struct file *f = *state;
    struct params p;
    struct why why = {{0}};

    params_open(&p, f->device, "/nowhere/model.safetensors", &why);
    assert_int_equal(p.status, ST_MISSING);
    params_finish(&p);
    params_close(&p);
}

#define on_file(test) cmocka_unit_test_setup_teardown(test, open_file, close_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_file(params_read_a_linear_layer_in_both_layouts),
        on_file(params_read_a_small_convolution_in_both_layouts),
        on_file(params_widen_norms_exactly),
        on_file(params_leave_a_table_as_it_lies),
        on_file(params_name_a_missing_tensor_and_stick_to_the_first_failure),
        on_file(params_refuse_another_shape),
        on_file(params_refuse_whole_numbers),
        on_file(params_refuse_bytes),
        on_file(params_name_a_tensor_that_is_not_finite),
        on_file(params_open_says_that_a_file_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
