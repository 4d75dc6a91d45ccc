/* SPDX-License-Identifier: Apache-2.0 */
#include "moderation/scores.h"

#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const class_names[SCORES_CLASSES] = {"Drawing", "Hentai", "Neutral", "Porn",
                                                        "Sexy"};
static const char *const model_names[SCORES_MODELS] = {"main", "second"};

/* log(sum(exp(logit / T))), about the largest so that nothing overflows. */
static double log_sum(const float *logit, double temperature)
{
    double most = logit[0], sum = 0;

    for (int i = 1; i < SCORES_CLASSES; i++)
        most = fmax(most, logit[i]);
    for (int i = 0; i < SCORES_CLASSES; i++)
        sum += exp((logit[i] - most) / temperature);
    return most / temperature + log(sum);
}

void scores_softmax(double p[SCORES_CLASSES], const struct scores *s, enum scores_model model,
                    double temperature)
{
    double all = log_sum(s->logit[model], temperature);

    for (int i = 0; i < SCORES_CLASSES; i++)
        p[i] = exp(s->logit[model][i] / temperature - all);
}

double scores_energy(const struct scores *s, enum scores_model model, double temperature)
{
    return -temperature * log_sum(s->logit[model], temperature);
}

bool scores_are_finite(const struct scores *s)
{
    for (int m = 0; m < SCORES_MODELS; m++) {
        for (int i = 0; s->has[m] && i < SCORES_CLASSES; i++) {
            if (!isfinite(s->logit[m][i]))
                return false;
        }
    }
    return !s->has_safety || isfinite(s->safety);
}

const char *scores_class_name(enum scores_class c)
{
    return class_names[c];
}

int scores_find_class(const char *name)
{
    for (int i = 0; i < SCORES_CLASSES; i++) {
        if (!strcmp(name, class_names[i]))
            return i;
    }
    return -1;
}

/* %.9g is enough for every float; what is no number is null in JSON. */
static int print_number(char *out, size_t size, float x)
{
    if (isfinite(x))
        return snprintf(out, size, "%.9g", (double)x);
    return snprintf(out, size, "null");
}

void scores_print(char out[SCORES_TEXT_MAX], const struct scores *s)
{
    size_t n = (size_t)snprintf(out, SCORES_TEXT_MAX, "{");
    const char *comma = "";

    for (int m = 0; m < SCORES_MODELS; m++) {
        if (!s->has[m])
            continue;
        n += (size_t)snprintf(out + n, SCORES_TEXT_MAX - n, "%s\"%s\":[", comma, model_names[m]);
        for (int i = 0; i < SCORES_CLASSES; i++) {
            if (i)
                out[n++] = ',';
            n += (size_t)print_number(out + n, SCORES_TEXT_MAX - n, s->logit[m][i]);
        }
        n += (size_t)snprintf(out + n, SCORES_TEXT_MAX - n, "]");
        comma = ",";
    }
    if (s->has_safety) {
        n += (size_t)snprintf(out + n, SCORES_TEXT_MAX - n, "%s\"safety\":", comma);
        n += (size_t)print_number(out + n, SCORES_TEXT_MAX - n, s->safety);
    }
    snprintf(out + n, SCORES_TEXT_MAX - n, "}");
}

static bool read_number(float *out, const struct json *value)
{
    enum json_type type = json_type_of(value);

    if (type == JSON_TYPE_NULL)
        *out = NAN;
    else if (type == JSON_TYPE_INT || type == JSON_TYPE_REAL)
        *out = (float)json_as_real(value);
    else
        return false;
    return true;
}

static bool read_model(struct scores *out, int m, const struct json *list)
{
    if (!list)
        return true;
    if (json_type_of(list) != JSON_TYPE_ARRAY || json_size(list) != SCORES_CLASSES)
        return false;
    out->has[m] = true;
    for (size_t i = 0; i < SCORES_CLASSES; i++) {
        if (!read_number(&out->logit[m][i], json_at(list, i)))
            return false;
    }
    return true;
}

enum status scores_read(struct scores *out, const struct json *value, struct why *why)
{
    bool fine = json_type_of(value) == JSON_TYPE_OBJECT;
    const struct json *member;
    const char *key;
    void *iter = NULL;

    *out = (struct scores){.has_safety = false};
    while (fine && json_next(value, &iter, &key, &member)) {
        int m = 0;

        while (m < SCORES_MODELS && strcmp(key, model_names[m]) != 0)
            m++;
        if (m < SCORES_MODELS) {
            fine = read_model(out, m, member);
        } else if (!strcmp(key, "safety")) {
            out->has_safety = true;
            fine = read_number(&out->safety, member);
        } else {
            fine = false;
        }
    }
    return fine ? ST_OK
                : why_fail(why, ST_INVALID,
                           "these are no scores; they look like {\"main\":[%d numbers]}",
                           SCORES_CLASSES);
}

enum status scores_parse(struct scores *out, const char *text, struct why *why)
{
    struct json *root = NULL;
    enum status st = json_parse(&root, text, strlen(text), why);

    *out = (struct scores){.has_safety = false};
    if (st)
        return st;
    st = scores_read(out, root, why);
    json_close(&root);
    return st;
}
