/*
 * What prompts begin with in common goes through the model once, and nobody can tell from the
 * logits: they are the same bytes as those of whole sequences.
 */
#include "golden.h"
#include "run/prompts.h"
#include "whole.h"

#include <string.h>

enum { RECORDS = 12 };

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
    struct prompts prompts;
    struct batch batch;
    struct golden_record rec[RECORDS];
    float *logits, *want; /* (RECORDS, V) */
};

static void set_up(struct setup *s, const char *name, const char *device)
{
    char part[64];

    memset(s, 0, sizeof *s);
    (void)snprintf(part, sizeof part, "%s/nf4", name);
    must(pack_open(&s->pack, golden(part)));
    must(model_open(&s->model, s->pack, ops_find(device, 0, DT_F32, DT_F32), DT_F32));
    s->prompts.model = s->model;
    const int records = golden_records(s->rec, RECORDS, name, "test");

    assert_true(records >= 4);
    qsort(s->rec, (size_t)records, sizeof *s->rec, longer_first);
    for (int i = 0; i < 4; i++) /* what they lack is made up: the beginnings are alike anyway */
        for (struct golden_record *r = &s->rec[i]; r->n < 20; r->n++)
            r->ids[r->n] = (uint32_t)(r->n + i);
    const size_t n = RECORDS * (size_t)model_config(s->model)->vocab;

    s->logits = xnmalloc(n, sizeof *s->logits);
    s->want = xnmalloc(n, sizeof *s->want);
}

static void tear_down(struct setup *s)
{
    free(s->logits);
    free(s->want);
    batch_free(&s->batch);
    prompts_free(&s->prompts);
    model_close(s->model);
    pack_close(s->pack);
}

static void infer(struct setup *s, struct kv_cache *kv, const int32_t *row, int n, float *logits)
{
    must(model_reserve(s->model, s->batch.tokens, false));
    must(model_infer(s->model, &s->batch, kv, row, n, logits));
}

static size_t row_bytes(const struct setup *s)
{
    return (size_t)model_config(s->model)->vocab * sizeof(float);
}

/* What the model says after N ids, all of which go through it. */
static void whole(struct setup *s, const uint32_t *ids, int64_t n, float *logits)
{
    const int32_t last = (int32_t)n - 1;

    batch_clear(&s->batch);
    add_whole(&s->batch, ids, n);
    infer(s, NULL, &last, 1, logits);
}

/* Runs the prompts; they took TOKENS rows, and their logits are those of whole sequences. */
static void runs(struct setup *s, struct prompt *q, int n, int64_t shared, int64_t more,
                 int64_t tokens)
{
    int32_t row[RECORDS];

    must(prompts_add(&s->prompts, &s->batch, q, n, shared, more, row));
    assert_int_equal(s->batch.tokens, tokens);
    infer(s, s->prompts.kv, row, n, s->logits);
    for (int i = 0; i < n; i++) {
        whole(s, q[i].ids, q[i].n, s->want);
        assert_memory_equal(s->logits + i * model_config(s->model)->vocab, s->want, row_bytes(s));
    }
}

/* The first SHARED ids of record 0 in front of N records. */
static int64_t begin_alike(struct setup *s, struct prompt *q, int n, int shared)
{
    int64_t own = 0;

    for (int i = 0; i < n; i++) {
        struct golden_record *r = &s->rec[i];

        memcpy(r->ids, s->rec[0].ids, (size_t)shared * sizeof *r->ids);
        q[i] = (struct prompt){ .ids = r->ids, .n = r->n };
        own += r->n - shared;
    }
    return own;
}

/* MORE 0: keys live for one batch; else until the next. */
static void beginnings(struct setup *s, int64_t more)
{
    struct prompt q[4];
    const int64_t own = begin_alike(s, q, 4, 10);

    runs(s, q, 4, 0, more, own + 40); /* a cache that is large enough for all that follows */
    runs(s, q, 4, 10, more, own + (more ? 0 : 10));
    runs(s, q, 4, 10, more, own); /* it is there */
    runs(s, q + 1, 3, 10, more, own - (q[0].n - 10));
    runs(s, q, 4, 6, more, own + 16);              /* a part of it is used */
    runs(s, q, 4, 10, more, own + (more ? 0 : 4)); /* and made whole again */
    runs(s, q, 4, 0, more, own + 40);              /* not used */
    runs(s, q, 4, 10, more, own + (more ? 0 : 10));
    s->rec[0].ids[3] = !s->rec[0].ids[3]; /* another beginning */
    begin_alike(s, q, 4, 10);
    runs(s, q, 4, 10, more, own + 7);
    runs(s, q, 4, 10, more, own);
}

/* A prompt alone uses what it finds. */
static void alone(struct setup *s)
{
    struct prompt q[3];

    begin_alike(s, q, 3, 10);
    runs(s, &q[0], 1, 0, 0, q[0].n);
    runs(s, &q[1], 1, 10, 0, q[1].n);
    runs(s, &q[2], 1, 0, 0, q[2].n - 10);
    runs(s, &q[0], 1, 0, 3, q[0].n); /* a larger cache: made anew */
    runs(s, &q[0], 1, 0, 3, 1);      /* all but the last token, whose logits are wanted */
}

/* Two ways on behind the same prompts, one after the other: 3 tokens at once, or 1 and then 2. */
static void paths(struct setup *s)
{
    static const uint32_t next[2][3] = { { 5, 6, 7 }, { 5, 9, 8 } };
    struct prompt q[3];
    uint32_t ids[80];
    int32_t row[9];
    const int64_t own = begin_alike(s, q, 3, 8), V = model_config(s->model)->vocab;

    runs(s, q, 3, 8, 3, own + 8);
    for (int path = 0; path < 2; path++) {
        const int seen = path; /* the first token is the same */

        batch_clear(&s->batch);
        for (int i = 0; i < 3; i++) {
            prompts_extend(&s->batch, &q[i], seen, next[path] + seen, 3 - seen);
            row[i] = (int32_t)s->batch.tokens - 1;
        }
        infer(s, s->prompts.kv, row, 3, s->logits);
        for (int i = 0; i < 3; i++) {
            memcpy(ids, q[i].ids, (size_t)q[i].n * sizeof *ids);
            memcpy(ids + q[i].n, next[path], sizeof next[path]);
            whole(s, ids, q[i].n + 3, s->want);
            assert_memory_equal(s->logits + i * V, s->want, row_bytes(s));
        }
    }
    runs(s, q, 3, 8, 3, own); /* what followed is no beginning */
}

static void fit(struct setup *s)
{
    struct prompt q[4];
    int64_t shared = -1;

    begin_alike(s, q, 4, 10);
    for (int i = 0; i < 4; i++) {
        s->rec[i].ids[10] = 40 + (uint32_t)i; /* they part here */
        q[i].n = 20;
    }
    assert_int_equal(prompts_fit(q, 4, 80, 0, NULL), 4);
    assert_int_equal(prompts_fit(q, 4, 79, 0, NULL), 3);
    assert_int_equal(prompts_fit(q, 4, 50, 0, &shared), 4); /* 10 and 4 times 10 */
    assert_int_equal(shared, 10);
    assert_int_equal(prompts_fit(q, 4, 49, 0, &shared), 3);
    assert_int_equal(prompts_fit(q, 4, 50, 1, &shared), 3); /* a token to come for each */
    assert_int_equal(prompts_fit(q, 4, 1, 0, &shared), 1);
    assert_int_equal(shared, 10); /* for the next */
    assert_int_equal(prompts_fit(q, 1, 1, 0, &shared), 1);
    assert_int_equal(shared, 0);
    q[2].n = 10; /* all of it is what the others begin with: its last token is its own */
    assert_int_equal(prompts_fit(q, 4, 80, 0, &shared), 4);
    assert_int_equal(shared, 9);
    q[3].ids = q[0].ids + 1; /* begins otherwise: shares nothing, so only three fit */
    assert_int_equal(prompts_fit(q, 4, 60, 0, &shared), 3);
    assert_int_equal(shared, 9);
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

static void for_one_batch(struct setup *s)
{
    beginnings(s, 0);
}

static void for_longer(struct setup *s)
{
    beginnings(s, 2);
}

static void test_beginnings(void **state)
{
    (void)state;
    on("cpu", for_one_batch);
    on("cpu", for_longer);
    on("ref", for_one_batch);
}

static void test_alone(void **state)
{
    (void)state;
    on("cpu", alone);
}

static void test_paths(void **state)
{
    (void)state;
    on("cpu", paths);
    on("ref", paths);
}

static void test_fit(void **state)
{
    (void)state;
    on("cpu", fit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
