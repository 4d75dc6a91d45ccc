/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/sign.h"
#include "server/command_line.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/verifier.h"
#include "watermark/evidence.h"
#include "watermark/export.h"
#include "watermark/layout.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "limner log"

static const char help[] =
    "limner log - the log of what was made, and proofs of it\n\n"
    "    limner log verify [flags]            every record, every hash, the newest head\n"
    "    limner log checkpoint [flags]        the newest head, as it was signed\n"
    "    limner log key [flags]               the key that it is checked with\n"
    "    limner log record INDEX [flags]      one record, as it was hashed\n"
    "    limner log proof INDEX [flags]       that it is in the log (c2sp.org/tlog-proof@v1)\n"
    "    limner log consistency SIZE [flags]  that the log of SIZE records is the beginning of "
    "this one\n"
    "    limner log export PATH [flags]       a copy that others can check: a folder, or NAME.tar\n"
    "    limner log evidence ID -o PATH       one picture's record and proof, with what checks "
    "them\n"
    "\n"
    "    -o, --output PATH  evidence: a folder, or NAME.tar\n"
    "    --head FILE        verify: a head that was saved before has to be the log's, too\n"
    "    --reason TEXT      why somebody reads; it is written into the log\n"
    "    --state DIR        where the log is; else as `limner serve` would find it\n"
    "    --config FILE      the server's configuration\n"
    "    --json             verify and export: for programs\n\n"
    "What reads records (record, export, evidence) leaves a record of itself. tools/verify_log "
    "checks what "
    "comes\nout of here without limner. The exit code is 1 when the log is not as it was.\n";

struct wish {
    const char *word, *what; /* of the command */
    int64_t number;          /* `what`, of those that take one */
    const char *head, *reason, *output;
    struct command_line_common common;
};

/* What a word works with. */
struct opened {
    struct store *store;
    struct sign_key *key; /* NULL: there is none, so nothing can be appended */
    uint8_t public[SIGN_PUBLIC_MAX];
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct ledger *ledger;
};

static int complain(const struct why *why, int code)
{
    return command_line_complain(COMMAND, why, code);
}

static void say(const char *text)
{
    fputs(text, stdout);
}

/* ---- the words ---- */

static int print_checkpoint(struct opened *d, const struct wish *w, struct why *why)
{
    struct store_checkpoint head;

    (void)w;
    if (ledger_checkpoint(d->ledger, &head, why))
        return 1;
    say(head.note);
    return 0;
}

static int print_key(struct opened *d, const struct wish *w, struct why *why)
{
    char vkey[CHECKPOINT_VKEY_MAX];

    (void)w;
    (void)why;
    checkpoint_vkey(vkey, d->origin, d->public);
    puts(vkey);
    return 0;
}

/* A record of who looked at what, before it is shown. */
static enum status note(struct opened *d, enum record_kind kind, const char *what,
                        const struct wish *w, struct why *why)
{
    struct record r = {.kind = kind, .endpoint = "command"};
    char text[RECORD_NOTE_MAX];

    snprintf(text, sizeof(text), "%s by user %u%s%s", what, (unsigned)getuid(),
             w->reason ? ": " : "", w->reason ? w->reason : "");
    record_text(r.note, sizeof(r.note), text);
    return ledger_append(d->ledger, &r, NULL, why);
}

static int print_record(struct opened *d, const struct wish *w, struct why *why)
{
    struct store_leaf leaf = {.index = -1};
    char what[64];
    int count = 1;
    enum status st = ledger_entries(d->ledger, w->number, &leaf, &count, why);

    snprintf(what, sizeof(what), "record %" PRId64, w->number);
    if (!st && (!count || leaf.index != w->number))
        st = why_fail(why, ST_MISSING, "the log has no %s", what);
    if (!st && !leaf.record.count)
        st = why_fail(why, ST_MISSING, "%s has expired", what);
    if (!st)
        st = note(d, RECORD_READ, what, w, why);
    if (!st) {
        fwrite(leaf.record.data, 1, leaf.record.count, stdout);
        putchar('\n');
    }
    if (count)
        ledger_release(&leaf, 1);
    return st ? 1 : 0;
}

static int print_proof(struct opened *d, const struct wish *w, struct why *why)
{
    char text[CHECKPOINT_PROOF_MAX];

    if (ledger_proof(d->ledger, w->number, 0, text, why))
        return 1;
    say(text);
    return 0;
}

static int print_consistency(struct opened *d, const struct wish *w, struct why *why)
{
    char text[CHECKPOINT_PROOF_MAX];
    struct store_checkpoint head;
    struct tree_proof proof;

    if (ledger_checkpoint(d->ledger, &head, why) ||
        ledger_consistency(d->ledger, w->number, head.size, &proof, why))
        return 1;
    layout_consistency(text, w->number, &proof, head.note);
    say(text);
    return 0;
}

static int export_log(struct opened *d, const struct wish *w, struct why *why)
{
    struct export_done done;
    struct json_out out = {0};
    char what[512];

    /* The head then covers what is told of this export. */
    snprintf(what, sizeof(what), "export of the log to %.200s", w->what);
    if (note(d, RECORD_EXPORT, what, w, why) || ledger_sign(d->ledger, why) ||
        export_write(d->ledger, d->public, w->what, &done, why))
        return 1;
    if (w->common.json) {
        json_out_object(&out, NULL);
        json_out_string(&out, "path", w->what);
        json_out_int(&out, "size", done.head.size);
        json_out_int(&out, "expired", done.expired);
        json_out_object_end(&out);
        return command_line_print(COMMAND, &out);
    }
    printf("%s: %" PRId64 " records, %" PRId64 " of them expired\n", w->what, done.head.size,
           done.expired);
    return 0;
}

/* The picture's id: 16 hexadecimal digits. */
static enum status read_id(uint64_t *out, const char *text, struct why *why)
{
    uint8_t id[8];

    *out = 0;
    if (!crypto_unhex(id, sizeof(id), text, strlen(text)))
        return why_fail(why, ST_INVALID, "a picture's id is 16 hexadecimal digits, not '%.32s'",
                        text);
    for (size_t i = 0; i < sizeof(id); i++)
        *out = *out << 8 | id[i];
    return ST_OK;
}

static int pack_evidence(struct opened *d, const struct wish *w, struct why *why)
{
    struct record r;
    uint64_t id;
    char what[512];

    if (read_id(&id, w->what, why) || ledger_find_id(d->ledger, id, &r, why))
        return 1;
    snprintf(what, sizeof(what), "evidence for record %" PRId64 " to %.200s", r.index, w->output);
    if (note(d, RECORD_EXPORT, what, w, why) || ledger_sign(d->ledger, why) ||
        evidence_write(d->ledger, d->public, r.index, verifier_files, verifier_file_count,
                       w->output, why))
        return 1;
    printf("%s: record %" PRId64 ", its proof, and what checks them\n", w->output, r.index);
    return 0;
}

/* ---- verify ---- */

static enum status read_head(char text[CHECKPOINT_READ_MAX], size_t *bytes, const char *path,
                             struct why *why)
{
    FILE *file = fopen(path, "rbe");

    if (!file)
        return why_fail(why, ST_MISSING, "%s: %s", path, strerror(errno));
    *bytes = fread(text, 1, CHECKPOINT_READ_MAX, file);
    fclose(file);
    return ST_OK;
}

/* Is a head that somebody kept one of this log's? ST_INVALID: roll back or fork. */
static enum status compare_head(struct opened *d, const char *path, struct why *why)
{
    char text[CHECKPOINT_READ_MAX];
    struct store_checkpoint now;
    struct checkpoint saved;
    struct tree_proof proof;
    size_t bytes = 0;
    enum status st = read_head(text, &bytes, path, why);

    if (!st)
        st = checkpoint_check(&saved, text, bytes, d->origin, d->public, why);
    if (!st)
        st = ledger_checkpoint(d->ledger, &now, why);
    if (st)
        return st;
    if (saved.size > now.size)
        return why_fail(why, ST_INVALID,
                        "rolled back: %s was signed for %" PRId64 " records, and the log has a "
                        "head of %" PRId64,
                        path, saved.size, now.size);
    if (!saved.size)
        return ST_OK;
    st = ledger_consistency(d->ledger, saved.size, now.size, &proof, why);
    if (!st && !tree_check_consistency(saved.size, now.size, (const void *)proof.hashes,
                                       proof.count, saved.root, now.root))
        st = why_fail(why, ST_INVALID,
                      "forked: one of records 0 to %" PRId64 " is not what %s was signed for",
                      saved.size - 1, path);
    return st;
}

static int print_verdict(const struct wish *w, enum status st, int64_t size, int64_t bad,
                         struct why *why)
{
    struct json_out out = {0};
    int code;

    if (!w->common.json) {
        if (!st)
            printf("%" PRId64 " records: the log is as it was\n", size);
        return st ? 1 : 0;
    }
    json_out_object(&out, NULL);
    json_out_bool(&out, "ok", !st);
    json_out_int(&out, "size", size);
    if (st)
        json_out_string(&out, "says", why->text);
    if (bad >= 0)
        json_out_int(&out, "index", bad);
    json_out_object_end(&out);
    code = command_line_print(COMMAND, &out);
    return code || st ? 1 : 0;
}

/* The newest head, by the key's public half alone. */
static enum status check_newest(struct opened *d, struct why *why)
{
    struct store_checkpoint head;
    struct checkpoint c;
    enum status st = ledger_checkpoint(d->ledger, &head, why);

    return st ? st : checkpoint_check(&c, head.note, strlen(head.note), d->origin, d->public, why);
}

static int verify(struct opened *d, const struct wish *w, struct why *why)
{
    int64_t size = 0, bad = -1;
    enum status st = ledger_size(d->ledger, &size, why);

    if (!st)
        st = check_newest(d, why);
    if (!st)
        st = ledger_check(d->ledger, &bad, why);
    if (!st && w->head)
        st = compare_head(d, w->head, why);
    return print_verdict(w, st, size, bad, why);
}

static const struct {
    const char *word, *takes; /* what follows it; NULL: nothing */
    bool number;
    bool appends; /* what it shows is told to the log before */
    bool key;     /* its public half is part of the answer */
    int (*run)(struct opened *d, const struct wish *w, struct why *why);
} words[] = {
    {"verify", NULL, false, false, false, verify},
    {"checkpoint", NULL, false, false, false, print_checkpoint},
    {"key", NULL, false, false, true, print_key},
    {"record", "INDEX", true, true, true, print_record},
    {"proof", "INDEX", true, false, false, print_proof},
    {"consistency", "SIZE", true, false, false, print_consistency},
    {"export", "PATH", false, true, true, export_log},
    {"evidence", "ID", false, true, true, pack_evidence},
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static size_t find_word(const char *word)
{
    size_t i = 0;

    while (i < WORD_COUNT && strcmp(word, words[i].word) != 0)
        i++;
    return i;
}

/* ---- flags ---- */

static enum status take_flag(struct wish *w, int flag, char *value, struct why *why)
{
    switch (flag) {
    case 'H':
        w->head = value;
        return ST_OK;
    case 'o':
        w->output = value;
        return ST_OK;
    case 'r':
        w->reason = value;
        return ST_OK;
    default:
        return command_line_take(&w->common, COMMAND, flag, value, why);
    }
}

static enum status read_words(struct wish *w, int count, char **args, struct why *why)
{
    size_t i;
    char *end;

    if (w->common.help)
        return ST_OK;
    w->word = count > 0 ? args[0] : "";
    i = find_word(w->word);
    if (i == WORD_COUNT)
        return why_fail(why, ST_INVALID,
                        "say limner log verify, checkpoint, key, record INDEX, proof INDEX, "
                        "consistency SIZE, export PATH or evidence ID");
    if (count != (words[i].takes ? 2 : 1))
        return why_fail(why, ST_INVALID, "say it like this: limner log %s%s%s", w->word,
                        words[i].takes ? " " : "", words[i].takes ? words[i].takes : "");
    if (w->head && strcmp(w->word, "verify") != 0)
        return why_fail(why, ST_INVALID, "--head is for limner log verify");
    if (!w->output != !!strcmp(w->word, "evidence"))
        return why_fail(why, ST_INVALID,
                        w->output ? "-o is for limner log evidence"
                                  : "say it like this: limner log evidence ID -o "
                                    "PATH");
    if (!words[i].takes)
        return ST_OK;
    w->what = args[1];
    if (!words[i].number)
        return ST_OK;
    errno = 0;
    w->number = strtoll(w->what, &end, 10);
    if (errno || *end || end == w->what || w->number < 0 || w->number > TREE_SIZE_MAX)
        return why_fail(why, ST_INVALID, "%s is a number from 0 on, not '%.32s'", words[i].takes,
                        w->what);
    return ST_OK;
}

static enum status read_wish(struct wish *w, int count, char **args, struct why *why)
{
    static const struct option options[] = {{"head", required_argument, NULL, 'H'},
                                            {"reason", required_argument, NULL, 'r'},
                                            {"state", required_argument, NULL, 'S'},
                                            {"config", required_argument, NULL, 'C'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    enum status st = ST_OK;
    int flag;

    *w = (struct wish){.number = 0};
    optind = 1;
    while (!st && (flag = getopt_long(count + 1, args - 1, "ho:", options, NULL)) != -1)
        st = take_flag(w, flag, optarg, why);
    return st ? st : read_words(w, count + 1 - optind, args - 1 + optind, why);
}

/* ---- the log ---- */

/* What the log is called stands in its newest head; before there is one, in the configuration. */
static enum status find_origin(struct opened *d, struct why *why)
{
    struct store_checkpoint head;
    struct checkpoint c;
    int count = 1;
    enum status st = d->store->ops->checkpoint_list(d->store, 0, 0, &head, &count, why);

    snprintf(d->origin, sizeof(d->origin), "%s", LEDGER_ORIGIN);
    if (st || !count)
        return st;
    st = checkpoint_parse(&c, head.note, strlen(head.note), why);
    if (!st)
        memcpy(d->origin, c.origin, sizeof(c.origin));
    return st;
}

static enum status open_key(struct opened *d, const char *state, struct why *why)
{
    char path[4096];
    size_t bytes = 0;
    enum status st;

    if (snprintf(path, sizeof(path), "%s/keys/ledger.pem", state) >= (int)sizeof(path))
        return why_fail(why, ST_INVALID, "%s is too long a name", state);
    st = sign_open(&d->key, path, why);
    if (st)
        return st;
    if (sign_kind(d->key) != SIGN_ED25519)
        return why_fail(why, ST_INVALID, "%s is no Ed25519 key: it is not the log's", path);
    sign_public(d->public, &bytes, d->key);
    return ST_OK;
}

/* A log that is only read needs no private key, except to be sure of its signatures. */
static enum status open_log(struct opened *d, const struct wish *w, const char *state,
                            struct why *why)
{
    size_t i = find_word(w->word);
    enum status st = store_open(&d->store, state, why);

    if (!st)
        st = find_origin(d, why);
    if (!st && (words[i].key || !strcmp(w->word, "verify")))
        st = open_key(d, state, why);
    if (st)
        return st;
    return ledger_open(&d->ledger,
                       &(struct ledger_options){.store = d->store,
                                                .origin = d->origin,
                                                .key = words[i].appends ? d->key : NULL},
                       why);
}

static int run(struct wish *w)
{
    struct config config;
    struct opened d = {.store = NULL};
    struct why why = {""};
    int code;

    if (config_read(&config, w->common.passed.count, w->common.passed.args, &why))
        code = complain(&why, 2);
    else if (open_log(&d, w, config.state, &why))
        code = complain(&why, 1);
    else {
        code = words[find_word(w->word)].run(&d, w, &why);
        if (code && why.text[0])
            complain(&why, code);
    }
    if (!code && fflush(stdout))
        code = complain(&(struct why){"what was asked for could not be written"}, 1);
    ledger_close(&d.ledger);
    sign_close(&d.key);
    store_close(&d.store);
    config_close(&config);
    return code;
}

int command_log(int count, char **args)
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
