/*
 * The linear layer. Few rows are multiplied with the weight where it lies (few_cuda.cu). Else it is
 * multiplied as dense matrices are, a strip of it at a time: its copy where one is kept (kept_cuda.cu), or
 * expanded for this (ahead_cuda.cu). LoRA comes behind it (lora_cuda.cu).
 */
#include "elements_cuda.h"

#ifndef STRIP /* tests make it short */
#define STRIP (1 << 25) /* elements of a weight that are multiplied at a time */
#endif
static const int64_t STRIP_ROWS = 128; /* strips are multiples of it, so that they begin at 256 bytes */

static __global__ void round_to(uint16_t *out, const float *x, int64_t n, enum dtype to)
{
    const int64_t i = thread_of_all();

    if (i < n)
        out[i] = to == DT_F16 ? f16_of_f32(x[i]) : bf16_of_f32(x[i]);
}

int round_all(void *out, const float *x, int64_t n, enum dtype to)
{
    return LAUNCH(round_to, blocks_for(n, THREADS), THREADS, 0, (uint16_t *)out, x, n, to);
}

const void *operand(const struct dev *x, int64_t n, enum dtype to)
{
    if (to == cuda_act)
        return x;
    void *const out = cuda_scratch(SCRATCH_OPERAND, (size_t)n * sizeof(uint16_t));

    return out && round_all(out, f32(x), n, to) == 0 ? out : NULL;
}

/* N rows of the weight from row FIRST on, dense and of type T; NULL: no room. Good until memory is asked
 * for, or more rows. */
static const void *dense_rows(const struct weight *w, enum dtype t, int64_t first, int64_t n, bool back)
{
    const size_t size = t == DT_F32 ? 4 : 2;
    const void *whole = w->data;

    if (w->dtype != t && kept_weight(&whole, w) < 0)
        return NULL;
    return whole ? (const char *)whole + (size_t)(first * w->cols) * size
                 : expanded_rows(w, first, n, back);
}

int64_t strip_rows(const struct weight *w)
{
    const int64_t n = STRIP / w->cols / STRIP_ROWS * STRIP_ROWS;

    return n < STRIP_ROWS ? STRIP_ROWS : n;
}

int product(void *y, enum dtype type, const struct dev *x, const struct weight *w, int64_t N)
{
    const int64_t O = w->rows, C = w->cols, strip = strip_rows(w);
    const size_t size = type == DT_F32 ? 4 : 2;
    const enum dtype t = operand_type(w);

    if (N <= FEW_ROWS)
        return few_product(y, type, x, w, NULL, N);
    const void *const left = blaslt_ready() >= 0 ? operand(x, N * C, t) : NULL;

    for (int64_t first = 0; left && first < O; first += strip) {
        const int64_t n = least(strip, O - first);
        const void *const right = dense_rows(w, t, first, n, false);
        const struct product_to to = { (char *)y + (size_t)first * size, type, O, 0 };

        if (!right || gemm(to, { left, C, false }, { right, C, true }, t, N, n, C, 1) < 0)
            return -1;
    }
    return left ? 0 : -1;
}

/* dx = sum, added to dx when MORE. */
static __global__ void take_sum(bf16 *dx, const float *sum, int64_t n, bool more)
{
    const int64_t at = GROUP * thread_of_all();
    float v[GROUP], old[GROUP] = { 0 };

    if (at >= n)
        return;
    load_group(v, sum + at, n - at);
    if (more)
        load_group(old, dx + at, n - at);
    for (int i = 0; i < GROUP; i++)
        v[i] += old[i];
    store_group(dx + at, v, n - at);
}

static int add_strips(struct product_to to, const void *dy, const struct weight *w, int64_t N)
{
    const int64_t O = w->rows, C = w->cols, strip = strip_rows(w);
    const enum dtype t = operand_type(w);
    const size_t size = t == DT_F32 ? 4 : 2;

    for (int64_t first = 0; first < O; first += strip) {
        const int64_t n = least(strip, O - first);
        const void *const left = (const char *)dy + (size_t)first * size;
        const void *const right = dense_rows(w, t, first, n, true);

        if (!right || gemm(to, { left, O, false }, { right, C, false }, t, N, C, n, 1) < 0)
            return -1;
        to.beta = 1;
    }
    return 0;
}

int product_back(void *dx, enum dtype type, const void *dy, const struct weight *w, int64_t N, bool more)
{
    const int64_t C = w->cols;

    if (blaslt_ready() < 0)
        return -1;
    if (type == DT_F32 || strip_rows(w) >= w->rows)
        return add_strips({ dx, type, C, more ? 1.0f : 0.0f }, dy, w, N);
    float *const sum = (float *)cuda_scratch(SCRATCH_KEPT, (size_t)(N * C) * sizeof *sum); /* rounded once */

    if (!sum || add_strips({ sum, DT_F32, C, 0 }, dy, w, N) < 0)
        return -1;
    return LAUNCH(take_sum, blocks_for(groups_of(N * C), THREADS), THREADS, 0, (bf16 *)dx, sum, N * C, more);
}

template <class T>
static __global__ void add_to_rows(T *y, const float *bias, int64_t N, int64_t O)
{
    const struct place p = place_in_rows(O);
    float v[GROUP], b[GROUP];

    if (p.row >= N)
        return;
    load_group(v, y + p.row * O + p.at, p.left);
    load_group(b, bias + p.at, p.left);
    for (int i = 0; i < GROUP; i++)
        v[i] += b[i];
    store_group(y + p.row * O + p.at, v, p.left);
}

int add_bias(void *y, enum dtype type, const struct dev *bias, int64_t N, int64_t O)
{
    if (!bias)
        return 0;
    if (type == DT_BF16)
        return LAUNCH(add_to_rows<bf16>, blocks_for_rows(N, O), THREADS, 0, (bf16 *)y, f32(bias), N, O);
    return LAUNCH(add_to_rows<float>, blocks_for_rows(N, O), THREADS, 0, (float *)y, f32(bias), N, O);
}

static int one_linear(const struct linear *l, const struct dev *x, const struct packed *rows, int64_t N)
{
    if (N <= FEW_ROWS && !l->lora)
        return few_product(l->y, cuda_act, x, l->w, l->bias, N);
    if (product(l->y, cuda_act, x, l->w, N) < 0)
        return -1;
    return l->lora ? lora_forward(l->y, l->u, x, l->w, l->bias, l->lora, rows, N)
                   : add_bias(l->y, cuda_act, l->bias, N, l->w->rows);
}

static int linear_forward(const struct linear *l, int n_linears, const struct dev *x,
                          const struct packed *rows, int64_t N)
{
    for (int i = 0; i < n_linears; i++)
        if (one_linear(&l[i], x, rows, N) < 0)
            return -1;
    return 0;
}

static int linear_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool more)
{
    if (dx) {
        const void *const left = operand(dy, N * w->rows, operand_type(w));

        if (!left || product_back(dx, cuda_act, left, w, N, more) < 0)
            return -1;
    }
    return lora ? lora_backward(dx, da, db, dy, x, u, scratch, w, lora, rows, N) : 0;
}

void cuda_linear_ops(struct ops *o)
{
    o->linear_forward = linear_forward;
    o->linear_backward = linear_backward;
}
