/* Rows picked by number: embedding, gather, scatter. */
#include "ref_impl.h"

#include <string.h>

static int embed(struct dev *out, const struct weight *w, const struct dev *ids, int64_t N)
{
    const int64_t C = w->cols;

    assert(w->dtype != DT_NF4);
    for (int64_t n = 0; n < N; n++) {
        const int64_t id = const_i32(ids)[n];

        assert(id >= 0 && id < w->rows);
        ref_weight_span(f32(out) + n * C, w, id * C, C);
    }
    return 0;
}

static int gather_rows(struct dev *out, const struct dev *x, const struct dev *rows, int64_t M,
                       int64_t C)
{
    for (int64_t i = 0; i < M; i++)
        memcpy(f32(out) + i * C, const_f32(x) + const_i32(rows)[i] * C, (size_t)C * sizeof(float));
    return 0;
}

static int scatter_rows(struct dev *out, const struct dev *x, int64_t ld, const struct dev *rows,
                        int64_t M, int64_t C)
{
    assert(ld >= C);
    for (int64_t i = 0; i < M; i++)
        memcpy(f32(out) + const_i32(rows)[i] * C, const_f32(x) + i * ld, (size_t)C * sizeof(float));
    return 0;
}

void ref_rows_ops(struct ops *o)
{
    o->embed = embed;
    o->gather_rows = gather_rows;
    o->scatter_rows = scatter_rows;
}
