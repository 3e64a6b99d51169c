#include "pairing.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

struct place {
    uint64_t id;
    int64_t at;
};

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->at > y->at) - (x->at < y->at);
}

/* The records of RUN by id; NULL when an id is missing or there twice. */
static struct place *sorted(const struct scored_run *run)
{
    struct place *v = xnmalloc((size_t)run->n, sizeof *v);

    for (int64_t i = 0; i < run->n; i++) {
        if (!run->kept[i].has_id) {
            (void)err_set(EXIT_DATA,
                          "%s:#%lld: has no id, by which two runs are compared; predict from a "
                          "stream that has them",
                          run->path, (long long)i);
            free(v);
            return NULL;
        }
        v[i] = (struct place){ run->kept[i].id, i };
    }
    qsort(v, (size_t)run->n, sizeof *v, by_id);
    for (int64_t i = 1; i < run->n; i++)
        if (v[i].id == v[i - 1].id) {
            (void)err_set(EXIT_DATA,
                          "%s:%llu: this id is there twice, in records #%lld and #%lld; leave one "
                          "of them out",
                          run->path, (unsigned long long)v[i].id, (long long)v[i - 1].at,
                          (long long)v[i].at);
            free(v);
            return NULL;
        }
    return v;
}

static int only_in(const struct scored_run *has, const struct scored_run *lacks, uint64_t id)
{
    return err_set(EXIT_DATA,
                   "%s:%llu: this id is not in %s; compare predictions of the same records, such "
                   "as --only chooses",
                   has->path, (unsigned long long)id, lacks->path);
}

static int check_pair(const struct scored_run *a, int64_t i, const struct scored_run *b, int64_t k,
                      const char *by)
{
    const struct kept_record *x = &a->kept[i], *y = &b->kept[k];
    const char *label = a->labels.name[x->judged.truth], *other = b->labels.name[y->judged.truth];

    if (strcmp(label, other) != 0)
        return err_set(EXIT_DATA,
                       "%s:%llu: label is '%s', in %s it is '%s'; compare predictions of the same "
                       "data",
                       a->path, (unsigned long long)x->id, label, b->path, other);
    if (by && strcmp(a->slices[x->slice].value, b->slices[y->slice].value) != 0)
        return err_set(EXIT_DATA, "%s:%llu: %s is '%s', in %s it is '%s'; give another to --by",
                       a->path, (unsigned long long)x->id, by, a->slices[x->slice].value, b->path,
                       b->slices[y->slice].value);
    return 0;
}

/* Runs of two tables that are as long and have their labels at the same places go together by id;
 * but a text may have been mended. */
static void say_texts(const struct scored_run *a, const struct scored_run *b, const int64_t *other)
{
    long long n = 0;

    for (int64_t i = 0; i < a->n; i++) {
        const uint64_t one = a->kept[i].text, two = b->kept[other[i]].text;

        n += one && two && one != two;
    }
    if (n > 0)
        warn("%s: %lld of %lld records have another text in %s; compare predictions of the same "
             "data",
             a->path, n, (long long)a->n, b->path);
}

static int match(int64_t *other, const struct place *x, const struct scored_run *a,
                 const struct place *y, const struct scored_run *b, const char *by)
{
    for (int64_t i = 0; i < a->n || i < b->n; i++) {
        if (i == b->n || (i < a->n && x[i].id < y[i].id))
            return only_in(a, b, x[i].id);
        if (i == a->n || y[i].id < x[i].id)
            return only_in(b, a, y[i].id);
        if (check_pair(a, x[i].at, b, y[i].at, by) < 0)
            return -1;
        other[x[i].at] = y[i].at;
    }
    return 0;
}

static int check_labels(const struct scored_run *a, const struct scored_run *b)
{
    struct buf of_a = BUF_INIT, of_b = BUF_INIT;
    bool same =
        a->labels_given == b->labels_given && (a->labels.n == b->labels.n || !a->labels_given);

    for (int i = 0; same && i < a->labels.n; i++)
        same = !strcmp(a->labels.name[i], b->labels.name[i]);
    if (same)
        return 0;
    labels_list(&a->labels, &of_a);
    labels_list(&b->labels, &of_b);
    (void)err_set(EXIT_DATA, "%s has the labels %s, %s has %s; predict both with the same ones",
                  a->path, of_a.p, b->path, of_b.p);
    buf_free(&of_a);
    buf_free(&of_b);
    return -1;
}

int64_t *pair_runs(const struct scored_run *a, const struct scored_run *b, const char *by)
{
    if (check_labels(a, b) < 0)
        return NULL;
    struct place *x = sorted(a), *y = x ? sorted(b) : NULL;
    int64_t *other = NULL;

    if (x && y) {
        other = xnmalloc((size_t)a->n, sizeof *other);
        if (match(other, x, a, y, b, by) < 0) {
            free(other);
            other = NULL;
        } else {
            say_texts(a, b, other);
        }
    }
    free(x);
    free(y);
    return other;
}
