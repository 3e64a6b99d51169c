/*
 * One pass that gives losses and what is asked of rows: the bytes of a pass for the losses alone,
 * and of whole sequences for what follows a prompt.
 */
#include "golden.h"
#include "whole.h"

enum { RECORDS = 12, USED = 3, PATHS = 2, N = 3 };

/* What may follow a prompt: of 3 tokens and of 1. */
static const uint32_t next[PATHS][3] = { { 5, 6, 7 }, { 9 } };
static const int64_t length[PATHS] = { 3, 1 };
static const int32_t ids[N] = { 3, -1, 11 };

struct setup {
    struct pack *pack;
    struct model *model;
    struct golden_record rec[RECORDS];
};

/* The next row that is asked of three ids, in Q. */
struct questions {
    int64_t n;
    int32_t row[64], ids[64 * N], best[64];
    double logp[64 * N];
};

static void ask(struct questions *q, int64_t row)
{
    memcpy(q->ids + q->n * N, ids, sizeof ids);
    q->row[q->n++] = (int32_t)row;
}

static struct selected selected(struct questions *q)
{
    return (struct selected){ .n = N, .ids = q->ids, .logp = q->logp, .best = q->best };
}

/* What the model says behind N tokens that go through it alone. */
static void whole(const struct setup *s, const uint32_t *tokens, int64_t n, struct questions *q)
{
    struct batch b = BATCH_INIT;

    q->n = 0;
    ask(q, n - 1);
    const struct selected what = selected(q);

    add_whole(&b, tokens, n);
    must(model_reserve(s->model, n, false));
    must(model_select(s->model, &b, NULL, q->row, 1, &what));
    batch_free(&b);
}

/* Three records, as in training, and behind the last token of each prompt both paths. */
static void fill(struct batch *b, struct questions *q, const struct setup *s)
{
    for (int i = 0; i < USED; i++) {
        const struct golden_record *r = &s->rec[i];

        batch_add(b, r->ids, r->n, i == 1 ? r->n_prompt : 1, 1, 0);
    }
    q->n = 0;
    for (int i = 0; i < USED; i++) {
        const int64_t prompt = s->rec[i].n_prompt;

        ask(q, b->seq[i].q_start + prompt - 1);
        for (int p = 0; p < PATHS; p++) {
            const int64_t first = b->tokens;

            batch_add_branch(b, i, prompt, next[p], length[p]);
            for (int64_t k = 0; k < length[p]; k++)
                ask(q, first + k);
        }
    }
}

static void check_rows(const struct setup *s, const struct questions *got)
{
    struct questions want;
    uint32_t tokens[80];
    int64_t at = 0;

    for (int i = 0; i < USED; i++) {
        const struct golden_record *r = &s->rec[i];

        memcpy(tokens, r->ids, (size_t)r->n_prompt * sizeof *tokens);
        for (int p = -1; p < PATHS; p++)
            for (int64_t k = p < 0 ? 0 : 1; k <= (p < 0 ? 0 : length[p]); k++, at++) {
                if (p >= 0)
                    memcpy(tokens + r->n_prompt, next[p], (size_t)k * sizeof *tokens);
                whole(s, tokens, r->n_prompt + k, &want);
                assert_memory_equal(got->logp + at * N, want.logp, sizeof *want.logp * N);
                assert_int_equal(got->best[at], want.best[0]);
            }
    }
    assert_int_equal(at, got->n);
}

static void check(const struct setup *s, bool train)
{
    struct batch b = BATCH_INIT, plain = BATCH_INIT;
    struct questions q;
    float nll[400], want[400];

    for (int i = 0; i < USED; i++)
        batch_add(&plain, s->rec[i].ids, s->rec[i].n, i == 1 ? s->rec[i].n_prompt : 1, 1, 0);
    fill(&b, &q, s);
    assert_true(b.tokens < 400);
    must(model_reserve(s->model, b.tokens, train));
    const struct selected what = selected(&q);

    must(model_loss_select(s->model, &b, nll, q.row, q.n, &what));
    must(model_loss_batch(s->model, &plain, want, NULL));
    assert_memory_equal(nll, want, (size_t)plain.tokens * sizeof *nll);
    for (int64_t i = plain.tokens; i < b.tokens; i++)
        assert_true(nll[i] == 0);
    check_rows(s, &q);
    batch_free(&b);
    batch_free(&plain);
}

/* Phi, and what others add to the way of keys: windows shorter than a text, fused projections,
 * norms of heads. */
static void on(const char *device)
{
    static const char *const models[] = { "phi-tiny", "mistral-tiny", "phi3-odd", "qwen3-odd" };

    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int train = 0; train < 2; train++) {
            struct setup s = { 0 };
            char part[64];

            (void)snprintf(part, sizeof part, "%s/nf4", models[i]);
            must(pack_open(&s.pack, golden(part)));
            must(model_open(&s.model, s.pack, ops_find(device, 0, DT_F32, DT_F32), DT_F32));
            assert_true(golden_records(s.rec, RECORDS, models[i], "test") >= USED);
            check(&s, train);
            model_close(s.model);
            pack_close(s.pack);
        }
}

static void on_the_cpu(void **state)
{
    (void)state;
    on("cpu");
}

static void on_ref(void **state)
{
    (void)state;
    on("ref");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(on_the_cpu), cmocka_unit_test(on_ref) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
