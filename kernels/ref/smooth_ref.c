/*
 * Label smoothing behind the head's loss. The mean logit is the logit of the mean row, so the
 * vocabulary is gone through once for a model and not once for a batch.
 */
#include "ref_impl.h"
#include "mem.h"

#include <stdlib.h>

enum { STRIP = 64 }; /* columns that a thread adds up at a time */

static void mean_strip(float *mean, const struct weight *w, int64_t first, int64_t n)
{
    double sum[STRIP] = { 0 };
    float row[STRIP];

    for (int64_t v = 0; v < w->rows; v++) {
        ref_weight_span(row, w, v * w->cols + first, n);
        add_scaled(sum, 1, row, n);
    }
    for (int64_t i = 0; i < n; i++)
        mean[first + i] = (float)(sum[i] / (double)w->rows);
}

static int mean_row(struct dev *mean, const struct weight *w)
{
#pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < w->cols; first += STRIP)
        mean_strip(f32(mean), w, first, min_i64(STRIP, w->cols - first));
    return 0;
}

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

struct smooth {
    const float *h, *bias, *mean, *weight;
    const struct weight *w;
    const int32_t *target;
    float *nll, *dh, share;
    double mean_bias;
};

/* X and FAR have room for a row: h as an operand, and how far the target's weights are from the
 * mean. */
static void smooth_row(const struct smooth *s, int64_t i, float *x, float *far)
{
    const int64_t C = s->w->cols, t = s->target[i];

    ref_rounded(x, s->h + i * C, C, s->w->round);
    ref_weight_span(far, s->w, t * C, C);
    for (int64_t c = 0; c < C; c++)
        far[c] -= s->mean[c];
    s->nll[i] += (float)(s->share * (dot(x, far, C) + (s->bias ? s->bias[t] - s->mean_bias : 0)));
    for (int64_t c = 0; s->dh && c < C; c++)
        s->dh[i * C + c] += s->weight[i] * s->share * far[c];
}

static int head_smooth(struct dev *nll, struct dev *dh, const struct dev *h, const struct weight *w,
                       const struct dev *bias, const struct dev *mean, const struct dev *target,
                       const struct dev *weight, float share, int64_t M)
{
    const struct smooth s = { .h = const_f32(h),
                              .bias = const_f32(bias),
                              .mean = const_f32(mean),
                              .weight = const_f32(weight),
                              .w = w,
                              .target = const_i32(target),
                              .nll = f32(nll),
                              .dh = f32(dh),
                              .share = share,
                              .mean_bias = bias ? mean_of(const_f32(bias), w->rows) : 0 };

#pragma omp parallel
    {
        float *const room = xnmalloc((size_t)(2 * w->cols), sizeof *room);

#pragma omp for schedule(static)
        for (int64_t i = 0; i < M; i++)
            if (s.target[i] >= 0)
                smooth_row(&s, i, room, room + w->cols);
        free(room);
    }
    return 0;
}

void ref_smooth_ops(struct ops *o)
{
    o->mean_row = mean_row;
    o->head_smooth = head_smooth;
}
