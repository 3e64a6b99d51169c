#include "report_terminal.h"

#include "numbers.h"
#include "report.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_MOST = 30, NAME_MOST = 24 };

/* How many of the N bytes of a word fit in ROOM columns; one character at least. */
static size_t part_of(const char *word, size_t n, size_t room)
{
    size_t at = 0;

    for (int len; at < n; at += (size_t)len) {
        (void)utf8_decode(word + at, &len);
        if (at && term_columns(word, at + (size_t)len) > room)
            break;
    }
    return at;
}

/* Appends the lines of TEXT, which it takes, broken at blanks where they are longer than the
 * terminal. */
static void put_lines(struct buf *b, struct buf *text, const struct term *t)
{
    const size_t width = (size_t)t->width;
    size_t columns = 0;

    for (const char *p = text->p; p && *p;) {
        const size_t blanks = strspn(p, " ");
        size_t n = blanks + strcspn(p + blanks, " \n");

        if (columns && columns + term_columns(p, n) > width) {
            buf_putc(b, '\n');
            columns = 0;
            p += blanks;
            continue;
        }
        if (term_columns(p, n) > width)
            n = part_of(p, n, width);
        buf_add(b, p, n);
        columns += term_columns(p, n);
        p += n;
        if (*p == '\n') {
            buf_putc(b, '\n');
            columns = 0;
            p++;
        }
    }
    buf_free(text);
}

void terminal_bar(struct buf *b, const struct term *t, double share, int used)
{
    const int room = t->width - used - 2 < BAR_MOST ? t->width - used - 2 : BAR_MOST;

    if (room < 8 || isnan(share))
        return;
    buf_puts(b, "  ");
    term_bar(b, t, share, (size_t)room);
}

void terminal_end_line(struct buf *b)
{
    while (b->n && b->p[b->n - 1] == ' ')
        b->n--;
    buf_putc(b, '\n');
}

static void put_numbers(struct buf *b, const struct metrics *m, const struct term *t)
{
    struct number v[NUMBERS_MAX];
    const int n = list_numbers(v, m);

    for (int i = 0; i < n; i++) {
        number_put_columns(b, &v[i]);
        for (int f = 0; f < MCC; f++)
            if (!strcmp(v[i].name, figure_name[f]))
                terminal_bar(b, t, v[i].value, 26);
        terminal_end_line(b);
    }
}

static int name_width(const struct confusion *c, int most)
{
    int width = 5;

    for (int i = 0; i < c->n; i++) {
        const int columns = (int)term_columns(c->name[i], strlen(c->name[i]));

        width = columns > width ? columns : width;
    }
    return width < most ? width : most;
}

static void put_labels(struct buf *b, const struct confusion *c, const struct term *t)
{
    const int figures = 31, most = t->width - figures;
    const int width = name_width(c, most < NAME_MOST ? most : NAME_MOST);

    if (most < 5)
        return;
    term_pad(b, t, "label", (size_t)width, false);
    buf_puts(b, "  precis  recall      f1  count\n");
    for (int i = 0; i < c->n; i++) {
        const struct label_metrics l = label_metrics(c, i);

        term_pad(b, t, c->name[i], (size_t)width, false);
        buf_printf(b, "  %6.4f  %6.4f  %6.4f  %5lld", l.precision, l.recall, l.f1,
                   (long long)c->support[i]);
        terminal_bar(b, t, l.f1, width + figures);
        terminal_end_line(b);
    }
    buf_putc(b, '\n');
}

/* ---- the matrix ---- */

static int digits(int64_t most)
{
    int n = 1;

    for (; most >= 10; most /= 10)
        n++;
    return n;
}

static int cell_width(const struct confusion *c)
{
    int64_t most = 0;

    for (int64_t i = 0; i < (int64_t)c->n * c->n; i++)
        most = c->count[i] > most ? c->count[i] : most;
    return digits(most) < 4 ? 4 : digits(most);
}

static void put_cell(struct buf *b, const struct term *t, int64_t times, int64_t of, int width)
{
    struct buf cell = BUF_INIT;

    buf_printf(&cell, " %*lld ", width, (long long)times);
    term_shade(b, t, of ? (double)times / (double)of : 0, cell.p);
    buf_free(&cell);
}

static void put_matrix(struct buf *b, const struct confusion *c, const struct term *t, bool none,
                       int name, int cell)
{
    term_pad(b, t, "true", (size_t)name, false);
    for (int k = 0; k < c->n + none; k++) {
        buf_putc(b, ' ');
        term_pad(b, t, k < c->n ? c->name[k] : "none", (size_t)cell, true);
        buf_putc(b, ' ');
    }
    terminal_end_line(b);
    for (int i = 0; i < c->n; i++) {
        term_pad(b, t, c->name[i], (size_t)name, false);
        for (int k = 0; k < c->n; k++)
            put_cell(b, t, c->count[i * c->n + k], c->support[i], cell);
        if (none)
            put_cell(b, t, c->none[i], c->support[i], cell);
        terminal_end_line(b);
    }
}

static void put_mistakes(struct buf *b, const struct confusion *c, const struct term *t)
{
    enum { SHOWN = 10 };
    const size_t name = (size_t)name_width(c, (t->width - 16) / 2);
    size_t n;
    struct confused *v = confusion_list(c, &n);

    buf_printf(b, "%d labels do not fit a matrix here.\n%s\n", c->n,
               n ? "Most often confused, true and predicted:" : "None is confused.");
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        buf_printf(b, "%7lld  ", (long long)v[i].times);
        term_pad(b, t, c->name[v[i].truth], name, false);
        buf_puts(b, "  ");
        term_pad(b, t, v[i].pred < c->n ? c->name[v[i].pred] : "none", name, false);
        terminal_bar(b, t, (double)v[i].times / (double)v[0].times, 11 + 2 * (int)name);
        terminal_end_line(b);
    }
    free(v);
}

static void put_confusion(struct buf *b, const struct confusion *c, int64_t none,
                          const struct term *t)
{
    const int columns = c->n + (none > 0), least = cell_width(c);
    const int name = name_width(c, t->width - columns * (least + 2) < NAME_MOST
                                       ? t->width - columns * (least + 2)
                                       : NAME_MOST);
    int cell = (t->width - name) / columns - 2;

    if (name < 4 || cell < least) {
        put_mistakes(b, c, t);
        return;
    }
    const int wanted = name_width(c, NAME_MOST);

    cell = cell < wanted ? cell : wanted > least ? wanted : least;
    buf_puts(b, "True labels down, predicted ones across:\n");
    put_matrix(b, c, t, none > 0, name, cell);
}

void terminal_report(struct buf *b, const struct assessment *a, const struct term *t)
{
    struct buf text = BUF_INIT;

    put_numbers(b, &a->m, t);
    buf_putc(b, '\n');
    put_labels(b, &a->c, t);
    put_confusion(b, &a->c, a->m.none, t);
    report_text_intervals(&text, a);
    put_lines(b, &text, t);
}

/* ---- two runs ---- */

void terminal_comparison(struct buf *b, const struct comparison *c, const struct term *t)
{
    const struct assessment *side[] = { &c->a, &c->b };
    const bool narrow = t->width < 72;
    struct buf text = BUF_INIT;

    comparison_head(&text, c);
    put_lines(b, &text, t);
    for (int i = 0; i < 2; i++) {
        buf_printf(b, "%c  %.4f", 'a' + i, side[i]->m.figure[ACCURACY]);
        terminal_bar(b, t, side[i]->m.figure[ACCURACY], 9);
        terminal_end_line(b);
    }
    buf_putc(b, '\n');
    comparison_table(b, c, narrow);
    comparison_words(&text, c);
    put_lines(b, &text, t);
}
