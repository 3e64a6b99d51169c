/*
 * Blocking of the matrix product, after Goto and van de Geijn (2008) and BLIS: A in panels of mr
 * rows that stream from the second cache, B in one panel of nr columns and KC rows that stays in
 * the first, a block of c that stays in the second while k runs.
 */
#include "gemm.h"
#include "bf16.h"
#include "cpu_impl.h"

#include <omp.h>
#include <string.h>

enum {
    BLOCK_ROWS = 384,      /* of A at a time in the second cache, as KC columns: 393 KB */
    BLOCK_COLS = 512,      /* of c at a time in the second cache, with those rows: 786 KB */
    PACK_FLOATS = 4 << 20, /* of A packed at a time, at least BLOCK_ROWS rows */
    PACK_PANELS = 8,       /* panels a thread packs at a time */
};

/* A range of rows of c with A packed behind it: chunk after chunk, in a chunk panel after panel. */
struct block {
    const struct gemm *g;
    float *packed;
    int64_t first, rows;    /* rows of c */
    int64_t padded;         /* rows, up to whole panels */
    int64_t mgroup, ngroup; /* rows and columns of a task */
};

static int64_t total_k(const struct gemm *g)
{
    int64_t k = 0;

    for (int t = 0; t < g->terms; t++)
        k += g->term[t].K;
    return k;
}

static int64_t block_rows(int64_t k)
{
    return max_i64(BLOCK_ROWS, PACK_FLOATS / max_i64(k, 1) / 64 * 64);
}

size_t gemm_work(int64_t M, int64_t K)
{
    const size_t floats = (size_t)(min_i64(M, block_rows(K)) + MR_MAX) * (size_t)K * sizeof(float);

    return cpu_bf16() && bf16_work(M, K) > floats ? bf16_work(M, K) : floats;
}

/* ---- packing A ---- */

/* Row (or with a_trans, column) LINE of A, elements FIRST..FIRST+n-1 of a's row, ready for use: a
 * pointer into a, or TMP. */
static const float *a_run(const struct gemm_term *t, int64_t line, int64_t first, int64_t n,
                          float *tmp)
{
    const float *x = t->a + (t->a_rows ? t->a_rows[line] : line) * t->lda + first;

    if (t->a_mask && t->a_mask->drop->p > 0) {
        cpu_isa()->dropout(tmp, x, n, first, t->a_mask, line);
        x = tmp;
    }
    if (t->a_scale != 1) {
        for (int64_t i = 0; i < n; i++)
            tmp[i] = x[i] * t->a_scale;
        x = tmp;
    }
    if (t->b->round == DT_F16 || t->b->round == DT_BF16) {
        for (int64_t i = 0; i < n; i++)
            tmp[i] = f32_rounded(x[i], t->b->round);
        x = tmp;
    }
    return x;
}

/* One panel (kc, mr) from rows m0.. of A; rows from the block's end on are 0. */
static void pack_panel(float *to, const struct gemm_term *t, int64_t k0, int64_t kc, int64_t m0,
                       int64_t m)
{
    const int mr = cpu_isa()->mr;
    float tmp[MR_MAX][KC];
    const float *row[MR_MAX];

    for (int i = 0; i < mr; i++) {
        if (i < m) {
            row[i] = a_run(t, m0 + i, k0, kc, tmp[i]);
        } else {
            memset(tmp[i], 0, (size_t)kc * sizeof(float));
            row[i] = tmp[i];
        }
    }
    cpu_isa()->pack_a(to, row, kc);
}

/* The same for PANELS panels of a transposed A: runs along m, each cut into the panels. */
static void pack_panels_trans(float *to, const struct gemm_term *t, int64_t k0, int64_t kc,
                              int64_t m0, int64_t m, int64_t panels)
{
    const int mr = cpu_isa()->mr;
    float line[PACK_PANELS * MR_MAX], tmp[PACK_PANELS * MR_MAX];

    memset(line, 0, sizeof line);
    for (int64_t k = 0; k < kc; k++) {
        memcpy(line, a_run(t, k0 + k, m0, m, tmp), (size_t)m * sizeof *line);
        for (int64_t p = 0; p < panels; p++)
            memcpy(to + (p * kc + k) * mr, line + p * mr, (size_t)mr * sizeof *line);
    }
}

/* Panels FIRST.. (PANELS of them) of one chunk. */
static void pack_some(const struct block *b, float *to, const struct gemm_term *t, int64_t k0,
                      int64_t kc, int64_t first, int64_t panels)
{
    const int mr = cpu_isa()->mr;
    const int64_t m0 = first * mr, m = min_i64(b->rows - m0, panels * mr);

    to += first * mr * kc;
    if (t->a_trans) {
        pack_panels_trans(to, t, k0, kc, b->first + m0, m, panels);
        return;
    }
    for (int64_t p = 0; p < panels; p++)
        pack_panel(to + p * mr * kc, t, k0, kc, b->first + m0 + p * mr, m - p * mr);
}

/* Packs piece number PIECE: PACK_PANELS panels of one chunk of one term. */
static void pack_piece(const struct block *b, int64_t piece)
{
    const int64_t panels = b->padded / cpu_isa()->mr;
    const int64_t pieces = (panels + PACK_PANELS - 1) / PACK_PANELS;
    const int64_t first = piece % pieces * PACK_PANELS;
    int64_t chunk = piece / pieces, before = 0;

    for (int t = 0; t < b->g->terms; t++) {
        const struct gemm_term *const term = &b->g->term[t];
        const int64_t chunks = (term->K + KC - 1) / KC;

        if (chunk < chunks) {
            const int64_t k0 = chunk * KC, kc = min_i64(KC, term->K - k0);

            pack_some(b, b->packed + (before + k0) * b->padded, term, k0, kc, first,
                      min_i64(PACK_PANELS, panels - first));
            return;
        }
        chunk -= chunks;
        before += term->K;
    }
}

static int64_t pack_pieces(const struct block *b)
{
    const int64_t panels = b->padded / cpu_isa()->mr;
    int64_t chunks = 0;

    for (int t = 0; t < b->g->terms; t++)
        chunks += (b->g->term[t].K + KC - 1) / KC;
    return chunks * ((panels + PACK_PANELS - 1) / PACK_PANELS);
}

/* ---- tiles ---- */

/* One chunk of one term on its way into c. */
struct chunk {
    const struct gemm *g;
    const struct mask *mask;
    const float *init; /* (nr), or NULL */
    int64_t kc;
    bool first;
};

/* A tile at c's edge, with a step, or under a mask: by way of a tile of its own. */
static void put_tile(const struct chunk *s, const float *tile, int64_t m0, int64_t m, int64_t n0,
                     int64_t n)
{
    const struct gemm *const g = s->g;
    const int nr = cpu_isa()->nr;
    const bool add = !s->first || g->add;
    float kept[NR_MAX];

    for (int64_t i = 0; i < m; i++) {
        const float *x = tile + i * nr;
        float *const c = g->c + (m0 + i) * g->ldc + n0 * g->step;

        if (s->mask) {
            cpu_isa()->dropout(kept, x, n, n0, s->mask, m0 + i);
            x = kept;
        }
        for (int64_t j = 0; j < n; j++) {
            const float base = add ? c[j * g->step] : s->init ? s->init[j] : 0;

            c[j * g->step] = base + x[j];
        }
    }
}

/* One panel of B against panels of A from row m0 of c on. */
static void sweep(const struct chunk *s, const float *a, const float *b, int64_t m0, int64_t m1,
                  int64_t n0)
{
    const struct isa *const isa = cpu_isa();
    const struct gemm *const g = s->g;
    const int64_t n = min_i64(isa->nr, g->N - n0);
    const bool direct = n == isa->nr && g->step == 1 && !s->mask;
    _Alignas(64) float tile[MR_MAX * NR_MAX];

    for (; m0 < m1; m0 += isa->mr, a += isa->mr * s->kc) {
        const int m = (int)min_i64(isa->mr, m1 - m0);

        if (direct) {
            isa->tile(m, s->kc, a, b, g->c + m0 * g->ldc + n0, g->ldc, s->init,
                      !s->first || g->add);
        } else {
            isa->tile(m, s->kc, a, b, tile, isa->nr, NULL, false);
            put_tile(s, tile, m0, m, n0, n);
        }
    }
}

/* The columns n0..n1 of c in the rows m0..m1 of the block. */
static void compute(const struct block *b, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    const struct isa *const isa = cpu_isa();
    const struct gemm *const g = b->g;
    _Alignas(64) float panel[KC * NR_MAX], init[NR_MAX] = { 0 };
    int64_t before = 0;

    for (int t = 0; t < g->terms; before += g->term[t++].K) {
        const struct gemm_term *const term = &g->term[t];
        const int64_t ld = term->b_ld ? term->b_ld : term->b->cols;

        for (int64_t k0 = 0; k0 < term->K; k0 += KC) {
            const int64_t kc = min_i64(KC, term->K - k0);
            const bool first = t == 0 && k0 == 0,
                       masked = term->out_mask && term->out_mask->drop->p > 0;
            const struct chunk s = { g, masked ? term->out_mask : NULL,
                                     first && g->bias ? init : NULL, kc, first };
            const float *const a = b->packed + (before + k0) * b->padded + m0 * kc;

            for (int64_t n = n0; n < n1; n += isa->nr) {
                if (s.init)
                    memcpy(init, g->bias + n, (size_t)min_i64(isa->nr, g->N - n) * sizeof *init);
                isa->pack_b(panel, term->b, ld, term->b_trans,
                            term->b_trans ? k0 : term->b_first + k0, kc,
                            term->b_trans ? term->b_first + n : n);
                sweep(&s, a, panel, b->first + m0, b->first + m1, n);
            }
        }
    }
}

static int64_t tasks_along(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

static int64_t round_up(int64_t x, int64_t to)
{
    return (x + to - 1) / to * to;
}

/* Tasks small enough for the caches and numerous enough for the threads. */
static void cut(struct block *b, int threads)
{
    const struct isa *const isa = cpu_isa();
    const int64_t want = threads == 1 ? 1 : 4 * threads;

    b->mgroup = round_up(tasks_along(b->rows, tasks_along(b->rows, BLOCK_ROWS)), isa->mr);
    b->ngroup = BLOCK_COLS;
    while (b->ngroup > isa->nr &&
           tasks_along(b->rows, b->mgroup) * tasks_along(b->g->N, b->ngroup) < want)
        b->ngroup = round_up(b->ngroup / 2, isa->nr);
    while (b->mgroup > 4 * isa->mr &&
           tasks_along(b->rows, b->mgroup) * tasks_along(b->g->N, b->ngroup) < want)
        b->mgroup = round_up(b->mgroup / 2, isa->mr);
}

static void run_task(const struct block *b, int64_t task)
{
    const int64_t across = tasks_along(b->g->N, b->ngroup);
    const int64_t m0 = task / across * b->mgroup, n0 = task % across * b->ngroup;

    compute(b, m0, min_i64(m0 + b->mgroup, b->rows), n0, min_i64(n0 + b->ngroup, b->g->N));
}

/* The next block of rows; false behind the last. */
static bool next_block(struct block *b, int threads)
{
    b->first += b->rows;
    if (b->first >= b->g->M)
        return false;
    b->rows = min_i64(block_rows(total_k(b->g)), b->g->M - b->first);
    b->padded = round_up(b->rows, cpu_isa()->mr);
    cut(b, threads);
    return true;
}

/* The first term in bfloat16, what follows added to it. */
static void run_bf16(const struct gemm *g, float *work)
{
    struct gemm part = *g;

    part.terms = 1;
    bf16_run(cpu_bf16(), &part, work);
    if (g->terms == 1)
        return;
    part.term[0] = g->term[1];
    part.bias = NULL;
    part.add = true;
    gemm_run(&part, work);
}

void gemm_run(const struct gemm *g, float *work)
{
    if (cpu_bf16() && g->term[0].b->round == DT_BF16) {
        run_bf16(g, work);
        return;
    }

    struct block b = { .g = g, .packed = work };

    while (next_block(&b, omp_get_max_threads())) {
        const int64_t pieces = pack_pieces(&b);
        const int64_t tasks = tasks_along(b.rows, b.mgroup) * tasks_along(g->N, b.ngroup);

#pragma omp parallel
        {
#pragma omp for schedule(dynamic)
            for (int64_t i = 0; i < pieces; i++)
                pack_piece(&b, i);
#pragma omp for schedule(dynamic)
            for (int64_t i = 0; i < tasks; i++)
                run_task(&b, i);
        }
    }
}

void gemm_run_alone(const struct gemm *g, float *work)
{
    struct block b = { .g = g, .packed = work };

    while (next_block(&b, 1)) {
        for (int64_t i = 0; i < pack_pieces(&b); i++)
            pack_piece(&b, i);
        for (int64_t i = 0; i < tasks_along(b.rows, b.mgroup) * tasks_along(g->N, b.ngroup); i++)
            run_task(&b, i);
    }
}
