/* lora_update.c - what an optimiser's step reads and changes. */
#include "lora/lora_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct dev *array(const struct lora_set *l, enum lora_array which)
{
    return which == LORA_WEIGHTS ? l->p : which == LORA_FIRST_MOMENT ? l->m : l->v;
}

int lora_get(const struct lora_set *l, enum lora_array which, int64_t from, float *host, int64_t n)
{
    return l->ops->get(host, l->ops->slice(array(l, which), (size_t)from * sizeof(float)),
                       (size_t)n * sizeof(float));
}

int lora_put(struct lora_set *l, enum lora_array which, int64_t from, const float *host, int64_t n)
{
    return l->ops->put(l->ops->slice(array(l, which), (size_t)from * sizeof(float)), host,
                       (size_t)n * sizeof(float));
}

int lora_same(const struct lora_set *a, const struct lora_set *b)
{
    enum { PIECE = 1 << 18 };
    float *x = xnmalloc(PIECE, sizeof *x), *y = xnmalloc(PIECE, sizeof *y);
    int same = a->params == b->params;

    for (int64_t at = 0; same == 1 && at < a->params; at += PIECE) {
        const int64_t n = a->params - at < PIECE ? a->params - at : PIECE;

        if (lora_get(a, LORA_WEIGHTS, at, x, n) < 0 || lora_get(b, LORA_WEIGHTS, at, y, n) < 0)
            same = -1;
        else
            same = !memcmp(x, y, (size_t)n * sizeof *x);
    }
    free(x);
    free(y);
    return same;
}

/* ---- the update ---- */

int lora_zero_grad(struct lora_set *l)
{
    return l->ops->zero(l->g, (size_t)l->params * sizeof(float));
}

/* Says which tensor's gradient is not finite. */
static int bad_gradient(const struct lora_set *l)
{
    struct buf path = BUF_INIT;
    const char *which = "";

    for (int i = 0; i < l->n && !*which; i++) {
        const struct lora_tensor *t = &l->tensor[i];
        const struct module_info *info = &l->modules->at[t->module];
        double a, b;

        if (l->ops->sum_squares(&a, l->ops->slice_const(l->g, t->a_at * sizeof(float)),
                                t->rank * info->cols) < 0 ||
            l->ops->sum_squares(&b, l->ops->slice_const(l->g, t->b_at * sizeof(float)),
                                info->rows * t->rank) < 0) {
            buf_free(&path);
            return -1;
        }
        if (!isfinite(a) || !isfinite(b)) {
            module_path(&path, l->modules, t->layer, t->module);
            which = isfinite(a) ? ".lora_B" : ".lora_A";
        }
    }
    err_set(EXIT_NUMERIC, "the gradient of '%s%s' is not finite; try a lower learning rate",
            path.n ? path.p : "all tensors together", which);
    buf_free(&path);
    return -1;
}

int lora_grad_norm(const struct lora_set *l, double *norm)
{
    double sum;

    if (l->ops->sum_squares(&sum, l->g, l->params) < 0)
        return -1;
    if (!isfinite(sum))
        return bad_gradient(l);
    *norm = sqrt(sum);
    return 0;
}

int lora_step(struct lora_set *l, double norm, double max_norm, double scale,
              struct optim_step *step)
{
    const double factor = max_norm / (norm + 1e-6);

    step->clip = (max_norm > 0 && factor < 1 ? factor : 1) / scale;
    step->t++;
    return l->ops->optim(l->p, l->m, l->v, l->g, l->params, step);
}
