/* Adapter files: what PEFT wrote comes back byte for byte, both spellings are read, nothing odd is.
 */
#include "lora_test.h"

#include "pack.h"

#include <unistd.h>

static const char *const any[] = { "*", NULL }; /* a folder may hold what it likes */

static struct golden g;
static char folder[] = P_tmpdir "/test_adapter.XXXXXX";

static char *temp_path(const char *name)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "%s/%s", folder, name);
    return b.p;
}

static int open_model(void **state)
{
    (void)state;
    golden_open(&g, "phi-tiny", "ref", "nf4");
    return mkdtemp(folder) ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    golden_close(&g);
    return rmdir(folder);
}

/* ---- what is written ---- */

static const char config_text[] = "{\n"
                                  "  \"alpha_pattern\": {},\n"
                                  "  \"auto_mapping\": null,\n"
                                  "  \"base_model_name_or_path\": \"some/base\",\n"
                                  "  \"bias\": \"none\",\n"
                                  "  \"fan_in_fan_out\": false,\n"
                                  "  \"inference_mode\": true,\n"
                                  "  \"init_lora_weights\": true,\n"
                                  "  \"layers_pattern\": null,\n"
                                  "  \"layers_to_transform\": null,\n"
                                  "  \"loftq_config\": {},\n"
                                  "  \"lora_alpha\": 16,\n"
                                  "  \"lora_dropout\": 0.0,\n"
                                  "  \"megatron_config\": null,\n"
                                  "  \"megatron_core\": \"megatron.core\",\n"
                                  "  \"modules_to_save\": null,\n"
                                  "  \"peft_type\": \"LORA\",\n"
                                  "  \"r\": 8,\n"
                                  "  \"rank_pattern\": {},\n"
                                  "  \"revision\": null,\n"
                                  "  \"target_modules\": [\n"
                                  "    \"q_proj\",\n"
                                  "    \"k_proj\",\n"
                                  "    \"v_proj\",\n"
                                  "    \"dense\",\n"
                                  "    \"fc1\",\n"
                                  "    \"fc2\"\n"
                                  "  ],\n"
                                  "  \"task_type\": \"CAUSAL_LM\"\n"
                                  "}";

static void save(const struct lora_set *l, const struct model *on, const char *path)
{
    struct pack_writer *w;

    must(pack_create(&w, path, true, 3, any));
    must(lora_save(l, model_weights(on), w, &(struct lora_origin){ .base = "some/base" }));
    must(pack_commit(w));
}

static size_t header_size(const struct pack_file *f)
{
    uint64_t n;

    memcpy(&n, f->data, sizeof n);
    return sizeof n + (size_t)n;
}

/* OURS has a digest of the base in its metadata, nothing else is different. */
static void same_but_for_base(const struct pack_file *peft, const struct pack_file *ours)
{
    static const char key[] = ",\"base_sha256\":\"";
    const size_t was = header_size(peft), is = header_size(ours), data = peft->size - was;
    char *text = xstrndup((const char *)ours->data + 8, is - 8), *at = strstr(text, key);
    const size_t extra = sizeof key - 1 + SHA256_HEX + 1;

    assert_non_null(at);
    memmove(at, at + extra, strlen(at + extra) + 1);
    text[strcspn(text, " ")] = 0; /* what rounds the header up */
    assert_memory_equal(peft->data + 8, text, strlen(text));
    assert_int_equal(ours->size - is, data);
    assert_memory_equal(peft->data + was, ours->data + is, data);
    free(text);
}

static void weights_are_written_as_peft_writes_them(void **state)
{
    struct lora_set *l = golden_adapter(&g, "adapter-final", false), *again;
    struct pack *peft = open_pack("phi-tiny", "adapter-final"), *ours;
    char *path = temp_path("saved.tar.zst");

    (void)state;
    save(l, g.model, path);
    must(pack_open(&ours, path));

    const struct pack_file *a = pack_find(peft, "adapter_model.safetensors");
    const struct pack_file *b = pack_find(ours, "adapter_model.safetensors");
    const struct pack_file *c = pack_find(ours, "adapter_config.json");

    same_but_for_base(a, b);
    assert_int_equal(c->size, strlen(config_text));
    assert_memory_equal(c->data, config_text, c->size);
    assert_non_null(pack_find(ours, "README.md"));

    must(lora_load(&again, model_weights(g.model), ours, true));
    float *p = fetch(l, l->p), *q = fetch(again, again->p);

    assert_int_equal(l->params, again->params);
    assert_memory_equal(p, q, (size_t)l->params * sizeof *p);
    free(p);
    free(q);
    lora_free(l);
    lora_free(again);
    pack_close(peft);
    pack_close(ours);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* Numbers that JSON and Python write in different ways, and the one field that is written on
 * demand. */
static void settings_come_back(void **state)
{
    const struct lora_options opt = { .rank = 3,
                                      .alpha = 2.5,
                                      .dropout = 0.05,
                                      .rslora = true,
                                      .targets = "fc2,q_proj",
                                      .init = "gaussian" };
    char *path = temp_path("settings.tar");
    struct lora_set *l, *again;
    struct pack *p;

    (void)state;
    must(lora_new(&l, model_ops(g.model), model_modules(g.model), &opt, 9));
    save(l, g.model, path);
    must(pack_open(&p, path));

    const struct pack_file *c = pack_find(p, "adapter_config.json");
    char *text = xstrndup((const char *)c->data, c->size);

    assert_non_null(strstr(text, "\"lora_alpha\": 2.5,"));
    assert_non_null(strstr(text, "\"lora_dropout\": 0.05,"));
    assert_non_null(strstr(text, "\"init_lora_weights\": \"gaussian\","));
    assert_non_null(strstr(text, "[\n    \"q_proj\",\n    \"fc2\"\n  ]"));
    assert_non_null(strstr(text, "\"use_rslora\": true\n}"));
    must(lora_load(&again, model_weights(g.model), p, false));
    assert_int_equal(again->n, 6);
    assert_true(again->opt.rank == 3 && again->opt.alpha == 2.5 && again->opt.dropout == 0.05 &&
                again->opt.rslora);
    assert_true(fabsf(again->tensor[0].scale - 2.5f / sqrtf(3)) < 1e-6f);
    free(text);
    lora_free(l);
    lora_free(again);
    pack_close(p);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* ---- what is read ---- */

/* An adapter of our own making: the tensors of NAMES, each with ROWS[i] x COLS[i] elements VALUE.
 */
struct made {
    const char *config;
    const char *names[4];
    int64_t rows[4], cols[4];
    float value;
    enum dtype dtype;
};

static void make(const struct made *m, const char *path)
{
    struct tensors_writer *t = tensors_writer_new();
    struct pack_writer *w;
    int n = 0;

    must(pack_create(&w, path, true, 3, any));
    must(pack_put(w, "adapter_config.json", m->config, strlen(m->config)));
    for (; n < 4 && m->names[n]; n++)
        tensors_declare(t, m->names[n], m->dtype, 2, (int64_t[]){ m->rows[n], m->cols[n] });
    must(tensors_write_begin(t, w, "adapter_model.safetensors"));
    for (int i = 0; i < n; i++) {
        const int at = tensors_write_order(t)[i];

        for (int64_t k = 0; k < m->rows[at] * m->cols[at]; k++) {
            const uint16_t half = m->dtype == DT_F16 ? f16_of_f32(m->value) : bf16_of_f32(m->value);

            must(m->dtype == DT_F32 ? tensors_write_data(t, &m->value, sizeof m->value)
                                    : tensors_write_data(t, &half, sizeof half));
        }
    }
    must(tensors_write_end(t));
    must(pack_commit(w));
}

/* Makes it, tries to load it; gives the exit code, 0 when it is fine. */
static int load_made(const struct made *m, struct lora_set **l)
{
    char *path = temp_path("made.tar");
    struct pack *p;
    int rc;

    make(m, path);
    must(pack_open(&p, path));
    rc = lora_load(l, model_weights(g.model), p, false) < 0 ? err_code() : 0;
    pack_close(p);
    assert_int_equal(unlink(path), 0);
    free(path);
    return rc;
}

#define PATH  "base_model.model.model.layers."
#define PLAIN "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"new_key\": [1]}"

static void both_spellings_and_all_floats_are_read(void **state)
{
    static const char *const names[][2] = {
        { PATH "1.mlp.fc1.lora_A.weight", PATH "1.mlp.fc1.lora_B.weight" },
        { PATH "1.mlp.fc1.lora_A.default.weight", PATH "1.mlp.fc1.lora_B.default.weight" },
    };
    static const enum dtype dtypes[] = { DT_F32, DT_F16, DT_BF16 };

    (void)state;
    for (int i = 0; i < 6; i++) {
        const struct made m = { .config = PLAIN,
                                .names = { names[i % 2][0], names[i % 2][1] },
                                .rows = { 2, 512 },
                                .cols = { 128, 2 },
                                .value = 0.375f,
                                .dtype = dtypes[i / 2] };
        struct lora_set *l;

        assert_int_equal(load_made(&m, &l), 0);
        assert_int_equal(l->n, 1);
        assert_true(l->tensor[0].layer == 1 && l->tensor[0].rank == 2 && l->tensor[0].scale == 2);
        assert_null(lora_find(l, 0, 0));
        assert_ptr_equal(lora_find(l, 1, l->tensor[0].module), &l->tensor[0]);
        float *p = fetch(l, l->p);

        assert_true(p[0] == 0.375f && p[l->tensor[0].b_at + 1023] == 0.375f);
        free(p);
        lora_free(l);
    }
}

static void patterns_give_modules_their_own_rank_and_alpha(void **state)
{
    const struct made m = {
        .config = "{\"peft_type\": \"LORA\", \"r\": 8, \"lora_alpha\": 16, \"rank_pattern\": "
                  "{\"fc1\": 2},"
                  " \"alpha_pattern\": {\"mlp.fc1\": 3}}",
        .names = { PATH "0.mlp.fc1.lora_A.weight", PATH "0.mlp.fc1.lora_B.weight" },
        .rows = { 2, 512 },
        .cols = { 128, 2 },
        .value = 1,
        .dtype = DT_F32,
    };
    struct lora_set *l;

    (void)state;
    assert_int_equal(load_made(&m, &l), 0);
    assert_true(l->tensor[0].rank == 2 && l->tensor[0].scale == 1.5f);
    lora_free(l);
}

static void what_does_not_fit_is_refused(void **state)
{
#define PAIR                                                                                       \
    .names = { PATH "0.mlp.fc1.lora_A.weight", PATH "0.mlp.fc1.lora_B.weight" },                   \
    .rows = { 2, 512 }, .cols = {                                                                  \
        128,                                                                                       \
        2                                                                                          \
    }
#define WITH(key) "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, " key "}"
    static const struct {
        struct made made;
        int code;
        const char *says;
    } cases[] = {
        { { .config = PLAIN, PAIR, .value = NAN, .dtype = DT_F32 }, EXIT_NUMERIC, "not finite" },
        { { .config = PLAIN, PAIR, .value = INFINITY, .dtype = DT_F16 },
          EXIT_NUMERIC,
          "not finite" },
        { { .config = PLAIN, .dtype = DT_F32 }, EXIT_DATA, "no tensors" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_A.weight" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no lora_B" },
        { { .config = PLAIN,
            .names = { PATH "3.mlp.fc1.lora_A.weight" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no place for 1 of its 1 tensors" },
        { { .config = PLAIN,
            .names = { PATH "01.mlp.fc1.lora_A.weight" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no place for 1 of its 1 tensors" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc3.lora_A.weight" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no place for 1 of its 1 tensors" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_C.weight" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no place for 1 of its 1 tensors" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_A.weights" },
            .rows = { 2 },
            .cols = { 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "no place for 1 of its 1 tensors" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_A.weight", PATH "0.mlp.fc1.lora_A.default.weight" },
            .rows = { 2, 2 },
            .cols = { 128, 128 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "the same tensor" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_A.weight", PATH "0.mlp.fc1.lora_B.weight" },
            .rows = { 3, 512 },
            .cols = { 128, 3 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "shape [2, 128]" },
        { { .config = PLAIN,
            .names = { PATH "0.mlp.fc1.lora_A.weight", PATH "0.mlp.fc1.lora_B.weight" },
            .rows = { 2, 2 },
            .cols = { 128, 512 },
            .dtype = DT_F32 },
          EXIT_DATA,
          "shape [512, 2]" },
        { { .config = PLAIN, PAIR, .dtype = DT_I16 }, EXIT_DATA, "I16" },
        { { .config = WITH("\"use_dora\": true"), PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "use_dora" },
        { { .config = WITH("\"bias\": \"all\""), PAIR, .dtype = DT_F32 }, EXIT_NODEVICE, "bias" },
        { { .config = WITH("\"modules_to_save\": [\"lm_head\"]"), PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "modules_to_save" },
        { { .config = WITH("\"fan_in_fan_out\": true"), PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "fan_in_fan_out" },
        { { .config = WITH("\"init_lora_weights\": \"pissa\""), PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "pissa" },
        { { .config = WITH("\"rank_pattern\": {\"(?=fc).*\": 2}"), PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "regular expression" },
        { { .config = WITH("\"rank_pattern\": {\"fc1\": -2}"), PAIR, .dtype = DT_F32 },
          EXIT_DATA,
          "rank_pattern" },
        { { .config = "{\"peft_type\": \"IA3\"}", PAIR, .dtype = DT_F32 },
          EXIT_NODEVICE,
          "peft_type" },
        { { .config = "{\"r\": 0}", PAIR, .dtype = DT_F32 }, EXIT_DATA, "'r'" },
        { { .config = "{\"r\": \"8\"}", PAIR, .dtype = DT_F32 }, EXIT_DATA, "r" },
        { { .config = "{\"r\": 2, \"lora_dropout\": 1}", PAIR, .dtype = DT_F32 },
          EXIT_DATA,
          "lora_dropout" },
        { { .config = "[]", PAIR, .dtype = DT_F32 }, EXIT_DATA, "object" },
        { { .config = "{,}", PAIR, .dtype = DT_F32 }, EXIT_DATA, "adapter_config.json" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lora_set *l;

        if (load_made(&cases[i].made, &l) != cases[i].code || !strstr(err_text(), cases[i].says))
            fail_msg("case %zu: %d, '%s'", i, err_code(), err_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_written_as_peft_writes_them),
        cmocka_unit_test(settings_come_back),
        cmocka_unit_test(both_spellings_and_all_floats_are_read),
        cmocka_unit_test(patterns_give_modules_their_own_rank_and_alpha),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
