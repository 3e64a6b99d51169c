#include "table_impl.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

/* Reads one block more behind what is there. */
static int add_block(struct table *t)
{
    const uint8_t *block;
    size_t n;

    if (source_read(t->src, &block, &n) < 0)
        return -1;
    if (n == 0) {
        t->ended = true;
        return 0;
    }
    if (t->start > 0) {
        memmove(t->ahead.p, t->ahead.p + t->start, t->ahead.n - t->start);
        t->ahead.n -= t->start;
        t->start = 0;
    }
    buf_add(&t->ahead, block, n);
    return 0;
}

static int fail_long(const struct table *t)
{
    const struct spans *f = &t->spans;
    char where[32];

    if (t->form != FORM_CSV || f->n == 0 || !f->v[f->n - 1].quoted)
        return err_set(EXIT_DATA, "row is longer than %d bytes; is this a table?", ROW_BYTES_MAX);
    (void)snprintf(where, sizeof where, "within %d bytes", ROW_BYTES_MAX);
    return csv_not_closed(f, t->ahead.p + t->start, t->ahead.n - t->start, where);
}

int table_more(struct table *t)
{
    const size_t had = t->ahead.n - t->start;

    if (had > ROW_BYTES_MAX)
        return fail_long(t);
    do
        if (add_block(t) < 0)
            return -1;
    while (!t->ended && t->ahead.n - t->start < 2 * had);
    return 0;
}

struct view table_view(const struct table *t, size_t most)
{
    const size_t n = t->ahead.n - t->start;

    return (struct view){ t->ahead.p + t->start, n < most ? n : most, t->ended && n <= most };
}

#define EACH(byte) ((uint64_t)(byte)*0x0101010101010101u) /* in all eight bytes of a word */

/* In the top bits of the eight bytes at P: whether one of them is 0x80 or more, less than 14, or a
 * backslash. */
static inline uint64_t special_of(const char *p)
{
    uint64_t eight;

    memcpy(&eight, p, sizeof eight);
    const uint64_t backslash = eight ^ EACH('\\');

    return eight | ((eight - EACH(14)) & ~eight) | ((backslash - EACH(1)) & ~backslash);
}

static bool is_special(const char *p, size_t n)
{
    uint64_t any = 0;

    if (n < sizeof any)
        return true;
    for (size_t i = 0; i < n - sizeof any; i += sizeof any)
        any |= special_of(p + i);
    return (any | special_of(p + n - sizeof any)) & EACH(0x80);
}

static struct traits traits_of(const char *p, size_t n)
{
    unsigned char high = 0, zero = 0, carriage = 0, backslash = 0;

    if (!is_special(p, n))
        return (struct traits){ false, false, false, false };
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];

        high |= c;
        zero |= c == 0;
        carriage |= c == '\r';
        backslash |= c == '\\';
    }
    return (struct traits){ high & 0x80, zero, carriage, backslash };
}

/* ---- lines ---- */

/* Where the line of the N bytes at P ends; *USED with its end, which is LF, CRLF, CR CR LF or a
 * lone CR. False when more bytes are needed to tell. */
static bool find_line(const char *p, size_t n, bool last, size_t *len, size_t *used)
{
    const char *const feed = n ? memchr(p, '\n', n) : NULL;
    size_t end = feed ? (size_t)(feed - p) : n;
    const char *const carriage = end ? memchr(p, '\r', end) : NULL;

    if (carriage)
        end = (size_t)(carriage - p);
    *len = *used = end;
    if (!carriage) {
        *used += feed != NULL;
        return feed || last;
    }
    if (end + 2 >= n && !last)
        return false;
    if (end + 2 < n && p[end + 1] == '\r' && p[end + 2] == '\n')
        *used += 3;
    else
        *used += end + 1 < n && p[end + 1] == '\n' ? 2 : 1;
    return true;
}

/* The line that begins at t->start without its end, 0-terminated over it: 1, 0 at the end of the
 * table. */
static int next_line(struct table *t, struct cell *line)
{
    size_t len, used;

    for (;;) {
        char *const p = t->ahead.p + t->start;
        const size_t n = t->ahead.n - t->start;

        if (!n && t->ended)
            return 0;
        if (find_line(p, n, t->ended, &len, &used)) {
            p[len] = 0;
            *line = (struct cell){ p, len, false };
            t->start += used;
            return 1;
        }
        if (table_more(t) < 0)
            return -1;
    }
}

/* ---- rows ---- */

/* Makes UTF-8 of the N cells of the row of BYTES at ROW. */
static int decode_cells(struct table *t, struct cell *cells, int n, const char *row, size_t bytes)
{
    int replaced = 0;

    buf_clear(&t->text);
    buf_reserve(&t->text, 3 * bytes + (size_t)n);
    for (int i = 0; i < n; i++) {
        const int got = cell_decode(&cells[i], t->encoding, &t->text);

        if (got < 0 && t->form == FORM_LINES)
            return err_set(
                EXIT_DATA,
                "byte %zu of the line is not valid UTF-8; convert the file with iconv -t UTF-8",
                utf8_valid(row, bytes));
        if (got < 0)
            return -1;
        replaced |= got;
    }
    t->replaced += replaced;
    return 0;
}

/* Bytes of a row without its end, which may be CRLF. */
static size_t without_end(const char *row, size_t used)
{
    used -= used > 0 && row[used - 1] == '\n';
    return used - (used > 0 && row[used - 1] == '\r');
}

/* A carriage return that ends a row alone is suspect where line feeds end others alone: it may be a
 * part of a text. */
static void look_at_end(struct table *t, const char *row, size_t n, size_t used)
{
    const char *const end = row + used - 1, *const behind = row + n;

    if (*end == '\n' && (used == 1 || end[-1] != '\r'))
        t->feeds = true;
    if (*end == '\r' && !(end + 1 < behind && end[1] == '\n') &&
        !(end + 2 < behind && end[1] == '\r' && end[2] == '\n'))
        t->carriages = true;
    if (t->feeds && t->carriages && !t->ends_said) {
        warn("%s: some rows end with a line feed and some with a carriage return alone; put texts "
             "that have one into quotation marks",
             source_name(t->src));
        t->ends_said = true;
    }
}

int table_next_spans(struct table *t, size_t *used)
{
    for (;;) {
        const char *row = t->ahead.p + t->start;
        const size_t n = t->ahead.n - t->start;
        const int got = n ? csv_scan(&t->spans, row, n, t->ended, &t->dialect, used) : 0;

        if (got < 0 || (!n && t->ended))
            return got;
        if (!got) {
            if (table_more(t) < 0)
                return -1;
            continue;
        }
        if (t->dialect.returns)
            look_at_end(t, row, n, *used);
        t->has = traits_of(row, without_end(row, *used));
        if (t->has.carriage && !t->dialect.returns)
            t->dialect.returns = true; /* the first one in the table: once more */
        else if (csv_is_empty(&t->spans))
            t->start += *used;
        else
            return 1;
    }
}

/* Backslashes before what some writers escape by them, where they do not double quotation marks. */
static void warn_of_backslash(struct table *t, const char *row, size_t n)
{
    const char special[] = { '\\', '"', '\n', '\r', t->dialect.delimiter, 0 };
    const char *p = row, *const end = row + n;

    while (!t->backslash && p < end && (p = memchr(p, '\\', (size_t)(end - p))))
        if (++p < end && *p && strchr(special, *p) && !(*p == '"' && p + 1 < end && p[1] == '"')) {
            warn("%s:%lld: a backslash is before a delimiter, quotation mark, line end or "
                 "backslash, "
                 "and is kept; if it escapes that, write the table with quotes, doubled inside",
                 source_name(t->src), (long long)t->row + 1);
            t->backslash = true;
        }
}

int table_take_row(struct table *t, struct cell *cells, size_t used)
{
    char *const row = t->ahead.p + t->start;
    const int n = t->spans.n;

    if (t->has.zero)
        return err_set(EXIT_DATA, "row has a zero byte; is this a table?");
    if (t->has.backslash)
        warn_of_backslash(t, row, used);
    for (int i = 0; i < n; i++)
        cells[i] = csv_cell(row, &t->spans.v[i]);
    t->start += used;
    return t->has.high ? decode_cells(t, cells, n, row, used) : 0;
}

static const char *delimiter_name(char delimiter, char room[2])
{
    room[0] = delimiter;
    room[1] = 0;
    return delimiter == '\t' ? "tab" : room;
}

static int next_csv(struct table *t)
{
    char room[2];
    size_t used;
    const int got = table_next_spans(t, &used);

    if (got <= 0)
        return got;
    if (t->spans.n != t->n_columns)
        return err_set(EXIT_DATA,
                       "row has %d field%s where %d are expected; put fields with '%s' into "
                       "quotation marks, or name another --delimiter",
                       t->spans.n, t->spans.n == 1 ? "" : "s", t->n_columns,
                       delimiter_name(t->dialect.delimiter, room));
    return table_take_row(t, t->cells, used) < 0 ? -1 : 1;
}

/* The next line as text, decoded. */
static int next_text(struct table *t, struct cell *line)
{
    const int got = next_line(t, line);

    if (got <= 0 || !traits_of(line->p, line->n).high)
        return got;
    return decode_cells(t, line, 1, line->p, line->n) < 0 ? -1 : 1;
}

/* ---- JSON ---- */

static bool is_blank(const struct cell *c)
{
    return strspn(c->p, " \t\r") == c->n;
}

/* Passes over white space: the next byte, 0 at the end, -1 on failure. */
static int next_byte(struct table *t)
{
    for (;;) {
        while (t->start < t->ahead.n && t->ahead.p[t->start] &&
               strchr(" \t\r\n", t->ahead.p[t->start]))
            t->start++;
        if (t->start < t->ahead.n)
            return (unsigned char)t->ahead.p[t->start];
        if (t->ended)
            return 0;
        if (table_more(t) < 0)
            return -1;
    }
}

/* A line holds the begin of an object. */
static int say_unclosed(struct table *t)
{
    const int more = next_byte(t);

    if (more < 0)
        return -1;
    return err_set(EXIT_DATA,
                   more ? "JSON object goes on over several lines, and a row is one line; write it "
                          "with jq -c . (an array of objects is read as it is)"
                        : "JSON object is not closed, and the table ends there; get the whole one");
}

static int next_jsonl_object(struct table *t)
{
    struct cell line;
    int got;

    do
        got = next_text(t, &line);
    while (got > 0 && is_blank(&line));
    if (got <= 0)
        return got;
    const size_t space = strspn(line.p, " \t");

    if (line.p[space] == '{' && json_extent(line.p + space, line.n - space) == 0)
        return say_unclosed(t);
    return jsonl_members(&t->members, line.p, line.n) < 0 ? -1 : 1;
}

/* Goes behind the bracket or comma before the next element: 1, 0 when there is none. */
static int begin_element(struct table *t)
{
    const int byte = t->element < 0 ? ']' : next_byte(t);
    const int wanted = t->element ? ',' : '[';

    if (byte < 0)
        return -1;
    if (byte == wanted)
        t->start++;
    if (byte == wanted && (t->element || next_byte(t) != ']')) {
        t->element++;
        return 1;
    }
    if (t->element >= 0 && next_byte(t) != ']')
        return err_set(EXIT_DATA, "JSON array goes on without a comma or ends without ']'; get the "
                                  "file again, or write its objects with jq -c '.[]'");
    t->start += t->element >= 0;
    t->element = -1;
    const int rest = next_byte(t);

    return rest > 0 ? err_set(EXIT_DATA, "there is more behind the JSON array; write all objects "
                                         "into one, or one a line")
                    : rest;
}

/* The next element of a JSON array. */
static int next_array_object(struct table *t)
{
    int got = begin_element(t);
    size_t n = 0;

    if (got <= 0 || (got = next_byte(t)) < 0)
        return got;
    if (got != '{')
        return err_set(EXIT_DATA, "JSON array holds what is no object; a row is "
                                  "{\"column\": value, ...}");
    while ((n = json_extent(t->ahead.p + t->start, t->ahead.n - t->start)) == 0 && !t->ended)
        if (table_more(t) < 0)
            return -1;
    if (n == 0)
        return err_set(EXIT_DATA, "JSON array ends in the middle of an object; get the file again");
    char *const end = t->ahead.p + t->start + n;
    struct cell object = { t->ahead.p + t->start, n, false };
    const char behind = *end;

    *end = 0;
    if (traits_of(object.p, n).high && decode_cells(t, &object, 1, object.p, n) < 0)
        return -1;
    got = jsonl_members(&t->members, object.p, object.n) < 0 ? -1 : 1;
    *end = behind;
    t->start += n;
    return got;
}

int table_next_object(struct table *t)
{
    return t->form == FORM_JSON ? next_array_object(t) : next_jsonl_object(t);
}

static int next_json(struct table *t)
{
    const int got = t->waiting ? 1 : table_next_object(t);

    t->waiting = false;
    if (got <= 0)
        return got;
    for (int i = 0; i < t->n_columns; i++)
        t->cells[i] = (struct cell){ NULL, 0, false };
    for (int i = 0; i < t->members.n; i++) {
        const struct member *m = &t->members.v[i];
        int at = table_column_of(t, &m->key, i);

        if (at < 0) {
            at = t->n_columns;
            if (table_add_column(t, &m->key) < 0)
                return -1;
        }
        t->cells[at] = m->value;
    }
    return 1;
}

/* Begins the next file; its bytes take the place of the last one's. */
static int next_file(struct table *t)
{
    const int more = source_next_class(t->src);

    t->start = t->ahead.n = 0;
    t->ended = false;
    t->line = 0;
    return more > 0 && table_look_ahead(t, true) < 0 ? -1 : more;
}

/* The next line that is not blank, and the label of its file. */
static int next_of_classes(struct table *t)
{
    struct cell *line = &t->cells[0];
    int got;

    do {
        t->line++;
        got = next_text(t, line);
        if (got < 0 || (got == 0 && (got = next_file(t)) <= 0))
            return got;
    } while (t->line == 0 || is_blank(line));
    if (memchr(line->p, 0, line->n))
        return err_set(EXIT_DATA, "line has a zero byte; is this text?");
    const char *label = source_classes(t->src)->label[source_class(t->src)];

    t->cells[1] = (struct cell){ label, strlen(label), false };
    return 1;
}

void table_place(const struct table *t, struct buf *place)
{
    const struct classes *c = source_classes(t->src);

    buf_puts(place, source_name(t->src));
    if (c)
        buf_printf(place, "/%s", c->file[source_class(t->src)]);
    buf_printf(place, ":%lld", (long long)(c ? t->line : t->row + 1));
}

int table_next(struct table *t, const struct cell **cells)
{
    struct buf place = BUF_INIT;
    int got;

    t->row++;
    if (t->form == FORM_LINES)
        got = next_text(t, t->cells);
    else if (t->form == FORM_CLASSES)
        got = next_of_classes(t);
    else
        got = t->form == FORM_CSV ? next_csv(t) : next_json(t);
    *cells = t->cells;
    if (got < 0 && (t->line > 0 || t->form != FORM_CLASSES)) { /* else source.c named the file */
        table_place(t, &place);
        got = err_in("%s", place.p);
        buf_free(&place);
    }
    return got;
}
