/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parity.h - what the tests of the networks share: tiny pipelines with golden tensors, devices to
 * run them on, and the distance between two stages.
 *
 * The goldens were made by tools/oracle/tiny.py with diffusers and transformers in float32.
 */
#ifndef TESTS_PARITY_H
#define TESTS_PARITY_H

#include "kernels/device.h"
#include "models/weights.h"
#include "tests/fault.h"
#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARITY_BOUND 1e-5 /* relative L2 error in float32 without Winograd */

/* The last two are StableDiffusionXLPipelines. */
#define PARITY_COUNT 6
#define PARITY_XL    4
static const char *const parity_names[PARITY_COUNT] = {"sd1", "sd2", "odd", "lcm", "sdxl", "turbo"};

/* "tests/golden/tiny_NAME/PART" into path. */
static inline const char *parity_path(char path[256], const char *name, const char *part)
{
    snprintf(path, 256, "tests/golden/tiny_%s%s%s", name, *part ? "/" : "", part);
    return path;
}

static inline struct weights *parity_open(const char *name)
{
    struct weights *w = NULL;
    struct why why = {{0}};
    char path[256];

    if (weights_open(&w, parity_path(path, name, "golden.safetensors"), &why) != ST_OK)
        fail_msg("%s", why.text);
    return w;
}

static inline struct tensor parity_find(const struct weights *golden, const char *name)
{
    struct why why = {{0}};
    struct tensor t = {0};

    if (weights_find(golden, name, &t, &why) != ST_OK)
        fail_msg("%s", why.text);
    return t;
}

/* Plain C, or the best there is without Winograd. */
static inline struct device *parity_device(bool reference)
{
    struct device_options options = {
        .threads = 2, .reference = reference, .caps_off = CAP_WINOGRAD};
    struct device *d = NULL;
    struct why why = {{0}};

    if (device_open(&d, options, &why) != ST_OK)
        fail_msg("%s", why.text);
    return d;
}

static inline struct tensor parity_upload(struct device *d, struct tensor host)
{
    struct tensor t = tensor_carve_like(&d->arena, host);

    d->ops.upload(d, t, host.data);
    return t;
}

static inline double parity_error(const float *got, struct tensor want)
{
    const float *w = want.data;
    double difference = 0, size = 0;

    for (int64_t i = 0; i < tensor_count(want); i++) {
        double e = (double)got[i] - (double)w[i];
        difference += e * e;
        size += (double)w[i] * (double)w[i];
    }
    return sqrt(difference / size);
}

/* Fails with both numbers when got is further away than `bound`, or not a number. */
static inline void parity_near(const float *got, struct tensor want, double bound, const char *what)
{
    double error = parity_error(got, want);

    if (getenv("PARITY_PRINT"))
        printf("    %-32s %.2e\n", what, error);
    if (!(error <= bound))
        fail_msg("%s is off by %.2e, at most %.0e is allowed", what, error, bound);
}

/* A fresh folder whose config.json holds this text; parity_forget removes both. */
static inline void parity_config(char folder[64], const char *text)
{
    char path[96];
    FILE *file;

    snprintf(folder, 64, "/tmp/limner-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/config.json", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline void parity_forget(const char *folder)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/config.json", folder);
    remove(path);
    remove(folder);
}

/* A network as the tests that are the same for all of them see it: what opens and closes one. */
struct parity_network {
    enum status (*open)(void **out, struct device *d, const char *folder, struct why *why);
    void (*close)(void **network);
};

/* Goal: no failed allocation while opening crashes or leaks. */
static inline void parity_survives(struct parity_network n, const char *folder)
{
    struct device *d = parity_device(true);

    for (int nth = 1;; nth++) {
        void *network = NULL;
        struct why why = {{0}};
        fault_arm(nth);
        enum status st = n.open(&network, d, folder, &why);
        bool fired = fault_fired();
        n.close(&network);
        fault_disarm();
        assert_true(fault_live() <= 0); /* below: under ASan, whose strdup is not counted */
        if (!fired) {
            assert_int_equal(st, ST_OK);
            break;
        }
        if (st != ST_FULL && st != ST_OK) /* the C library's qsort can do without */
            fail_msg("allocation %d failed: %s (%s)", nth, status_name(st), why.text);
    }
    device_close(&d);
}

/* A folder with this config.json must be refused, with these words. */
static inline void parity_refused(struct parity_network n, struct device *d, const char *config,
                                  enum status want, const char *words)
{
    void *network = NULL;
    struct why why = {{0}};
    char folder[64];
    enum status st;

    parity_config(folder, config);
    st = n.open(&network, d, folder, &why);
    parity_forget(folder);
    assert_null(network);
    if (st != want || !strstr(why.text, words))
        fail_msg("%s: %s, %s", config, status_name(st), why.text);
}

/* Run `step` once while measuring and once in the memory that this asked for, which proves that
   the measure was enough: an arena that runs over asserts. */
static inline void parity_run(struct device *d, void (*step)(struct device *d, void *context),
                              void *context)
{
    struct why why = {{0}};
    size_t peak;

    arena_rewind(&d->arena, 0);
    device_measure_begin(d);
    step(d, context);
    peak = d->arena.peak;
    arena_rewind(&d->arena, 0);
    if (device_measure_end(d, &why) != ST_OK)
        fail_msg("%s", why.text);
    d->arena.peak = 0;
    step(d, context);
    arena_rewind(&d->arena, 0);
    assert_int_equal(device_sync(d), ST_OK);
    assert_true(d->arena.peak == peak);
}

#endif /* TESTS_PARITY_H */
