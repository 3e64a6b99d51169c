/* The report for programs: JSON, and lines of name, tab, value. */
#include "report.h"

#include "json.h"
#include "numbers.h"
#include "utf8.h"

#include <string.h>

static void put_key(struct buf *b, const char *key)
{
    json_put_text(b, key, strlen(key));
    buf_puts(b, ": ");
}

static void put_json_labels(struct buf *b, const struct confusion *c)
{
    put_key(b, "labels");
    for (int i = 0; i < c->n; i++) {
        buf_puts(b, i ? ", " : "[");
        json_put_text(b, c->name[i], strlen(c->name[i]));
    }
    buf_puts(b, "], ");
    put_key(b, "per_label");
    for (int i = 0; i < c->n; i++) {
        struct number v[LABEL_NUMBERS];

        list_label_numbers(v, c, i);
        buf_puts(b, i ? ", " : "{");
        put_key(b, c->name[i]);
        for (int k = 0; k < LABEL_NUMBERS; k++) {
            buf_puts(b, k ? ", " : "{");
            put_key(b, v[k].name);
            number_put(b, &v[k]);
        }
        buf_putc(b, '}');
    }
    buf_puts(b, "}, ");
}

/* True labels as rows, in the order of "labels"; a last column for none where there are any. */
static void put_json_confusion(struct buf *b, const struct confusion *c, bool none)
{
    put_key(b, "confusion");
    for (int i = 0; i < c->n; i++) {
        buf_puts(b, i ? ", [" : "[[");
        for (int k = 0; k < c->n; k++)
            buf_printf(b, "%s%lld", k ? ", " : "", (long long)c->count[i * c->n + k]);
        if (none)
            buf_printf(b, ", %lld", (long long)c->none[i]);
        buf_putc(b, ']');
    }
    buf_puts(b, "], ");
}

void report_json_interval(struct buf *b, struct interval v)
{
    buf_putc(b, '[');
    json_put_double(b, v.low);
    buf_puts(b, ", ");
    json_put_double(b, v.high);
    buf_putc(b, ']');
}

static void put_member(struct buf *b, const char *key, struct interval v)
{
    put_key(b, key);
    report_json_interval(b, v);
}

static void put_label_intervals(struct buf *b, const struct assessment *a)
{
    buf_puts(b, ", ");
    put_key(b, "per_label_intervals");
    for (int i = 0; i < a->c.n; i++) {
        buf_puts(b, i ? ", " : "{");
        put_key(b, a->c.name[i]);
        buf_putc(b, '{');
        put_member(b, "precision", a->label[i].precision);
        buf_puts(b, ", ");
        put_member(b, "recall", a->label[i].recall);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

/* Bins in which there are records. */
static void put_calibration(struct buf *b, const struct tally *t)
{
    const char *before = "[";

    buf_puts(b, ", ");
    put_key(b, "calibration");
    for (int i = 0; i < ECE_BINS; i++) {
        const struct calibration bin = calibration_bin(t, i);

        if (!bin.n)
            continue;
        buf_printf(b, "%s{\"bin\": %d, \"n\": %lld, \"confidence\": ", before, i, (long long)bin.n);
        json_put_double(b, bin.confidence);
        buf_puts(b, ", \"accuracy\": ");
        json_put_double(b, bin.accuracy);
        buf_putc(b, '}');
        before = ", ";
    }
    buf_putc(b, ']');
}

static void put_bootstrap(struct buf *b, const struct assessment *a)
{
    buf_printf(b, ", \"bootstrap\": {\"resamples\": %lld, \"seed\": %lu",
               (long long)a->how.resamples, (unsigned long)a->how.seed);
    for (int f = 0; f < ECE; f++) {
        if (!metrics_has(&a->m, f))
            continue;
        buf_puts(b, ", ");
        put_member(b, figure_name[f], a->boot->figure[f]);
    }
    buf_puts(b, ", \"f1\": ");
    for (int i = 0; i < a->c.n; i++) {
        buf_puts(b, i ? ", " : "{");
        put_member(b, a->c.name[i], a->boot->f1[i]);
    }
    buf_puts(b, "}}");
}

void report_json_members(struct buf *b, const struct assessment *a)
{
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, &a->m);

    for (int i = 0; i < n; i++) {
        if (!strcmp(v[i].name, "none")) {
            put_json_labels(b, &a->c);
            put_json_confusion(b, &a->c, a->m.none > 0);
        }
        put_key(b, v[i].name);
        number_put(b, &v[i]);
        buf_puts(b, ", ");
    }
    put_member(b, "accuracy_interval", a->accuracy);
    buf_puts(b, ", \"baseline\": ");
    json_put_double(b, a->baseline);
    buf_puts(b, ", \"baseline_label\": ");
    json_put_text(b, a->majority, strlen(a->majority));
    buf_printf(b, ", \"above_baseline\": %s", above_baseline(a) ? "true" : "false");
    put_label_intervals(b, a);
    if (a->m.scored)
        put_calibration(b, &a->slice->tally);
    if (a->boot)
        put_bootstrap(b, a);
    if (a->findings)
        findings_json(b, a->findings);
}

void report_json_by(struct buf *b, const char *field, const char *value)
{
    if (!field)
        return;
    put_key(b, "by");
    buf_putc(b, '{');
    put_key(b, field);
    json_put_text(b, value, strlen(value));
    buf_puts(b, "}, ");
}

void report_json(struct buf *b, const struct assessment *a, const char *field)
{
    buf_putc(b, '{');
    report_json_by(b, field, a->slice->value);
    report_json_members(b, a);
    buf_puts(b, "}\n");
}

void report_tsv(struct buf *b, const struct assessment *a)
{
    (void)each_number(a, number_put_line, b);
    buf_puts(b, "baseline_label\t");
    utf8_show_line(b, a->majority);
    buf_putc(b, '\n');
}
