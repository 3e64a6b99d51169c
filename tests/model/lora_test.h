/*
 * lora_test.h - what the tests of LoRA share: a golden model with its records and adapters, and the
 * gradients of one window of records.
 */
#ifndef LORA_TEST_H
#define LORA_TEST_H

#include "json.h"
#include "mem.h"
#include "run/model.h"
#include "files/adapter.h"
#include "share.h"
#include "tensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RECORDS_MAX = 128, IDS_MAX = 256, WINDOW_MAX = 8 };

struct golden_record {
    uint32_t ids[IDS_MAX];
    int64_t n;
};

struct golden { /* tests/golden/NAME on one backend */
    const char *name;
    const struct ops *ops;
    struct pack *files;
    struct model *model;
    struct golden_record record[RECORDS_MAX];
    int64_t seed, window; /* of oracle.json: the model's seed, records of an optimiser step */
};

/* The tests run in the project's root. */
static inline char *golden_path(const char *name, const char *file)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "tests/golden/%s/%s", name, file);
    return b.p;
}

static inline void must(int rc)
{
    if (rc < 0)
        fail_msg("%s", err_text());
}

static inline struct pack *open_pack(const char *name, const char *file)
{
    char *path = golden_path(name, file);
    struct pack *p;

    must(pack_open(&p, path));
    free(path);
    return p;
}

static inline void read_records(struct golden *g)
{
    char *path = golden_path(g->name, "records.jsonl"), *save;
    struct buf text = BUF_INIT;

    must(read_file(&text, path, 1 << 20));
    for (char *line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        cJSON *root = json_parse(line, strlen(line));
        int64_t id;
        const cJSON *it;

        assert_non_null(root);
        assert_int_equal(json_int(root, "id", &id, 0, RECORDS_MAX - 1), 1);
        cJSON_ArrayForEach(it, cJSON_GetObjectItemCaseSensitive(root, "ids")) g->record[id]
            .ids[g->record[id].n++] = (uint32_t)it->valuedouble;
        cJSON_Delete(root);
    }
    buf_free(&text);
    free(path);
}

static inline void read_arguments(struct golden *g)
{
    char *path = golden_path(g->name, "oracle.json");
    struct buf text = BUF_INIT;

    must(read_file(&text, path, 1 << 16));
    cJSON *root = json_parse(text.p, text.n);
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(root, "args");

    assert_int_equal(json_int(args, "seed", &g->seed, 0, 1 << 20), 1);
    assert_int_equal(json_int(args, "accum", &g->window, 1, WINDOW_MAX), 1);
    cJSON_Delete(root);
    buf_free(&text);
    free(path);
}

static inline void golden_open(struct golden *g, const char *name, const char *device,
                               const char *weights)
{
    *g = (struct golden){ .name = name, .ops = ops_find(device, 0, DT_F32, DT_F32) };
    assert_non_null(g->ops);
    g->files = open_pack(name, weights);
    must(model_open(&g->model, g->files, g->ops, DT_F32));
    read_records(g);
    read_arguments(g);
}

static inline void golden_close(struct golden *g)
{
    model_close(g->model);
    pack_close(g->files);
}

static inline struct lora_set *golden_adapter(const struct golden *g, const char *file, bool train)
{
    struct pack *p = open_pack(g->name, file);
    struct lora_set *l;

    must(lora_load(&l, model_weights(g->model), p, train));
    pack_close(p);
    return l;
}

/* The records of the first window of order.txt, packed, weighted for the mean of their means. */
static inline void first_window(struct batch *b, const struct golden *g)
{
    char *path = golden_path(g->name, "order.txt"), *at;
    struct buf text = BUF_INIT;

    must(read_file(&text, path, 1 << 16));
    at = text.p;
    for (uint32_t i = 0; i < (uint32_t)g->window; i++) {
        const struct golden_record *r = &g->record[strtol(at, &at, 10)];

        batch_add(b, r->ids, r->n, 1, 1.0f / (float)(g->window * (r->n - 1)), i);
    }
    buf_free(&text);
    free(path);
}

/* The loss of B; the gradients of L are those of B alone afterwards. */
static inline double loss_of(const struct golden *g, struct lora_set *l, const struct batch *b)
{
    float *nll = xnmalloc((size_t)b->tokens, sizeof *nll);
    double loss = 0;

    must(lora_zero_grad(l));
    must(model_train_batch(g->model, b, 7, nll));
    for (int64_t i = 0; i < b->tokens; i++)
        loss += (double)b->weight[i] * (double)nll[i];
    free(nll);
    return loss;
}

/* A flat array of L on the host. */
static inline float *fetch(const struct lora_set *l, const struct dev *d)
{
    const size_t bytes = (size_t)l->params * sizeof(float);
    float *host = xmalloc(bytes);

    must(l->ops->get(host, d, bytes));
    return host;
}

/* Where tensor 2 i (A of pair i) or 2 i + 1 (its B) lies, and how long it is. */
static inline size_t tensor_at(const struct lora_set *l, int i, int64_t *n)
{
    const struct lora_tensor *t = &l->tensor[i / 2];
    const struct module_info *info = &l->modules->at[t->module];

    *n = t->rank * (i % 2 ? info->rows : info->cols);
    return i % 2 ? t->b_at : t->a_at;
}

#endif
