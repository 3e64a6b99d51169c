/* Rotary positions, in place: a thread for each pair, in double as ref has them. Bound by memory: x in
 * and out. */
#include "cuda_impl.h"

static __global__ void turn(float *x, int64_t ld, const float *cosine, const float *sine, const int32_t *pos,
                     int64_t N, int64_t H, int64_t D, int64_t half, int dir)
{
    const int64_t i = thread_of_all(), row = i / (H * half), h = i / half % H, j = i % half;

    if (row >= N)
        return;
    float *const at = x + row * ld + h * D + j;
    const double c = cosine[pos[row] * half + j], s = dir * (double)sine[pos[row] * half + j];
    const double a = at[0], b = at[half];

    at[0] = (float)(a * c - b * s);
    at[half] = (float)(b * c + a * s);
}

static int rope(struct dev *x, int64_t ld, const struct dev *cosine, const struct dev *sine,
                const struct packed *rows, int64_t N, int64_t H, int64_t D, int64_t rot, int dir)
{
    if (rot == 0)
        return 0;
    return LAUNCH(turn, blocks_for(N * H * (rot / 2), THREADS), THREADS, 0, f32(x), ld, f32(cosine),
                  f32(sine), i32(rows->pos), N, H, D, rot / 2, dir);
}

void cuda_rope_ops(struct ops *o)
{
    o->rope = rope;
}
