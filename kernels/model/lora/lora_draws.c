/* lora_draws.c - new sets: which linears, and first values as torch's CPU generator gives them. */
#include "lora/lora_set.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which linears ---- */

/* Marks the modules that one NAME means in WANTED (layers * modules); false when there is none. */
static bool mark_target(bool *wanted, const struct modules *m, const char *name, size_t len)
{
    const int modules = m->n, places = modules_places(m);
    const bool all = len == strlen("all-linear") && !memcmp(name, "all-linear", len);
    struct buf path = BUF_INIT;
    bool found = false;

    for (int i = 0; i < places; i++) {
        buf_clear(&path);
        module_path(&path, m, i / modules, i % modules);
        if (all || lora_path_matches(path.p, name, len))
            wanted[i] = found = true;
    }
    buf_free(&path);
    return found;
}

static int no_such_module(const struct modules *m, const char *name, size_t len)
{
    struct buf names = BUF_INIT;

    for (int i = 0; i < m->n; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", module_name(&m->at[i]));
    err_set(EXIT_USAGE, "the model has no linear '%.*s' to adapt; it has %s", (int)len, name,
            names.p);
    buf_free(&names);
    return -1;
}

static int mark_targets(bool *wanted, const struct modules *m, const char *targets)
{
    for (const char *at = targets;; at++) {
        const size_t len = strcspn(at, ",");

        if (len == 0 || !mark_target(wanted, m, at, len))
            return no_such_module(m, at, len);
        at += len;
        if (!*at)
            return 0;
    }
}

/* ---- first values ---- */

/* nn.Linear's own start: kaiming_uniform with a = sqrt(5), which is U(-1/sqrt(in), 1/sqrt(in)). */
static void draw_linear(float *out, int64_t n, int64_t in, struct mt19937 *g)
{
    const double bound = sqrt(3.0) * (sqrt(2.0 / (1 + 5)) / sqrt((double)in));

    for (int64_t i = 0; i < n; i++)
        out[i] = mt19937_torch_uniform(g, (float)-bound, (float)bound);
}

/* torch's normal_fill: Box-Muller over blocks of 16 uniforms; a short last block draws 16 anew. */
static void draw_normal(float *out, int64_t n, float std, struct mt19937 *g)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = mt19937_torch_uniform(g, 0, 1);
    for (int64_t start = 0; start < n; start += 16) {
        float *block = out + (n - start < 16 ? n - 16 : start);

        if (n - start < 16)
            for (int i = 0; i < 16; i++)
                block[i] = mt19937_torch_uniform(g, 0, 1);
        for (int i = 0; i < 8; i++) {
            const float radius = sqrtf(-2 * logf(1 - block[i]));
            const float angle = 2 * (float)M_PI * block[i + 8];

            block[i] = radius * cosf(angle) * std;
            block[i + 8] = radius * sinf(angle) * std;
        }
    }
}

/*
 * PEFT first builds two nn.Linear, which draw A and B; then, unless INIT is "false", it draws A
 * again and clears B. A short gaussian A (under 16 elements) is drawn from a block of 16.
 */
static void draw_pair(float *a, float *b, int64_t rank, const struct module_info *info,
                      const char *init, struct mt19937 *g)
{
    const int64_t in = info->cols, out = info->rows;

    draw_linear(a, rank * in, in, g);
    draw_linear(b, out * rank, rank, g);
    if (!strcmp(init, "false"))
        return;
    memset(b, 0, (size_t)(out * rank) * sizeof *b);
    if (strcmp(init, "gaussian")) {
        draw_linear(a, rank * in, in, g);
    } else if (rank * in >= 16) {
        draw_normal(a, rank * in, 1 / (float)rank, g);
    } else {
        float block[16];

        draw_normal(block, 16, 1 / (float)rank, g);
        memcpy(a, block, (size_t)(rank * in) * sizeof *a);
    }
}

static int draw_all(struct lora_set *l, uint32_t seed)
{
    float *host = xcalloc((size_t)l->params, sizeof *host);
    struct mt19937 g;

    mt19937_seed(&g, seed);
    for (int i = 0; i < l->n; i++) {
        const struct lora_tensor *t = &l->tensor[i];

        draw_pair(host + t->a_at, host + t->b_at, t->rank, &l->modules->at[t->module], l->opt.init,
                  &g);
    }

    const int rc = lora_set_fill(l, host, true);

    free(host);
    return rc;
}

int lora_new(struct lora_set **out, const struct ops *ops, const struct modules *m,
             const struct lora_options *opt, uint32_t seed)
{
    const int modules = m->n, places = modules_places(m);
    bool *wanted = xcalloc((size_t)places, sizeof *wanted);
    struct lora_set *l = NULL;
    int rc = mark_targets(wanted, m, opt->targets);

    if (rc == 0) {
        l = lora_set_begin(ops, m, opt);
        for (int i = 0; i < places; i++)
            if (wanted[i])
                lora_set_add(l, i / modules, i % modules, opt->rank,
                             lora_scale(opt->alpha, opt->rank, opt->rslora));
        rc = draw_all(l, seed);
    }
    free(wanted);
    if (rc < 0) {
        lora_free(l);
        return -1;
    }
    *out = l;
    return 0;
}
