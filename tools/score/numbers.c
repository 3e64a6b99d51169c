#include "numbers.h"

#include "json.h"
#include "mem.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int list_numbers(struct number *v, const struct metrics *m)
{
    int n = 0;

    v[n++] = (struct number){ "n", (double)m->n, true };
    for (int f = 0; f < FIGURES; f++) {
        if (f == LOG_LOSS)
            v[n++] = (struct number){ "none", (double)m->none, true };
        if (metrics_has(m, f))
            v[n++] = (struct number){ figure_name[f], m->figure[f], false };
    }
    return n;
}

void list_label_numbers(struct number v[LABEL_NUMBERS], const struct confusion *c, int i)
{
    const struct label_metrics l = label_metrics(c, i);

    v[0] = (struct number){ "precision", l.precision, false };
    v[1] = (struct number){ "recall", l.recall, false };
    v[2] = (struct number){ "f1", l.f1, false };
    v[3] = (struct number){ "support", (double)c->support[i], true };
    v[4] = (struct number){ "accuracy", l.recall, false };
}

/* ---- giving them out ---- */

struct giver {
    take_number *take;
    void *user;
    const char *prefix;
    struct buf name;
    bool done;
};

/* The names of labels and figures are parts of a number's; PARTS are joined with dots. */
static void give(struct giver *g, double value, bool whole, const char *const *parts)
{
    const struct number v = { NULL, value, whole };

    if (g->done)
        return;
    buf_clear(&g->name);
    buf_puts(&g->name, g->prefix);
    for (int i = 0; parts[i]; i++) {
        buf_puts(&g->name, i ? "." : "");
        utf8_show_line(&g->name, parts[i]);
    }
    g->done = g->take(g->user, g->name.p, &v);
}

#define PARTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* NAME_low and NAME_high, behind the PARTS before it. */
static void give_interval(struct giver *g, struct interval v, const char *const *parts,
                          const char *name)
{
    char low[64], high[64];
    const char *all[5] = { NULL };
    int n = 0;

    for (; parts[n]; n++)
        all[n] = parts[n];
    (void)snprintf(low, sizeof low, "%s_low", name);
    (void)snprintf(high, sizeof high, "%s_high", name);
    all[n] = low;
    give(g, v.low, false, all);
    all[n] = high;
    give(g, v.high, false, all);
}

static void give_labels(struct giver *g, const struct confusion *c)
{
    struct number of_label[LABEL_NUMBERS];

    for (int i = 0; i < c->n; i++) {
        list_label_numbers(of_label, c, i);
        for (int k = 0; k < LABEL_NUMBERS; k++)
            give(g, of_label[k].value, of_label[k].whole,
                 PARTS("per_label", c->name[i], of_label[k].name));
    }
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k <= c->n; k++) {
            const bool none = k == c->n;
            const int64_t times = none ? c->none[i] : c->count[i * c->n + k];

            give(g, (double)times, true,
                 PARTS("confusion", c->name[i], none ? "none" : c->name[k]));
        }
}

static void give_calibration(struct giver *g, const struct tally *t)
{
    for (int i = 0; i < ECE_BINS; i++) {
        const struct calibration bin = calibration_bin(t, i);
        char at[16];

        if (!bin.n)
            continue;
        (void)snprintf(at, sizeof at, "%d", i);
        give(g, (double)bin.n, true, PARTS("calibration", at, "n"));
        give(g, bin.confidence, false, PARTS("calibration", at, "confidence"));
        give(g, bin.accuracy, false, PARTS("calibration", at, "accuracy"));
    }
}

static void give_bootstrap(struct giver *g, const struct assessment *a)
{
    if (!a->boot)
        return;
    for (int f = 0; f < ECE; f++)
        if (metrics_has(&a->m, f))
            give_interval(g, a->boot->figure[f], PARTS("bootstrap"), figure_name[f]);
    for (int i = 0; i < a->c.n; i++)
        give_interval(g, a->boot->f1[i], PARTS("bootstrap", "per_label", a->c.name[i]), "f1");
}

static void give_all(struct giver *g, const struct assessment *a)
{
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, &a->m);

    for (int i = 0; i < n; i++)
        give(g, v[i].value, v[i].whole, PARTS(v[i].name));
    give_labels(g, &a->c);
    give_interval(g, a->accuracy, PARTS(NULL), "accuracy");
    give(g, a->baseline, false, PARTS("baseline"));
    give(g, above_baseline(a), true, PARTS("above_baseline"));
    for (int i = 0; i < a->c.n; i++) {
        give_interval(g, a->label[i].precision, PARTS("per_label", a->c.name[i]), "precision");
        give_interval(g, a->label[i].recall, PARTS("per_label", a->c.name[i]), "recall");
    }
    if (a->m.scored)
        give_calibration(g, &a->slice->tally);
    give_bootstrap(g, a);
}

bool each_number(const struct assessment *a, take_number *take, void *user)
{
    struct giver g = { take, user, "", BUF_INIT, false };

    give_all(&g, a);
    buf_free(&g.name);
    return g.done;
}

bool each_comparison_number(const struct comparison *c, take_number *take, void *user)
{
    struct giver g = { take, user, "a.", BUF_INIT, false };

    give_all(&g, &c->a);
    g.prefix = "b.";
    give_all(&g, &c->b);
    g.prefix = "";
    give(&g, (double)c->a.m.n, true, PARTS("n"));
    give(&g, (double)c->both_right, true, PARTS("both_right"));
    give(&g, (double)c->only_a, true, PARTS("only_a_right"));
    give(&g, (double)c->only_b, true, PARTS("only_b_right"));
    give(&g, (double)c->both_wrong, true, PARTS("both_wrong"));
    give(&g, c->mcnemar_p, false, PARTS("mcnemar_p"));
    for (int f = 0; f < FIGURES; f++) {
        const double difference = comparison_difference(c, (enum figure)f);
        char p[64];

        if (!comparison_has(c, f))
            continue;
        give(&g, difference, false, PARTS("difference", figure_name[f]));
        if (f == ECE)
            continue;
        give_interval(&g, c->boot.difference[f], PARTS("difference"), figure_name[f]);
        (void)snprintf(p, sizeof p, "%s_p", figure_name[f]);
        give(&g, c->boot.p[f], false, PARTS("difference", p));
    }
    buf_free(&g.name);
    return g.done;
}

/* ---- using them ---- */

struct wanted {
    const char *name;
    double *value;
};

static bool take_wanted(void *user, const char *name, const struct number *v)
{
    const struct wanted *w = user;

    if (strcmp(name, w->name) != 0)
        return false;
    *w->value = v->value;
    return true;
}

bool number_find(const struct assessment *a, const struct comparison *c, const char *name,
                 double *value)
{
    struct wanted w = { name, value };

    return a ? each_number(a, take_wanted, &w) : each_comparison_number(c, take_wanted, &w);
}

void number_put(struct buf *b, const struct number *v)
{
    if (v->whole)
        buf_printf(b, "%.0f", v->value);
    else
        json_put_double(b, v->value);
}

void number_put_columns(struct buf *b, const struct number *v)
{
    buf_printf(b, "%-18s", v->name);
    if (isnan(v->value))
        buf_printf(b, "%8s", "-");
    else
        buf_printf(b, "%8.*f", v->whole ? 0 : 4, v->value);
}

bool number_put_line(void *user, const char *name, const struct number *v)
{
    struct buf *b = user;

    buf_printf(b, "%s\t", name);
    number_put(b, v);
    buf_putc(b, '\n');
    return false;
}
