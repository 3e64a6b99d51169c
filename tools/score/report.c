#include "report.h"

#include "json.h"
#include "numbers.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_number(struct buf *b, const struct number *v)
{
    if (v->whole)
        buf_printf(b, "%.0f", v->value);
    else
        json_put_double(b, v->value);
}

/* ---- text ---- */

int text_width(const char *s)
{
    int n = 0;

    for (int len; *s; s += len, n++)
        (void)utf8_decode(s, &len);
    return n;
}

static void put_padded(struct buf *b, const char *s, int width)
{
    buf_puts(b, s);
    for (int i = text_width(s); i < width; i++)
        buf_putc(b, ' ');
}

static int widest(const struct confusion *c)
{
    int width = 5;

    for (int i = 0; i < c->n; i++)
        width = text_width(c->name[i]) > width ? text_width(c->name[i]) : width;
    return width;
}

static void put_label_table(struct buf *b, const struct confusion *c, int width)
{
    put_padded(b, "label", width);
    buf_puts(b, "  precision  recall      f1  support\n");
    for (int i = 0; i < c->n; i++) {
        const struct label_metrics l = label_metrics(c, i);

        put_padded(b, c->name[i], width);
        buf_printf(b, "  %9.4f  %6.4f  %6.4f  %7lld\n", l.precision, l.recall, l.f1,
                   (long long)c->support[i]);
    }
}

static void put_confusion(struct buf *b, const struct confusion *c, int width)
{
    put_padded(b, "true", width);
    for (int k = 0; k < c->n; k++) {
        buf_puts(b, "  ");
        for (int i = text_width(c->name[k]); i < 7; i++)
            buf_putc(b, ' ');
        buf_puts(b, c->name[k]);
    }
    buf_puts(b, "     none\n");
    for (int i = 0; i < c->n; i++) {
        put_padded(b, c->name[i], width);
        for (int k = 0; k < c->n; k++) {
            const int column = text_width(c->name[k]);

            buf_printf(b, "  %*lld", column < 7 ? 7 : column, (long long)c->count[i * c->n + k]);
        }
        buf_printf(b, "  %7lld\n", (long long)c->none[i]);
    }
}

/* C with names that do nothing to the lines. */
static struct confusion with_visible_names(const struct confusion *c)
{
    struct confusion shown = *c;

    shown.name = xnmalloc((size_t)c->n, sizeof *shown.name);
    for (int i = 0; i < c->n; i++) {
        struct buf name = BUF_INIT;

        utf8_show_line(&name, c->name[i]);
        shown.name[i] = name.p ? name.p : xstrdup("");
    }
    return shown;
}

static void free_names(struct confusion *shown)
{
    for (int i = 0; i < shown->n; i++)
        free((char *)shown->name[i]);
    free(shown->name);
}

void report_text(struct buf *b, const struct assessment *a)
{
    struct confusion shown = with_visible_names(&a->c), *const c = &shown;
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, &a->m), width = widest(c);

    for (int i = 0; i < n; i++) {
        put_padded(b, v[i].name, 18);
        if (isnan(v[i].value))
            buf_printf(b, "%8s\n", "-");
        else
            buf_printf(b, "%8.*f\n", v[i].whole ? 0 : 4, v[i].value);
    }
    buf_putc(b, '\n');
    put_label_table(b, c, width);
    buf_puts(b, "\nTrue labels down, predicted ones across:\n");
    put_confusion(b, c, width);
    free_names(c);
}

/* ---- JSON ---- */

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
            put_number(b, &v[k]);
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

void report_json(struct buf *b, const struct assessment *a, const char *field)
{
    const char *value = a->slice->value;
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, &a->m);

    buf_putc(b, '{');
    if (field) {
        put_key(b, "by");
        buf_putc(b, '{');
        put_key(b, field);
        json_put_text(b, value, strlen(value));
        buf_puts(b, "}, ");
    }
    for (int i = 0; i < n; i++) {
        if (!strcmp(v[i].name, "none")) {
            put_json_labels(b, &a->c);
            put_json_confusion(b, &a->c, a->m.none > 0);
        }
        put_key(b, v[i].name);
        put_number(b, &v[i]);
        buf_puts(b, i < n - 1 ? ", " : "}\n");
    }
}

/* ---- TSV ---- */

static bool put_line(void *user, const char *name, const struct number *v)
{
    struct buf *b = user;

    buf_printf(b, "%s\t", name);
    put_number(b, v);
    buf_putc(b, '\n');
    return false;
}

void report_tsv(struct buf *b, const struct assessment *a)
{
    (void)each_number(a, put_line, b);
}
