/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "engine/judge/room.h"
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX (POLICY_BINS * 32)

static_assert(TEXT_MAX <= STORE_NOTE_BODY_MAX, "a reference is a note");

/* A reference belongs to the policy as it was read: another calibration makes another p. */
static void name_of(char out[STORE_NOTE_NAME_MAX], const struct rules *r, int category)
{
    snprintf(out, STORE_NOTE_NAME_MAX, "drift:%.16s:%s", policy_sha256(r->policy),
             policy_category(r->policy, category)->id);
}

static void print(char out[TEXT_MAX], const double reference[POLICY_BINS])
{
    size_t used = 0;

    for (int i = 0; i < POLICY_BINS; i++)
        used +=
            (size_t)snprintf(out + used, TEXT_MAX - used, "%s%.17g", i ? " " : "", reference[i]);
}

/* False: these are no shares. */
static bool parse(double out[POLICY_BINS], const char *text)
{
    double sum = 0;

    for (int i = 0; i < POLICY_BINS; i++) {
        char *end;

        out[i] = strtod(text, &end);
        if (end == text || !(out[i] >= 0 && out[i] <= 1))
            return false;
        sum += out[i];
        text = end;
    }
    return sum > 0.999 && sum < 1.001;
}

void reference_restore(struct judge *j, struct rules *r)
{
    char name[STORE_NOTE_NAME_MAX], body[STORE_NOTE_BODY_MAX];
    double reference[POLICY_BINS];

    for (int c = 0; c < policy_category_count(r->policy); c++) {
        bool given = policy_settings(r->policy)->classifier[SCORES_MAIN].has_reference[c];

        name_of(name, r, c);
        if (!given && (!j->store || j->store->ops->note_get(j->store, name, body, NULL) ||
                       !parse(reference, body)))
            continue;
        if (!given)
            drift_set_reference(r->drift, c, reference);
        r->kept |= 1u << c;
    }
}

void reference_keep(struct judge *j, struct rules *r)
{
    char name[STORE_NOTE_NAME_MAX], body[TEXT_MAX];
    struct drift_reading reading;
    struct why why = {""};

    for (int c = 0; c < policy_category_count(r->policy) && j->store; c++) {
        if (r->kept >> c & 1)
            continue;
        drift_read(r->drift, c, &reading);
        if (reading.level == DRIFT_LEARNING)
            continue;
        name_of(name, r, c);
        print(body, reading.reference);
        if (j->store->ops->note_put(j->store, name, body, &why))
            log_warn("drift", "what was learned is not kept: %s", why.text);
        else
            r->kept |= 1u << c;
    }
}
