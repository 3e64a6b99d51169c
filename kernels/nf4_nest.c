/* Nearest entries of the dynamic map (Dettmers et al. 2022, arXiv 2110.02861), three ways. */
#include "nf4_nest.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* As torch computes it in float32: for e = 0..6 the middles between 2^e + 1 even steps from 0.1 to
 * 1, times 10^(e-6), with both signs; and 0 and 1. tests/ops/test_nf4_nest.c computes it again. */
const float nest_map[NEST_MAP] = {
    -0.99296874f,    -0.9789063f,     -0.96484375f,    -0.9507812f,
    -0.93671876f,    -0.92265624f,    -0.9085938f,     -0.89453125f,
    -0.8804687f,     -0.86640626f,    -0.85234374f,    -0.8382813f,
    -0.82421875f,    -0.8101562f,     -0.79609376f,    -0.78203124f,
    -0.7679688f,     -0.75390625f,    -0.7398437f,     -0.72578126f,
    -0.7117188f,     -0.6976563f,     -0.68359375f,    -0.6695312f,
    -0.65546876f,    -0.6414063f,     -0.6273438f,     -0.61328125f,
    -0.5992187f,     -0.58515626f,    -0.5710938f,     -0.5570313f,
    -0.54296875f,    -0.5289062f,     -0.5148437f,     -0.50078124f,
    -0.4867187f,     -0.47265625f,    -0.45859373f,    -0.44453126f,
    -0.43046874f,    -0.41640624f,    -0.40234375f,    -0.38828123f,
    -0.37421876f,    -0.36015624f,    -0.34609374f,    -0.33203125f,
    -0.31796873f,    -0.30390626f,    -0.28984374f,    -0.27578127f,
    -0.26171875f,    -0.24765624f,    -0.23359375f,    -0.21953125f,
    -0.20546874f,    -0.19140625f,    -0.17734376f,    -0.16328125f,
    -0.14921875f,    -0.13515624f,    -0.12109375f,    -0.107031256f,
    -0.09859375f,    -0.09578126f,    -0.092968754f,   -0.09015625f,
    -0.08734375f,    -0.08453125f,    -0.08171876f,    -0.07890625f,
    -0.07609375f,    -0.07328125f,    -0.070468746f,   -0.067656256f,
    -0.06484375f,    -0.06203125f,    -0.059218753f,   -0.05640625f,
    -0.05359375f,    -0.05078125f,    -0.04796875f,    -0.04515625f,
    -0.042343747f,   -0.03953125f,    -0.036718752f,   -0.03390625f,
    -0.03109375f,    -0.028281251f,   -0.02546875f,    -0.02265625f,
    -0.019843752f,   -0.01703125f,    -0.01421875f,    -0.01140625f,
    -0.00971875f,    -0.009156249f,   -0.00859375f,    -0.00803125f,
    -0.00746875f,    -0.00690625f,    -0.00634375f,    -0.00578125f,
    -0.0052187503f,  -0.0046562497f,  -0.00409375f,    -0.0035312497f,
    -0.00296875f,    -0.00240625f,    -0.00184375f,    -0.0012812499f,
    -0.0009437501f,  -0.00083125f,    -0.00071875006f, -0.0006062501f,
    -0.00049375003f, -0.00038125002f, -0.00026875004f, -0.00015625001f,
    -8.875e-05f,     -6.625e-05f,     -4.375e-05f,     -2.1249998e-05f,
    -7.75e-06f,      -3.2500002e-06f, -5.5000004e-07f, 0.0f,
    5.5000004e-07f,  3.2500002e-06f,  7.75e-06f,       2.1249998e-05f,
    4.375e-05f,      6.625e-05f,      8.875e-05f,      0.00015625001f,
    0.00026875004f,  0.00038125002f,  0.00049375003f,  0.0006062501f,
    0.00071875006f,  0.00083125f,     0.0009437501f,   0.0012812499f,
    0.00184375f,     0.00240625f,     0.00296875f,     0.0035312497f,
    0.00409375f,     0.0046562497f,   0.0052187503f,   0.00578125f,
    0.00634375f,     0.00690625f,     0.00746875f,     0.00803125f,
    0.00859375f,     0.009156249f,    0.00971875f,     0.01140625f,
    0.01421875f,     0.01703125f,     0.019843752f,    0.02265625f,
    0.02546875f,     0.028281251f,    0.03109375f,     0.03390625f,
    0.036718752f,    0.03953125f,     0.042343747f,    0.04515625f,
    0.04796875f,     0.05078125f,     0.05359375f,     0.05640625f,
    0.059218753f,    0.06203125f,     0.06484375f,     0.067656256f,
    0.070468746f,    0.07328125f,     0.07609375f,     0.07890625f,
    0.08171876f,     0.08453125f,     0.08734375f,     0.09015625f,
    0.092968754f,    0.09578126f,     0.09859375f,     0.107031256f,
    0.12109375f,     0.13515624f,     0.14921875f,     0.16328125f,
    0.17734376f,     0.19140625f,     0.20546874f,     0.21953125f,
    0.23359375f,     0.24765624f,     0.26171875f,     0.27578127f,
    0.28984374f,     0.30390626f,     0.31796873f,     0.33203125f,
    0.34609374f,     0.36015624f,     0.37421876f,     0.38828123f,
    0.40234375f,     0.41640624f,     0.43046874f,     0.44453126f,
    0.45859373f,     0.47265625f,     0.4867187f,      0.50078124f,
    0.5148437f,      0.5289062f,      0.54296875f,     0.5570313f,
    0.5710938f,      0.58515626f,     0.5992187f,      0.61328125f,
    0.6273438f,      0.6414063f,      0.65546876f,     0.6695312f,
    0.68359375f,     0.6976563f,      0.7117188f,      0.72578126f,
    0.7398437f,      0.75390625f,     0.7679688f,      0.78203124f,
    0.79609376f,     0.8101562f,      0.82421875f,     0.8382813f,
    0.85234374f,     0.86640626f,     0.8804687f,      0.89453125f,
    0.9085938f,      0.92265624f,     0.93671876f,     0.9507812f,
    0.96484375f,     0.9789063f,      0.99296874f,     1.0f,
};

/* ---- the mean ---- */

static float mean_by_double(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    return (float)(sum / (double)n);
}

/*
 * torch's sum on the CPU, one thread: eight lanes, four columns of them, and four levels so that
 * the error grows slowly. Lane sums of a level move up after 2^shift additions. Only this order
 * gives bitsandbytes' very bytes: the mean is subtracted from every scale before they are coded.
 */
enum { LANES = 8, COLUMNS = 4, LEVELS = 4, WIDTH = LANES * COLUMNS };

static int level_shift(int64_t rows)
{
    int log = 0;

    while (((int64_t)1 << log) < rows)
        log++;
    return log / LEVELS > 4 ? log / LEVELS : 4;
}

static void add_row(float *to, const float *row, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += row[i];
}

/* Moves the finished sums of a level up; I rows are done. */
static void move_up(float level[LEVELS][WIDTH], int64_t i, int shift)
{
    for (int j = 1; j < LEVELS; j++) {
        add_row(level[j], level[j - 1], WIDTH);
        for (int k = 0; k < WIDTH; k++)
            level[j - 1][k] = 0;
        if (i & ((((int64_t)1 << shift) - 1) << j * shift))
            break;
    }
}

static float mean_by_torch(const float *x, int64_t n)
{
    float level[LEVELS][WIDTH] = { 0 }, *sum = level[0];
    const int64_t rows = n / WIDTH, whole = n - n % LANES;
    const int shift = level_shift(rows);
    float total = 0;

    for (int64_t i = 0; i < rows;) {
        add_row(level[0], x + i * WIDTH, WIDTH);
        i++;
        if (i % ((int64_t)1 << shift) == 0)
            move_up(level, i, shift);
    }
    for (int j = 1; j < LEVELS; j++)
        add_row(level[0], level[j], WIDTH);
    for (int64_t i = rows * WIDTH; i < whole; i += LANES)
        add_row(sum, x + i, LANES);
    for (int k = 1; k < COLUMNS; k++)
        add_row(sum, sum + k * LANES, LANES);
    for (int64_t i = whole; i < n; i++)
        total += x[i];
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    return total / (float)n;
}

/* ---- the nearest entry to x in [-1, 1] ---- */

/* bitsandbytes on CUDA: NaN, which a block of zeros makes there, ends at 0. */
static uint8_t nearest_cuda(float x)
{
    int pivot = 127, above = 255, below = 0;

    for (int step = 64; step; step /= 2) { /* no branches: nobody could foretell them */
        const bool beyond = x > nest_map[pivot];

        below = beyond ? pivot : below;
        above = beyond ? above : pivot;
        pivot += beyond ? step : -step;
    }
    const bool more = x > nest_map[pivot];
    const int other = more ? above : below;
    const float middle = (nest_map[other] + nest_map[pivot]) * 0.5f;

    return (uint8_t)((more ? x > middle : x < middle) ? other : pivot);
}

/* How many midpoints lie strictly below x. */
static uint8_t nearest_midpoint(float x)
{
    int from = 0, to = NEST_MAP - 1;

    while (from < to) {
        const int i = (from + to) / 2;

        if ((nest_map[i] + nest_map[i + 1]) * 0.5f < x)
            from = i + 1;
        else
            to = i;
    }
    return (uint8_t)from;
}

/* bitsandbytes on the CPU knows 65,536 places between -1 and 1 and the nearest entry to each. */
static uint8_t nearest_bnb_cpu(float x)
{
    const int place = (int)((x + 1.0f) * 32767.5f + 0.5f);

    return nearest_midpoint((float)place / 32767.5f - 1.0f);
}

static uint8_t nearest(float x, enum nest_compat compat)
{
    switch (compat) {
    case NEST_CUDA:
        return nearest_cuda(x);
    case NEST_MIDPOINT:
        return nearest_midpoint(x);
    default:
        return nearest_bnb_cpu(x);
    }
}

/* Where all scales of a block equal the mean there is nothing to divide by: 0 is coded as the
 * rule's own program does. */
static uint8_t code_of_nothing(enum nest_compat compat)
{
    return compat == NEST_MIDPOINT ? 127 : 0;
}

static void quantize_block(uint8_t *q, float *nested, const float *absmax, float offset, int64_t n,
                           enum nest_compat compat)
{
    float most = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(absmax[i] - offset));
    const float inverse = 1.0f / most;

    for (int64_t i = 0; i < n; i++)
        q[i] = isinf(inverse) ? code_of_nothing(compat)
                              : nearest((absmax[i] - offset) * inverse, compat);
    *nested = most;
}

void nest_quantize(uint8_t *q, float *nested, float *offset, const float *absmax, int64_t n,
                   enum nest_compat compat)
{
    *offset = compat == NEST_BNB_CPU ? mean_by_torch(absmax, n) : mean_by_double(absmax, n);
    for (int64_t i = 0; i < n; i += NEST_BLOCK)
        quantize_block(q + i, nested + i / NEST_BLOCK, absmax + i, *offset,
                       n - i < NEST_BLOCK ? n - i : NEST_BLOCK, compat);
}

void nest_expand(float *absmax, const uint8_t *q, const float *nested, const float *map,
                 float offset, int64_t n, int block)
{
    for (int64_t i = 0; i < n; i++)
        absmax[i] = map[q[i]] * nested[i / block] + offset;
}
