/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/scores.h"
#include "tests/unit.h"

#include <math.h>
#include <string.h>

static const struct scores drawn = {
    .has = {true, true},
    .logit = {{1.25f, -3.0f, 0.1f, -7.5f, 2e-30f}, {90.0f, -90.0f, 0, 1, 2}},
};

static void probabilities_sum_to_one_and_keep_their_order(void **state)
{
    double p[SCORES_CLASSES], sum = 0;

    (void)state;
    scores_softmax(p, &drawn, SCORES_MAIN, 1.7);
    for (int i = 0; i < SCORES_CLASSES; i++)
        sum += p[i];
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(p[SCORES_DRAWING] > p[SCORES_NEUTRAL] && p[SCORES_NEUTRAL] > p[SCORES_HENTAI]);
    assert_true(fabs(log(p[0] / p[1]) - (1.25 + 3.0) / 1.7) < 1e-12);
}

static void a_large_logit_does_not_overflow(void **state)
{
    struct scores s = {.has = {true}, .logit = {{3e4f, -3e4f, 0, 0, 0}}};
    double p[SCORES_CLASSES];

    (void)state;
    scores_softmax(p, &s, SCORES_MAIN, 1);
    assert_true(p[0] == 1 && p[1] == 0);
    assert_true(fabs(scores_energy(&s, SCORES_MAIN, 1) + 3e4) < 1e-6);
}

static void energy_of_equal_logits_is_known(void **state)
{
    struct scores s = {.has = {true}};

    (void)state;
    assert_true(fabs(scores_energy(&s, SCORES_MAIN, 2) + 2 * log(5)) < 1e-12);
}

static void text_gives_the_same_bits_back(void **state)
{
    struct scores s = drawn, back;
    char text[SCORES_TEXT_MAX];

    (void)state;
    s.has_safety = true;
    s.safety = -0.017f;
    scores_print(text, &s);
    assert_int_equal(scores_parse(&back, text, NULL), ST_OK);
    assert_memory_equal(back.logit, s.logit, sizeof(s.logit));
    assert_true(back.has[0] && back.has[1] && back.has_safety && back.safety == s.safety);
}

static void what_is_no_number_stays_none(void **state)
{
    struct scores s = drawn, back;
    char text[SCORES_TEXT_MAX];

    (void)state;
    assert_true(scores_are_finite(&s));
    s.logit[1][3] = NAN;
    assert_false(scores_are_finite(&s));
    scores_print(text, &s);
    assert_int_equal(scores_parse(&back, text, NULL), ST_OK);
    assert_true(isnan(back.logit[1][3]));
    s.has[1] = false; /* what was not asked does not count */
    assert_true(scores_are_finite(&s));
}

static void the_longest_text_fits(void **state)
{
    struct scores s = {.has = {true, true}, .has_safety = true, .safety = -1.17549435e-38f};
    char text[SCORES_TEXT_MAX];

    (void)state;
    for (int m = 0; m < SCORES_MODELS; m++) {
        for (int i = 0; i < SCORES_CLASSES; i++)
            s.logit[m][i] = -1.17549435e-38f;
    }
    scores_print(text, &s);
    assert_int_equal(text[strlen(text) - 1], '}');
}

static void strange_texts_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"main\":[1,2,3,4]}",
                                        "{\"main\":[1,2,3,4,\"5\"]}",
                                        "{\"third\":[1,2,3,4,5]}",
                                        "{\"safety\":true}"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct scores s;
        struct why why = {""};

        assert_int_equal(scores_parse(&s, texts[i], &why), ST_INVALID);
        assert_true(why.text[0]);
    }
}

static void classes_have_their_names(void **state)
{
    (void)state;
    for (int i = 0; i < SCORES_CLASSES; i++)
        assert_int_equal(scores_find_class(scores_class_name((enum scores_class)i)), i);
    assert_true(scores_find_class("porn") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_sum_to_one_and_keep_their_order),
        cmocka_unit_test(a_large_logit_does_not_overflow),
        cmocka_unit_test(energy_of_equal_logits_is_known),
        cmocka_unit_test(text_gives_the_same_bits_back),
        cmocka_unit_test(what_is_no_number_stays_none),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(strange_texts_are_refused),
        cmocka_unit_test(classes_have_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
