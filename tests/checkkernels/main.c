/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkkernels - judges and times every slot of the op table.
 *
 *     checkkernels [--op=PATTERN] [--caps=LIST] [--precision=f32|mixed] [--seed=N] [--repeat=N]
 *                  [--case=N] [--threads=N] [--full] [--bench] [--list] [--tsv=FILE]
 *
 * It exits 0 when every slot of every filling agrees with its judge. Each slot is checked in a
 * child, so a crash costs one line; this process computes nothing, so that its children may start
 * threads of their own.
 */
#include "tests/checkkernels/check.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOT_SECONDS = 600, SLOT_SECONDS_FULL = 3600 }; /* a slot that takes longer hangs */

static const struct {
    const char *name;
    unsigned cap;
} cap_names[] = {{"avx2", CAP_AVX2},
                 {"avx512", CAP_AVX512},
                 {"bf16", CAP_BF16},
                 {"onednn", CAP_ONEDNN},
                 {"winograd", CAP_WINOGRAD}};

static const char usage[] =
    "usage: checkkernels [--op=PATTERN] [--caps=none|all|avx2,avx512,bf16,onednn,winograd]\n"
    "                    [--precision=f32|mixed] [--seed=N] [--repeat=N] [--case=N]\n"
    "                    [--threads=N] [--full] [--bench] [--list] [--tsv=FILE]\n";

static bool parse_caps(const char *list, unsigned *caps)
{
    *caps = 0;
    if (!strcmp(list, "all"))
        *caps = ~0u;
    if (!strcmp(list, "all") || !strcmp(list, "none"))
        return true;
    while (*list) {
        size_t length = strcspn(list, ",");
        unsigned found = 0;
        for (int i = 0; i < COUNT(cap_names); i++)
            if (length == strlen(cap_names[i].name) && !strncmp(list, cap_names[i].name, length))
                found = cap_names[i].cap;
        if (!found)
            return false;
        *caps |= found;
        list += length + (list[length] == ',');
    }
    return true;
}

static bool parse_number(const char *text, long *number)
{
    char *end;

    errno = 0;
    *number = strtol(text, &end, 10);
    return !errno && end != text && !*end && *number >= 0;
}

static bool parse_named(struct options *o, const char *name, const char *value)
{
    long number = 0;

    if (!strcmp(name, "--op"))
        o->pattern = value;
    else if (!strcmp(name, "--tsv"))
        o->tsv = value;
    else if (!strcmp(name, "--caps"))
        return parse_caps(value, &o->caps);
    else if (!strcmp(name, "--precision") && !strcmp(value, "f32"))
        o->precision = PRECISION_F32;
    else if (!strcmp(name, "--precision") && !strcmp(value, "mixed"))
        o->precision = PRECISION_MIXED;
    else if (!parse_number(value, &number) || number > 1000000000)
        return false;
    else if (!strcmp(name, "--seed"))
        o->seed = (uint64_t)number;
    else if (!strcmp(name, "--repeat") && number >= 1 && number <= 100000)
        o->repeat = (int)number;
    else if (!strcmp(name, "--case"))
        o->only_case = (int)number;
    else if (!strcmp(name, "--threads"))
        o->threads = (int)number;
    else
        return false;
    return true;
}

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char name[32];
        const char *value = strchr(argv[i], '=');
        if (!strcmp(argv[i], "--full"))
            o->full = true;
        else if (!strcmp(argv[i], "--bench"))
            o->bench = true;
        else if (!strcmp(argv[i], "--list"))
            o->list = true;
        else if (!value || (size_t)(value - argv[i]) >= sizeof(name))
            return false;
        else {
            snprintf(name, sizeof(name), "%.*s", (int)(value - argv[i]), argv[i]);
            if (!parse_named(o, name, value + 1))
                return false;
        }
    }
    return true;
}

/* A rung's name is what it was given; the same words repeat it. */
static void rung_add(struct rung *rungs, int *count, unsigned mask, enum precision precision)
{
    struct rung *rung = &rungs[(*count)++];
    size_t used = 0;

    rung->mask = mask;
    rung->precision = precision;
    snprintf(rung->caps, sizeof(rung->caps), "none");
    for (int i = 0; i < COUNT(cap_names); i++)
        if (mask & cap_names[i].cap)
            used += (size_t)snprintf(rung->caps + used, sizeof(rung->caps) - used, "%s%s",
                                     used ? "," : "", cap_names[i].name);
    snprintf(rung->name, sizeof(rung->name), "%s%s", rung->caps,
             precision == PRECISION_MIXED ? " mixed" : "");
    ops_fill_reference(&rung->ops);
    ops_fill_simd(&rung->ops, mask);
    ops_fill_onednn(&rung->ops, mask);
    ops_assert_full(&rung->ops);
}

/* From nothing to everything, one capability more at a time, with oneDNN over each instruction set
   that it has kernels of ours for; then what bf16 changes in mixed precision. */
static const struct {
    unsigned mask;
    enum precision precision;
} ladder[] = {
    {0, PRECISION_F32},
    {CAP_AVX2, PRECISION_F32},
    {CAP_AVX2 | CAP_ONEDNN, PRECISION_F32},
    {CAP_AVX2 | CAP_ONEDNN | CAP_WINOGRAD, PRECISION_F32},
    {CAP_AVX2 | CAP_AVX512, PRECISION_F32},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16, PRECISION_F32},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16 | CAP_ONEDNN, PRECISION_F32},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16 | CAP_ONEDNN | CAP_WINOGRAD, PRECISION_F32},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16, PRECISION_MIXED},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16 | CAP_ONEDNN, PRECISION_MIXED},
    {CAP_AVX2 | CAP_AVX512 | CAP_BF16 | CAP_ONEDNN | CAP_WINOGRAD, PRECISION_MIXED},
};

static int climb(struct rung *rungs, const struct options *o)
{
    unsigned have = ops_caps() & o->caps;
    int count = 0;

    for (int i = 0; i < COUNT(ladder); i++) {
        if ((ladder[i].mask & ~have) ||
            (o->precision >= 0 && o->precision != (int)ladder[i].precision))
            continue;
        rung_add(rungs, &count, ladder[i].mask, ladder[i].precision);
    }
    return count;
}

static int unclaimed(void)
{
    int missing = 0;

    for (size_t at = sizeof(const char *); at < sizeof(struct ops); at += sizeof(void (*)(void))) {
        bool claimed = false;
        for (int i = 0; i < slot_count; i++)
            claimed |= slots[i].offset == at;
        if (claimed)
            continue;
        printf("FAIL  slot %zu of struct ops has no check: claim it in slots.c\n",
               at / sizeof(void (*)(void)));
        missing++;
    }
    return missing;
}

/* In the child: open everybody, run the slot's check, leave. */
static void check_in_child(struct check *c)
{
    struct device_options options = {.threads = c->options->threads, .reference = true};
    struct why why = {""};
    enum status st = device_open(&c->judge, options, &why);

    options.reference = false;
    for (int r = 0; !st && r < c->rung_count; r++) {
        options.caps_off = ~c->rungs[r].mask;
        options.precision = c->rungs[r].precision;
        if (!c->shared->verdicts[r].crashed && (check_is_new(c, r) || c->slot->check == check_open))
            st = device_open(&c->devices[r], options, &why);
    }
    if (st) {
        printf("FAIL  %s: no device: %s\n", c->slot->name, why.text);
        exit(1);
    }
    c->index = -1;
    c->slot->check(c);
    for (int r = 0; r < c->rung_count; r++)
        device_close(&c->devices[r]);
    device_close(&c->judge);
    exit(0);
}

static void report_crash(const struct check *c, int how)
{
    int r = c->shared->rung;
    const struct rung *rung = &c->rungs[r < 0 ? 0 : r];
    const char *what = strsignal(WTERMSIG(how));

    printf("FAIL  %s, %s: %s in case %d: %s\n", c->slot->name, r < 0 ? "the judge" : rung->name,
           WIFEXITED(how)             ? "left"
           : WTERMSIG(how) == SIGALRM ? "hangs"
                                      : what,
           c->shared->index, c->shared->what);
    printf("      again: checkkernels --op=%s --caps=%s --precision=%s --seed=%llu --case=%d\n",
           c->slot->name, rung->caps, rung->precision == PRECISION_MIXED ? "mixed" : "f32",
           (unsigned long long)c->options->seed, c->shared->index);
}

/* One slot, in children: when one dies, the next does without the rung that killed it. Returns
   how many rungs failed. */
static int check_slot(struct check *c)
{
    int failed = 0;

    memset(c->shared, 0, sizeof(*c->shared));
    for (;;) {
        int how;
        pid_t child;
        c->shared->rung = -1;
        fflush(NULL);
        child = fork();
        if (child == 0) {
            alarm(c->options->full ? SLOT_SECONDS_FULL : SLOT_SECONDS);
            check_in_child(c);
        }
        if (child < 0 || waitpid(child, &how, 0) != child)
            return 1;
        if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
            break;
        report_crash(c, how);
        if (c->shared->rung < 0 || c->shared->verdicts[c->shared->rung].crashed)
            return 1;
        for (int r = 0; r < c->rung_count; r++) {
            bool crashed = c->shared->verdicts[r].crashed || r == c->shared->rung;
            c->shared->verdicts[r] = (struct verdict){.judged = crashed, .crashed = crashed};
        }
    }
    if (!c->timing)
        report_verdicts(c);
    for (int r = 0; r < c->rung_count; r++)
        failed += c->shared->verdicts[r].failures || c->shared->verdicts[r].crashed;
    return failed;
}

/* Two slots may share a check, as open and close do: it runs once, for the first, when either is
   asked for. */
static bool is_wanted(const struct options *o, int slot)
{
    bool wanted = false;

    for (int i = 0; i < slot_count; i++) {
        if (slots[i].check != slots[slot].check)
            continue;
        if (i < slot)
            return false;
        wanted |= !o->pattern || !fnmatch(o->pattern, slots[i].name, 0);
    }
    return wanted;
}

static int check_all(struct check *c)
{
    int failed = 0, wanted = 0;

    for (int i = 0; i < slot_count; i++) {
        c->slot = &slots[i];
        if (!is_wanted(c->options, i))
            continue;
        failed += check_slot(c);
        wanted++;
    }
    if (!wanted)
        printf("FAIL  no slot is called %s\n", c->options->pattern);
    return wanted ? failed : 1;
}

static void list(const struct check *c)
{
    for (int r = 0; r < c->rung_count; r++)
        printf("rung  %s\n", c->rungs[r].name);
    for (int i = 0; i < slot_count; i++)
        printf("slot  %s\n", slots[i].name);
}

int main(int argc, char **argv)
{
    static struct rung rungs[RUNGS_MAX];
    static struct check c;
    struct options options = {
        .caps = ~0u, .precision = -1, .seed = 1, .repeat = 1, .only_case = -1};
    int failed;

    if (!parse(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    c.options = &options;
    c.rungs = rungs;
    c.rung_count = climb(rungs, &options);
    if (!c.rung_count) {
        fputs("checkkernels: no rung is left with these capabilities and this precision\n", stderr);
        return 2;
    }
    if (options.list) {
        list(&c);
        return 0;
    }
    c.shared =
        mmap(NULL, sizeof(*c.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    c.tsv = options.tsv ? fopen(options.tsv, "w") : NULL;
    if (c.shared == MAP_FAILED || (options.tsv && !c.tsv)) {
        perror("checkkernels");
        return 2;
    }
    if (c.tsv)
        fputs("what\top\trung\tarithmetic\tcase\tfailures\tnmse\tworst\tulp\tus_least\tus_"
              "median\tus_highest\t"
              "gb_s\tgflop_s\tratio\n",
              c.tsv);
    failed = unclaimed() + check_all(&c);
    c.timing = options.bench && !failed;
    if (c.timing)
        failed += check_all(&c);
    if (c.tsv && fclose(c.tsv))
        failed++;
    printf(failed ? "%d failed\n" : "every slot agrees with its judge\n", failed);
    return failed ? 1 : 0;
}
