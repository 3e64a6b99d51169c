/* The blocking of a product in bfloat16: as gemm.c's, but the tile registers are so fast that what
 * counts is how often a byte of A and c is moved. */
#include "bf16.h"
#include "cpu_impl.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

enum {
    BLOCK_ROWS = 768, /* of A at a time; a chunk of them, 393 or 786 KB, in the second cache */
    BLOCK_COLS = 512, /* of c at a time, as long as they are no more than SUMS: as tiles one after
                       * another there. In place, rows a power of two apart would push each other
                       * out */
    TILE_SIZE = BF16_TILE * BF16_TILE,
    SUMS = 192 * TILE_SIZE,       /* 786 KB */
    PANEL_MAX = 384 * BF16_PARTS, /* k of all parts of a panel of B */
};

/* A range of rows of c with A packed behind it: chunk after chunk of k, in each panels of
 * TILE rows. Products of one A have a block each, that differ in g, rest, b_parts and ngroup. */
struct block {
    const struct bf16_isa *isa;
    const struct gemm *g;
    const struct gemm *rest; /* what is added in f32; terms 0: nothing */
    float *rest_packed;
    float *sums; /* sums_size(panels) for each thread */
    uint16_t *packed;
    int b_parts; /* of the weight that are not 0 */
    int64_t first, rows, panels;
    int64_t ngroup; /* columns of a task */
};

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

/* How many columns of c a task has at most. */
static int64_t block_cols(int64_t panels)
{
    return min_i64(BLOCK_COLS, SUMS / TILE_SIZE / panels * BF16_TILE);
}

/* No less for more panels. */
static int64_t sums_size(int64_t panels)
{
    return min_i64(BLOCK_COLS * BF16_TILE * panels, SUMS);
}

static size_t packed_size(const struct bf16_isa *isa, int64_t panels, int64_t K)
{
    return (size_t)(panels * BF16_TILE * round_up(K, BF16_STEP) * isa->parts) * sizeof(uint16_t);
}

size_t bf16_work(const struct bf16_isa *isa, int64_t M, int64_t K, int64_t rest)
{
    const int64_t panels = parts(min_i64(M, BLOCK_ROWS), BF16_TILE);

    return (size_t)(omp_get_max_threads() * sums_size(panels)) * sizeof(float) +
           packed_size(isa, panels, K) + gemm_packed(panels * BF16_TILE, rest);
}

/* How much of the K behind a chunk's beginning the chunk takes. */
static int64_t chunk_of(const struct bf16_isa *isa, int64_t K)
{
    return K <= isa->last_chunk ? K : isa->chunk;
}

/* Parts of a weight's elements that are not 0: bfloat16 is one, float16's 11 bits are two. */
static int parts_of(const struct weight *w)
{
    return w->dtype == DT_BF16 ? 1 : w->dtype == DT_F16 ? 2 : BF16_PARTS;
}

/* Elements of packed A in front of the chunk that begins with K in the panel that begins with ROW.
 */
static int64_t offset(const struct block *b, int64_t row, int64_t k)
{
    const int64_t K = round_up(b->g->term[0].K, BF16_STEP);

    return (k * b->panels * BF16_TILE + row * chunk_of(b->isa, K - k)) * b->isa->parts;
}

static int64_t row_bytes(const struct weight *w)
{
    return w->dtype == DT_NF4 ? w->cols / 2 : (int64_t)dtype_bytes(w->dtype, (size_t)w->cols);
}

static const float *row_of_a(const struct gemm_term *t, int64_t m)
{
    return t->a + (t->a_rows ? t->a_rows[m] : m) * t->lda;
}

/* One row of A, 0 behind its last. */
static void pack_row(const struct block *b, int64_t row)
{
    const struct gemm_term *const t = &b->g->term[0];
    const int64_t in_panel = row % BF16_TILE;
    const bool there = row < b->rows;
    const float *const x = row_of_a(t, b->first + (there ? row : 0));

    for (int64_t k = 0, kc; k < t->K; k += kc) {
        kc = chunk_of(b->isa, t->K - k);
        b->isa->pack_a(b->packed + offset(b, row - in_panel, k) + in_panel * BF16_STEP,
                       BF16_STEP * BF16_TILE * b->isa->parts, x + k, kc, there);
    }
}

/* KC elements of k at most at a time. */
static void pack_panel(const struct block *b, uint16_t *panel, int64_t k, int64_t kc, int64_t n)
{
    const struct gemm_term *const t = &b->g->term[0];

    for (int64_t i = 0; i < kc; i += KC)
        b->isa->pack_b(panel + i * BF16_TILE * b->isa->parts, t->b, t->b_trans,
                       t->b_trans ? k + i : t->b_first + k + i, min_i64(KC, kc - i),
                       t->b_trans ? t->b_first + n : n);
}

/* The sums of a panel's columns, N0.. of c, become elements of ROWS rows of c. */
static void finish(const struct gemm *g, int64_t first, int64_t rows, const float *sums, int64_t n0)
{
    float *const c = g->c + first * g->ldc + n0;
    const float *const base = g->add ? c : g->bias ? g->bias + n0 : NULL;

    cpu_isa()->put_rows(c, g->ldc, rows, min_i64(BF16_TILE, g->N - n0), sums, BF16_TILE, base,
                        g->add ? g->ldc : 0, NULL, 0, 1);
}

/* Share number SHARE of SHARES of a part of B: columns N.. of c (COLS of them), KC of their k from
 * k on. */
struct place {
    int64_t n, cols, k, kc, share, shares;
};

/* Where B is the weight transposed, each panel has rows of its own: the next one's. Else panels
 * share the lines of theirs: a share for each of those that the task's next chunk takes. Behind a
 * task the one after it, which another thread may get. */
static struct place after(const struct block *b, const struct place *p, int64_t n0, int64_t n1)
{
    const struct gemm_term *const t = &b->g->term[0];
    const int64_t k = p->k + p->kc, cols = t->b_trans ? BF16_TILE : n1 - n0;
    struct place next = { .n = n0, .cols = cols, .k = k, .shares = parts(cols, BF16_TILE) };

    if (t->b_trans && p->n + BF16_TILE < n1) {
        next.n = p->n + BF16_TILE;
        next.k = p->k;
    } else if (k == t->K) {
        next.n = n1;
        next.cols = min_i64(cols, b->g->N - n1);
        next.k = 0;
    }
    next.kc = chunk_of(b->isa, t->K - next.k);
    next.share = t->b_trans ? 0 : (p->n - n0) / BF16_TILE;
    return next;
}

/* SOON = the weight's bytes, and scales, of part PART of OF_PARTS of a place. */
static void want_weight(struct bf16_soon *soon, const struct gemm_term *t, const struct place *p,
                        int64_t part, int64_t of_parts)
{
    enum { SCALE = sizeof(float) };
    const struct weight *const w = t->b;
    const int64_t first = t->b_first + (t->b_trans ? p->n : p->k);
    const int64_t rows = min_i64(t->b_trans ? p->cols : p->kc, w->rows - first);
    const int64_t row = first + rows * part / of_parts, end = first + rows * (part + 1) / of_parts;
    const int64_t col = t->b_trans ? p->k : p->n, cols = t->b_trans ? p->kc : p->cols;
    const int64_t ld = row_bytes(w);

    soon[0] = (struct bf16_soon){ .at = weight_bytes(w) + row * ld + ld * col / w->cols,
                                  .rows = end - row,
                                  .bytes = ld * cols / w->cols,
                                  .ld = ld };
    if (w->dtype == DT_NF4)
        soon[1] = (struct bf16_soon){ .at = weight_scales(w) + (row * w->cols + col) / w->block,
                                      .rows = end - row,
                                      .bytes = SCALE * cols / w->block,
                                      .ld = SCALE * w->cols / w->block };
}

/* What a tile asks for: its rows of c where the sums will be whole, and its part of LATER. */
static void want(struct bf16_soon *soon, const struct block *b, int64_t row, const float *c,
                 int64_t steps, const struct place *later)
{
    if (c)
        soon[0] = (struct bf16_soon){ .at = c,
                                      .rows = min_i64(BF16_TILE, b->rows - row),
                                      .bytes = BF16_TILE * (int64_t)sizeof *c,
                                      .ld = b->g->ldc * (int64_t)sizeof *c,
                                      .write = true };
    if (later->cols > 0 && b->isa->parts == 1) /* floats' pack_b asks by itself */
        want_weight(soon + 1, &b->g->term[0], later, later->share * b->panels + row / BF16_TILE,
                    later->shares * b->panels);
    for (int i = 0; i < BF16_SOON; i++)
        soon[i].each = parts(soon[i].rows, steps);
}

/* One panel of B against all of A. Sums that are whole go on into c at once; those that never wait
 * for more all use one tile's place. */
static void sweep(const struct block *b, float *sums, const uint16_t *panel, const struct place *p,
                  const struct place *later)
{
    const struct gemm *const g = b->g;
    const bool whole = p->k + p->kc == g->term[0].K;
    const int64_t next = whole && p->k == 0 ? 0 : TILE_SIZE, steps = parts(p->kc, BF16_STEP);

    for (int64_t row = 0; row < b->rows; row += BF16_TILE, sums += next) {
        const int64_t rows = min_i64(BF16_TILE, b->rows - row);
        struct bf16_soon soon[BF16_SOON] = { 0 };

        want(soon, b, row, whole ? g->c + (b->first + row) * g->ldc + p->n : NULL, steps, later);
        b->isa->tile((int)rows, steps, b->packed + offset(b, row, p->k), panel, b->b_parts, sums,
                     p->k > 0, soon);
        if (whole)
            finish(g, b->first + row, rows, sums, p->n);
    }
}

static void run_task(const struct block *b, int64_t n0, int64_t n1)
{
    const int64_t K = b->g->term[0].K;
    _Alignas(64) uint16_t panel[PANEL_MAX * BF16_TILE];
    float *const mine = b->sums + omp_get_thread_num() * sums_size(b->panels);
    struct place p = { .cols = BF16_TILE };

    for (; p.k < K; p.k += p.kc) {
        float *sums = mine;

        p.kc = chunk_of(b->isa, K - p.k);
        for (p.n = n0; p.n < n1; p.n += BF16_TILE, sums += b->panels * TILE_SIZE) {
            const struct place later = after(b, &p, n0, n1);

            pack_panel(b, panel, p.k, p.kc, p.n);
            sweep(b, sums, panel, &p, &later);
            if (b->rest->terms && p.k + p.kc == K) /* while the columns are in a near cache */
                gemm_columns(b->rest, b->rest_packed, b->first, b->rows, p.n,
                             min_i64(p.n + BF16_TILE, n1));
        }
    }
}

/* These by every thread of a team, which go on before the others are done. */
static void pack_rest(const struct block *b)
{
    const int64_t pieces = b->rest->terms ? gemm_pieces(b->rest, b->rows) : 0;

#pragma omp for schedule(dynamic) nowait
    for (int64_t i = 0; i < pieces; i++)
        gemm_pack(b->rest, b->rest_packed, b->first, b->rows, i);
}

static void run_tasks(const struct block *b)
{
    const int64_t N = b->g->N;

#pragma omp for schedule(dynamic) nowait
    for (int64_t n = 0; n < N; n += b->ngroup)
        run_task(b, n, min_i64(n + b->ngroup, N));
}

/* The same rows of N products. */
static void run_blocks(const struct block *b, int n)
{
#pragma omp parallel
    {
        for (int i = 0; i < n; i++)
            pack_rest(&b[i]);
#pragma omp for schedule(static)
        for (int64_t row = 0; row < b->panels * BF16_TILE; row++)
            pack_row(b, row);
        b->isa->begin();
        for (int i = 0; i < n; i++)
            run_tasks(&b[i]);
        b->isa->end();
    }
}

/* Columns of one of them. */
static void run_few_columns(const struct bf16_isa *isa, const struct gemm *g,
                            const uint16_t *packed, int64_t lda)
{
    const struct gemm_term *const t = &g->term[0];

#pragma omp for schedule(guided) nowait
    for (int64_t n = 0; n < g->N; n += BF16_TILE) {
        float sums[FEW * BF16_TILE];

        isa->few((int)g->M, packed, lda, t->b, t->b_first + n, sums);
        finish(g, 0, g->M, sums, n);
    }
}

/* Few rows with weights that are read but once. */
static void run_few(const struct bf16_isa *isa, const struct gemm *g, int n, uint16_t *packed)
{
    const struct gemm_term *const t = &g->term[0];
    const int64_t lda = round_up(t->K, BF16_STEP);

    for (int64_t m = 0; m < g->M; m++)
        isa->pack_a(packed + m * lda, BF16_STEP, row_of_a(t, m), t->K, true);
#pragma omp parallel
    for (int i = 0; i < n; i++)
        run_few_columns(isa, &g[i], packed, lda);
}

static bool is_few(const struct bf16_isa *isa, const struct gemm *g)
{
    const struct gemm_term *const t = &g->term[0];

    return isa->few && g->M <= FEW && t->b_trans && !t->b_ld && few_can_read(t->b, t->K);
}

static int count_few(const struct bf16_isa *isa, const struct gemm *g, int n)
{
    int few = 0;

    for (int i = 0; i < n; i++)
        few += is_few(isa, &g[i]);
    return few;
}

/* Rows FIRST.. (ROWS of them) of N products, in memory from WORK on. */
static void make_blocks(struct block *b, int n, int64_t first, int64_t rows, void *work)
{
    const int64_t panels = parts(rows, BF16_TILE), tasks = 4 * omp_get_max_threads();
    float *const sums = work;
    char *at = (char *)(void *)(sums + omp_get_max_threads() * sums_size(panels));
    uint16_t *const packed = (uint16_t *)(void *)at;

    at += packed_size(b->isa, panels, b->g->term[0].K);
    for (int i = 0; i < n; i++) {
        b[i].first = first;
        b[i].rows = rows;
        b[i].panels = panels;
        b[i].ngroup = min_i64(block_cols(panels), round_up(parts(b[i].g->N, tasks), BF16_TILE));
        b[i].sums = sums;
        b[i].packed = packed;
        b[i].rest_packed = (float *)(void *)at;
        if (b[i].rest->terms)
            at += gemm_packed(rows, b[i].rest->term[0].K);
    }
}

static void run_many(const struct bf16_isa *isa, const struct gemm *g, const struct gemm *rest,
                     int n, void *work)
{
    const int64_t M = g->M, most = round_up(parts(M, parts(M, BLOCK_ROWS)), BF16_TILE);
    struct block b[LINEARS_MAX];

    for (int i = 0; i < n; i++)
        b[i] = (struct block){
            .isa = isa, .g = &g[i], .rest = &rest[i], .b_parts = parts_of(g[i].term[0].b)
        };
    for (int64_t first = 0; first < M; first += most) {
        make_blocks(b, n, first, min_i64(most, M - first), work);
        run_blocks(b, n);
    }
}

void bf16_run(const struct bf16_isa *isa, const struct gemm *g, const struct gemm *rest, int n,
              void *work)
{
    const int few = count_few(isa, g, n);

    assert(n <= LINEARS_MAX && g->terms == 1 && g->term[0].a_scale == 1);
    if (few == 0) {
        run_many(isa, g, rest, n, work);
    } else if (few == n) {
        run_few(isa, g, n, work);
        for (int i = 0; i < n; i++)
            if (rest[i].terms)
                gemm_run(&rest[i], 1, work);
    } else {
        for (int i = 0; i < n; i++)
            bf16_run(isa, &g[i], &rest[i], 1, work);
    }
}
