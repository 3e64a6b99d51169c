/*
 * Three ways to the same numbers: whole sequences, a cache that grows token by token, branches that
 * share a prompt. A record's logits are the same bytes whichever way and whoever else is in the
 * batch.
 */
#include "golden.h"
#include "whole.h"

enum { RECORDS = 12, ROWS = 512 };

/* Phi, and what others add to the way of keys: windows shorter than a text, fused projections,
 * norms of heads. */
static const char *const models[] = { "phi-tiny", "mistral-tiny", "phi3-odd", "qwen3-odd" };

enum { MODELS = sizeof models / sizeof *models };

static int longer_first(const void *a, const void *b)
{
    return ((const struct golden_record *)b)->n - ((const struct golden_record *)a)->n;
}

struct setup {
    struct pack *pack;
    struct model *model;
    struct kv_cache *kv;
    int64_t V;
    struct golden_record rec[RECORDS];
    int n;
    float *want; /* (tokens of record 0, V) from the record alone */
};

static struct golden_record *first(struct setup *s)
{
    return &s->rec[0];
}

/* Logits of every row of B. */
static float *infer(struct setup *s, const struct batch *b, struct kv_cache *kv)
{
    int32_t *rows = xnmalloc((size_t)b->tokens, sizeof *rows);
    float *logits = xnmalloc((size_t)(b->tokens * s->V), sizeof *logits);

    for (int32_t i = 0; i < (int32_t)b->tokens; i++)
        rows[i] = i;
    must(model_reserve(s->model, b->tokens, false));
    must(model_infer(s->model, b, kv, rows, b->tokens, logits));
    free(rows);
    return logits;
}

static void set_up(struct setup *s, const char *name, const char *device)
{
    struct batch b = BATCH_INIT;
    char part[64];

    (void)snprintf(part, sizeof part, "%s/nf4", name);
    must(pack_open(&s->pack, golden(part)));
    must(model_open(&s->model, s->pack, ops_find(device, 0, DT_F32, DT_F32), DT_F32));
    must(kv_cache_new(&s->kv, s->model, ROWS, ROWS));
    s->V = model_config(s->model)->vocab;
    s->n = golden_records(s->rec, RECORDS, name, "test");
    assert_true(s->n >= 3);
    qsort(s->rec, (size_t)s->n, sizeof *s->rec, longer_first);
    assert_true(first(s)->n >= 16 && s->rec[1].n >= 5);
    add_whole(&b, first(s)->ids, first(s)->n);
    s->want = infer(s, &b, NULL);
    batch_free(&b);
}

static void tear_down(struct setup *s)
{
    free(s->want);
    kv_cache_free(s->kv);
    model_close(s->model);
    pack_close(s->pack);
}

static void neighbours_do_not_matter(struct setup *s)
{
    struct batch b = BATCH_INIT;

    for (int i = s->n - 1; i >= 0; i--)
        add_whole(&b, s->rec[i].ids, s->rec[i].n);
    float *got = infer(s, &b, NULL);
    const float *mine = got + b.seq[s->n - 1].q_start * s->V;

    assert_memory_equal(mine, s->want, (size_t)(first(s)->n * s->V) * sizeof *mine);
    free(got);
    batch_free(&b);
}

/* Two records at once, pieces of 5, 1, 1, ... tokens; the cache of the second stands before the
 * first's. */
static void cache_grows(struct setup *s)
{
    const struct golden_record *other = &s->rec[1], *r = first(s);
    struct batch b = BATCH_INIT;

    for (int done = 0, piece = 5; done < r->n; done += piece, piece = 1) {
        batch_clear(&b);
        if (done < other->n)
            batch_add_cached(&b, other->ids + done, done ? 1 : 5, done,
                             &(struct seq){ .k_start = 3, .k_len = done ? done + 1 : 5 });
        const int64_t at = batch_add_cached(&b, r->ids + done, piece, done,
                                            &(struct seq){ .k_start = 100, .k_len = done + piece });
        float *got = infer(s, &b, s->kv);

        assert_memory_equal(got + b.seq[at].q_start * s->V, s->want + done * s->V,
                            (size_t)(piece * s->V) * sizeof *got);
        free(got);
    }
    batch_free(&b);
}

/* The first two thirds once, then the rest of the record twice as branches behind them. */
static void branches_share(struct setup *s)
{
    const struct golden_record *r = first(s);
    const int shared = r->n * 2 / 3, rest = r->n - shared;
    struct batch b = BATCH_INIT;

    batch_add_cached(&b, r->ids, shared, 0, &(struct seq){ .k_start = 7, .k_len = shared });
    free(infer(s, &b, s->kv));
    batch_clear(&b);
    for (int i = 0; i < 2; i++)
        batch_add_cached(
            &b, r->ids + shared, rest, shared,
            &(struct seq){
                .k_start = 100 + 100 * i, .k_len = rest, .shared_start = 7, .shared_len = shared });
    float *got = infer(s, &b, s->kv);

    for (int i = 0; i < 2; i++)
        assert_memory_equal(got + i * rest * s->V, s->want + shared * s->V,
                            (size_t)(rest * s->V) * sizeof *got);
    free(got);
    batch_free(&b);
}

/* A few rows, in any order, of sequences of which some are not asked: as where all are. */
static void rows_are_chosen(struct setup *s)
{
    const struct golden_record *r = first(s);
    struct batch b = BATCH_INIT;
    const size_t bytes = (size_t)s->V * sizeof(float);
    float *got = xnmalloc(3, bytes);

    for (int cached = 0; cached < 2; cached++) {
        batch_clear(&b);
        batch_add_cached(&b, s->rec[1].ids, s->rec[1].n, 0, &(struct seq){ .k_len = s->rec[1].n });
        const int64_t at = batch_add_cached(&b, r->ids, r->n, 0,
                                            &(struct seq){ .k_start = s->rec[1].n, .k_len = r->n });
        const int32_t start = b.seq[at].q_start;

        batch_add_cached(&b, s->rec[2].ids, s->rec[2].n, 0,
                         &(struct seq){ .k_start = (int32_t)b.tokens, .k_len = s->rec[2].n });
        const int32_t rows[] = { (int32_t)b.tokens - 1, start + r->n - 1, start + 7 };

        must(model_reserve(s->model, b.tokens, false));
        must(model_infer(s->model, &b, cached ? s->kv : NULL, rows, 3, got));
        assert_memory_equal(got + s->V, s->want + (r->n - 1) * s->V, bytes);
        assert_memory_equal(got + 2 * s->V, s->want + 7 * s->V, bytes);
    }
    free(got);
    batch_free(&b);
}

static void on(const char *device, void (*check)(struct setup *s))
{
    struct setup s;

    for (int i = 0; i < MODELS; i++) {
        set_up(&s, models[i], device);
        check(&s);
        tear_down(&s);
    }
}

static void test_neighbours(void **state)
{
    (void)state;
    on("ref", neighbours_do_not_matter);
    on("cpu", neighbours_do_not_matter);
}

static void test_cache(void **state)
{
    (void)state;
    on("ref", cache_grows);
    on("cpu", cache_grows);
}

static void test_branches(void **state)
{
    (void)state;
    on("ref", branches_share);
    on("cpu", branches_share);
}

static void test_rows(void **state)
{
    (void)state;
    on("ref", rows_are_chosen);
    on("cpu", rows_are_chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
