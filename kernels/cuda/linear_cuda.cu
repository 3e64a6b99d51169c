/*
 * The linear layer. Few rows are multiplied with the weight where it lies, by reading it once: bound by
 * memory, half a byte an element in NF4. Else it is multiplied as dense matrices are, a strip of it at a
 * time: its copy where one is kept (kept_cuda.cu), or expanded for this (ahead_cuda.cu). To come: LoRA
 * in the same product ([W | B; A | .]).
 */
#include "cuda_impl.h"

enum { FEW = 4 };
#ifndef STRIP /* tests make it short */
#define STRIP (1 << 25) /* elements of a weight that are multiplied at a time */
#endif
static const int64_t STRIP_ROWS = 128; /* strips are multiples of it, so that they begin at 256 bytes */

/* A warp for each row of the weight. */
static __global__ void few_rows(float *y, const float *x, struct values w, int N, int64_t O, int64_t C)
{
    const int64_t o = thread_of_all() / WARP;
    const int lane = threadIdx.x % WARP;
    float sum[FEW] = { 0 };

    if (o >= O)
        return;
    for (int64_t c = lane; c < C; c += WARP) {
        const float v = weight_value(w, o * C + c);

        for (int r = 0; r < FEW; r++) /* as many as N; a fixed number stays in registers */
            if (r < N)
                sum[r] = madd(f32_rounded(x[r * C + c], w.round), v, sum[r]);
    }
    for (int r = 0; r < FEW; r++) {
        const float all = warp_all(sum[r], add());

        if (lane == 0 && r < N)
            y[r * O + o] = all;
    }
}

/* The same of NF4 with whole words of eight codes in a row and in a block. */
static __global__ void few_rows_nf4(float *y, const float *x, struct values w, int N, int64_t O,
                                    int64_t C)
{
    const int64_t o = thread_of_all() / WARP;
    const int lane = threadIdx.x % WARP;
    float sum[FEW] = { 0 };

    if (o >= O)
        return;
    for (int64_t c = 8 * lane; c < C; c += 8 * WARP) {
        const uint32_t word = ((const uint32_t *)w.data)[(o * C + c) / 8];
        const float scale = w.absmax[(o * C + c) / w.block];

        for (int j = 0; j < 8; j++) {
            const int code = word >> (8 * (j / 2) + (j % 2 ? 0 : 4)) & 15;
            const float v = f32_rounded(nf4_value(code) * scale, w.round);

            for (int r = 0; r < FEW; r++)
                if (r < N)
                    sum[r] = madd(f32_rounded(x[r * C + c + j], w.round), v, sum[r]);
        }
    }
    for (int r = 0; r < FEW; r++) {
        const float all = warp_all(sum[r], add());

        if (lane == 0 && r < N)
            y[r * O + o] = all;
    }
}

static int few(float *y, const float *x, const struct weight *w, int64_t N)
{
    const int64_t O = w->rows, C = w->cols;
    const unsigned grid = blocks_for(O, THREADS / WARP);

    if (w->dtype == DT_NF4 && C % 8 == 0 && w->block % 8 == 0 && (uintptr_t)w->data % 4 == 0)
        return LAUNCH(few_rows_nf4, grid, THREADS, 0, y, x, values_of(w), (int)N, O, C);
    return LAUNCH(few_rows, grid, THREADS, 0, y, x, values_of(w), (int)N, O, C);
}

static __global__ void round_to(uint16_t *out, const float *x, int64_t n, enum dtype to)
{
    const int64_t i = thread_of_all();

    if (i < n)
        out[i] = to == DT_F16 ? f16_of_f32(x[i]) : bf16_of_f32(x[i]);
}

const void *operand(const float *x, int64_t n, enum dtype to)
{
    if (to == DT_F32)
        return x;
    uint16_t *const out = (uint16_t *)cuda_scratch(SCRATCH_OPERAND, (size_t)n * sizeof *out);

    if (!out || LAUNCH(round_to, blocks_for(n, THREADS), THREADS, 0, out, x, n, to) < 0)
        return NULL;
    return out;
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

int product(float *y, const float *x, const struct weight *w, int64_t N)
{
    const int64_t O = w->rows, C = w->cols, strip = strip_rows(w);
    const enum dtype t = operand_type(w);

    if (N <= FEW)
        return few(y, x, w, N);
    const void *const left = blaslt_ready() >= 0 ? operand(x, N * C, t) : NULL;

    for (int64_t first = 0; left && first < O; first += strip) {
        const int64_t n = least(strip, O - first);
        const void *const right = dense_rows(w, t, first, n, false);

        if (!right || gemm(y + first, O, { left, C, false }, { right, C, true }, t, N, n, C, 1, 0) < 0)
            return -1;
    }
    return left ? 0 : -1;
}

int product_back(float *dx, const void *dy, const struct weight *w, int64_t N, bool more)
{
    const int64_t O = w->rows, C = w->cols, strip = strip_rows(w);
    const enum dtype t = operand_type(w);
    const size_t size = t == DT_F32 ? 4 : 2;

    if (blaslt_ready() < 0)
        return -1;
    for (int64_t first = 0; first < O; first += strip) {
        const int64_t n = least(strip, O - first);
        const void *const left = (const char *)dy + (size_t)first * size;
        const void *const right = dense_rows(w, t, first, n, true);

        if (!right || gemm(dx, C, { left, O, false }, { right, C, false }, t, N, C, n, 1,
                           more || first > 0 ? 1.0f : 0.0f) < 0)
            return -1;
    }
    return 0;
}

/* ---- bias and LoRA ---- */

static __global__ void add_bias(float *y, const float *bias, int64_t N, int64_t O)
{
    const int64_t i = thread_of_all();

    if (i < N * O)
        y[i] += bias[i % O];
}

/* drop(x): x itself where nothing is dropped; NULL: no room. */
static const float *dropped(const float *x, const struct mask *m, int64_t N, int64_t C)
{
    if (!m->on)
        return x;
    float *const kept = (float *)cuda_scratch(SCRATCH_KEPT, (size_t)(N * C) * sizeof *kept);

    return kept && drop_rows(kept, x, m, N, C, false) == 0 ? kept : NULL;
}

static int linear_forward(struct dev *y, struct dev *u, const struct dev *x, const struct weight *w,
                          const struct dev *bias, const struct lora *lora,
                          const struct packed *rows, int64_t N)
{
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;

    if (product(f32(y), f32(x), w, N) < 0 ||
        (bias && LAUNCH(add_bias, blocks_for(N * O, THREADS), THREADS, 0, f32(y), f32(bias), N, O) < 0))
        return -1;
    if (!lora)
        return 0;
    const struct mask m = mask_of(&lora->drop, rows);
    const float *const kept = dropped(f32(x), &m, N, C);

    if (!kept || gemm(f32(u), R, { kept, C, false }, { f32(lora->a), C, true }, DT_F32, N, R, C, 1, 0) < 0)
        return -1;
    return gemm(f32(y), O, { f32(u), R, false }, { f32(lora->b), R, true }, DT_F32, N, O, R, lora->scale, 1);
}

/* dx += drop'(down A): dropout's gradient is the same mask. */
static int lora_to_input(float *dx, const float *down, const struct lora *lora, const struct mask *m,
                         int64_t N, int64_t C)
{
    const struct matrix left = { down, lora->rank, false }, right = { f32(lora->a), C, false };

    if (!m->on)
        return gemm(dx, C, left, right, DT_F32, N, C, lora->rank, 1, 1);
    float *const part = (float *)cuda_scratch(SCRATCH_KEPT, (size_t)(N * C) * sizeof *part);

    if (!part || gemm(part, C, left, right, DT_F32, N, C, lora->rank, 1, 0) < 0)
        return -1;
    return drop_rows(dx, part, m, N, C, true);
}

static int linear_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool more)
{
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;

    if (dx) {
        const void *const left = operand(f32(dy), N * O, operand_type(w));

        if (!left || product_back(f32(dx), left, w, N, more) < 0)
            return -1;
    }
    if (!lora)
        return 0;
    float *const down = f32(scratch); /* (N, R) = scale * dy B */
    const struct mask m = mask_of(&lora->drop, rows);

    if (gemm(down, R, { f32(dy), O, false }, { f32(lora->b), R, false }, DT_F32, N, R, O, lora->scale, 0) < 0 ||
        gemm(f32(db), R, { f32(dy), O, true }, { f32(u), R, false }, DT_F32, O, R, N, lora->scale, 1) < 0 ||
        (dx && lora_to_input(f32(dx), down, lora, &m, N, C) < 0))
        return -1;
    const float *const kept = dropped(f32(x), &m, N, C);

    return kept ? gemm(f32(da), C, { down, R, true }, { kept, C, false }, DT_F32, R, C, N, 1, 1) : -1;
}

static int head_logits(struct dev *logits, const struct dev *h, const struct weight *w,
                       const struct dev *bias, int64_t M)
{
    return linear_forward(logits, NULL, h, w, bias, NULL, NULL, M);
}

void cuda_linear_ops(struct ops *o)
{
    o->linear_forward = linear_forward;
    o->linear_backward = linear_backward;
    o->head_logits = head_logits;
}
