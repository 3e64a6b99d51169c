#include "metrics.h"

#include "mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct named {
    const char *name;
    int at; /* index in the tally's labels, -1: none */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static bool occurs(const struct tally *t, int n, int label)
{
    if (tally_none(t, label) > 0)
        return true;
    for (int i = 0; i < n; i++)
        if (tally_count(t, label, i) > 0 || tally_count(t, i, label) > 0)
            return true;
    return false;
}

static bool none_occurs(const struct tally *t, int n)
{
    for (int i = 0; i < n; i++)
        if (tally_none(t, i) > 0)
            return true;
    return false;
}

/* Which labels are reported, in their order; returns how many. */
static int choose(struct named *list, const struct tally *t, const struct labels *l,
                  enum order order)
{
    int n = 0;

    for (int i = 0; i < l->n; i++)
        if (order != ORDER_SKLEARN || occurs(t, l->n, i))
            list[n++] = (struct named){ l->name[i], i };
    if (order == ORDER_SKLEARN && none_occurs(t, l->n))
        list[n++] = (struct named){ "none", -1 };
    if (order != ORDER_GIVEN)
        qsort(list, (size_t)n, sizeof *list, by_name);
    return n;
}

static int64_t count_of(const struct tally *t, int truth, int pred)
{
    if (truth < 0)
        return 0;
    return pred < 0 ? tally_none(t, truth) : tally_count(t, truth, pred);
}

void confusion_init(struct confusion *c, const struct tally *t, const struct labels *l,
                    enum order order)
{
    struct named *list = xnmalloc((size_t)l->n + 1, sizeof *list);
    const int n = choose(list, t, l, order);
    const size_t size = (size_t)n;

    *c = (struct confusion){ n,
                             xnmalloc(size, sizeof *c->name),
                             xcalloc(size * size, sizeof *c->count),
                             xcalloc(size, sizeof *c->none),
                             xcalloc(size, sizeof *c->support),
                             xcalloc(size, sizeof *c->predicted) };
    for (int i = 0; i < n; i++) {
        c->name[i] = list[i].name;
        c->none[i] = order == ORDER_SKLEARN ? 0 : count_of(t, list[i].at, -1);
        c->support[i] += c->none[i];
        for (int k = 0; k < n; k++) {
            const int64_t count = count_of(t, list[i].at, list[k].at);

            c->count[i * n + k] = count;
            c->support[i] += count;
            c->predicted[k] += count;
        }
    }
    free(list);
}

void confusion_free(struct confusion *c)
{
    free(c->name);
    free(c->count);
    free(c->none);
    free(c->support);
    free(c->predicted);
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
    const double right = (double)c->count[i * c->n + i];
    const double precision = quotient(right, (double)c->predicted[i]);
    const double recall = quotient(right, (double)c->support[i]);
    const double f1 = quotient(2.0 * precision * recall, precision + recall);

    return (struct label_metrics){ precision, recall, f1 };
}

static void compute_means(struct metrics *m, const struct confusion *c)
{
    const size_t n = (size_t)c->n;
    double *f1 = xnmalloc(n, sizeof *f1), *weighted = xnmalloc(n, sizeof *weighted),
           *recall = xnmalloc(n, sizeof *recall);
    int64_t there = 0, supported = 0;

    for (int i = 0; i < c->n; i++) {
        const struct label_metrics l = label_metrics(c, i);

        weighted[i] = l.f1 * (double)c->support[i];
        if (c->support[i] > 0)
            recall[supported++] = l.recall;
        if (c->support[i] > 0 || c->predicted[i] > 0)
            f1[there++] = l.f1;
    }
    m->macro_f1 = pairwise_sum(f1, there) / (double)there;
    m->balanced_accuracy = pairwise_sum(recall, supported) / (double)supported;
    m->weighted_f1 = pairwise_sum(weighted, c->n) / (double)m->n;
    free(f1);
    free(weighted);
    free(recall);
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

static double ece(const struct tally *t)
{
    double sum = 0;

    for (int i = 0; i < ECE_BINS; i++)
        sum += fabs((double)t->bin[i].right - t->bin[i].confidence);
    return sum / (double)t->scored;
}

void metrics_compute(struct metrics *m, const struct confusion *c, const struct tally *t)
{
    int64_t right = 0;

    *m = (struct metrics){ .n = t->n };
    for (int i = 0; i < c->n; i++) {
        right += c->count[i * c->n + i];
        m->none += c->none[i];
    }
    m->accuracy = (double)right / (double)m->n;
    compute_means(m, c);
    m->mcc = mcc(m, c, (double)right);
    m->kappa = kappa(m, c, (double)right);
    m->scored = t->scored > 0;
    if (m->scored) {
        m->log_loss = t->log_loss / (double)t->scored;
        m->brier = t->brier / (double)t->scored;
        m->ece = ece(t);
    }
}
