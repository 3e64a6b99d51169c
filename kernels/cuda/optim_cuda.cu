/* Optimiser steps, each over one flat array, in double as ref has them. Bound by memory: 16 bytes in and
 * 12 out for each parameter; cards with few units for double take longer, of 10 million parameters a
 * millisecond. */
#include "cuda_impl.h"

enum { PARTS = 256 };

/* part[b] = the sum of squares of span b. */
static __global__ void squares(double *part, const float *x, int64_t n)
{
    SHARED(double, warps);
    const int64_t span = (n + PARTS - 1) / PARTS, first = blockIdx.x * span;
    const int64_t end = first + span < n ? first + span : n;
    double sum = 0;

    for (int64_t i = first + threadIdx.x; i < end; i += blockDim.x)
        sum += (double)x[i] * x[i];
    sum = block_all(sum, add(), warps);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

static int sum_squares(double *sum, const struct dev *x, int64_t n)
{
    double *const part = (double *)cuda_scratch(SCRATCH_SUMS, 1024 * sizeof(double));
    double host[PARTS];

    *sum = 0;
    if (!part ||
        LAUNCH(squares, PARTS, THREADS, THREADS / WARP * sizeof(double), part, f32(x), n) < 0 ||
        cuda_check(cudaMemcpyAsync(host, part, sizeof host, cudaMemcpyDeviceToHost, cuda_stream),
                   "a download") < 0 ||
        cuda_check(cudaStreamSynchronize(cuda_stream), "what was queued before a download") < 0)
        return -1;
    for (int i = 0; i < PARTS; i++)
        *sum += host[i];
    return 0;
}

/* What is the same for all elements. */
struct step {
    double lr, beta1, beta2, clip, weight_decay;
    double corrected_lr; /* lr / (1 - beta1^t) */
    double root_2, eps;  /* sqrt(1 - beta2^t), and eps times it */
    double decay_before, decay_after;
};

static __global__ void adam(float *p, float *m, float *v, const float *g, int64_t n, struct step s)
{
    const int64_t i = thread_of_all();

    if (i >= n)
        return;
    const double grad = g[i] * s.clip;
    const float first = (float)(s.beta1 * m[i] + (1 - s.beta1) * grad);
    const float second = (float)(s.beta2 * v[i] + (1 - s.beta2) * grad * grad);
    const double update = s.corrected_lr * s.root_2 * first / (sqrt((double)second) + s.eps);

    m[i] = first;
    v[i] = second;
    p[i] = (float)((p[i] * s.decay_before - update) * s.decay_after);
}

static __global__ void sgd(float *p, const float *g, int64_t n, struct step s)
{
    const int64_t i = thread_of_all();

    if (i < n)
        p[i] = (float)(p[i] - s.lr * (g[i] * s.clip + s.weight_decay * p[i]));
}

static int optim(struct dev *p, struct dev *m, struct dev *v, const struct dev *g, int64_t n,
                 const struct optim_step *o)
{
    const double root_2 = sqrt(1 - pow(o->beta2, (double)o->t)), decay = 1 - o->lr * o->weight_decay;
    const bool before = o->kind == OPTIM_ADAMW_TORCH;
    const struct step s = { o->lr, o->beta1, o->beta2, o->clip, o->weight_decay,
                            o->lr / (1 - pow(o->beta1, (double)o->t)),
                            root_2, o->eps * root_2, before ? decay : 1, before ? 1 : decay };

    if (o->kind == OPTIM_SGD)
        return LAUNCH(sgd, blocks_for(n, THREADS), THREADS, 0, f32(p), f32(g), n, s);
    return LAUNCH(adam, blocks_for(n, THREADS), THREADS, 0, f32(p), f32(m), f32(v), f32(g), n, s);
}

void cuda_optim_ops(struct ops *o)
{
    o->sum_squares = sum_squares;
    o->optim = optim;
}
