/* Activations, alone and as gates. gelu_new is the tanh form (Hendrycks and Gimpel 2016, arXiv
 * 1606.08415); SiLU is x times its sigmoid (the same), a gate with it SwiGLU (Shazeer 2020, arXiv
 * 2002.05202). */
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

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double silu_slope(double x)
{
    return sigmoid(x) * (1 + x * sigmoid(-x));
}

int ref_check_act(enum activation act)
{
    if (act == ACT_GELU_NEW || act == ACT_SILU)
        return 0;
    return err_set(EXIT_NODEVICE, "activation %d is not one that this build has", (int)act);
}

static double value(enum activation act, double x)
{
    return act == ACT_SILU ? silu(x) : gelu(x);
}

static double slope(enum activation act, double x)
{
    return act == ACT_SILU ? silu_slope(x) : gelu_slope(x);
}

static int act_forward(struct dev *y, const struct dev *x, enum activation act, int64_t n)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        f32(y)[i] = (float)value(act, const_f32(x)[i]);
    return 0;
}

static int act_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation act, int64_t n)
{
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        f32(dx)[i] = (float)(const_f32(dy)[i] * slope(act, const_f32(x)[i]));
    return 0;
}

static int gate_forward(struct dev *y, const struct dev *gate, const struct dev *up, int64_t ld,
                        enum activation act, int64_t N, int64_t I)
{
    assert(ld >= I);
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++)
        for (int64_t i = 0; i < I; i++)
            f32(y)[n * I + i] =
                (float)(value(act, const_f32(gate)[n * ld + i]) * const_f32(up)[n * ld + i]);
    return 0;
}

static int gate_backward(struct dev *dgate, struct dev *dup, const struct dev *dy,
                         const struct dev *gate, const struct dev *up, int64_t ld,
                         enum activation act, int64_t N, int64_t I)
{
    assert(ld >= I);
    if (ref_check_act(act) < 0)
        return -1;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < N; n++)
        for (int64_t i = 0; i < I; i++) {
            const double d = const_f32(dy)[n * I + i], g = const_f32(gate)[n * ld + i],
                         u = const_f32(up)[n * ld + i];

            f32(dgate)[n * ld + i] = (float)(d * u * slope(act, g));
            f32(dup)[n * ld + i] = (float)(d * value(act, g));
        }
    return 0;
}

void ref_act_ops(struct ops *o)
{
    o->act_forward = act_forward;
    o->act_backward = act_backward;
    o->gate_forward = gate_forward;
    o->gate_backward = gate_backward;
}
