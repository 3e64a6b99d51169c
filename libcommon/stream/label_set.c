#include "label_set.h"

#include "share.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int labels_find(const struct labels *l, const char *text, size_t n)
{
    for (int i = 0; i < l->n; i++)
        if (text_is(text, n, l->name[i]))
            return i;
    return -1;
}

void labels_add(struct labels *l, const char *text, size_t n)
{
    l->name = xnrealloc(l->name, (size_t)l->n + 1, sizeof *l->name);
    l->name[l->n++] = xstrndup(text, n);
}

void labels_set_answer(struct labels *l, int i, const char *text, size_t n)
{
    if (!l->answer)
        l->answer = xcalloc((size_t)l->n, sizeof *l->answer);
    free(l->answer[i]);
    l->answer[i] = xstrndup(text, n);
}

bool labels_same(const struct labels *a, const struct labels *b)
{
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++)
        same = !strcmp(a->name[i], b->name[i]);
    return same;
}

bool labels_answered_alike(const struct labels *a, const struct labels *b)
{
    bool same = !a->answer == !b->answer;

    for (int i = 0; same && a->answer && i < a->n; i++)
        same = !strcmp(a->answer[i], b->answer[i]);
    return same;
}

void labels_copy(struct labels *to, const struct labels *from)
{
    *to = (struct labels){ 0 };
    for (int i = 0; i < from->n; i++)
        labels_add(to, from->name[i], strlen(from->name[i]));
    for (int i = 0; from->answer && i < from->n; i++)
        labels_set_answer(to, i, from->answer[i], strlen(from->answer[i]));
}

void labels_free(struct labels *l)
{
    for (int i = 0; i < l->n; i++) {
        free(l->name[i]);
        if (l->answer)
            free(l->answer[i]);
    }
    free(l->name);
    free(l->answer);
    *l = (struct labels){ 0 };
}

void labels_warn_guessed(const struct labels *l)
{
    if (!l->answer)
        warn("the stream names no answers: each label is scored by a space and its name, as ' %s'; "
             "promptify writes answers, peek --from-jsonl --header-from keeps them",
             l->name[0]);
}

int labels_check_seed(const struct labels *l, const char *what)
{
    static const char *const known[] = { "positive", "neutral", "negative" };

    for (int i = 0; i < l->n; i++) {
        size_t k = 0;

        while (k < 3 && strcmp(l->name[i], known[k]) != 0)
            k++;
        if (k == 3)
            return err_set(EXIT_DATA,
                           "%s: --preset seed knows positive, neutral and negative, and not label "
                           "'%s'; leave it out",
                           what, l->name[i]);
    }
    return 0;
}

void labels_list(const struct labels *l, struct buf *b)
{
    const size_t start = b->n;
    int i;

    for (i = 0; i < l->n && b->n - start < 200; i++)
        buf_printf(b, "%s%s", i ? ", " : "", l->name[i]);
    if (i < l->n)
        buf_printf(b, " and %d more", l->n - i);
}

/* One more name, which the user wrote. */
static int take_name(struct labels *l, const char *name, size_t n)
{
    if (!n)
        return err_set(EXIT_DATA, "a label is empty; leave it out");
    if (labels_find(l, name, n) >= 0)
        return err_set(EXIT_DATA, "the label '%.*s' is there twice; leave one out", (int)n, name);
    if (l->n == LABELS_MAX)
        return err_set(EXIT_DATA, "more than %d labels", LABELS_MAX);
    labels_add(l, name, n);
    return 0;
}

/* The names in TEXT between commas, or lines that are not empty. */
static int split_names(struct labels *l, const char *text, char separator)
{
    const char stop[] = { separator, 0 };
    int rc = 0;

    for (;;) {
        const size_t n = strcspn(text, stop);

        if (n || separator == ',')
            rc = take_name(l, text, n);
        if (rc < 0 || !text[n])
            return rc;
        text += n + 1;
    }
}

/* The labels of a file, a line each. Gives 1, or -1. */
static int labels_of_file(struct labels *l, const char *path)
{
    struct buf text = BUF_INIT;
    int rc = 1;

    if (read_text(&text, path, 1 << 20) < 0)
        rc = -1;
    else if (split_names(l, text.p, '\n') < 0)
        rc = err_in("%s", path);
    else if (!l->n)
        rc = err_set(EXIT_DATA, "%s: is empty; it has a label a line", path);
    if (rc < 0)
        labels_free(l);
    buf_free(&text);
    return rc;
}

int labels_of_set(struct labels *l, const char *name)
{
    char *path = NULL;
    int rc = share_find(&path, "labels", name, "");

    *l = (struct labels){ 0 };
    if (rc > 0)
        rc = labels_of_file(l, path);
    free(path);
    return rc;
}

/* Whether NAME is rather a path than a label: "n/a" is one only where there is such a file. */
static bool is_path(const char *name)
{
    return *name == '/' || !strncmp(name, "./", 2) || !strncmp(name, "../", 3) ||
           (strchr(name, '/') && access(name, F_OK) == 0);
}

/* What one name without a comma stands for: 1 when it is a set of labels, 0 when it is a label. */
static int labels_of_name(struct labels *l, const char *name)
{
    return is_path(name) ? labels_of_file(l, name) : labels_of_set(l, name);
}

int labels_load(struct labels *l, const struct cli_list *given)
{
    int rc = 0;

    *l = (struct labels){ 0 };
    if (given->n == 1 && !strchr(given->v[0], ',') && (rc = labels_of_name(l, given->v[0])) != 0)
        return rc < 0 ? -1 : 0;
    if (given->n == 1)
        rc = split_names(l, given->v[0], ',');
    for (int i = 0; given->n > 1 && rc == 0 && i < given->n; i++)
        rc = take_name(l, given->v[i], strlen(given->v[i]));
    if (rc < 0)
        labels_free(l);
    return rc < 0 ? err_in("labels") : 0;
}
