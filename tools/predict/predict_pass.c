/* predict_pass.c - passes through the model, with memory that grows where a batch is larger than
 * all before. */
#include "predict.h"

#include "mem.h"

/* Keys and values that last are those of all tokens where some are to follow, else of what prompts
 * begin with in common. */
int predict_reserve(struct predictor *p, const struct mode *mode)
{
    const int64_t rows = p->opt->batch_tokens;
    struct memory_use use;

    model_ops(p->model)->memory_use(&use);
    if (use.total == 0)
        return 0;
    if (!mode->whole && prompts_reserve(&p->prompts, p->more > 1 ? rows : rows / 8, rows) < 0)
        return -1;
    return model_reserve(p->model, rows, false);
}

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
