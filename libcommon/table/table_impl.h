/* table_impl.h - what table.c, which opens a table, and table_read.c, which reads its rows, share. */
#ifndef TABLE_IMPL_H
#define TABLE_IMPL_H

#include "classes.h"
#include "source.h"
#include "table_rows.h"

enum { LOOK_AHEAD = 1 << 16 }; /* bytes that guesses are made from */

/* What the bytes of a row have in them: a byte of 0x80 or more, 0, CR but at the end, a backslash. */
struct traits {
    bool high, zero, carriage, backslash;
};

struct table {
    struct source *src;
    enum form form;
    enum encoding encoding;
    struct buf ahead; /* bytes of the source that are not used up: those from START on */
    size_t start;
    bool ended; /* nothing comes behind them */

    struct dialect dialect;
    struct spans spans; /* of the present row, */
    struct traits has;  /* and what it has */
    struct members members;
    bool waiting;    /* the first object is in MEMBERS and was not given yet */
    bool backslash;  /* a row with one was warned of */
    bool feeds, carriages, ends_said; /* rows ended with LF alone, with CR alone, and it was said */
    int64_t element; /* of a JSON array: how many were read; -1 behind its end */
    struct buf text; /* decoded cells of the present row */

    char **name; /* of the columns */
    bool *named; /* else it is the number */
    struct cell *cells;
    int n_columns;
    int64_t row, replaced;
    int64_t line; /* of the file of a class */

    bool plain;                  /* no delimiter was found */
    bool delimiter_tie;          /* another would do as well */
    bool label_unsure;           /* the other of two could be it */
    bool classes_guessed;        /* nobody said that files are classes */
    bool guessed;                /* nobody said whether there is a header */
    struct header_guess header;
    struct sheet sheet; /* the first rows, while guesses are made */
};

/* Looks at the beginning, and passes over a byte order mark. LINES may be any text, also that of a web page: three
 * bytes tell what is none. */
MUST_USE int table_look_ahead(struct table *t, bool lines);
/* More bytes behind those that are there: as many again at least, so that a row is not scanned
 * often. */
MUST_USE int table_more(struct table *t);
/* The spans of the row at t->start and its bytes: 1, 0 at the end. Empty rows are passed over. */
MUST_USE int table_next_spans(struct table *t, size_t *used);
/* Takes the row of these spans out of the buffer as decoded cells. */
MUST_USE int table_take_row(struct table *t, struct cell *cells, size_t used);
/* The next JSON object into t->members: 1, 0 at the end. */
MUST_USE int table_next_object(struct table *t);
/* Index of the column called NAME, "" for the one that has none; HINT is where it is when keys come
 * in their usual order. */
int table_column_of(const struct table *t, const struct cell *name, int hint);
/* One column more, called NAME, or by its number where that is empty; -1: there are too many. */
MUST_USE int table_add_column(struct table *t, const struct cell *name);
/* What the bytes that were read and not used up begin with. */
struct view table_view(const struct table *t, size_t most);

#endif
