/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkkernels - judges and times every slot of the op table.
 *
 *     checkkernels [--op=PATTERN] [--caps=LIST] [--device=cpu|cuda|cuda:N] [--type=f32|f16|bf16]
 *                  [--precision=f32|mixed] [--seed=N] [--repeat=N] [--case=N] [--threads=N]
 *                  [--full] [--drawn] [--bench] [--list] [--tsv=FILE]
 *
 * It exits 0 when every slot of every filling agrees with its judge. Each slot is checked in a
 * child, so a crash costs one line; this process computes nothing, so that its children may start
 * threads of their own.
 */
#include "kernels/cuda.h"
#include "tests/checkkernels/check.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77 }; /* no GPU to check */

enum { SLOT_SECONDS = 600, SLOT_SECONDS_FULL = 3600 }; /* a slot that takes longer hangs */

static const struct {
    const char *name;
    unsigned cap;
} cap_names[] = {{"avx2", CAP_AVX2},     {"avx512", CAP_AVX512},     {"bf16", CAP_BF16},
                 {"onednn", CAP_ONEDNN}, {"winograd", CAP_WINOGRAD}, {"sm80", CAP_SM80},
                 {"sm90", CAP_SM90},     {"cublaslt", CAP_CUBLASLT}, {"cudnn", CAP_CUDNN},
                 {"graphs", CAP_GRAPHS}};

static const char usage[] =
    "usage: checkkernels [--op=PATTERN] [--caps=none|all|avx2,avx512,bf16,onednn,winograd|\n"
    "                    sm80,sm90,cublaslt,cudnn,graphs] [--device=cpu|cuda|cuda:N]\n"
    "                    [--type=f32|f16|bf16] [--precision=f32|mixed] [--seed=N] [--repeat=N] "
    "[--case=N]\n"
    "                    [--threads=N] [--full] [--drawn] [--bench] [--list] [--tsv=FILE]\n";

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

static bool parse_device(struct options *o, const char *value)
{
    long number = 0;

    if (!strcmp(value, "cpu"))
        return true;
    o->accelerator = ACCELERATOR_CUDA;
    if (strcmp(value, "cuda") != 0 &&
        (strncmp(value, "cuda:", 5) || !parse_number(value + 5, &number)))
        return false;
    o->gpu = (int)number;
    return number < 1 << 16;
}

static bool parse_type(struct options *o, const char *value)
{
    for (o->type = DTYPE_F32; o->type <= DTYPE_BF16; o->type++)
        if (!strcmp(value, dtype_name((enum dtype)o->type)))
            return true;
    return false;
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
    else if (!strcmp(name, "--device"))
        return parse_device(o, value);
    else if (!strcmp(name, "--type"))
        return parse_type(o, value);
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
        else if (!strcmp(argv[i], "--drawn"))
            o->drawn = true;
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
static void rung_add(struct rung *rungs, int *count, enum accelerator accelerator, unsigned mask,
                     enum precision precision)
{
    struct rung *rung = &rungs[(*count)++];
    size_t used = 0;

    rung->accelerator = accelerator;
    rung->mask = mask;
    rung->precision = precision;
    snprintf(rung->caps, sizeof(rung->caps), "none");
    for (int i = 0; i < COUNT(cap_names); i++)
        if (mask & cap_names[i].cap)
            used += (size_t)snprintf(rung->caps + used, sizeof(rung->caps) - used, "%s%s",
                                     used ? "," : "", cap_names[i].name);
    snprintf(rung->name, sizeof(rung->name), "%s%s", rung->caps,
             precision == PRECISION_MIXED ? " mixed" : "");
    if (rung->accelerator == ACCELERATOR_CUDA) {
        ops_fill_cuda(&rung->ops, mask);
    } else {
        ops_fill_reference(&rung->ops);
        ops_fill_simd(&rung->ops, mask);
        ops_fill_onednn(&rung->ops, mask);
    }
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
        rung_add(rungs, &count, ACCELERATOR_CPU, ladder[i].mask, ladder[i].precision);
    }
    return count;
}

/* From one thread per output to everything a GPU and its libraries have. */
static const unsigned cuda_ladder[] = {
    0,
    CAP_SM80,
    CAP_SM80 | CAP_SM90,
    CAP_SM80 | CAP_SM90 | CAP_CUBLASLT,
    CAP_SM80 | CAP_SM90 | CAP_CUBLASLT | CAP_CUDNN,
    CAP_SM80 | CAP_SM90 | CAP_CUBLASLT | CAP_CUDNN | CAP_GRAPHS,
};

static int climb_cuda(struct rung *rungs, const struct options *o, enum dtype dtype, unsigned have)
{
    static const enum precision precisions[] = {PRECISION_F32, PRECISION_F16, PRECISION_BF16};
    int count = 0;

    for (int i = 0; i < COUNT(cuda_ladder); i++) {
        unsigned mask = cuda_ladder[i] & have;
        if (!(cuda_ladder[i] & ~o->caps) && (i == 0 || mask != rungs[count - 1].mask))
            rung_add(rungs, &count, ACCELERATOR_CUDA, mask, precisions[dtype]);
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
        options.accelerator = c->rungs[r].accelerator;
        options.index = c->options->gpu;
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
    report_again(c, r < 0 ? 0 : r, c->shared->index);
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

/* All slots with activations of one type. Returns how many rungs failed, or below 0 when there is
   nothing to check. */
static int check_type(struct check *c, struct rung *rungs, enum dtype dtype, unsigned have)
{
    const struct options *o = c->options;
    int failed;

    c->dtype = dtype;
    c->rung_count =
        o->accelerator == ACCELERATOR_CUDA ? climb_cuda(rungs, o, dtype, have) : climb(rungs, o);
    if (!c->rung_count) {
        fputs("checkkernels: no rung is left with these capabilities and this precision\n", stderr);
        return -1;
    }
    if (o->list) {
        list(c);
        return 0;
    }
    c->timing = false;
    failed = unclaimed() + check_all(c);
    c->timing = o->bench && !failed;
    if (c->timing)
        failed += check_all(c);
    return failed;
}

/* A child asks the GPU: a process that has used one cannot give it to children of its own. */
static int ask_gpu(const struct options *o, unsigned *have)
{
    int pipes[2], how;
    pid_t child;

    if (pipe(pipes))
        return 1;
    fflush(NULL);
    child = fork();
    if (child == 0) {
        struct why why = {""};
        unsigned caps = 0;
        enum status st = cuda_probe(o->gpu, &caps, &why);

        if (st)
            fprintf(stderr, "checkkernels: %s\n", why.text);
        _exit(st || write(pipes[1], &caps, sizeof(caps)) != sizeof(caps) ? EXIT_SKIPPED : 0);
    }
    if (child < 0 || waitpid(child, &how, 0) != child || !WIFEXITED(how))
        return 1;
    if (WEXITSTATUS(how))
        return WEXITSTATUS(how);
    return read(pipes[0], have, sizeof(*have)) != sizeof(*have);
}

int main(int argc, char **argv)
{
    static struct rung rungs[RUNGS_MAX];
    static struct check c;
    struct options options = {
        .caps = ~0u, .precision = -1, .type = -1, .seed = 1, .repeat = 1, .only_case = -1};
    unsigned have = 0;
    int failed = 0;

    if (!parse(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    c.options = &options;
    c.rungs = rungs;
    if (options.accelerator == ACCELERATOR_CUDA) {
        int code = ask_gpu(&options, &have);

        if (code)
            return code;
    } else if (options.type > DTYPE_F32) {
        fputs("checkkernels: a CPU's activations are f32\n", stderr);
        return 2;
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
    for (int type = DTYPE_F32; type <= DTYPE_BF16; type++) {
        int wrong;

        if (options.type >= 0 ? options.type != type
                              : options.accelerator == ACCELERATOR_CPU && type != DTYPE_F32)
            continue;
        wrong = check_type(&c, rungs, (enum dtype)type, have);
        if (wrong < 0)
            return 2;
        failed += wrong;
    }
    if (options.list)
        return 0;
    if (c.tsv && fclose(c.tsv))
        failed++;
    printf(failed ? "%d failed\n" : "every slot agrees with its judge\n", failed);
    return failed ? 1 : 0;
}
