/*
 * examples.h - labelled texts to work on, from one of our streams or from a table, told apart by
 * their first bytes.
 *
 * A row becomes a record: id (its position in the table, from 0), text, label, and every other
 * named column as a text field; null becomes no field. Another column called "id", "text" or "label"
 * is left out: the position is the id.
 */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include "stream.h"
#include "table.h"

struct examples;

struct examples_options {
    struct table_options table;
    const char *text, *label; /* columns by name or number; NULL: guessed */
    bool labelled;            /* every record must have a label */
};

/*
 * PATHS as for reader_open; a table is one path. Columns are guessed when the table has just one
 * (it is the text), or columns called text and label, or two: then the label is the one with the
 * fewer different values as far as can be seen. -1 asks for --text and --label otherwise.
 */
MUST_USE int examples_open(struct examples **e, const char *const *paths,
                           const struct examples_options *opt, const struct cli_common *common);
/* As reader_next. */
MUST_USE int examples_next(struct examples *e, struct record **rec);
/* "news.csv:12", rows from 1, or "data.zst:4711", ids: where the last record came from, for
 * messages. */
const char *examples_place(struct examples *e);
/* "news.csv", "archive.zip/news.csv", "a.zst, b.zst": all of the input, for messages. */
const char *examples_name(struct examples *e);
/* The stream behind it, for writer_open; NULL when it is a table. */
const struct reader *examples_reader(const struct examples *e);
/* The table behind it; NULL when it is a stream. */
const struct table *examples_table(const struct examples *e);
/* After the end: adds the table's digest to W; a stream's is there by itself. */
MUST_USE int examples_finish(struct examples *e, struct writer *w);
/* Sets "label 'x' is not one of a, b, c; WHAT_TO_DO". Returns -1, always. */
int label_refuse(const struct labels *known, const char *label, size_t n, const char *what_to_do);
void examples_close(struct examples *e); /* NULL is fine */

#endif
