/* Rotary positions, in place: a thread for a group of pairs, in double as ref has them. Bound by memory: x
 * in and out. */
#include "elements_cuda.h"

template <class T>
static __global__ void turn(T *x, int64_t ld, const float *cosine, const float *sine, const int32_t *pos,
                            int64_t N, int64_t H, int64_t D, int64_t half, int dir)
{
    const struct place p = place_in_rows(half); /* row: of all heads of all tokens */
    const int64_t row = p.row / H;
    float a[GROUP], b[GROUP], c[GROUP], s[GROUP];

    if (row >= N)
        return;
    T *const first = x + row * ld + p.row % H * D + p.at, *const second = first + half;

    load_group(a, first, p.left);
    load_group(b, second, p.left);
    load_group(c, cosine + pos[row] * half + p.at, p.left);
    load_group(s, sine + pos[row] * half + p.at, p.left);
    for (int i = 0; i < GROUP; i++) {
        const double left = a[i], right = b[i], sign = dir * (double)s[i];

        a[i] = (float)(left * c[i] - right * sign);
        b[i] = (float)(right * c[i] + left * sign);
    }
    store_group(first, a, p.left);
    store_group(second, b, p.left);
}

template <class T>
static int rope(struct dev *x, int64_t ld, const struct dev *cosine, const struct dev *sine,
                const struct packed *rows, int64_t N, int64_t H, int64_t D, int64_t rot, int dir)
{
    if (rot == 0)
        return 0;
    return LAUNCH(turn<T>, blocks_for_rows(N * H, rot / 2), THREADS, 0, act<T>(x), ld, f32(cosine), f32(sine),
                  i32(rows->pos), N, H, D, rot / 2, dir);
}

template <class T> static void fill(struct ops *o)
{
    o->rope = rope<T>;
}

void cuda_rope_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
}
