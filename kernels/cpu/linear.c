/* The linear layer: base weight, bias and LoRA in one product; its gradients. */
#include "cpu_impl.h"
#include "gemm.h"

/* One product over what both directions share: c = a b. */
static struct gemm product(float *c, int64_t M, int64_t N, struct gemm_term term)
{
    return (
        struct gemm){ .M = M, .N = N, .term = { term }, .terms = 1, .c = c, .ldc = N, .step = 1 };
}

static int linear_forward(struct dev *y, struct dev *u, const struct dev *x, const struct weight *w,
                          const struct dev *bias, const struct lora *lora,
                          const struct packed *rows, int64_t N)
{
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;
    float *const work = cpu_scratch(gemm_work(N, C + R));

    if (!work)
        return -1;
    struct gemm g =
        product(f32(y), N, O,
                (struct gemm_term){
                    .a = const_f32(x), .lda = C, .a_scale = 1, .b = w, .b_trans = true, .K = C });
    g.bias = bias ? const_f32(bias) : NULL;
    if (!lora) {
        gemm_run(&g, work);
        return 0;
    }
    const struct mask mask = mask_of(&lora->drop, rows);
    const struct weight a = dense(const_f32(lora->a), R, C), b = dense(const_f32(lora->b), O, R);
    const struct gemm down = product(f32(u), N, R,
                                     (struct gemm_term){ .a = const_f32(x),
                                                         .lda = C,
                                                         .a_scale = 1,
                                                         .a_mask = &mask,
                                                         .b = &a,
                                                         .b_trans = true,
                                                         .K = C });

    gemm_run(&down, work);
    g.term[g.terms++] = (struct gemm_term){
        .a = f32(u), .lda = R, .a_scale = lora->scale, .b = &b, .b_trans = true, .K = R
    };
    gemm_run(&g, work);
    return 0;
}

/* down (N, R) = scale dy B;  db (O, R) += scale dy^T u;  da (R, C) += down^T drop(x). */
static void lora_gradients(float *down, float *da, float *db, const float *dy, const float *x,
                           const float *u, const struct lora *lora, const struct mask *mask,
                           int64_t N, int64_t O, int64_t C, float *work)
{
    const int64_t R = lora->rank;
    const struct weight b = dense(const_f32(lora->b), O, R), um = dense(u, N, R),
                        dm = dense(down, N, R);
    const struct gemm g =
        product(down, N, R,
                (struct gemm_term){ .a = dy, .lda = O, .a_scale = lora->scale, .b = &b, .K = O });
    struct gemm gb =
        product(db, O, R,
                (struct gemm_term){
                    .a = dy, .lda = O, .a_trans = true, .a_scale = lora->scale, .b = &um, .K = N });
    struct gemm ga = product(
        da, C, R,
        (struct gemm_term){
            .a = x, .lda = C, .a_trans = true, .a_scale = 1, .a_mask = mask, .b = &dm, .K = N });

    ga.ldc = 1;
    ga.step = C;
    ga.add = gb.add = true;
    gemm_run(&g, work);
    gemm_run(&gb, work);
    gemm_run(&ga, work);
}

static int linear_backward(struct dev *dx, struct dev *da, struct dev *db, const struct dev *dy,
                           const struct dev *x, const struct dev *u, struct dev *scratch,
                           const struct weight *w, const struct lora *lora,
                           const struct packed *rows, int64_t N, bool add)
{
    const int64_t O = w->rows, C = w->cols, R = lora ? lora->rank : 0;
    const size_t across = gemm_work(N, O + R), along = lora ? gemm_work(max_i64(O, C), N) : 0;
    float *const work = cpu_scratch(across > along ? across : along);
    struct gemm g =
        product(f32(dx), N, C,
                (struct gemm_term){ .a = const_f32(dy), .lda = O, .a_scale = 1, .b = w, .K = O });

    if (!work)
        return -1;
    g.add = add;
    if (!lora) {
        if (dx)
            gemm_run(&g, work);
        return 0;
    }
    const struct mask mask = mask_of(&lora->drop, rows);
    const struct weight a = dense(const_f32(lora->a), R, C);

    lora_gradients(f32(scratch), f32(da), f32(db), const_f32(dy), const_f32(x), const_f32(u), lora,
                   &mask, N, O, C, work);
    g.term[g.terms++] = (struct gemm_term){
        .a = f32(scratch), .lda = R, .a_scale = 1, .b = &a, .K = R, .out_mask = &mask
    };
    if (dx)
        gemm_run(&g, work);
    return 0;
}

void cpu_linear_ops(struct ops *o)
{
    o->linear_forward = linear_forward;
    o->linear_backward = linear_backward;
}
