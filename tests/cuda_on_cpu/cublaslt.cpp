/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D = alpha op(A) op(B) + beta C + bias, column by column. It offers two algorithms that differ in
 * the order of their sums, so that a caller who takes now the one and now the other is found out.
 */
#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

enum { ALGORITHMS = 2, ALIGNMENT = 16 };
#define MAGIC 0x6c696d6e65720001u

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    static int one;

    *handle = (cublasLtHandle_t)&one;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    return handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

size_t cublasLtGetVersion(void)
{
    return 130100;
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS         ? "success"
           : status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported"
                                                   : "invalid value";
}

cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t desc, cublasComputeType_t compute,
                                      cudaDataType_t scale)
{
    *desc = {CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL, NULL, NULL};
    return compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS
                                                                : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t what,
                                              const void *value, size_t bytes)
{
    if (what == CUBLASLT_MATMUL_DESC_TRANSA && bytes == sizeof(desc->transposed))
        memcpy(&desc->transposed, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_EPILOGUE && bytes == sizeof(desc->epilogue))
        memcpy(&desc->epilogue, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_BIAS_POINTER && bytes == sizeof(desc->bias))
        memcpy(&desc->bias, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER && bytes == sizeof(desc->a_scale))
        memcpy(&desc->a_scale, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER && bytes == sizeof(desc->b_scale))
        memcpy(&desc->b_scale, value, bytes);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType type,
                                        uint64_t rows, uint64_t columns, int64_t stride)
{
    *layout = {type, rows, columns, stride};
    return stride >= (int64_t)rows ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference)
{
    *preference = {0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t what,
                                                    const void *value, size_t bytes)
{
    if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && bytes == sizeof(uint64_t))
        memcpy(&preference->workspace, value, bytes);
    else if (bytes != sizeof(uint32_t))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

static bool fits(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                 cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    uint64_t n = desc->transposed ? a->columns : a->rows;
    uint64_t k = desc->transposed ? a->rows : a->columns;

    return b->rows == k && d->rows == n && d->columns == b->columns && c->rows == n &&
           c->columns == d->columns && a->type == b->type && c->type == d->type &&
           (a->type == CUDA_R_8F_E4M3
                ? desc->transposed && d->type != CUDA_R_8F_E4M3 && k % 16 == 0 && n % 16 == 0
                : d->type == a->type || d->type == CUDA_R_32F);
}

static bool is_known(const cublasLtMatmulAlgo_t *algo)
{
    return algo->data[0] == MAGIC && algo->data[1] < ALGORITHMS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int asked,
                                              cublasLtMatmulHeuristicResult_t *results, int *count)
{
    *count = 0;
    if (!handle || !preference->workspace || !fits(desc, a, b, c, d))
        return CUBLAS_STATUS_INVALID_VALUE;
    for (int i = 0; i < ALGORITHMS && i < asked; i++) {
        results[i] = {{{MAGIC, (uint64_t)i}}, 1024, CUBLAS_STATUS_SUCCESS, 1};
        ++*count;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algo,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    if (!handle || !fits(desc, a, b, c, d) || !is_known(algo))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    *result = {*algo, 1024, CUBLAS_STATUS_SUCCESS, 1};
    return CUBLAS_STATUS_SUCCESS;
}

struct product {
    cublasLtMatmulDescOpaque_t desc;
    cublasLtMatrixLayoutOpaque_t a, b, c, d;
    const void *left, *right, *add;
    void *out;
    float alpha, beta;
    uint64_t algorithm;
};

static float load(const void *at, cudaDataType_t type, int64_t i)
{
    if (type == CUDA_R_32F)
        return ((const float *)at)[i];
    if (type == CUDA_R_16F)
        return __half2float(((const __half *)at)[i]);
    if (type == CUDA_R_8F_E4M3)
        return cuda_on_cpu_e4m3(((const uint8_t *)at)[i]);
    return __bfloat162float(((const __nv_bfloat16 *)at)[i]);
}

static void store(void *at, cudaDataType_t type, int64_t i, float x)
{
    if (type == CUDA_R_32F)
        ((float *)at)[i] = x;
    else if (type == CUDA_R_16F)
        ((__half *)at)[i] = __float2half(x);
    else
        ((__nv_bfloat16 *)at)[i] = __float2bfloat16(x);
}

static float dot(const product *p, int64_t i, int64_t j)
{
    int64_t k = (int64_t)p->b.rows;
    float sum = 0;

    for (int64_t step = 0; step < k; step++) {
        int64_t at = p->algorithm ? k - 1 - step : step;
        int64_t left = p->desc.transposed ? at + i * p->a.stride : i + at * p->a.stride;

        sum += load(p->left, p->a.type, left) * load(p->right, p->b.type, at + j * p->b.stride);
    }
    if (p->desc.a_scale)
        sum *= *p->desc.a_scale;
    return p->desc.b_scale ? sum * *p->desc.b_scale : sum;
}

static void run(const void *arguments)
{
    const product *p = (const product *)arguments;

    for (int64_t j = 0; j < (int64_t)p->d.columns; j++) {
        for (int64_t i = 0; i < (int64_t)p->d.rows; i++) {
            float sum = p->alpha * dot(p, i, j);

            if (p->beta != 0)
                sum += p->beta * load(p->add, p->c.type, i + j * p->c.stride);
            if (p->desc.epilogue == CUBLASLT_EPILOGUE_BIAS)
                sum += load(p->desc.bias, p->d.type, i);
            store(p->out, p->d.type, i + j * p->d.stride, sum);
        }
    }
}

static bool is_aligned(const void *at, cublasLtMatrixLayout_t layout)
{
    return (uintptr_t)at % ALIGNMENT == 0 &&
           (size_t)layout->stride * bytes_of(layout->type) % ALIGNMENT == 0;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    product p = {*desc, *a_layout, *b_layout, *c_layout, *d_layout, a, b, c, d, 0, 0, 0};

    if (!handle || !fits(desc, a_layout, b_layout, c_layout, d_layout) || !is_known(algo) ||
        !workspace || workspace_bytes < 1024)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!is_aligned(a, a_layout) || !is_aligned(b, b_layout) || !is_aligned(c, c_layout) ||
        !is_aligned(d, d_layout))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    memcpy(&p.alpha, alpha, sizeof(p.alpha));
    memcpy(&p.beta, beta, sizeof(p.beta));
    p.algorithm = algo->data[1];
    return cuda_on_cpu_enqueue(stream, run, &p, sizeof(p)) ? CUBLAS_STATUS_INVALID_VALUE
                                                           : CUBLAS_STATUS_SUCCESS;
}
