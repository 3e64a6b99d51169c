/* Activations, alone and as gates. Bound by memory: every array once. */
#include "cuda_impl.h"

#define ROOT_2_OVER_PI 0.797884560802865356f
#define CUBIC          0.044715f

__device__ static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

__device__ static float value(enum activation act, float x)
{
    if (act == ACT_SILU)
        return x * sigmoid(x);
    return 0.5f * x * (1 + tanhf(ROOT_2_OVER_PI * (x + CUBIC * x * x * x)));
}

__device__ static float slope(enum activation act, float x)
{
    if (act == ACT_SILU)
        return sigmoid(x) * (1 + x * sigmoid(-x));
    const float t = tanhf(ROOT_2_OVER_PI * (x + CUBIC * x * x * x));

    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * ROOT_2_OVER_PI * (1 + 3 * CUBIC * x * x);
}

static __global__ void act_values(float *y, const float *x, enum activation act, int64_t n)
{
    const int64_t i = thread_of_all();

    if (i < n)
        y[i] = value(act, x[i]);
}

static __global__ void act_slopes(float *dx, const float *dy, const float *x, enum activation act, int64_t n)
{
    const int64_t i = thread_of_all();

    if (i < n)
        dx[i] = dy[i] * slope(act, x[i]);
}

static __global__ void gate_values(float *y, const float *gate, const float *up, int64_t ld,
                            enum activation act, int64_t N, int64_t I)
{
    const int64_t i = thread_of_all(), at = i / I * ld + i % I;

    if (i < N * I)
        y[i] = value(act, gate[at]) * up[at];
}

static __global__ void gate_slopes(float *dgate, float *dup, const float *dy, const float *gate,
                            const float *up, int64_t ld, enum activation act, int64_t N, int64_t I)
{
    const int64_t i = thread_of_all(), at = i / I * ld + i % I;

    if (i >= N * I)
        return;
    const float d = dy[i], g = gate[at], u = up[at];

    dgate[at] = d * u * slope(act, g);
    dup[at] = d * value(act, g);
}

static int check(enum activation act)
{
    if (act == ACT_GELU_NEW || act == ACT_SILU)
        return 0;
    return cuda_fail(EX_UNAVAILABLE, "activation %d is not one that this build has", (int)act);
}

static int act_forward(struct dev *y, const struct dev *x, enum activation act, int64_t n)
{
    if (check(act) < 0)
        return -1;
    return LAUNCH(act_values, blocks_for(n, THREADS), THREADS, 0, f32(y), f32(x), act, n);
}

static int act_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation act, int64_t n)
{
    if (check(act) < 0)
        return -1;
    return LAUNCH(act_slopes, blocks_for(n, THREADS), THREADS, 0, f32(dx), f32(dy), f32(x), act, n);
}

static int gate_forward(struct dev *y, const struct dev *gate, const struct dev *up, int64_t ld,
                        enum activation act, int64_t N, int64_t I)
{
    if (check(act) < 0)
        return -1;
    return LAUNCH(gate_values, blocks_for(N * I, THREADS), THREADS, 0, f32(y), f32(gate), f32(up), ld,
                  act, N, I);
}

static int gate_backward(struct dev *dgate, struct dev *dup, const struct dev *dy,
                         const struct dev *gate, const struct dev *up, int64_t ld,
                         enum activation act, int64_t N, int64_t I)
{
    if (check(act) < 0)
        return -1;
    return LAUNCH(gate_slopes, blocks_for(N * I, THREADS), THREADS, 0, f32(dgate), f32(dup), f32(dy),
                  f32(gate), f32(up), ld, act, N, I);
}

void cuda_act_ops(struct ops *o)
{
    o->act_forward = act_forward;
    o->act_backward = act_backward;
    o->gate_forward = gate_forward;
    o->gate_backward = gate_backward;
}
