/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the table of everything a device can compute.
 *
 * Plain C fills every slot first (`ops_fill_reference`, the judge), then better code is written
 * over it, as far as the capabilities allow, and `ops_assert_full` checks that nothing is missing.
 * Models call slots and never know who filled them. Calls on one device come from one thread and
 * take effect in order. Ops return nothing: a wrong shape is our bug and asserts; device trouble
 * is recorded in the device and comes out of `device_sync`.
 *
 * Shapes: B images, H rows, W columns, C channels; T tokens; N outputs, K inputs of a product.
 * Every op treats the images of a batch apart: image b of a batch of n is bit for bit what image b
 * alone would be. Tensors are dense unless an op says "may be strided". y may not overlap an
 * input unless the op says so.
 *
 * Types: activations are of the device's type (device.h), sums are f32 or better whatever the type.
 * y of linear, conv, affine, gather and convert may be f32 on any device, x of affine, gather and
 * convert any float.
 *
 * While a model is measured, the device holds the filling `ops_measure`: every op does nothing, so
 * the same forward pass only counts the memory it carves.
 */
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct device;
struct packed; /* one weight in the form its filling likes; what is inside only the filling knows */

enum act {
    ACT_NONE,
    ACT_RELU,
    ACT_RELU6,
    ACT_SILU,       /* x sigmoid(x) */
    ACT_GELU,       /* x Phi(x), by erf */
    ACT_GELU_TANH,  /* the tanh approximation of GELU */
    ACT_GELU_QUICK, /* x sigmoid(1.702 x) */
    ACT_TANH,
};

enum fade {
    FADE_DOWN,   /* from the first line to the last */
    FADE_ACROSS, /* from the first column to the last */
};

enum pool {
    POOL_MAX,
    POOL_MEAN, /* over the cells that lie inside the picture */
};

/*
 * The parameters of a linear layer or a convolution, as the file has them. w and b must outlive
 * the weight: they are usually a mapped file. `packed` belongs to the filling of the device that
 * `weight_pack` was called with and is given back by `weight_free`.
 */
struct weight {
    struct tensor
        w; /* linear [1, 1, N, K]; conv [N, C, KH, KW]; depthwise [C, 1, KH, KW]; any float */
    struct tensor b; /* [1, 1, 1, N], data NULL when there is none; any float type */
    int stride;      /* conv: 1 or 2; linear: 1 */
    int pad[4];      /* conv: zeros added at top, left, bottom, right */
    bool up;         /* conv: conv_up convolves with it */
    struct packed *packed;
};

/* What a linear layer or convolution does to its sum before it is written, in this order:
   sum + bias, + shift, + add, then act. A NULL epilogue is none of them. */
struct epilogue {
    struct tensor shift; /* [B, 1, 1, N], the same for every position of image b; or data NULL */
    struct tensor add;   /* shaped like y, may be y itself; or data NULL. Both may be strided */
    enum act act;
};

/* What a repeated forward pass depends on: who runs it, and how many rows of which size. */
struct repeat_key {
    const void *owner;
    int rows, height, width;
};

/* One picture at one step of its sampler (models/sampler.h). Everything is f32, dense and of one
   shape [1, H, W, C]. */
struct advance {
    struct tensor x;        /* the latents: read and written */
    struct tensor previous; /* what the last step made of the picture: read and written */
    struct tensor output;   /* written: what the network says, guided */
    struct tensor rows[2];  /* what it says: of the negative prompt, or data NULL; of the prompt */
    struct tensor noise;    /* or data NULL */
    float guide[2], estimate[2]; /* factors of rows; of x and output */
    float next[4];               /* of x, output, previous and noise */
};

/* A picture, and by how much it is multiplied. */
struct scaled {
    struct tensor x; /* [1, H, W, C], any float, dense */
    float scale;
};

struct ops {
    const char *name; /* of the filling on top, for logs */

    /* Make what the filling needs to own on this device, and give it back. */
    enum status (*open)(struct device *d, struct why *why);
    void (*close)(struct device *d);

    /* From here on the calling thread is the one that uses this device. */
    void (*enter)(struct device *d);

    /* Memory of the device, aligned to ARENA_ALIGN, its numbers undefined; NULL when there is not
       as much. Given back with the size it was taken with. */
    void *(*memory_take)(struct device *d, size_t bytes);
    void (*memory_give)(struct device *d, void *memory, size_t bytes);

    /* Wait for everything asked so far; device trouble is in d->broken afterwards. */
    void (*sync)(struct device *d);

    /* What was asked for since the last time was a rehearsal, and will be asked for again: find out
       how to do it best, for as long as that takes, and remember. */
    void (*prepare)(struct device *d);

    /* From begin on the numbers that pass are looked at; at the end it is settled how to keep those
       narrow that shall be. Does nothing where all numbers are as wide as they come. */
    void (*calibrate)(struct device *d, bool begin);

    /* Run forward(context), which only calls slots of this device. Where starting each op by itself
       costs more than the op, the device remembers under `key` what forward asked and asks the
       same again next time without calling it. So with equal keys forward must ask for the same
       ops at the same addresses (equal arena marks), and take nothing that changes from the host:
       no upload, no download, no gather, no advance. */
    void (*repeat)(struct device *d, struct repeat_key key, void (*forward)(void *context),
                   void *context);

    /* Forget what was remembered for this owner, whose weights or addresses are no longer good; for
       everybody when it is NULL. */
    void (*repeat_forget)(struct device *d, const void *owner);

    /* Bring a weight into the device's own form. ST_FULL when memory runs out. */
    enum status (*weight_pack)(struct device *d, struct weight *w, struct why *why);
    void (*weight_free)(struct device *d, struct weight *w);

    /* Dense numbers from and to the host, finished when they return. Counts and types are equal. */
    void (*upload)(struct device *d, struct tensor y, const void *host);
    void (*download)(struct device *d, void *host, struct tensor x);

    /* Pixels [1, H, W, 3], f32 in [-1, 1], to the host as bytes, rounded as image_from_float does;
       finished when it returns. */
    void (*download_pixels)(struct device *d, uint8_t *host, struct tensor x);

    /* y[1, H, W, C], f32: standard normal numbers of this stream of this seed, as rng_normal has
       them; another device's sine may differ in the last bit. */
    void (*noise)(struct device *d, struct tensor y, uint64_t seed, uint32_t stream);

    /* y[.., M, N] = x[.., M, K] w[N, K]^T, then the epilogue. y and x may be strided. */
    void (*linear)(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                   const struct epilogue *e);

    /* y[.., N] = value * gelu(gate), value and gate being the first and the last N columns of
       x[.., K] w[2N, K]^T + bias: diffusers' GEGLU. The erf form of gelu. x may be strided. */
    void (*linear_geglu)(struct device *d, struct tensor y, struct tensor x,
                         const struct weight *w);

    /* y[B, H', W', N] = x[B, H, W, C] convolved with w[N, C, KH, KW], then the epilogue;
       H' = (H + pad - KH) / stride + 1. */
    void (*conv)(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                 const struct epilogue *e);

    /* The same of x made twice as high and wide, every pixel four times, w having stride 1. y's
       size tells whether the last line or column of that is cut off, as it is where an odd size was
       halved: y[B, H', W', N], H' = 2H + pad - KH + 1, or 1 less; W' likewise. */
    void (*conv_up)(struct device *d, struct tensor y, struct tensor x, const struct weight *w,
                    const struct epilogue *e);

    /* conv with one filter per channel, w[C, 1, KH, KW]. */
    void (*conv_depthwise)(struct device *d, struct tensor y, struct tensor x,
                           const struct weight *w, const struct epilogue *e);

    /* y = act(group-normalised x * gamma[C] + beta[C]), statistics over H, W and the C / groups
       channels of a group. gamma and beta are f32. y may be x. */
    void (*norm_group)(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, int groups, float epsilon, enum act act);

    /* The same over each row of C alone. y may be x. */
    void (*norm_layer)(struct device *d, struct tensor y, struct tensor x, struct tensor gamma,
                       struct tensor beta, float epsilon);

    /* y = softmax(scale q k^T) v for each of `heads` equal slices of the columns. q and y are
       [B, 1, T, heads * D], k and v are [B, 1, S, heads * D]; causal: token t sees only s <= t.
       All may be strided. */
    void (*attention)(struct device *d, struct tensor y, struct tensor q, struct tensor k,
                      struct tensor v, int heads, float scale, bool causal);

    /* y = act(x). y may be x. */
    void (*activate)(struct device *d, struct tensor y, struct tensor x, enum act act);

    /* y[.., C] = x[.., :C] * gelu(x[.., C:]): the second half of linear_geglu, for fillings whose
       products cannot end in it. */
    void (*geglu)(struct device *d, struct tensor y, struct tensor x);

    /* y = x + z. y may be x or z. */
    void (*add)(struct device *d, struct tensor y, struct tensor x, struct tensor z);

    /* y = scale * x + shift. y may be x. */
    void (*affine)(struct device *d, struct tensor y, struct tensor x, float scale, float shift);

    /* Image b of y[B, H, W, C] = images[b].scale * images[b].x, for B images in a list on the host
       that may go afterwards. All x are of one type. */
    void (*gather)(struct device *d, struct tensor y, const struct scaled *images);

    /* For each of `count` pictures, on the host in a list that may go afterwards:
           output = guide[0] rows[0] + guide[1] rows[1], or rows[1] where rows[0] is absent
           x = next[0] x + next[1] output + next[2] previous + next[3] noise
           previous = estimate[0] x + estimate[1] output, of the x before
       in f32, every product and every sum rounded by itself, in this order, from 0; what has the
       factor 0 is not read. This is the samplers' whole arithmetic. */
    void (*advance)(struct device *d, const struct advance *pictures, int count);

    /* y = x with another type or stride. Both may be strided. */
    void (*convert)(struct device *d, struct tensor y, struct tensor x);

    /* y[.., C1 + C2] = x1[.., C1] beside x2[.., C2]. */
    void (*concat)(struct device *d, struct tensor y, struct tensor x1, struct tensor x2);

    /* Where two pieces of a picture overlap, y is x that fades into z: (1 - t) x + t z, with t = i
       / n in line, or column, i of n. Products and sum are rounded one by one, as in advance. All
       are lines of pixels, [B, H, 1, W * 3], f32, and may be strided. y may be z. */
    void (*blend)(struct device *d, struct tensor y, struct tensor x, struct tensor z,
                  enum fade fade);

    /* Windows of kernel x kernel; y[B, H', W', C] with H' from stride and the one-sided pads.
       kernel == 0 means the whole picture, y[B, 1, 1, C]. */
    void (*pool)(struct device *d, struct tensor y, struct tensor x, enum pool kind, int kernel,
                 int stride, const int pad[4]);

    /* y[B, 1, T, C] = table[id] + position[t]; ids [B, 1, 1, T] are I32 on the device and within
       the table. table and position may be any float type. */
    void (*embed_tokens)(struct device *d, struct tensor y, struct tensor ids, struct tensor table,
                         struct tensor position);

    /* y[B, 1, 1, C]: sines and cosines of t[B, 1, 1, 1], f32, at C / 2 frequencies
       10000^(-i / (C / 2 - freq_shift)); sines first unless flipped. The angle is rounded to f32
       before the sine, as every trained model has seen it. */
    void (*embed_time)(struct device *d, struct tensor y, struct tensor t, bool flip,
                       float freq_shift);
};

/* What the machine can do; fillings use what they are given. A mask only takes away. */
enum {
    CAP_AVX2 = 1 << 0,     /* with FMA: x86-64-v3 */
    CAP_AVX512 = 1 << 1,   /* F, BW, DQ, VL: x86-64-v4 */
    CAP_BF16 = 1 << 2,     /* AVX512-BF16 */
    CAP_ONEDNN = 1 << 3,   /* oneDNN is linked */
    CAP_WINOGRAD = 1 << 4, /* take Winograd where it wins; off for the tightest parity */
    CAP_SM80 = 1 << 5,     /* CUDA: bf16 matrix units, asynchronous copies */
    CAP_SM90 = 1 << 6,     /* CUDA: clusters of blocks */
    CAP_CUBLASLT = 1 << 7, /* linear layers by cuBLASLt */
    CAP_CUDNN = 1 << 8,    /* convolutions and attention by cuDNN, where it has an engine */
    CAP_FP8 = 1 << 10,     /* CUDA: matrix units for e4m3 */
    CAP_GRAPHS = 1 << 9,   /* CUDA: repeated forward passes become graphs */
};
unsigned ops_caps(void); /* of the CPU; kernels/cuda.h tells those of a GPU */

/* The fillings, each over what the one before wrote. */
void ops_fill_reference(struct ops *ops);
void ops_fill_simd(struct ops *ops, unsigned caps);
void ops_fill_onednn(struct ops *ops, unsigned caps);
void ops_fill_cuda(struct ops *ops, unsigned caps); /* every slot, over nothing */

/* Every op a no-op, for measuring; and whether a table is that. */
void ops_fill_measure(struct ops *ops);
bool ops_measures(const struct ops *ops);

/* Asserts that no slot is NULL. */
void ops_assert_full(const struct ops *ops);

#ifdef __cplusplus
}
#endif

#endif /* KERNELS_OPS_H */
