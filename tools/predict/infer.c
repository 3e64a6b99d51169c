/* infer.c - memory that grows with the largest batch, and one pass through the model. */
#include "predict.h"

int predict_need_cache(struct predictor *p, int64_t rows)
{
    if (rows <= p->kv_rows)
        return 0;
    kv_cache_free(p->kv);
    p->kv = NULL;
    p->kv_rows = 0;
    if (kv_cache_new(&p->kv, p->model, rows) < 0)
        return -1;
    p->kv_rows = rows;
    return 0;
}

float *predict_need_logits(struct predictor *p, int64_t rows)
{
    if (rows > p->logits_cap) {
        p->logits =
            xnrealloc(p->logits, (size_t)(rows * model_config(p->model)->vocab), sizeof *p->logits);
        p->logits_cap = rows;
    }
    return p->logits;
}

int predict_infer(struct predictor *p, bool cached, const int32_t *row, int64_t n)
{
    float *logits = predict_need_logits(p, n);

    if (model_reserve(p->model, p->batch.tokens, false) < 0)
        return -1;
    return model_infer(p->model, &p->batch, cached ? p->kv : NULL, row, n, logits);
}
