/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tensor.h"
#include "tests/unit.h"

static void a_view_is_dense_and_counts_its_numbers(void **state)
{
    float numbers[2 * 3 * 4 * 5];
    struct tensor t = tensor_view(numbers, DTYPE_F32, 2, 3, 4, 5);
    (void)state;

    assert_true(tensor_is_dense(t));
    assert_int_equal(tensor_count(t), 120);
    assert_int_equal(tensor_rows(t), 24);
    assert_int_equal(tensor_bytes(t), 480);
    assert_ptr_equal(tensor_row(t, 0), numbers);
    assert_ptr_equal(tensor_row(t, 23), numbers + 115);
}

static void every_type_has_its_size_and_name(void **state)
{
    (void)state;

    assert_int_equal(dtype_bytes(DTYPE_F32), 4);
    assert_int_equal(dtype_bytes(DTYPE_F16), 2);
    assert_int_equal(dtype_bytes(DTYPE_BF16), 2);
    assert_int_equal(dtype_bytes(DTYPE_I32), 4);
    assert_string_equal(dtype_name(DTYPE_F32), "f32");
    assert_string_equal(dtype_name(DTYPE_F16), "f16");
    assert_string_equal(dtype_name(DTYPE_BF16), "bf16");
    assert_string_equal(dtype_name(DTYPE_I32), "i32");
    assert_int_equal(dtype_bytes(DTYPE_U8), 1);
    assert_string_equal(dtype_name(DTYPE_U8), "u8");
    assert_true(dtype_is_float(DTYPE_BF16));
    assert_false(dtype_is_float(DTYPE_U8));
}

static void pixels_are_tokens_without_moving_a_byte(void **state)
{
    float numbers[2 * 3 * 4 * 5];
    struct tensor t = tensor_tokens(tensor_view(numbers, DTYPE_F32, 2, 3, 4, 5));
    (void)state;

    assert_int_equal(t.dim[0], 2);
    assert_int_equal(t.dim[1], 1);
    assert_int_equal(t.dim[2], 12);
    assert_int_equal(t.dim[3], 5);
    assert_ptr_equal(t.data, numbers);
    assert_int_equal(t.stride, 5);
}

/* Goal: a slice of columns walks the rows of what it was cut from.
   Method: number the cells, and read the last row of a slice of half floats by hand. */
static void columns_keep_the_stride_of_the_whole(void **state)
{
    uint16_t numbers[3 * 8];
    struct tensor part;
    (void)state;
    for (uint16_t i = 0; i < 24; i++)
        numbers[i] = i;

    part = tensor_columns(tensor_view(numbers, DTYPE_F16, 1, 1, 3, 8), 2, 4);

    assert_false(tensor_is_dense(part));
    assert_int_equal(tensor_count(part), 12);
    assert_int_equal(*(uint16_t *)tensor_row(part, 0), 2);
    assert_int_equal(*(uint16_t *)tensor_row(part, 2), 18);
}

static void columns_of_columns_and_images_of_columns_still_find_their_rows(void **state)
{
    int32_t numbers[2 * 2 * 8];
    struct tensor part;
    (void)state;
    for (int32_t i = 0; i < 32; i++)
        numbers[i] = i;

    part = tensor_columns(tensor_view(numbers, DTYPE_I32, 2, 1, 2, 8), 1, 6);
    part = tensor_slice(tensor_columns(part, 2, 3), 1, 1);

    assert_int_equal(part.dim[0], 1);
    assert_int_equal(*(int32_t *)tensor_row(part, 0), 16 + 3);
    assert_int_equal(*(int32_t *)tensor_row(part, 1), 24 + 3);
}

static void a_reshape_keeps_the_numbers(void **state)
{
    float numbers[24];
    struct tensor t = tensor_reshape(tensor_view(numbers, DTYPE_F32, 1, 2, 3, 4), 2, 1, 1, 12);
    (void)state;

    assert_true(tensor_is_dense(t));
    assert_int_equal(tensor_count(t), 24);
    assert_ptr_equal(tensor_row(t, 1), numbers + 12);
}

static void shapes_are_compared_without_looking_at_strides(void **state)
{
    float numbers[64];
    struct tensor a = tensor_view(numbers, DTYPE_F32, 1, 1, 2, 4);
    struct tensor b = tensor_columns(tensor_view(numbers, DTYPE_F32, 1, 1, 2, 8), 0, 4);
    (void)state;

    assert_true(tensor_same_shape(a, b));
    assert_false(tensor_same_shape(a, tensor_view(numbers, DTYPE_F32, 1, 2, 1, 4)));
}

/* Goal: what was measured is what is carved.
   Method: carve the same three tensors from a measuring arena and from a block of its peak. */
static void a_measured_arena_holds_the_same_tensors(void **state)
{
    static _Alignas(ARENA_ALIGN) char block[8 * ARENA_ALIGN];
    struct arena measuring, real;
    struct tensor first, second;
    (void)state;

    arena_init(&measuring, "measuring");
    first = tensor_carve(&measuring, DTYPE_F16, 1, 1, 3, 43);
    assert_null(first.data);
    tensor_carve_like(&measuring, first);
    assert_true(measuring.peak <= sizeof(block));

    real = (struct arena){.base = block, .size = measuring.peak, .name = "real"};
    first = tensor_carve(&real, DTYPE_F16, 1, 1, 3, 43);
    second = tensor_carve_like(&real, first);
    assert_ptr_equal(first.data, block);
    assert_true((char *)second.data >= block + tensor_bytes(first));
    assert_true(tensor_same_shape(first, second));
    assert_int_equal(second.dtype, DTYPE_F16);
    assert_int_equal(real.peak, measuring.peak);
}

static void parts_of_a_tensor_that_is_only_measured_are_measured(void **state)
{
    struct tensor t = tensor_view(NULL, DTYPE_F32, 4, 1, 2, 8);
    (void)state;

    assert_null(tensor_columns(t, 2, 3).data);
    assert_null(tensor_slice(t, 1, 2).data);
    assert_int_equal(tensor_slice(t, 1, 2).dim[0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_dense_and_counts_its_numbers),
        cmocka_unit_test(every_type_has_its_size_and_name),
        cmocka_unit_test(pixels_are_tokens_without_moving_a_byte),
        cmocka_unit_test(columns_keep_the_stride_of_the_whole),
        cmocka_unit_test(columns_of_columns_and_images_of_columns_still_find_their_rows),
        cmocka_unit_test(a_reshape_keeps_the_numbers),
        cmocka_unit_test(shapes_are_compared_without_looking_at_strides),
        cmocka_unit_test(a_measured_arena_holds_the_same_tensors),
        cmocka_unit_test(parts_of_a_tensor_that_is_only_measured_are_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
