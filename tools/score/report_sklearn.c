#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- classification_report ---- */

/* How the rows of a report are laid out. */
struct layout {
    int width, digits;
    bool all;       /* the labels are those that occur, no more and no fewer */
    bool all_wrong; /* then scikit-learn 1.2 counts in floats, and prints "300.0" */
};

static void put_support(struct buf *b, const struct layout *l, int64_t support)
{
    if (l->all_wrong)
        buf_printf(b, " %9.1f\n", (double)support);
    else
        buf_printf(b, " %9lld\n", (long long)support);
}

static void put_row(struct buf *b, const struct layout *l, const char *name, const double v[3],
                    int64_t support)
{
    text_right(b, name, l->width);
    buf_printf(b, "  %9.*f %9.*f %9.*f", l->digits, v[0], l->digits, v[1], l->digits, v[2]);
    put_support(b, l, support);
}

struct columns {
    double *v[3]; /* precision, recall, f1 of each label, or these times its support */
};

static void put_average(struct buf *b, const struct layout *l, const char *name,
                        const struct columns *c, int n, double divisor, int64_t support)
{
    double v[3];

    for (int i = 0; i < 3; i++)
        v[i] = pairwise_sum(c->v[i], n) / divisor;
    put_row(b, l, name, v, support);
}

static int64_t sum_of(const int64_t *v, int n)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

/* The average over records, which is the accuracy where every record has one of the labels. */
static void put_micro(struct buf *b, const struct layout *l, const struct confusion *c)
{
    const double right = (double)sum_of(c->right, c->n);
    const int64_t support = sum_of(c->support, c->n), predicted = sum_of(c->predicted, c->n);
    const double p = predicted ? right / (double)predicted : 0;
    const double r = support ? right / (double)support : 0;
    const double f1 = p + r != 0 ? 2.0 * p * r / (p + r) : 0;

    if (!l->all) {
        put_row(b, l, "micro avg", (double[]){ p, r, f1 }, support);
        return;
    }
    text_right(b, "accuracy", l->width);
    buf_printf(b, "  %9s %9s %9.*f", "", "", l->digits, f1);
    put_support(b, l, support);
}

static void put_averages(struct buf *b, const struct layout *l, const struct confusion *c)
{
    const int64_t support = sum_of(c->support, c->n);
    struct columns plain, weighted;

    for (int i = 0; i < 3; i++) {
        plain.v[i] = xnmalloc((size_t)c->n, sizeof *plain.v[i]);
        weighted.v[i] = xnmalloc((size_t)c->n, sizeof *weighted.v[i]);
    }
    for (int k = 0; k < c->n; k++) {
        const struct label_metrics one = label_metrics(c, k);
        const double v[3] = { one.precision, one.recall, one.f1 };

        for (int i = 0; i < 3; i++) {
            plain.v[i][k] = v[i];
            weighted.v[i][k] = v[i] * (double)c->support[k];
        }
    }
    put_micro(b, l, c);
    put_average(b, l, "macro avg", &plain, c->n, c->n, support);
    put_average(b, l, "weighted avg", &weighted, c->n, support ? (double)support : 1, support);
    for (int i = 0; i < 3; i++) {
        free(plain.v[i]);
        free(weighted.v[i]);
    }
}

/* OCCUR: the labels that occur, which C holds unless others were chosen. */
static void put_classification(struct buf *b, const struct confusion *c,
                               const struct confusion *occur, int digits)
{
    struct layout l = { text_widest(c, digits > 12 ? digits : 12), digits, c->n == occur->n,
                        sum_of(occur->right, occur->n) == 0 };

    for (int i = 0; i < c->n; i++)
        l.all = l.all && (c->support[i] || c->predicted[i]);
    text_right(b, "", l.width);
    buf_puts(b, "  precision    recall  f1-score   support\n\n");
    for (int i = 0; i < c->n; i++) {
        const struct label_metrics one = label_metrics(c, i);

        put_row(b, &l, c->name[i], (double[]){ one.precision, one.recall, one.f1 }, c->support[i]);
    }
    buf_putc(b, '\n');
    put_averages(b, &l, c);
}

/* ---- a matrix as numpy prints it (array2string of 1.24 with its default options) ---- */

enum { LINE_WIDTH = 75, THRESHOLD = 1000, EDGE = 3 };

/* Rows and columns that are shown: all, or the first and last three around an ellipsis. */
struct window {
    int n;
    bool summary, short_axis; /* more than THRESHOLD numbers; and more than six a row */
};

static bool is_shown(const struct window *w, int i)
{
    return !w->short_axis || i < EDGE || i >= w->n - EDGE;
}

static int number_width(const int64_t *v, const struct window *w)
{
    int widest = 1;

    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->n; k++)
            if (is_shown(w, i) && is_shown(w, k)) {
                const int width = snprintf(NULL, 0, "%lld", (long long)v[i * w->n + k]);

                widest = width > widest ? width : widest;
            }
    return widest;
}

/* Adds a word to a row, on a new line where it would not fit; *AT is the length of the line. */
static void put_word(struct buf *b, const char *word, bool last, int *at)
{
    const int indent = 2, room = LINE_WIDTH - 2, n = (int)strlen(word);

    if (*at + n > room && *at > indent) {
        while (b->p[b->n - 1] == ' ')
            b->n--;
        buf_puts(b, "\n  ");
        *at = indent;
    }
    buf_puts(b, word);
    *at += n;
    if (!last) {
        buf_putc(b, ' ');
        ++*at;
    }
}

static void put_matrix_row(struct buf *b, const int64_t *row, const struct window *w, int width)
{
    int at = 2;

    for (int k = 0; k < w->n; k++) {
        char word[24];

        if (is_shown(w, k)) {
            (void)snprintf(word, sizeof word, "%*lld", width, (long long)row[k]);
            put_word(b, word, k == w->n - 1, &at);
        } else if (k == EDGE) {
            put_word(b, "...", false, &at);
        }
    }
}

static void put_matrix(struct buf *b, const int64_t *v, int n)
{
    struct window w = { n, (int64_t)n * n > THRESHOLD, false };

    w.short_axis = w.summary && n > 2 * EDGE;
    const int width = number_width(v, &w);

    for (int i = 0; i < n; i++) {
        if (is_shown(&w, i)) {
            buf_puts(b, i ? " [" : "[[");
            put_matrix_row(b, v + (size_t)i * (size_t)n, &w, width);
            buf_puts(b, i == n - 1 ? "]]\n" : "]\n");
        } else if (i == EDGE) {
            buf_puts(b, " ...\n");
        }
    }
}

void report_sklearn(struct buf *b, const struct tally *t, const struct labels *l,
                    const struct labels *chosen, int digits)
{
    struct confusion c, occur;

    confusion_init(&c, t, l, ORDER_SKLEARN, chosen);
    confusion_init(&occur, t, l, ORDER_SKLEARN, NULL);
    put_classification(b, &c, &occur, digits);
    buf_putc(b, '\n');
    put_matrix(b, c.count, c.n);
    confusion_free(&c);
    confusion_free(&occur);
}

/* ---- the article's evaluate() ---- */

enum { CODES = 3 };

static int code_of(const char *label)
{
    static const char *const coded[CODES] = { "negative", "neutral", "positive" };

    for (int i = 0; i < CODES; i++)
        if (!strcmp(coded[i], label))
            return i;
    return -1;
}

/* The tally with labels "0", "1", "2". */
static int recode(struct tally *to, const struct tally *t, const struct labels *l)
{
    to->n = t->n;
    for (int i = 0; i < l->n; i++)
        if (code_of(l->name[i]) < 0)
            return err_set(EXIT_DATA,
                           "--report seed knows positive, neutral and negative, and not "
                           "label '%s'; use --report sklearn",
                           l->name[i]);
    for (int i = 0; i < l->n; i++) {
        const int truth = code_of(l->name[i]);

        for (int k = 0; k < l->n; k++)
            to->count[truth * CODES + code_of(l->name[k])] += tally_count(t, i, k);
        to->count[truth * CODES + code_of("neutral")] += tally_none(t, i);
    }
    return 0;
}

/* accuracy_score is a mean over records, which is this quotient. */
static void put_accuracies(struct buf *b, const struct tally *t)
{
    int64_t right = 0;

    for (int i = 0; i < CODES; i++)
        right += tally_count(t, i, i);
    buf_printf(b, "Accuracy: %.3f\n", (double)right / (double)t->n);
    for (int i = 0; i < CODES; i++) {
        int64_t support = 0;

        for (int k = 0; k < CODES; k++)
            support += tally_count(t, i, k);
        if (support > 0)
            buf_printf(b, "Accuracy for label %d: %.3f\n", i,
                       (double)tally_count(t, i, i) / (double)support);
    }
}

int report_seed(struct buf *b, const struct tally *t, const struct labels *l)
{
    int64_t count[CODES * CODES] = { 0 }, none[CODES] = { 0 };
    char *names[CODES] = { (char[]){ "0" }, (char[]){ "1" }, (char[]){ "2" } };
    const struct labels codes = { .name = names, .n = CODES };
    struct tally coded = { .cap = CODES, .count = count, .none = none };
    struct confusion c;

    if (recode(&coded, t, l) < 0)
        return -1;
    put_accuracies(b, &coded);
    buf_puts(b, "\nClassification Report:\n");
    confusion_init(&c, &coded, &codes, ORDER_SKLEARN, NULL);
    put_classification(b, &c, &c, 2);
    confusion_free(&c);
    buf_puts(b, "\n\nConfusion Matrix:\n");
    put_matrix(b, count, CODES);
    return 0;
}
