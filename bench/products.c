/* SPDX-License-Identifier: Apache-2.0 */
/*
 * products.c - how long oneDNN alone needs for the products of a model: the denominator.
 *
 *     bench_products [unet|vae|taesd]... [--images=N] [--latent=N] [--threads=N] [--seconds=S]
 *                    [--cpu]
 *
 * lists every convolution and matrix product of one SD 1.5 UNet forward, AutoencoderKL decode and
 * AutoencoderTiny decode, attention's two products included, and times each as a bare primitive:
 * every operand in the layout that the primitive likes best, no reorders, no epilogues, everything
 * warm. A layer costs its fastest primitive: direct or Winograd in float32; in `mixed` bf16 as
 * well. The sums say what a perfect engine on the same library would need, if all that is not a
 * product were free.
 *
 * Times are medians of wall time over at least `--seconds` per primitive (default 0.1); with --cpu
 * of CPU time over all threads, which says more on a busy machine (with OMP_WAIT_POLICY=passive:
 * spinning counts as work).
 */
#include <oneapi/dnnl/dnnl.h>

#include <assert.h>
#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PRODUCTS_MAX = 256, RUNS_MAX = 64, RUNS_MIN = 3 };

/* Layers of one shape. A convolution is n x k channels over height x width inputs; a matrix is
   `batch` times m x k by k x n. */
struct product {
    bool conv, fixed; /* fixed: both operands are activations, so neither may be packed */
    int64_t batch, m, n, k;
    int64_t size, kernel, stride; /* of a convolution over size x size inputs */
    bool turned;                  /* the second matrix lies as n x k */
    int count;
};

struct list {
    struct product item[PRODUCTS_MAX];
    int count;
};

struct bench {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int64_t images;
    double seconds;
    clockid_t clock;
};

static void list_add(struct list *l, struct product p)
{
    p.count = 1;
    for (int i = 0; i < l->count; i++) {
        struct product *other = &l->item[i];
        p.count = other->count;
        if (memcmp(&p, other, sizeof(p)) == 0) {
            other->count++;
            return;
        }
    }
    p.count = 1;
    assert(l->count < PRODUCTS_MAX);
    l->item[l->count++] = p;
}

static struct product blank(void)
{
    struct product p;

    memset(&p, 0, sizeof(p)); /* compared as bytes */
    p.batch = 1;
    return p;
}

static void add_conv(struct list *l, int64_t from, int64_t to, int64_t kernel, int64_t size,
                     int64_t stride)
{
    struct product p = blank();

    p.conv = true;
    p.k = from;
    p.n = to;
    p.kernel = kernel;
    p.size = size;
    p.stride = stride;
    list_add(l, p);
}

static void add_linear(struct list *l, int64_t rows, int64_t from, int64_t to)
{
    struct product p = blank();

    p.m = rows;
    p.k = from;
    p.n = to;
    list_add(l, p);
}

static void add_attention(struct list *l, int64_t heads, int64_t queries, int64_t keys,
                          int64_t width)
{
    struct product p = blank();

    p.fixed = true;
    p.batch = heads;
    p.m = queries;
    p.k = width;
    p.n = keys;
    p.turned = true;
    list_add(l, p);
    p.k = keys;
    p.n = width;
    p.turned = false;
    list_add(l, p);
}

/* The UNet of SD 1.5, as its configuration says. */

enum { UNET_LEVELS = 4, UNET_LAYERS = 2, UNET_HEADS = 8, UNET_CONTEXT = 768, UNET_TOKENS = 77 };
static const int64_t unet_width[UNET_LEVELS] = {320, 640, 1280, 1280};

static void unet_residual(struct list *l, int64_t from, int64_t to, int64_t size)
{
    add_conv(l, from, to, 3, size, 1);
    add_linear(l, 1, 4 * unet_width[0], to);
    add_conv(l, to, to, 3, size, 1);
    if (from != to)
        add_conv(l, from, to, 1, size, 1);
}

static void unet_transformer(struct list *l, int64_t width, int64_t size)
{
    const int64_t tokens = size * size;

    add_conv(l, width, width, 1, size, 1); /* in and out of the block */
    add_conv(l, width, width, 1, size, 1);
    for (int i = 0; i < 6; i++) /* q, k, v and out of the first attention, q and out of the other */
        add_linear(l, tokens, width, width);
    add_linear(l, UNET_TOKENS, UNET_CONTEXT, width);
    add_linear(l, UNET_TOKENS, UNET_CONTEXT, width);
    add_attention(l, UNET_HEADS, tokens, tokens, width / UNET_HEADS);
    add_attention(l, UNET_HEADS, tokens, UNET_TOKENS, width / UNET_HEADS);
    add_linear(l, tokens, width, 8 * width);
    add_linear(l, tokens, 4 * width, width);
}

static int64_t unet_down(struct list *l, int64_t size, int64_t *skips)
{
    int64_t width = unet_width[0];
    int skip = 0;

    skips[skip++] = width;
    for (int level = 0; level < UNET_LEVELS; level++) {
        for (int layer = 0; layer < UNET_LAYERS; layer++) {
            unet_residual(l, width, unet_width[level], size);
            width = unet_width[level];
            if (level < UNET_LEVELS - 1)
                unet_transformer(l, width, size);
            skips[skip++] = width;
        }
        if (level < UNET_LEVELS - 1) {
            add_conv(l, width, width, 3, size, 2);
            size /= 2;
            skips[skip++] = width;
        }
    }
    return size;
}

static void list_unet(struct list *l, int64_t latent)
{
    int64_t skips[UNET_LEVELS * (UNET_LAYERS + 1)], width = unet_width[UNET_LEVELS - 1], size;
    int skip = UNET_LEVELS * (UNET_LAYERS + 1);

    add_linear(l, 1, unet_width[0], 4 * unet_width[0]);
    add_linear(l, 1, 4 * unet_width[0], 4 * unet_width[0]);
    add_conv(l, 4, unet_width[0], 3, latent, 1);
    size = unet_down(l, latent, skips);
    unet_residual(l, width, width, size);
    unet_transformer(l, width, size);
    unet_residual(l, width, width, size);
    for (int level = UNET_LEVELS - 1; level >= 0; level--) {
        for (int layer = 0; layer <= UNET_LAYERS; layer++) {
            unet_residual(l, width + skips[--skip], unet_width[level], size);
            width = unet_width[level];
            if (level < UNET_LEVELS - 1)
                unet_transformer(l, width, size);
        }
        if (level) {
            size *= 2;
            add_conv(l, width, width, 3, size, 1);
        }
    }
    add_conv(l, unet_width[0], 4, 3, latent, 1);
}

/* AutoencoderKL's decoder, as SD 1.5 has it. */

static void vae_residual(struct list *l, int64_t from, int64_t to, int64_t size)
{
    add_conv(l, from, to, 3, size, 1);
    add_conv(l, to, to, 3, size, 1);
    if (from != to)
        add_conv(l, from, to, 1, size, 1);
}

static void list_vae(struct list *l, int64_t latent)
{
    static const int64_t widths[] = {128, 256, 512, 512};
    int64_t width = 512, size = latent;

    add_conv(l, 4, 4, 1, size, 1);
    add_conv(l, 4, width, 3, size, 1);
    vae_residual(l, width, width, size);
    for (int i = 0; i < 4; i++)
        add_linear(l, size * size, width, width);
    add_attention(l, 1, size * size, size * size, width);
    vae_residual(l, width, width, size);
    for (int level = 3; level >= 0; level--) {
        for (int layer = 0; layer < 3; layer++) {
            vae_residual(l, width, widths[level], size);
            width = widths[level];
        }
        if (level) {
            size *= 2;
            add_conv(l, width, width, 3, size, 1);
        }
    }
    add_conv(l, width, 3, 3, size, 1);
}

/* AutoencoderTiny's decoder (TAESD). */
static void list_taesd(struct list *l, int64_t latent)
{
    int64_t size = latent;

    add_conv(l, 4, 64, 3, size, 1);
    for (int level = 0; level < 4; level++) {
        for (int i = 0; i < (level < 3 ? 9 : 3); i++)
            add_conv(l, 64, 64, 3, size, 1);
        if (level < 3) {
            size *= 2;
            add_conv(l, 64, 64, 3, size, 1);
        }
    }
    add_conv(l, 64, 3, 3, size, 1);
}

static double product_flops(const struct product *p)
{
    double pairs = 2.0 * (double)p->n * (double)p->k * (double)p->batch;
    double out = (double)(p->size / (p->stride ? p->stride : 1));

    return p->conv ? pairs * out * out * (double)(p->kernel * p->kernel) : pairs * (double)p->m;
}

static double now(const struct bench *b)
{
    struct timespec t;

    clock_gettime(b->clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void must(dnnl_status_t st, const char *what)
{
    if (st == dnnl_success)
        return;
    fprintf(stderr, "bench_products: %s: oneDNN says %d\n", what, (int)st);
    exit(1);
}

/* Memory with small numbers in it: denormals or NaNs would cost time of their own. */
static dnnl_memory_t filled(const struct bench *b, const dnnl_memory_desc_t *md)
{
    size_t bytes = dnnl_memory_desc_get_size(md);
    dnnl_memory_t memory;
    void *data = NULL;

    must(dnnl_memory_create(&memory, md, b->engine, DNNL_MEMORY_ALLOCATE), "memory");
    must(dnnl_memory_get_data_handle(memory, &data), "memory");
    if (md->data_type == dnnl_f32)
        for (size_t i = 0; i < bytes / 4; i++)
            ((float *)data)[i] = (float)((int)(i * 2654435761u >> 16 & 255) - 128) / 1024;
    else
        for (size_t i = 0; i < bytes / 2; i++)
            ((uint16_t *)data)[i] = (uint16_t)(0x3c00 | (i * 2654435761u >> 16 & 0x80ff));
    return memory;
}

/* Median seconds of one run. */
static double time_primitive(const struct bench *b, dnnl_primitive_desc_t desc)
{
    static const struct {
        dnnl_query_t query;
        int arg;
    } operands[] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                    {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                    {dnnl_query_dst_md, DNNL_ARG_DST},
                    {dnnl_query_scratchpad_md, DNNL_ARG_SCRATCHPAD}};
    dnnl_exec_arg_t args[4];
    double times[RUNS_MAX], sum = 0;
    dnnl_primitive_t primitive;
    int runs = 0;

    must(dnnl_primitive_create(&primitive, desc), "primitive");
    for (int i = 0; i < 4; i++)
        args[i] = (dnnl_exec_arg_t){
            operands[i].arg, filled(b, dnnl_primitive_desc_query_md(desc, operands[i].query, 0))};
    must(dnnl_primitive_execute(primitive, b->stream, 4, args), "warm run");
    while (runs < RUNS_MAX && (runs < RUNS_MIN || sum < b->seconds)) {
        double start = now(b);
        must(dnnl_primitive_execute(primitive, b->stream, 4, args), "run");
        times[runs] = now(b) - start;
        sum += times[runs++];
    }
    for (int i = 0; i < 4; i++)
        dnnl_memory_destroy(args[i].memory);
    dnnl_primitive_destroy(primitive);
    qsort(times, (size_t)runs, sizeof(times[0]), by_value);
    return times[runs / 2];
}

static dnnl_primitive_attr_t user_scratchpad(void)
{
    dnnl_primitive_attr_t attr;

    must(dnnl_primitive_attr_create(&attr), "attributes");
    must(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user), "attributes");
    return attr;
}

/* Seconds, or infinity when oneDNN has no such primitive. */
static double time_desc(const struct bench *b, const void *desc)
{
    dnnl_primitive_attr_t attr = user_scratchpad();
    dnnl_primitive_desc_t made;
    double seconds = __builtin_inf();

    if (dnnl_primitive_desc_create(&made, desc, attr, b->engine, NULL) == dnnl_success) {
        seconds = time_primitive(b, made);
        dnnl_primitive_desc_destroy(made);
    }
    dnnl_primitive_attr_destroy(attr);
    return seconds;
}

static double time_conv(const struct bench *b, const struct product *p, dnnl_data_type_t type,
                        dnnl_alg_kind_t how)
{
    const int64_t pad = p->kernel / 2, out = p->size / p->stride;
    dnnl_dims_t x_dim = {b->images, p->k, p->size, p->size};
    dnnl_dims_t w_dim = {p->n, p->k, p->kernel, p->kernel}, y_dim = {b->images, p->n, out, out};
    dnnl_dims_t stride = {p->stride, p->stride}, dilation = {0, 0}, before = {pad, pad};
    dnnl_dims_t after = {pad - (p->stride == 2), pad - (p->stride == 2)};
    dnnl_memory_desc_t x, w, y;
    dnnl_convolution_desc_t desc;

    must(dnnl_memory_desc_init_by_tag(&x, 4, x_dim, type, dnnl_format_tag_any), "shape");
    must(dnnl_memory_desc_init_by_tag(&w, 4, w_dim, type, dnnl_format_tag_any), "shape");
    must(dnnl_memory_desc_init_by_tag(&y, 4, y_dim, dnnl_f32, dnnl_format_tag_any), "shape");
    must(dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, how, &x, &w,
                                                    NULL, &y, stride, dilation, before, after),
         "convolution");
    return time_desc(b, &desc);
}

static double time_matrix(const struct bench *b, const struct product *p, dnnl_data_type_t type)
{
    const int64_t batch = p->fixed ? p->batch * b->images : 1,
                  m = p->fixed ? p->m : p->m * b->images;
    const dnnl_format_tag_t second = !p->fixed   ? dnnl_format_tag_any
                                     : p->turned ? dnnl_acb
                                                 : dnnl_abc;
    dnnl_dims_t x_dim = {batch, m, p->k}, w_dim = {batch, p->k, p->n}, y_dim = {batch, m, p->n};
    const int skip = p->fixed ? 0 : 1; /* packed matrices have no batch */
    dnnl_memory_desc_t x, w, y;
    dnnl_matmul_desc_t desc;

    must(dnnl_memory_desc_init_by_tag(&x, 3 - skip, x_dim + skip, type, skip ? dnnl_ab : dnnl_abc),
         "shape");
    must(dnnl_memory_desc_init_by_tag(&w, 3 - skip, w_dim + skip, type, second), "shape");
    must(dnnl_memory_desc_init_by_tag(&y, 3 - skip, y_dim + skip, dnnl_f32,
                                      skip ? dnnl_ab : dnnl_abc),
         "shape");
    must(dnnl_matmul_desc_init(&desc, &x, &w, NULL, &y), "matrix product");
    return time_desc(b, &desc);
}

/* A 1x1 convolution is a matrix product over its pixels; whichever oneDNN does better. */
static double time_plain(const struct bench *b, const struct product *p, dnnl_data_type_t type)
{
    struct product matrix = *p;
    double direct, product;

    if (!p->conv)
        return time_matrix(b, p, type);
    direct = time_conv(b, p, type, dnnl_convolution_direct);
    if (p->kernel > 1 || p->stride > 1)
        return direct;
    matrix.conv = false;
    matrix.m = p->size * p->size;
    product = time_matrix(b, &matrix, type);
    return product < direct ? product : direct;
}

static void describe(const struct product *p, char *text, size_t bytes)
{
    if (p->conv)
        snprintf(text, bytes, "conv%dx%d/%d %d->%d @%d", (int)p->kernel, (int)p->kernel,
                 (int)p->stride, (int)p->k, (int)p->n, (int)p->size);
    else
        snprintf(text, bytes, "%s%d x [%d,%d] [%d,%d]", p->fixed ? "attention " : "linear ",
                 (int)p->batch, (int)p->m, (int)p->k, (int)p->k, (int)p->n);
}

static void bench_list(const struct bench *b, const char *name, const struct list *l)
{
    double f32 = 0, mixed = 0, direct_only = 0, flops = 0;

    printf("%-34s %5s %9s %9s %9s %9s\n", name, "count", "f32 ms", "wino ms", "bf16 ms",
           "GF/s f32");
    for (int i = 0; i < l->count; i++) {
        const struct product *p = &l->item[i];
        double direct = time_plain(b, p, dnnl_f32), half = time_plain(b, p, dnnl_bf16);
        double wino = __builtin_inf(), best, best_mixed, work;
        char text[64];

        if (p->conv && p->kernel == 3 && p->stride == 1)
            wino = time_conv(b, p, dnnl_f32, dnnl_convolution_winograd);
        best = wino < direct ? wino : direct;
        best_mixed = half < best ? half : best;
        work = product_flops(p) * (double)b->images;
        describe(p, text, sizeof(text));
        printf("%-34s %5d %9.3f %9.3f %9.3f %9.0f\n", text, p->count, direct * 1e3, wino * 1e3,
               half * 1e3, work / best * 1e-9);
        fflush(stdout);
        direct_only += direct * p->count;
        f32 += best * p->count;
        mixed += best_mixed * p->count;
        flops += work * p->count;
    }
    printf("%s, %d image(s), %d thread(s), %s time: %.1f GMAC; ", name, (int)b->images,
           omp_get_max_threads(), b->clock == CLOCK_MONOTONIC ? "wall" : "CPU", flops / 2e9);
    printf("direct %.1f ms, f32 %.1f ms, mixed %.1f ms\n\n", direct_only * 1e3, f32 * 1e3,
           mixed * 1e3);
}

static void bench_named(const struct bench *b, const char *name, int64_t latent)
{
    struct list l = {.count = 0};

    if (!strcmp(name, "unet"))
        list_unet(&l, latent);
    else if (!strcmp(name, "vae"))
        list_vae(&l, latent);
    else
        list_taesd(&l, latent);
    bench_list(b, name, &l);
}

static bool takes(const char *argument, const char *name, double *value)
{
    size_t length = strlen(name);

    if (strncmp(argument, name, length) != 0)
        return false;
    *value = atof(argument + length);
    return *value > 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"unet", "vae", "taesd"};
    struct bench b = {.seconds = 0.1, .clock = CLOCK_MONOTONIC};
    double images = 1, latent = 64, threads = 0;
    unsigned chosen = 0;

    for (int i = 1; i < argc; i++) {
        unsigned name = 0;
        while (name < 3 && strcmp(argv[i], names[name]) != 0)
            name++;
        if (name < 3)
            chosen |= 1u << name;
        else if (!strcmp(argv[i], "--cpu"))
            b.clock = CLOCK_PROCESS_CPUTIME_ID;
        else if (!takes(argv[i], "--images=", &images) && !takes(argv[i], "--latent=", &latent) &&
                 !takes(argv[i], "--threads=", &threads) &&
                 !takes(argv[i], "--seconds=", &b.seconds)) {
            fprintf(stderr, "usage: bench_products [unet|vae|taesd]... [--images=N] [--latent=N] "
                            "[--threads=N] [--seconds=S] [--cpu]\n");
            return 2;
        }
    }
    if (threads > 0)
        omp_set_num_threads((int)threads);
    b.images = (int64_t)images;
    must(dnnl_engine_create(&b.engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&b.stream, b.engine, dnnl_stream_default_flags), "stream");
    for (unsigned name = 0; name < 3; name++)
        if (!chosen || (chosen & 1u << name))
            bench_named(&b, names[name], (int64_t)latent);
    dnnl_stream_destroy(b.stream);
    dnnl_engine_destroy(b.engine);
    return 0;
}
