/*
 * table_rows.h - the parts of table.c: row grammars, encodings, and the guesses at the beginning.
 */
#ifndef TABLE_ROWS_H
#define TABLE_ROWS_H

#include "mem.h"
#include "table.h"

enum {
    COLUMNS_MAX = 4096,
    ROW_BYTES_MAX = 1 << 26, /* a longer row is a quotation mark that was never closed */
};

/* How a CSV or TSV is written. */
struct dialect {
    char delimiter;
    bool quotes;   /* '"' at the beginning of a field opens one that ends with the next '"' */
    bool blanks;   /* blanks at the beginning of a field are no part of it */
    bool returns;  /* a carriage return ends a row even where no line feed follows */
};

/* Where one field of a row is. */
struct span {
    size_t at, n;
    bool quoted;  /* it was in quotation marks, */
    bool led;     /* with blanks before the first, */
    bool doubled; /* and doubled ones inside, which are still to be made single */
};

struct spans {
    struct span *v;
    int n, cap;
};

/*
 * Finds the fields of the row that begins at P: 1 and *USED, its bytes with the line end; 0 when
 * the row does not end within N bytes and more may come (LAST false); -1 when it is not valid.
 * Nothing is changed.
 */
MUST_USE int csv_scan(struct spans *f, const char *p, size_t n, bool last, const struct dialect *d,
                      size_t *used);
/* The error that the last of the fields F of the row in the N bytes at P has no second quotation
 * mark, WHERE: "before the end". It shows what follows the first one, as far as one line does.
 * Returns -1. */
int csv_not_closed(const struct spans *f, const char *p, size_t n, const char *where);
/* A row without any character. */
bool csv_is_empty(const struct spans *f);
/* The text of field S of the row at P, in place, 0-terminated over the delimiter. */
struct cell csv_cell(char *p, const struct span *s);

/* One member of a JSON object: both decoded, 0-terminated. VALUE.p is NULL for null; numbers, true,
 * false, arrays and objects are their own text. */
struct member {
    struct cell key, value;
};

struct members {
    struct member *v;
    int n, cap;
    struct buf text; /* what the cells point into */
    struct buf room;
};

/* Takes the JSON object in LINE (0 behind it) apart; -1: not valid, or not an object. */
MUST_USE int jsonl_members(struct members *m, const char *line, size_t n);
void members_free(struct members *m);
/* Bytes of the JSON array or object at P, with its end; 0 when it does not end within N bytes. */
size_t json_extent(const char *p, size_t n);

enum encoding { ENC_UTF8, ENC_REPLACE, ENC_LATIN1, ENC_1252 };

enum encoding encoding_of(const char *name); /* NULL and "auto": ENC_UTF8 */
/* Makes UTF-8 of a cell: 1 when U+FFFD was put, 0 when not, -1 when a byte does not fit. What is
 * written anew goes behind ROOM, which has 3 bytes for each of the cell's and does not move. */
MUST_USE int cell_decode(struct cell *c, enum encoding encoding, struct buf *room);

/* FORM_JSON: an array of objects; FORM_CLASSES: lines with the label that the file has */
enum form { FORM_CSV, FORM_JSONL, FORM_JSON, FORM_LINES, FORM_CLASSES };

/* The beginning of a table as far as it was read; LAST: this is all of it. */
struct view {
    const char *p;
    size_t n;
    bool last;
};

/* What its first rows are in one dialect, quotation marks and blanks around the fields taken off. */
struct sheet {
    struct cell *cell; /* (rows)(columns), 0-terminated */
    int rows, columns; /* as many as the first row has */
    int odd;           /* rows that have another number of fields, which are left out */
    bool broken;       /* a row is not valid; it and those behind it are left out */
    bool led;          /* some field had blanks before its quotation mark */
    struct buf text;   /* where they are; of CSV it is the view, as far as it was read */
};

void sheet_read(struct sheet *s, const struct view *v, const struct dialect *d);
/* The same of a view of JSON objects, one a line or in an array; columns are members by place. */
void sheet_read_json(struct sheet *s, const struct view *v);
void sheet_free(struct sheet *s);
/* What is in column C of the rows from FROM on. */
struct column {
    int filled, numbers, words; /* cells that are not empty, are numbers, have one word */
    int different;              /* values */
    int again;                  /* cells with the value of row 0 */
    size_t bytes;
};
struct column sheet_column(const struct sheet *s, int c, int from);
/* Few values that come again, as labels are: row 0 aside, every one twice on the average. */
bool column_is_label(const struct column *c);

/* Whether NAME ends in SUFFIX, or in that and .gz or .zst; letters of either case. */
bool is_named(const char *name, const char *suffix);
/* By the name's ending and the content. */
enum form form_guess(const char *name, const struct view *v);

/* What the rows say about their dialect. */
struct dialect_guess {
    struct dialect dialect;
    bool plain; /* no delimiter divides them: one column, or most rows uneven */
    bool tie;   /* another one than the delimiter divides them as well */
};

/* NAME's ending settles a tie. DELIMITER 0: to be guessed. */
struct dialect_guess dialect_guess(const char *name, const struct view *v, char delimiter);

/* Whether the first row names the columns. SURE: it need not be said. */
struct header_guess {
    bool header, sure;
};
struct header_guess header_guess(const struct sheet *s, const char *const wanted[2]);
/* Could be the name of a column and nothing else: letters, digits, blanks. */
bool is_plain_name(const char *name);

/* Which of two columns has the labels, 0 or 1, by their names, else by the rows from FROM on. */
struct label_guess {
    int column;
    bool sure;
};
struct label_guess label_guess(const struct sheet *s, const char *const name[2], const int column[2],
                               int from);

#endif
