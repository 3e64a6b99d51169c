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

/* Where one field of a row is, and whether doubled quotes in it are still to be made single. */
struct span {
    size_t at, n;
    bool doubled;
};

struct spans {
    struct span *v;
    int n, cap;
};

/*
 * Finds the fields of the row that begins at P: 1 and *USED, its bytes with the line end; 0 when
 * the row does not end within N bytes and more may come (LAST false); -1 when it is not valid.
 * Nothing is changed. QUOTES false: '"' is a character like any other, as TSV has it.
 */
MUST_USE int csv_scan(struct spans *f, const char *p, size_t n, bool last, char delimiter,
                      bool quotes, size_t *used);
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

enum encoding { ENC_UTF8, ENC_REPLACE, ENC_LATIN1, ENC_1252 };

enum encoding encoding_of(const char *name); /* NULL and "auto": ENC_UTF8 */
/* Makes UTF-8 of a cell: 1 when U+FFFD was put, 0 when not, -1 when a byte does not fit. What is
 * written anew goes behind ROOM, which has 3 bytes for each of the cell's and does not move. */
MUST_USE int cell_decode(struct cell *c, enum encoding encoding, struct buf *room);

enum form { FORM_CSV, FORM_TSV, FORM_JSONL, FORM_LINES };

/* The beginning of a table as far as it was read; LAST: this is all of it. */
struct view {
    const char *p;
    size_t n;
    bool last;
};

/* By the name's ending, else by the content. */
enum form form_guess(const char *name, const struct view *v);
/* Whether the first row of a CSV or TSV names the columns; see table.h. */
bool header_guess(enum form form, const struct view *v, const char *const wanted[2]);
/* Which of two columns has the labels, 0 or 1. */
int label_guess(enum form form, const struct view *v);

#endif
