#include "interval.h"
#include "page_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MISTAKES_SHOWN = 12,
    TWINS_SHOWN = 8,
    TWIN_RECORDS_SHOWN = 6, /* of one text */
    TEXT_SHOWN = 400,       /* code points */
};

static void put_record_name(struct buf *b, const struct scored_run *run, int64_t i)
{
    if (run->kept[i].has_id)
        buf_printf(b, "id %llu", (unsigned long long)run->kept[i].id);
    else
        buf_printf(b, "#%lld", (long long)i);
}

/* What was kept of a text, said to be cut where the run has not all of it. */
static void put_text_of(struct buf *b, const struct scored_run *run, int64_t i)
{
    const struct kept_text *t = &run->texts[i];

    if (!t->n) {
        buf_puts(b, "<span class=\"t m\">(the record has no text)</span>");
        return;
    }
    html_text(b, run->text.p + t->at, t->n, TEXT_SHOWN, t->cut);
}

static void put_label(struct buf *b, const struct scored_run *run, int label)
{
    html_name(b, label < 0 ? "none" : run->labels.name[label], NAME_SHOWN);
}

/* ---- the most confident mistakes ---- */

struct mistake {
    double p; /* -1: not known */
    int64_t record;
};

static int by_confidence(const void *a, const void *b)
{
    const struct mistake *x = a, *y = b;

    if (x->p != y->p)
        return x->p < y->p ? 1 : -1;
    return (x->record > y->record) - (x->record < y->record);
}

static struct mistake *list_mistakes(const struct scored_run *run, size_t *n)
{
    struct mistake *v = xnmalloc((size_t)run->n, sizeof *v);

    *n = 0;
    for (int64_t i = 0; i < run->n; i++) {
        const struct judged *j = &run->kept[i].judged;

        if (j->pred != j->truth)
            v[(*n)++] = (struct mistake){ j->pred < 0 || isnan(j->p) ? -1 : j->p, i };
    }
    qsort(v, *n, sizeof *v, by_confidence);
    return v;
}

/* What the first of two runs said of the record. */
static void put_partner(struct buf *b, const struct page *p, int64_t record)
{
    const struct scored_run *first = p->all[0]->run;
    const struct judged *j = &first->kept[p->partner[record]].judged;

    buf_puts(b, "; ");
    html_name(b, first->name, NAME_SHOWN);
    buf_puts(b, j->pred == j->truth ? " has it right" : " says ");
    if (j->pred != j->truth)
        put_label(b, first, j->pred);
}

static void put_mistake(struct buf *b, const struct page *p, const struct mistake *m)
{
    const struct scored_run *run = p->all[p->n - 1]->run;
    const struct judged *j = &run->kept[m->record].judged;

    buf_puts(b, "<li>");
    put_text_of(b, run, m->record);
    buf_puts(b, "<span class=\"of\">predicted ");
    put_label(b, run, j->pred);
    if (m->p >= 0) {
        buf_puts(b, " at ");
        html_figure(b, HTML_SHARE, m->p);
    }
    buf_puts(b, ", true label ");
    put_label(b, run, j->truth);
    buf_puts(b, ", record ");
    put_record_name(b, run, m->record);
    if (p->partner)
        put_partner(b, p, m->record);
    buf_puts(b, "</span></li>\n");
}

void page_mistakes(struct buf *b, const struct page *p)
{
    const struct scored_run *run = p->all[p->n - 1]->run;
    size_t n;
    struct mistake *v = list_mistakes(run, &n);

    if (n == 0)
        html_put(b, "<p>There are none: all %d records are right.</p>\n", run->n);
    else {
        html_put(b, "<p>%d of %d mistakes", (int64_t)(n < MISTAKES_SHOWN ? n : MISTAKES_SHOWN),
                 (int64_t)n);
        if (p->n > 1) {
            buf_puts(b, " of ");
            html_name(b, run->name, NAME_SHOWN);
        }
        buf_puts(b, v[0].p >= 0
                        ? ", those with the largest probability first.</p>\n"
                        : ", the first ones; there are no probabilities to sort them by.</p>\n");
        buf_puts(b, "<ol class=\"records\">\n");
        for (size_t i = 0; i < n && i < MISTAKES_SHOWN; i++)
            put_mistake(b, p, &v[i]);
        buf_puts(b, "</ol>\n");
    }
    free(v);
}

/* ---- the same text ---- */

static void put_twins(struct buf *b, const struct scored_run *run, const struct twins *t,
                      const struct twins_text *text)
{
    buf_puts(b, "<li>");
    put_text_of(b, run, text->first);
    html_put(b, "<span class=\"of\">%d records: ", text->n);
    for (int64_t i = 0; i < text->n && i < TWIN_RECORDS_SHOWN; i++) {
        const int64_t record = t->record[text->at + (size_t)i];
        const struct judged *j = &run->kept[record].judged;

        buf_puts(b, i ? "; " : "");
        put_record_name(b, run, record);
        buf_puts(b, " ");
        put_label(b, run, j->truth);
        if (j->pred != j->truth) {
            buf_puts(b, " (predicted ");
            put_label(b, run, j->pred);
            buf_puts(b, ")");
        }
    }
    buf_puts(b, text->n > TWIN_RECORDS_SHOWN ? "; \xe2\x80\xa6</span></li>\n" : "</span></li>\n");
}

/* Those whose labels disagree first. */
static void put_twins_list(struct buf *b, const struct scored_run *run, const struct twins *t)
{
    int64_t shown = 0;

    buf_puts(b, "<ul class=\"records\">\n");
    for (int agree = 0; agree <= 1; agree++)
        for (int64_t i = 0; i < t->n && shown < TWINS_SHOWN; i++)
            if (t->text[i].conflict != (bool)agree) {
                put_twins(b, run, t, &t->text[i]);
                shown++;
            }
    buf_puts(b, "</ul>\n");
    if (t->n > shown)
        html_put(b, "<p class=\"m\">%d texts more are not shown.</p>\n", t->n - shown);
}

void page_twins(struct buf *b, const struct page *p)
{
    const int last = p->n - 1;
    const struct scored_run *run = p->all[last]->run;
    const struct twins *t = &p->findings[last].twins;

    if (t->n == 0) {
        html_put(b, "<p>There is none: all %d records have texts of their own.</p>\n", run->n);
        return;
    }
    buf_puts(b, "<p>");
    html_number(b, HTML_COUNT, (double)t->records, "%stwins.records", page_path(p, last));
    buf_puts(b, " records have the text of an earlier record. There are ");
    html_number(b, HTML_COUNT, (double)t->n, "%stwins.texts", page_path(p, last));
    buf_puts(b, " such texts, and ");
    html_number(b, HTML_COUNT, (double)t->conflicts, "%stwins.conflicts", page_path(p, last));
    buf_puts(b, " of them have more than one true label.</p>\n");
    put_twins_list(b, run, t);
}

/* ---- length ---- */

enum { RANGE_NAME = 48 };

static void put_range(char name[RANGE_NAME], const struct length_range *r)
{
    if (r->from == r->to)
        (void)snprintf(name, RANGE_NAME, "%lld", (long long)r->from);
    else
        (void)snprintf(name, RANGE_NAME, "%lld\xe2\x80\x93%lld", (long long)r->from,
                       (long long)r->to);
}

static const char *unit_of(const struct page *p)
{
    return p->all[0]->run->tokens ? "tokens" : "characters";
}

/* Shares of errors of one run in all ranges. */
static void errors_of(struct page_bars *e, const struct findings *f)
{
    for (int i = 0; i < f->n_lengths; i++) {
        const double wrong = (double)f->length[i].wrong, n = (double)f->length[i].n;
        const struct interval in = interval_wilson(wrong, n);

        e->share[i] = n > 0 ? wrong / n : NAN;
        e->low[i] = in.low;
        e->high[i] = in.high;
    }
}

static void put_lengths_table(struct buf *b, const struct page *p, const struct page_bars *e,
                              char (*name)[RANGE_NAME], int n)
{
    html_put(b,
             "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">length<span class=\"u\">"
             "%s</span></th>",
             unit_of(p));
    for (int r = 0; r < p->n; r++)
        page_run_column(b, p, r, "errors");
    buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < n; i++) {
        html_put(b, "<tr><th scope=\"row\">%s</th>", name[i]);
        for (int r = 0; r < p->n; r++) {
            buf_puts(b, "<td>");
            html_figure(b, HTML_SHARE, e[r].share[i]);
            buf_puts(b, "<span class=\"i n\">");
            html_number(b, HTML_COUNT, (double)p->findings[r].length[i].wrong, "%slengths.%d.wrong",
                        page_path(p, r), i);
            buf_puts(b, " of ");
            html_number(b, HTML_COUNT, (double)p->findings[r].length[i].n, "%slengths.%d.n",
                        page_path(p, r), i);
            buf_puts(b, " records</span></td>");
        }
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody></table></div>\n");
}

void page_lengths(struct buf *b, const struct page *p)
{
    const struct findings *f = p->findings;
    const int n = f->n_lengths;
    struct page_bars e[PAGE_RUNS];
    char name[LENGTH_RANGES][RANGE_NAME];
    const char *names[LENGTH_RANGES];

    for (int i = 0; i < n; i++) {
        put_range(name[i], &f->length[i]);
        names[i] = name[i];
    }
    for (int r = 0; r < p->n; r++)
        errors_of(&e[r], &f[r]);
    const struct plot plot = {
        .id = "length-errors",
        .title = "Share of errors by length",
        .x = { .name = "length", .unit = unit_of(p), .category = names, .n_category = (size_t)n },
        .y = { .name = "errors", .percent = true, .zero = true },
    };

    buf_puts(b, "<div class=\"figures\">\n<figure>");
    page_draw_bars(b, p, &plot, e, false);
    buf_puts(b, "<figcaption>Bars: share of records with a wrong label. Thin lines: 95\xc2\xa0% "
                "intervals.</figcaption></figure>\n<div>\n");
    put_lengths_table(b, p, e, name, n);
    buf_puts(b, "</div></div>\n");
}
