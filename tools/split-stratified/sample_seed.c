#include "sample.h"

#include "mem.h"
#include "rng.h"

#include <stdlib.h>

enum { ROWS = 300, EVAL_ROWS = 50, SHUFFLE_SEED = 10 };

/* Train and test take rows of every class, and eval needs one that they leave of the last. */
static int check_rows(const struct population *p)
{
    for (int c = 0; c < p->n_classes; c++) {
        const int need = 2 * ROWS + (c == p->n_classes - 1);

        if (p->count[c] < need)
            return err_set(EXIT_DATA,
                           "--recipe seed needs %d rows of label '%s', and there are %lld; give it "
                           "the article's table, or say --per-class --train N --test N instead",
                           need, p->name[c], (long long)p->count[c]);
    }
    return 0;
}

/* Takes the rows that train and test have of class C out of the deck; the rest stays ascending. */
static void leave_out(struct deck *d, int c, const struct sample *s)
{
    bool *used = xcalloc((size_t)d->p->n, sizeof *used);
    int64_t kept = 0;

    for (int part = 0; part < PARTS; part++)
        for (int64_t i = 0; i < s->n[part]; i++)
            used[s->row[part][i]] = true;
    for (int64_t i = 0; i < d->n[c]; i++)
        if (!used[d->row[c][i]])
            d->row[c][kept++] = d->row[c][i];
    d->n[c] = kept;
    free(used);
}

/* The article's loop over the labels leaves the last one's train and test in its variables, and
 * only those rows are kept out of eval. Each label draws from rows in ascending order, with a new
 * generator, as pandas' groupby(...).apply(sample) does. */
static int draw_eval(struct sample *s, const struct population *p)
{
    int *turn = xnmalloc((size_t)p->n_classes, sizeof *turn);
    struct deck d;
    int rc = 0;

    deck_init(&d, p);
    leave_out(&d, p->n_classes - 1, s);
    classes_by_name(turn, p);
    for (int i = 0; rc == 0 && i < p->n_classes; i++) {
        struct mt19937 g;

        mt19937_seed(&g, SHUFFLE_SEED);
        rc = deck_draw(&d, s, EVAL, turn[i], EVAL_ROWS, &g);
    }
    deck_free(&d);
    free(turn);
    return rc;
}

int sample_seed(struct sample *s, const struct population *p, uint32_t seed)
{
    const struct size rows = { SIZE_COUNT, ROWS, 0 };
    const struct sample_plan plan = { { [TRAIN] = rows, [TEST] = rows },
                                      .per_class = true,
                                      .seed = seed };
    struct mt19937 g;

    if (check_rows(p) < 0 || sample_sklearn(s, p, &plan) < 0)
        return -1;
    mt19937_seed(&g, SHUFFLE_SEED);
    mt19937_shuffle(&g, s->row[TRAIN], s->n[TRAIN]);
    if (draw_eval(s, p) < 0) {
        sample_free(s);
        return -1;
    }
    return 0;
}
