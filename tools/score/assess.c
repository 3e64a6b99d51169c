#include "assess.h"

#include "mem.h"

#include <stdlib.h>

enum order assess_order(const struct scored_run *run)
{
    return run->labels_given ? ORDER_GIVEN : ORDER_NAME;
}

bool above_baseline(const struct assessment *a)
{
    return a->accuracy.low > a->baseline;
}

static void find_baseline(struct assessment *a)
{
    const struct confusion *c = &a->c;
    int most = 0;

    for (int i = 1; i < c->n; i++)
        most = c->support[i] > c->support[most] ? i : most;
    a->majority = c->name[most];
    a->baseline = (double)c->support[most] / (double)a->m.n;
}

static void find_label_intervals(struct assessment *a)
{
    const struct confusion *c = &a->c;

    a->label = xnmalloc((size_t)c->n, sizeof *a->label);
    for (int i = 0; i < c->n; i++) {
        const double right = (double)c->right[i];

        a->label[i] = (struct label_intervals){ interval_wilson(right, (double)c->predicted[i]),
                                                interval_wilson(right, (double)c->support[i]) };
    }
}

void assess(struct assessment *a, const struct scored_run *run, int slice,
            const struct labels *chosen)
{
    const enum order order = assess_order(run);
    const struct tally *t = &run->slices[slice].tally;

    *a = (struct assessment){ .run = run, .slice = &run->slices[slice], .chosen = chosen };
    confusion_init(&a->c, t, &run->labels, order, NULL);
    metrics_compute(&a->m, &a->c, t);
    a->accuracy = interval_wilson((double)a->m.right, (double)a->m.n);
    find_baseline(a);
    if (chosen) {
        confusion_free(&a->c);
        confusion_init(&a->c, t, &run->labels, order, chosen);
        metrics_restrict(&a->m, &a->c);
    }
    find_label_intervals(a);
}

int assess_bootstrap(struct assessment *a, const struct resampling *how)
{
    const struct scored_run *run = a->run;
    const int slice = (int)(a->slice - run->slices);
    const struct judged **record = xnmalloc((size_t)a->m.n, sizeof *record);
    int64_t n = 0;

    for (int64_t i = 0; i < run->n; i++)
        if (run->kept[i].slice == slice)
            record[n++] = &run->kept[i].judged;
    const struct boot_input in = { record, &run->labels, assess_order(run), a->chosen };
    const int rc = bootstrap(&a->own, &in, 1, n, how);

    free(record);
    a->boot = &a->own.run[0];
    a->how = *how;
    return rc;
}

void assessment_free(struct assessment *a)
{
    confusion_free(&a->c);
    free(a->label);
    boot_free(&a->own);
}

int assess_check_chosen(const struct labels *chosen, const struct scored_run *run)
{
    struct buf names = BUF_INIT, known = BUF_INIT;
    int64_t support = 0;

    for (int i = 0; i < run->n_slices; i++) {
        struct confusion c;

        confusion_init(&c, &run->slices[i].tally, &run->labels, ORDER_GIVEN, chosen);
        for (int k = 0; k < c.n; k++)
            support += c.support[k];
        confusion_free(&c);
    }
    if (support)
        return 0;
    labels_list(chosen, &names);
    labels_list(&run->labels, &known);
    (void)err_set(EXIT_DATA, "no record's label is one of --labels %s; there are: %s", names.p,
                  known.p);
    buf_free(&names);
    buf_free(&known);
    return -1;
}
