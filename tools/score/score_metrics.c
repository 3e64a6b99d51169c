#include "score_metrics.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct named {
    const char *name;
    int at; /* as in struct confusion */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int64_t count_of(const struct tally *t, int truth, int pred)
{
    if (truth < 0 || pred == LABEL_NOWHERE)
        return 0;
    return pred == LABEL_NONE ? tally_none(t, truth) : tally_count(t, truth, pred);
}

/* How often label AT was true, how often it was predicted, among N labels and none. */
static int64_t times_true(const struct tally *t, int n, int at)
{
    int64_t sum = count_of(t, at, LABEL_NONE);

    for (int i = 0; i < n; i++)
        sum += count_of(t, at, i);
    return sum;
}

static int64_t times_predicted(const struct tally *t, int n, int at)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += count_of(t, i, at);
    return sum;
}

/* Which labels are reported, in their order; returns how many. */
static int choose(struct named *list, const struct tally *t, const struct labels *l,
                  enum order order)
{
    int n = 0;

    for (int i = 0; i < l->n; i++)
        if (order != ORDER_SKLEARN || times_true(t, l->n, i) || times_predicted(t, l->n, i))
            list[n++] = (struct named){ l->name[i], i };
    if (order == ORDER_SKLEARN && times_predicted(t, l->n, LABEL_NONE))
        list[n++] = (struct named){ "none", LABEL_NONE };
    if (order != ORDER_GIVEN)
        qsort(list, (size_t)n, sizeof *list, by_name);
    return n;
}

static void take_chosen(struct named *list, const struct labels *l, const struct labels *chosen)
{
    for (int i = 0; i < chosen->n; i++) {
        const char *name = chosen->name[i];
        const int at = labels_find(l, name, strlen(name));

        list[i] = (struct named){ name, at >= 0                ? at
                                        : strcmp(name, "none") ? LABEL_NOWHERE
                                                               : LABEL_NONE };
    }
}

void confusion_init(struct confusion *c, const struct tally *t, const struct labels *l,
                    enum order order, const struct labels *chosen)
{
    struct named *list = xnmalloc((size_t)(chosen ? chosen->n : l->n) + 1, sizeof *list);
    const int n = chosen ? chosen->n : choose(list, t, l, order);
    const size_t size = (size_t)n;

    if (chosen)
        take_chosen(list, l, chosen);
    *c = (struct confusion){ n,
                             xnmalloc(size, sizeof *c->name),
                             xnmalloc(size, sizeof *c->at),
                             xcalloc(size, sizeof *c->right),
                             xcalloc(size * size, sizeof *c->count),
                             xcalloc(size, sizeof *c->none),
                             xcalloc(size, sizeof *c->support),
                             xcalloc(size, sizeof *c->predicted) };
    for (int i = 0; i < n; i++) {
        c->name[i] = list[i].name;
        c->at[i] = list[i].at;
        c->right[i] = count_of(t, list[i].at, list[i].at);
        c->none[i] = order == ORDER_SKLEARN ? 0 : count_of(t, list[i].at, LABEL_NONE);
        c->support[i] = times_true(t, l->n, list[i].at);
        c->predicted[i] = times_predicted(t, l->n, list[i].at);
        for (int k = 0; k < n; k++)
            c->count[i * n + k] = count_of(t, list[i].at, list[k].at);
    }
    free(list);
}

void confusion_free(struct confusion *c)
{
    free(c->name);
    free(c->at);
    free(c->right);
    free(c->count);
    free(c->none);
    free(c->support);
    free(c->predicted);
}

static int by_times(const void *a, const void *b)
{
    const struct confused *x = a, *y = b;

    if (x->times != y->times)
        return x->times < y->times ? 1 : -1;
    return x->truth != y->truth ? x->truth - y->truth : x->pred - y->pred;
}

struct confused *confusion_list(const struct confusion *c, size_t *n)
{
    struct confused *v = NULL;
    size_t cap = 0;

    *n = 0;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k <= c->n; k++) {
            const int64_t times = k == c->n ? c->none[i] : c->count[i * c->n + k];

            if (k == i || times == 0)
                continue;
            if (*n == cap) {
                cap = cap ? 2 * cap : 64;
                v = xnrealloc(v, cap, sizeof *v);
            }
            v[(*n)++] = (struct confused){ i, k, times };
        }
    if (*n)
        qsort(v, *n, sizeof *v, by_times);
    return v;
}

/* The eight running sums of numpy's inner loop, up to 128 values. */
static double block_sum(const double *v, int64_t n)
{
    double r[8];
    int64_t i = 8;

    memcpy(r, v, sizeof r);
    for (; i < n - n % 8; i += 8)
        for (int k = 0; k < 8; k++)
            r[k] += v[i + k];
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));

    for (; i < n; i++)
        sum += v[i];
    return sum;
}

double pairwise_sum(const double *v, int64_t n)
{
    if (n < 8) {
        double sum = 0;

        for (int64_t i = 0; i < n; i++)
            sum += v[i];
        return sum;
    }
    if (n <= 128)
        return block_sum(v, n);
    const int64_t half = n / 2 - n / 2 % 8;

    return pairwise_sum(v, half) + pairwise_sum(v + half, n - half);
}

static double quotient(double a, double b)
{
    return b != 0 ? a / b : 0;
}

struct label_metrics label_metrics(const struct confusion *c, int i)
{
    const double right = (double)c->right[i];
    const double precision = quotient(right, (double)c->predicted[i]);
    const double recall = quotient(right, (double)c->support[i]);
    const double f1 = quotient(2.0 * precision * recall, precision + recall);

    return (struct label_metrics){ precision, recall, f1 };
}

/* Those labels that are true or predicted somewhere; ALL: every one. */
static double macro_f1(const struct confusion *c, bool all)
{
    double *f1 = xnmalloc((size_t)c->n, sizeof *f1);
    int64_t n = 0;

    for (int i = 0; i < c->n; i++)
        if (all || c->support[i] > 0 || c->predicted[i] > 0)
            f1[n++] = label_metrics(c, i).f1;
    const double sum = pairwise_sum(f1, n);

    free(f1);
    return sum / (double)n;
}

static double weighted_f1(const struct confusion *c)
{
    double *weighted = xnmalloc((size_t)c->n, sizeof *weighted);
    int64_t support = 0;

    for (int i = 0; i < c->n; i++) {
        weighted[i] = label_metrics(c, i).f1 * (double)c->support[i];
        support += c->support[i];
    }
    const double sum = pairwise_sum(weighted, c->n);

    free(weighted);
    return quotient(sum, (double)support);
}

static double balanced_accuracy(const struct confusion *c)
{
    double *recall = xnmalloc((size_t)c->n, sizeof *recall);
    int64_t n = 0;

    for (int i = 0; i < c->n; i++)
        if (c->support[i] > 0)
            recall[n++] = label_metrics(c, i).recall;
    const double sum = pairwise_sum(recall, n);

    free(recall);
    return sum / (double)n;
}

/* Matthews' coefficient for many classes (Gorodkin 2004), none among the predicted ones. */
static double mcc(const struct metrics *m, const struct confusion *c, double right)
{
    const double n = (double)m->n, none = (double)m->none;
    double both = 0, pred = none * none, truth = 0;

    for (int i = 0; i < c->n; i++) {
        const double t = (double)c->support[i], p = (double)c->predicted[i];

        both += t * p;
        pred += p * p;
        truth += t * t;
    }
    const double spread = (n * n - pred) * (n * n - truth);

    return spread == 0 ? 0 : (right * n - both) / sqrt(spread);
}

static double kappa(const struct metrics *m, const struct confusion *c, double right)
{
    const double n = (double)m->n;
    double by_chance = 0;

    for (int i = 0; i < c->n; i++)
        by_chance += (double)c->support[i] * (double)c->predicted[i] / n;
    return 1 - (n - right) / (n - by_chance);
}

/* Of all records together. */
static double calibration_error(const struct tally *t)
{
    double sum = 0;

    for (int i = 0; i < ECE_BINS; i++)
        sum += fabs((double)t->bin[i].right - t->bin[i].confidence);
    return sum;
}

void metrics_compute(struct metrics *m, const struct confusion *c, const struct tally *t)
{
    *m = (struct metrics){ .n = t->n, .scored = t->scored > 0 };
    for (int i = 0; i < c->n; i++) {
        m->right += c->right[i];
        m->none += c->none[i];
    }
    const double right = (double)m->right, scored = m->scored ? (double)t->scored : NAN;

    m->figure[ACCURACY] = right / (double)m->n;
    m->figure[BALANCED] = balanced_accuracy(c);
    m->figure[MACRO_F1] = macro_f1(c, false);
    m->figure[WEIGHTED_F1] = weighted_f1(c);
    m->figure[MCC] = mcc(m, c, right);
    m->figure[KAPPA] = kappa(m, c, right);
    m->figure[LOG_LOSS] = t->log_loss / scored;
    m->figure[BRIER] = t->brier / scored;
    m->figure[ECE] = calibration_error(t) / scored;
}

void metrics_restrict(struct metrics *m, const struct confusion *c)
{
    m->figure[MACRO_F1] = macro_f1(c, true);
    m->figure[WEIGHTED_F1] = weighted_f1(c);
}

const char *const figure_name[FIGURES] = {
    "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc",
    "kappa",    "log_loss",          "brier",    "ece",
};
