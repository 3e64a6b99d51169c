/* The comparison as a table for people, as JSON and as lines of name, tab, value. */
#include "comparison.h"

#include "json.h"
#include "numbers.h"
#include "report.h"
#include "utf8.h"

#include <math.h>
#include <string.h>

static const char *const conclusion_name[] = { "undecided", "better", "worse" };

/* ---- text ---- */

static void put_figure(struct buf *b, double v)
{
    if (isnan(v))
        buf_printf(b, "  %9s", "-");
    else
        buf_printf(b, "  %9.4f", v);
}

static void put_row(struct buf *b, const struct comparison *c, enum figure f, bool narrow)
{
    buf_printf(b, "%-17s", figure_name[f]);
    put_figure(b, c->a.m.figure[f]);
    put_figure(b, c->b.m.figure[f]);
    if (narrow)
        buf_puts(b, "\n  b - a  ");
    put_figure(b, comparison_difference(c, f));
    if (f < ECE && !isnan(c->boot.difference[f].low))
        buf_printf(b, "  %.4f to %.4f", c->boot.difference[f].low, c->boot.difference[f].high);
    buf_putc(b, '\n');
}

void comparison_table(struct buf *b, const struct comparison *c, bool narrow)
{
    buf_printf(b, "%-17s  %9s  %9s", "", "a", "b");
    buf_puts(b, narrow ? "\n" : "      b - a  95 % interval\n");
    for (int f = 0; f < FIGURES; f++)
        if (comparison_has(c, f))
            put_row(b, c, (enum figure)f, narrow);
}

/* Claims no more than the interval of the difference and McNemar's test do. */
static void put_sentence(struct buf *b, const struct comparison *c)
{
    const struct interval d = c->boot.difference[ACCURACY];
    const char *a_name = c->a.run->name, *b_name = c->b.run->name;

    if (c->conclusion == UNDECIDED) {
        buf_puts(b, "Whether '");
        utf8_show_line(b, b_name);
        buf_puts(b, "' is more often right than '");
        utf8_show_line(b, a_name);
        buf_printf(b, "' is open: ");
        if (d.low > 0 || d.high < 0)
            buf_printf(b, "McNemar's p is %.3g.", c->mcnemar_p);
        else
            buf_printf(b, "the interval of the difference, %.4f to %.4f, contains zero.", d.low,
                       d.high);
        return;
    }
    buf_putc(b, '\'');
    utf8_show_line(b, b_name);
    buf_printf(b, "' is %s often right than '", c->conclusion == B_BETTER ? "more" : "less");
    utf8_show_line(b, a_name);
    buf_printf(b, "': the interval of the difference, %.4f to %.4f, does not contain zero.", d.low,
               d.high);
}

void comparison_words(struct buf *b, const struct comparison *c)
{
    buf_printf(
        b, "\nOf %lld records both have %lld right, a alone %lld, b alone %lld, neither %lld.\n",
        (long long)c->a.m.n, (long long)c->both_right, (long long)c->only_a, (long long)c->only_b,
        (long long)c->both_wrong);
    buf_printf(b, "McNemar's exact p: %.4g. Bootstrap p: %.4g (%lld paired resamples, seed %lu).\n",
               c->mcnemar_p, c->boot.p[ACCURACY], (long long)c->boot.how.resamples,
               (unsigned long)c->boot.how.seed);
    put_sentence(b, c);
    buf_putc(b, '\n');
}

void comparison_head(struct buf *b, const struct comparison *c)
{
    const struct assessment *side[] = { &c->a, &c->b };

    for (int i = 0; i < 2; i++) {
        buf_printf(b, "%c: ", 'a' + i);
        utf8_show_line(b, side[i]->run->name);
        buf_printf(b, ", accuracy %.4f, 95 %% interval %.4f to %.4f (Wilson)\n",
                   side[i]->m.figure[ACCURACY], side[i]->accuracy.low, side[i]->accuracy.high);
    }
    buf_puts(b, "majority class '");
    utf8_show_line(b, c->a.majority);
    buf_printf(b, "': accuracy %.4f\n\n", c->a.baseline);
}

void comparison_text(struct buf *b, const struct comparison *c)
{
    comparison_head(b, c);
    comparison_table(b, c, false);
    comparison_words(b, c);
}

/* ---- JSON ---- */

static void put_name(struct buf *b, const char *name)
{
    buf_puts(b, "\"name\": ");
    json_put_text(b, name, strlen(name));
    buf_puts(b, ", ");
}

static void put_difference(struct buf *b, const struct comparison *c, int f)
{
    buf_printf(b, "\"%s\": {\"value\": ", figure_name[f]);
    json_put_double(b, comparison_difference(c, (enum figure)f));
    if (f < ECE) {
        buf_puts(b, ", \"interval\": ");
        report_json_interval(b, c->boot.difference[f]);
        buf_puts(b, ", \"p\": ");
        json_put_double(b, c->boot.p[f]);
    }
    buf_putc(b, '}');
}

void comparison_json(struct buf *b, const struct comparison *c, const char *field)
{
    buf_putc(b, '{');
    report_json_by(b, field, c->a.slice->value);
    buf_puts(b, "\"a\": {");
    put_name(b, c->a.run->name);
    report_json_members(b, &c->a);
    buf_puts(b, "}, \"b\": {");
    put_name(b, c->b.run->name);
    report_json_members(b, &c->b);
    buf_printf(b,
               "}, \"n\": %lld, \"both_right\": %lld, \"only_a_right\": %lld, "
               "\"only_b_right\": %lld, \"both_wrong\": %lld, \"mcnemar_p\": ",
               (long long)c->a.m.n, (long long)c->both_right, (long long)c->only_a,
               (long long)c->only_b, (long long)c->both_wrong);
    json_put_double(b, c->mcnemar_p);
    buf_puts(b, ", \"difference\": {");
    for (int f = 0; f < FIGURES; f++) {
        if (!comparison_has(c, f))
            continue;
        buf_puts(b, f ? ", " : "");
        put_difference(b, c, f);
    }
    buf_printf(b, "}, \"b_is\": \"%s\"}\n", conclusion_name[c->conclusion]);
}

/* ---- TSV ---- */

void comparison_tsv(struct buf *b, const struct comparison *c)
{
    (void)each_comparison_number(c, number_put_line, b);
    buf_puts(b, "a.name\t");
    utf8_show_line(b, c->a.run->name);
    buf_puts(b, "\nb.name\t");
    utf8_show_line(b, c->b.run->name);
    buf_puts(b, "\na.baseline_label\t");
    utf8_show_line(b, c->a.majority);
    buf_puts(b, "\nb.baseline_label\t");
    utf8_show_line(b, c->b.majority);
    buf_printf(b, "\nb_is\t%s\n", conclusion_name[c->conclusion]);
}
