/* Rotary positions (Su et al. 2021, arXiv 2104.09864), pairs split by half as Hugging Face has
 * them. */
#include "ref_impl.h"

static void turn(float *head, const float *cos, const float *sin, int64_t half, int dir)
{
    for (int64_t j = 0; j < half; j++) {
        const double a = head[j], b = head[j + half], c = cos[j], s = dir * (double)sin[j];

        head[j] = (float)(a * c - b * s);
        head[j + half] = (float)(b * c + a * s);
    }
}

static int rope(struct dev *x, int64_t ld, const struct dev *cos, const struct dev *sin,
                const struct packed *rows, int64_t N, int64_t H, int64_t D, int64_t rot, int dir)
{
    const int64_t half = rot / 2;

    assert(rot % 2 == 0 && rot <= D && ld >= H * D && (dir == 1 || dir == -1));
#pragma omp parallel for schedule(static) if (worth_threads(N * H * rot))
    for (int64_t n = 0; n < N; n++) {
        const int64_t at = const_i32(rows->pos)[n] * half;

        for (int64_t h = 0; h < H; h++)
            turn(f32(x) + n * ld + h * D, const_f32(cos) + at, const_f32(sin) + at, half, dir);
    }
    return 0;
}

void ref_rope_ops(struct ops *o)
{
    o->rope = rope;
}
