/* LayerNorm (Ba et al. 2016, arXiv 1607.06450); its gains are frozen. */
#include "ref_impl.h"

#include <math.h>

static int refuse_rms(void)
{
    return err_set(EXIT_NODEVICE, "this build has no RMS norm; use a Phi model");
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
    const float *const g = const_f32(gain), *const b = const_f32(bias);

    if (kind != NORM_LAYER)
        return refuse_rms();
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C;
        float *const out = f32(y) + n * C;
        const double m = mean_of(in, C), r = 1 / sqrt(variance_of(in, m, C) + eps);

        for (int64_t c = 0; c < C; c++)
            out[c] = (float)((in[c] - m) * r * g[c] + b[c]);
        if (mean)
            f32(mean)[n] = (float)m;
        if (rstd)
            f32(rstd)[n] = (float)r;
    }
    return 0;
}

/*
 * With h = (x - mean) rstd and e = dy gain:  dx = rstd (e - mean(e) - h mean(e h)).
 */
static int norm_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                         const struct dev *mean, const struct dev *rstd, const struct dev *gain,
                         enum norm kind, int64_t N, int64_t C, bool add)
{
    const float *const g = const_f32(gain);

    if (kind != NORM_LAYER)
        return refuse_rms();
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++) {
        const float *const in = const_f32(x) + n * C, *const up = const_f32(dy) + n * C;
        const double m = const_f32(mean)[n], r = const_f32(rstd)[n];
        float *const out = f32(dx) + n * C;
        double sum = 0, along = 0;

        for (int64_t c = 0; c < C; c++) {
            const double e = (double)up[c] * g[c];

            sum += e;
            along += e * (in[c] - m) * r;
        }
        for (int64_t c = 0; c < C; c++) {
            const double e = (double)up[c] * g[c], h = (in[c] - m) * r;
            const double d = r * (e - sum / (double)C - h * along / (double)C);

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
