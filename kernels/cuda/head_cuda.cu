/*
 * The output head: logits of as many rows as CHUNK has room for, then a block for each row of them.
 * Bound by the two products; the rows between are read twice and written once. To come: sums of the
 * softmax as the product makes its tiles.
 */
#include "elements_cuda.h"

static const int64_t CHUNK = 1 << 26; /* logits that exist at a time */

struct found {
    float most;
    int best; /* the first that is so large */
};

/* x (V) += bias, and the largest of it. The same thread meets the same elements in every pass. */
__device__ static struct found largest(float *x, const float *bias, int64_t V, float *warps)
{
    struct found f = { -INFINITY, (int)V };

    for (int64_t v = threadIdx.x; v < V; v += blockDim.x) {
        if (bias)
            x[v] += bias[v];
        f.most = fmaxf(f.most, x[v]);
    }
    f.most = block_all(f.most, larger(), warps);
    for (int64_t v = threadIdx.x; v < V; v += blockDim.x)
        if (x[v] == f.most) {
            f.best = (int)v;
            break;
        }
    f.best = block_all(f.best, smaller(), (int *)warps);
    return f;
}

/* Of each row of logits: its loss, its best, and its slope, in place (f32) or as an operand of type TO,
 * there without the target's 1. */
static __global__ void losses(float *nll, int32_t *best, float *logits, uint16_t *half, enum dtype to,
                              bool slopes, const float *bias, const int32_t *target, int64_t V)
{
    SHARED(float, warps);
    const int64_t row = blockIdx.x;
    const int32_t is = target[row];
    float *const x = logits + row * V;
    const struct found f = largest(x, bias, V, warps);
    const float wanted = is >= 0 ? x[is] : 0;
    float sum = 0;

    for (int64_t v = threadIdx.x; v < V; v += blockDim.x)
        sum += expf(x[v] - f.most);
    sum = block_all(sum, add(), warps);
    if (threadIdx.x == 0) {
        nll[row] = is >= 0 ? f.most - wanted + logf(sum) : 0;
        if (best)
            best[row] = f.best < V ? f.best : 0;
    }
    if (!slopes)
        return;
    for (int64_t v = threadIdx.x; v < V; v += blockDim.x) {
        const float p = is >= 0 ? expf(x[v] - f.most) / sum : 0;

        if (!half)
            x[v] = p - (v == is ? 1 : 0);
        else
            half[row * V + v] = to == DT_F16 ? f16_of_f32(p) : bf16_of_f32(p);
    }
}

/* dh (M, C) = sum times each row's weight, after the row of the target was taken off where that is to do;
 * sum may be dh. */
template <class T>
static __global__ void finish(T *dh, const float *sum, struct values w, bool take, const int32_t *target,
                              const float *weight, int64_t M, int64_t C)
{
    const int64_t i = thread_of_all(), row = i / C, c = i % C;

    if (row >= M)
        return;
    const float off = take && target[row] >= 0 ? weight_value(w, target[row] * C + c) : 0;

    store(dh + i, weight[row] * (sum[i] - off));
}

int64_t head_rows(int64_t M, int64_t V)
{
    const int64_t n = CHUNK / V;

    return n < 1 ? 1 : n < M ? n : M;
}

/* dh from slopes (n, V), by sums in f32. */
template <class T>
static int gradient(T *dh, const void *slope, const struct weight *w, const int32_t *target,
                    const float *weight, int64_t n)
{
    const int64_t C = w->cols;
    float *const sum = cuda_act == DT_F32
                           ? (float *)dh
                           : (float *)cuda_scratch(SCRATCH_KEPT, (size_t)(n * C) * sizeof *sum);

    if (!sum || product_back(sum, DT_F32, slope, w, n, false) < 0)
        return -1;
    return LAUNCH(finish<T>, blocks_for(n * C, THREADS), THREADS, 0, dh, sum, values_of(w),
                  operand_type(w) != DT_F32, target, weight, n, C);
}

template <class T>
static int head_loss(struct dev *nll, struct dev *dh, struct dev *best, const struct dev *h,
                     const struct weight *w, const struct dev *bias, const struct dev *target,
                     const struct dev *weight, int64_t M)
{
    const int64_t V = w->rows, C = w->cols, chunk = head_rows(M, V);
    const enum dtype to = operand_type(w);
    float *const logits = (float *)cuda_scratch(SCRATCH_LOGITS, (size_t)(chunk * V) * sizeof *logits);
    uint16_t *half = NULL;

    if (!logits)
        return -1;
    for (int64_t at = 0; at < M; at += chunk) {
        const int64_t n = chunk < M - at ? chunk : M - at;

        if (product(logits, DT_F32, (const struct dev *)(act<T>(h) + at * C), w, n) < 0)
            return -1;
        if (dh && to != DT_F32) { /* the operand of the product is free again */
            half = (uint16_t *)cuda_scratch(SCRATCH_OPERAND, (size_t)(chunk * V) * sizeof *half);
            if (!half)
                return -1;
        }
        if (LAUNCH(losses, (unsigned)n, THREADS, WARP * sizeof(float), f32(nll) + at,
                   best ? (int32_t *)best + at : NULL, logits, half, to, dh != NULL, f32(bias),
                   i32(target) + at, V) < 0 ||
            (dh && gradient(act<T>(dh) + at * C, half ? (const void *)half : logits, w, i32(target) + at,
                            f32(weight) + at, n) < 0))
            return -1;
    }
    return 0;
}

/* A decoded token is one row, so one block: as many threads as it may have. */
enum { ALL_THREADS = WARP * WARP };

static __global__ void __launch_bounds__(ALL_THREADS)
    select(double *logp, int32_t *best, float *logits, const float *bias, const int32_t *ids,
           int64_t V, int64_t n)
{
    SHARED(double, warps);
    const int64_t row = blockIdx.x;
    float *const x = logits + row * V;
    const struct found f = largest(x, bias, V, (float *)warps);
    double sum = 0;
    int finite = 1;

    for (int64_t v = threadIdx.x; v < V; v += blockDim.x) {
        finite &= isfinite(x[v]) ? 1 : 0;
        sum += n ? exp((double)x[v] - f.most) : 0;
    }
    finite = block_all(finite, smaller(), (int *)warps);
    sum = block_all(sum, add(), warps);
    if (threadIdx.x == 0 && best)
        best[row] = finite ? f.best : -1;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        const int32_t id = ids[row * n + i];

        logp[row * n + i] = !finite ? nan("") : id < 0 ? 0 : x[id] - (f.most + log(sum));
    }
}

template <class T>
static int head_select(struct dev *logp, struct dev *best, const struct dev *h,
                       const struct weight *w, const struct dev *bias, const struct dev *ids,
                       int64_t M, int64_t n)
{
    const int64_t V = w->rows, C = w->cols, chunk = head_rows(M, V);
    float *const logits = (float *)cuda_scratch(SCRATCH_LOGITS, (size_t)(chunk * V) * sizeof *logits);

    if (!logits)
        return -1;
    for (int64_t at = 0; at < M; at += chunk) {
        const int64_t rows = chunk < M - at ? chunk : M - at;

        if (product(logits, DT_F32, (const struct dev *)(act<T>(h) + at * C), w, rows) < 0 ||
            LAUNCH(select, (unsigned)rows, ALL_THREADS, WARP * sizeof(double), n ? (double *)logp + at * n : NULL,
                   best ? (int32_t *)best + at : NULL, logits, f32(bias), n ? i32(ids) + at * n : NULL, V,
                   n) < 0)
            return -1;
    }
    return 0;
}

static int head_logits(struct dev *logits, const struct dev *h, const struct weight *w,
                       const struct dev *bias, int64_t M)
{
    return product(logits, DT_F32, h, w, M) < 0 ? -1 : add_bias(logits, DT_F32, bias, M, w->rows);
}

template <class T> static void fill(struct ops *o)
{
    o->head_loss = head_loss<T>;
    o->head_select = head_select<T>;
}

void cuda_head_ops(struct ops *o)
{
    o->head_logits = head_logits;
    FILL_FOR_ACT(fill, o);
}
