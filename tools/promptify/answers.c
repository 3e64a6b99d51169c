#include "answers.h"

#include <string.h>

/* Appends those of A that B has not; their number. */
static int list_missing(struct buf *names, const struct labels *a, const struct labels *b)
{
    struct labels missing = { 0 };

    for (int i = 0; i < a->n; i++)
        if (labels_find(b, a->name[i], strlen(a->name[i])) < 0)
            labels_add(&missing, a->name[i], strlen(a->name[i]));
    const int n = missing.n;

    labels_list(&missing, names);
    labels_free(&missing);
    return n;
}

int answers_of_verbalizer(const struct labels *labels, const struct labels *known, const char *name)
{
    struct buf without = BUF_INIT, unused = BUF_INIT;
    int rc = 0;

    if (list_missing(&without, labels, known))
        rc = err_set(EXIT_DATA, "%s: has no answer for the label%s %s", name,
                     strchr(without.p, ',') ? "s" : "", without.p);
    else if (list_missing(&unused, known, labels))
        warn("%s: has answers for labels that the data have not: %s", name, unused.p);
    buf_free(&without);
    buf_free(&unused);
    return rc;
}

int answers_of_template(const struct labels *labels, const struct labels *known, const char *name)
{
    struct buf without = BUF_INIT, all = BUF_INIT;
    int rc = 0;

    if (known->n && list_missing(&without, labels, known)) {
        labels_list(known, &all);
        rc =
            err_set(EXIT_DATA,
                    "the template %s is made for the labels %s, and the data have %s; give another "
                    "template, or a --verbalizer",
                    name, all.p, without.p);
    }
    buf_free(&without);
    buf_free(&all);
    return rc;
}

/* Label scoring tells answers apart by their text: of two that begin alike the shorter one has the
 * larger probability. */
static void warn_of_beginning(const struct labels *l)
{
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < l->n; k++)
            if (i != k && !strncmp(l->answer[i], l->answer[k], strlen(l->answer[k]))) {
                warn("the answer '%s' of label '%s' begins with '%s' of label '%s': label scoring "
                     "prefers the shorter one; give answers that begin differently",
                     l->answer[i], l->name[i], l->answer[k], l->name[k]);
                return;
            }
}

int answers_differ(const struct labels *l)
{
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < i; k++)
            if (!strcmp(l->answer[i], l->answer[k]))
                return err_set(EXIT_DATA,
                               "labels '%s' and '%s' have the same answer '%s'; give each its own, "
                               "or make them one label before the split",
                               l->name[k], l->name[i], l->answer[i]);
    warn_of_beginning(l);
    return 0;
}
