#include "sample.h"

#include "mem.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

/* The rows of N that are divided. */
static int64_t divided(const struct sample_plan *plan, int64_t n)
{
    return plan->most > 0 && plan->most < n ? plan->most : n;
}

/* ROWS of the parts, of all labels or of each, must be as many as --sample allows. */
static int check_most(const int64_t rows[PARTS], const struct sample_plan *plan)
{
    const int64_t wanted = rows_taken(rows, plan);

    if (plan->most > 0 && wanted > plan->most)
        return err_set(EXIT_USAGE,
                       "--sample %lld is less than the %lld rows that train, test and eval want; "
                       "raise it, or lower --train, --test or --eval",
                       (long long)plan->most, (long long)wanted);
    return 0;
}

/* Rows of every part and class in proportion: want[part][class]. */
static int divide_in_proportion(int64_t *const want[PARTS], const struct population *p,
                                const struct sample_plan *plan)
{
    static const enum part first[] = { TRAIN, TEST };
    int64_t rows[PARTS], *left;
    int rc;

    if (plan_rows(rows, plan, divided(plan, p->n)) < 0 || check_most(rows, plan) < 0)
        return -1;
    if (rows_taken(rows, plan) > p->n)
        return err_set(EXIT_DATA,
                       "there are %lld rows, and train, test and eval want %lld; lower "
                       "--train, --test or --eval",
                       (long long)p->n, (long long)(rows[TRAIN] + rows[TEST] + rows[EVAL]));
    left = xnmalloc((size_t)p->n_classes, sizeof *left);
    memcpy(left, p->count, (size_t)p->n_classes * sizeof *left);
    for (int i = 0; i < 2; i++) {
        proportion(want[first[i]], left, p->n_classes, rows[first[i]]);
        for (int c = 0; c < p->n_classes; c++)
            left[c] -= want[first[i]][c];
    }
    rc = eval_proportion(want[EVAL], left, p->n_classes, rows[EVAL]);
    free(left);
    return rc;
}

/* The same with the sizes holding for each class. */
static int divide_each(int64_t *const want[PARTS], const struct population *p,
                       const struct sample_plan *plan)
{
    int64_t rows[PARTS];

    for (int c = 0; c < p->n_classes; c++) {
        if (plan_rows(rows, plan, divided(plan, p->count[c])) < 0 || check_most(rows, plan) < 0)
            return -1;
        for (int part = 0; part < PARTS; part++)
            want[part][c] = rows[part];
    }
    return 0;
}

/* Three places where a row of a class can be in its deck: what train takes, what test takes, and
 * the rest, from which eval comes. */
enum place { FOR_TRAIN, FOR_TEST, THE_REST, PLACES };

struct reunion {
    struct deck *d;
    int64_t *end[PLACES];    /* (n_classes) where each place ends in the deck */
    int64_t *cursor[PLACES]; /* (n_classes) rows from here on to the end were looked at */
    int64_t *where;          /* (n) position of each row in its deck */
    int64_t *alike;          /* (n) of the first row with a text: how many have it */
    bool *mixed;             /* (n) of the same: these are of several classes */
};

static enum place place_of(const struct reunion *u, int c, int64_t at)
{
    return at < u->end[FOR_TRAIN][c] ? FOR_TRAIN : at < u->end[FOR_TEST][c] ? FOR_TEST : THE_REST;
}

static bool is_shared(const struct reunion *u, int64_t row)
{
    return u->alike[u->d->p->first[row]] > 1;
}

/* A row of class C in PLACE that is the only one with its text: its position, -1: there is none. */
static int64_t find_single(struct reunion *u, int c, enum place place)
{
    const int64_t begin = place == FOR_TRAIN ? 0 : u->end[place - 1][c];
    int64_t *at = &u->cursor[place][c];

    while (*at > begin)
        if (!is_shared(u, u->d->row[c][--*at]))
            return *at;
    return -1;
}

/* Brings a row to PLACE. Another row of its class goes where it was, so all counts stay; where
 * there is none to exchange, it stays too. */
static void move_row(struct reunion *u, int64_t row, enum place place)
{
    const int c = u->d->p->class_of[row];
    const int64_t from = u->where[row];
    const int64_t to = place_of(u, c, from) == place ? -1 : find_single(u, c, place);
    int64_t *deck = u->d->row[c];

    if (to < 0)
        return;
    deck[from] = deck[to];
    deck[to] = row;
    u->where[deck[from]] = from;
    u->where[row] = to;
}

static int64_t size_of(const struct reunion *u, enum place place)
{
    int64_t n = 0;

    for (int c = 0; c < u->d->p->n_classes; c++)
        n += u->end[place][c] - (place == FOR_TRAIN ? 0 : u->end[place - 1][c]);
    return n;
}

static void reunion_init(struct reunion *u, struct deck *d, int64_t *const want[PARTS])
{
    const struct population *p = d->p;

    u->d = d;
    u->where = xnmalloc((size_t)p->n, sizeof *u->where);
    u->alike = xcalloc((size_t)p->n, sizeof *u->alike);
    u->mixed = xcalloc((size_t)p->n, sizeof *u->mixed);
    for (int place = 0; place < PLACES; place++) {
        u->end[place] = xnmalloc((size_t)p->n_classes, sizeof **u->end);
        u->cursor[place] = xnmalloc((size_t)p->n_classes, sizeof **u->cursor);
    }
    for (int c = 0; c < p->n_classes; c++) {
        u->cursor[FOR_TRAIN][c] = u->end[FOR_TRAIN][c] = want[TRAIN][c];
        u->cursor[FOR_TEST][c] = u->end[FOR_TEST][c] = want[TRAIN][c] + want[TEST][c];
        u->cursor[THE_REST][c] = u->end[THE_REST][c] = d->n[c];
        for (int64_t at = 0; at < d->n[c]; at++)
            u->where[d->row[c][at]] = at;
    }
    for (int64_t i = 0; i < p->n; i++) {
        u->alike[p->first[i]]++;
        if (p->class_of[i] != p->class_of[p->first[i]])
            u->mixed[p->first[i]] = true;
    }
}

static void reunion_free(struct reunion *u)
{
    for (int place = 0; place < PLACES; place++) {
        free(u->end[place]);
        free(u->cursor[place]);
    }
    free(u->where);
    free(u->alike);
    free(u->mixed);
}

/* ---- texts that are apart still ---- */

/* A row that may be dealt anew, with what brings the rows of a text together. */
struct dealt {
    int64_t row, alike, leader; /* LEADER: where the first row of its text is in the deck */
};

/* Texts of many rows first, which need most room; others in the deck's order, which is drawn. */
static int by_text(const void *a, const void *b)
{
    const struct dealt *x = a, *y = b;

    if (x->alike != y->alike)
        return x->alike > y->alike ? -1 : 1;
    if (x->leader != y->leader)
        return x->leader < y->leader ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Whether rows of class C alone have a text in two places. */
static bool is_apart(const struct reunion *u, int c)
{
    const struct deck *d = u->d;

    for (int64_t at = 0; at < d->n[c]; at++) {
        const int64_t first = d->p->first[d->row[c][at]];

        if (!u->mixed[first] && place_of(u, c, at) != place_of(u, c, u->where[first]))
            return true;
    }
    return false;
}

/* Rows AT to END of the text that is next, or as many as there is room for, go where most is left.
 */
static int64_t deal_text(struct reunion *u, int c, const struct dealt *at, int64_t n,
                         int64_t room[PLACES], int64_t next[PLACES])
{
    enum place place = FOR_TRAIN;

    for (int i = 0; i < PLACES; i++)
        place = room[i] > room[place] ? (enum place)i : place;
    if (n > room[place])
        n = room[place];
    for (int64_t i = 0; i < n; i++) {
        while (u->mixed[u->d->p->first[u->d->row[c][next[place]]]])
            next[place]++;
        u->d->row[c][next[place]++] = at[i].row;
    }
    room[place] -= n;
    return n;
}

/* Deals the places of class C anew by texts, all but the rows whose text other classes have too. */
static void deal_by_text(struct reunion *u, int c)
{
    const struct population *p = u->d->p;
    struct dealt *v = xnmalloc((size_t)u->d->n[c], sizeof *v);
    int64_t room[PLACES] = { 0 }, next[PLACES] = { 0, u->end[FOR_TRAIN][c], u->end[FOR_TEST][c] };
    int64_t n = 0;

    for (int64_t at = 0; at < u->d->n[c]; at++) {
        const int64_t row = u->d->row[c][at], first = p->first[row];

        if (u->mixed[first])
            continue;
        v[n++] = (struct dealt){ row, u->alike[first], u->where[first] };
        room[place_of(u, c, at)]++;
    }
    qsort(v, (size_t)n, sizeof *v, by_text);
    for (int64_t i = 0; i < n;) {
        int64_t end = i + 1;

        while (end < n && v[end].leader == v[i].leader)
            end++;
        i += deal_text(u, c, v + i, end - i, room, next);
    }
    free(v);
}

/* Rows with the same text, whatever their labels are, go to the largest of the places that they
 * are in: a small one may not have room for all. Where rows to exchange have run out, the class is
 * dealt anew. */
static void reunite(struct deck *d, int64_t *const want[PARTS])
{
    const struct population *p = d->p;
    enum place *target = xnmalloc((size_t)p->n, sizeof *target);
    struct reunion u;

    reunion_init(&u, d, want);
    const int64_t size[PLACES] = { size_of(&u, FOR_TRAIN), size_of(&u, FOR_TEST),
                                   size_of(&u, THE_REST) };

    for (int64_t i = 0; i < p->n; i++) { /* the first row of a text comes before the others */
        const enum place place = place_of(&u, p->class_of[i], u.where[i]);
        enum place *t = &target[p->first[i]];

        if (p->first[i] == i || size[place] > size[*t])
            *t = place;
    }
    for (int64_t i = 0; i < p->n; i++)
        if (is_shared(&u, i))
            move_row(&u, i, target[p->first[i]]);
    for (int c = 0; c < p->n_classes; c++)
        if (is_apart(&u, c))
            deal_by_text(&u, c);
    reunion_free(&u);
    free(target);
}

static int check_room(const struct deck *d, int c, int64_t *const want[PARTS])
{
    const int64_t train = want[TRAIN][c], test = want[TEST][c];

    if (train > d->n[c])
        return deck_too_few(d, TRAIN, c, d->n[c], train);
    return test > d->n[c] - train ? deck_too_few(d, TEST, c, d->n[c] - train, test) : 0;
}

static int deal_all(struct deck *d, struct sample *s, int64_t *const want[PARTS], bool replace,
                    struct mt19937 *g)
{
    for (int c = 0; c < d->p->n_classes; c++) {
        if (check_room(d, c, want) < 0)
            return -1;
        deck_shuffle(d, c, g);
    }
    reunite(d, want);
    for (int c = 0; c < d->p->n_classes; c++)
        if (deck_deal(d, s, TRAIN, c, want[TRAIN][c]) < 0 ||
            deck_deal(d, s, TEST, c, want[TEST][c]) < 0)
            return -1;
    mt19937_shuffle(g, s->row[TRAIN], s->n[TRAIN]);
    mt19937_shuffle(g, s->row[TEST], s->n[TEST]);
    return deck_deal_eval(d, s, want[EVAL], replace, g);
}

int sample_own(struct sample *s, const struct population *p, const struct sample_plan *plan)
{
    int64_t *want[PARTS];
    struct mt19937 g;
    struct deck d;
    int rc;

    *s = (struct sample){ 0 };
    for (int part = 0; part < PARTS; part++)
        want[part] = xcalloc((size_t)p->n_classes, sizeof *want[part]);
    rc = plan->per_class ? divide_each(want, p, plan) : divide_in_proportion(want, p, plan);
    if (rc == 0) {
        mt19937_seed(&g, plan->seed);
        deck_init(&d, p);
        rc = deal_all(&d, s, want, plan->eval_replace, &g);
        deck_free(&d);
    }
    for (int part = 0; part < PARTS; part++)
        free(want[part]);
    if (rc < 0)
        sample_free(s);
    return rc;
}
