/* lora.c - the flat arrays behind LoRA: first values, table of tensors, clipping and update. */
#include "lora_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TENSOR_ALIGN = 64 }; /* elements: slices of the flat arrays start on 256 bytes */

/* ---- the table ---- */

struct lora_set *lora_set_begin(const struct model *m, const struct lora_options *opt)
{
    struct lora_set *l = xcalloc(1, sizeof *l);
    const size_t places = (size_t)model_config(m)->layers * (size_t)model_modules(m);

    l->ops = model_ops(m);
    l->model = m;
    l->opt = *opt;
    l->opt.targets = NULL; /* borrowed; the table says what is adapted */
    l->tensor = xnmalloc(places, sizeof *l->tensor);
    l->place = xnmalloc(places, sizeof *l->place);
    for (size_t i = 0; i < places; i++)
        l->place[i] = -1;
    return l;
}

static size_t take(struct lora_set *l, int64_t elements)
{
    const size_t at = (size_t)l->params;

    l->params += (elements + TENSOR_ALIGN - 1) / TENSOR_ALIGN * TENSOR_ALIGN;
    return at;
}

void lora_set_add(struct lora_set *l, int layer, int module, int64_t rank, float scale)
{
    const struct module_info *info = model_module(l->model, module);
    struct lora_tensor *t = &l->tensor[l->n];

    *t = (struct lora_tensor){ .layer = layer, .module = module, .rank = rank, .scale = scale };
    t->a_at = take(l, rank * info->cols);
    t->b_at = take(l, info->rows * rank);
    l->place[layer * model_modules(l->model) + module] = l->n++;
}

static int allocate(struct lora_set *l, struct dev **d)
{
    const size_t bytes = (size_t)l->params * sizeof(float);

    *d = l->ops->alloc(bytes);
    if (!*d)
        return err_in("LoRA weights");
    return l->ops->zero(*d, bytes);
}

int lora_set_fill(struct lora_set *l, const float *host, bool train)
{
    if (allocate(l, &l->p) < 0 || l->ops->put(l->p, host, (size_t)l->params * sizeof *host) < 0)
        return -1;
    if (train && (allocate(l, &l->g) < 0 || allocate(l, &l->m) < 0 || allocate(l, &l->v) < 0))
        return -1;
    return 0;
}

void lora_free(struct lora_set *l)
{
    if (!l)
        return;
    l->ops->release(l->p);
    l->ops->release(l->g);
    l->ops->release(l->m);
    l->ops->release(l->v);
    free(l->tensor);
    free(l->place);
    free(l);
}

const struct lora_tensor *lora_find(const struct lora_set *l, int layer, int module)
{
    const int at = l->place[layer * model_modules(l->model) + module];

    return at < 0 ? NULL : &l->tensor[at];
}

float lora_scale(double alpha, int64_t rank, bool rslora)
{
    return (float)(alpha / (rslora ? sqrt((double)rank) : (double)rank));
}

void lora_module_path(struct buf *b, const struct model *m, int layer, int module)
{
    const char *prefix = model_layer_prefix(m), *number = strstr(prefix, "%d");

    buf_add(b, prefix, (size_t)(number - prefix));
    buf_printf(b, "%d%s%s", layer, number + 2, model_module(m, module)->path);
}

bool lora_path_matches(const char *path, const char *name, size_t name_len)
{
    const size_t n = strlen(path);

    return n >= name_len && !memcmp(path + n - name_len, name, name_len) &&
           (n == name_len || path[n - name_len - 1] == '.');
}

/* ---- which linears ---- */

/* Marks the modules that one NAME means in WANTED (layers * modules); false when there is none. */
static bool mark_target(bool *wanted, const struct model *m, const char *name, size_t len)
{
    const int layers = (int)model_config(m)->layers, modules = model_modules(m);
    const bool all = len == strlen("all-linear") && !memcmp(name, "all-linear", len);
    struct buf path = BUF_INIT;
    bool found = false;

    for (int i = 0; i < layers * modules; i++) {
        buf_clear(&path);
        lora_module_path(&path, m, i / modules, i % modules);
        if (all || lora_path_matches(path.p, name, len))
            wanted[i] = found = true;
    }
    buf_free(&path);
    return found;
}

static int no_such_module(const struct model *m, const char *name, size_t len)
{
    struct buf names = BUF_INIT;

    for (int i = 0; i < model_modules(m); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", model_module(m, i)->name);
    err_set(EXIT_USAGE, "the model has no linear '%.*s' to adapt; it has %s", (int)len, name,
            names.p);
    buf_free(&names);
    return -1;
}

static int mark_targets(bool *wanted, const struct model *m, const char *targets)
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

/* ---- first values, as torch's CPU generator gives them ---- */

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

        draw_pair(host + t->a_at, host + t->b_at, t->rank, model_module(l->model, t->module),
                  l->opt.init, &g);
    }

    const int rc = lora_set_fill(l, host, true);

    free(host);
    return rc;
}

int lora_new(struct lora_set **out, const struct model *m, const struct lora_options *opt,
             uint32_t seed)
{
    const int layers = (int)model_config(m)->layers, modules = model_modules(m);
    bool *wanted = xcalloc((size_t)layers * (size_t)modules, sizeof *wanted);
    struct lora_set *l = NULL;
    int rc = mark_targets(wanted, m, opt->targets);

    if (rc == 0) {
        l = lora_set_begin(m, opt);
        for (int i = 0; i < layers * modules; i++)
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

/* ---- several as one ---- */

/* Copies the pair FROM of L to place AT of the joined pair: rows of A, columns of B times SCALE. */
static void join_pair(float *a, float *b, int64_t joined_rank, int64_t at, float scale,
                      const struct lora_set *l, const struct lora_tensor *from, const float *host)
{
    const struct module_info *info = model_module(l->model, from->module);

    memcpy(a + at * info->cols, host + from->a_at, (size_t)(from->rank * info->cols) * sizeof *a);
    for (int64_t o = 0; o < info->rows; o++)
        for (int64_t r = 0; r < from->rank; r++)
            b[o * joined_rank + at + r] = scale * host[from->b_at + (size_t)(o * from->rank + r)];
}

/* The table of the joined set. One adapter keeps its B as it is and takes SCALE into its own scale;
 * where there are more, the scales go into B. */
static void join_table(struct lora_set *out, struct lora_set *const *in, const double *scale, int n)
{
    const int layers = (int)model_config(out->model)->layers, modules = model_modules(out->model);

    for (int i = 0; i < layers * modules; i++) {
        int64_t rank = 0;
        float joined = 1;

        for (int k = 0; k < n; k++) {
            const struct lora_tensor *t = lora_find(in[k], i / modules, i % modules);

            if (!t)
                continue;
            rank += t->rank;
            if (n == 1)
                joined = (float)(t->scale * scale[0]);
        }
        if (rank)
            lora_set_add(out, i / modules, i % modules, rank, joined);
    }
}

static int join_values(float *joined, const struct lora_set *out, struct lora_set *const *in,
                       const double *scale, int n, int64_t *filled)
{
    for (int k = 0; k < n; k++) {
        const size_t bytes = (size_t)in[k]->params * sizeof(float);
        float *host = xmalloc(bytes);

        if (in[k]->ops->get(host, in[k]->p, bytes) < 0) {
            free(host);
            return -1;
        }
        for (int i = 0; i < out->n; i++) {
            const struct lora_tensor *to = &out->tensor[i];
            const struct lora_tensor *from = lora_find(in[k], to->layer, to->module);

            if (!from)
                continue;
            join_pair(joined + to->a_at, joined + to->b_at, to->rank, filled[i],
                      n == 1 ? 1 : (float)(from->scale * scale[k]), in[k], from, host);
            filled[i] += from->rank;
        }
        free(host);
    }
    return 0;
}

static int check_joined(const struct lora_set *l, const float *joined)
{
    bool finite = true;

    for (int i = 0; i < l->n; i++)
        finite = finite && isfinite(l->tensor[i].scale);
    for (int64_t i = 0; i < l->params && finite; i++)
        finite = isfinite(joined[i]);
    return finite ? 0
                  : err_set(EXIT_NUMERIC, "an adapter times its scale is beyond what a float can "
                                          "hold; use a smaller scale");
}

int lora_join(struct lora_set **out, struct lora_set *const *in, const double *scale, int n)
{
    struct lora_set *l = lora_set_begin(in[0]->model, &in[0]->opt);

    join_table(l, in, scale, n);

    float *joined = xcalloc((size_t)l->params, sizeof *joined);
    int64_t *filled = xcalloc((size_t)l->n, sizeof *filled);
    const int rc = join_values(joined, l, in, scale, n, filled) < 0 || check_joined(l, joined) < 0
                       ? -1
                       : lora_set_fill(l, joined, false);

    free(joined);
    free(filled);
    if (rc < 0) {
        lora_free(l);
        return -1;
    }
    *out = l;
    return 0;
}

/* ---- what a run needs to go on ---- */

static struct dev *array(const struct lora_set *l, enum lora_array which)
{
    return which == LORA_WEIGHTS ? l->p : which == LORA_FIRST_MOMENT ? l->m : l->v;
}

int lora_get(const struct lora_set *l, enum lora_array which, int64_t from, float *host, int64_t n)
{
    return l->ops->get(host, l->ops->slice(array(l, which), (size_t)from * sizeof(float)),
                       (size_t)n * sizeof(float));
}

int lora_put(struct lora_set *l, enum lora_array which, int64_t from, const float *host, int64_t n)
{
    return l->ops->put(l->ops->slice(array(l, which), (size_t)from * sizeof(float)), host,
                       (size_t)n * sizeof(float));
}

int lora_same(const struct lora_set *a, const struct lora_set *b)
{
    enum { PIECE = 1 << 18 };
    float *x = xnmalloc(PIECE, sizeof *x), *y = xnmalloc(PIECE, sizeof *y);
    int same = a->params == b->params;

    for (int64_t at = 0; same == 1 && at < a->params; at += PIECE) {
        const int64_t n = a->params - at < PIECE ? a->params - at : PIECE;

        if (lora_get(a, LORA_WEIGHTS, at, x, n) < 0 || lora_get(b, LORA_WEIGHTS, at, y, n) < 0)
            same = -1;
        else
            same = !memcmp(x, y, (size_t)n * sizeof *x);
    }
    free(x);
    free(y);
    return same;
}

/* ---- the update ---- */

int lora_zero_grad(struct lora_set *l)
{
    return l->ops->zero(l->g, (size_t)l->params * sizeof(float));
}

/* Says which tensor's gradient is not finite. */
static int bad_gradient(const struct lora_set *l)
{
    struct buf path = BUF_INIT;
    const char *which = "";

    for (int i = 0; i < l->n && !*which; i++) {
        const struct lora_tensor *t = &l->tensor[i];
        const struct module_info *info = model_module(l->model, t->module);
        double a, b;

        if (l->ops->sum_squares(&a, l->ops->slice_const(l->g, t->a_at * sizeof(float)),
                                t->rank * info->cols) < 0 ||
            l->ops->sum_squares(&b, l->ops->slice_const(l->g, t->b_at * sizeof(float)),
                                info->rows * t->rank) < 0) {
            buf_free(&path);
            return -1;
        }
        if (!isfinite(a) || !isfinite(b)) {
            lora_module_path(&path, l->model, t->layer, t->module);
            which = isfinite(a) ? ".lora_B" : ".lora_A";
        }
    }
    err_set(EXIT_NUMERIC, "the gradient of '%s%s' is not finite; try a lower learning rate",
            path.n ? path.p : "all tensors together", which);
    buf_free(&path);
    return -1;
}

int lora_grad_norm(const struct lora_set *l, double *norm)
{
    double sum;

    if (l->ops->sum_squares(&sum, l->g, l->params) < 0)
        return -1;
    if (!isfinite(sum))
        return bad_gradient(l);
    *norm = sqrt(sum);
    return 0;
}

int lora_step(struct lora_set *l, double norm, double max_norm, struct optim_step *step)
{
    const double factor = max_norm / (norm + 1e-6);

    step->clip = max_norm > 0 && factor < 1 ? factor : 1;
    step->t++;
    return l->ops->optim(l->p, l->m, l->v, l->g, l->params, step);
}
