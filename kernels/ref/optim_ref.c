/* Optimiser steps, each over one flat array. Computed in double, kept in float. */
#include "ref_impl.h"

#include <math.h>

/* Sums of fixed parts, added in order: the same for any number of threads. */
static int sum_squares(double *sum, const struct dev *x, int64_t n)
{
    enum { PARTS = 256 };
    const int64_t span = (n + PARTS - 1) / PARTS;
    double part[PARTS] = { 0 };

#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int i = 0; i < PARTS; i++) {
        const int64_t first = min_i64(i * span, n);

        part[i] = dot(const_f32(x) + first, const_f32(x) + first, min_i64(span, n - first));
    }
    *sum = 0;
    for (int i = 0; i < PARTS; i++)
        *sum += part[i];
    return 0;
}

struct adam {
    double corrected_lr; /* lr / (1 - beta1^t) */
    double root_2;       /* sqrt(1 - beta2^t) */
    double decay_before, decay_after;
};

static struct adam adam_of(const struct optim_step *s)
{
    const double decay = 1 - s->lr * s->weight_decay;
    const bool before = s->kind == OPTIM_ADAMW_TORCH;

    return (struct adam){ .corrected_lr = s->lr / (1 - pow(s->beta1, (double)s->t)),
                          .root_2 = sqrt(1 - pow(s->beta2, (double)s->t)),
                          .decay_before = before ? decay : 1,
                          .decay_after = before ? 1 : decay };
}

/* Kingma and Ba 2014, arXiv 1412.6980, with the decay of Loshchilov and Hutter 2017, arXiv
 * 1711.05101. */
static void adam_element(float *p, float *m, float *v, double g, const struct adam *a,
                         const struct optim_step *s)
{
    *m = (float)(s->beta1 * *m + (1 - s->beta1) * g);
    *v = (float)(s->beta2 * *v + (1 - s->beta2) * g * g);
    const double update = a->corrected_lr * a->root_2 * *m / (sqrt(*v) + s->eps * a->root_2);

    *p = (float)((*p * a->decay_before - update) * a->decay_after);
}

static int optim(struct dev *p, struct dev *m, struct dev *v, const struct dev *g, int64_t n,
                 const struct optim_step *step)
{
    const bool sgd = step->kind == OPTIM_SGD;
    const struct adam a = adam_of(step);

    assert(step->t >= 1 && (sgd || (m && v)));
#pragma omp parallel for schedule(static) if (worth_threads(n))
    for (int64_t i = 0; i < n; i++) {
        const double grad = const_f32(g)[i] * step->clip;
        float *const to = f32(p) + i;

        if (sgd)
            *to = (float)(*to - step->lr * (grad + step->weight_decay * *to));
        else
            adam_element(to, f32(m) + i, f32(v) + i, grad, &a, step);
    }
    return 0;
}

void ref_optim_ops(struct ops *o)
{
    o->sum_squares = sum_squares;
    o->optim = optim;
}
