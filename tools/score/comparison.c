#include "comparison.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>

double comparison_difference(const struct comparison *c, enum figure f)
{
    return c->b.m.figure[f] - c->a.m.figure[f];
}

static bool is_right(const struct judged *j)
{
    return j->truth == j->pred;
}

static void count(struct comparison *c, const struct judged *a, const struct judged *b)
{
    if (is_right(a))
        ++*(is_right(b) ? &c->both_right : &c->only_a);
    else
        ++*(is_right(b) ? &c->only_b : &c->both_wrong);
}

/* McNemar's exact two-sided test (1947) of records that one run alone has right: twice the
 * probability of at most the smaller number among as many throws of a coin, at most 1, and 1 where
 * both are 0. It is statsmodels.stats.contingency_tables.mcnemar(..., exact=True). */
static double mcnemar_exact(int64_t only_a, int64_t only_b)
{
    const int64_t n = only_a + only_b, least = only_a < only_b ? only_a : only_b;
    double term = 1, sum = 1;
    int power = 0, exponent;

    /* the largest term, n over least, as TERM * 2^POWER */
    for (int64_t i = 1; i <= least; i++) {
        term = frexp(term * (double)(n - least + i) / (double)i, &exponent);
        power += exponent;
    }
    /* the others as parts of it, from the smallest: 1 + a(1 + b(1 + ...)) */
    for (int64_t k = 1; k <= least; k++)
        sum = 1 + sum * (double)k / (double)(n - k + 1);
    return n == 0 ? 1 : fmin(1, ldexp(term * sum, power - (int)n + 1));
}

static enum conclusion conclude(const struct comparison *c)
{
    const struct interval d = c->boot.difference[ACCURACY];

    if (!(c->mcnemar_p < 0.05))
        return UNDECIDED;
    return d.low > 0 ? B_BETTER : d.high < 0 ? B_WORSE : UNDECIDED;
}

int compare_runs(struct comparison *c, const struct scored_run *a, const struct scored_run *b,
                 const int64_t *other, int slice, const struct labels *chosen,
                 const struct resampling *how)
{
    *c = (struct comparison){ .conclusion = UNDECIDED };
    assess(&c->a, a, slice, chosen);
    assess(&c->b, b, scored_run_slice(b, a->slices[slice].value), chosen);
    const struct judged **of_a = xnmalloc((size_t)c->a.m.n, sizeof *of_a),
                        **of_b = xnmalloc((size_t)c->a.m.n, sizeof *of_b);
    int64_t n = 0;

    for (int64_t i = 0; i < a->n; i++) {
        if (a->kept[i].slice != slice)
            continue;
        of_a[n] = &a->kept[i].judged;
        of_b[n] = &b->kept[other[i]].judged;
        count(c, of_a[n], of_b[n]);
        n++;
    }
    const struct boot_input in[] = { { of_a, &a->labels, assess_order(a), chosen },
                                     { of_b, &b->labels, assess_order(b), chosen } };
    const int rc = bootstrap(&c->boot, in, 2, n, how);

    free(of_a);
    free(of_b);
    c->a.boot = &c->boot.run[0];
    c->b.boot = &c->boot.run[1];
    c->a.how = c->b.how = *how;
    c->mcnemar_p = mcnemar_exact(c->only_a, c->only_b);
    c->conclusion = conclude(c);
    return rc;
}

void comparison_free(struct comparison *c)
{
    assessment_free(&c->a);
    assessment_free(&c->b);
    boot_free(&c->boot);
}
