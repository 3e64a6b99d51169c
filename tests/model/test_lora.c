/* LoRA in the model: first values, gradients against recorded ones and finite differences, joining.
 */
#include "lora_test.h"

#include "lora/lora_set.h"

static const char *const models[] = { "phi-tiny",  "phi-odd",   "llama-odd", "mistral-tiny",
                                      "qwen2-odd", "qwen3-odd", "phi3-odd" };
static const char *const devices[] = { "ref", "cpu" };

enum { MODELS = sizeof models / sizeof *models };

/* ---- first values ---- */

/* PEFT drew adapter-init after torch.manual_seed(the model's seed + 2). */
static void draws_what_peft_draws(void **state)
{
    (void)state;
    for (int m = 0; m < MODELS; m++) {
        struct golden g;
        struct lora_set *want, *got;

        golden_open(&g, models[m], "ref", "nf4");
        want = golden_adapter(&g, "adapter-init", false);
        const struct lora_options opt = { .rank = want->opt.rank,
                                          .alpha = want->opt.alpha,
                                          .targets = "all-linear",
                                          .init = "true" };

        must(
            lora_new(&got, model_ops(g.model), model_modules(g.model), &opt, (uint32_t)g.seed + 2));
        assert_int_equal(got->params, want->params);

        float *a = fetch(want, want->p), *b = fetch(got, got->p);

        assert_memory_equal(a, b, (size_t)want->params * sizeof *a);
        free(a);
        free(b);
        lora_free(want);
        lora_free(got);
        golden_close(&g);
    }
}

static void targets_choose_linears(void **state)
{
    static const struct {
        const char *targets;
        int pairs;
    } cases[] = {
        { "all-linear", 18 },          { "q_proj", 3 },
        { "self_attn.dense,fc2", 6 },  { "model.layers.1.mlp.fc1", 1 },
        { "layers.1.mlp.fc1,fc1", 3 },
    };
    static const char *const wrong[] = { "proj", "q_proj,,fc1", "", "lm_head", "q_proj," };
    struct golden g;
    struct lora_set *l;

    (void)state;
    golden_open(&g, "phi-tiny", "ref", "nf4");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct lora_options opt = {
            .rank = 2, .alpha = 4, .targets = cases[i].targets, .init = "false"
        };

        must(lora_new(&l, model_ops(g.model), model_modules(g.model), &opt, 1));
        assert_int_equal(l->n, cases[i].pairs);
        lora_free(l);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct lora_options opt = {
            .rank = 2, .alpha = 4, .targets = wrong[i], .init = "true"
        };

        assert_int_equal(lora_new(&l, model_ops(g.model), model_modules(g.model), &opt, 1), -1);
        assert_int_equal(err_code(), EXIT_USAGE);
    }
    golden_close(&g);
}

/* Standard deviation 1 / r, and the B of "true" and "gaussian" is zero. */
static void gaussian_start_has_its_spread(void **state)
{
    const struct lora_options opt = { .rank = 4, .alpha = 4, .targets = "fc2", .init = "gaussian" };
    struct golden g;
    struct lora_set *l;
    double sum = 0, squares = 0;
    int64_t n, count = 0;

    (void)state;
    golden_open(&g, "phi-tiny", "ref", "nf4");
    must(lora_new(&l, model_ops(g.model), model_modules(g.model), &opt, 5));

    float *p = fetch(l, l->p);

    for (int i = 0; i < 2 * l->n; i++) {
        const size_t at = tensor_at(l, i, &n);

        for (int64_t k = 0; k < n; k++) {
            if (i % 2)
                assert_true(p[at + (size_t)k] == 0);
            sum += (double)p[at + (size_t)k];
            squares += (double)p[at + (size_t)k] * (double)p[at + (size_t)k];
        }
        count += i % 2 ? 0 : n;
    }
    assert_true(fabs(sum / (double)count) < 0.02);
    assert_true(fabs(sqrt(squares / (double)count) - 0.25) < 0.01);
    free(p);
    lora_free(l);
    golden_close(&g);
}

/* ---- gradients ---- */

/* Largest difference of tensor I from WANT, in units of WANT's largest entry. */
static double tensor_error(const struct lora_set *l, const float *got, int i,
                           const struct tensors *want)
{
    struct buf name = BUF_INIT;
    int64_t n;
    const size_t at = tensor_at(l, i, &n);
    double error = 0, largest = 0;

    buf_puts(&name, "base_model.model.");
    module_path(&name, l->modules, l->tensor[i / 2].layer, l->tensor[i / 2].module);
    buf_puts(&name, i % 2 ? ".lora_B.weight" : ".lora_A.weight");

    const struct tensor *t = tensors_find(want, name.p);

    assert_non_null(t);
    assert_int_equal(t->n, n);
    for (int64_t k = 0; k < n; k++) {
        float w;

        memcpy(&w, t->data + 4 * k, sizeof w);
        largest = fmax(largest, fabs((double)w));
        error = fmax(error, fabs((double)w - (double)got[at + (size_t)k]));
    }
    buf_free(&name);
    return largest > 0 ? error / largest : error;
}

static void check_first_gradients(const char *name, const char *device)
{
    struct golden g;
    struct batch b = BATCH_INIT;
    struct buf file = BUF_INIT;
    struct tensors *want;
    double worst = 0;
    char *path = golden_path(name, "grads.safetensors");

    golden_open(&g, name, device, "nf4");
    struct lora_set *l = golden_adapter(&g, "adapter-init", true);

    first_window(&b, &g);
    model_use_lora(g.model, l);
    must(model_reserve(g.model, b.tokens, true));
    (void)loss_of(&g, l, &b);

    float *got = fetch(l, l->g);

    must(read_file(&file, path, 1 << 24));
    must(tensors_parse(&want, path, (const uint8_t *)file.p, file.n));
    for (int i = 0; i < 2 * l->n; i++)
        worst = fmax(worst, tensor_error(l, got, i, want));
    printf("# %s on %s: worst gradient %.2e of its tensor's largest entry\n", name, device, worst);
    assert_true(worst <= 1e-5);

    tensors_close(want);
    buf_free(&file);
    free(path);
    free(got);
    batch_free(&b);
    lora_free(l);
    golden_close(&g);
}

static void first_gradients_are_the_recorded_ones(void **state)
{
    (void)state;
    for (int m = 0; m < MODELS; m++)
        for (int d = 0; d < 2; d++)
            check_first_gradients(models[m], devices[d]);
}

/* Adds STEP times the unit vector along gradient G of tensor I to the parameters. */
static void move(struct lora_set *l, const float *p, const float *g, int i, double norm,
                 double step)
{
    int64_t n;
    const size_t at = tensor_at(l, i, &n), bytes = (size_t)n * sizeof(float);
    float *moved = xmalloc(bytes);

    for (int64_t k = 0; k < n; k++)
        moved[k] = (float)((double)p[at + (size_t)k] + step * (double)g[at + (size_t)k] / norm);
    must(l->ops->put(l->ops->slice(l->p, at * sizeof(float)), moved, bytes));
    free(moved);
}

/* Along its own gradient the loss rises by the gradient's norm: every tensor of LAYER, with LoRA's
 * dropout and the residual one switched on under one fixed mask. */
static void check_slopes(const char *name, int layer)
{
    const double step = 4e-3;
    struct golden g;
    struct batch b = BATCH_INIT;

    golden_open(&g, name, "ref", "nf4");
    struct lora_set *l = golden_adapter(&g, "adapter-final", true);

    l->opt.dropout = 0.2;
    model_set_resid_pdrop(g.model, 0.1f);
    model_use_lora(g.model, l);
    first_window(&b, &g);
    must(model_reserve(g.model, b.tokens, true));

    const double with_dropout = loss_of(&g, l, &b);
    float *p = fetch(l, l->p), *grad = fetch(l, l->g);
    double worst = 0;

    for (int i = 0; i < 2 * l->n; i++) {
        int64_t n;
        const size_t at = tensor_at(l, i, &n);
        double norm = 0;

        if (l->tensor[i / 2].layer != layer)
            continue;
        for (int64_t k = 0; k < n; k++)
            norm += (double)grad[at + (size_t)k] * (double)grad[at + (size_t)k];
        norm = sqrt(norm);
        move(l, p, grad, i, norm, step);
        const double up = loss_of(&g, l, &b);

        move(l, p, grad, i, norm, -step);
        const double down = loss_of(&g, l, &b);

        move(l, p, grad, i, norm, 0);
        worst = fmax(worst, fabs((up - down) / (2 * step) - norm) / norm);
    }
    printf("# %s: worst slope differs by %.2e\n", name, worst);
    assert_true(worst < 2e-3);

    l->opt.dropout = 0;
    assert_true(fabs(loss_of(&g, l, &b) - with_dropout) > 1e-3);
    free(p);
    free(grad);
    batch_free(&b);
    lora_free(l);
    golden_close(&g);
}

static void gradients_under_dropout_are_slopes(void **state)
{
    (void)state;
    check_slopes("phi-tiny", 1);
    check_slopes("phi3-odd", 0);
    check_slopes("qwen3-odd", 1);
}

/* The second half of the first window's records as completions: a target for every row, those of
 * the prompts of weight 0; or, FEW, none for these. */
static void completions(struct batch *b, const struct golden *g, bool few)
{
    first_window(b, g);
    for (int64_t s = 0; s < b->seqs; s++)
        for (int32_t i = 0; i < b->seq[s].q_len / 2; i++) {
            const int32_t row = b->seq[s].q_start + i;

            b->weight[row] = 0;
            if (few)
                b->target[row] = -1;
        }
}

/* What is not made of rows without a target would have been multiplied by 0. */
static void check_few_targets(const char *name, const char *device)
{
    struct golden g;
    float *grad[2], *nll[2];

    golden_open(&g, name, device, "nf4");
    struct lora_set *l = golden_adapter(&g, "adapter-final", true);

    l->opt.dropout = 0.2;
    model_set_resid_pdrop(g.model, 0.1f);
    model_use_lora(g.model, l);
    for (int few = 0; few < 2; few++) {
        struct batch b = BATCH_INIT;

        completions(&b, &g, few);
        must(model_reserve(g.model, b.tokens, true));
        (void)loss_of(&g, l, &b);
        grad[few] = fetch(l, l->g);
        nll[few] = xnmalloc((size_t)b.tokens, sizeof *nll[few]);
        must(model_loss_batch(g.model, &b, nll[few], NULL));
        if (few)
            for (int64_t i = 0; i < b.tokens; i++)
                assert_true(nll[1][i] == (b.target[i] < 0 ? 0 : nll[0][i]));
        batch_free(&b);
    }
    for (int64_t i = 0; i < l->params; i++)
        assert_true(grad[0][i] == grad[1][i]);
    for (int few = 0; few < 2; few++) {
        free(grad[few]);
        free(nll[few]);
    }
    lora_free(l);
    golden_close(&g);
}

static void rows_without_a_target_change_nothing(void **state)
{
    (void)state;
    for (int m = 0; m < MODELS; m++)
        for (int d = 0; d < 2; d++)
            check_few_targets(models[m], devices[d]);
}

/* ---- the norm and the update ---- */

static void a_gradient_that_is_no_number_is_named(void **state)
{
    const float bad = NAN;
    struct golden g;
    double norm;

    (void)state;
    golden_open(&g, "phi-tiny", "cpu", "nf4");
    struct lora_set *l = golden_adapter(&g, "adapter-init", true);

    must(lora_zero_grad(l));
    must(lora_grad_norm(l, &norm));
    assert_true(norm == 0);
    must(l->ops->put(l->ops->slice(l->g, (lora_find(l, 2, 3)->b_at + 5) * sizeof bad), &bad,
                     sizeof bad));
    assert_int_equal(lora_grad_norm(l, &norm), -1);
    assert_int_equal(err_code(), EXIT_NUMERIC);
    assert_non_null(strstr(err_text(), "model.layers.2.self_attn.dense.lora_B"));
    lora_free(l);
    golden_close(&g);
}

static void clipping_scales_only_what_is_too_long(void **state)
{
    struct golden g;
    struct optim_step step = { .kind = OPTIM_SGD, .lr = 0 };

    (void)state;
    golden_open(&g, "phi-tiny", "ref", "nf4");
    struct lora_set *l = golden_adapter(&g, "adapter-init", true);

    must(lora_zero_grad(l));
    must(lora_step(l, 1, 0.3, 1, &step));
    assert_true(step.clip == 0.3 / (1 + 1e-6) && step.t == 1);
    must(lora_step(l, 0.2, 0.3, 1, &step));
    assert_true(step.clip == 1 && step.t == 2);
    must(lora_step(l, 9, 0, 1, &step));
    assert_true(step.clip == 1);
    must(lora_step(l, 9, 0, 1024, &step));
    assert_true(step.clip == 0x1p-10);
    lora_free(l);
    golden_close(&g);
}

/* ---- joining ---- */

static double plain_loss(const struct golden *g, const struct lora_set *l, const struct batch *b)
{
    float *nll = xnmalloc((size_t)b->tokens, sizeof *nll);
    double loss = 0;

    model_use_lora(g->model, l);
    must(model_reserve(g->model, b->tokens, false));
    must(model_loss_batch(g->model, b, nll, NULL));
    for (int64_t i = 0; i < b->tokens; i++)
        loss += (double)nll[i];
    free(nll);
    return loss;
}

/* The final adapter once is the final adapter at 0.75 and at 0.25 together; the first one adds
 * nothing. */
static void adapters_join(void **state)
{
    static const double scale[] = { 0.75, 0.25, 3 }, one[] = { 1 }, half[] = { 0.5 };
    struct golden g;
    struct batch b = BATCH_INIT;
    struct lora_set *joined, *single, *weak;

    (void)state;
    golden_open(&g, "phi-tiny", "cpu", "nf4");
    struct lora_set *final = golden_adapter(&g, "adapter-final", false);
    struct lora_set *init = golden_adapter(&g, "adapter-init", false);
    struct lora_set *const three[] = { final, final, init };

    first_window(&b, &g);
    const double want = plain_loss(&g, final, &b), base = plain_loss(&g, NULL, &b);

    must(lora_join(&joined, three, scale, 3));
    must(lora_join(&single, three, one, 1));
    must(lora_join(&weak, three, half, 1));
    assert_int_equal(joined->tensor[0].rank, 3 * final->opt.rank);
    assert_true(fabs(plain_loss(&g, joined, &b) / want - 1) < 1e-6);
    assert_true(plain_loss(&g, single, &b) == want);
    assert_true(fabs(plain_loss(&g, weak, &b) / want - 1) > 1e-3);
    assert_true(fabs(base / want - 1) > 1e-2);
    lora_free(joined);
    lora_free(single);
    lora_free(weak);
    lora_free(final);
    lora_free(init);
    batch_free(&b);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_what_peft_draws),
        cmocka_unit_test(targets_choose_linears),
        cmocka_unit_test(gaussian_start_has_its_spread),
        cmocka_unit_test(first_gradients_are_the_recorded_ones),
        cmocka_unit_test(gradients_under_dropout_are_slopes),
        cmocka_unit_test(rows_without_a_target_change_nothing),
        cmocka_unit_test(a_gradient_that_is_no_number_is_named),
        cmocka_unit_test(clipping_scales_only_what_is_too_long),
        cmocka_unit_test(adapters_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
