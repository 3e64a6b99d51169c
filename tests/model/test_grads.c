/* LoRA gradients of the first optimiser window against PyTorch's, several ways of packing the
 * window. */
#include "golden.h"

#include "model/lora.h"

enum { WINDOW = 8, RECORDS = 80 };

struct setup {
    struct pack *pack, *adapter;
    struct model *model;
    struct lora_set *lora;
    struct golden_record record[RECORDS];
    int window[WINDOW]; /* index into record */
};

static void read_window(struct setup *s, const char *name)
{
    struct buf text = BUF_INIT;
    char part[128];

    /* ids of training records are their positions */
    (void)golden_records(s->record, RECORDS, name, "train");
    (void)snprintf(part, sizeof part, "%s/order.txt", name);
    must(read_file(&text, golden(part), 1 << 16));
    const char *at = text.p;
    for (int i = 0; i < WINDOW; i++)
        s->window[i] = (int)strtol(at, (char **)&at, 10);
    buf_free(&text);
}

static void set_up(struct setup *s, const char *name, const char *device)
{
    char part[128];

    (void)snprintf(part, sizeof part, "%s/nf4", name);
    must(pack_open(&s->pack, golden(part)));
    must(model_open(&s->model, s->pack, ops_find(device, 0), DT_F32));
    (void)snprintf(part, sizeof part, "%s/adapter-init", name);
    must(pack_open(&s->adapter, golden(part)));
    must(lora_load(&s->lora, s->model, s->adapter, true));
    model_use_lora(s->model, s->lora);
    must(lora_zero_grad(s->lora));
    read_window(s, name);
}

static void tear_down(struct setup *s)
{
    model_close(s->model);
    lora_free(s->lora);
    pack_close(s->adapter);
    pack_close(s->pack);
}

/* Adds the gradients of the window, AT_ONCE records a batch. */
static void run_window(struct setup *s, int at_once)
{
    struct batch b = BATCH_INIT;

    for (int i = 0; i < WINDOW; i += at_once) {
        batch_clear(&b);
        for (int j = i; j < i + at_once; j++) {
            const struct golden_record *r = &s->record[s->window[j]];

            assert_int_equal(r->id, s->window[j]);
            batch_add(&b, r->ids, r->n, 1, 1.0f / (float)(r->n - 1) / WINDOW, (uint32_t)j);
        }
        float *nll = xnmalloc((size_t)b.tokens, sizeof *nll);
        must(model_reserve(s->model, b.tokens, true));
        must(model_train_batch(s->model, &b, 1, nll));
        free(nll);
    }
    batch_free(&b);
}

/* The largest difference of one tensor from WANT as a share of WANT's largest entry. */
static double relative_difference(const struct setup *s, size_t at, const struct tensor *want)
{
    const struct ops *ops = s->lora->ops;
    const float *w = (const float *)(const void *)want->data;
    float *got = xnmalloc((size_t)want->n, sizeof *got);
    double top = 0, worst = 0;

    must(ops->get(got, ops->slice_const(s->lora->g, at * sizeof *got),
                  (size_t)want->n * sizeof *got));
    for (int64_t i = 0; i < want->n; i++) {
        top = fmax(top, fabs((double)w[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)w[i]));
    }
    free(got);
    return top > 0 ? worst / top : worst;
}

static double worst_gradient(const struct setup *s, const char *name)
{
    struct tensors *want = golden_tensors(name, "grads.safetensors");
    double worst = 0;

    assert_int_equal(tensors_count(want), 2 * s->lora->n);
    for (int i = 0; i < s->lora->n; i++) {
        const struct lora_tensor *t = &s->lora->tensor[i];
        const char *path = model_module(s->model, t->module)->path;
        char key[160];

        for (int side = 0; side < 2; side++) {
            (void)snprintf(key, sizeof key, "base_model.model.model.layers.%d.%s.lora_%s.weight",
                           t->layer, path, side ? "B" : "A");
            const struct tensor *w = tensors_find(want, key);

            assert_non_null(w);
            worst = fmax(worst, relative_difference(s, side ? t->b_at : t->a_at, w));
        }
    }
    tensors_close(want);
    return worst;
}

static void gradients_agree(const char *name, const char *device, int at_once)
{
    struct setup s;
    char part[128];

    (void)snprintf(part, sizeof part, "%s/grads.safetensors", name);
    if (!golden(part))
        skip();
    set_up(&s, name, device);
    run_window(&s, at_once);
    const double worst = worst_gradient(&s, name);

    print_message("# %s %s, %d at once: %.3g of the largest entry\n", device, name, at_once, worst);
    assert_true(worst <= 1e-5);
    tear_down(&s);
}

static void test_tiny_ref(void **state)
{
    (void)state;
    gradients_agree("phi-tiny", "ref", WINDOW);
}

static void test_odd_ref(void **state)
{
    (void)state;
    gradients_agree("phi-odd", "ref", 1);
}

static void test_tiny_cpu(void **state)
{
    (void)state;
    gradients_agree("phi-tiny", "cpu", 1);
    gradients_agree("phi-tiny", "cpu", WINDOW);
}

static void test_odd_cpu(void **state)
{
    (void)state;
    gradients_agree("phi-odd", "cpu", 2);
    gradients_agree("phi-odd", "cpu", WINDOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_ref),
        cmocka_unit_test(test_odd_ref),
        cmocka_unit_test(test_tiny_cpu),
        cmocka_unit_test(test_odd_cpu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
