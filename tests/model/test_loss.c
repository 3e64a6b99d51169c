/* Losses against the logits of the same batch; a loss that is no number names who is to blame. */
#include "golden.h"

#include "folder.h"
#include "lora/lora.h"

static struct model *open_at(struct pack **p, const char *path, const char *device)
{
    struct model *m;

    must(pack_open(p, path));
    must(model_open(&m, *p, ops_find(device, 0, DT_F32, DT_F32), DT_F32));
    return m;
}

static float *all_logits(struct model *m, const struct batch *b)
{
    int32_t *rows = xnmalloc((size_t)b->tokens, sizeof *rows);
    float *logits = xnmalloc((size_t)(b->tokens * model_config(m)->vocab), sizeof *logits);

    for (int32_t i = 0; i < (int32_t)b->tokens; i++)
        rows[i] = i;
    must(model_infer(m, b, NULL, rows, b->tokens, logits));
    free(rows);
    return logits;
}

static double nll_of(const float *logits, int64_t V, int32_t target)
{
    double sum = 0;

    for (int64_t i = 0; i < V; i++)
        sum += exp((double)logits[i]);
    return log(sum) - (double)logits[target];
}

static int32_t best_of(const float *logits, int64_t V)
{
    int32_t best = 0;

    for (int32_t i = 1; i < V; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static void losses_are_those_of_the_logits(const char *device)
{
    static const uint32_t ids[] = { 5, 77, 300, 511, 0, 12, 5 };
    struct batch b = BATCH_INIT;
    struct pack *p;
    struct model *m = open_at(&p, golden("phi-tiny/nf4"), device);
    const int64_t V = model_config(m)->vocab;
    float nll[12];
    int32_t best[12];

    batch_add(&b, ids, 7, 3, 1, 0); /* the tokens 3 .. 6 count */
    batch_add(&b, ids, 1, 1, 1, 0); /* nothing to predict */
    batch_add(&b, ids + 3, 4, 1, 1, 0);
    must(model_reserve(m, b.tokens, false));
    must(model_loss_batch(m, &b, nll, best));
    float *logits = all_logits(m, &b);

    for (int64_t i = 0; i < b.tokens; i++) {
        if (b.target[i] < 0) {
            assert_true(nll[i] == 0 && best[i] == -1);
            continue;
        }
        assert_true(fabs((double)nll[i] - nll_of(logits + i * V, V, b.target[i])) < 1e-5);
        assert_int_equal(best[i], best_of(logits + i * V, V));
    }
    assert_int_equal(b.tokens, 6 + 1 + 3); /* last tokens are targets only */
    assert_true(b.target[1] < 0 && b.target[2] == 511 && b.target[6] < 0 && b.target[7] == 0);
    free(logits);
    batch_free(&b);
    model_close(m);
    pack_close(p);
}

static void test_losses(void **state)
{
    (void)state;
    losses_are_those_of_the_logits("ref");
    losses_are_those_of_the_logits("cpu");
}

static void test_no_target(void **state)
{
    const uint32_t id = 3;
    struct batch b = BATCH_INIT;
    struct pack *p;
    struct model *m = open_at(&p, golden("phi-tiny/nf4"), "cpu");
    float nll = 1;

    (void)state;
    batch_add(&b, &id, 1, 1, 1, 0);
    must(model_reserve(m, 1, false));
    must(model_loss_batch(m, &b, &nll, NULL));
    assert_true(nll == 0);
    batch_free(&b);
    model_close(m);
    pack_close(p);
}

/* Copies phi-tiny/model with VALUE as element AT of tensors NAME[0] and NAME[1]. */
static void write_overflowing(const char *const name[2], const int at[2])
{
    const float value = 3e38f;
    struct buf config = BUF_INIT, file = BUF_INIT;
    struct tensors *t;

    must(read_file(&config, golden("phi-tiny/model/config.json"), 1 << 20));
    must(read_file(&file, golden("phi-tiny/model/model.safetensors"), 1 << 24));
    must(tensors_parse(&t, "file", (const uint8_t *)file.p, file.n));
    for (int i = 0; i < 2; i++)
        memcpy(file.p + (tensors_find(t, name[i])->data - (const uint8_t *)file.p) + 4 * at[i],
               &value, 4);
    tensors_close(t);
    folder_write("config.json", config.p, config.n);
    folder_write("model.safetensors", file.p, file.n);
    buf_free(&config);
    buf_free(&file);
}

static void test_blame(void **state)
{
    static const char *const names[] = { "model.embed_tokens.weight",
                                         "model.layers.1.mlp.fc2.bias" };
    static const uint32_t ids[] = { 7, 8, 9 };
    const struct lora_options opt = { .rank = 2, .alpha = 2, .targets = "q_proj", .init = "true" };
    struct batch b = BATCH_INIT;
    struct lora_set *l;
    struct pack *p;
    float nll[3];

    (void)state;
    write_overflowing(names, (const int[]){ 7 * 128, 0 });
    struct model *m = open_at(&p, folder, "cpu");

    must(lora_new(&l, model_ops(m), model_modules(m), &opt, 1));
    model_use_lora(m, l);
    must(model_reserve(m, 3, true));
    batch_add(&b, ids, 3, 1, 1, 0);
    assert_int_equal(model_train_batch(m, &b, 1, nll), -1);
    assert_int_equal(err_code(), EXIT_NUMERIC);
    assert_non_null(strstr(err_text(), "layer 1 "));
    batch_free(&b);
    model_close(m);
    lora_free(l);
    pack_close(p);
}

static int clean_up(void **state)
{
    (void)state;
    folder_remove("config.json");
    folder_remove("model.safetensors");
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_no_target),
        cmocka_unit_test(test_blame),
    };

    folder_make();
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
