/* SPDX-License-Identifier: Apache-2.0 */
#include "watermark/mark.h"
#include "watermark/mark/lines.h"
#include "watermark/mark/plane.h"
#include "watermark/mark/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_SIDE   1280         /* a longer picture is shrunk first */
#define LOOK_MIN    48           /* pixels: nothing can be told of less */
#define BAND        0.33         /* cycles per pixel: where the smallest scale's lines end */
#define COARSE      128          /* shifts tried each way while the pose is refined */
#define QUICK       64           /* and at the first look at it */
#define CHOSEN      6            /* poses of the search that are refined */
#define POSES       (CHOSEN + 2) /* and as it was made, and its mirror image */
#define REFINEMENTS 17           /* of a pose */

/* Correlations that are looked at for one key: each pose as it is and turned by half. */
#define SURFACES (2.0 * (SEARCH_POSES + POSES * REFINEMENTS))

/* The chance that a standard normal number is above z. */
static double above(double z)
{
    return 0.5 * erfc(z / M_SQRT2);
}

static double at_most_one(double p)
{
    return p < 1 ? p : 1;
}

/* Everything that one picture's detection needs. */
struct look {
    struct plane plane;
    struct spectrum exact;
    struct search search;
    struct transform *fine, *coarse, *quick;
    float *room;
    int shrink;
};

static void look_close(struct look *l)
{
    plane_close(&l->plane);
    spectrum_close(&l->exact);
    search_close(&l->search);
    transform_close(&l->fine);
    transform_close(&l->coarse);
    transform_close(&l->quick);
    free(l->room);
}

static enum status look_open(struct look *l, const struct image *image)
{
    int longer = image->width > image->height ? image->width : image->height, side, band;
    struct spectrum soft = {0};
    enum status st;

    *l = (struct look){.shrink = (longer + LOOK_SIDE - 1) / LOOK_SIDE};
    st = plane_open(&l->plane, image, l->shrink);
    side = spectrum_side(image->width / l->shrink, image->height / l->shrink);
    band = (int)(side * BAND);
    if (st == ST_OK)
        st = spectrum_open(&soft, l->plane.residual, l->plane.width, l->plane.height, side, band,
                           SPECTRUM_SOFT);
    if (st == ST_OK)
        st = search_open(&l->search, &soft, longer / l->shrink);
    spectrum_close(&soft);
    if (st == ST_OK)
        st = spectrum_open(&l->exact, l->plane.residual, l->plane.width, l->plane.height, side,
                           band, SPECTRUM_EXACT);
    if (st == ST_OK)
        st = transform_open(&l->fine, LINES_SHIFTS);
    if (st == ST_OK)
        st = transform_open(&l->coarse, COARSE);
    if (st == ST_OK)
        st = transform_open(&l->quick, QUICK);
    l->room = malloc((size_t)LINES_SHIFTS * (TRANSFORM_LANES * 2 + 80) * sizeof(float));
    if (st == ST_OK && !l->room)
        st = ST_FULL;
    if (st != ST_OK)
        look_close(l);
    return st;
}

static void noise_at(float beside[KEY_LINES], const struct look *l, const struct mark_key *key,
                     const struct pose *pose)
{
    for (int i = 0; i < KEY_LINES; i++) {
        beside[i] = 0;
        for (int way = -1; way <= 1; way += 2) {
            float f[2], c[2];

            pose_line(f, pose, key, i, 0.5f, 0.5f * (float)way);
            spectrum_at(c, &l->exact, f[0], f[1]);
            beside[i] += 0.5f * (c[0] * c[0] + c[1] * c[1]);
        }
    }
}

static void lines_at(struct lines *out, const struct look *l, const struct mark_key *key,
                     const struct pose *pose, const float beside[KEY_LINES])
{
    float found[KEY_LINES][2];

    for (int i = 0; i < KEY_LINES; i++) {
        float f[2];

        pose_line(f, pose, key, i, 0, 0);
        spectrum_at(found[i], &l->exact, f[0], f[1]);
    }
    lines_level(out, key, found, beside);
}

/* A pose with what the pilots say there. */
struct
try {
    struct pose pose;
    struct lines lines;
    struct pilots pilots;
};

/* Looks at one pose, upright and turned by half, and keeps it when it is better than the best. */
static void try_pose(struct try *best, const struct look *l, const struct mark_key *key,
                     const struct pose *pose, const float beside[KEY_LINES])
{
    struct lines lines, turned;

    lines_at(&lines, l, key, pose, beside);
    lines_turn(&turned, &lines, key);
    for (int half = 0; half < 2; half++) {
        const struct lines *now = half ? &turned : &lines;
        struct pilots p;

        lines_find(&p, now, key, l->coarse, COARSE, l->room);
        if (p.z > best->pilots.z) {
            best->pose = *pose;
            best->pose.turn += half ? M_PI : 0;
            best->lines = *now;
            best->pilots = p;
        }
    }
}

static void refine(struct try *best, const struct look *l, const struct mark_key *key,
                   const struct pose *start)
{
    float beside[KEY_LINES];
    struct pose centre = *start;

    noise_at(beside, l, key, start);
    *best = (struct try){.pilots.z = -1};
    for (int round = 0; round < 2; round++) {
        double step = l->search.step * (round ? 0.25 : 0.5);

        for (int i = 0; i < 9; i++) {
            struct pose pose = centre;

            if (round && i == 4)
                continue; /* the first round has had it */
            pose.scale *= exp((i / 3 - 1) * step);
            pose.turn += (i % 3 - 1) * step;
            try_pose(best, l, key, &pose, beside);
        }
        centre = best->pose;
    }
    lines_find(&best->pilots, &best->lines, key, l->fine, LINES_SHIFTS, l->room);
}

/* Reads the word at the pose. A finding with a smaller p value replaces the one before. */
static void read_word(struct mark_finding *f, const struct try *t, const struct mark_key *key,
                      int index, double surfaces, int shrink)
{
    struct mark_finding now = {.key = index, .words = f->words, .p_id = 1};
    double shifts = (double)LINES_SHIFTS * LINES_SHIFTS, p_pilot;

    now.z_pilot = (double)t->pilots.z;
    now.scale = t->pose.scale * shrink;
    now.degrees = remainder(t->pose.turn * 180 / M_PI, 360);
    now.mirrored = t->pose.mirrored;
    now.energy =
        lines_soft(now.soft, &t->lines, key, t->pilots.x, t->pilots.y, LINES_SHIFTS) + 1e-12;
    if (payload_decode(&now.id, now.soft)) {
        now.z_id = payload_fit(now.soft, now.id) / sqrt(now.energy);
        now.p_id = at_most_one(f->words * 0x1p64 * above(now.z_id));
    }
    p_pilot = at_most_one(surfaces * shifts * above(now.z_pilot));
    now.p_present = at_most_one(2 * fmin(p_pilot, now.p_id));
    if (f->key < 0 || now.p_present < f->p_present ||
        (now.p_present >= f->p_present && now.z_pilot > f->z_pilot))
        *f = now;
}

static void conclude(struct mark_finding *f)
{
    f->verdict = f->p_id <= MARK_P_MAX        ? MARK_ID
                 : f->p_present <= MARK_P_MAX ? MARK_PRESENT
                                              : MARK_ABSENT;
    if (f->verdict != MARK_ID)
        f->id = 0;
    if (f->verdict == MARK_ABSENT)
        f->key = -1;
}

/* What the pilots say at a pose, at a quick look. */
static float glance(const struct look *l, const struct mark_key *key, const struct pose *pose)
{
    float beside[KEY_LINES];
    struct lines lines, turned;
    struct pilots a, b;

    noise_at(beside, l, key, pose);
    lines_at(&lines, l, key, pose, beside);
    lines_turn(&turned, &lines, key);
    lines_find(&a, &lines, key, l->quick, QUICK, l->room);
    lines_find(&b, &turned, key, l->quick, QUICK, l->room);
    return a.z > b.z ? a.z : b.z;
}

/* As it was made, the likeliest of all, first. Of those that the search offers, the ones that the
   pilots like best, best first. */
static int choose_poses(struct pose poses[POSES], struct look *l, const struct mark_key *key)
{
    struct pose offered[SEARCH_POSES];
    float z[POSES] = {0};
    int count = search_run(offered, &l->search, key), kept = 2;

    poses[0] = (struct pose){.scale = 1.0 / l->shrink};
    poses[1] = (struct pose){.scale = 1.0 / l->shrink, .mirrored = true};
    for (int i = 0; i < count; i++) {
        float now = glance(l, key, &offered[i]);
        int at = kept;

        for (; at > 2 && now > z[at - 1]; at--)
            if (at < POSES) {
                poses[at] = poses[at - 1];
                z[at] = z[at - 1];
            }
        if (at < POSES) {
            poses[at] = offered[i];
            z[at] = now;
            kept += kept < POSES;
        }
    }
    return kept;
}

enum status mark_detect(struct mark_finding *out, const struct image *image,
                        const struct mark_key *const *keys, int count, struct why *why)
{
    struct look l;

    assert(count > 0 && count <= MARK_KEYS_MAX);
    *out = (struct mark_finding){.key = -1, .p_present = 1, .p_id = 1, .words = count * POSES};
    if (image->width < LOOK_MIN || image->height < LOOK_MIN)
        return ST_OK;
    if (look_open(&l, image) != ST_OK)
        return why_fail(why, ST_FULL, "no memory to look for a mark in %d x %d pixels",
                        image->width, image->height);
    for (int k = 0; k < count && out->p_id > MARK_P_MAX; k++) {
        struct pose poses[POSES];
        int found = choose_poses(poses, &l, keys[k]);

        for (int i = 0; i < found && out->p_id > MARK_P_MAX; i++) {
            struct try best;

            refine(&best, &l, keys[k], &poses[i]);
            read_word(out, &best, keys[k], k, count * SURFACES, l.shrink);
        }
    }
    conclude(out);
    look_close(&l);
    return ST_OK;
}

enum status mark_read_back(struct mark_finding *out, const struct image *image,
                           const struct mark_key *key, struct why *why)
{
    struct plane plane = {0};
    struct transform *t = NULL;
    float found[KEY_LINES][2], beside[KEY_LINES];
    float *room = malloc(
        ((size_t)2 * LINES_SHIFTS * LINES_SHIFTS + (size_t)2 * LINES_SHIFTS * TRANSFORM_LANES) *
        sizeof(float));
    enum status st = room ? plane_open(&plane, image, 1) : ST_FULL;

    *out = (struct mark_finding){.key = -1, .p_present = 1, .p_id = 1, .words = 1};
    if (st == ST_OK)
        st = transform_open(&t, LINES_SHIFTS);
    if (st == ST_OK) {
        struct try here = {.pose.scale = 1};

        lines_fold(found, beside, key, plane.residual, plane.width, plane.height, t, room);
        lines_level(&here.lines, key, found, beside);
        here.pilots.z = lines_pilot_z(&here.lines);
        read_word(out, &here, key, 0, 1.0 / ((double)LINES_SHIFTS * LINES_SHIFTS), 1);
        conclude(out);
    }
    free(room);
    transform_close(&t);
    plane_close(&plane);
    return st == ST_OK ? st : why_fail(why, st, "no memory to read a mark back");
}

double mark_p_asserted(const struct mark_finding *f, uint64_t id, int64_t candidates)
{
    if (f->energy <= 0)
        return 1;
    return at_most_one((double)f->words * (double)candidates *
                       above(payload_fit(f->soft, id) / sqrt(f->energy)));
}
