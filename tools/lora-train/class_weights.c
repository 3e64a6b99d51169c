#include "class_weights.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* Sums and quotients of such weights stay finite and above 0. */
#define LEAST 1e-30
#define MOST  1e30

static void balance(double *weight, const int64_t *count, int n)
{
    int64_t records = 0, classes = 0;

    for (int i = 0; i < n; i++) {
        records += count[i];
        classes += count[i] > 0;
    }
    for (int i = 0; i < n; i++)
        if (count[i])
            weight[i] = (double)records / ((double)classes * (double)count[i]);
}

static int no_label(const struct labels *labels, const char *name, size_t n)
{
    struct buf list = BUF_INIT;

    labels_list(labels, &list);
    err_set(EXIT_USAGE, "--class-weights: the stream has no label '%.*s'; its labels are %s",
            (int)n, name, list.p);
    buf_free(&list);
    return -1;
}

/* TEXT (N) is NAME=WEIGHT. A weight of 0 says nothing yet. */
static int take(double *weight, const struct labels *labels, const char *text, size_t n)
{
    char *const copy = xstrndup(text, n), *const equals = strrchr(copy, '=');
    char *end = NULL;
    const double value = equals ? strtod(equals + 1, &end) : 0;
    const int i = equals ? labels_find(labels, copy, (size_t)(equals - copy)) : -1;
    int rc = -1;

    if (!equals)
        err_set(EXIT_USAGE, "--class-weights: '%s' is not NAME=WEIGHT; balanced stands alone",
                copy);
    else if (i < 0)
        rc = no_label(labels, copy, (size_t)(equals - copy));
    else if (end == equals + 1 || *end || !(value >= LEAST && value <= MOST))
        err_set(EXIT_USAGE,
                "--class-weights %s: the weight is not a number from %g to %g; leave records that "
                "are not to count out of the data",
                copy, LEAST, MOST);
    else if (weight[i] > 0)
        err_set(EXIT_USAGE, "--class-weights: '%s' has two weights", labels->name[i]);
    else
        rc = 0;
    if (rc == 0)
        weight[i] = value;
    free(copy);
    return rc;
}

/* A label may have commas itself: then it stands alone. */
static int take_list(double *weight, const struct labels *labels, const char *text)
{
    const char *const equals = strrchr(text, '=');
    int rc = 0;

    if (equals && labels_find(labels, text, (size_t)(equals - text)) >= 0)
        return take(weight, labels, text, strlen(text));
    for (;; text++) {
        const size_t n = strcspn(text, ",");

        rc = take(weight, labels, text, n);
        text += n;
        if (rc < 0 || !*text)
            return rc;
    }
}

int class_weights_find(double **weight, const struct cli_list *given, const struct labels *labels,
                       const int64_t *count)
{
    double *const w = xcalloc((size_t)labels->n, sizeof *w);
    const bool balanced = given->n == 1 && !strcmp(given->v[0], "balanced");
    int rc = 0;

    if (balanced)
        balance(w, count, labels->n);
    for (int i = 0; i < given->n && rc == 0 && !balanced; i++)
        rc = take_list(w, labels, given->v[i]);
    for (int i = 0; i < labels->n && !balanced; i++)
        w[i] = w[i] > 0 ? w[i] : 1;
    if (rc < 0) {
        free(w);
        return -1;
    }
    *weight = w;
    return 0;
}
