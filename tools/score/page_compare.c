#include "page_parts.h"

static void put_names(struct buf *b, const char *markup, const struct comparison *c)
{
    for (const char *p = markup; *p; p++)
        if (*p == 'A')
            html_name(b, c->a.run->name, NAME_SHOWN);
        else if (*p == 'B')
            html_name(b, c->b.run->name, NAME_SHOWN);
        else
            buf_putc(b, *p);
}

/* ---- the sentence ---- */

void page_conclusion(struct buf *b, const struct comparison *c)
{
    const struct interval d = c->boot.difference[ACCURACY];

    buf_puts(b, "<p class=\"say\">");
    put_names(b,
              c->conclusion == B_BETTER  ? "B is more often right than A: "
              : c->conclusion == B_WORSE ? "B is less often right than A: "
                                         : "Whether B is more often right than A is open: ",
              c);
    html_number(b, HTML_POINTS, comparison_difference(c, ACCURACY), "difference.accuracy.value");
    buf_puts(b, " of accuracy, 95\xc2\xa0% interval ");
    html_interval(b, HTML_POINTS, d, "difference.accuracy.interval");
    if (c->conclusion == UNDECIDED)
        buf_puts(b, d.low <= 0 && d.high >= 0
                        ? ", which contains 0"
                        : ", and McNemar\xe2\x80\x99s test does not tell them apart");
    buf_puts(b, ".</p>\n");
}

/* ---- McNemar ---- */

static void put_count(struct buf *b, const char *name, int64_t n)
{
    buf_puts(b, "<td>");
    html_number(b, HTML_COUNT, (double)n, "%s", name);
    buf_puts(b, "</td>");
}

static void put_agreement(struct buf *b, const struct comparison *c)
{
    buf_puts(
        b,
        "<div class=\"scroll\"><table>\n<caption>Records that each has right or wrong</caption>\n"
        "<thead><tr><th scope=\"col\">records</th><th scope=\"col\">");
    put_names(b,
              "B right</th><th scope=\"col\">B wrong</th></tr></thead>\n<tbody>\n"
              "<tr><th scope=\"row\">A right</th>",
              c);
    put_count(b, "both_right", c->both_right);
    put_count(b, "only_a_right", c->only_a);
    put_names(b, "</tr>\n<tr><th scope=\"row\">A wrong</th>", c);
    put_count(b, "only_b_right", c->only_b);
    put_count(b, "both_wrong", c->both_wrong);
    buf_puts(b, "</tr>\n</tbody></table></div>\n<p>McNemar\xe2\x80\x99s exact test looks at the ");
    html_count(b, c->only_a + c->only_b);
    buf_puts(b, " records that one alone has right: ");
    html_count(b, c->only_a);
    put_names(b, " for A, ", c);
    html_count(b, c->only_b);
    put_names(b,
              " for B. If neither were better, a split as uneven as this or more would have the "
              "chance p\xc2\xa0",
              c);
    buf_puts(b, c->mcnemar_p < 0.00005 ? "" : "=\xc2\xa0");
    html_number(b, HTML_CHANCE, c->mcnemar_p, "mcnemar_p");
    buf_puts(b, ".</p>\n");
}

/* ---- differences ---- */

static const struct difference {
    enum figure figure;
    const char *title;
    enum html_form form; /* of the difference */
    bool less;           /* is better */
} differences[] = {
    { ACCURACY, "accuracy", HTML_POINTS, false },
    { BALANCED, "balanced accuracy", HTML_POINTS, false },
    { MACRO_F1, "macro F1", HTML_SIGNED, false },
    { MCC, "Matthews correlation", HTML_SIGNED, false },
    { LOG_LOSS, "log loss", HTML_SIGNED, true },
    { BRIER, "Brier score", HTML_SIGNED, true },
};

/* No more than comparison.h concludes. */
static bool differs(const struct comparison *c, enum figure f)
{
    const struct interval in = c->boot.difference[f];

    return f == ACCURACY ? c->conclusion != UNDECIDED : in.low > 0 || in.high < 0;
}

static void put_difference(struct buf *b, const struct comparison *c, const struct difference *d)
{
    const char *name = figure_name[d->figure];

    html_put(b, "<tr><th scope=\"row\">%s<span class=\"u\">%s</span></th><td>", d->title,
             d->figure == LOG_LOSS ? "nats; less is better"
             : d->less             ? "less is better"
                                   : "more is better");
    html_number(b, d->form, comparison_difference(c, d->figure), "difference.%s.value", name);
    html_interval(b, d->form, c->boot.difference[d->figure], "difference.%s.interval", name);
    buf_puts(b, "</td><td>");
    html_number(b, HTML_CHANCE, c->boot.p[d->figure], "difference.%s.p", name);
    buf_puts(b, differs(c, d->figure) ? "<span class=\"i n\">it differs</span></td></tr>\n"
                                      : "<span class=\"i n\">open</span></td></tr>\n");
}

static void put_differences(struct buf *b, const struct comparison *c)
{
    buf_puts(b, "<div class=\"scroll\"><table>\n<caption>");
    put_names(b, "B minus A</caption>\n", c);
    buf_puts(
        b, "<thead><tr><th scope=\"col\">number</th><th scope=\"col\">difference<span class=\"u\">"
           "95\xc2\xa0% interval</span></th><th scope=\"col\">p<span "
           "class=\"u\">conclusion</span></th>"
           "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (comparison_has(c, differences[i].figure))
            put_difference(b, c, &differences[i]);
    html_put(
        b,
        "</tbody></table></div>\n<p>Paired bootstrap: the records were drawn anew %d times, with "
        "replacement and for both runs alike (seed %d); the interval holds the middle "
        "95\xc2\xa0%% of the differences. p is how often chance alone would do as much, from the "
        "same draws.</p>\n",
        c->boot.how.resamples, (int64_t)c->boot.how.seed);
}

void page_compare(struct buf *b, const struct page *p)
{
    put_agreement(b, p->comparison);
    put_differences(b, p->comparison);
}
