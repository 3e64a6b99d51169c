/* Rows picked by number. Bound by memory: each row once in and once out. */
#include "elements_cuda.h"

template <class T>
static __global__ void embed_rows(T *out, struct values w, const int32_t *ids, int64_t N, int64_t C)
{
    const struct place p = place_in_rows(C);
    float v[GROUP];

    if (p.row >= N)
        return;
    for (int i = 0; i < GROUP; i++)
        v[i] = i < p.left ? weight_value(w, ids[p.row] * C + p.at + i) : 0;
    store_group(out + p.row * C + p.at, v, p.left);
}

/* out row TO[i] or i = x row FROM[i] or i. */
template <class T>
static __global__ void move_rows(T *out, const T *x, int64_t ld, const int32_t *to, const int32_t *from,
                                 int64_t M, int64_t C)
{
    const struct place p = place_in_rows(C);
    float v[GROUP];

    if (p.row >= M)
        return;
    load_group(v, x + (from ? from[p.row] : p.row) * ld + p.at, p.left);
    store_group(out + (to ? to[p.row] : p.row) * C + p.at, v, p.left);
}

template <class T>
static int embed(struct dev *out, const struct weight *w, const struct dev *ids, int64_t N)
{
    return LAUNCH(embed_rows<T>, blocks_for_rows(N, w->cols), THREADS, 0, act<T>(out), values_of(w), i32(ids),
                  N, w->cols);
}

template <class T>
static int gather_rows(struct dev *out, const struct dev *x, const struct dev *rows, int64_t M,
                       int64_t C)
{
    return LAUNCH(move_rows<T>, blocks_for_rows(M, C), THREADS, 0, act<T>(out), act<T>(x), C,
                  (const int32_t *)NULL, i32(rows), M, C);
}

template <class T>
static int scatter_rows(struct dev *out, const struct dev *x, int64_t ld, const struct dev *rows,
                        int64_t M, int64_t C)
{
    return LAUNCH(move_rows<T>, blocks_for_rows(M, C), THREADS, 0, act<T>(out), act<T>(x), ld, i32(rows),
                  (const int32_t *)NULL, M, C);
}

template <class T> static void fill(struct ops *o)
{
    o->embed = embed<T>;
    o->gather_rows = gather_rows<T>;
    o->scatter_rows = scatter_rows<T>;
}

void cuda_rows_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
}
