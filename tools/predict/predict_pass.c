/* predict_pass.c - passes through the model, with memory that grows with the largest batch. */
#include "predict.h"

#include "mem.h"

#include <stdlib.h>

int predict_infer(struct predictor *p, const int32_t *row, int64_t n)
{
    if (n > p->logits_cap) {
        p->logits =
            xnrealloc(p->logits, (size_t)(n * model_config(p->model)->vocab), sizeof *p->logits);
        p->logits_cap = n;
    }
    if (model_reserve(p->model, p->batch.tokens, false) < 0)
        return -1;
    return model_infer(p->model, &p->batch, p->prompts.kv, row, n, p->logits);
}

int predict_prompts(struct predictor *p, struct prompt *prompts, int n, int64_t shared)
{
    const int64_t kept = p->more > 1 ? p->more - 1 : 0; /* the last token is not looked back at */
    int32_t *row = xnmalloc((size_t)n, sizeof *row);
    int rc = prompts_add(&p->prompts, &p->batch, prompts, n, shared, kept, row);

    if (rc == 0)
        rc = predict_infer(p, row, n);
    free(row);
    return rc;
}
