/* predict_pass.c - passes through the model, with memory that grows with the largest batch. */
#include "predict.h"

#include "mem.h"

int predict_begin(struct predictor *p, struct prompt *prompts, int n, int64_t shared, int32_t *row)
{
    const int64_t kept = p->more > 1 ? p->more - 1 : 0; /* the last token is not looked back at */

    return prompts_add(&p->prompts, &p->batch, prompts, n, shared, kept, row) < 0
               ? -1
               : model_reserve(p->model, p->batch.tokens, false);
}

int predict_select(struct predictor *p, const int32_t *row, int64_t n, const int32_t *ids,
                   int64_t k)
{
    struct selected *s = &p->said;

    if (n * (k + 1) > p->said_cap) {
        p->said_cap = n * (k + 1);
        s->best = xnrealloc(s->best, (size_t)p->said_cap, sizeof *s->best);
        s->logp = xnrealloc(s->logp, (size_t)p->said_cap, sizeof *s->logp);
    }
    s->n = k;
    s->ids = ids;
    if (model_reserve(p->model, p->batch.tokens, false) < 0)
        return -1;
    return model_select(p->model, &p->batch, p->prompts.kv, row, n, s);
}
