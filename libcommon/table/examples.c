#include "examples.h"

#include "filter.h"
#include "input.h"
#include "mem.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* Of a record made from a row; the tools behind it add a dozen. */
enum { FIELDS_MAX = RECORD_FIELDS_MAX - 24 };

struct examples {
    struct reader *reader;
    struct table *table;   /* one of the two */
    struct filter *filter; /* of the table; a reader has its own */
    struct record *rec;    /* made from a row, or lent by the reader */
    int text, label;       /* columns, -1: none */
    bool labelled;
    const char *const *paths;
    struct buf place;
};

static int column_named(const struct table *t, const char *name)
{
    for (int i = 0; i < table_columns(t); i++)
        if (!strcmp(table_column_name(t, i), name))
            return i;
    return -1;
}

/* The column that was not named when ONE was: the other of two, or the one called NAME. */
static int other_column(const struct table *t, int one, const char *name)
{
    return table_columns(t) == 2 ? 1 - one : column_named(t, name);
}

static int find_columns(struct examples *e, const struct examples_options *opt)
{
    struct table *t = e->table;

    e->text = e->label = -1;
    if (table_columns(t) == 0)
        return err_set(EXIT_DATA, "%s: is empty; a table has at least one row", table_name(t));
    if (opt->text && (e->text = table_find_column(t, opt->text)) < 0)
        return -1;
    if (opt->label && (e->label = table_find_column(t, opt->label)) < 0)
        return -1;
    if (!opt->text && !opt->label && table_guess_columns(t, &e->text, &e->label) < 0)
        return -1;
    if (e->text < 0)
        e->text = other_column(t, e->label, "text");
    else if (e->label < 0)
        e->label = other_column(t, e->text, "label");
    if (e->text < 0)
        return err_set(EXIT_DATA, "%s: has no column 'text'; name one with --text", table_name(t));
    if (opt->labelled && e->label < 0)
        return err_set(EXIT_DATA, "%s: has no column 'label'; name one with --label",
                       table_name(t));
    return e->text == e->label ? err_set(EXIT_USAGE, "--text and --label are the same column") : 0;
}

static int open_table(struct examples *e, const char *const *paths,
                      const struct examples_options *opt, const struct cli_common *common)
{
    const char *path = paths && paths[0] ? paths[0] : "-";
    struct table_options table = opt->table;

    table.threads = common->threads;
    table.wanted[0] = opt->text;
    table.wanted[1] = opt->label;
    if (paths && paths[0] && paths[1])
        return err_set(EXIT_USAGE, "'%s' is a table, and only streams are read one after another",
                       path);
    if (table_open(&e->table, path, &table) < 0)
        return -1;
    e->filter = filter_new(common);
    e->rec = record_new();
    return find_columns(e, opt);
}

int examples_open(struct examples **out, const char *const *paths,
                  const struct examples_options *opt, const struct cli_common *common)
{
    struct examples *e = xcalloc(1, sizeof *e);
    int rc = opt->table.lines ? 0 : stream_is_at(paths && paths[0] ? paths[0] : "-");

    e->labelled = opt->labelled;
    e->paths = paths;
    if (rc == 0)
        rc = open_table(e, paths, opt, common);
    else if (rc > 0)
        rc = reader_open(&e->reader, paths, KIND_EXAMPLES, common);
    if (rc < 0)
        examples_close(e);
    else
        *out = e;
    return rc;
}

/* Whether a column that is neither the text nor the label passes on. */
static bool passes_on(const char *name)
{
    return *name && strcmp(name, "id") != 0 && strcmp(name, "text") != 0 &&
           strcmp(name, "label") != 0;
}

/* Field KEY from a cell; an empty or absent label is no field. */
static int take_cell(struct examples *e, const struct cell *c, int column)
{
    const bool text = column == e->text, label = column == e->label;
    const char *key = text ? "text" : label ? "label" : table_column_name(e->table, column);

    if (text && !c->p)
        return err_set(EXIT_DATA, "has no text; give it one or leave the row out");
    if (label && c->n == 0)
        return e->labelled ? err_set(EXIT_DATA, "has no label; give it one or leave the row out")
                           : 0;
    if (!c->p || (!text && !label && !passes_on(key)))
        return 0;
    record_set_text(e->rec, key, c->p, c->n);
    return 0;
}

/* 1 with the next row in e->rec, 0 at the end. */
static int next_row(struct examples *e)
{
    const struct cell *cells;
    const int got = table_next(e->table, &cells);

    if (got <= 0)
        return got;
    record_clear(e->rec);
    record_set_uint(e->rec, "id", (uint64_t)table_row(e->table));
    for (int i = 0; i < table_columns(e->table); i++)
        if (take_cell(e, &cells[i], i) < 0)
            return err_in("%s", examples_place(e));
    if (record_count(e->rec) > FIELDS_MAX)
        return err_set(EXIT_DATA, "%s: row has more than %d fields; leave columns out",
                       examples_place(e), FIELDS_MAX);
    return 1;
}

static int next_of_table(struct examples *e, struct record **rec)
{
    int got, passes = 0;

    while ((got = next_row(e)) > 0 && (passes = filter_passes(e->filter, e->rec)) == 0)
        continue;
    if (got > 0 && passes < 0)
        return err_in("%s", examples_place(e));
    if (got == 0)
        filter_finish(e->filter);
    *rec = e->rec;
    return got;
}

static int next_of_stream(struct examples *e, struct record **rec)
{
    const char *bytes;
    size_t n;
    const int got = reader_next(e->reader, rec);

    if (got <= 0)
        return got;
    e->rec = *rec;
    int has = record_get_text(e->rec, "text", &bytes, &n);

    if (has == 0)
        has = err_set(EXIT_DATA, "has no field 'text'");
    if (has > 0 && e->labelled && (has = record_get_text(e->rec, "label", &bytes, &n)) == 0)
        has = err_set(EXIT_DATA, "has no field 'label'");
    return has < 0 ? err_in("%s", examples_place(e)) : 1;
}

int examples_next(struct examples *e, struct record **rec)
{
    return e->table ? next_of_table(e, rec) : next_of_stream(e, rec);
}

const char *examples_place(struct examples *e)
{
    buf_clear(&e->place);
    if (e->table)
        buf_printf(&e->place, "%s:%lld", table_name(e->table), (long long)table_row(e->table) + 1);
    else
        buf_printf(&e->place, "%s:%s", reader_name(e->reader), record_name(e->rec));
    return e->place.p;
}

const char *examples_name(struct examples *e)
{
    if (e->table)
        return table_name(e->table);
    if (!e->paths || !e->paths[0] || !e->paths[1])
        return reader_name(e->reader);
    buf_clear(&e->place);
    for (const char *const *path = e->paths; *path; path++)
        buf_printf(&e->place, "%s%s", path == e->paths ? "" : ", ", *path);
    return e->place.p;
}

const struct reader *examples_reader(const struct examples *e)
{
    return e->reader;
}

const struct table *examples_table(const struct examples *e)
{
    return e->table;
}

int examples_finish(struct examples *e, struct writer *w)
{
    uint8_t digest[SHA256_BYTES];

    if (!e->table)
        return 0;
    if (table_digest(e->table, digest) < 0)
        return -1;
    writer_input(w, "table", digest);
    return 0;
}

int label_refuse(const struct labels *known, const char *label, size_t n, const char *what_to_do)
{
    struct buf names = BUF_INIT;

    for (int i = 0; i < known->n && names.n < 200; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", known->name[i]);
    (void)err_set(EXIT_DATA, "label '%.*s' is not one of %s; %s", (int)n, label, names.p,
                  what_to_do);
    buf_free(&names);
    return -1;
}

void examples_close(struct examples *e)
{
    if (!e)
        return;
    reader_close(e->reader);
    if (!e->reader)
        record_free(e->rec);
    table_close(e->table);
    filter_free(e->filter);
    buf_free(&e->place);
    free(e);
}
