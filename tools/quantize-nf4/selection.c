#include "selection.h"

#include "archs/arch.h"

#include <stdlib.h>
#include <string.h>

static const char weight_end[] = ".weight";

/* ---- names ---- */

struct name {
    const char *p;
    size_t n;
};

/* The next name of LIST; false behind the last. */
static bool next_name(const char **list, struct name *name)
{
    if (!*list)
        return false;
    *list += strspn(*list, ",");
    *name = (struct name){ *list, strcspn(*list, ",") };
    *list += name->n;
    return name->n > 0;
}

static bool is(const struct name *name, const char *text)
{
    return text_is(name->p, name->n, text);
}

/* The part of the model that T belongs to. */
static struct name owner_path(const struct tensor *t)
{
    const char *dot = strrchr(t->name, '.');

    return (struct name){ t->name, dot ? (size_t)(dot - t->name) : strlen(t->name) };
}

/* The path that T is the weight of; its length is 0 when it is no matrix of that name. */
static struct name matrix_path(const struct tensor *t)
{
    const bool matrix = t->rank == 2 && t->n && text_ends_with(t->name, weight_end);

    return (struct name){ t->name, matrix ? strlen(t->name) - strlen(weight_end) : 0 };
}

/* The path is NAME, or has it as one or more whole parts. */
static bool has_parts(const struct name *path, const struct name *name)
{
    for (size_t at = 0; at + name->n <= path->n; at++)
        if (!memcmp(path->p + at, name->p, name->n) && (!at || path->p[at - 1] == '.') &&
            (at + name->n == path->n || path->p[at + name->n] == '.'))
            return true;
    return false;
}

static bool is_listed(const struct name *path, const char *list)
{
    struct name name;

    while (next_name(&list, &name))
        if (has_parts(path, &name))
            return true;
    return false;
}

/* ---- linears ---- */

struct linears { /* of an architecture; n 0: it is not known */
    const char *layer_prefix;
    const char *path[MODULES_MAX];
    int n;
};

static struct linears find_linears(const struct quant_source *src)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(src->config, "model_type");
    const struct arch *arch = arch_find(cJSON_IsString(type) ? type->valuestring : "");
    struct module_info module[MODULES_MAX];
    struct stored_rows stored[MODULES_MAX];
    struct linears l = { 0 };

    if (!arch)
        return l;
    l.layer_prefix = arch->layer_prefix;
    l.n = arch->modules(module, &arch->defaults);
    arch_stored(stored, arch, module, l.n);
    for (int i = 0; i < l.n; i++) /* one that is stored in parts is there more than once */
        l.path[i] = stored[i].path;
    return l;
}

/* "model.layers.3." and a linear of a layer. */
static bool is_linear(const struct linears *l, const struct name *path)
{
    const char *prefix = l->layer_prefix, *hole = strstr(prefix, "%d");
    const size_t before = (size_t)(hole - prefix), behind = strlen(hole + 2);
    const char *at = path->p + before, *end = path->p + path->n;

    if (path->n <= before || memcmp(path->p, prefix, before))
        return false;
    at += strspn(at, "0123456789");
    if (end < at + behind || memcmp(at, hole + 2, behind))
        return false;
    const struct name rest = { at + behind, (size_t)(end - at) - behind };

    for (int i = 0; i < l->n; i++)
        if (is(&rest, l->path[i]))
            return true;
    return false;
}

/* What may be quantised at all. */
static bool is_candidate(const struct linears *l, const struct tensor *t)
{
    const struct name path = matrix_path(t);

    return path.n && (!l->n || is_linear(l, &path));
}

static bool any_candidate(const struct linears *l, const struct tensors *t)
{
    for (int i = 0; i < tensors_count(t); i++)
        if (is_candidate(l, tensors_at(t, i)))
            return true;
    return false;
}

/* ---- mistakes ---- */

/* Each name once that candidates end in, as "dense, fc1". */
static void put_names(struct buf *b, const struct linears *l, const struct tensors *t)
{
    struct buf list = BUF_INIT; /* the same with commas alone, to look in */

    for (int i = 0; i < tensors_count(t); i++) {
        struct name last = matrix_path(tensors_at(t, i));

        if (!is_candidate(l, tensors_at(t, i)))
            continue;
        for (size_t at = last.n; at > 0; at--)
            if (last.p[at - 1] == '.') {
                last = (struct name){ last.p + at, last.n - at };
                break;
            }
        if (is_listed(&last, list.p) || list.n > 500)
            continue;
        buf_printf(b, "%s%.*s", list.n ? ", " : "", (int)last.n, last.p);
        buf_printf(&list, ",%.*s", (int)last.n, last.p);
    }
    buf_free(&list);
}

static int say_names(const struct linears *l, const struct tensors *t, const char *what)
{
    struct buf names = BUF_INIT;

    put_names(&names, l, t);
    err_set(EXIT_USAGE, "%s%s", what, names.p ? names.p : "none");
    buf_free(&names);
    return -1;
}

/* Whether NAME fits a matrix that may be quantised, or, where ANY, any part of the model. */
static bool fits(const struct name *name, const struct linears *l, const struct tensors *t,
                 bool any)
{
    if (any && is(name, "lm_head")) /* which is the embedding in some */
        return true;
    for (int i = 0; i < tensors_count(t); i++) {
        const struct tensor *x = tensors_at(t, i);
        const struct name path = any ? owner_path(x) : matrix_path(x);

        if ((any || is_candidate(l, x)) && has_parts(&path, name))
            return true;
    }
    return false;
}

/* LIST is what OPTION was given. */
static int check_names(const char *list, const char *option, const struct linears *l,
                       const struct tensors *t, bool any)
{
    struct name name;

    while (next_name(&list, &name))
        if (!fits(&name, l, t, any)) {
            struct buf what = BUF_INIT;

            buf_printf(&what, "%s: nothing in the model is called '%.*s'; its linears are ", option,
                       (int)(name.n < 200 ? name.n : 200), name.p);
            (void)say_names(l, t, what.p);
            buf_free(&what);
            return -1;
        }
    return 0;
}

static int check(const struct linears *l, const struct quant_source *src, const char *modules,
                 const char *skip)
{
    if (check_names(modules, "--modules", l, src->tensors, false) < 0 ||
        check_names(skip, "--skip-modules", l, src->tensors, true) < 0)
        return -1;
    if (l->n || modules || !any_candidate(l, src->tensors))
        return 0;
    return say_names(l, src->tensors,
                     "the architecture is not known, so name the linears to quantise with "
                     "--modules, without embeddings and head; the matrices are ");
}

/* ---- the whole ---- */

int selection_make(struct selection *s, const struct quant_source *src, const char *modules,
                   const char *skip)
{
    const struct linears l = find_linears(src);
    const int n = tensors_count(src->tensors);

    if (check(&l, src, modules, skip) < 0)
        return err_in("%s", pack_name(src->pack));
    *s = (struct selection){ .quantised = xcalloc((size_t)n, sizeof *s->quantised),
                             .given = modules || skip };
    for (int i = 0; i < n; i++) {
        const struct tensor *t = tensors_at(src->tensors, i);
        const struct name path = matrix_path(t);

        s->quantised[i] = is_candidate(&l, t) && (!modules || is_listed(&path, modules)) &&
                          !is_listed(&path, skip);
        if (modules && path.n && !s->quantised[i]) /* all that is left out */
            buf_printf(&s->skipped, ",%.*s", (int)path.n, path.p);
    }
    if (!modules && skip)
        buf_puts(&s->skipped, skip);
    return 0;
}

void selection_free(struct selection *s)
{
    free(s->quantised);
    buf_free(&s->skipped);
    *s = (struct selection){ 0 };
}
