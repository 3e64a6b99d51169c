/* LayerNorm (Ba et al. 2016, arXiv 1607.06450) and RMSNorm (Zhang and Sennrich 2019, arXiv
 * 1910.07467); their gains are frozen. */
#include "ref_impl.h"

#include <math.h>

int ref_check_norm(enum norm kind)
{
    if (kind == NORM_LAYER || kind == NORM_RMS)
        return 0;
    return err_set(EXIT_NODEVICE, "norm %d is not one that this build has", (int)kind);
}

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double variance_of(const float *x, double mean, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)n;
}

static int norm_forward(struct dev *y, struct dev *mean, struct dev *rstd, const struct dev *x,
                        const struct dev *gain, const struct dev *bias, enum norm kind, int64_t N,
                        int64_t C, float eps)
{
    const bool rms = kind == NORM_RMS;
    const float *const g = const_f32(gain), *const b = rms ? NULL : const_f32(bias);

    if (ref_check_norm(kind) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C;
        float *const out = f32(y) + n * C;
        const double m = rms ? 0 : mean_of(in, C), r = 1 / sqrt(variance_of(in, m, C) + eps);

        for (int64_t c = 0; c < C; c++)
            out[c] = (float)((in[c] - m) * r * g[c] + (b ? b[c] : 0));
        if (mean && !rms)
            f32(mean)[n] = (float)m;
        if (rstd)
            f32(rstd)[n] = (float)r;
    }
    return 0;
}

/*
 * With h = (x - mean) rstd and e = dy gain:  dx = rstd (e - mean(e) - h mean(e h)); no means of x
 * and e where the norm is by the mean square.
 */
static int norm_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool add)
{
    const float *const g = const_f32(gain);

    if (ref_check_norm(kind) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C, *const up = const_f32(dy) + n * C;
        const bool rms = kind == NORM_RMS;
        const double m = rms ? 0 : const_f32(mean)[n], r = const_f32(rstd)[n];
        float *const out = f32(dx) + n * C;
        double sum = 0, along = 0;

        for (int64_t c = 0; c < C; c++) {
            const double e = (double)up[c] * g[c];

            sum += e;
            along += e * (in[c] - m) * r;
        }
        for (int64_t c = 0; c < C; c++) {
            const double e = (double)up[c] * g[c], h = (in[c] - m) * r;
            const double d = r * (e - (rms ? 0 : sum / (double)C) - h * along / (double)C);

            out[c] = (float)(add ? out[c] + d : d);
        }
    }
    return 0;
}

void ref_norm_ops(struct ops *o)
{
    o->norm_forward = norm_forward;
    o->norm_backward = norm_backward;
}
