/* attention_tile.c - tiles of queries by keys, for both directions. */
#include "attention_tile.h"

#include <omp.h>
#include <string.h>

struct inputs attend_inputs(const struct dev *q, const struct dev *k, const struct dev *v,
                            const struct attention *shape)
{
    return (struct inputs){ .q = const_f32(q),
                            .k = const_f32(k),
                            .v = const_f32(v),
                            .H = shape->heads,
                            .K = shape->kv_heads,
                            .D = shape->head_dim,
                            .q_ld = shape->q_ld,
                            .kv_ld = shape->kv_ld,
                            .window = shape->window,
                            .scale = shape->scale };
}

int64_t attend_hide(float *scores, const struct inputs *a, const struct seq *s, int64_t i,
                    int64_t j, int64_t n)
{
    const int64_t hidden = min_i64(n, max_i64(attend_first_key(a, s, i) - j, 0));

    memset(scores, 0, (size_t)hidden * sizeof *scores);
    return hidden;
}

/* ---- memory ---- */

void ahead_add(struct ahead *x, const float *at, int64_t ld, int64_t n)
{
    x->part[x->parts].at = at;
    x->part[x->parts].ld = ld;
    x->part[x->parts++].n = n;
}

/* The next N times WANTED floats, row after row, then the next of each; NONE: any address. */
static struct wanted ahead_take(struct ahead *x, int64_t n, const float *none)
{
    if (x->done == x->parts || x->rows == 0)
        return (struct wanted){ none, none, 0, 0 };

    const int64_t ld = x->part[x->done].ld, left = x->rows - x->row;
    const float *const at = x->part[x->done].at + x->line + x->row * ld;
    const struct wanted w = { at, at + WANTED - x->rows * ld, left, ld };

    x->row += n;
    if (n >= left) {
        x->row = min_i64(n - left, x->rows);
        x->line += WANTED;
    }
    if (x->line >= x->part[x->done].n) {
        x->done++;
        x->line = x->row = 0;
    }
    return w;
}

/* Cuts a thread's memory for heads of D; its length. */
static int64_t cut(struct tile *t, float *memory, int64_t D)
{
    const int64_t width = round_up(D, NR_MAX), chunks = (D + KC - 1) / KC;
    const struct {
        float **part;
        int64_t floats;
    } parts[] = { { &t->scores, QUERIES * ROW_LD }, { &t->slopes, QUERIES * ROW_LD },
                  { &t->x, chunks * PANEL },        { &t->y, chunks * PANEL },
                  { &t->sums, MR_MAX * width },     { &t->keys, KEYS * width },
                  { &t->values, KEYS * width },     { &t->keys_t, KEYS * width },
                  { &t->values_t, KEYS * width },   { &t->keys_straight, KEYS * width } };
    int64_t at = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].part = memory ? memory + at : NULL;
        at += parts[i].floats;
    }
    return at;
}

struct tile attend_memory(float *memory, int64_t D)
{
    struct tile t = { .ahead.parts = 0 };

    (void)cut(&t, memory + omp_get_thread_num() * cut(&t, NULL, D), D);
    return t;
}

size_t cpu_attention_scratch(int64_t D)
{
    struct tile t;

    return (size_t)cut(&t, NULL, D) * sizeof(float) * (size_t)omp_get_max_threads();
}

void attend_take(float *to, int64_t r, const float *x, int64_t D, float by)
{
    for (int64_t k0 = 0; k0 < D; k0 += KC, to += PANEL)
        cpu_isa()->keep(to + r * ROW_LD, x + k0, min_i64(KC, D - k0), NULL, by);
}

/* ---- products ---- */

struct packed_b attend_pack(float *to, const float *x, int64_t ld, int64_t rows, int64_t cols,
                            bool trans)
{
    const struct isa *const isa = cpu_isa();
    const struct weight w = dense(x, rows, cols);
    const int64_t K = trans ? cols : rows, N = round_up(trans ? rows : cols, isa->nr);
    float *at = to;

    for (int64_t k0 = 0; k0 < K; k0 += KC)
        for (int64_t n = 0; n < N; n += isa->nr) {
            const int64_t kc = min_i64(KC, K - k0);

            isa->pack_b(at, &w, ld, trans, k0, kc, n);
            at += kc * isa->nr;
        }
    return (struct packed_b){ to, K, N };
}

void attend_multiply(float *c, int64_t ldc, int64_t m, int64_t n, const float *a, int64_t K,
                     const struct packed_b *b, struct ahead *ahead)
{
    const struct isa *const isa = cpu_isa();

    for (int64_t k0 = 0; k0 < K; k0 += KC, a += PANEL) {
        const int64_t kc = min_i64(KC, K - k0), packed = min_i64(KC, b->K - k0);

        for (int64_t n0 = 0; n0 < n; n0 += isa->nr) {
            const struct wanted soon = ahead_take(ahead, kc, a);

            isa->tile_unpacked((int)m, (int)min_i64(isa->nr, n - n0), kc, a,
                               b->at + k0 * b->N + n0 * packed, c + n0, ldc, k0 > 0, &soon);
        }
    }
}

/* ---- threads ---- */

int64_t attend_elements(const struct inputs *a, const struct packed *rows)
{
    int64_t pairs = 0;

    for (int64_t s = 0; s < rows->seqs; s++)
        pairs += rows->seq[s].q_len * (int64_t)(rows->seq[s].shared_len + rows->seq[s].k_len);
    return pairs * a->H * a->D / 16;
}

int attend_together(int64_t tasks)
{
    return (int)max_i64(1, min_i64(16, tasks / (4 * omp_get_max_threads())));
}
