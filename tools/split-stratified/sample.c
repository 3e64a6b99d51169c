#include "sample.h"

#include "mem.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const part_name[PARTS] = { "train", "eval", "test" };

void population_init(struct population *p, const int *class_of, const int64_t *first, int64_t n,
                     const char *const *name, int n_classes)
{
    const size_t classes = (size_t)n_classes;

    *p = (struct population){ n,
                              n_classes,
                              name,
                              class_of,
                              first,
                              xcalloc(classes, sizeof *p->count),
                              xcalloc(classes, sizeof *p->row) };
    for (int64_t i = 0; i < n; i++)
        p->count[class_of[i]]++;
    for (int c = 0; c < n_classes; c++) {
        p->row[c] = xnmalloc((size_t)p->count[c], sizeof **p->row);
        p->count[c] = 0;
    }
    for (int64_t i = 0; i < n; i++)
        p->row[class_of[i]][p->count[class_of[i]]++] = i;
}

void population_free(struct population *p)
{
    for (int c = 0; c < p->n_classes; c++)
        free(p->row[c]);
    free(p->row);
    free(p->count);
    *p = (struct population){ 0 };
}

void sample_free(struct sample *s)
{
    for (int part = 0; part < PARTS; part++)
        free(s->row[part]);
    *s = (struct sample){ 0 };
}

int64_t sample_overlap(const struct sample *s, enum part part, enum part other, int64_t n_rows)
{
    bool *there = xcalloc((size_t)n_rows, sizeof *there);
    int64_t n = 0;

    for (int64_t i = 0; i < s->n[other]; i++)
        there[s->row[other][i]] = true;
    for (int64_t i = 0; i < s->n[part]; i++)
        n += there[s->row[part][i]];
    free(there);
    return n;
}

int size_parse(struct size *s, const char *option, const char *text)
{
    const double most = 1e15; /* rows; sums of such counts fit */
    const bool count = strspn(text, "0123456789") == strlen(text);
    char *end;
    const double value = strtod(text, &end);

    *s = (struct size){ count ? SIZE_COUNT : SIZE_SHARE, 0, value };
    if (end == text || *end || strspn(text, "0123456789.eE-") < strlen(text) ||
        !(value >= 0 && value <= (count ? most : 1)))
        return err_set(EXIT_USAGE, "--%s '%s' is neither a number of rows nor a share from 0 to 1",
                       option, text);
    if (count)
        s->count = (int64_t)value;
    return 0;
}

int64_t rows_taken(const int64_t rows[PARTS], const struct sample_plan *plan)
{
    return rows[TRAIN] + rows[TEST] + (plan->eval_replace ? 0 : rows[EVAL]);
}

int plan_rows(int64_t rows[PARTS], const struct sample_plan *plan, int64_t n)
{
    static const enum part order[PARTS] = { TRAIN, TEST, EVAL };
    struct size size[PARTS];
    double sum = 0;
    int64_t before = 0;

    memcpy(size, plan->size, sizeof size);
    if (size[TRAIN].kind == SIZE_ABSENT && size[TEST].kind == SIZE_ABSENT)
        size[TEST] = (struct size){ SIZE_SHARE, 0, 0.25 };
    for (int i = 0; i < PARTS; i++) {
        const struct size *s = &size[order[i]];

        rows[order[i]] = s->kind == SIZE_COUNT ? s->count : 0;
        if (s->kind == SIZE_SHARE) { /* the sum is rounded: shares of 1 in all use every row */
            sum += s->share;
            rows[order[i]] = llround(sum * (double)n) - before;
            before += rows[order[i]];
        }
    }
    if (sum > 1 + 1e-9)
        return err_set(EXIT_USAGE, "the shares of train, test and eval add up to more than 1");
    const enum part rest = size[TRAIN].kind == SIZE_ABSENT ? TRAIN : TEST;

    if (size[rest].kind == SIZE_ABSENT) {
        const int64_t taken = rows_taken(rows, plan);

        rows[rest] = taken < n ? n - taken : 0;
    }
    return 0;
}

/* What of COUNT * TOTAL / SUM is left behind the whole part, times SUM; *WHOLE gets the part. */
static int64_t divide_share(int64_t count, int64_t total, int64_t sum, int64_t *whole)
{
    __extension__ const unsigned __int128 product =
        (unsigned __int128)(uint64_t)count * (uint64_t)total;

    *whole = (int64_t)(product / (uint64_t)sum);
    return (int64_t)(product % (uint64_t)sum);
}

void proportion(int64_t *share, const int64_t *count, int n_classes, int64_t total)
{
    int64_t *rest = xcalloc((size_t)n_classes, sizeof *rest), sum = 0, given = 0;

    for (int c = 0; c < n_classes; c++)
        sum += count[c];
    for (int c = 0; c < n_classes; c++) {
        share[c] = 0;
        if (sum > 0)
            rest[c] = divide_share(count[c], total, sum, &share[c]);
        given += share[c];
    }
    for (; given < total && sum > 0;
         given++) { /* one each to the largest rests, the first of equals */
        int best = 0;

        for (int c = 1; c < n_classes; c++)
            if (rest[c] > rest[best])
                best = c;
        share[best]++;
        rest[best] = -1;
    }
    free(rest);
}

int eval_proportion(int64_t *share, const int64_t *left, int n_classes, int64_t total)
{
    int64_t sum = 0;

    for (int c = 0; c < n_classes; c++)
        sum += left[c];
    if (total > 0 && sum == 0)
        return err_set(EXIT_DATA,
                       "train and test leave no row for eval, which wants %lld; give --train and "
                       "--test, and less to them",
                       (long long)total);
    proportion(share, left, n_classes, total);
    return 0;
}

void classes_by_name(int *turn, const struct population *p)
{
    for (int i = 0; i < p->n_classes; i++) {
        int k = i;

        for (; k > 0 && strcmp(p->name[turn[k - 1]], p->name[i]) > 0; k--)
            turn[k] = turn[k - 1];
        turn[k] = i;
    }
}

void deck_init(struct deck *d, const struct population *p)
{
    *d = (struct deck){ p, xcalloc((size_t)p->n_classes, sizeof *d->row),
                        xcalloc((size_t)p->n_classes, sizeof *d->n),
                        xcalloc((size_t)p->n_classes, sizeof *d->used) };
    for (int c = 0; c < p->n_classes; c++) {
        d->row[c] = xnmalloc((size_t)p->count[c], sizeof **d->row);
        memcpy(d->row[c], p->row[c], (size_t)p->count[c] * sizeof **d->row);
        d->n[c] = p->count[c];
    }
}

void deck_shuffle(struct deck *d, int c, struct mt19937 *g)
{
    mt19937_shuffle(g, d->row[c], d->n[c]);
}

void deck_free(struct deck *d)
{
    for (int c = 0; c < d->p->n_classes; c++)
        free(d->row[c]);
    free(d->row);
    free(d->n);
    free(d->used);
}

static void add_rows(struct sample *s, enum part part, const int64_t *rows, int64_t n)
{
    s->row[part] = xnrealloc(s->row[part], (size_t)(s->n[part] + n), sizeof *rows);
    memcpy(s->row[part] + s->n[part], rows, (size_t)n * sizeof *rows);
    s->n[part] += n;
}

int deck_too_few(const struct deck *d, enum part part, int c, int64_t left, int64_t wanted)
{
    return err_set(EXIT_DATA,
                   "label '%s' has %lld rows and %lld of them left for %s, which wants "
                   "%lld; lower --train, --test or --eval",
                   d->p->name[c], (long long)d->p->count[c], (long long)left, part_name[part],
                   (long long)wanted);
}

int deck_deal(struct deck *d, struct sample *s, enum part part, int c, int64_t n)
{
    const int64_t left = d->n[c] - d->used[c];

    if (n > left)
        return deck_too_few(d, part, c, left, n);
    add_rows(s, part, d->row[c] + d->used[c], n);
    d->used[c] += n;
    return 0;
}

int deck_draw(struct deck *d, struct sample *s, enum part part, int c, int64_t n, struct mt19937 *g)
{
    const int64_t *pool = d->row[c] + d->used[c], left = d->n[c] - d->used[c];

    if (n > 0 && left == 0)
        return deck_too_few(d, part, c, left, n);
    for (int64_t i = 0; i < n; i++)
        add_rows(s, part, &pool[mt19937_interval(g, (uint64_t)left - 1)], 1);
    return 0;
}

int deck_deal_eval(struct deck *d, struct sample *s, const int64_t *want, bool replace,
                   struct mt19937 *g)
{
    for (int c = 0; c < d->p->n_classes; c++)
        if ((replace ? deck_draw(d, s, EVAL, c, want[c], g) : deck_deal(d, s, EVAL, c, want[c])) <
            0)
            return -1;
    mt19937_shuffle(g, s->row[EVAL], s->n[EVAL]);
    return 0;
}
