/* Rows picked by number. Bound by memory: each row once in and once out. */
#include "cuda_impl.h"

static __global__ void embed_rows(float *out, struct values w, const int32_t *ids, int64_t N, int64_t C)
{
    const int64_t i = thread_of_all();

    if (i < N * C)
        out[i] = weight_value(w, ids[i / C] * C + i % C);
}

/* out row TO[i] or i = x row FROM[i] or i. */
static __global__ void move_rows(float *out, const float *x, int64_t ld, const int32_t *to, const int32_t *from,
                          int64_t M, int64_t C)
{
    const int64_t i = thread_of_all(), row = i / C, c = i % C;

    if (row < M)
        out[(to ? to[row] : row) * C + c] = x[(from ? from[row] : row) * ld + c];
}

static int embed(struct dev *out, const struct weight *w, const struct dev *ids, int64_t N)
{
    return LAUNCH(embed_rows, blocks_for(N * w->cols, THREADS), THREADS, 0, f32(out), values_of(w),
                  i32(ids), N, w->cols);
}

static int gather_rows(struct dev *out, const struct dev *x, const struct dev *rows, int64_t M,
                       int64_t C)
{
    return LAUNCH(move_rows, blocks_for(M * C, THREADS), THREADS, 0, f32(out), f32(x), C,
                  (const int32_t *)NULL, i32(rows), M, C);
}

static int scatter_rows(struct dev *out, const struct dev *x, int64_t ld, const struct dev *rows,
                        int64_t M, int64_t C)
{
    return LAUNCH(move_rows, blocks_for(M * C, THREADS), THREADS, 0, f32(out), f32(x), ld, i32(rows),
                  (const int32_t *)NULL, M, C);
}

void cuda_rows_ops(struct ops *o)
{
    o->embed = embed;
    o->gather_rows = gather_rows;
    o->scatter_rows = scatter_rows;
}
