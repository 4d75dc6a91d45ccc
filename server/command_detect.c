/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stranger.h"
#include "server/command_line.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/detect.h"
#include "store/store.h"
#include "watermark/keyring.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "limner detect"

static const char help[] =
    "limner detect - was this picture made here?\n\n"
    "    limner detect FILE [flags]    a PNG, JPEG or WebP, from anywhere\n\n"
    "    --state DIR      where the keys and the log are; else as `limner serve` would find it\n"
    "    --config FILE    the server's configuration\n"
    "    --json           for programs, with the numbers behind the verdict\n\n"
    "It looks for a signed manifest, for the mark in the pixels, and for their record in the log.\n"
    "\"Not found\" does not say how a picture was made. The exit code is 0 when it could be looked "
    "at.\n";

struct wish {
    const char *file;
    struct command_line_common common;
};

static int complain(const struct why *why, int code)
{
    return command_line_complain(COMMAND, why, code);
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {{"state", required_argument, NULL, 'S'},
                                            {"config", required_argument, NULL, 'C'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.file = NULL};
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "h", options, NULL)) != -1)
        st = command_line_take(&w->common, COMMAND, flag, optarg, why);
    if (st || w->common.help)
        return st;
    if (count + 1 - optind != 1)
        return why_fail(why, ST_INVALID, "say which file: limner detect FILE");
    w->file = args[optind - 1];
    return ST_OK;
}

/* One byte more than are taken, so that too many are seen. */
static enum status read_file(struct bytes *out, const char *path, struct why *why)
{
    FILE *file = fopen(path, "rbe");
    enum status st = ST_OK;

    if (!file)
        return why_fail(why, ST_MISSING, "%s: %s", path, strerror(errno));
    out->data = malloc(STRANGER_BYTES_MAX + 1);
    if (!out->data)
        st = why_fail(why, ST_FULL, "no memory for %s", path);
    else
        out->count = fread(out->data, 1, STRANGER_BYTES_MAX + 1, file);
    if (!st && ferror(file))
        st = why_fail(why, ST_IO, "%s: %s", path, strerror(errno));
    fclose(file);
    return st;
}

/* Looking makes no keys: with fresh ones nothing could ever be found. */
static enum status open_keys(struct keyring **out, const struct config *c, struct why *why)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/" KEYRING_FOLDER, c->state);
    if (access(path, F_OK) != 0)
        return why_fail(why, ST_MISSING,
                        "there are no keys in %s; name the state folder of the server with --state",
                        path);
    return keyring_open(out, c->state, c->provider, why);
}

static int print(const struct wish *w, const struct detect_result *r)
{
    struct json_out out = {0};

    if (!w->common.json) {
        puts(r->sentence);
        return fflush(stdout) ? 1 : 0;
    }
    json_out_object(&out, NULL);
    detect_write(&out, r, true);
    json_out_object_end(&out);
    return command_line_print(COMMAND, &out);
}

static enum status detect(struct detect_result *out, const struct wish *w, const struct config *c,
                          struct why *why)
{
    const struct mark_key *keys[MARK_KEYS_MAX];
    struct bytes file = {NULL, 0};
    struct keyring *ring = NULL;
    struct ledger *ledger = NULL;
    struct store *store = NULL;
    enum status st = read_file(&file, w->file, why);

    if (!st)
        st = open_keys(&ring, c, why);
    if (!st)
        st = store_open(&store, c->state, why);
    if (!st)
        st = ledger_open(&ledger, &(struct ledger_options){.store = store}, why);
    for (int i = 0; !st && i < ring->mark_count; i++)
        keys[i] = ring->mark[i];
    if (!st)
        st = detect_run(out,
                        &(struct detect_tools){.keys = keys,
                                               .key_count = ring->mark_count,
                                               .fingerprint_key = ring->fingerprint,
                                               .ledger = ledger,
                                               .own = ring->certs,
                                               .provider = c->provider},
                        file.data, file.count, why);
    ledger_close(&ledger);
    store_close(&store);
    keyring_close(&ring);
    bytes_close(&file);
    return st;
}

static int run(struct wish *w)
{
    struct detect_result result;
    struct config config;
    struct why why = {""};
    int code;

    if (config_read(&config, w->common.passed.count, w->common.passed.args, &why))
        code = complain(&why, 2);
    else if (detect(&result, w, &config, &why))
        code = complain(&why, 1);
    else
        code = print(w, &result);
    config_close(&config);
    return code;
}

int command_detect(int count, char **args)
{
    struct wish w;
    struct why why = {""};

    if (read_wish(&w, count, args, &why))
        return complain(&why, 2);
    if (!w.common.help)
        return run(&w);
    fputs(help, stdout);
    return 0;
}
