/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/checkkernels/draw.h"

#include "kernels/half.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAND = 512 }; /* bytes before and after the rows of every tensor */

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators"). */
static uint64_t draw_bits(struct check *c)
{
    uint64_t z = c->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int draw_below(struct check *c, int count)
{
    return (int)((draw_bits(c) >> 33) % (unsigned)count);
}

bool draw_chance(struct check *c, int percent)
{
    return draw_below(c, 100) < percent;
}

int64_t draw_size(struct check *c, int64_t low, int64_t high)
{
    static const int64_t edges[] = {1,  2,  3,  4,  5,  7,  8,  9,  13, 15, 16,  17,  23,  31,
                                    32, 33, 40, 47, 48, 49, 63, 64, 65, 97, 127, 128, 129, 257};

    for (int tries = 0; tries < 8 && draw_chance(c, 85); tries++) {
        int64_t edge = edges[draw_below(c, COUNT(edges))];
        if (edge >= low && edge <= high)
            return edge;
    }
    return low + draw_below(c, (int)(high - low + 1));
}

/* Normal enough for sums: four uniform numbers added, cut at 3.46 deviations. */
double draw_normal(struct check *c)
{
    uint64_t bits = draw_bits(c);
    double sum = 0;

    for (int i = 0; i < 4; i++)
        sum += (double)(bits >> 16 * i & 0xffff) + 0.5;
    return (sum / 65536 - 2) * sqrt(3);
}

enum act draw_act(struct check *c)
{
    return (enum act)draw_below(c, ACT_TANH + 1);
}

const char *draw_act_name(enum act act)
{
    static const char *const names[] = {"no act", "relu",      "relu6",      "silu",
                                        "gelu",   "gelu_tanh", "gelu_quick", "tanh"};

    return names[act];
}

enum dtype draw_any_dtype(struct check *c)
{
    return (enum dtype)draw_below(c, DTYPE_BF16 + 1);
}

/* A device of 16 bits rounds weights when it packs them, which is no mistake of its kernels: there
   a file's numbers are of its type already. */
enum dtype draw_dtype(struct check *c)
{
    enum dtype any = draw_any_dtype(c);

    return c->dtype == DTYPE_F32 ? any : c->dtype;
}

/* What the values of one tensor have in common. */
struct family {
    enum kind kind;
    double scale, constant, offset;
};

static double draw_value(struct check *c, const struct family *f)
{
    double z = draw_normal(c);

    switch (f->kind) {
    case KIND_NORMAL:
        return f->scale * z;
    case KIND_TAILS:
        return f->scale * z * z * z;
    case KIND_EQUAL:
        return f->scale * f->constant;
    case KIND_OFFSET:
        return f->scale * (f->offset + z);
    case KIND_ZEROS:
        return 0;
    case KIND_DENORMAL:
        return 1e-39 * z;
    case KINDS:
        break;
    }
    assert(0 && "a kind without a case");
    return 0;
}

static void put(char *at, enum dtype dtype, double value)
{
    float f32 = (float)value;
    uint16_t half = dtype == DTYPE_F16 ? float_to_half(f32) : float_to_bf16(f32);

    if (dtype == DTYPE_F32)
        memcpy(at, &f32, sizeof(f32));
    else
        memcpy(at, &half, sizeof(half));
}

static struct twin *next_twin(struct check *c, const char *name)
{
    struct twin *twin = &c->twins[c->twin_count++];

    assert(c->twin_count <= TWINS_MAX);
    memset(twin, 0, sizeof(*twin));
    twin->name = name;
    return twin;
}

static char *memory(size_t size)
{
    char *bytes = aligned_alloc(ARENA_ALIGN, (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1));

    assert(bytes && "no memory for a check");
    return bytes;
}

/* 0x7fdd is a NaN in float16 and bfloat16, and twice it is one in float32. */
static void fill_nan(char *bytes, size_t size)
{
    static const uint16_t nan = 0x7fdd;

    for (size_t i = 0; i + sizeof(nan) <= size; i += sizeof(nan))
        memcpy(bytes + i, &nan, sizeof(nan));
}

/* Rows between bands. All of it is NaN, in any float type, until something is put there. A strided
   tensor is the middle columns of something wider; a shared one begins at any element, as it does
   in a mapped file. */
static struct twin *place(struct check *c, struct ask ask, enum role role)
{
    struct twin *twin = next_twin(c, ask.name);
    int64_t left = 0, right = 0;
    size_t skew = 0;
    struct tensor wide;

    twin->host = ask.host;
    if (ask.strided && draw_chance(c, 50)) {
        left = draw_size(c, 1, 48) - 1;
        right = draw_size(c, 1, 48) - 1;
    }
    if (role == ROLE_SHARED)
        skew = (size_t)draw_below(c, 8) * dtype_bytes(ask.dtype);
    wide =
        tensor_view(NULL, ask.dtype, ask.dim[0], ask.dim[1], ask.dim[2], left + ask.dim[3] + right);
    twin->size = BAND + skew + tensor_bytes(wide) + BAND;
    twin->size = (twin->size + 3) & ~(size_t)3;
    twin->bytes = memory(twin->size);
    twin->pristine = memory(twin->size);
    fill_nan(twin->bytes, twin->size);
    wide.data = twin->bytes + BAND + skew;
    twin->t = twin->whole = tensor_columns(wide, left, ask.dim[3]);
    twin->role = role;
    if (role == ROLE_OUTPUT) {
        twin->answer = memory(twin->size);
        twin->before = memory(twin->size);
        memcpy(twin->pristine, twin->bytes, twin->size);
    }
    return twin;
}

/* The type of activations, unless another was asked for. */
static enum dtype dtype_of(struct check *c, struct ask ask)
{
    if (ask.wide && c->dtype != DTYPE_F32 && draw_chance(c, 25))
        return DTYPE_F32;
    return ask.typed || ask.dtype != DTYPE_F32 ? ask.dtype : c->dtype;
}

static struct twin *draw_values(struct check *c, struct ask ask, enum role role)
{
    struct twin *twin;
    struct family f = {
        .kind = ask.plain ? KIND_NORMAL : c->kind,
        .constant = draw_normal(c),
        .offset = ask.summed ? 30 : 1000,
    };
    double scale = ask.scale != 0 ? (double)ask.scale : 1, stray;
    size_t step;

    ask.dtype = dtype_of(c, ask);
    step = dtype_bytes(ask.dtype);
    twin = place(c, ask, role);
    stray = ask.stray && f.kind == KIND_NORMAL && draw_chance(c, 25) ? 10 : 1;
    for (int64_t row = 0; row < tensor_rows(twin->t); row++) {
        char *at = tensor_row(twin->t, row);
        f.scale = scale * (row == 0 ? stray : 1);
        for (int64_t i = 0; i < twin->t.dim[3]; i++)
            put(at + (size_t)i * step, ask.dtype, draw_value(c, &f));
    }
    memcpy(twin->pristine, twin->bytes, twin->size);
    return twin;
}

struct twin *draw_input(struct check *c, struct ask ask)
{
    return draw_values(c, ask, ROLE_IMAGES);
}

struct twin *draw_shared(struct check *c, struct ask ask)
{
    ask.plain = true;
    return draw_values(c, ask, ROLE_SHARED);
}

struct twin *draw_ids(struct check *c, struct ask ask, int limit)
{
    struct twin *twin;

    ask.dtype = DTYPE_I32;
    twin = place(c, ask, ROLE_IMAGES);
    for (int64_t row = 0; row < tensor_rows(twin->t); row++) {
        int32_t *id = tensor_row(twin->t, row);
        for (int64_t i = 0; i < twin->t.dim[3]; i++)
            id[i] = draw_below(c, limit);
    }
    memcpy(twin->pristine, twin->bytes, twin->size);
    return twin;
}

struct twin *draw_output(struct check *c, struct ask ask)
{
    ask.dtype = dtype_of(c, ask);
    return place(c, ask, ROLE_OUTPUT);
}

/* An output that begins as a copy of the input; during a run both views are this memory. */
struct twin *draw_over(struct check *c, const char *name, struct twin *input)
{
    struct twin *twin = next_twin(c, name);

    *twin = *input;
    twin->mirror = NULL;
    twin->name = name;
    twin->role = ROLE_OUTPUT;
    twin->over = input;
    twin->bytes = memory(twin->size);
    twin->pristine = memory(twin->size);
    twin->answer = memory(twin->size);
    twin->before = memory(twin->size);
    memcpy(twin->pristine, input->pristine, twin->size);
    twin->whole.data = twin->bytes + ((char *)input->whole.data - input->bytes);
    twin->t = twin->whole;
    input->t = twin->whole;
    return twin;
}

struct twin *draw_absent(struct check *c, const char *name)
{
    return next_twin(c, name);
}

struct twin *draw_output_or_over(struct check *c, const char *name, struct twin *input)
{
    struct ask ask = {.name = name, .dtype = input->t.dtype, .typed = true};

    if (draw_chance(c, 33))
        return draw_over(c, name, input);
    memcpy(ask.dim, input->t.dim, sizeof(ask.dim));
    return draw_output(c, ask);
}

struct twin *draw_wide_or_over(struct check *c, const char *name, struct twin *input)
{
    struct ask ask = {.name = name, .wide = true};
    bool fits = input->t.dtype == c->dtype || input->t.dtype == DTYPE_F32;

    if (fits && draw_chance(c, 33))
        return draw_over(c, name, input);
    memcpy(ask.dim, input->t.dim, sizeof(ask.dim));
    return draw_output(c, ask);
}

struct ending draw_ending(struct check *c, struct ask y)
{
    struct ending end = {.none = draw_chance(c, 25)};
    struct ask add = y;
    int64_t n = y.dim[3];

    add.name = "add";
    add.wide = false;
    end.bias = draw_chance(c, 75) ? draw_shared(c, (struct ask){.name = "bias",
                                                                .dim = {1, 1, 1, n},
                                                                .dtype = draw_dtype(c),
                                                                .host = true})
                                  : draw_absent(c, "bias");
    end.shift = !end.none && draw_chance(c, 40)
                    ? draw_input(c, (struct ask){.name = "shift",
                                                 .dim = {y.dim[0], 1, 1, n},
                                                 .strided = true,
                                                 .plain = true})
                    : draw_absent(c, "shift");
    end.add = !end.none && draw_chance(c, 40) ? draw_input(c, add) : draw_absent(c, "add");
    /* What is left of large terms that cancel must not be cut to a small range on top; and of equal
       numbers there is one sum per output, of which an act could leave only the smallest. */
    if (!end.none && draw_chance(c, 50) && c->kind != KIND_OFFSET && c->kind != KIND_EQUAL)
        end.act = draw_act(c);
    if (end.add->t.data && draw_chance(c, 50))
        end.y = draw_over(c, y.name, end.add);
    else
        end.y = draw_output(c, y);
    check_note(c, "%s", end.none ? "no epilogue" : draw_act_name(end.act));
    return end;
}

struct epilogue ending_epilogue(const struct ending *end)
{
    return (struct epilogue){.shift = end->shift->t, .add = end->add->t, .act = end->act};
}

void draw_forget(struct check *c)
{
    for (int i = 0; i < c->twin_count; i++) {
        if (c->twins[i].mirror)
            c->mirrors_device->ops.memory_give(c->mirrors_device, c->twins[i].mirror,
                                               c->twins[i].size);
        free(c->twins[i].bytes);
        free(c->twins[i].pristine);
        free(c->twins[i].answer);
        free(c->twins[i].before);
    }
    c->twin_count = 0;
}
