/* The thin products: how they are cut into tasks, and their operands brought into the first
 * cache. */
#include "low_rank.h"
#include "cpu_impl.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    PROJECT_ROWS = 4 * MR_MAX, /* of a task: a chunk of the panel serves so many */
    STRIP = 64,                /* columns of a task of sums */
};

struct kept kept_of(const struct lora *lora, int64_t C)
{
    const double p = lora->drop.p;

    assert(p == 0 || lora->kept);
    return (struct kept){ .bits = p > 0 ? (uint8_t *)(void *)lora->kept : NULL,
                          .ld = (int64_t)lora_kept_bytes(1, C), /* whole vectors may be read */
                          .scale = (float)(1 / (1 - p)) };
}

void kept_draw(const struct kept *k, const struct mask *m, int64_t N, int64_t C)
{
    if (!k->bits)
        return;
#pragma omp for schedule(static)
    for (int64_t n = 0; n < N; n++)
        cpu_isa()->draw(k->bits + n * k->ld, C, m, n);
}

/* ---- rows down to the rank ---- */

size_t thin_panels(int64_t K, int64_t R)
{
    return (size_t)K * (size_t)round_up(R, NR_MAX) * sizeof(float);
}

/* Rows M0.. (m of them) of x, columns K0.. */
static void take_rows(float *to, const struct thin *x, int64_t m0, int64_t m, int64_t k0,
                      int64_t kc)
{
    const struct kept *const k = x->kept && x->kept->bits ? x->kept : NULL;

    for (int64_t i = 0; i < m; i++, to += ROW_LD) {
        const float *const from = x->x + (m0 + i) * x->K + k0;

        if (k)
            cpu_isa()->keep(to, from, kc, k->bits + (m0 + i) * k->ld + k0 / 8, k->scale);
        else if (x->scale != 1)
            cpu_isa()->keep(to, from, kc, NULL, x->scale);
        else
            memcpy(to, from, (size_t)kc * sizeof *to);
    }
}

/* The columns R0.. of the rows M0..M1 of out (N, R), of which there are N. */
static void project_task(float *out, int64_t R, const struct thin *x, int64_t m0, int64_t m1,
                         int64_t r0, const float *panel)
{
    const struct isa *const isa = cpu_isa();
    const int64_t n = min_i64(isa->nr, R - r0);
    _Alignas(64) float rows[MR_MAX * ROW_LD], sums[PROJECT_ROWS * NR_MAX];

    for (int64_t k0 = 0; k0 < x->K; k0 += KC)
        for (int64_t i = m0; i < m1; i += isa->mr) {
            const int64_t m = min_i64(isa->mr, m1 - i), kc = min_i64(KC, x->K - k0);

            take_rows(rows, x, i, m, k0, kc);
            isa->tile_unpacked((int)m, (int)n, kc, rows, panel + k0 * isa->nr,
                               sums + (i - m0) * isa->nr, isa->nr, k0 > 0,
                               &(struct wanted){ rows, rows, 0, 0 });
        }
    for (int64_t i = m0; i < m1; i++)
        memcpy(out + i * R + r0, sums + (i - m0) * isa->nr, (size_t)n * sizeof *out);
}

void thin_project(float *out, const struct thin *x, const struct weight *w, bool trans, int64_t R,
                  float *panels)
{
    const struct isa *const isa = cpu_isa();
    const int64_t across = (R + isa->nr - 1) / isa->nr;
    const int64_t chunks = (x->K + KC - 1) / KC, size = x->K * isa->nr;
    const int64_t rows = PROJECT_ROWS / isa->mr * isa->mr;

#pragma omp for schedule(static)
    for (int64_t i = 0; i < across * chunks; i++) {
        const int64_t r = i / chunks, k0 = i % chunks * KC;

        isa->pack_b(panels + r * size + k0 * isa->nr, w, w->cols, trans, k0, min_i64(KC, x->K - k0),
                    r * isa->nr);
    }
#pragma omp for schedule(dynamic)
    for (int64_t m = 0; m < x->N; m += rows)
        for (int64_t r = 0; r < across; r++)
            project_task(out, R, x, m, min_i64(m + rows, x->N), r * isa->nr, panels + r * size);
}

/* ---- sums over rows ---- */

/* Columns K0.. (n of them) of c, rows R0.. (r of them). */
static void gradient_task(float *c, int64_t ldc, int64_t step, const struct thin *x, int64_t k0,
                          int64_t n, const float *d, int64_t R, int64_t r0, int64_t r)
{
    const struct kept *const kept = x->kept && x->kept->bits ? x->kept : NULL;
    _Alignas(64) float sums[OUTER_ROWS * STRIP];

    c += r0 * ldc + k0 * step;
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < n; j++)
            sums[i * STRIP + j] = c[i * ldc + j * step];
    for (int64_t m = 0; m < x->N; m += KC)
        cpu_isa()->outer(r, min_i64(KC, x->N - m), d + m * R + r0, R, x->x + m * x->K + k0, x->K, n,
                         kept ? kept->bits + m * kept->ld + k0 / 8 : NULL, kept ? kept->ld : 0,
                         kept ? kept->scale : x->scale, sums, STRIP);
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < n; j++)
            c[i * ldc + j * step] = sums[i * STRIP + j];
}

void thin_gradient(float *c, int64_t ldc, int64_t step, const struct thin *x, const float *d,
                   int64_t R)
{
#pragma omp for schedule(dynamic) nowait
    for (int64_t k = 0; k < x->K; k += STRIP)
        for (int64_t r = 0; r < R; r += OUTER_ROWS)
            gradient_task(c, ldc, step, x, k, min_i64(STRIP, x->K - k), d, R, r,
                          min_i64(OUTER_ROWS, R - r));
}
