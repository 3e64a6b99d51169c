#include "assess.h"

void assess(struct assessment *a, const struct scored_run *run, int slice,
            const struct labels *chosen)
{
    const enum order order = run->labels_given ? ORDER_GIVEN : ORDER_NAME;
    const struct tally *t = &run->slices[slice].tally;

    *a = (struct assessment){ .run = run, .slice = &run->slices[slice] };
    confusion_init(&a->c, t, &run->labels, order, NULL);
    metrics_compute(&a->m, &a->c, t);
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
