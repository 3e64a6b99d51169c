/* head.c - the end of every architecture: final norm, output matrix, loss or logits. */
#include "pass.h"

/* x = the stream at the N rows that stand in acts.rows, h = their norm. Scratch of the layers is
 * free by now. */
static int norm_rows(const struct pass *p, struct dev *x, struct dev *h, int64_t n)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const struct norm_weights *w = &m->weights.final_norm;
    const int64_t C = m->config.dim;

    if (m->ops->gather_rows(x, a->x_out, a->rows, n, C) < 0)
        return -1;
    return m->ops->norm_forward(h, a->mean, a->rstd, x, w->gain, w->bias, m->config.arch->norm, n,
                                C, m->config.norm_eps);
}

int head_loss_pass(const struct pass *p, const struct picked *k, bool best, bool gradient)
{
    const struct model *m = p->model;
    const struct ops *ops = m->ops;
    const struct acts *a = &m->acts;
    const struct linear_weights *head = &m->weights.head;
    const int64_t C = m->config.dim;
    const size_t words = (size_t)k->n * 4;
    struct dev *x = a->a, *h = a->h, *dh = gradient ? a->m : NULL, *dx = h;

    if (ops->put(a->rows, k->row, words) < 0 || ops->put(a->target, k->target, words) < 0 ||
        ops->put(a->weight, k->weight, words) < 0 || norm_rows(p, x, h, k->n) < 0 ||
        ops->head_loss(a->nll, dh, best ? a->best : NULL, h, &head->w, head->bias, a->target,
                       gradient ? a->weight : NULL, k->n) < 0)
        return -1;
    if (!gradient)
        return 0;
    if (ops->norm_backward(dx, dh, x, a->mean, a->rstd, m->weights.final_norm.gain,
                           m->config.arch->norm, k->n, C, false) < 0 ||
        ops->zero(a->dx, (size_t)(p->rows.tokens * C) * sizeof(float)) < 0)
        return -1;
    return ops->scatter_rows(a->dx, dx, C, a->rows, k->n, C);
}

int head_logits_pass(const struct pass *p, const int32_t *row, int64_t n)
{
    const struct model *m = p->model;
    const struct acts *a = &m->acts;
    const struct linear_weights *head = &m->weights.head;

    if (m->ops->put(a->rows, row, (size_t)n * sizeof *row) < 0 || norm_rows(p, a->a, a->h, n) < 0)
        return -1;
    return m->ops->linear_forward(a->logits, NULL, a->h, &head->w, head->bias, NULL, &p->rows, n);
}
