#include "fill.h"

#include "rng.h"

#include <math.h>

/*
 * Close to normal: the sum of four 16-bit uniforms (Irwin-Hall). Unlike Box-Muller it needs no
 * function whose last bit differs from one C library to the next. Its variance is 4 (2^32 - 1)
 * / 12.
 */
enum { SUM_CENTRE = 2 * 65535, PER_COUNTER = 2 };

static const double sum_spread = 37837.23;

static void draw(float v[PER_COUNTER], const struct drawn *t, int64_t counter, uint64_t seed,
                 float step)
{
    const uint32_t place[4] = { (uint32_t)counter, (uint32_t)(counter >> 32), t->stream, 0 };
    uint32_t w[4];

    philox4x32(w, place, seed);
    for (int i = 0; i < PER_COUNTER; i++) {
        const uint32_t a = w[2 * i], b = w[2 * i + 1];
        const int sum = (int)((a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16));

        v[i] = t->mean + (float)(sum - SUM_CENTRE) * step;
    }
}

static void store(void *out, enum dtype dtype, int64_t i, float v)
{
    if (dtype == DT_F32)
        ((float *)out)[i] = v;
    else
        ((uint16_t *)out)[i] = dtype == DT_F16 ? f16_of_f32(v) : bf16_of_f32(v);
}

void fill(void *out, enum dtype dtype, const struct drawn *t, int64_t from, int64_t n,
          uint64_t seed)
{
    const float step = (float)((double)t->spread / sum_spread);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i += PER_COUNTER) {
        float v[PER_COUNTER];

        draw(v, t, (from + i) / PER_COUNTER, seed, step);
        for (int k = 0; k < PER_COUNTER && i + k < n; k++)
            store(out, dtype, i + k, t->zero_block && from + i + k < 64 ? 0 : v[k]);
    }
}
