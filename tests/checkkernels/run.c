/* SPDX-License-Identifier: Apache-2.0 */
/* The two loops around every check: over cases, and over those who are asked. */
#include "tests/checkkernels/check.h"
#include "tests/checkkernels/draw.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#define SAMPLE_SECONDS 2e-3 /* that a GPU is timed for at once */

enum { JUDGE = RUNGS_MAX }; /* where the judge's packed weight lies */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void (*slot_of(const struct ops *ops, const struct slot *slot))(void)
{
    void (*function)(void);

    memcpy(&function, (const char *)ops + slot->offset, sizeof(function));
    return function;
}

/* Equal pointers can still compute differently: how the device was opened decides about bf16 and
   Winograd. The reference looks at neither. */
static bool same_inside(const struct check *c, int a, int b)
{
    const struct rung *one = &c->rungs[a], *other = &c->rungs[b];
    struct ops plain;

    ops_fill_reference(&plain);
    if (slot_of(&one->ops, c->slot) != slot_of(&other->ops, c->slot))
        return false;
    if (slot_of(&one->ops, c->slot) == slot_of(&plain, c->slot))
        return true;
    if (c->slot->mixes && one->precision != other->precision)
        return false;
    return !c->slot->winograd || one->ops.open == other->ops.open;
}

bool check_is_new(const struct check *c, int r)
{
    for (int i = 0; i < r; i++)
        if (same_inside(c, i, r))
            return false;
    return true;
}

static int case_count(const struct check *c, int listed)
{
    return RANDOM_CASES * c->options->repeat + listed;
}

/* Values by kind: mostly normal, for a mistake in indexing shows there as well as anywhere. */
static void begin_case(struct check *c)
{
    int random = RANDOM_CASES * c->options->repeat;

    c->random = (c->options->seed << 32 ^ (uint64_t)c->index) * 0x9e3779b97f4a7c15u;
    for (const char *name = c->slot->name; *name; name++) /* FNV-1a: the table may grow */
        c->random = (c->random ^ (uint64_t)*name) * 0x100000001b3u;
    c->listed = c->index < random ? -1 : c->index - random;
    c->kind = draw_chance(c, 40) || c->listed >= 0 ? KIND_NORMAL : (enum kind)draw_below(c, KINDS);
    c->note[0] = 0;
    c->flops = 0;
    c->weight_w = c->weight_b = NULL;
    c->step = STEP_NONE;
    c->shared->index = c->index;
    c->shared->rung = -1;
}

static void end_case(struct check *c)
{
    for (int i = 0; i <= RUNGS_MAX; i++) {
        struct device *d = i == JUDGE ? c->judge : c->devices[i];
        if (c->packed[i])
            d->ops.weight_free(d, &c->weights[i]);
        c->packed[i] = false;
    }
    draw_forget(c);
}

bool check_next_case(struct check *c, int listed)
{
    int first = c->timing ? RANDOM_CASES * c->options->repeat : 0;

    end_case(c);
    c->index = c->index < first ? first : c->index + 1;
    if (c->options->only_case >= 0) {
        if (c->index > c->options->only_case)
            return false;
        c->index = c->options->only_case;
    }
    if (c->index >= case_count(c, c->options->drawn ? 0 : listed))
        return false;
    begin_case(c);
    return true;
}

static int64_t images(const struct check *c)
{
    for (int i = 0; i < c->twin_count; i++)
        if (c->twins[i].role == ROLE_OUTPUT)
            return c->twins[i].whole.dim[0];
    assert(0 && "a check without an output");
    return 1;
}

static struct tensor bytes_of(const struct twin *twin, void *data)
{
    return tensor_view(data, DTYPE_I32, 1, 1, 1, (int64_t)(twin->size / sizeof(int32_t)));
}

static bool is_mirrored(const struct check *c, const struct twin *twin)
{
    return c->device->accelerator != ACCELERATOR_CPU && !twin->host && twin->whole.data;
}

/* The call sees the same place of the mirror. While timing, numbers are sent once. */
static void mirror_in(struct check *c, struct twin *twin)
{
    struct device *d = c->device;
    bool fresh = !twin->mirror;

    if (fresh) {
        c->mirrors_device = d;
        twin->mirror = d->ops.memory_take(d, twin->size);
        assert(twin->mirror && "no memory on the GPU for a check");
    }
    if (fresh || c->step != STEP_TIMED)
        d->ops.upload(d, bytes_of(twin, twin->mirror), twin->bytes);
    twin->t.data = twin->mirror + ((char *)twin->t.data - twin->bytes);
}

/* What the call left behind, on the host again. */
static void mirrors_out(struct check *c)
{
    for (int i = 0; i < c->twin_count; i++) {
        struct twin *twin = &c->twins[i];
        if (!is_mirrored(c, twin) || !twin->mirror)
            continue;
        c->device->ops.download(c->device, twin->bytes, bytes_of(twin, twin->mirror));
        twin->t.data = twin->bytes + ((char *)twin->t.data - twin->mirror);
        if (twin->over)
            twin->over->t = twin->t;
    }
}

/* Show the call under test images [from, from + count) and fresh outputs. */
static void show(struct check *c, int64_t from, int64_t count)
{
    c->image = from;
    for (int i = 0; i < c->twin_count; i++) {
        struct twin *twin = &c->twins[i];
        if (!twin->whole.data)
            continue;
        if (twin->role == ROLE_OUTPUT && c->step != STEP_TIMED)
            memcpy(twin->bytes, twin->pristine, twin->size);
        twin->t = twin->role == ROLE_SHARED ? twin->whole : tensor_slice(twin->whole, from, count);
        if (is_mirrored(c, twin))
            mirror_in(c, twin);
        if (twin->over)
            twin->over->t = twin->t;
    }
}

static void pack(struct check *c, int at)
{
    struct weight *w = &c->weights[at];
    struct why why = {""};

    if (!c->weight_w || c->packed[at])
        return;
    *w = c->weights[JUDGE];
    w->packed = NULL;
    if (c->device->ops.weight_pack(c->device, w, &why))
        report_failure(c, "weight_pack says: %s", why.text);
    else
        c->packed[at] = true;
}

static void ask(struct check *c, enum step step, int rung)
{
    c->step = step;
    c->rung = rung;
    c->device = step == STEP_JUDGE ? c->judge : c->devices[rung];
    c->shared->rung = step == STEP_JUDGE ? -1 : rung;
    if (step == STEP_JUDGE)
        report_case(c, c->shared->what, sizeof(c->shared->what));
    pack(c, step == STEP_JUDGE ? JUDGE : rung);
}

/* The next rung from r on with something new inside, or -1. The plain C is only judged (against
   itself: fences, batches) on small shapes. */
static int next_rung(const struct check *c, int r)
{
    for (; r < c->rung_count; r++) {
        bool plain = slot_of(&c->judge->ops, c->slot) == slot_of(&c->rungs[r].ops, c->slot);
        if (c->devices[r] && check_is_new(c, r) && (!plain || c->listed < 0 || c->timing))
            return r;
    }
    return -1;
}

/* The first byte of [from, to) that is not as it was, or `to`. */
static size_t first_change(const struct twin *twin, size_t from, size_t to)
{
    if (!memcmp(twin->bytes + from, twin->pristine + from, to - from))
        return to;
    while (twin->bytes[from] == twin->pristine[from])
        from++;
    return from;
}

/* The same, around the rows that an output now shows. */
static size_t first_change_around(const struct twin *twin)
{
    size_t row_bytes = (size_t)twin->t.dim[3] * dtype_bytes(twin->t.dtype), end = 0;

    for (int64_t row = 0; row < tensor_rows(twin->t); row++) {
        size_t at = (size_t)((char *)tensor_row(twin->t, row) - twin->bytes);
        size_t change = first_change(twin, end, at);
        if (change < at)
            return change;
        end = at + row_bytes;
    }
    return first_change(twin, end, twin->size);
}

/* Everything around the rows of an output, and all of an input, is as it was. */
static bool untouched(struct check *c, const struct twin *twin)
{
    size_t change =
        twin->role == ROLE_OUTPUT ? first_change_around(twin) : first_change(twin, 0, twin->size);

    if (change == twin->size)
        return true;
    report_failure(c, "%s was written %lld bytes from its first number, outside what is its own",
                   twin->name, (long long)change - (long long)((char *)twin->t.data - twin->bytes));
    return false;
}

/* Rows of the images now shown are, bit for bit, what `then` holds. */
static bool same_bits(struct check *c, const struct twin *y, const char *then, const char *when)
{
    ptrdiff_t to_then = then - y->bytes;
    size_t bytes = (size_t)y->t.dim[3] * dtype_bytes(y->t.dtype);

    for (int64_t row = 0; row < tensor_rows(y->t); row++) {
        const char *at = tensor_row(y->t, row);
        if (!memcmp(at, at + to_then, bytes))
            continue;
        report_failure(c, "%s: row %lld of image %lld of %s differs in its bits", when,
                       (long long)(row % (y->t.dim[1] * y->t.dim[2])),
                       (long long)(c->image + row / (y->t.dim[1] * y->t.dim[2])), y->name);
        return false;
    }
    return true;
}

static bool judge_closeness(struct check *c, const struct twin *y)
{
    struct verdict *v = &c->shared->verdicts[c->rung];
    struct gap gap;
    bool close = close_judge(c, y, &gap);

    if (!close)
        report_failure(c, "%s", gap.where);
    v->gap.nmse = gap.nmse > v->gap.nmse ? gap.nmse : v->gap.nmse;
    v->gap.worst = gap.worst > v->gap.worst ? gap.worst : v->gap.worst;
    v->gap.ulp = gap.ulp > v->gap.ulp ? gap.ulp : v->gap.ulp;
    return close;
}

static bool judge_output(struct check *c, const struct twin *y)
{
    switch (c->step) {
    case STEP_JUDGE:
        memcpy(y->answer, y->bytes, y->size);
        if (close_finite(y))
            return true;
        report_failure(c, "%s is not finite, so nothing would be compared", y->name);
        return false;
    case STEP_FIRST:
        memcpy(y->before, y->bytes, y->size);
        return judge_closeness(c, y);
    case STEP_AGAIN:
        return same_bits(c, y, y->before, "run twice");
    case STEP_ALONE:
        return same_bits(c, y, y->before, "alone and in its batch");
    case STEP_NONE:
    case STEP_REHEARSE:
    case STEP_TIMED:
        break;
    }
    return true;
}

/* What the run that just ended left behind. */
static bool judge_run(struct check *c)
{
    if (device_sync(c->device)) {
        report_failure(c, "the device is broken");
        return false;
    }
    mirrors_out(c);
    for (int i = 0; i < c->twin_count; i++) {
        const struct twin *twin = &c->twins[i];
        if (!twin->whole.data)
            continue;
        if (!untouched(c, twin))
            return false;
        if (twin->role == ROLE_OUTPUT && !judge_output(c, twin))
            return false;
    }
    return true;
}

/* After a rung's two runs, its first, middle and last image alone. */
static bool next_image(struct check *c)
{
    int64_t count = images(c), next = c->step == STEP_ALONE ? c->image + 1 : 0;

    if (count == 1)
        return false;
    while (next < count && next != 0 && next != count / 2 && next != count - 1)
        next++;
    if (next >= count)
        return false;
    ask(c, STEP_ALONE, c->rung);
    show(c, next, 1);
    return true;
}

static bool next_judged_rung(struct check *c, int from)
{
    int r = next_rung(c, from);

    if (r < 0)
        return false;
    c->shared->verdicts[r].judged = true;
    c->shared->verdicts[r].cases++;
    c->round = 0;
    ask(c, c->rungs[r].mask & CAP_CUDNN ? STEP_REHEARSE : STEP_FIRST, r);
    show(c, 0, images(c));
    return true;
}

/* A batch and an image alone, then the device is prepared for both. */
static bool next_rehearsal(struct check *c, bool good)
{
    if (!good)
        return next_judged_rung(c, c->rung + 1);
    if (c->round++ == 0 && images(c) > 1) {
        show(c, 0, 1);
        return true;
    }
    if (device_prepare(c->device)) {
        report_failure(c, "the device broke while it was prepared");
        return next_judged_rung(c, c->rung + 1);
    }
    ask(c, STEP_FIRST, c->rung);
    show(c, 0, images(c));
    return true;
}

static bool next_judged(struct check *c)
{
    bool good = c->step == STEP_NONE || judge_run(c);

    if (c->step == STEP_NONE) {
        ask(c, STEP_JUDGE, 0);
        show(c, 0, images(c));
        return true;
    }
    if (c->step == STEP_JUDGE)
        return next_judged_rung(c, 0);
    if (c->step == STEP_REHEARSE)
        return next_rehearsal(c, good);
    if (good && c->step == STEP_FIRST) {
        ask(c, STEP_AGAIN, c->rung);
        show(c, 0, images(c));
        return true;
    }
    if (good && next_image(c))
        return true;
    return next_judged_rung(c, c->rung + 1);
}

/* Waiting for a GPU takes as long as a small op: so many calls lie between two waits that it does
   not count. */
static int calls_for(const struct check *c, int r)
{
    double once = c->once[r];

    if (c->device->accelerator == ACCELERATOR_CPU || c->round == 0)
        return 1;
    return once > SAMPLE_SECONDS          ? 1
           : once * 1000 < SAMPLE_SECONDS ? 1000
                                          : (int)(SAMPLE_SECONDS / once);
}

/* Rungs take turns, so that whatever else the machine does falls on all of them alike. Round 0
   warms up; a rung that has had a second rests. */
static bool next_timed(struct check *c)
{
    int r = 0;

    if (c->step == STEP_NONE) {
        memset(c->timed, 0, sizeof(c->timed));
        memset(c->once, 0, sizeof(c->once));
        c->round = 0;
        ask(c, STEP_JUDGE, 0);
    } else {
        double took;
        if (++c->calls < c->calls_wanted)
            return true;
        if (device_sync(c->device)) {
            report_failure(c, "the device is broken");
            return false;
        }
        took = (now() - c->began) / c->calls;
        c->once[c->rung] = took;
        if (c->round > 0 || took > 1)
            c->seconds[c->rung][c->timed[c->rung]++] = took;
        r = c->rung + 1;
    }
    for (;; r++) {
        r = next_rung(c, r);
        if (r < 0) {
            r = -1;
            if (++c->round >= RUNS_TIMED_MAX)
                break;
        } else if (c->timed[r] == 0 || c->seconds[r][0] * c->timed[r] < 0.5) {
            ask(c, STEP_TIMED, r);
            show(c, 0, images(c));
            c->calls = 0;
            c->calls_wanted = calls_for(c, r);
            c->began = now();
            return true;
        }
    }
    report_times(c);
    return false;
}

bool check_next_run(struct check *c)
{
    return c->timing ? next_timed(c) : next_judged(c);
}

void check_weight_is(struct check *c, struct twin *w, struct twin *b, int stride, const int *pad)
{
    struct weight *plain = &c->weights[JUDGE];

    c->weight_w = w;
    c->weight_b = b;
    *plain = (struct weight){.w = w->t, .b = b->t, .stride = stride};
    for (int i = 0; pad && i < 4; i++)
        plain->pad[i] = pad[i];
}

void check_weight_is_up(struct check *c)
{
    c->weights[JUDGE].up = true;
}

const struct weight *check_weight(const struct check *c)
{
    return &c->weights[c->step == STEP_JUDGE ? JUDGE : c->rung];
}

void check_flops(struct check *c, double flops)
{
    c->flops = flops;
}

void check_note(struct check *c, const char *format, ...)
{
    size_t used = strlen(c->note);
    va_list args;

    va_start(args, format);
    if (used)
        used += (size_t)snprintf(c->note + used, sizeof(c->note) - used, ", ");
    if (used >= sizeof(c->note))
        used = sizeof(c->note) - 1;
    vsnprintf(c->note + used, sizeof(c->note) - used, format, args);
    va_end(args);
}
