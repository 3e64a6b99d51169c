/* The summary as lines of tab-separated values and as JSON lines. */
#include "summary.h"

#include "json.h"
#include "report.h"
#include "utf8.h"

#include <string.h>

/* ---- TSV ---- */

static void put_tabbed(struct buf *b, double v)
{
    buf_putc(b, '\t');
    json_put_double(b, v);
}

static void put_head(struct buf *b, const char *prefix, bool sd)
{
    buf_printf(b, "\t%sn\t%saccuracy\t%saccuracy_low\t%saccuracy_high", prefix, prefix, prefix,
               prefix);
    if (sd)
        buf_printf(b, "\t%saccuracy_sd", prefix);
    for (int f = ACCURACY + 1; f < FIGURES; f++) {
        buf_printf(b, "\t%s%s", prefix, figure_name[f]);
        if (sd)
            buf_printf(b, "\t%s%s_sd", prefix, figure_name[f]);
    }
    buf_printf(b, "\t%sbaseline", prefix);
}

static void put_cells(struct buf *b, const struct summed *sum, bool sd)
{
    buf_printf(b, "\t%lld", (long long)sum->n);
    for (int f = 0; f < FIGURES; f++) {
        put_tabbed(b, sum->mean[f]);
        if (f == ACCURACY) {
            put_tabbed(b, sum->accuracy.low);
            put_tabbed(b, sum->accuracy.high);
        }
        if (sd)
            put_tabbed(b, sum->sd[f]);
    }
    put_tabbed(b, sum->baseline);
}

void summary_tsv(struct buf *b, const struct summary *s)
{
    const bool sd = summary_means(s);

    buf_puts(b, "name");
    for (int k = 0; k < s->keys; k++) {
        buf_putc(b, '\t');
        utf8_show_line(b, s->key[k]);
    }
    buf_puts(b, "\truns");
    if (s->rows[ROWS_TEST])
        put_head(b, "", sd);
    if (s->rows[ROWS_EVAL])
        put_head(b, "eval_", sd);
    buf_puts(b, "\tbest\n");
    for (int i = 0; i < s->n; i++) {
        const struct row *row = &s->row[i];

        utf8_show_line(b, row->name);
        for (int k = 0; k < s->keys; k++) {
            const char *value = settings_find(&row->settings, s->key[k]);

            buf_putc(b, '\t');
            utf8_show_line(b, value ? value : "");
        }
        buf_printf(b, "\t%d", row->runs);
        if (s->rows[ROWS_TEST])
            put_cells(b, &row->rows[ROWS_TEST], sd);
        if (s->rows[ROWS_EVAL])
            put_cells(b, &row->rows[ROWS_EVAL], sd);
        buf_puts(b, row == s->best ? "\t1\n" : "\t0\n");
    }
}

/* ---- JSON ---- */

static void put_text(struct buf *b, const char *s)
{
    json_put_text(b, s, strlen(s));
}

static void put_value(struct buf *b, const char *name, const char *end, double v)
{
    buf_printf(b, ", \"%s%s\": ", name, end);
    json_put_double(b, v);
}

static void put_summed(struct buf *b, const struct summed *sum, bool sd)
{
    buf_printf(b, "\"n\": %lld", (long long)sum->n);
    for (int f = 0; f < FIGURES; f++) {
        put_value(b, figure_name[f], "", sum->mean[f]);
        if (f == ACCURACY) {
            buf_puts(b, ", \"accuracy_interval\": ");
            report_json_interval(b, sum->accuracy);
        }
        if (sd)
            put_value(b, figure_name[f], "_sd", sum->sd[f]);
    }
    put_value(b, "baseline", "", sum->baseline);
}

void summary_json(struct buf *b, const struct summary *s)
{
    const bool sd = summary_means(s);

    for (int i = 0; i < s->n; i++) {
        const struct row *row = &s->row[i];

        buf_puts(b, "{\"name\": ");
        put_text(b, row->name);
        buf_puts(b, ", \"settings\": {");
        for (int k = 0; k < row->settings.n; k++) {
            buf_puts(b, k ? ", " : "");
            put_text(b, row->settings.v[k].key);
            buf_puts(b, ": ");
            put_text(b, row->settings.v[k].value);
        }
        buf_printf(b, "}, \"runs\": %d, ", row->runs);
        if (s->rows[ROWS_TEST])
            put_summed(b, &row->rows[ROWS_TEST], sd);
        if (s->rows[ROWS_EVAL]) {
            buf_puts(b, s->rows[ROWS_TEST] ? ", \"eval\": {" : "\"eval\": {");
            put_summed(b, &row->rows[ROWS_EVAL], sd);
            buf_putc(b, '}');
        }
        buf_printf(b, ", \"best\": %s}\n", row == s->best ? "true" : "false");
    }
}
