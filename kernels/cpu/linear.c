/* The linear layer: base weight, bias and LoRA in one product; its gradients. LoRA's other products
 * are thin (low_rank.h). */
#include "cpu_impl.h"
#include "gemm.h"

#include <assert.h>

/* What a call works in, one after another. */
struct room {
    float *product, *panels;
};

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t product_bytes(int64_t N, int64_t width, int64_t R, enum dtype round)
{
    return aligned(gemm_work(N, width, LINEARS_MAX * R, round));
}

size_t cpu_linear_scratch(int64_t N, int64_t width, int64_t R, enum dtype round)
{
    return product_bytes(N, width, R, round) + thin_panels(width, R);
}

/* For products of N rows of K with W and its like, LoRA's rank R at most. No product: there is no
 * room. */
static struct room room_for(const struct weight *w, int64_t N, int64_t K, int64_t R)
{
    char *const at = cpu_scratch(cpu_linear_scratch(N, K, R, w->round));

    if (!at)
        return (struct room){ .product = NULL };
    return (struct room){ .product = (float *)(void *)at,
                          .panels = (float *)(void *)(at + product_bytes(N, K, R, w->round)) };
}

/* One product over what both directions share: c = a b. */
static struct gemm product(float *c, int64_t M, int64_t N, struct gemm_term term)
{
    return (struct gemm){ .M = M, .N = N, .term = { term }, .terms = 1, .c = c, .ldc = N };
}

/* What LoRA adds to the product of L. */
static struct gemm_term lora_term(const struct linear *l, const struct weight *b)
{
    return (struct gemm_term){ .a = const_f32(l->u),
                               .lda = l->lora->rank,
                               .a_scale = l->lora->scale,
                               .b = b,
                               .b_trans = true,
                               .K = l->lora->rank };
}

static int64_t largest_rank(const struct linear *l, int n)
{
    int64_t most = 0;

    for (int i = 0; i < n; i++)
        most = max_i64(most, l[i].lora ? l[i].lora->rank : 0);
    return most;
}

/* u of those of N linears that have LoRA. */
static void project(const struct linear *l, int n, const struct dev *x, const struct packed *rows,
                    int64_t N, float *panels)
{
    const int64_t C = l->w->cols, R = largest_rank(l, n);

#pragma omp parallel if (R && worth_threads(N * C * (R + 8) / 64))
    for (int i = 0; i < n; i++) {
        const struct lora *const lora = l[i].lora;

        if (!lora)
            continue;
        const struct weight a = dense(const_f32(lora->a), lora->rank, C);
        const struct mask mask = mask_of(&lora->drop, rows);
        const struct kept kept = kept_of(lora, C);

        kept_draw(&kept, &mask, N, C);
        thin_project(f32(l[i].u), &(struct thin){ const_f32(x), N, C, 1, &kept }, &a, true,
                     lora->rank, panels);
    }
}

static int linear_forward(const struct linear *l, int n_linears, const struct dev *x,
                          const struct packed *rows, int64_t N)
{
    const int64_t C = l->w->cols;
    const struct room work = room_for(l->w, N, C, largest_rank(l, n_linears));
    struct gemm g[LINEARS_MAX];
    struct weight b[LINEARS_MAX];

    assert(n_linears <= LINEARS_MAX);
    if (!work.product)
        return -1;
    project(l, n_linears, x, rows, N, work.panels);
    for (int i = 0; i < n_linears; i++) {
        const struct lora *const lora = l[i].lora;
        const int64_t O = l[i].w->rows;

        g[i] = product(
            f32(l[i].y), N, O,
            (struct gemm_term){
                .a = const_f32(x), .lda = C, .a_scale = 1, .b = l[i].w, .b_trans = true, .K = C });
        g[i].bias = l[i].bias ? const_f32(l[i].bias) : NULL;
        if (lora) {
            b[i] = dense(const_f32(lora->b), O, lora->rank);
            g[i].term[g[i].terms++] = lora_term(&l[i], &b[i]);
        }
    }
    gemm_run(g, n_linears, work.product);
    return 0;
}

/* down (N, R) = scale dy B;  db (O, R) += scale dy^T u;  da (R, C) += down^T drop(x). */
static void lora_gradients(float *down, float *da, float *db, const struct thin *dy,
                           const struct thin *x, const float *u, const struct lora *lora,
                           float *panels)
{
    const int64_t N = x->N, O = dy->K, C = x->K, R = lora->rank;
    const struct weight b = dense(const_f32(lora->b), O, R);

#pragma omp parallel if (worth_threads(N * (O + C) * (R + 8) / 64))
    {
        thin_gradient(db, 1, R, dy, u, R);
        thin_project(down, dy, &b, false, R, panels);
        thin_gradient(da, C, 1, x, down, R);
    }
}

static int linear_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool add)
{
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;
    const struct room work = room_for(w, N, O, R);

    (void)rows; /* choices are not drawn again */
    struct gemm g =
        product(f32(dx), N, C,
                (struct gemm_term){ .a = const_f32(dy), .lda = O, .a_scale = 1, .b = w, .K = O });

    if (!work.product)
        return -1;
    g.add = add;
    if (!lora) {
        if (dx)
            gemm_run(&g, 1, work.product);
        return 0;
    }
    const struct weight a = dense(const_f32(lora->a), R, C);
    const struct kept kept = kept_of(lora, C);
    const struct thin slope = { const_f32(dy), N, O, lora->scale, NULL },
                      in = { const_f32(x), N, C, 1, &kept };

    lora_gradients(f32(scratch), f32(da), f32(db), &slope, &in, const_f32(u), lora, work.panels);
    g.term[g.terms++] = (struct gemm_term){
        .a = f32(scratch), .lda = R, .a_scale = 1, .b = &a, .K = R, .out_kept = &kept
    };
    if (dx)
        gemm_run(&g, 1, work.product);
    return 0;
}

static int head_logits(struct dev *logits, const struct dev *h, const struct weight *w,
                       const struct dev *bias, int64_t M)
{
    return linear_forward(&(struct linear){ .y = logits, .w = w, .bias = bias }, 1, h, NULL, M);
}

void cpu_linear_ops(struct ops *o)
{
    o->linear_forward = linear_forward;
    o->linear_backward = linear_backward;
    o->head_logits = head_logits;
}
