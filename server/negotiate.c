/* SPDX-License-Identifier: Apache-2.0 */
#include "server/negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* A piece of a header, without the blanks around it. */
struct piece {
    const char *at, *end;
};

static struct piece trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct piece){at, end};
}

/* Cut off what stands before `mark`; *rest moves behind it. */
static struct piece take(struct piece *rest, char mark)
{
    const char *cut = memchr(rest->at, mark, (size_t)(rest->end - rest->at));
    struct piece taken = trim(rest->at, cut ? cut : rest->end);

    rest->at = cut ? cut + 1 : rest->end;
    return taken;
}

static bool is(struct piece p, const char *word)
{
    size_t bytes = strlen(word);

    return (size_t)(p.end - p.at) == bytes && strncasecmp(p.at, word, bytes) == 0;
}

/* "q=0.8" in thousandths; 1000 when it is absent, 0 when it is nonsense. */
static int weight_of(struct piece parameters)
{
    while (parameters.at < parameters.end) {
        struct piece p = take(&parameters, ';');
        int weight = 0, unit = 1000;

        if (p.end - p.at < 3 || (p.at[0] != 'q' && p.at[0] != 'Q') || p.at[1] != '=')
            continue;
        for (const char *c = p.at + 2; c < p.end && c < p.at + 7; c++) {
            if (*c == '.')
                continue;
            if (*c < '0' || *c > '9')
                return 0;
            weight += (*c - '0') * unit;
            unit /= 10;
        }
        return weight > 1000 ? 1000 : weight;
    }
    return 1000;
}

static int higher(int a, int b)
{
    return a > b ? a : b;
}

struct wish negotiate_accept(const char *text, size_t bytes)
{
    static const enum format formats[] = {FORMAT_PNG, FORMAT_WEBP, FORMAT_JPEG};
    struct piece rest = {text, text + bytes};
    int json = 0, wildcard = 0, any_image = 0, by_format[FORMAT_JPEG + 1] = {0};
    struct wish wish = {.best = FORMAT_PNG};
    int image = 0, best = 0;

    while (rest.at < rest.end) {
        struct piece one = take(&rest, ',');
        struct piece type = take(&one, ';');
        int weight = weight_of(one);

        if (is(type, "application/json") || is(type, "application/*"))
            json = higher(json, weight);
        else if (is(type, "*/*"))
            wildcard = higher(wildcard, weight);
        else if (is(type, "image/*"))
            any_image = higher(any_image, weight);
        for (size_t i = 0; i < 3; i++) {
            if (is(type, encode_media_type(formats[i])))
                by_format[formats[i]] = higher(by_format[formats[i]], weight);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        int weight = higher(by_format[formats[i]], any_image);
        int liking = 2 * weight + (by_format[formats[i]] == weight); /* named counts for more */

        image = higher(image, weight);
        wish.format[formats[i]] = weight > 0;
        if (weight > 0 && liking > best) {
            best = liking;
            wish.best = formats[i];
        }
    }
    wish.raw = image > 0 && image > json && image >= wildcard;
    return wish;
}

bool negotiate_is_json(const char *text, size_t bytes)
{
    struct piece rest = {text, text + bytes};

    return bytes && is(take(&rest, ';'), "application/json");
}
