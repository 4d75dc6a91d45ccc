/* SPDX-License-Identifier: Apache-2.0 */
#include "server/detect.h"

#include "base/crypto.h"
#include "codec/stranger.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const verdict_names[] = {"not_found", "foreign", "present", "confirmed",
                                            "disagree"};
static const char *const manifest_names[] = {"not_found", "unreadable", "broken", "foreign",
                                             "ours"};
static const char *const mark_names[] = {"not_found", "present", "id"};
static const char *const print_names[] = {"not_compared", "agrees", "differs"};

/* ---- layers ---- */

static enum status look_at_manifest(struct detect_result *r, const struct detect_tools *t,
                                    const void *file, size_t bytes)
{
    struct why why;
    enum status st = manifest_read(&r->said, file, bytes, t->own, &why);

    if (st == ST_FULL)
        return st;
    if (st == ST_MISSING)
        r->manifest = DETECT_MANIFEST_NONE;
    else if (st)
        r->manifest = DETECT_MANIFEST_UNREADABLE;
    else if (!r->said.is_signed || !r->said.is_bound)
        r->manifest = DETECT_MANIFEST_BROKEN;
    else
        r->manifest = r->said.is_ours ? DETECT_MANIFEST_OURS : DETECT_MANIFEST_FOREIGN;
    return ST_OK;
}

/* No more than `*st`: what is not there is no failure. */
static bool is_found(enum status *st)
{
    bool found = !*st;

    if (*st == ST_MISSING)
        *st = ST_OK;
    return found;
}

/* The very file first; then the id of the mark, and that of our own manifest. */
static enum status look_at_log(struct detect_result *r, const struct detect_tools *t,
                               const void *file, size_t bytes, struct why *why)
{
    uint8_t hash[32];
    enum status st;

    if (!t->ledger)
        return ST_OK;
    crypto_sha256(hash, file, bytes);
    st = ledger_find_sha256(t->ledger, hash, &r->record, why);
    r->is_same_file = is_found(&st) && r->record.kind == RECORD_EMBED;
    r->has_record = r->is_same_file;
    if (st || r->has_record)
        return st;
    if (r->mark.verdict == MARK_ID) {
        st = ledger_find_id(t->ledger, r->mark.id, &r->record, why);
        r->has_record = is_found(&st);
    } else if (r->manifest == DETECT_MANIFEST_OURS && r->said.has_id) {
        st = ledger_find_id(t->ledger, r->said.id, &r->record, why);
        r->has_record = is_found(&st);
    }
    return st;
}

static void compare_prints(struct detect_result *r, const struct detect_tools *t,
                           const struct image *image)
{
    uint8_t print[FINGERPRINT_BYTES];
    bool made;

    if (!r->has_record || !r->record.has_fingerprint || !t->fingerprint_key)
        return;
    made = r->mark.verdict != MARK_ABSENT && r->mark.mirrored
               ? fingerprint_make_mirrored(print, image, t->fingerprint_key)
               : fingerprint_make(print, image, t->fingerprint_key);
    if (!made)
        return;
    r->distance = fingerprint_distance(print, r->record.fingerprint);
    r->print = r->distance <= FINGERPRINT_AGREES ? DETECT_PRINT_AGREES : DETECT_PRINT_DIFFERS;
}

/* ---- what they say together ---- */

/* A picture that was cropped has another fingerprint with reason; one that was not turned, cut or
   scaled by much has not. */
static bool is_whole(const struct detect_result *r)
{
    double ratio = (double)r->width * r->record.height / ((double)r->height * r->record.width);

    return r->record.width > 0 && r->record.height > 0 && fabs(r->mark.degrees) < 1 &&
           ratio > 0.98 && ratio < 1.02 &&
           fabs(r->mark.scale * r->record.width / r->width - 1) < 0.05;
}

static bool disagree(const struct detect_result *r)
{
    bool has_id = r->mark.verdict == MARK_ID;
    bool says_id = r->manifest != DETECT_MANIFEST_NONE &&
                   r->manifest != DETECT_MANIFEST_UNREADABLE && r->said.is_signed &&
                   r->said.is_ours && r->said.has_id;

    if (has_id && says_id && r->mark.id != r->said.id)
        return true;
    if (has_id && r->is_same_file && r->record.has_id && r->mark.id != r->record.id)
        return true;
    return has_id && r->has_record && r->print == DETECT_PRINT_DIFFERS && is_whole(r);
}

static enum detect_verdict judge(const struct detect_result *r)
{
    if (disagree(r))
        return DETECT_DISAGREE;
    if (r->is_same_file || (r->has_record && (r->print != DETECT_PRINT_DIFFERS ||
                                              r->manifest == DETECT_MANIFEST_OURS)))
        return DETECT_CONFIRMED;
    if (r->mark.verdict != MARK_ABSENT || r->manifest == DETECT_MANIFEST_OURS)
        return DETECT_PRESENT;
    return r->manifest == DETECT_MANIFEST_FOREIGN ? DETECT_FOREIGN : DETECT_NOT_FOUND;
}

static void write_time(char out[40], int64_t time_ns)
{
    time_t at = (time_t)(time_ns / 1000000000);
    struct tm tm;

    out[0] = '\0';
    if (gmtime_r(&at, &tm))
        strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void say_confirmed(struct detect_result *r, const char *who)
{
    char when[40];

    write_time(when, r->record.time_ns);
    snprintf(r->sentence, sizeof(r->sentence),
             "This picture was made by an AI system of %s (%s) on %.10s: %s%s.", who,
             r->record.system[0] ? r->record.system : "limner", when,
             r->is_same_file              ? "this very file is in its log"
             : r->mark.verdict == MARK_ID ? "the mark in its pixels names a record of its log"
                                          : "its signed manifest names a record of its log",
             r->print == DETECT_PRINT_AGREES ? ", and the picture looks like the one of the record"
                                             : "");
}

static void say(struct detect_result *r, const struct detect_tools *t)
{
    const char *who = t->provider && t->provider[0] ? t->provider : "this provider";
    const char *text = "";

    switch (r->verdict) {
    case DETECT_CONFIRMED:
        say_confirmed(r, who);
        return;
    case DETECT_PRESENT:
        text = r->manifest == DETECT_MANIFEST_OURS
                   ? "This file has a valid manifest of %s that says an AI system made it."
                   : "The pixels carry a mark of %s, so an AI system made at least a part of this "
                     "picture; no record in the log could be matched to all of it.";
        break;
    case DETECT_DISAGREE:
        text = "The layers disagree: there are signs of %s in this file, and they belong to "
               "different pictures. Somebody may have moved a mark or a manifest; do not rely on "
               "either.";
        break;
    case DETECT_FOREIGN:
        text = "Nothing of %s was found. Somebody else has signed a manifest in this file; what it "
               "says is theirs.";
        break;
    case DETECT_NOT_FOUND:
        text = r->manifest == DETECT_MANIFEST_BROKEN
                   ? "Nothing of %s that holds was found: the file was changed after its manifest "
                     "was signed, or the signature is false. That does not say how it was made."
                   : "Nothing of %s was found. That does not say how the picture was made: marks "
                     "can be lost, and other systems have other marks.";
        break;
    }
    /* `text` is one of the constants above, with one %s. */
    snprintf(r->sentence, sizeof(r->sentence), "%.*s%s%s", (int)(strstr(text, "%s") - text), text,
             who, strstr(text, "%s") + 2);
}

/* The p values of one of two ways of looking, with one of so many keys. */
static void correct(struct mark_finding *f, int keys)
{
    f->p_present = fmin(1, 2 * keys * f->p_present);
    f->p_id = fmin(1, 2 * keys * f->p_id);
}

/* Most pictures come as they left: reading them back needs no search, and finds what a search has
   to drown in its trials. Only then is the picture looked at as one that was handled. */
static enum status find_mark(struct mark_finding *out, const struct detect_tools *t,
                             const struct image *image, struct why *why)
{
    bool fits = image->width >= MARK_SIDE_MIN && image->height >= MARK_SIDE_MIN;
    enum status st = ST_OK;

    for (int k = 0; k < t->key_count && fits && !st; k++) {
        st = mark_read_back(out, image, t->keys[k], why);
        correct(out, t->key_count);
        out->key = k;
        if (!st && out->verdict == MARK_ID && out->p_id <= MARK_P_MAX)
            return ST_OK;
    }
    if (!st)
        st = mark_detect(out, image, t->keys, t->key_count, why);
    if (!st)
        correct(out, 1); /* it counts the keys itself */
    if (!st && out->verdict == MARK_ID && out->p_id > MARK_P_MAX) {
        out->verdict = MARK_PRESENT;
        out->id = 0;
    }
    if (!st && out->verdict == MARK_PRESENT && out->p_present > MARK_P_MAX) {
        out->verdict = MARK_ABSENT;
        out->key = -1;
    }
    return st;
}

enum status detect_run(struct detect_result *out, const struct detect_tools *t, const void *file,
                       size_t bytes, struct why *why)
{
    struct image image;
    enum status st = stranger_decode(&image, file, bytes, why);

    *out = (struct detect_result){.mark = {.key = -1, .p_present = 1, .p_id = 1}};
    if (st)
        return st;
    out->width = image.width;
    out->height = image.height;
    st = look_at_manifest(out, t, file, bytes);
    if (st)
        why_fail(why, st, "no memory for the manifest of the file");
    if (!st && t->key_count)
        st = find_mark(&out->mark, t, &image, why);
    if (!st)
        st = look_at_log(out, t, file, bytes, why);
    if (!st) {
        compare_prints(out, t, &image);
        out->verdict = judge(out);
        say(out, t);
    }
    image_close(&image);
    return st;
}

/* ---- JSON ---- */

/* Up to the next power of ten. */
static double coarse(double p)
{
    return p >= 1 ? 1 : p <= 1e-30 ? 1e-30 : pow(10, ceil(log10(p)));
}

static void write_manifest(struct json_out *o, const struct detect_result *r)
{
    bool is_there = r->manifest > DETECT_MANIFEST_UNREADABLE;
    char id[24];

    json_out_object(o, "manifest");
    json_out_string(o, "verdict", manifest_names[r->manifest]);
    if (is_there) {
        json_out_string(o, "signed_by", r->said.leaf.organisation);
        json_out_bool(o, "says_ai", r->said.is_generated);
        json_out_string(o, "system", r->said.system);
        json_out_string(o, "version", r->said.version);
        json_out_string(o, "time", r->said.when);
    }
    if (is_there && r->said.has_id) {
        snprintf(id, sizeof(id), "%016" PRIx64, r->said.id);
        json_out_string(o, "id", id);
    }
    json_out_object_end(o);
}

static void write_mark(struct json_out *o, const struct detect_result *r, bool raw)
{
    const struct mark_finding *m = &r->mark;
    char id[24];

    json_out_object(o, "mark");
    json_out_string(o, "verdict", mark_names[m->verdict]);
    json_out_real(o, "p", raw ? fmin(m->p_present, m->p_id) : coarse(fmin(m->p_present, m->p_id)));
    json_out_real(o, "p_threshold", MARK_P_MAX);
    if (m->verdict == MARK_ID) {
        snprintf(id, sizeof(id), "%016" PRIx64, m->id);
        json_out_string(o, "id", id);
    }
    if (raw) {
        json_out_real(o, "p_present", m->p_present);
        json_out_real(o, "p_id", m->p_id);
        json_out_real(o, "z_pilot", m->z_pilot);
        json_out_real(o, "z_id", m->z_id);
        json_out_real(o, "scale", m->scale);
        json_out_real(o, "degrees", m->degrees);
        json_out_bool(o, "mirrored", m->mirrored);
        json_out_int(o, "key", m->key);
    }
    json_out_object_end(o);
}

/* What the law wants told of the system, and nothing of a person. */
static void write_source(struct json_out *o, const struct detect_result *r)
{
    char id[24], when[40];

    write_time(when, r->record.time_ns);
    snprintf(id, sizeof(id), "%016" PRIx64, r->record.id);
    json_out_object(o, "source");
    json_out_string(o, "system", r->record.system);
    json_out_string(o, "time", when);
    if (r->record.has_id)
        json_out_string(o, "id", id);
    json_out_int(o, "log_index", r->record.index);
    json_out_object_end(o);
}

void detect_write(struct json_out *o, const struct detect_result *r, bool raw)
{
    json_out_string(o, "object", "detection");
    json_out_string(o, "verdict", verdict_names[r->verdict]);
    json_out_string(o, "sentence", r->sentence);
    json_out_bool(o, "layers_disagree", r->verdict == DETECT_DISAGREE);
    json_out_int(o, "width", r->width);
    json_out_int(o, "height", r->height);
    write_manifest(o, r);
    write_mark(o, r, raw);
    json_out_object(o, "fingerprint");
    json_out_string(o, "verdict", print_names[r->print]);
    if (raw && r->print != DETECT_PRINT_NONE)
        json_out_int(o, "distance", r->distance);
    json_out_object_end(o);
    if (r->verdict == DETECT_CONFIRMED)
        write_source(o, r);
}
