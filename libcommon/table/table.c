#include "table.h"

#include "filetype.h"
#include "mem.h"
#include "source.h"
#include "table_rows.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_AHEAD = 1 << 16 }; /* bytes that guesses are made from */

struct table {
    struct source *src;
    enum form form;
    enum encoding encoding;
    char *p; /* bytes of the source that are not used up: p[start..end) */
    size_t start, end, cap;
    bool ended; /* nothing comes behind them */
    struct spans spans;
    struct members members;
    bool no_header;  /* as far as can be guessed */
    bool waiting;    /* the first object is in MEMBERS and was not given yet */
    struct buf text; /* decoded cells of the present row */
    char **name;     /* of the columns */
    struct cell *cells;
    int n_columns;
    int64_t row, replaced;
};

/* ---- bytes ---- */

/* Reads one block more behind what is there; 0 at the end of the source. */
static int more(struct table *t)
{
    const uint8_t *block;
    size_t n;

    if (t->ended)
        return 0;
    if (source_read(t->src, &block, &n) < 0)
        return -1;
    if (n == 0) {
        t->ended = true;
        return 0;
    }
    if (t->start > 0) {
        memmove(t->p, t->p + t->start, t->end - t->start);
        t->end -= t->start;
        t->start = 0;
    }
    if (t->end + n + 1 > t->cap) {
        t->cap = t->end + n + 1 > 2 * t->cap ? t->end + n + 1 : 2 * t->cap;
        t->p = xrealloc(t->p, t->cap);
    }
    memcpy(t->p + t->end, block, n);
    t->end += n;
    return 1;
}

static int fail_row(const struct table *t)
{
    return err_in("%s:%lld", source_name(t->src), (long long)t->row + 1);
}

/* More bytes for a row that is not whole yet: as many again, so that it is not scanned often. */
static int more_of_row(struct table *t)
{
    const size_t had = t->end - t->start;

    if (had > ROW_BYTES_MAX)
        return err_set(EXIT_DATA, "row is longer than %d bytes; is a quotation mark not closed?",
                       ROW_BYTES_MAX);
    do
        if (more(t) < 0)
            return -1;
    while (!t->ended && t->end - t->start < 2 * had);
    return 0;
}

static bool is_ascii(const char *p, size_t n)
{
    uint64_t eight, any = 0;
    size_t i = 0;

    for (; i + sizeof eight <= n; i += sizeof eight) {
        memcpy(&eight, p + i, sizeof eight);
        any |= eight;
    }
    for (; i < n; i++)
        any |= (unsigned char)p[i];
    return !(any & 0x8080808080808080u);
}

/* ---- rows ---- */

/* Bytes of the line that begins at t->start without its end, 0-terminated over it; *USED with it.
 * 1, 0 at the end of the table, -1 on failure. */
static int next_line(struct table *t, struct cell *line, size_t *used)
{
    for (;;) {
        char *const p = t->p + t->start;
        const size_t n = t->end - t->start;
        char *const nl = n ? memchr(p, '\n', n) : NULL;

        if (!nl && !t->ended) {
            if (more_of_row(t) < 0)
                return -1;
            continue;
        }
        if (!n)
            return 0;
        size_t len = nl ? (size_t)(nl - p) : n;

        *used = nl ? len + 1 : len;
        if (len > 0 && p[len - 1] == '\r')
            len--;
        p[len] = 0;
        *line = (struct cell){ p, len };
        return 1;
    }
}

/* The spans of the row at t->start; as next_line. Rows without any character are passed over. */
static int next_spans(struct table *t, size_t *used)
{
    for (;;) {
        const size_t n = t->end - t->start;
        const int got = n ? csv_scan(&t->spans, t->p + t->start, n, t->ended,
                                     t->form == FORM_TSV ? '\t' : ',', t->form == FORM_CSV, used)
                          : 0;

        if (got < 0 || (!n && t->ended))
            return got;
        if (!got) {
            if (more_of_row(t) < 0)
                return -1;
        } else if (t->spans.n == 1 && t->spans.v[0].n == 0 && t->spans.v[0].at == 0) {
            t->start += *used;
        } else {
            return 1;
        }
    }
}

/* Takes the present spans as cells, N of them, out of the buffer. */
static void take_cells(struct table *t, struct cell *cells, size_t used)
{
    char *const p = t->p + t->start;

    for (int i = 0; i < t->spans.n; i++)
        cells[i] = csv_cell(p, &t->spans.v[i]);
    t->start += used;
}

/* Makes UTF-8 of the N cells of the row of BYTES at ROW. */
static int decode_cells(struct table *t, struct cell *cells, int n, const char *row, size_t bytes)
{
    int replaced = 0;

    if (is_ascii(row, bytes))
        return 0;
    buf_clear(&t->text);
    buf_reserve(&t->text, 3 * bytes + (size_t)n);
    for (int i = 0; i < n; i++) {
        const int got = cell_decode(&cells[i], t->encoding, &t->text);

        if (got < 0 && t->form == FORM_LINES)
            return err_set(EXIT_DATA, "byte %zu of the line is not valid UTF-8; convert the file",
                           utf8_valid(row, bytes));
        if (got < 0)
            return -1;
        replaced |= got;
    }
    t->replaced += replaced;
    return 0;
}

static int next_csv(struct table *t)
{
    size_t used;
    const int got = next_spans(t, &used);

    if (got <= 0)
        return got;
    if (t->spans.n != t->n_columns)
        return err_set(EXIT_DATA,
                       "row has %d field%s where %d are expected; put fields with %s "
                       "into quotation marks",
                       t->spans.n, t->spans.n == 1 ? "" : "s", t->n_columns,
                       t->form == FORM_TSV ? "tabs" : "commas");
    const char *row = t->p + t->start;

    if (memchr(row, 0, used))
        return err_set(EXIT_DATA, "row has a zero byte; is this a table?");
    take_cells(t, t->cells, used);
    return decode_cells(t, t->cells, t->n_columns, row, used) < 0 ? -1 : 1;
}

/* The next line as text, decoded. */
static int next_text(struct table *t, struct cell *line)
{
    size_t used;
    const int got = next_line(t, line, &used);

    if (got <= 0)
        return got;
    t->start += used;
    return decode_cells(t, line, 1, line->p, line->n) < 0 ? -1 : 1;
}

static bool is_blank(const struct cell *c)
{
    return strspn(c->p, " \t\r") == c->n;
}

static int next_object(struct table *t)
{
    struct cell line;
    int got;

    do
        got = next_text(t, &line);
    while (got > 0 && is_blank(&line));
    if (got > 0 && jsonl_members(&t->members, line.p, line.n) < 0)
        return -1;
    return got;
}

static bool is_called(const struct table *t, int column, const struct cell *name)
{
    return strlen(t->name[column]) == name->n && !memcmp(t->name[column], name->p, name->n);
}

/* Index of the column called NAME; HINT is where it is when the keys come in their usual order. */
static int column_of(const struct table *t, const struct cell *name, int hint)
{
    if (hint < t->n_columns && is_called(t, hint, name))
        return hint;
    for (int i = 0; i < t->n_columns; i++)
        if (is_called(t, i, name))
            return i;
    return -1;
}

static int name_column(struct table *t, const struct cell *name)
{
    if (memchr(name->p, 0, name->n))
        return err_set(EXIT_DATA, "name of column %d has a zero byte", t->n_columns + 1);
    if (column_of(t, name, 0) >= 0)
        return err_set(EXIT_DATA, "column '%s' is there twice; rename one%s", name->p,
                       t->form == FORM_JSONL ? "" : ", or say --header no");
    t->name[t->n_columns++] = xstrndup(name->p, name->n);
    return 0;
}

/* One column more, for a key that no object before had; its index. */
static int add_column(struct table *t, const struct cell *name)
{
    const size_t n = (size_t)t->n_columns + 1;

    if (n > COLUMNS_MAX)
        return err_set(EXIT_DATA, "there are more than %d different keys; is it a table?",
                       COLUMNS_MAX);
    t->name = xnrealloc(t->name, n, sizeof *t->name);
    t->cells = xnrealloc(t->cells, n, sizeof *t->cells);
    return name_column(t, name) < 0 ? -1 : t->n_columns - 1;
}

static int next_jsonl(struct table *t)
{
    const int got = t->waiting ? 1 : next_object(t);

    t->waiting = false;
    if (got <= 0)
        return got;
    for (int i = 0; i < t->n_columns; i++)
        t->cells[i] = (struct cell){ NULL, 0 };
    for (int i = 0; i < t->members.n; i++) {
        const struct member *m = &t->members.v[i];
        int at = column_of(t, &m->key, i);

        if (at < 0 && (at = add_column(t, &m->key)) < 0)
            return -1;
        t->cells[at] = m->value;
    }
    return 1;
}

int table_next(struct table *t, const struct cell **cells)
{
    int got;

    t->row++;
    if (t->form == FORM_LINES)
        got = next_text(t, t->cells);
    else
        got = t->form == FORM_JSONL ? next_jsonl(t) : next_csv(t);
    if (got < 0)
        return fail_row(t);
    *cells = t->cells;
    return got;
}

/* ---- opening ---- */

static void make_columns(struct table *t, int n)
{
    t->name = xcalloc((size_t)n, sizeof *t->name);
    t->cells = xcalloc((size_t)n, sizeof *t->cells);
}

static struct view present(const struct table *t)
{
    return (struct view){ t->p + t->start, t->end - t->start, t->ended };
}

/* Names from the row of the present spans, which is used up. */
static int read_header(struct table *t, size_t used)
{
    const char *row = t->p + t->start;
    const int n = t->spans.n;

    take_cells(t, t->cells, used);
    if (decode_cells(t, t->cells, n, row, used) < 0)
        return err_in("%s: names of the columns", source_name(t->src));
    for (int i = 0; i < n; i++)
        if (name_column(t, &t->cells[i]) < 0)
            return err_in("%s", source_name(t->src));
    return 0;
}

static int open_csv(struct table *t, const char *header, const char *const wanted[2])
{
    size_t used;
    const int got = next_spans(t, &used);
    const struct view v = present(t);

    if (got <= 0)
        return got < 0 ? err_in("%s:1", source_name(t->src)) : 0;
    make_columns(t, t->spans.n);
    t->no_header = !strcmp(header, "auto") && !header_guess(t->form, &v, wanted);
    if (!t->no_header && strcmp(header, "no") != 0)
        return read_header(t, used);
    for (int i = 0; i < t->spans.n; i++) {
        char number[16];

        (void)snprintf(number, sizeof number, "%d", i + 1);
        t->name[t->n_columns++] = xstrdup(number);
    }
    return 0;
}

/* JSONL: names from the first object, which waits in t->members to be the first row. */
static int open_jsonl(struct table *t)
{
    const int got = next_object(t);
    int rc = 0;

    if (got <= 0)
        return got < 0 ? err_in("%s:1", source_name(t->src)) : 0;
    make_columns(t, t->members.n);
    for (int i = 0; rc == 0 && i < t->members.n; i++)
        rc = name_column(t, &t->members.v[i].key);
    t->waiting = true;
    return rc < 0 ? err_in("%s", source_name(t->src)) : 0;
}

/* Looks ahead, and passes over a byte order mark. LINES may be any text, also that of a web page:
 * three bytes tell what is none. */
static int look_ahead(struct table *t, bool lines)
{
    const size_t want = lines ? 3 : LOOK_AHEAD;

    while (!t->ended && t->end < want)
        if (more(t) < 0)
            return -1;
    if (filetype_refuse(t->p, t->end < want ? t->end : want) < 0)
        return err_in("%s", source_name(t->src));
    if (t->encoding <= ENC_REPLACE && t->end >= 3 && !memcmp(t->p, "\xef\xbb\xbf", 3))
        t->start = 3;
    return 0;
}

static int open_columns(struct table *t, const struct table_options *opt)
{
    if (look_ahead(t, opt->lines) < 0)
        return -1;
    const struct view v = present(t);

    t->form = opt->lines ? FORM_LINES : form_guess(source_name(t->src), &v);
    if (t->form == FORM_JSONL)
        return open_jsonl(t);
    if (t->form != FORM_LINES && v.n > 0 && memchr(v.p, 0, v.n))
        return err_set(EXIT_DATA,
                       "%s: has zero bytes, so it is no table of text; only zip, tar, gz and zst "
                       "are unpacked",
                       source_name(t->src));
    if (t->form != FORM_LINES)
        return open_csv(t, opt->header ? opt->header : "auto", opt->wanted);
    make_columns(t, 1);
    t->name[t->n_columns++] = xstrdup("text");
    return 0;
}

int table_open(struct table **out, const char *path, const struct table_options *opt)
{
    struct table *t = xcalloc(1, sizeof *t);

    t->encoding = encoding_of(opt->encoding);
    t->p = xmalloc(1);
    t->cap = 1;
    t->row = -1;
    if (source_open(&t->src, path, opt->member, opt->threads) < 0 || open_columns(t, opt) < 0) {
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
    free(t->cells);
    free(t->spans.v);
    members_free(&t->members);
    buf_free(&t->text);
    free(t->p);
    free(t);
}

int table_columns(const struct table *t)
{
    return t->n_columns;
}

const char *table_column_name(const struct table *t, int i)
{
    return t->name[i];
}

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

int table_find_column(const struct table *t, const char *want)
{
    char *end;

    for (int i = 0; i < t->n_columns; i++)
        if (!strcmp(t->name[i], want))
            return i;
    const long number = strtol(want, &end, 10);

    if (want[0] >= '1' && want[0] <= '9' && !*end && number <= t->n_columns)
        return (int)number - 1;
    return no_column(t, want, t->no_header ? "; say --header yes if the first row names them" : "");
}

int table_guess_columns(struct table *t, int *text, int *label)
{
    const struct view v = present(t);
    const struct cell names[2] = { { "text", 4 }, { "label", 5 } };

    *text = column_of(t, &names[0], 0);
    *label = column_of(t, &names[1], 1);
    if (*text >= 0)
        return 0;
    if (t->n_columns == 1) {
        *text = 0;
        *label = -1;
    } else if (t->n_columns == 2) {
        *label = *label >= 0 ? *label : label_guess(t->form, &v);
        *text = 1 - *label;
    } else if (t->n_columns > 2) {
        return no_column(t, "text",
                         t->no_header ? ": name one with --text, or say --header yes if the "
                                        "first row names them"
                                      : ": name one with --text");
    }
    return 0;
}

int64_t table_row(const struct table *t)
{
    return t->row;
}

int64_t table_replaced_rows(const struct table *t)
{
    return t->replaced;
}

const char *table_name(const struct table *t)
{
    return source_name(t->src);
}

int table_digest(struct table *t, uint8_t out[SHA256_BYTES])
{
    return source_digest(t->src, out);
}
