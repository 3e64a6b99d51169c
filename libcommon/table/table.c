#include "table_impl.h"

#include "filetype.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- columns ---- */

/* A name that is empty is that of the column that has none. */
static bool is_called(const struct table *t, int column, const struct cell *name)
{
    return t->named[column] ? text_is(name->p, name->n, t->name[column]) : name->n == 0;
}

int table_column_of(const struct table *t, const struct cell *name, int hint)
{
    if (hint < t->n_columns && is_called(t, hint, name))
        return hint;
    for (int i = 0; i < t->n_columns; i++)
        if (is_called(t, i, name))
            return i;
    return -1;
}

int table_add_column(struct table *t, const struct cell *name)
{
    const bool named = name->n > 0; /* a key of JSON may be empty */
    const int i = t->n_columns;
    char number[16];

    if (i == COLUMNS_MAX)
        return err_set(EXIT_DATA, "there are more than %d different columns; is it a table?",
                       COLUMNS_MAX);
    if (named && memchr(name->p, 0, name->n))
        return err_set(EXIT_DATA, "name of column %d has a zero byte", i + 1);
    if (t->form != FORM_CSV && table_column_of(t, name, 0) >= 0)
        return err_set(EXIT_DATA, "column '%s' is there twice; rename one", name->p);
    if (i % 64 == 0) {
        t->name = xnrealloc(t->name, (size_t)i + 64, sizeof *t->name);
        t->named = xnrealloc(t->named, (size_t)i + 64, sizeof *t->named);
        t->cells = xnrealloc(t->cells, (size_t)i + 64, sizeof *t->cells);
    }
    (void)snprintf(number, sizeof number, "%d", i + 1);
    t->name[i] = named ? xstrndup(name->p, name->n) : xstrdup(number);
    t->named[i] = named;
    t->n_columns++;
    return 0;
}

/* Columns for the N fields of the first row: called as the CELLS say, else by their numbers. */
static int name_columns(struct table *t, const struct cell *cells, int n)
{
    static const struct cell none = { "", 0, false };

    for (int i = 0; i < n; i++) {
        const struct cell name = cells ? cell_trimmed(cells[i]) : none;

        if (table_add_column(t, &name) < 0)
            return err_in("%s", source_name(t->src));
    }
    return 0;
}

/* ---- opening ---- */

/* The first row, which is used up. */
static int read_header(struct table *t, size_t used)
{
    const int n = t->spans.n;
    struct cell *cells = xnmalloc((size_t)n, sizeof *cells);
    int rc = table_take_row(t, cells, used);

    if (rc < 0)
        (void)err_in("%s: names of the columns", source_name(t->src));
    else
        rc = name_columns(t, cells, n);
    free(cells);
    return rc;
}

/* Excel's first line, "sep=;": it names the delimiter. */
static char take_separator(struct table *t)
{
    const char *p = t->ahead.p + t->start, *const end = t->ahead.p + t->ahead.n;
    const bool quoted = p < end && *p == '"';
    char delimiter;

    p += quoted;
    if (end - p < 5 || strncasecmp(p, "sep=", 4) != 0)
        return 0;
    delimiter = p[4];
    p += 5;
    if (delimiter == '\r' || delimiter == '\n' || (quoted && (p == end || *p++ != '"')))
        return 0;
    while (p < end && *p == '\r')
        p++;
    if (p < end && *p != '\n' && p[-1] != '\r')
        return 0;
    p += p < end && *p == '\n';
    t->start = (size_t)(p - t->ahead.p);
    return delimiter;
}

/* Guesses how the rows are written, from more of them where the first one is long. */
static int guess_dialect(struct table *t, const struct table_options *opt)
{
    const char separator = take_separator(t);
    const char delimiter = opt->delimiter ? opt->delimiter : separator;

    for (size_t most = LOOK_AHEAD;; most *= 16) {
        const struct view v = table_view(t, most);
        const struct dialect_guess g = dialect_guess(source_name(t->src), &v, delimiter);

        t->dialect = g.dialect;
        t->plain = g.plain;
        t->delimiter_tie = g.tie;
        sheet_free(&t->sheet);
        sheet_read(&t->sheet, &v, &t->dialect);
        if (t->sheet.rows > 1 || v.last || t->sheet.broken || most > ROW_BYTES_MAX / 16)
            return 0;
        while (!t->ended && t->ahead.n - t->start < 16 * most)
            if (table_more(t) < 0)
                return -1;
    }
}

static int open_csv(struct table *t, const struct table_options *opt)
{
    size_t used;

    if (guess_dialect(t, opt) < 0)
        return -1;
    const int got = table_next_spans(t, &used);

    if (got <= 0)
        return got < 0 ? err_in("%s:1", source_name(t->src)) : 0;
    t->guessed = !opt->header || !strcmp(opt->header, "auto");
    if (t->guessed)
        t->header = header_guess(&t->sheet, opt->wanted);
    else
        t->header = (struct header_guess){ !strcmp(opt->header, "yes"), true };
    return t->header.header ? read_header(t, used) : name_columns(t, NULL, t->spans.n);
}

/* JSON: names from the first object, which waits in t->members to be the first row. */
static int open_json(struct table *t)
{
    const struct view v = table_view(t, LOOK_AHEAD);

    sheet_read_json(&t->sheet, &v);
    const int got = table_next_object(t);

    if (got <= 0)
        return got < 0 ? err_in("%s:1", source_name(t->src)) : 0;
    for (int i = 0; i < t->members.n; i++)
        if (table_add_column(t, &t->members.v[i].key) < 0)
            return err_in("%s", source_name(t->src));
    t->waiting = true;
    return 0;
}

int table_look_ahead(struct table *t, bool lines)
{
    const size_t want = lines ? 3 : LOOK_AHEAD;

    while (!t->ended && t->ahead.n < want)
        if (table_more(t) < 0)
            return -1;
    if (filetype_refuse(t->ahead.p, t->ahead.n < want ? t->ahead.n : want) < 0)
        return err_in("%s", source_name(t->src));
    t->start = utf8_mark(t->ahead.p, t->ahead.n);
    if (!t->start)
        return 0;
    return t->encoding <= ENC_REPLACE
               ? 0
               : err_set(EXIT_DATA,
                         "%s: begins with the byte order mark of UTF-8; leave "
                         "--encoding out",
                         source_name(t->src));
}

/* What says how CSV is written says nothing about the other forms. */
static int refuse_csv_options(const struct table *t, const struct table_options *opt)
{
    const bool header = opt->header && strcmp(opt->header, "auto") != 0;

    if (!header && !opt->delimiter)
        return 0;
    return err_set(EXIT_USAGE, "%s: is neither CSV nor TSV; leave --%s out", source_name(t->src),
                   header ? "header" : "delimiter");
}

static int open_columns(struct table *t, const struct table_options *opt)
{
    static const struct cell text = { "text", 4, false }, label = { "label", 5, false };

    if (table_look_ahead(t, opt->lines) < 0)
        return -1;
    const struct view v = table_view(t, LOOK_AHEAD);

    t->form = opt->lines               ? FORM_LINES
              : source_classes(t->src) ? FORM_CLASSES
                                       : form_guess(source_name(t->src), &v);
    if (t->form != FORM_CSV && refuse_csv_options(t, opt) < 0)
        return -1;
    if (t->form == FORM_LINES)
        return table_add_column(t, &text);
    if (t->form != FORM_CSV && t->form != FORM_CLASSES)
        return open_json(t);
    if (v.n > 0 && memchr(v.p, 0, v.n))
        return err_set(EXIT_DATA,
                       "%s: has zero bytes, so it is no table of text; only zip, tar, gz and zst "
                       "are unpacked",
                       source_name(t->src));
    if (t->form == FORM_CLASSES)
        return table_add_column(t, &text) < 0 ? -1 : table_add_column(t, &label);
    return open_csv(t, opt);
}

int table_open(struct table **out, const char *path, const struct table_options *opt)
{
    struct table *t = xcalloc(1, sizeof *t);

    t->encoding = encoding_of(opt->encoding);
    buf_reserve(&t->ahead, 0); /* an empty table has a place to begin at, too */
    t->row = -1;
    t->classes_guessed = !opt->member;
    if (source_open(&t->src, path, opt->member, !opt->lines, opt->threads) < 0 ||
        open_columns(t, opt) < 0) {
        table_close(t);
        return -1;
    }
    *out = t;
    return 0;
}

void table_close(struct table *t)
{
    if (!t)
        return;
    source_close(t->src);
    for (int i = 0; i < t->n_columns; i++)
        free(t->name[i]);
    free(t->name);
    free(t->named);
    free(t->cells);
    free(t->spans.v);
    sheet_free(&t->sheet);
    members_free(&t->members);
    buf_free(&t->text);
    buf_free(&t->ahead);
    free(t);
}

/* ---- choosing columns ---- */

static int no_column(const struct table *t, const char *want, const char *what_to_do)
{
    struct buf list = BUF_INIT;

    for (int i = 0; i < t->n_columns && list.n < 200; i++)
        buf_printf(&list, "%s'%s'", i ? ", " : "", t->name[i]);
    (void)err_set(EXIT_DATA, "%s: has no column '%s'; it has %s%s", source_name(t->src), want,
                  list.n ? list.p : "none, the table is empty", what_to_do);
    buf_free(&list);
    return -1;
}

/* The column called NAME; -1: none, -2: two, and an error is set. */
static int column_called(const struct table *t, const char *name, bool any_case)
{
    int at = -1;

    for (int i = 0; i < t->n_columns; i++) {
        if (!t->named[i] ||
            (any_case ? strcasecmp(t->name[i], name) != 0 : strcmp(t->name[i], name) != 0))
            continue;
        if (at >= 0) {
            (void)err_set(EXIT_DATA,
                          "%s: column '%s' is there twice; choose one by its number, %d or %d",
                          source_name(t->src), name, at + 1, i + 1);
            return -2;
        }
        at = i;
    }
    return at;
}

static bool may_have_header(const struct table *t)
{
    return t->guessed && !t->header.header;
}

int table_find_column(const struct table *t, const char *want)
{
    const int at = column_called(t, want, false);
    char *end;

    if (at != -1)
        return at < 0 ? -1 : at;
    const long number = strtol(want, &end, 10);

    if (want[0] >= '1' && want[0] <= '9' && !*end && number <= t->n_columns)
        return (int)number - 1;
    return no_column(t, want,
                     may_have_header(t) ? "; say --header yes if the first row names them" : "");
}

/* A column without a name, or pandas' index, that nobody means when they mean a column. */
static bool is_aside(const struct table *t, int column)
{
    if (t->form != FORM_CSV)
        return false;
    if (t->named[column])
        return column == 0 && !strcmp(t->name[column], "Unnamed: 0");
    if (t->header.header)
        return true;
    return t->sheet.columns == t->n_columns && sheet_column(&t->sheet, column, 0).filled == 0;
}

/* The columns that are not aside, nor EXCEPT: the first two of them, and how many. */
static int main_columns(const struct table *t, int except, int column[2])
{
    int n = 0;

    for (int i = 0; i < t->n_columns; i++)
        if (i != except && !is_aside(t, i)) {
            if (n < 2)
                column[n] = i;
            n++;
        }
    return n;
}

int table_other_column(const struct table *t, int one, const char *name)
{
    int column[2];

    for (int i = 0; i < t->n_columns; i++)
        if (i != one && !strcasecmp(t->name[i], name))
            return i;
    return main_columns(t, one, column) == 1 ? column[0] : -1;
}

static struct label_guess guess_label(const struct table *t, const int column[2])
{
    const char *const name[2] = { t->name[column[0]], t->name[column[1]] };

    return label_guess(&t->sheet, name, column, t->header.header);
}

int table_guess_columns(struct table *t, int *text, int *label)
{
    int column[2];
    const int n = main_columns(t, -1, column);

    *text = column_called(t, "text", true);
    *label = column_called(t, "label", true);
    if (*text == -2 || *label == -2)
        return -1;
    if (*text >= 0)
        return 0;
    if (n == 1) {
        *text = column[0];
        *label = -1;
        t->label_unsure = t->n_columns > 1;
    } else if (n == 2) {
        const struct label_guess g = guess_label(t, column);

        t->label_unsure = *label < 0 && !g.sure;
        *label = *label >= 0 ? *label : column[g.column];
        *text = column[0] + column[1] - *label;
    } else {
        return no_column(t, "text",
                         may_have_header(t) ? ": name one with --text, or say --header yes if the "
                                              "first row names them"
                                            : ": name one with --text");
    }
    return 0;
}

bool table_is_plain(const struct table *t)
{
    if (t->form != FORM_CSV || !t->plain)
        return false;
    return t->n_columns > 1 || !t->header.header || !is_plain_name(t->name[0]);
}

/* ---- what was guessed ---- */

static void say_header(const struct table *t, const char *file)
{
    struct buf row = BUF_INIT, names = BUF_INIT;

    for (int c = 0; c < t->sheet.columns && row.n < 100; c++) {
        const struct cell *cell = &t->sheet.cell[c];

        buf_printf(&row, "%s'%.*s'", c ? ", " : "", cell->n < 100 ? (int)cell->n : 100, cell->p);
    }
    utf8_replace(&names, row.p, row.n);
    warn("%s: the first row, %s, is taken for %s; say --header yes if it names the columns, else "
         "--header no",
         file, names.p, t->header.header ? "the names of the columns" : "a row");
    buf_free(&names);
    buf_free(&row);
}

static void say_classes(const struct table *t)
{
    struct buf files = BUF_INIT;

    classes_describe(source_classes(t->src), &files);
    warn("%s: has no table; a line of these files is taken for a text, their names for the label: "
         "%s; say --member 'PATTERN' for others",
         source_name(t->src), files.p);
    buf_free(&files);
}

/* Whether the first row has a label that no other of the first rows has. */
static bool is_odd_label(const struct table *t, int label)
{
    if (label < 0 || t->header.header || t->sheet.rows < 2 || label >= t->sheet.columns)
        return false;
    return sheet_column(&t->sheet, label, 1).again == 0;
}

void table_say_guesses(struct table *t, int text, int label)
{
    const char *file = source_name(t->src);
    const char delimiter[2] = { t->dialect.delimiter, 0 };

    if (t->form == FORM_CSV && t->delimiter_tie)
        warn("%s: '%s' is taken for what divides the columns, and another would do; name it with "
             "--delimiter",
             file, *delimiter == '\t' ? "tab" : delimiter);
    if (t->guessed && t->sheet.columns > 0 && (!t->header.sure || is_odd_label(t, label)))
        say_header(t, file);
    if (t->form == FORM_CLASSES && t->classes_guessed)
        say_classes(t);
    if (t->label_unsure)
        warn(
            "%s: column '%s' is taken for the text and %s for the label; name them with --text and "
            "--label",
            file, t->name[text], label < 0 ? "none" : t->name[label]);
    sheet_free(&t->sheet);
}

/* ---- what it is ---- */

int table_columns(const struct table *t)
{
    return t->n_columns;
}

const char *table_column_name(const struct table *t, int i)
{
    return t->name[i];
}

bool table_column_is_named(const struct table *t, int i)
{
    return t->named[i];
}

int64_t table_row(const struct table *t)
{
    return t->row;
}

int64_t table_replaced_rows(const struct table *t)
{
    return t->replaced;
}

bool table_got_nothing(const struct table *t)
{
    return t->ended && t->ahead.n == 0 && source_is_pipe(t->src);
}

const char *table_name(const struct table *t)
{
    return source_name(t->src);
}

int table_digest(struct table *t, uint8_t out[SHA256_BYTES])
{
    return source_digest(t->src, out);
}
