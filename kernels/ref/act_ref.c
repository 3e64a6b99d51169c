/* Activations. gelu_new is the tanh form (Hendrycks and Gimpel 2016, arXiv 1606.08415). */
#include "ref_impl.h"

#include <math.h>

static const double ROOT_2_OVER_PI = 0.79788456080286535588, CUBIC = 0.044715;

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(ROOT_2_OVER_PI * (x + CUBIC * x * x * x)));
}

static double gelu_slope(double x)
{
    const double t = tanh(ROOT_2_OVER_PI * (x + CUBIC * x * x * x));

    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT_2_OVER_PI * (1 + 3 * CUBIC * x * x);
}

static int act_forward(struct dev *y, const struct dev *x, enum activation act, int64_t n)
{
    assert(act == ACT_GELU_NEW);
    (void)act;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        f32(y)[i] = (float)gelu(const_f32(x)[i]);
    return 0;
}

static int act_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation act, int64_t n)
{
    assert(act == ACT_GELU_NEW);
    (void)act;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        f32(dx)[i] = (float)(const_f32(dy)[i] * gelu_slope(const_f32(x)[i]));
    return 0;
}

void ref_act_ops(struct ops *o)
{
    o->act_forward = act_forward;
    o->act_backward = act_backward;
}
