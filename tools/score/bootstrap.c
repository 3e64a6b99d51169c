#include "bootstrap.h"

#include "mem.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Records are told apart by what is true and what each run predicts; a resample is then a number of
 * times for each kind, and a sum of losses. */
struct cell {
    uint64_t key;
    int truth, pred[2];
    int64_t times;
};

struct counts { /* of a resample: of each label, and behind the last one of none */
    int64_t *right, *support, *predicted, *none;
};

struct side { /* one of the runs */
    const struct boot_input *in;
    struct counts counts;
    struct confusion all, chosen; /* CHOSEN only where IN says so; their COUNT stays 0 */
    const struct confusion *reported;
    bool scored;
    double *log_loss, *brier; /* (n) */
    double *value[ECE];       /* (resamples) */
    double *f1;               /* (labels, resamples) */
};

struct work {
    int64_t n, resamples;
    int runs;
    struct side side[2];
    struct cell *cell;
    int cells;
    uint32_t *cell_of; /* (n) */
    int64_t *sum;      /* (LANES, cells) */
    uint32_t *drawn;   /* (n): how often */
};

/* ---- cells ---- */

static uint64_t key_of(const struct work *w, int64_t i)
{
    uint64_t key = (uint64_t)w->side[0].in->record[i]->truth;

    for (int r = 0; r < w->runs; r++)
        key = key << 16 | (uint64_t)(w->side[r].in->record[i]->pred + 1);
    return key;
}

static int by_key(const void *a, const void *b)
{
    const uint64_t x = ((const struct cell *)a)->key, y = ((const struct cell *)b)->key;

    return (x > y) - (x < y);
}

static void make_cells(struct work *w)
{
    w->cell = xnmalloc((size_t)w->n, sizeof *w->cell);
    for (int64_t i = 0; i < w->n; i++) {
        w->cell[i] = (struct cell){ .key = key_of(w, i), .truth = w->side[0].in->record[i]->truth };
        for (int r = 0; r < w->runs; r++)
            w->cell[i].pred[r] = w->side[r].in->record[i]->pred;
    }
    qsort(w->cell, (size_t)w->n, sizeof *w->cell, by_key);
    for (int64_t i = 0; i < w->n; i++)
        if (i == 0 || w->cell[i].key != w->cell[w->cells - 1].key)
            w->cell[w->cells++] = w->cell[i];
    w->cell_of = xnmalloc((size_t)w->n, sizeof *w->cell_of);
    for (int64_t i = 0; i < w->n; i++) {
        const struct cell key = { .key = key_of(w, i) };
        const struct cell *cell = bsearch(&key, w->cell, (size_t)w->cells, sizeof *w->cell, by_key);

        w->cell_of[i] = (uint32_t)(cell - w->cell);
    }
}

/* ---- one resample ---- */

enum { DRAWS = 4096 };

static void draw(struct work *w, struct mt19937 *g)
{
    uint32_t draws[DRAWS];

    memset(w->drawn, 0, (size_t)w->n * sizeof *w->drawn);
    for (int64_t done = 0; done < w->n; done += DRAWS) {
        const int64_t n = w->n - done < DRAWS ? w->n - done : DRAWS;

        mt19937_intervals(g, draws, n, (uint32_t)(w->n - 1));
        for (int64_t i = 0; i < n; i++)
            w->drawn[draws[i]]++;
    }
}

enum { LANES = 4 }; /* sums beside each other, of which none waits for the one before */

static void count_cells(struct work *w)
{
    const size_t cells = (size_t)w->cells;

    memset(w->sum, 0, LANES * cells * sizeof *w->sum);
    for (int64_t i = 0; i < w->n; i++)
        w->sum[(size_t)(i % LANES) * cells + w->cell_of[i]] += w->drawn[i];
    for (size_t c = 0; c < cells; c++) {
        w->cell[c].times = 0;
        for (size_t lane = 0; lane < LANES; lane++)
            w->cell[c].times += w->sum[lane * cells + c];
    }
}

static void count(const struct work *w, int run)
{
    const struct side *s = &w->side[run];
    const struct counts *t = &s->counts;
    const int labels = s->in->labels->n;
    const size_t bytes = ((size_t)labels + 1) * sizeof(int64_t);

    memset(t->right, 0, bytes);
    memset(t->support, 0, bytes);
    memset(t->predicted, 0, bytes);
    memset(t->none, 0, bytes);
    for (int c = 0; c < w->cells; c++) {
        const struct cell *cell = &w->cell[c];
        const int truth = cell->truth, pred = cell->pred[run] < 0 ? labels : cell->pred[run];

        t->support[truth] += cell->times;
        t->predicted[pred] += cell->times;
        t->right[truth] += truth == pred ? cell->times : 0;
        t->none[truth] += pred == labels ? cell->times : 0;
    }
}

static void fill(struct confusion *c, const struct counts *t, int labels)
{
    for (int i = 0; i < c->n; i++) {
        if (c->at[i] == LABEL_NOWHERE)
            continue;
        const int at = c->at[i] == LABEL_NONE ? labels : c->at[i];

        c->right[i] = t->right[at];
        c->support[i] = t->support[at];
        c->predicted[i] = t->predicted[at];
        c->none[i] = t->none[at];
    }
}

static double weighted_sum(const uint32_t *times, const double *v, int64_t n)
{
    double sum[LANES] = { 0 };
    int64_t i = 0;

    for (; i < n - n % LANES; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sum[lane] += times[i + lane] * v[i + lane];
    for (; i < n; i++)
        sum[0] += times[i] * v[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void evaluate(struct work *w, int run, int64_t at)
{
    struct side *s = &w->side[run];
    struct tally t = { .n = w->n, .scored = s->scored ? w->n : 0 };
    struct metrics m;

    count(w, run);
    fill(&s->all, &s->counts, s->in->labels->n);
    if (s->scored) {
        t.log_loss = weighted_sum(w->drawn, s->log_loss, w->n);
        t.brier = weighted_sum(w->drawn, s->brier, w->n);
    }
    metrics_compute(&m, &s->all, &t);
    if (s->in->chosen) {
        fill(&s->chosen, &s->counts, s->in->labels->n);
        metrics_restrict(&m, &s->chosen);
    }
    for (int f = 0; f < ECE; f++)
        s->value[f][at] = m.figure[f];
    for (int i = 0; i < s->reported->n; i++)
        s->f1[i * w->resamples + at] = label_metrics(s->reported, i).f1;
}

/* ---- all of them ---- */

static void side_open(struct side *s, const struct boot_input *in, const struct work *w)
{
    const struct tally empty = { 0 };
    const size_t labels = (size_t)in->labels->n + 1, resamples = (size_t)w->resamples;

    *s = (struct side){ .in = in, .scored = !isnan(in->record[0]->log_loss) };
    s->counts =
        (struct counts){ xnmalloc(labels, sizeof(int64_t)), xnmalloc(labels, sizeof(int64_t)),
                         xnmalloc(labels, sizeof(int64_t)), xnmalloc(labels, sizeof(int64_t)) };
    confusion_init(&s->all, &empty, in->labels, in->order, NULL);
    if (in->chosen)
        confusion_init(&s->chosen, &empty, in->labels, in->order, in->chosen);
    s->reported = in->chosen ? &s->chosen : &s->all;
    for (int f = 0; f < ECE; f++)
        s->value[f] = xnmalloc(resamples, sizeof(double));
    s->f1 = xnmalloc((size_t)s->reported->n, resamples * sizeof(double));
    if (!s->scored)
        return;
    s->log_loss = xnmalloc((size_t)w->n, sizeof(double));
    s->brier = xnmalloc((size_t)w->n, sizeof(double));
    for (int64_t i = 0; i < w->n; i++) {
        s->log_loss[i] = in->record[i]->log_loss;
        s->brier[i] = in->record[i]->brier;
    }
}

static void side_close(struct side *s)
{
    free(s->counts.right);
    free(s->counts.support);
    free(s->counts.predicted);
    free(s->counts.none);
    confusion_free(&s->all);
    if (s->in->chosen)
        confusion_free(&s->chosen);
    for (int f = 0; f < ECE; f++)
        free(s->value[f]);
    free(s->f1);
    free(s->log_loss);
    free(s->brier);
}

/* Of the differences B - A, which take the place of B. */
static void compare(struct boot *boot, int f, const double *a, double *b, int64_t n)
{
    int64_t below = 1, above = 1;

    for (int64_t i = 0; i < n; i++) {
        b[i] -= a[i];
        below += b[i] <= 0;
        above += b[i] >= 0;
    }
    const double p = 2 * (double)(below < above ? below : above) / (double)(n + 1);

    boot->difference[f] = interval_percentile(b, n);
    boot->p[f] = isnan(boot->difference[f].low) ? NAN : fmin(p, 1);
}

/* Sorts what has been found, so that it comes last. */
static void sum_up(struct boot *b, struct work *w)
{
    const int64_t n = w->resamples;

    for (int f = 0; f < ECE; f++) {
        double *first = w->side[0].value[f], *second = w->side[1].value[f];

        if (w->runs > 1) {
            double *copy = xnmalloc((size_t)n, sizeof *copy);

            memcpy(copy, second, (size_t)n * sizeof *copy);
            compare(b, f, first, second, n);
            b->run[1].figure[f] = interval_percentile(copy, n);
            free(copy);
        }
        b->run[0].figure[f] = interval_percentile(first, n);
    }
    for (int r = 0; r < w->runs; r++) {
        const struct side *s = &w->side[r];

        b->run[r].f1 = xnmalloc((size_t)s->reported->n, sizeof *b->run[r].f1);
        for (int i = 0; i < s->reported->n; i++)
            b->run[r].f1[i] = interval_percentile(s->f1 + i * n, n);
    }
}

int bootstrap(struct boot *b, const struct boot_input *run, int runs, int64_t n,
              const struct resampling *how)
{
    struct work w = { .n = n, .resamples = how->resamples, .runs = runs };
    struct mt19937 g;

    *b = (struct boot){ .how = *how };
    if (n > UINT32_MAX)
        return err_set(EXIT_DATA, "--bootstrap cannot draw from more than 4294967295 records");
    for (int r = 0; r < runs; r++)
        side_open(&w.side[r], &run[r], &w);
    make_cells(&w);
    w.drawn = xnmalloc((size_t)n, sizeof *w.drawn);
    w.sum = xnmalloc((size_t)w.cells, LANES * sizeof *w.sum);
    mt19937_seed(&g, how->seed);
    for (int64_t i = 0; i < w.resamples; i++) {
        draw(&w, &g);
        count_cells(&w);
        for (int r = 0; r < runs; r++)
            evaluate(&w, r, i);
    }
    sum_up(b, &w);
    for (int r = 0; r < runs; r++)
        side_close(&w.side[r]);
    free(w.cell);
    free(w.cell_of);
    free(w.sum);
    free(w.drawn);
    return 0;
}

void boot_free(struct boot *b)
{
    free(b->run[0].f1);
    free(b->run[1].f1);
    *b = (struct boot){ 0 };
}
