#include "report.h"

#include "json.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct number {
    const char *name;
    double value;
    bool whole;
};

enum { NUMBERS_MAX = 12 };

/* The numbers about all records, in the order in which they are printed; returns how many. */
static int list_numbers(struct number *v, const struct metrics *m)
{
    int n = 0;

    v[n++] = (struct number){ "n", (double)m->n, true };
    v[n++] = (struct number){ "accuracy", m->accuracy, false };
    v[n++] = (struct number){ "balanced_accuracy", m->balanced_accuracy, false };
    v[n++] = (struct number){ "macro_f1", m->macro_f1, false };
    v[n++] = (struct number){ "weighted_f1", m->weighted_f1, false };
    v[n++] = (struct number){ "mcc", m->mcc, false };
    v[n++] = (struct number){ "kappa", m->kappa, false };
    v[n++] = (struct number){ "none", (double)m->none, true };
    if (m->scored) {
        v[n++] = (struct number){ "log_loss", m->log_loss, false };
        v[n++] = (struct number){ "brier", m->brier, false };
        v[n++] = (struct number){ "ece", m->ece, false };
    }
    return n;
}

enum { LABEL_NUMBERS = 5 };

static void list_label_numbers(struct number v[LABEL_NUMBERS], const struct confusion *c, int i)
{
    const struct label_metrics l = label_metrics(c, i);

    v[0] = (struct number){ "precision", l.precision, false };
    v[1] = (struct number){ "recall", l.recall, false };
    v[2] = (struct number){ "f1", l.f1, false };
    v[3] = (struct number){ "support", (double)c->support[i], true };
    v[4] = (struct number){ "accuracy", l.recall, false };
}

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

void report_text(struct buf *b, const struct confusion *labels, const struct metrics *m)
{
    struct confusion shown = with_visible_names(labels), *const c = &shown;
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, m), width = widest(c);

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

void report_json(struct buf *b, const struct confusion *c, const struct metrics *m,
                 const char *field, const char *value)
{
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, m);

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
            put_json_labels(b, c);
            put_json_confusion(b, c, m->none > 0);
        }
        put_key(b, v[i].name);
        put_number(b, &v[i]);
        buf_puts(b, i < n - 1 ? ", " : "}\n");
    }
}

/* ---- TSV, and numbers by name ---- */

/* Gives every number with its full name to TAKE until that says true. */
static bool each_number(const struct confusion *c, const struct metrics *m,
                        bool (*take)(void *user, const char *name, const struct number *v),
                        void *user)
{
    struct number v[NUMBERS_MAX], of_label[LABEL_NUMBERS];
    struct buf name = BUF_INIT;
    const int n = list_numbers(v, m);
    bool done = false;

    for (int i = 0; !done && i < n; i++)
        done = take(user, v[i].name, &v[i]);
    for (int i = 0; !done && i < c->n; i++) {
        list_label_numbers(of_label, c, i);
        for (int k = 0; !done && k < LABEL_NUMBERS; k++) {
            buf_clear(&name);
            buf_puts(&name, "per_label.");
            utf8_show_line(&name, c->name[i]);
            buf_printf(&name, ".%s", of_label[k].name);
            done = take(user, name.p, &of_label[k]);
        }
    }
    for (int i = 0; !done && i < c->n; i++)
        for (int k = 0; !done && k <= c->n; k++) {
            const bool none = k == c->n;
            const int64_t times = none ? c->none[i] : c->count[i * c->n + k];
            const struct number count = { NULL, (double)times, true };

            buf_clear(&name);
            buf_puts(&name, "confusion.");
            utf8_show_line(&name, c->name[i]);
            buf_putc(&name, '.');
            utf8_show_line(&name, none ? "none" : c->name[k]);
            done = take(user, name.p, &count);
        }
    buf_free(&name);
    return done;
}

static bool put_line(void *user, const char *name, const struct number *v)
{
    struct buf *b = user;

    buf_printf(b, "%s\t", name);
    put_number(b, v);
    buf_putc(b, '\n');
    return false;
}

void report_tsv(struct buf *b, const struct confusion *c, const struct metrics *m)
{
    (void)each_number(c, m, put_line, b);
}

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

bool report_value(const struct confusion *c, const struct metrics *m, const char *name,
                  double *value)
{
    struct wanted w = { name, value };

    return each_number(c, m, take_wanted, &w);
}
