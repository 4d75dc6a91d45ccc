/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lead may set, kept as a note of the store.
 */
#include "base/json.h"
#include "server/desk/room.h"

#include <stdio.h>
#include <string.h>

#define NOTE "desk/settings"

static const struct {
    const char *name;
    int64_t usual, most;
} rules[] = {
    {"full_views_per_hour", 60, EXPOSURES_MAX},
    {"minutes_before_break", 50, 240},
    {"break_minutes", 10, 120},
    {"golden_percent", 3, 20},
};

#define COUNT ((int)(sizeof(rules) / sizeof(rules[0])))

static int64_t *value_of(struct settings *s, int i)
{
    int64_t *const values[] = {&s->views_per_hour, &s->work_minutes, &s->break_minutes,
                               &s->golden_percent};

    return values[i];
}

static void write(struct json_out *o, struct settings *s)
{
    json_out_object(o, NULL);
    for (int i = 0; i < COUNT; i++)
        json_out_int(o, rules[i].name, *value_of(s, i));
    json_out_object_end(o);
}

void settings_load(struct desk *d)
{
    char body[STORE_NOTE_BODY_MAX];
    struct json *root = NULL;
    struct why why = {""};

    for (int i = 0; i < COUNT; i++)
        *value_of(&d->settings, i) = rules[i].usual;
    if (d->store->ops->note_get(d->store, NOTE, body, &why) ||
        json_parse(&root, body, strlen(body), &why))
        return;
    for (int i = 0; i < COUNT; i++) {
        int64_t value = -1;

        if (!json_get_int(root, rules[i].name, &value, &why) && value >= 0 &&
            value <= rules[i].most)
            *value_of(&d->settings, i) = value;
    }
    json_close(&root);
}

void settings_show(struct desk *d, struct matter *m)
{
    struct answer answer;

    desk_answer(&answer, 200);
    write(&answer.json, &d->settings);
    answer_json_end(&answer);
    matter_answer(m, &answer);
}

void settings_set(struct desk *d, struct matter *m)
{
    struct settings fresh = d->settings;
    struct json_out o = {.text = NULL};
    struct why why = {""};
    enum status st;

    for (int i = 0; i < COUNT; i++) {
        if (m->number[i] > rules[i].most) {
            why_fail(&why, ST_INVALID, "%s may be at most %lld", rules[i].name,
                     (long long)rules[i].most);
            matter_fail(m, 400, (struct failure){.param = rules[i].name}, why.text);
            return;
        }
        if (m->number[i] >= 0)
            *value_of(&fresh, i) = m->number[i];
    }
    write(&o, &fresh);
    st = o.failed ? ST_FULL : d->store->ops->note_put(d->store, NOTE, o.text, &why);
    if (!st) {
        d->settings = fresh;
        desk_event(d, NULL, "", m->who.prefix, "review.settings", o.text);
    }
    json_out_close(&o);
    if (!desk_is_refused(d, m, st, APPEAL_FINE, &why))
        settings_show(d, m);
}
