#include "tally.h"

#include "mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_MOST = 4096 };

static void make_room(struct tally *t, int labels)
{
    const int cap = labels < 2 * t->cap ? 2 * t->cap : labels < 4 ? 4 : labels;
    int64_t *count, *none;

    if (labels <= t->cap)
        return;
    count = xcalloc((size_t)cap * (size_t)cap, sizeof *count);
    none = xcalloc((size_t)cap, sizeof *none);
    for (int i = 0; i < t->cap; i++) {
        memcpy(count + (size_t)i * (size_t)cap, t->count + i * t->cap,
               (size_t)t->cap * sizeof *count);
        none[i] = t->none[i];
    }
    free(t->count);
    free(t->none);
    t->count = count;
    t->none = none;
    t->cap = cap;
}

/* Index of a label; -1 when it is not known and the labels do not grow. */
static int find_label(struct labels *labels, bool grow, const char *text, size_t n)
{
    const int i = labels_find(labels, text, n);

    if (i >= 0 || !grow || labels->n == LABELS_MOST || memchr(text, 0, n))
        return i;
    labels_add(labels, text, n);
    return labels->n - 1;
}

static int get_text(struct record *rec, const char *key, const char **text, size_t *n)
{
    const int has = record_get_text(rec, key, text, n);

    return has ? has
               : err_set(EXIT_DATA, "has no field '%s'; %s", key,
                         !strcmp(key, "pred") ? "predict it with --mode labels or generate"
                                              : "score compares it with pred");
}

static int bin_of(double confidence)
{
    const int bin = (int)ceil(confidence * ECE_BINS) - 1;

    return bin < 0 ? 0 : bin >= ECE_BINS ? ECE_BINS - 1 : bin;
}

/* The renormalised probability of the truth, clipped as sklearn.metrics.log_loss clips float32. */
static double clipped(const float *p, size_t n, size_t truth)
{
    double sum = 0, value = 0;

    for (size_t i = 0; i < n; i++) {
        const double c = fmin(fmax((double)p[i], FLT_EPSILON), 1.0 - FLT_EPSILON);

        sum += c;
        value = i == truth ? c : value;
    }
    return value / sum;
}

static void add_scores(struct tally *t, const float *p, size_t n, struct judged *j)
{
    const size_t truth = (size_t)j->truth;
    size_t best = 0;

    j->p = j->pred < 0 ? NAN : (double)p[j->pred];
    j->brier = 0;
    for (size_t i = 0; i < n; i++) {
        const double miss = (double)p[i] - (i == truth);

        j->brier += miss * miss;
        t->brier += miss * miss;
        best = p[i] > p[best] ? i : best;
    }
    j->log_loss = -log(clipped(p, n, truth));
    t->log_loss += j->log_loss;
    t->scored++;
    j->apart = j->pred >= 0 && p[best] > p[j->pred];
    const int bin = bin_of((double)p[best]);

    t->bin[bin].n++;
    t->bin[bin].right += best == truth;
    t->bin[bin].confidence += (double)p[best];
}

static int take_scores(struct tally *t, const struct labels *labels, struct record *rec,
                       struct judged *j)
{
    static const double rounded = 0.006; /* what two digits may take off each */
    const float *p;
    double sum = 0;
    size_t n;
    const int has = record_get_f32(rec, "scores", &p, &n);

    if (has < 0)
        return -1;
    if (has != (t->scored > 0) && t->n > 1)
        return err_set(EXIT_DATA, "has %s, unlike the records before it",
                       has ? "scores" : "no scores");
    if (!has)
        return 0;
    if (n != (size_t)labels->n)
        return err_set(EXIT_DATA, "has %zu scores for %d labels", n, labels->n);
    for (size_t i = 0; i < n; i++) {
        if (!(p[i] >= 0 && p[i] <= 1.0f + 1e-3f))
            return err_set(EXIT_DATA, "score %zu is %g, which is not a probability", i,
                           (double)p[i]);
        sum += (double)p[i];
    }
    if (fabs(sum - 1) > rounded * (double)n)
        return err_set(EXIT_DATA, "scores add up to %g, and probabilities to 1", sum);
    add_scores(t, p, n, j);
    return 0;
}

int tally_add(struct tally *t, struct labels *labels, bool grow, struct record *rec,
              struct judged *j)
{
    const char *label, *pred;
    size_t n_label, n_pred;

    if (get_text(rec, "label", &label, &n_label) < 0 || get_text(rec, "pred", &pred, &n_pred) < 0)
        return -1;
    const int truth = find_label(labels, grow, label, n_label);
    const bool none = n_pred == 4 && !memcmp(pred, "none", 4);
    int guess = labels_find(labels, pred, n_pred);

    if (truth < 0)
        return err_set(EXIT_DATA, "label '%.*s' is not a label of this stream", (int)n_label,
                       label);
    if (guess < 0 && !none)
        guess = find_label(labels, grow, pred, n_pred);
    if (guess < 0 && !none)
        return err_set(EXIT_DATA, "pred '%.*s' is neither a label of this stream nor none",
                       (int)n_pred, pred);
    make_room(t, labels->n);
    t->n++;
    if (guess >= 0)
        t->count[truth * t->cap + guess]++;
    else
        t->none[truth]++;
    *j = (struct judged){ truth, guess, NAN, NAN, NAN, false };
    return take_scores(t, labels, rec, j);
}

struct calibration calibration_bin(const struct tally *t, int i)
{
    const double n = (double)t->bin[i].n;

    return (struct calibration){ (double)i / ECE_BINS, (double)(i + 1) / ECE_BINS, t->bin[i].n,
                                 t->bin[i].confidence / n, (double)t->bin[i].right / n };
}

void tally_free(struct tally *t)
{
    free(t->count);
    free(t->none);
    *t = (struct tally){ 0 };
}
