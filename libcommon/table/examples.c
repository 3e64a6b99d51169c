#include "examples.h"

#include "filter.h"
#include "input.h"
#include "mem.h"
#include "split.h"
#include "stream.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of a record made from a row; the tools behind it add a dozen. */
enum { FIELDS_MAX = RECORD_FIELDS_MAX - 24 };

struct examples {
    struct reader *reader;
    struct table *table;   /* one of the two */
    struct filter *filter; /* of the table; a reader has its own */
    struct record *rec;    /* made from a row, or lent by the reader */
    int text, label;       /* columns, -1: none */
    char **field;          /* that each column becomes, NULL: none */
    int n_fields, split;   /* the column that is the split, -1: none */
    bool lines;
    bool labelled;
    bool blanks, again; /* it was warned of: a label with blanks around it, names in a row */
    const char *const *paths;
    struct buf place;
};

static bool is_unlabelled(const struct examples_options *opt)
{
    return opt->label && !strcmp(opt->label, "none");
}

static int refuse_plain(const struct examples_options *opt, const struct table *t)
{
    return err_set(EXIT_DATA,
                   "%s: is not divided by commas, semicolons, tabs or bars into rows of as many "
                   "fields; name the --delimiter%s",
                   table_name(t),
                   opt->may_be_lines ? ", say --lines if every line is a text, or --text 1" : "");
}

static int find_columns(struct examples *e, const struct examples_options *opt)
{
    struct table *t = e->table;
    const bool unlabelled = is_unlabelled(opt);
    const char *label = unlabelled ? NULL : opt->label;

    e->text = e->label = -1;
    if (table_columns(t) == 0 && table_got_nothing(t))
        return err_set(EXIT_NOINPUT, "%s: empty; see the error before", table_name(t));
    if (table_columns(t) == 0)
        return err_set(EXIT_DATA, "%s: is empty; a table has at least one row", table_name(t));
    if (table_is_plain(t) && !opt->text)
        return refuse_plain(opt, t);
    if (opt->text && (e->text = table_find_column(t, opt->text)) < 0)
        return -1;
    if (label && (e->label = table_find_column(t, label)) < 0)
        return -1;
    if (!opt->text && !label && table_guess_columns(t, &e->text, &e->label) < 0)
        return -1;
    if (e->text < 0)
        e->text = table_other_column(t, e->label, "text");
    else if (e->label < 0 && !unlabelled)
        e->label = table_other_column(t, e->text, "label");
    if (e->text < 0)
        return err_set(EXIT_DATA, "%s: has no column 'text'; name one with --text", table_name(t));
    if (e->labelled && e->label < 0)
        return err_set(EXIT_DATA,
                       "%s: has no column 'label'; name one with --label, or say --label none",
                       table_name(t));
    return e->text == e->label ? err_set(EXIT_USAGE, "--text and --label are the same column") : 0;
}

/* "tab" and "\t" are the tabulator, since a shell makes one hard to write. */
static int parse_delimiter(char *delimiter, const char *text)
{
    if (!strcmp(text, "tab") || !strcmp(text, "\\t"))
        text = "\t";
    if (strlen(text) != 1 || *text == '"' || *text == '\n' || *text == '\r' || *text == ' ' ||
        (unsigned char)*text >= 0x80)
        return err_set(EXIT_USAGE, "--delimiter '%s' is not one character, such as , ; | or tab",
                       text);
    *delimiter = *text;
    return 0;
}

/* A table of prompts and completions needs no labels. */
static bool has_answers(const struct table *t)
{
    bool has = false;

    for (int i = 0; i < table_columns(t); i++)
        has = has || !strcmp(table_column_name(t, i), "completion");
    return has;
}

static int open_table(struct examples *e, const char *const *paths,
                      const struct examples_options *opt, const struct cli_common *common)
{
    const char *path = paths && paths[0] ? paths[0] : "-";
    struct table_options table = opt->table;

    if (opt->auto_encoding && !strcmp(table.encoding, "auto"))
        table.encoding = opt->auto_encoding;
    table.threads = common->threads;
    table.wanted[0] = opt->text;
    table.wanted[1] = is_unlabelled(opt) ? NULL : opt->label;
    if (paths && paths[0] && paths[1])
        return err_set(EXIT_USAGE, "'%s' is a table, and only streams are read one after another",
                       path);
    if (opt->delimiter && parse_delimiter(&table.delimiter, opt->delimiter) < 0)
        return -1;
    if (table_open(&e->table, path, &table) < 0)
        return -1;
    e->filter = filter_new(common);
    e->rec = record_new();
    if (find_columns(e, opt) < 0)
        return -1;
    table_say_guesses(e->table, e->text, e->label);
    if (e->label < 0 && !opt->label && table_columns(e->table) > 1 && !has_answers(e->table))
        warn("%s: no column is called label, so no record gets one; name it with --label, or say "
             "--label none",
             table_name(e->table));
    return 0;
}

/* True where --WHICH names another column than that field of a stream. */
static bool is_other(const char *name, const char *which)
{
    return name && strcmp(name, which) != 0;
}

/* What says how a table is read says nothing about a stream, but for what its fields are called. */
static int refuse_options(const char *path, const struct examples_options *opt)
{
    const struct table_options *table = &opt->table;
    const bool none = opt->labelled && is_unlabelled(opt);
    const char *given = is_other(opt->text, "text")              ? "text"
                        : !none && is_other(opt->label, "label") ? "label"
                        : strcmp(table->header, "auto") != 0     ? "header"
                        : opt->delimiter                         ? "delimiter"
                        : strcmp(table->encoding, "auto") != 0   ? "encoding"
                        : table->member                          ? "member"
                                                                 : NULL;

    if (!given)
        return 0;
    return err_set(EXIT_USAGE, "%s: is a stream and no table; leave --%s out",
                   strcmp(path, "-") != 0 ? path : "standard input", given);
}

int examples_open(struct examples **out, const char *const *paths,
                  const struct examples_options *opt, const struct cli_common *common)
{
    struct examples *e = xcalloc(1, sizeof *e);
    const char *path = paths && paths[0] ? paths[0] : "-";
    int rc = opt->table.lines ? 0 : stream_is_at(path);

    e->labelled = opt->labelled && !is_unlabelled(opt);
    e->lines = opt->table.lines;
    e->paths = paths;
    e->split = -1;
    if (rc == 0)
        rc = open_table(e, paths, opt, common);
    else if (rc > 0 && (rc = refuse_options(path, opt)) == 0)
        rc = reader_open(&e->reader, paths, KIND_EXAMPLES, common);
    if (rc < 0)
        examples_close(e);
    else
        *out = e;
    return rc;
}

/* ---- fields ---- */

/* A name that means something else in a record, and mostly is no text there, or what a model says:
 * score would take a column called pred for that. */
static bool is_taken(const char *name)
{
    static const char *const taken[] = {
        "id",       "ids",        "label", "logits", "loss", "n_loss",
        "n_prompt", "output_ids", "pred",  "scores", "text",
    };

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i]))
            return true;
    return false;
}

/* Whether another column than COLUMN is called NAME in the table. */
static bool is_of_another(const struct table *t, const char *name, int column)
{
    for (int i = 0; i < table_columns(t); i++)
        if (i != column && table_column_is_named(t, i) && !strcmp(table_column_name(t, i), name))
            return true;
    return false;
}

/* A later column of JSON lines may be called as an earlier one was numbered. */
static bool is_field(const struct examples *e, const char *name)
{
    for (int i = 0; i < e->n_fields; i++)
        if (e->field[i] && !strcmp(e->field[i], name))
            return true;
    return false;
}

/* The field that COLUMN is besides text or label: called by its name, or by its number where the
 * name is none, is there twice, or is taken; a _ behind the number tells it from a column that has
 * this name. NULL: it is the text or label and says nothing more.
 */
static char *field_of(const struct examples *e, int column)
{
    const char *name = table_column_name(e->table, column);
    const bool chosen = column == e->text || column == e->label;
    const bool own = table_column_is_named(e->table, column) && !is_taken(name) &&
                     !is_of_another(e->table, name, column);
    struct buf number = BUF_INIT;

    if (chosen && !own)
        return NULL;
    if (own && !is_field(e, name))
        return xstrdup(name);
    buf_printf(&number, "%d", column + 1);
    while (is_of_another(e->table, number.p, column) || is_field(e, number.p))
        buf_printf(&number, "_");
    return number.p;
}

static void warn_of_field(const struct examples *e, int column, const char *field)
{
    const char *name = table_column_name(e->table, column);

    if (!table_column_is_named(e->table, column) || !is_taken(name) || !strcmp(name, "text") ||
        !strcmp(name, "label"))
        return;
    warn("%s: its column '%s' becomes field '%s'; %s", table_name(e->table), name, field,
         !strcmp(name, "id") ? "id is the row's position, from 0"
                             : "records have another use for it");
}

/* For the columns that came since. */
static void name_fields(struct examples *e)
{
    const int n = table_columns(e->table);

    e->field = xnrealloc(e->field, (size_t)n, sizeof *e->field);
    while (e->n_fields < n) {
        char *field = field_of(e, e->n_fields);

        if (e->split < 0 && field && !strcasecmp(field, "split"))
            e->split = e->n_fields;
        if (field)
            warn_of_field(e, e->n_fields, field);
        e->field[e->n_fields++] = field;
    }
}

static void set_text(struct examples *e, const char *key, const struct cell *c)
{
    record_set_text(e->rec, key, c->p, c->n);
}

static int take_text(struct examples *e, const struct cell *c)
{
    if (!c->p)
        return err_set(EXIT_DATA, "has no text; give it one or leave the row out");
    if (c->json)
        return err_set(EXIT_DATA, "text is a JSON %s; choose a column of texts with --text",
                       *c->p == '{' ? "object" : "array");
    set_text(e, "text", c);
    return 0;
}

/* An empty or absent label is no field. */
static int take_label(struct examples *e, const struct cell *c)
{
    if (c->n == 0)
        return e->labelled ? err_set(EXIT_DATA, "has no label; give it one or leave the row out")
                           : 0;
    if (c->json)
        return err_set(EXIT_DATA, "label is a JSON %s; choose another column with --label",
                       *c->p == '{' ? "object" : "array");
    if (!e->blanks && cell_trimmed(*c).n < c->n) {
        warn("%s: label '%s' has blanks around it, which make it another one than without",
             examples_place(e), c->p);
        e->blanks = true;
    }
    set_text(e, "label", c);
    return 0;
}

/* An empty one is no field. */
static int take_split(struct examples *e, const struct cell *c)
{
    const char *name = c->n > 0 ? split_of(c->p, c->n) : NULL;

    if (name)
        record_set_text(e->rec, "split", name, strlen(name));
    return c->n > 0 && !name ? -1 : 0;
}

static int take_cell(struct examples *e, const struct cell *c, int column)
{
    const char *field = e->field[column];

    if ((column == e->text && take_text(e, c) < 0) || (column == e->label && take_label(e, c) < 0))
        return -1;
    if (!field || !c->p || (c->n == 0 && !table_column_is_named(e->table, column)))
        return 0;
    if (column == e->split)
        return take_split(e, c);
    set_text(e, field, c);
    return 0;
}

/* Without the byte order mark that a file has in front, and blanks around it, C says NAME. */
static bool says_name(const struct cell *c, const char *name)
{
    const size_t mark = utf8_mark(c->p, c->n);
    const struct cell said = cell_trimmed((struct cell){ c->p + mark, c->n - mark, false });

    return text_is(said.p, said.n, name);
}

/* Whether a row says what the columns are called, as where files were joined with their heads. */
static bool is_names(const struct examples *e, const struct cell *cells)
{
    for (int i = 0; i < e->n_fields; i++)
        if (!table_column_is_named(e->table, i) || !cells[i].p ||
            !says_name(&cells[i], table_column_name(e->table, i)))
            return false;
    return e->n_fields > 1;
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
    if (e->n_fields < table_columns(e->table))
        name_fields(e);
    if (!e->again && is_names(e, cells)) {
        warn("%s: is the names of the columns once more; leave the row out", examples_place(e));
        e->again = true;
    }
    for (int i = 0; i < e->n_fields; i++)
        if (take_cell(e, &cells[i], i) < 0)
            return err_in("%s", examples_place(e));
    if (record_count(e->rec) > FIELDS_MAX)
        return err_set(EXIT_DATA, "%s: row has more than %d fields; leave columns out",
                       examples_place(e), FIELDS_MAX);
    return 1;
}

/* Lines have no end that must be seen, and may have none at all. */
static bool at_limit(const struct examples *e)
{
    return e->lines && filter_is_full(e->filter);
}

static int next_of_table(struct examples *e, struct record **rec)
{
    int got = 0, passes = 0;

    while (!at_limit(e) && (got = next_row(e)) > 0 &&
           (passes = filter_passes(e->filter, e->rec)) == 0)
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
    if (has > 0)
        has = record_name_split(e->rec) < 0 ? -1 : 1;
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
        table_place(e->table, &e->place);
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

    if (!e->table || at_limit(e)) /* what was not read has no digest */
        return 0;
    if (table_digest(e->table, digest) < 0)
        return -1;
    writer_input(w, "table", digest);
    return 0;
}

int label_refuse(const struct labels *known, const char *label, size_t n, const char *what_to_do)
{
    struct buf names = BUF_INIT;

    labels_list(known, &names);
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
    for (int i = 0; i < e->n_fields; i++)
        free(e->field[i]);
    free(e->field);
    buf_free(&e->place);
    free(e);
}
