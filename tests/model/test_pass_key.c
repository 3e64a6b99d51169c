/*
 * A pass is told to the device by a key: passes that differ in anything the host decides by have
 * keys of their own, so that one that is played again gives what it gives op by op.
 */
#include "golden.h"
#include "run/model_parts.h"
#include "skip.h"

enum { RECORDS = 12, CACHES = 2, EACH = 40, ROUNDS = 4, SAID = 2, MOST_SEQS = 3 };

static const struct {
    const char *name;
    enum dtype compute;
} models[] = { { "phi-tiny", DT_F32 }, { "phi3-odd", DT_BF16 } };

enum { MODELS = sizeof models / sizeof *models };

/* Tokens of each sequence, which of them are asked from the end (0: the last), of what. Each
 * differs from one above it in one thing. */
static const struct variant {
    int seqs, tokens[MOST_SEQS], cache; /* -1: none */
    int picks, pick[MOST_SEQS][2];      /* sequence, token from its end */
    int said; /* ids of which log-probabilities are asked; -1: all logits */
} variants[] = {
    { 2, { 1, 1 }, 0, 2, { { 0, 0 }, { 1, 0 } }, 0 },
    { 2, { 1, 1 }, 1, 2, { { 0, 0 }, { 1, 0 } }, 0 },    /* another cache */
    { 2, { 1, 1 }, 0, 2, { { 0, 0 }, { 1, 0 } }, SAID }, /* more is asked */
    { 2, { 1, 1 }, 0, 2, { { 0, 0 }, { 1, 0 } }, -1 },
    { 2, { 1, 1 }, 0, 1, { { 1, 0 } }, 0 }, /* of one alone */
    { 3, { 1, 1, 1 }, 0, 3, { { 0, 0 }, { 1, 0 }, { 2, 0 } }, 0 },
    { 1, { 2 }, 0, 1, { { 0, 0 } }, 0 }, /* two tokens of one */
    { 2, { 12, 1 }, 0, 2, { { 0, 0 }, { 1, 0 } }, 0 },
    { 2, { 7, 6 }, 0, 2, { { 0, 4 }, { 1, 0 } }, 0 },  /* a shorter longest one */
    { 2, { 7, 6 }, 0, 2, { { 0, 0 }, { 1, 0 } }, 0 },  /* fewer rows of the last layer */
    { 2, { 7, 6 }, 0, 2, { { 0, 0 }, { 1, 4 } }, 0 },  /* as many: the other sequence's */
    { 2, { 7, 6 }, -1, 2, { { 0, 0 }, { 1, 0 } }, 0 }, /* no cache */
};

enum { VARIANTS = sizeof variants / sizeof *variants };

struct setup {
    struct pack *pack;
    struct model *model;
    struct kv_cache *kv[CACHES];
    int64_t V;
    struct golden_record rec[RECORDS];
};

static void fill_cache(struct setup *s, struct kv_cache *kv)
{
    struct batch b = BATCH_INIT;
    uint32_t ids[EACH];
    const int32_t row = 0;
    int32_t best;

    for (int i = 0; i < EACH; i++)
        ids[i] = s->rec[i % 3].ids[i % 11];
    for (int i = 0; i < MOST_SEQS; i++)
        batch_add_cached(&b, ids, EACH, 0, &(struct seq){ .k_start = i * EACH, .k_len = EACH });
    must(model_reserve(s->model, b.tokens, false));
    must(model_select(s->model, &b, kv, &row, 1, &(struct selected){ .best = &best }));
    batch_free(&b);
}

static void set_up(struct setup *s, const char *name, enum dtype compute, const struct ops *ops)
{
    char part[64];

    (void)snprintf(part, sizeof part, "%s/nf4", name);
    must(pack_open(&s->pack, golden(part)));
    must(model_open(&s->model, s->pack, ops, compute));
    s->V = model_config(s->model)->vocab;
    assert_true(golden_records(s->rec, RECORDS, name, "test") >= 3);
    for (int i = 0; i < CACHES; i++) {
        must(kv_cache_new(&s->kv[i], s->model, MOST_SEQS * EACH, MOST_SEQS * EACH));
        fill_cache(s, s->kv[i]);
    }
}

static void tear_down(struct setup *s)
{
    for (int i = 0; i < CACHES; i++)
        kv_cache_free(s->kv[i]);
    model_close(s->model);
    pack_close(s->pack);
}

/* What a variant's pass gives, at another place in its sequences each ROUND: N bytes, to be freed.
 */
static void *pass(struct setup *s, const struct variant *v, int round, size_t *n)
{
    const int64_t words = v->said < 0 ? v->picks * s->V : v->picks * (2 * v->said + 1);
    float *out = xcalloc((size_t)words, sizeof *out);
    struct batch b = BATCH_INIT;
    int32_t row[MOST_SEQS], id[MOST_SEQS * SAID];

    for (int i = 0; i < v->seqs; i++) {
        const int32_t before = v->cache < 0 ? 0 : 15 + 3 * round, len = before + v->tokens[i];

        batch_add_cached(
            &b, s->rec[(i + round) % 3].ids, v->tokens[i], before,
            &(struct seq){ .k_start = v->cache < 0 ? (int32_t)b.tokens : i * EACH, .k_len = len });
    }
    for (int i = 0; i < v->picks; i++) {
        const struct seq *q = &b.seq[v->pick[i][0]];

        row[i] = q->q_start + q->q_len - 1 - v->pick[i][1];
        for (int j = 0; j < SAID; j++)
            id[i * SAID + j] = 5 * i + 3 * j + round;
    }
    struct kv_cache *const kv = v->cache < 0 ? NULL : s->kv[v->cache];
    double logp[MOST_SEQS * SAID];

    if (v->said < 0) {
        must(model_infer(s->model, &b, kv, row, v->picks, out));
    } else {
        const struct selected said = { v->said, id, logp, (int32_t *)out };

        must(model_select(s->model, &b, kv, row, v->picks, &said));
        memcpy(out + v->picks, logp, (size_t)(v->picks * v->said) * sizeof *logp);
    }
    batch_free(&b);
    *n = (size_t)words * sizeof *out;
    return out;
}

static const struct ops *on_device(const char *how, enum dtype compute)
{
    const char *const build = getenv("BUILD"), *const chosen = getenv("CUDA_PLUGIN");
    char folder[512];

    (void)snprintf(folder, sizeof folder, "%s/emulated", build ? build : "build/release");
    setenv("SLMTOOLS_LIB", chosen ? chosen : folder, 1);
    setenv("SLMTOOLS_CUDA", how, 1);
    return ops_find("cuda", 1, compute, compute);
}

static void passes_are_told_apart(void **state)
{
    static void *want[ROUNDS][VARIANTS];
    size_t n;

    (void)state;
    for (int i = 0; i < MODELS; i++) {
        struct setup s;
        const struct ops *ops = on_device("nograph", models[i].compute);

        if (!ops)
            SKIP("no stand-in for a GPU: it needs a C++ compiler");
        set_up(&s, models[i].name, models[i].compute, ops);
        for (int round = 0; round < ROUNDS; round++)
            for (int v = 0; v < VARIANTS; v++)
                want[round][v] = pass(&s, &variants[v], round, &n);
        assert_int_equal(s.model->played, 0);
        tear_down(&s);
        set_up(&s, models[i].name, models[i].compute, on_device("", models[i].compute));
        for (int round = 0; round < ROUNDS; round++)
            for (int v = 0; v < VARIANTS; v++) {
                void *got = pass(&s, &variants[v], round, &n);

                if (memcmp(got, want[round][v], n))
                    fail_msg("%s: variant %d has other bytes in round %d than op by op",
                             models[i].name, v, round);
                free(got);
                free(want[round][v]);
            }
        assert_true(s.model->played >= VARIANTS * (ROUNDS - 3)); /* memory grows in the first */
        tear_down(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(passes_are_told_apart) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
