/*
 * table.h - rows from CSV, TSV, JSONL or plain lines, bare or inside zip, tar, gz or zst.
 *
 * Text is decoded to UTF-8 by the rule that was asked for; a byte that does not fit is an error
 * naming the row, except under utf-8:replace, which puts U+FFFD as Python's decoder does (one per
 * maximal invalid piece). CSV is RFC 4180 with any of , ; tab and | for the comma. A row ends with
 * LF, CRLF, CR or CR CR LF where that is not in quotation marks. In TSV, quotation marks are
 * characters where the rows do not fit with them as marks. JSON is one object a line, or one array
 * of objects. Which of these it is says the content, and the name where that leaves a doubt.
 */
#ifndef TABLE_H
#define TABLE_H

#include "err.h"
#include "mem.h"
#include "sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table_options {
    const char *encoding;  /* auto|utf-8|utf-8:replace|latin-1|windows-1252; NULL: auto */
    const char *member;    /* file inside an archive; NULL: the only table there is */
    const char *header;    /* yes|no|auto; NULL: auto */
    char delimiter;        /* 0: guessed */
    const char *wanted[2]; /* columns that will be looked for, which tells auto more; NULL: none */
    int64_t threads;       /* 1: none besides the caller's; 0: as many as the machine has */
    bool lines;            /* every line is one row with the single column "text" */
};

struct cell { /* one value of a row; 0-terminated as well */
    const char *p;
    size_t n;
    bool json; /* it is the text of a JSON array or object */
};
/* C without the blanks and tabs around it. */
struct cell cell_trimmed(struct cell c);

/* Opens PATH ("-": standard input) and reads its beginning, which guesses are made from. Texts of
 * OPT are not kept. Errors are those of source.h; EXIT_DATA also when what was read is no row,
 * EXIT_USAGE when DELIMITER or HEADER is given for what is no CSV. */
MUST_USE int table_open(struct table **t, const char *path, const struct table_options *opt);
void table_close(struct table *t); /* NULL is fine */
/* Columns: from the header row, from the keys of the JSON objects so far (the first one's after
 * table_open, and table_next adds what is new), or "1", "2", ..., which is also what a column is
 * called that has no name in the header; 0 of them when the table is empty. With header auto the
 * first row is a header when a WANTED column that is no number stands in it, or when its fields
 * could be names and more speaks for it: usual names ("text", "label", ...), numbers or longer
 * texts below, a label that does not come again. */
int table_columns(const struct table *t);
const char *table_column_name(const struct table *t, int i);
bool table_column_is_named(const struct table *t, int i);
/* Index of a column given by name, or by number from 1; -1 and an error that lists the names, or
 * says that two have this one. */
MUST_USE int table_find_column(const struct table *t, const char *name_or_number);
/* Which column is the text and which its label, -1: none. One column is the text; columns called
 * text and label are; of two, the label has the name of one, else the fewer different values as far
 * as can be seen, else the shorter ones. Columns without a name and "Unnamed: 0" do not count. -1
 * and an error where that does not say it. Before the first table_next. */
MUST_USE int table_guess_columns(struct table *t, int *text, int *label);
/* The column that goes with ONE: the first other one called NAME, in letters of either case, else
 * the only other, counted the same way; -1 when there are more, or none. */
int table_other_column(const struct table *t, int one, const char *name);
/* No delimiter was found that divides the rows, nor a header over the only column: this may be
 * plain text, or a table that is written in an unknown way. */
bool table_is_plain(const struct table *t);
/* Warns of what was guessed and may be wrong, and which option says it. TEXT and LABEL as they were
 * chosen, -1: none. Once, before the first table_next. */
void table_say_guesses(struct table *t, int text, int label);
/* 1 and the row's CELLS (table_columns of them, lent until the next call), 0 at the end, -1 on
 * failure: a row with too few or too many fields is an error with its number (from 1, the header
 * and empty lines not counted). A cell whose key a JSON object lacks, or is null, has P NULL. */
MUST_USE int table_next(struct table *t, const struct cell **cells);
int64_t table_row(const struct table *t);           /* number of the row last given, from 0 */
int64_t table_replaced_rows(const struct table *t); /* rows in which U+FFFD was put */
/* Appends "archive.zip/news.csv:12", rows from 1, where the row last given, or refused, is; for
 * messages. */
void table_place(const struct table *t, struct buf *place);
/* Whether no byte came through a pipe: the program that should have written the table has said why.
 */
bool table_got_nothing(const struct table *t);
const char *table_name(const struct table *t); /* for messages: "archive.zip/news.csv" */
/* SHA-256 of the source file's bytes as they are stored; after the end. -1 when they cannot be read
 * again. */
MUST_USE int table_digest(struct table *t, uint8_t out[SHA256_BYTES]);

#endif
