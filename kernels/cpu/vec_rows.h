/* vec_rows.h - norms, sums over a row, sums of rows. Plain C in strips of sixteen that compilers
 * turn into vectors; every instruction set rounds alike. Included by isa_*.c only. */
#ifndef VEC_ROWS_H
#define VEC_ROWS_H

#include "isa.h"
#include "simd.h"

#include <math.h>

enum { LANES = 16 };

/* Before a loop whose result may lie in the very place of an operand, but not beside it: compilers
 * need not look whether they overlap, and take the slow way when they do. */
#ifdef __clang__
#define IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define IN_PLACE _Pragma("GCC ivdep")
#endif

/* Lane i with lane i + 8, then 4, 2, 1. */
static double sum_lanes(double s[LANES])
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

/* Sums f(i) for i < n in sixteen partial sums. */
#define SUM_OVER(result, n, i, f)                                                                  \
    do {                                                                                           \
        double lane[LANES] = { 0 };                                                                \
        int64_t at = 0;                                                                            \
                                                                                                   \
        for (; at + LANES <= (n); at += LANES)                                                     \
            for (int j = 0; j < LANES; j++) {                                                      \
                const int64_t i = at + j;                                                          \
                                                                                                   \
                lane[j] += (f);                                                                    \
            }                                                                                      \
        for (int j = 0; at + j < (n); j++) {                                                       \
            const int64_t i = at + j;                                                              \
                                                                                                   \
            lane[j] += (f);                                                                        \
        }                                                                                          \
        (result) = sum_lanes(lane);                                                                \
    } while (0)

static void norm(float *y, float *mean, float *rstd, const float *x, const float *gain,
                 const float *bias, int64_t n, float eps)
{
    double sum, squares;

    SUM_OVER(sum, n, i, (double)x[i]);
    const double m = sum / (double)n;

    SUM_OVER(squares, n, i, (x[i] - m) * (x[i] - m));
    const double r = 1 / sqrt(squares / (double)n + eps);

    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((x[i] - m) * r * gain[i] + bias[i]);
    if (mean)
        *mean = (float)m;
    if (rstd)
        *rstd = (float)r;
}

/* With h = (x - mean) rstd and e = dy gain:  dx = rstd (e - mean(e) - h mean(e h)). */
static void norm_slope(float *dx, const float *dy, const float *x, float mean, float rstd,
                       const float *gain, int64_t n, bool add)
{
    const double m = mean, r = rstd;
    double sum, along;

    SUM_OVER(sum, n, i, (double)dy[i] * gain[i]);
    SUM_OVER(along, n, i, (double)dy[i] * gain[i] * (x[i] - m));
    sum /= (double)n;
    along *= r * r / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = r * ((double)dy[i] * gain[i] - sum - (x[i] - m) * along);

        dx[i] = (float)(add ? dx[i] + d : d);
    }
}

static void rms(float *y, float *rstd, const float *x, const float *gain, int64_t n, float eps)
{
    double squares;

    SUM_OVER(squares, n, i, (double)x[i] * x[i]);
    const double r = 1 / sqrt(squares / (double)n + eps);

    IN_PLACE
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(x[i] * r * gain[i]);
    if (rstd)
        *rstd = (float)r;
}

/* With h = x rstd and e = dy gain:  dx = rstd (e - h mean(e h)). */
static void rms_slope(float *dx, const float *dy, const float *x, float rstd, const float *gain,
                      int64_t n, bool add)
{
    const double r = rstd;
    double along;

    SUM_OVER(along, n, i, (double)dy[i] * gain[i] * x[i]);
    along *= r * r / (double)n;
    if (add) {
        IN_PLACE
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)(dx[i] + r * ((double)dy[i] * gain[i] - x[i] * along));
    } else {
        IN_PLACE
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)(r * ((double)dy[i] * gain[i] - x[i] * along));
    }
}

static void turn(float *head, const float *cos, const float *sin, int64_t half, int dir)
{
    float *const restrict low = head, *const restrict high = head + half;
    const double sign = dir;

    for (int64_t j = 0; j < half; j++) {
        const double a = low[j], b = high[j], c = cos[j], s = sign * sin[j];

        low[j] = (float)(a * c - b * s);
        high[j] = (float)(b * c + a * s);
    }
}

static void add2(float *out, const float *a, const float *x, int64_t n)
{
    IN_PLACE
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + x[i];
}

static void add3(float *out, const float *a, const float *b, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + b[i] + x[i];
}

static double sum_squares(const float *x, int64_t n)
{
    double sum;

    SUM_OVER(sum, n, i, (double)x[i] * x[i]);
    return sum;
}

#endif
