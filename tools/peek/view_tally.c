/* How many records have each value of a field, of two fields each pair. */
#include "show.h"
#include "utf8.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 1000,
    COLUMNS_MAX = 64
}; /* different values of the first and of the second field */

struct crosstab {
    char *field[2];        /* the second may be NULL */
    bool found[2];         /* a record had it */
    struct labels seen[2]; /* their values in the order they came in */
    int64_t *count;        /* (seen[0].n)(COLUMNS_MAX) */
};

/* Index of the value that REC has in field I. */
static int value_of(struct crosstab *t, const struct record *rec, int i)
{
    const struct field *f = record_find(rec, t->field[i]);
    struct labels *seen = &t->seen[i];
    struct buf text = BUF_INIT;

    t->found[i] |= f != NULL;
    if (f && f->type == ITEM_TEXT)
        buf_add(&text, f->data, f->n);
    else if (f)
        show_field(&text, f);
    else
        buf_putc(&text, '-');
    int at = labels_find(seen, text.n ? text.p : "", text.n);

    if (at < 0 && seen->n == (i ? COLUMNS_MAX : ROWS_MAX)) {
        at =
            err_set(EXIT_DATA, "field '%s' has more than %d different values; is it the right one?",
                    t->field[i], seen->n);
    } else if (at < 0) {
        labels_add(seen, text.n ? text.p : "", text.n);
        at = seen->n - 1;
    }
    buf_free(&text);
    return at;
}

static int add_record(void *self, struct record *rec, struct buf *line)
{
    struct crosstab *t = self;
    const int before = t->seen[0].n, row = value_of(t, rec, 0);
    const int column = row < 0 || !t->field[1] ? row : value_of(t, rec, 1);

    (void)line;
    if (column < 0)
        return -1;
    if (row == before) {
        t->count = xnrealloc(t->count, (size_t)t->seen[0].n * COLUMNS_MAX, sizeof *t->count);
        memset(t->count + (size_t)row * COLUMNS_MAX, 0, COLUMNS_MAX * sizeof *t->count);
    }
    t->count[row * COLUMNS_MAX + (t->field[1] ? column : 0)]++;
    return 0;
}

static int64_t total(const struct crosstab *t, int row)
{
    int64_t n = 0;

    for (int c = 0; c < COLUMNS_MAX; c++)
        n += t->count[row * COLUMNS_MAX + c];
    return n;
}

static void put_row(struct buf *b, const struct crosstab *t, int row)
{
    utf8_show_line(b, t->seen[0].name[row]);
    buf_printf(b, "\t%lld", (long long)total(t, row));
    for (int c = 0; c < t->seen[1].n; c++)
        buf_printf(b, "\t%lld", (long long)t->count[row * COLUMNS_MAX + c]);
    buf_putc(b, '\n');
}

/* The most frequent first; of equals the one that came first. */
static void put_rows(struct buf *b, const struct crosstab *t)
{
    bool *done = xcalloc((size_t)t->seen[0].n + 1, sizeof *done);

    for (int i = 0; i < t->seen[0].n; i++) {
        int most = -1;

        for (int r = 0; r < t->seen[0].n; r++)
            if (!done[r] && (most < 0 || total(t, r) > total(t, most)))
                most = r;
        done[most] = true;
        put_row(b, t, most);
    }
    free(done);
}

static int parse_fields(struct crosstab *t, const char *list)
{
    const char *comma = strchr(list, ',');

    if (!*list || comma == list || (comma && (!comma[1] || strchr(comma + 1, ','))))
        return err_set(EXIT_USAGE, "--tally '%s' is not one field or two, as label,split", list);
    t->field[0] = comma ? xstrndup(list, (size_t)(comma - list)) : xstrdup(list);
    t->field[1] = comma ? xstrdup(comma + 1) : NULL;
    return 0;
}

static int check_found(const struct peek *p, const struct crosstab *t)
{
    for (int i = 0; t->seen[0].n > 0 && i < 2; i++)
        if (t->field[i] && !t->found[i])
            return err_set(EXIT_DATA, "%s: no record has a field '%s'; --jsonl shows what there is",
                           first_path(p), t->field[i]);
    return 0;
}

int view_tally(const struct peek *p)
{
    struct crosstab t = { .count = NULL };
    struct buf b = BUF_INIT;
    int rc = parse_fields(&t, p->tally);

    if (rc == 0)
        rc = for_each_record(p, add_record, &t);
    if (rc == 0)
        rc = check_found(p, &t);
    if (rc == 0) {
        buf_printf(&b, "%s\tall", t.field[0]);
        for (int c = 0; c < t.seen[1].n; c++) {
            buf_putc(&b, '\t');
            utf8_show_line(&b, t.seen[1].name[c]);
        }
        buf_putc(&b, '\n');
        put_rows(&b, &t);
        rc = write_text(p, b.p, b.n);
    }
    buf_free(&b);
    for (int i = 0; i < 2; i++) {
        labels_free(&t.seen[i]);
        free(t.field[i]);
    }
    free(t.count);
    return rc;
}
