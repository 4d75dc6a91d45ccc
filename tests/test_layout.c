/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit.h"
#include "watermark/layout.h"

#include <stdio.h>
#include <string.h>

static void names_are_those_of_the_standard(void **state)
{
    static const struct {
        int level;
        int64_t number;
        int width;
        const char *path;
    } names[] = {
        {0, 0, 256, "tile/0/000"},
        {1, 67, 188, "tile/1/067.p/188"},
        {0, 999, 256, "tile/0/999"},
        {0, 1000, 1, "tile/0/x001/000.p/1"},
        {LAYOUT_RECORDS, 1234067, 256, "tile/entries/x001/x234/067"},
        {4, INT64_C(4294967295), 255, "tile/4/x004/x294/x967/295.p/255"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[LAYOUT_PATH_MAX];
        int64_t number = -7;
        int level = -7, width = -7;

        layout_path(path, names[i].level, names[i].number, names[i].width);
        assert_string_equal(path, names[i].path);
        assert_true(layout_parse(&level, &number, &width, path, strlen(path)));
        assert_int_equal(level, names[i].level);
        assert_int_equal(number, names[i].number);
        assert_int_equal(width, names[i].width);
    }
}

static void what_is_written_in_another_way_is_no_name(void **state)
{
    static const char *const wrong[] = {"",
                                        "tile/",
                                        "tile/0",
                                        "tile/0/",
                                        "tile/0/0",
                                        "tile/0/0000",
                                        "tile/0/x000/001",
                                        "tile/0/x001",
                                        "tile/0/001/",
                                        "tile/0/x001x234/067",
                                        "tile/5/000",
                                        "tile/-1/000",
                                        "tile/00/000",
                                        "tile/0/000.p/0",
                                        "tile/0/000.p/256",
                                        "tile/0/000.p/01",
                                        "tile/0/000.p/",
                                        "tile/0/000.p/999",
                                        "tile/0/000.p/1.p/1",
                                        "tile/0/x004/x294/x967/296",
                                        "tile/0/x999/x999/x999/x999/999",
                                        "tile/entries",
                                        "tile/entries/",
                                        "tile/entries/00",
                                        "tile/entry/000",
                                        "tile/0/../000",
                                        "tile/0/0 0",
                                        "TILE/0/000"};
    int64_t number;
    int level, width;
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (layout_parse(&level, &number, &width, wrong[i], strlen(wrong[i])))
            fail_msg("'%s' is taken for a tile", wrong[i]);
    assert_false(layout_parse(&level, &number, &width, "tile/0/000\0", 11));
}

static void a_tile_is_as_wide_as_the_log_lets_it(void **state)
{
    (void)state;
    assert_int_equal(layout_width(0, 0, 0), 0);
    assert_int_equal(layout_width(1, 0, 0), 1);
    assert_int_equal(layout_width(256, 0, 0), 256);
    assert_int_equal(layout_width(256, 0, 1), 0);
    assert_int_equal(layout_width(700, 0, 2), 188);
    assert_int_equal(layout_width(700, 1, 0), 2);
    assert_int_equal(layout_width(700, 2, 0), 0);
    assert_int_equal(layout_width(TREE_SIZE_MAX, 4, 0), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_standard),
        cmocka_unit_test(what_is_written_in_another_way_is_no_name),
        cmocka_unit_test(a_tile_is_as_wide_as_the_log_lets_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
