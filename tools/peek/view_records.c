#include "json.h"
#include "show.h"
#include "utf8.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *first_path(const struct peek *p)
{
    return p->paths[0] ? p->paths[0] : "-";
}

struct progress *progress_of(const struct peek *p)
{
    const bool busy = !strcmp(p->common.output, "-") && isatty(STDOUT_FILENO);

    return busy && strcmp(p->common.progress, "json") != 0
               ? NULL
               : progress_open(&p->common, "records", -1);
}

int write_text(const struct peek *p, const char *text, size_t n)
{
    struct buf shown = BUF_INIT;

    if (p->to_terminal)
        utf8_show(&shown, text, n);
    const int rc = p->to_terminal ? outfile_write(p->out, shown.p ? shown.p : "", shown.n)
                                  : outfile_write(p->out, text, n);

    buf_free(&shown);
    return rc;
}

static int write_line(const struct peek *p, const struct buf *line)
{
    return line->n ? write_text(p, line->p, line->n) : 0;
}

/* {"": {...}}: a record has no field without a name, so this line is none. */
static int write_header(const struct peek *p, const struct reader *r)
{
    struct buf header = BUF_INIT, line = BUF_INIT;

    reader_put_header(r, &header);
    buf_puts(&line, "{\"\": ");
    show_item(&line, (const uint8_t *)header.p, header.n);
    buf_puts(&line, "}\n");
    const int rc = write_line(p, &line);

    buf_free(&header);
    buf_free(&line);
    return rc;
}

int for_each_record(const struct peek *p,
                    int (*each)(void *self, struct record *rec, struct buf *line), void *self)
{
    struct reader *r;
    struct record *rec;
    struct buf line = BUF_INIT;
    int64_t done = 0;

    if (reader_open(&r, p->paths, KIND_ANY, &p->common) < 0)
        return -1;
    int rc = p->tokenizer ? reader_check_tokenizer(r, p->tokenizer) : 0;

    if (rc == 0 && p->with_header)
        rc = write_header(p, r);
    struct progress *progress = progress_of(p);

    while (rc >= 0 && (rc = reader_next(r, &rec)) > 0) {
        buf_clear(&line);
        rc = each(self, rec, &line);
        if (rc < 0)
            err_in("%s:%s", reader_name(r), record_name(rec));
        else
            rc = write_line(p, &line);
        if (rc < 0)
            break;
        progress_to(progress, ++done);
    }
    progress_close(progress);
    buf_free(&line);
    reader_close(r);
    return rc;
}

/* ---- JSON lines, a count ---- */

static int put_json(void *self, struct record *rec, struct buf *line)
{
    (void)self;
    show_record(line, rec);
    buf_putc(line, '\n');
    return 0;
}

int view_jsonl(const struct peek *p)
{
    return for_each_record(p, put_json, NULL);
}

static int add_one(void *self, struct record *rec, struct buf *line)
{
    (void)rec;
    (void)line;
    ++*(int64_t *)self;
    return 0;
}

int view_count(const struct peek *p)
{
    struct buf line = BUF_INIT;
    int64_t n = 0;

    if (for_each_record(p, add_one, &n) < 0)
        return -1;
    buf_printf(&line, "%lld\n", (long long)n);
    const int rc = write_line(p, &line);

    buf_free(&line);
    return rc;
}

/* ---- one field as text ---- */

struct field_text {
    const char *name;
    bool any, found; /* there were records; one had the field */
};

static int put_text(void *self, struct record *rec, struct buf *line)
{
    struct field_text *t = self;
    const struct field *f = record_find(rec, t->name);

    t->any = true;
    t->found |= f != NULL;
    if (f && f->type == ITEM_TEXT)
        buf_add(line, f->data, f->n);
    else if (f)
        show_field(line, f);
    buf_putc(line, '\n');
    return 0;
}

int view_text(const struct peek *p)
{
    struct field_text t = { .name = p->text };

    if (for_each_record(p, put_text, &t) < 0)
        return -1;
    return t.any && !t.found
               ? err_set(EXIT_DATA, "%s: no record has a field '%s'; --jsonl shows what there is",
                         first_path(p), p->text)
               : 0;
}

/* ---- columns ---- */

struct columns {
    char **name;
    bool *found; /* a record had the field */
    bool any;    /* there were records */
    int n;
    const char *option; /* that asked for them */
    char separator;
};

/* Whether a reader of tables could take the value for something else: it holds a separator, a line
 * end or a quotation mark, has blanks at its ends, or is all there is on the line and empty. */
static bool needs_quotes(const struct columns *c, const char *value, size_t n)
{
    if (n == 0)
        return c->n == 1;
    for (size_t i = 0; i < n; i++)
        if (value[i] == c->separator || strchr("\"\r\n", value[i]))
            return true;
    return strchr(" \t", value[0]) || strchr(" \t", value[n - 1]);
}

/*
 * RFC 4180, with a tab for the comma in TSV: quotation marks around what needs them, doubled
 * inside; a backslash is a backslash. Python's csv module, pandas and spreadsheets read TSV so;
 * they would not read \t and \n, and a reader that does turns the C:\new of another file into two
 * lines.
 */
static int put_value(const struct columns *c, struct buf *line, const char *value, size_t n)
{
    if (memchr(value, 0, n))
        return err_set(EXIT_DATA, "holds U+0000, which no table can; use --jsonl");
    if (!needs_quotes(c, value, n)) {
        buf_add(line, value, n);
        return 0;
    }
    buf_putc(line, '"');
    for (size_t i = 0; i < n; i++) {
        if (value[i] == '"')
            buf_putc(line, '"');
        buf_putc(line, value[i]);
    }
    buf_putc(line, '"');
    return 0;
}

static int put_row(void *self, struct record *rec, struct buf *line)
{
    struct columns *c = self;
    struct buf value = BUF_INIT;
    int rc = 0;

    c->any = true;
    for (int i = 0; rc == 0 && i < c->n; i++) {
        const struct field *f = record_find(rec, c->name[i]);

        c->found[i] |= f != NULL;
        buf_clear(&value);
        if (f && f->type == ITEM_TEXT)
            buf_add(&value, f->data, f->n);
        else if (f)
            show_field(&value, f);
        if (i)
            buf_putc(line, c->separator);
        rc = put_value(c, line, value.p ? value.p : "", value.n);
        if (rc < 0)
            (void)err_in("field '%s'", c->name[i]);
    }
    buf_putc(line, '\n');
    buf_free(&value);
    return rc;
}

static void columns_free(struct columns *c)
{
    for (int i = 0; i < c->n; i++)
        free(c->name[i]);
    free(c->name);
    free(c->found);
}

/* An empty column may be what was wanted, or a name that was mistyped. */
static void warn_of_empty(const struct columns *c)
{
    for (int i = 0; c->any && i < c->n; i++)
        if (!c->found[i])
            warn("%s: no record has a field '%s'; --jsonl shows what there is", c->option,
                 c->name[i]);
}

static int columns_of(struct columns *c, const char *list)
{
    for (;;) {
        const size_t n = strcspn(list, ",");

        if (!n)
            return err_set(EXIT_USAGE, "a field name is empty; write %s id,text", c->option);
        c->name = xnrealloc(c->name, (size_t)c->n + 1, sizeof *c->name);
        c->name[c->n++] = xstrndup(list, n);
        if (!list[n])
            return 0;
        list += n + 1;
    }
}

static int view_columns(const struct peek *p, struct columns *c, const char *list)
{
    struct buf line = BUF_INIT;
    int rc = columns_of(c, list);

    for (int i = 0; !rc && i < c->n; i++) {
        if (i)
            buf_putc(&line, c->separator);
        rc = put_value(c, &line, c->name[i], strlen(c->name[i]));
    }
    buf_putc(&line, '\n');
    c->found = xcalloc((size_t)c->n + 1, sizeof *c->found);
    if (!rc)
        rc = write_line(p, &line);
    if (!rc)
        rc = for_each_record(p, put_row, c);
    if (!rc)
        warn_of_empty(c);
    buf_free(&line);
    columns_free(c);
    return rc;
}

int view_tsv(const struct peek *p)
{
    struct columns c = { .option = "--tsv", .separator = '\t' };

    return view_columns(p, &c, p->tsv);
}

int view_csv(const struct peek *p)
{
    struct columns c = { .option = "--csv", .separator = ',' };

    return view_columns(p, &c, p->csv);
}
