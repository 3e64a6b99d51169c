/* Activations, alone and as gates. Bound by memory: every array once. */
#include "elements_cuda.h"

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

template <class T>
static __global__ void act_values(T *y, const T *x, enum activation act, int64_t n)
{
    const int64_t at = GROUP * thread_of_all();
    float v[GROUP];

    if (at >= n)
        return;
    load_group(v, x + at, n - at);
    for (int i = 0; i < GROUP; i++)
        v[i] = value(act, v[i]);
    store_group(y + at, v, n - at);
}

template <class T>
static __global__ void act_slopes(T *dx, const T *dy, const T *x, enum activation act, int64_t n)
{
    const int64_t at = GROUP * thread_of_all();
    float v[GROUP], d[GROUP];

    if (at >= n)
        return;
    load_group(v, x + at, n - at);
    load_group(d, dy + at, n - at);
    for (int i = 0; i < GROUP; i++)
        d[i] *= slope(act, v[i]);
    store_group(dx + at, d, n - at);
}

template <class T>
static __global__ void gate_values(T *y, const T *gate, const T *up, int64_t ld, enum activation act,
                                   int64_t N, int64_t I)
{
    const struct place p = place_in_rows(I);
    const int64_t at = p.row * ld + p.at;
    float g[GROUP], u[GROUP];

    if (p.row >= N)
        return;
    load_group(g, gate + at, p.left);
    load_group(u, up + at, p.left);
    for (int i = 0; i < GROUP; i++)
        g[i] = value(act, g[i]) * u[i];
    store_group(y + p.row * I + p.at, g, p.left);
}

template <class T>
static __global__ void gate_slopes(T *dgate, T *dup, const T *dy, const T *gate, const T *up, int64_t ld,
                                   enum activation act, int64_t N, int64_t I)
{
    const struct place p = place_in_rows(I);
    const int64_t at = p.row * ld + p.at;
    float d[GROUP], g[GROUP], u[GROUP];

    if (p.row >= N)
        return;
    load_group(d, dy + p.row * I + p.at, p.left);
    load_group(g, gate + at, p.left);
    load_group(u, up + at, p.left);
    for (int i = 0; i < GROUP; i++) {
        u[i] *= d[i] * slope(act, g[i]);
        g[i] = d[i] * value(act, g[i]);
    }
    store_group(dgate + at, u, p.left);
    store_group(dup + at, g, p.left);
}

static int check(enum activation kind)
{
    if (kind == ACT_GELU_NEW || kind == ACT_SILU)
        return 0;
    return cuda_fail(EX_UNAVAILABLE, "activation %d is not one that this build has", (int)kind);
}

template <class T>
static int act_forward(struct dev *y, const struct dev *x, enum activation kind, int64_t n)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(act_values<T>, blocks_for(groups_of(n), THREADS), THREADS, 0, act<T>(y), act<T>(x), kind, n);
}

template <class T>
static int act_backward(struct dev *dx, const struct dev *dy, const struct dev *x,
                        enum activation kind, int64_t n)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(act_slopes<T>, blocks_for(groups_of(n), THREADS), THREADS, 0, act<T>(dx), act<T>(dy), act<T>(x),
                  kind, n);
}

template <class T>
static int gate_forward(struct dev *y, const struct dev *gate, const struct dev *up, int64_t ld,
                        enum activation kind, int64_t N, int64_t I)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(gate_values<T>, blocks_for_rows(N, I), THREADS, 0, act<T>(y), act<T>(gate), act<T>(up), ld, kind, N,
                  I);
}

template <class T>
static int gate_backward(struct dev *dgate, struct dev *dup, const struct dev *dy,
                         const struct dev *gate, const struct dev *up, int64_t ld,
                         enum activation kind, int64_t N, int64_t I)
{
    if (check(kind) < 0)
        return -1;
    return LAUNCH(gate_slopes<T>, blocks_for_rows(N, I), THREADS, 0, act<T>(dgate), act<T>(dup), act<T>(dy),
                  act<T>(gate), act<T>(up), ld, kind, N, I);
}

template <class T> static void fill(struct ops *o)
{
    o->act_forward = act_forward<T>;
    o->act_backward = act_backward<T>;
    o->gate_forward = gate_forward<T>;
    o->gate_backward = gate_backward<T>;
}

void cuda_act_ops(struct ops *o)
{
    FILL_FOR_ACT(fill, o);
}
