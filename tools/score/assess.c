#include "assess.h"

static void find_baseline(struct assessment *a)
{
    const struct confusion *c = &a->c;
    int most = 0;

    for (int i = 1; i < c->n; i++)
        most = c->support[i] > c->support[most] ? i : most;
    a->majority = c->name[most];
    a->baseline = (double)c->support[most] / (double)a->m.n;
}

void assess(struct assessment *a, const struct scored_run *run, int slice,
            const struct labels *chosen)
{
    const enum order order = run->labels_given ? ORDER_GIVEN : ORDER_NAME;
    const struct tally *t = &run->slices[slice].tally;

    *a = (struct assessment){ .run = run, .slice = &run->slices[slice] };
    confusion_init(&a->c, t, &run->labels, order, NULL);
    metrics_compute(&a->m, &a->c, t);
    a->accuracy = interval_wilson((double)a->m.right, (double)a->m.n);
    find_baseline(a);
    if (!chosen)
        return;
    confusion_free(&a->c);
    confusion_init(&a->c, t, &run->labels, order, chosen);
    metrics_restrict(&a->m, &a->c);
}

void assessment_free(struct assessment *a)
{
    confusion_free(&a->c);
}
