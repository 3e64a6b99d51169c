/* rotary.c - cosines and sines of the rotation (NUMERICS A.2, A.4; transformers
 * modeling_rope_utils.py). */
#include "run/model_parts.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>

enum { POSITIONS_MIN = 512 };

/* What llama3's stretching makes of a frequency: slow ones are divided, quick ones stay, those
 * between are mixed. Every step in float32, as torch takes it. */
static float llama3(const struct rope *r, float frequency)
{
    const float original = (float)r->original, low = (float)r->low_freq, high = (float)r->high_freq;
    const float wavelength = 2 * (float)M_PI / frequency, divided = frequency / (float)r->factor;

    if (wavelength > original / low)
        return divided;
    if (wavelength < original / high)
        return frequency;
    const float mix = (original / wavelength - low) / (high - low);

    return (1 - mix) * divided + mix * frequency;
}

/*
 * Frequency I, as transformers makes it: every step in float32, so that angles at far positions are
 * off by the same amount as there.
 */
static float frequency_of(const struct rope *r, int64_t i)
{
    const float power = (float)(2 * i) / (float)r->rot;
    const float period = (float)pow((double)r->theta, (double)power);

    switch (r->kind) {
    case ROPE_LINEAR:
        return 1.0f / period / (float)r->factor;
    case ROPE_LLAMA3:
        return llama3(r, 1.0f / period);
    case ROPE_LONG:
        return 1.0f / (r->divisor[i] * period);
    default:
        return 1.0f / period;
    }
}

static void make(float *cosine, float *sine, const struct rope *r, int64_t n)
{
    const int64_t half = r->rot / 2;

    for (int64_t i = 0; i < half; i++) {
        const float frequency = frequency_of(r, i);

        for (int64_t pos = 0; pos < n; pos++) {
            const float angle = (float)pos * frequency;

            cosine[pos * half + i] = cosf(angle) * r->scale;
            sine[pos * half + i] = sinf(angle) * r->scale;
        }
    }
}

/* Room grows at least twofold, to the model's last position at most: long texts are rare, and
 * tables of all positions of a long model would take longer than a short run. */
static int64_t grown(const struct model *m, int64_t n)
{
    const int64_t most = m->e.config->max_positions;
    int64_t to = 2 * m->positions > POSITIONS_MIN ? 2 * m->positions : POSITIONS_MIN;

    to = to < n ? n : to;
    return to < most ? to : most > n ? most : n;
}

int rotary_reach(struct model *m, int64_t n)
{
    const struct ops *ops = m->e.ops;
    const struct rope *r = &m->e.config->rope;

    if (n <= m->positions)
        return 0;
    n = grown(m, n);
    const size_t bytes = (size_t)(n * r->rot / 2) * sizeof(float);
    const size_t second = (bytes + 255) / 256 * 256;
    float *host = xcalloc(1, second + bytes);

    make(host, host + second / sizeof *host, r, n);
    ops->release(m->rotary);
    m->positions = 0;
    m->rotary = ops->alloc(second + bytes);
    const int rc = m->rotary ? ops->put(m->rotary, host, second + bytes) : -1;

    free(host);
    if (rc < 0)
        return err_in("rotation of %lld positions", (long long)n);
    m->e.cos = ops->slice(m->rotary, 0);
    m->e.sin = ops->slice(m->rotary, second);
    m->positions = n;
    return 0;
}
