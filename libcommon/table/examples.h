/*
 * examples.h - labelled texts to work on, from one of our streams or from a table, told apart by
 * their first bytes.
 *
 * A row becomes a record: id (its position in the table, from 0), text, label, and every column as
 * a text field of its own name; null becomes no field. A column without a name, or with one that
 * another column has too, or that means something else in a record ("id", "ids", "scores", ...), is
 * called by its number, and left out of the rows where it is empty and has no name. The field split
 * says train, eval or test, whatever the column calls them.
 */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include "cli.h"
#include "stream.h"
#include "table.h"

struct examples;

struct examples_options {
    struct table_options table;
    const char *auto_encoding; /* what the table's encoding auto stands for; NULL: utf-8 */
    const char *delimiter;     /* a character, "\\t" or "tab"; NULL: guessed */
    const char *text,
        *label;        /* columns by name or number; NULL: guessed; label "none": there is none */
    bool labelled;     /* every record must have a label, but for label "none" */
    bool may_be_lines; /* the tool has --lines, which a message may name */
};

/* The rows of a tool's option table that fill the struct examples_options IN. */
/* clang-format off */
#define EXAMPLES_CLI(in)                                                                               \
    { 0, "text", CLI_TEXT, &(in).text, .arg = "NAME|N",                                                \
      .help = "column of the text; guessed when there are two", .group = "Table" },                    \
    { 0, "label", CLI_TEXT, &(in).label, .arg = "NAME|N|none",                                         \
      .help = "column of the label; guessed when there are two" },                                     \
    { 0, "header", CLI_CHOICE, &(in).table.header, .arg = "yes|no|auto",                               \
      .help = "whether the first row names the columns" },                                             \
    { 0, "delimiter", CLI_TEXT, &(in).delimiter, .arg = "CHAR",                                        \
      .help = "what divides the columns, tab for one; guessed" },                                      \
    { 0, "encoding", CLI_CHOICE, &(in).table.encoding,                                                 \
      .arg = "auto|utf-8|utf-8:replace|latin-1|windows-1252", .help = "how bytes become text" },       \
    { 0, "member", CLI_TEXT, &(in).table.member, .arg = "NAME",                                        \
      .help = "the table inside an archive, or a pattern; guessed when there is one" }
#define EXAMPLES_TABLE_INIT { .encoding = "auto", .header = "auto" }
/* clang-format on */

/*
 * PATHS as for reader_open; a table is one path. Columns are guessed when the table has just one
 * (it is the text), or columns called text and label, or two: then the label is the one with the
 * fewer different values as far as can be seen; otherwise the error asks for --text and --label. A
 * stream has none of this to say: options for a table are EXIT_USAGE then, but --label none where
 * LABELLED, and the names that its fields have, text and label. PATHS and what OPT points to must
 * outlive E.
 */
MUST_USE int examples_open(struct examples **e, const char *const *paths,
                           const struct examples_options *opt, const struct cli_common *common);
/* 1 with *REC lent until the next call, 0 at the end, -1 on failure, naming file and row or record.
 */
MUST_USE int examples_next(struct examples *e, struct record **rec);
/* "news.csv:12", rows from 1, or "data.zst:4711", ids: where the last record came from, for
 * messages; lent until the next call. */
const char *examples_place(struct examples *e);
/* "news.csv", "archive.zip/news.csv", "a.zst, b.zst": all of the input, for messages. */
const char *examples_name(struct examples *e);
/* The stream that is read, for writer_open; NULL when it is a table. Lent until examples_close. */
const struct reader *examples_reader(const struct examples *e);
/* The table that is read; NULL when it is a stream. Lent until examples_close. */
const struct table *examples_table(const struct examples *e);
/* After the end: adds the table's digest to W, but of lines that --limit has cut off; a stream's is
 * there by itself. */
MUST_USE int examples_finish(struct examples *e, struct writer *w);
/* Sets "label 'x' is not one of a, b, c; WHAT_TO_DO". Returns -1, always. */
int label_refuse(const struct labels *known, const char *label, size_t n, const char *what_to_do);
void examples_close(struct examples *e); /* NULL is fine */

#endif
