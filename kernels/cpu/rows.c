/* Ops over rows and flat arrays: norm, rotation, activation, residual, embedding, expansion,
 * quantising, sums. */
#include "cpu_impl.h"

#include <string.h>

enum { SPAN = 4096 }; /* elements a task of a flat array takes */

static int norm_forward(struct dev *y, struct dev *mean, struct dev *rstd, const struct dev *x,
                        const struct dev *gain, const struct dev *bias, enum norm kind, int64_t N,
                        int64_t C, float eps)
{
    if (ref_check_norm(kind) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(N * C))
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C;
        float *const out = f32(y) + n * C, *const r = rstd ? f32(rstd) + n : NULL;

        if (kind == NORM_RMS)
            cpu_isa()->rms(out, r, in, const_f32(gain), C, eps);
        else
            cpu_isa()->norm(out, mean ? f32(mean) + n : NULL, r, in, const_f32(gain),
                            const_f32(bias), C, eps);
    }
    return 0;
}

static int norm_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool add)
{
    if (ref_check_norm(kind) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(N * C))
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C, *const slope = const_f32(dy) + n * C;
        float *const out = f32(dx) + n * C;
        const float r = const_f32(rstd)[n];

        if (kind == NORM_RMS)
            cpu_isa()->rms_slope(out, slope, in, r, const_f32(gain), C, add);
        else
            cpu_isa()->norm_slope(out, slope, in, const_f32(mean)[n], r, const_f32(gain), C, add);
    }
    return 0;
}

static int rope(struct dev *x, int64_t ld, const struct dev *cos, const struct dev *sin,
                const struct packed *rows, int64_t N, int64_t H, int64_t D, int64_t rot, int dir)
{
    const int64_t half = rot / 2;

#pragma omp parallel for schedule(static) if (worth_threads(N * H * rot))
    for (int64_t n = 0; n < N; n++) {
        const int64_t at = const_i32(rows->pos)[n] * half;

        for (int64_t h = 0; h < H; h++)
            cpu_isa()->turn(f32(x) + n * ld + h * D, const_f32(cos) + at, const_f32(sin) + at, half,
                            dir);
    }
    return 0;
}

static int act_forward(struct dev *y, const struct dev *x, enum activation act, int64_t n)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < n; i += SPAN)
        cpu_isa()->act(f32(y) + i, const_f32(x) + i, min_i64(SPAN, n - i), act);
    return 0;
}

static int act_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation act, int64_t n)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < n; i += SPAN)
        cpu_isa()->act_slope(f32(dx) + i, const_f32(dy) + i, const_f32(x) + i, min_i64(SPAN, n - i),
                             act);
    return 0;
}

static int gate_forward(struct dev *y, const struct dev *gate, const struct dev *up, int64_t ld,
                        enum activation act, int64_t N, int64_t I)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(N * I))
    for (int64_t n = 0; n < N; n++)
        cpu_isa()->gate(f32(y) + n * I, const_f32(gate) + n * ld, const_f32(up) + n * ld, I, act);
    return 0;
}

static int gate_backward(struct dev *dgate, struct dev *dup, const struct dev *dy,
                         const struct dev *gate, const struct dev *up, int64_t ld,
                         enum activation act, int64_t N, int64_t I)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static) if (worth_threads(N * I))
    for (int64_t n = 0; n < N; n++)
        cpu_isa()->gate_slope(f32(dgate) + n * ld, f32(dup) + n * ld, const_f32(dy) + n * I,
                              const_f32(gate) + n * ld, const_f32(up) + n * ld, I, act);
    return 0;
}

/* Elements FIRST.. (n) of a token's row after dropout: in place of x or in tmp. */
static const float *dropped(float *tmp, const float *x, int64_t first, int64_t n,
                            const struct mask *m, int64_t token)
{
    if (m->drop->p == 0)
        return x + first;
    cpu_isa()->dropout(tmp, x + first, n, first, m, token);
    return tmp;
}

static int residual_forward(struct dev *out, const struct dev *x, const struct dev *a,
                            const struct dev *m, const struct dropout *da, const struct dropout *dm,
                            const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask ma = mask_of(da, rows);

#pragma omp parallel for schedule(static) if (worth_threads(N * C))
    for (int64_t n = 0; n < N; n++)
        for (int64_t c = 0; c < C; c += SPAN) {
            const int64_t count = min_i64(SPAN, C - c);
            const float *const stream = const_f32(x) + n * C + c;
            float *const to = f32(out) + n * C + c, left[SPAN], right[SPAN];
            const float *const first = dropped(left, const_f32(a) + n * C, c, count, &ma, n);

            if (!m) {
                cpu_isa()->add2(to, first, stream, count);
                continue;
            }
            const struct mask mm = mask_of(dm, rows);

            cpu_isa()->add3(to, first, dropped(right, const_f32(m) + n * C, c, count, &mm, n),
                            stream, count);
        }
    return 0;
}

static void drop_rows(struct dev *to, const struct dev *from, const struct dropout *d,
                      const struct packed *rows, int64_t N, int64_t C)
{
    const struct mask m = mask_of(d, rows);

    if (d->p == 0) {
        if (to != from)
            memcpy(f32(to), const_f32(from), (size_t)(N * C) * sizeof(float));
        return;
    }
#pragma omp parallel for schedule(static) if (worth_threads(N * C))
    for (int64_t n = 0; n < N; n++)
        cpu_isa()->dropout(f32(to) + n * C, const_f32(from) + n * C, C, 0, &m, n);
}

static int residual_backward(struct dev *da, struct dev *dm, const struct dev *dout,
                             const struct dropout *drop_a, const struct dropout *drop_m,
                             const struct packed *rows, int64_t N, int64_t C)
{
    drop_rows(da, dout, drop_a, rows, N, C);
    if (dm)
        drop_rows(dm, dout, drop_m, rows, N, C);
    return 0;
}

static int embed(struct dev *out, const struct weight *w, const struct dev *ids, int64_t N)
{
    const int64_t C = w->cols;

#pragma omp parallel for schedule(static) if (worth_threads(N * C))
    for (int64_t n = 0; n < N; n++)
        cpu_isa()->span(f32(out) + n * C, w, const_i32(ids)[n] * C, C);
    return 0;
}

/* 5 Gelem/s a core from NF4 into the second cache; into memory, memory's speed. */
static int expand(struct dev *out, const struct weight *w)
{
    const int64_t n = w->rows * w->cols;

#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < n; i += SPAN)
        cpu_isa()->span(f32(out) + i, w, i, min_i64(SPAN, n - i));
    return 0;
}

static int nf4_quantize(struct dev *codes, struct dev *absmax, const struct dev *w,
                        enum dtype dtype, int64_t n, int block, int zero_code)
{
    const struct weight flat = { .dtype = dtype, .data = w, .block = block };
    const int64_t together = SPAN / block * block;

#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < n; i += together)
        cpu_isa()->nf4_blocks((uint8_t *)(void *)codes, f32(absmax), &flat, i,
                              min_i64(together, n - i), zero_code);
    return 0;
}

/* The largest of n elements without their signs, as bits: compilers make vectors of it. */
static uint32_t most_bits(const uint8_t *x, enum dtype dtype, int64_t n)
{
    if (dtype == DT_F32) {
        int32_t most = 0;

        for (int64_t i = 0; i < n; i++) {
            int32_t u;

            memcpy(&u, x + 4 * i, sizeof u);
            u &= 0x7fffffff;
            most = u > most ? u : most;
        }
        return (uint32_t)most;
    }
    int16_t most = 0;

    for (int64_t i = 0; i < n; i++) {
        int16_t u;

        memcpy(&u, x + 2 * i, sizeof u);
        u &= 0x7fff;
        most = u > most ? u : most;
    }
    return (uint32_t)most;
}

/* All bits of the exponent are set in infinity and NaN, and in nothing smaller. */
bool cpu_any_nonfinite(const uint8_t *x, enum dtype dtype, int64_t n)
{
    const uint32_t exponent = dtype == DT_F32 ? 0x7f800000 : dtype == DT_F16 ? 0x7c00 : 0x7f80;

    return most_bits(x, dtype, n) >= exponent;
}

static int find_nonfinite(int64_t *bad, const struct dev *x, enum dtype dtype, int64_t n)
{
    const size_t size = dtype_size(dtype);
    const uint8_t *const bytes = (const uint8_t *)(const void *)x;
    int64_t first = n;

#pragma omp parallel for schedule(static) reduction(min : first) if (worth_threads(n))
    for (int64_t i = 0; i < n; i += SPAN)
        if (cpu_any_nonfinite(bytes + (size_t)i * size, dtype, min_i64(SPAN, n - i)))
            first = min_i64(first, i);
    for (; first < n; first++)
        if (cpu_any_nonfinite(bytes + (size_t)first * size, dtype, 1))
            break;
    *bad = first < n ? first : -1;
    return 0;
}

/* Sums of fixed parts, added in order: the same for any number of threads. */
static int sum_squares(double *sum, const struct dev *x, int64_t n)
{
    enum { PARTS = 256 };
    const int64_t span = (n + PARTS - 1) / PARTS;
    double part[PARTS];

#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < PARTS; i++) {
        const int64_t first = min_i64(i * span, n);

        part[i] = cpu_isa()->sum_squares(const_f32(x) + first, min_i64(span, n - first));
    }
    *sum = 0;
    for (int i = 0; i < PARTS; i++)
        *sum += part[i];
    return 0;
}

void cpu_rows_ops(struct ops *o)
{
    o->norm_forward = norm_forward;
    o->norm_backward = norm_backward;
    o->rope = rope;
    o->act_forward = act_forward;
    o->act_backward = act_backward;
    o->gate_forward = gate_forward;
    o->gate_backward = gate_backward;
    o->residual_forward = residual_forward;
    o->residual_backward = residual_backward;
    o->embed = embed;
    o->expand = expand;
    o->nf4_quantize = nf4_quantize;
    o->find_nonfinite = find_nonfinite;
    o->sum_squares = sum_squares;
}
