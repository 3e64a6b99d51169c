/* train_test_split of scikit-learn 1.2.1, draw by draw. Checked by tests/parity/sklearn-split.t. */
#include "sample.h"

#include "mem.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* _validate_shuffle_split: rows of train and test out of N. WHO names the rows in messages. */
static int validate(const struct sample_plan *plan, int64_t n, const char *who, int64_t *n_train,
                    int64_t *n_test)
{
    const struct size *train = &plan->size[TRAIN];
    struct size test = plan->size[TEST];

    if (train->kind == SIZE_ABSENT && test.kind == SIZE_ABSENT)
        test = (struct size){ SIZE_SHARE, 0, 0.25 };
    for (int i = 0; i < 2; i++) {
        const struct size *s = i ? &test : train;

        if ((s->kind == SIZE_COUNT && (s->count <= 0 || s->count >= n)) ||
            (s->kind == SIZE_SHARE && (s->share <= 0 || s->share >= 1)))
            return err_set(EXIT_DATA,
                           "%s has %lld row%s, and --%s must be at least 1 and less than that, or "
                           "a share between 0 and 1; change it",
                           who, (long long)n, n == 1 ? "" : "s", i ? "test" : "train");
    }
    if (train->kind == SIZE_SHARE && test.kind == SIZE_SHARE && train->share + test.share > 1)
        return err_set(EXIT_USAGE, "the shares of train and test add up to more than 1");
    *n_test = test.kind == SIZE_SHARE ? (int64_t)ceil(test.share * (double)n) : test.count;
    *n_train = train->kind == SIZE_SHARE ? (int64_t)floor(train->share * (double)n) : train->count;
    if (train->kind == SIZE_ABSENT)
        *n_train = n - *n_test;
    else if (test.kind == SIZE_ABSENT)
        *n_test = n - *n_train;
    if (*n_train + *n_test > n || *n_train == 0)
        return err_set(EXIT_DATA,
                       "%s has %lld row%s, which cannot give %lld for train and %lld for "
                       "test; change --train or --test",
                       who, (long long)n, n == 1 ? "" : "s", (long long)*n_train,
                       (long long)*n_test);
    return 0;
}

/* The largest remainder not above LIMIT. */
static double largest_below(const double *rest, int n, double limit)
{
    double largest = -1;

    for (int c = 0; c < n; c++)
        if (rest[c] < limit && rest[c] > largest)
            largest = rest[c];
    return largest;
}

/* One draw each to NEED of the classes whose remainder is VALUE; returns how many got one. All of
 * them getting one still takes random numbers, as choice() does. */
static int64_t add_to_equals(int64_t *draws, const double *rest, int n, double value, int64_t need,
                             struct mt19937 *g)
{
    int64_t *equal = xnmalloc((size_t)n, sizeof *equal), found = 0, added;

    for (int c = 0; c < n; c++)
        if (rest[c] == value)
            equal[found++] = c;
    mt19937_shuffle(g, equal, found);
    for (added = 0; added < found && added < need; added++)
        draws[equal[added]]++;
    free(equal);
    return added;
}

/* _approximate_mode: DRAWS (n) add up to TOTAL, in proportion to COUNT. In doubles, in this order
 * of operations: which remainders are equal, and so what is drawn, depends on their last bit. */
static void approximate_mode(int64_t *draws, const int64_t *count, int n, int64_t total,
                             struct mt19937 *g)
{
    double *rest = xnmalloc((size_t)n, sizeof *rest), value = INFINITY;
    int64_t sum = 0, need = total;

    for (int c = 0; c < n; c++)
        sum += count[c];
    for (int c = 0; c < n; c++) {
        const double exact = (double)count[c] / (double)sum * (double)total;

        draws[c] = (int64_t)floor(exact);
        rest[c] = exact - floor(exact);
        need -= draws[c];
    }
    while (need > 0 && (value = largest_below(rest, n, value)) >= 0)
        need -= add_to_equals(draws, rest, n, value, need, g);
    free(rest);
}

/* Stratifying needs two rows of every class, and a row of every class in both parts. */
static int check_strata(const struct population *p, int64_t n_train, int64_t n_test)
{
    for (int c = 0; c < p->n_classes; c++)
        if (p->count[c] < 2)
            return err_set(EXIT_DATA,
                           "label '%s' has %lld row%s, and dividing it needs two; add rows or "
                           "leave the label out",
                           p->name[c], (long long)p->count[c], p->count[c] == 1 ? "" : "s");
    if (n_train < p->n_classes || n_test < p->n_classes)
        return err_set(EXIT_DATA,
                       "train gets %lld and test %lld rows, fewer than the %d labels; raise "
                       "--train or --test",
                       (long long)n_train, (long long)n_test, p->n_classes);
    return 0;
}

/* StratifiedShuffleSplit, one split. TURN: the classes by name, which is the order of np.unique. */
static int deal_stratified(struct deck *d, struct sample *s, const int *turn, int64_t n_train,
                           int64_t n_test, struct mt19937 *g)
{
    const struct population *p = d->p;
    const size_t n = (size_t)p->n_classes;
    int64_t *count = xnmalloc(n, sizeof *count), *train = xnmalloc(n, sizeof *train),
            *test = xnmalloc(n, sizeof *test);
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        count[i] = p->count[turn[i]];
    approximate_mode(train, count, p->n_classes, n_train, g);
    for (size_t i = 0; i < n; i++)
        count[i] -= train[i];
    approximate_mode(test, count, p->n_classes, n_test, g);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        deck_shuffle(d, turn[i], g);
        rc = deck_deal(d, s, TRAIN, turn[i], train[i]);
        if (rc == 0)
            rc = deck_deal(d, s, TEST, turn[i], test[i]);
    }
    mt19937_shuffle(g, s->row[TRAIN], s->n[TRAIN]);
    mt19937_shuffle(g, s->row[TEST], s->n[TEST]);
    free(count);
    free(train);
    free(test);
    return rc;
}

/* Unstratified, one class: test comes off the top of the shuffled rows, then train. */
static int deal_class(struct deck *d, struct sample *s, int c, const struct sample_plan *plan,
                      struct mt19937 *g)
{
    char who[128];
    int64_t n_train, n_test;

    (void)snprintf(who, sizeof who, "label '%.100s'", d->p->name[c]);
    if (validate(plan, d->p->count[c], who, &n_train, &n_test) < 0)
        return -1;
    mt19937_seed(g, plan->seed);
    deck_shuffle(d, c, g);
    return deck_deal(d, s, TEST, c, n_test) < 0 ? -1 : deck_deal(d, s, TRAIN, c, n_train);
}

/* Eval rows by class: the plan's, for each class or in proportion to what is left. */
static int want_eval(int64_t *want, const struct deck *d, const struct sample_plan *plan)
{
    const struct population *p = d->p;
    int64_t rows[PARTS], *left = xnmalloc((size_t)p->n_classes, sizeof *left);
    int rc = plan_rows(rows, plan, p->n);

    for (int c = 0; c < p->n_classes; c++)
        left[c] = d->n[c] - d->used[c];
    if (rc == 0 && !plan->per_class)
        rc = eval_proportion(want, left, p->n_classes, rows[EVAL]);
    for (int c = 0; rc == 0 && plan->per_class && c < p->n_classes; c++) {
        rc = plan_rows(rows, plan, p->count[c]);
        want[c] = rows[EVAL];
    }
    free(left);
    return rc;
}

static int deal_train_and_test(struct deck *d, struct sample *s, const struct sample_plan *plan,
                               struct mt19937 *g)
{
    const struct population *p = d->p;
    int64_t n_train, n_test;

    if (plan->per_class) {
        for (int c = 0; c < p->n_classes; c++)
            if (deal_class(d, s, c, plan, g) < 0)
                return -1;
        return 0;
    }
    if (validate(plan, p->n, "the table", &n_train, &n_test) < 0 ||
        check_strata(p, n_train, n_test) < 0)
        return -1;
    int *turn = xnmalloc((size_t)p->n_classes, sizeof *turn);

    classes_by_name(turn, p);
    mt19937_seed(g, plan->seed);
    const int rc = deal_stratified(d, s, turn, n_train, n_test, g);

    free(turn);
    return rc;
}

int sample_sklearn(struct sample *s, const struct population *p, const struct sample_plan *plan)
{
    int64_t *want = xcalloc((size_t)p->n_classes, sizeof *want);
    struct mt19937 g;
    struct deck d;

    *s = (struct sample){ 0 };
    deck_init(&d, p);
    int rc = deal_train_and_test(&d, s, plan, &g);

    if (rc == 0 && plan->size[EVAL].kind != SIZE_ABSENT) {
        rc = want_eval(want, &d, plan);
        if (rc == 0)
            rc = deck_deal_eval(&d, s, want, plan->eval_replace, &g);
    }
    deck_free(&d);
    free(want);
    if (rc < 0)
        sample_free(s);
    return rc;
}
