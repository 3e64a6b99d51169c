/* lora_table.c - the flat arrays behind LoRA, the table of what lies where, and sets joined. */
#include "lora/lora_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TENSOR_ALIGN = 64 }; /* elements: slices of the flat arrays start on 256 bytes */

struct lora_set *lora_set_begin(const struct ops *ops, const struct modules *m,
                                const struct lora_options *opt)
{
    struct lora_set *l = xcalloc(1, sizeof *l);
    const size_t places = (size_t)modules_places(m);

    l->ops = ops;
    l->modules = m;
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
    const struct module_info *info = &l->modules->at[module];
    struct lora_tensor *t = &l->tensor[l->n];

    *t = (struct lora_tensor){ .layer = layer, .module = module, .rank = rank, .scale = scale };
    t->a_at = take(l, rank * info->cols);
    t->b_at = take(l, info->rows * rank);
    l->place[layer * l->modules->n + module] = l->n++;
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
    const int at = l->place[layer * l->modules->n + module];

    return at < 0 ? NULL : &l->tensor[at];
}

float lora_scale(double alpha, int64_t rank, bool rslora)
{
    return (float)(alpha / (rslora ? sqrt((double)rank) : (double)rank));
}

bool lora_path_matches(const char *path, const char *name, size_t name_len)
{
    const size_t n = strlen(path);

    return n >= name_len && !memcmp(path + n - name_len, name, name_len) &&
           (n == name_len || path[n - name_len - 1] == '.');
}

int64_t lora_largest_rank(const struct lora_set *l)
{
    int64_t largest = 0;

    for (int i = 0; i < l->n; i++)
        if (l->tensor[i].rank > largest)
            largest = l->tensor[i].rank;
    return largest;
}

/* ---- several as one ---- */

/* Copies the pair FROM of L to place AT of the joined pair: rows of A, columns of B times SCALE. */
static void join_pair(float *a, float *b, int64_t joined_rank, int64_t at, float scale,
                      const struct lora_set *l, const struct lora_tensor *from, const float *host)
{
    const struct module_info *info = &l->modules->at[from->module];

    memcpy(a + at * info->cols, host + from->a_at, (size_t)(from->rank * info->cols) * sizeof *a);
    for (int64_t o = 0; o < info->rows; o++)
        for (int64_t r = 0; r < from->rank; r++)
            b[o * joined_rank + at + r] = scale * host[from->b_at + (size_t)(o * from->rank + r)];
}

/* The table of the joined set. One adapter keeps its B as it is and takes SCALE into its own scale;
 * where there are more, the scales go into B. */
static void join_table(struct lora_set *out, struct lora_set *const *in, const double *scale, int n)
{
    const int modules = out->modules->n;

    for (int i = 0; i < modules_places(out->modules); i++) {
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
    struct lora_set *l = lora_set_begin(in[0]->ops, in[0]->modules, &in[0]->opt);

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
