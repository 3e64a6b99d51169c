/*
 * Blocking of the matrix product, after Goto and van de Geijn (2008) and BLIS: A in panels of mr
 * rows that stream from the second cache, B in one panel of nr columns and KC rows that stays in
 * the first, a block of c that stays in the second while k runs.
 */
#include "gemm.h"
#include "bf16.h"
#include "cpu_impl.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

enum {
    BLOCK_ROWS = 384,      /* of A at a time in the second cache, as KC columns: 393 KB */
    BLOCK_COLS = 512,      /* of c at a time in the second cache, with those rows: 786 KB */
    PACK_FLOATS = 4 << 20, /* of A packed at a time, at least BLOCK_ROWS rows */
    PACK_PANELS = 8,       /* panels a thread packs at a time */
};

/* A range of rows of c with A packed behind it: the first terms' and then the second ones', of each
 * chunk after chunk, in a chunk panel after panel. */
struct block {
    const struct gemm *g; /* (n) */
    int n;
    float *packed;
    int64_t first, rows;    /* rows of c */
    int64_t mgroup, ngroup; /* rows and columns of a task */
};

static int64_t parts_of(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

/* Term NUMBER of those that are packed, the first terms being one; NULL: that product has no second
 * one. */
static const struct gemm_term *packed_term(const struct block *b, int number)
{
    if (number == 0)
        return &b->g->term[0];
    return b->g[number - 1].terms > 1 ? &b->g[number - 1].term[1] : NULL;
}

/* K of all those before it. */
static int64_t packed_before(const struct block *b, int number)
{
    int64_t k = 0;

    for (int i = 0; i < number; i++)
        k += packed_term(b, i) ? packed_term(b, i)->K : 0;
    return k;
}

static int64_t block_rows(int64_t k)
{
    return max_i64(BLOCK_ROWS, PACK_FLOATS / max_i64(k, 1) / 64 * 64);
}

size_t gemm_packed(int64_t rows, int64_t K)
{
    return (size_t)(rows + MR_MAX) * (size_t)K * sizeof(float);
}

size_t gemm_work(int64_t M, int64_t K, int64_t rest, enum dtype round)
{
    const struct bf16_isa *const isa = cpu_bf16(round);

    return isa ? bf16_work(isa, M, K, rest)
               : gemm_packed(min_i64(M, block_rows(K + rest)), K + rest);
}

static bool rounds(const struct weight *w)
{
    return w->round == DT_F16 || w->round == DT_BF16;
}

/* ---- packing A ---- */

/* Row LINE of A, elements FIRST..FIRST+n-1, ready for use: a pointer into a, or TMP. */
static const float *a_run(const struct gemm_term *t, int64_t line, int64_t first, int64_t n,
                          float *tmp)
{
    const float *x = t->a + (t->a_rows ? t->a_rows[line] : line) * t->lda + first;

    if (t->a_scale != 1) {
        for (int64_t i = 0; i < n; i++)
            tmp[i] = x[i] * t->a_scale;
        x = tmp;
    }
    if (rounds(t->b)) {
        cpu_isa()->round_run(tmp, x, n, t->b->round);
        x = tmp;
    }
    return x;
}

/* One panel (kc, m) from rows m0.. of A. */
static void pack_panel(float *to, const struct gemm_term *t, int64_t k0, int64_t kc, int64_t m0,
                       int m)
{
    float tmp[MR_MAX][KC];
    const float *row[MR_MAX];

    for (int i = 0; i < m; i++)
        row[i] = a_run(t, m0 + i, k0, kc, tmp[i]);
    cpu_isa()->pack_a(to, row, m, kc);
}

/* Panels FIRST.. (PANELS of them) of one chunk. */
static void pack_some(const struct block *b, float *to, const struct gemm_term *t, int64_t k0,
                      int64_t kc, int64_t first, int64_t panels)
{
    const int mr = cpu_isa()->mr;
    const int64_t m0 = first * mr, m = min_i64(b->rows - m0, panels * mr);

    to += first * mr * kc;
    for (int64_t p = 0; p < panels; p++)
        pack_panel(to + p * mr * kc, t, k0, kc, b->first + m0 + p * mr,
                   (int)min_i64(mr, m - p * mr));
}

/* Packs piece number PIECE: PACK_PANELS panels of one chunk of one term. */
static void pack_piece(const struct block *b, int64_t piece)
{
    const int64_t panels = parts_of(b->rows, cpu_isa()->mr);
    const int64_t pieces = (panels + PACK_PANELS - 1) / PACK_PANELS;
    const int64_t first = piece % pieces * PACK_PANELS;
    int64_t chunk = piece / pieces;

    for (int i = 0; i <= b->n; i++) {
        const struct gemm_term *const term = packed_term(b, i);
        const int64_t chunks = term ? parts_of(term->K, KC) : 0;

        if (chunk < chunks) {
            const int64_t k0 = chunk * KC, kc = min_i64(KC, term->K - k0);

            pack_some(b, b->packed + (packed_before(b, i) + k0) * b->rows, term, k0, kc, first,
                      min_i64(PACK_PANELS, panels - first));
            return;
        }
        chunk -= chunks;
    }
}

static int64_t pack_pieces(const struct block *b)
{
    const int64_t panels = parts_of(b->rows, cpu_isa()->mr);
    int64_t chunks = 0;

    for (int i = 0; i <= b->n; i++)
        chunks += packed_term(b, i) ? parts_of(packed_term(b, i)->K, KC) : 0;
    return chunks * ((panels + PACK_PANELS - 1) / PACK_PANELS);
}

/* ---- tiles ---- */

/* One chunk of one term on its way into c. */
struct chunk {
    const struct gemm *g;
    const struct gemm_term *term;
    int64_t k0, kc;
    const struct kept *kept;
    const float *init; /* (nr), or NULL */
    bool first;
    bool few; /* the tiles read the weight themselves */
};

/* Weights that are wanted soon: ROWS runs of BYTES, the first at AT, STRIDE bytes apart; with NF4
 * also a scale for each, from SCALE on, SCALE_STRIDE bytes apart. */
struct ahead {
    const char *at, *scale;
    int64_t rows, bytes, stride, scale_stride;
};

static struct chunk chunk_at(const struct block *b, const struct gemm *g, int t, int64_t k0,
                             const float *init)
{
    const struct gemm_term *const term = &g->term[t];
    const struct weight *const w = term->b;
    const int64_t kc = min_i64(KC, term->K - k0);
    const bool first = t == 0 && k0 == 0;

    return (struct chunk){
        .g = g,
        .term = term,
        .k0 = k0,
        .kc = kc,
        .kept = term->out_kept && term->out_kept->bits ? term->out_kept : NULL,
        .init = first && g->bias ? init : NULL,
        .first = first,
        .few = b->rows <= FEW && term->b_trans && !term->b_ld && !rounds(w) && few_can_read(w, kc),
    };
}

/* Row of the weight where the panel for columns N.. of c begins. */
static int64_t weight_row(const struct chunk *s, int64_t n)
{
    return s->term->b_first + (s->term->b_trans ? n : s->k0);
}

static int64_t weight_ld(const struct chunk *s)
{
    return s->term->b_ld ? s->term->b_ld : s->term->b->cols;
}

/* Bytes that N elements take, about. */
static int64_t bytes_of(const struct weight *w, int64_t n)
{
    const int block = dtype_block(w->dtype);

    return w->dtype == DT_NF4 ? n / 2 : n * (int64_t)dtype_bytes(w->dtype, (size_t)block) / block;
}

/* KC of k and a panel's columns, at ROW and COL of the weight. */
static struct ahead runs_ahead(const struct chunk *s, int64_t row, int64_t col, int64_t kc)
{
    const struct gemm_term *const t = s->term;
    const struct weight *const w = t->b;
    const int64_t nr = cpu_isa()->nr, ld = weight_ld(s), first = row * ld + col;
    const bool nf4 = w->dtype == DT_NF4;

    return (struct ahead){
        .at = (const char *)(const void *)w->data + bytes_of(w, first),
        .scale = nf4 ? (const char *)(const_f32(w->absmax) + first / w->block) : NULL,
        .rows = t->b_trans ? min_i64(nr, w->rows - row) : kc,
        .bytes = bytes_of(w, t->b_trans ? kc : min_i64(nr, w->cols - col)),
        .stride = bytes_of(w, ld),
        .scale_stride = nf4 ? ld * (int64_t)sizeof(float) / w->block : 0,
    };
}

/* Where what is likely wanted behind the panel at column N of a task's n0..n1 begins: the next
 * columns, the next chunk, or the next task. */
static struct ahead ahead_of(const struct chunk *s, int64_t n0, int64_t n, int64_t n1)
{
    const int64_t nr = cpu_isa()->nr;
    const struct gemm_term *const t = s->term;
    int64_t k0 = s->k0;

    if (n + nr < n1) {
        n += nr;
    } else if (k0 + KC < t->K) {
        k0 += KC;
        n = n0;
    } else {
        k0 = 0;
        n = n1;
    }
    if (n >= s->g->N)
        return (struct ahead){ .rows = 0 };

    return runs_ahead(s, t->b_first + (t->b_trans ? n : k0), t->b_trans ? k0 : n,
                      min_i64(KC, t->K - k0));
}

/* Asks for part PART of PARTS of it: the machine does not foresee short runs of many rows, and can
 * only wait for some at a time. */
static void fetch_part(const struct ahead *a, int64_t part, int64_t parts)
{
    for (int64_t i = a->rows * part / parts; i < a->rows * (part + 1) / parts; i++) {
        const char *const run = a->at + i * a->stride;

        for (int64_t at = 0; at < a->bytes; at += 64)
            __builtin_prefetch(run + at, 0, 2);
        if (a->scale)
            __builtin_prefetch(a->scale + i * a->scale_stride, 0, 2);
    }
}

/* A tile at c's edge or under a mask: by way of a tile of its own. */
static void put_tile(const struct chunk *s, const float *tile, int64_t m0, int64_t m, int64_t n0,
                     int64_t n)
{
    static const float zero[NR_MAX];
    const struct gemm *const g = s->g;
    const struct kept *const k = s->kept;
    const int nr = cpu_isa()->nr;
    const bool add = !s->first || g->add;
    float *const c = g->c + m0 * g->ldc + n0;

    cpu_isa()->put_rows(c, g->ldc, m, n, tile, nr,
                        add       ? c
                        : s->init ? s->init
                                  : zero,
                        add ? g->ldc : 0, k ? k->bits + m0 * k->ld + n0 / 8 : NULL, k ? k->ld : 0,
                        k ? k->scale : 1);
}

/* One tile; PANEL is NULL where it reads the weight itself. */
static void make_tile(const struct chunk *s, int m, const float *a, const float *panel, int64_t n0,
                      float *c, int64_t ldc, const float *init, bool add)
{
    if (panel)
        cpu_isa()->tile(m, s->kc, a, panel, c, ldc, init, add);
    else
        cpu_isa()->tile_few(m, s->kc, a, s->term->b, s->k0, weight_row(s, n0), c, ldc, init, add);
}

/* Asks for the tile of c at row M0 and column N0: its rows are far from each other, and each is
 * short. */
static void fetch_c(const struct gemm *g, int64_t m0, int64_t m1, int64_t n0)
{
    const float *const c = g->c + n0;
    const int64_t last = min_i64(cpu_isa()->nr, g->N - n0) - 1;

    for (int64_t m = m0; m < m1; m++) {
        __builtin_prefetch(c + m * g->ldc, 1);
        __builtin_prefetch(c + m * g->ldc + last, 1);
    }
}

/* One panel of B against panels of A from row m0 of c on. */
static void sweep(const struct chunk *s, const struct ahead *ahead, const float *a,
                  const float *panel, int64_t m0, int64_t m1, int64_t n0)
{
    const struct isa *const isa = cpu_isa();
    const struct gemm *const g = s->g;
    const int64_t n = min_i64(isa->nr, g->N - n0), panels = parts_of(m1 - m0, isa->mr);
    const bool direct = n == isa->nr && !s->kept;
    _Alignas(64) float tile[MR_MAX * NR_MAX];

    for (int64_t i = 0; i < panels; i++, m0 += isa->mr, a += isa->mr * s->kc) {
        const int m = (int)min_i64(isa->mr, m1 - m0);

        if (panel)
            fetch_part(ahead, i, panels);
        if (direct) {
            make_tile(s, m, a, panel, n0, g->c + m0 * g->ldc + n0, g->ldc, s->init,
                      !s->first || g->add);
        } else {
            fetch_c(g, m0, m0 + m, n0);
            make_tile(s, m, a, panel, n0, tile, isa->nr, NULL, false);
            put_tile(s, tile, m0, m, n0, n);
        }
    }
}

/* The columns n0..n1 of product I's c in the rows m0..m1 of the block. */
static void compute(const struct block *b, int i, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    const struct isa *const isa = cpu_isa();
    const struct gemm *const g = &b->g[i];
    _Alignas(64) float panel[KC * NR_MAX], init[NR_MAX] = { 0 };

    for (int t = 0; t < g->terms; t++)
        for (int64_t k0 = 0; k0 < g->term[t].K; k0 += KC) {
            const struct chunk s = chunk_at(b, g, t, k0, init);
            const int64_t before = packed_before(b, t == 0 ? 0 : i + 1);
            const float *const a = b->packed + (before + k0) * b->rows + m0 * s.kc;

            for (int64_t n = n0; n < n1; n += isa->nr) {
                if (s.init)
                    memcpy(init, g->bias + n, (size_t)min_i64(isa->nr, g->N - n) * sizeof *init);
                if (!s.few)
                    isa->pack_b(panel, s.term->b, weight_ld(&s), s.term->b_trans,
                                s.term->b_trans ? k0 : weight_row(&s, n), s.kc,
                                s.term->b_trans ? weight_row(&s, n) : n);

                const struct ahead ahead =
                    s.few ? (struct ahead){ .rows = 0 } : ahead_of(&s, n0, n, n1);

                sweep(&s, &ahead, a, s.few ? NULL : panel, b->first + m0, b->first + m1, n);
            }
        }
}

/* Tasks side by side: of all products' columns. */
static int64_t tasks_across(const struct block *b)
{
    int64_t tasks = 0;

    for (int i = 0; i < b->n; i++)
        tasks += parts_of(b->g[i].N, b->ngroup);
    return tasks;
}

static int64_t tasks_of(const struct block *b)
{
    return parts_of(b->rows, b->mgroup) * tasks_across(b);
}

/* Tasks small enough for the caches and numerous enough for the threads. */
static void cut(struct block *b, int threads)
{
    const struct isa *const isa = cpu_isa();
    const int64_t want = threads == 1 ? 1 : 4 * threads;

    b->mgroup = round_up(parts_of(b->rows, parts_of(b->rows, BLOCK_ROWS)), isa->mr);
    b->ngroup = BLOCK_COLS;
    while (b->ngroup > isa->nr && tasks_of(b) < want)
        b->ngroup = round_up(b->ngroup / 2, isa->nr);
    while (b->mgroup > 4 * isa->mr && tasks_of(b) < want)
        b->mgroup = round_up(b->mgroup / 2, isa->mr);
}

/* Whether the block has so few rows that each panel of B is used but once, and best in the order in
 * which the weight lies. */
static bool few_rows(const struct block *b)
{
    return b->rows <= cpu_isa()->mr && b->g->term[0].b_trans;
}

static void run_task(const struct block *b, int64_t task)
{
    const int64_t across = tasks_across(b), m0 = task / across * b->mgroup;
    const int64_t m1 = min_i64(m0 + b->mgroup, b->rows);
    const int64_t step = few_rows(b) ? cpu_isa()->nr : b->ngroup;
    int64_t column = task % across;
    int i = 0;

    while (column >= parts_of(b->g[i].N, b->ngroup))
        column -= parts_of(b->g[i++].N, b->ngroup);

    const int64_t n0 = column * b->ngroup, n1 = min_i64(n0 + b->ngroup, b->g[i].N);

    for (int64_t n = n0; n < n1; n += step)
        compute(b, i, m0, m1, n, min_i64(n + step, n1));
}

/* The next block of rows; false behind the last. */
static bool next_block(struct block *b, int threads)
{
    b->first += b->rows;
    if (b->first >= b->g->M)
        return false;
    b->rows = min_i64(block_rows(packed_before(b, b->n + 1)), b->g->M - b->first);
    cut(b, threads);
    return true;
}

/* First terms in bfloat16 with ISA, what follows added to them. */
static void run_bf16(const struct bf16_isa *isa, const struct gemm *g, int n, float *work)
{
    struct gemm first[LINEARS_MAX], rest[LINEARS_MAX];

    assert(n <= LINEARS_MAX);
    for (int i = 0; i < n; i++) {
        first[i] = rest[i] = g[i];
        first[i].terms = 1;
        rest[i].terms = g[i].terms - 1;
        rest[i].term[0] = g[i].term[1];
        rest[i].bias = NULL;
        rest[i].add = true;
    }
    bf16_run(isa, first, rest, n, work);
}

int64_t gemm_pieces(const struct gemm *g, int64_t rows)
{
    return pack_pieces(&(struct block){ .g = g, .n = 1, .rows = rows });
}

void gemm_pack(const struct gemm *g, float *packed, int64_t first, int64_t rows, int64_t piece)
{
    pack_piece(&(struct block){ .g = g, .n = 1, .packed = packed, .first = first, .rows = rows },
               piece);
}

void gemm_columns(const struct gemm *g, float *packed, int64_t first, int64_t rows, int64_t n0,
                  int64_t n1)
{
    compute(&(struct block){ .g = g, .n = 1, .packed = packed, .first = first, .rows = rows }, 0, 0,
            rows, n0, n1);
}

/* With the calling thread alone. */
static void run_alone(struct block b)
{

    while (next_block(&b, 1)) {
        for (int64_t i = 0; i < pack_pieces(&b); i++)
            pack_piece(&b, i);
        for (int64_t i = 0; i < tasks_of(&b); i++)
            run_task(&b, i);
    }
}

/* The work as elements of an op that does little with each: multiply-adds are quick, the weights'
 * expansion counts for some. */
static int64_t elements(const struct block *b)
{
    int64_t pairs = 0;

    for (int i = 0; i < b->n; i++)
        for (int t = 0; t < b->g[i].terms; t++)
            pairs += b->g[i].N * b->g[i].term[t].K;
    return pairs * (b->g->M + 8) / 64;
}

/* What is little work to pack is packed before the threads begin: they would wait longer. */
static int64_t pack_at_once(const struct block *b)
{
    const int64_t pieces = pack_pieces(b);

    if (b->rows > FEW)
        return 0;
    for (int64_t i = 0; i < pieces; i++)
        pack_piece(b, i);
    return pieces;
}

void gemm_run(const struct gemm *g, int n_products, float *work)
{
    const struct bf16_isa *const isa = cpu_bf16(g->term[0].b->round);
    struct block b = { .g = g, .n = n_products, .packed = work };

    if (isa) {
        run_bf16(isa, g, n_products, work);
        return;
    }
    if (!worth_threads(elements(&b))) {
        run_alone(b);
        return;
    }
    while (next_block(&b, omp_get_max_threads())) {
        const int64_t packed = pack_at_once(&b), pieces = pack_pieces(&b);
        const int64_t tasks = tasks_of(&b);

#pragma omp parallel
        {
            if (packed < pieces) {
#pragma omp for schedule(dynamic)
                for (int64_t i = packed; i < pieces; i++)
                    pack_piece(&b, i);
            }
#pragma omp for schedule(dynamic)
            for (int64_t i = 0; i < tasks; i++)
                run_task(&b, i);
        }
    }
}
