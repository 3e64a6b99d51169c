/* What the beginning of a table says about it. All of this can be wrong, and an option overrules
 * it. */
#include "table_rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has_suffix(const char *name, size_t n, const char *suffix)
{
    const size_t len = strlen(suffix);

    return n >= len && !strncasecmp(name + n - len, suffix, len);
}

/* Every row that is whole within the view has the same two or more fields. */
static bool splits_evenly(const struct view *v, char delimiter)
{
    struct spans f = { 0 };
    size_t at = 0, used;
    int columns = 0;
    bool even = true;

    while (even && at < v->n &&
           csv_scan(&f, v->p + at, v->n - at, v->last, delimiter, false, &used) == 1) {
        even = !columns || f.n == columns;
        columns = f.n;
        at += used;
    }
    free(f.v);
    return even && columns > 1;
}

enum form form_guess(const char *name, const struct view *v)
{
    size_t n = strlen(name), at = 0;

    if (has_suffix(name, n, ".gz") || has_suffix(name, n, ".zst"))
        n = (size_t)(strrchr(name, '.') - name);
    if (has_suffix(name, n, ".jsonl") || has_suffix(name, n, ".ndjson"))
        return FORM_JSONL;
    if (has_suffix(name, n, ".tsv"))
        return FORM_TSV;
    if (has_suffix(name, n, ".csv"))
        return FORM_CSV;
    while (at < v->n && strchr(" \t\r\n", v->p[at]))
        at++;
    if (at < v->n && v->p[at] == '{')
        return FORM_JSONL;
    return splits_evenly(v, '\t') ? FORM_TSV : FORM_CSV;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* Could be the name of a column: begins with a letter, is short, has no punctuation of prose. */
static bool looks_like_name(const char *p, size_t n)
{
    int spaces = 0;

    if (n == 0 || n > 40 || !is_letter(p[0]))
        return false;
    for (size_t i = 0; i < n; i++) {
        spaces += p[i] == ' ';
        if (!is_letter(p[i]) && !(p[i] >= '0' && p[i] <= '9') && !strchr(" -./", p[i]))
            return false;
    }
    return spaces <= 2;
}

static bool is_usual_name(const char *p, size_t n)
{
    static const char *const usual[] = {
        "answer",     "body",    "category",  "class",       "classification", "comment",
        "completion", "content", "date",      "description", "document",       "feedback",
        "headline",   "id",      "index",     "intent",      "label",          "labels",
        "message",    "name",    "news",      "phrase",      "polarity",       "prompt",
        "question",   "rating",  "review",    "sentence",    "sentiment",      "source",
        "split",      "stars",   "statement", "target",      "text",           "title",
        "topic",      "tweet",   "type",      "url",
    };

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strlen(usual[i]) == n && !strncasecmp(usual[i], p, n))
            return true;
    return false;
}

/* Row at AT of the view; false where it is not whole or not valid. */
static bool scan(struct spans *f, enum form form, const struct view *v, size_t at, size_t *used)
{
    return at < v->n && csv_scan(f, v->p + at, v->n - at, v->last, form == FORM_TSV ? '\t' : ',',
                                 form == FORM_CSV, used) == 1;
}

/* Whether a field of the first row is in the same column of a row at AT or behind it. */
static bool comes_again(const struct spans *first, enum form form, const struct view *v, size_t at)
{
    struct spans f = { 0 };
    size_t used;
    bool again = false;

    for (; !again && scan(&f, form, v, at, &used); at += used)
        for (int i = 0; i < first->n && i < f.n; i++) {
            const struct span *a = &first->v[i], *b = &f.v[i];

            again = again || (a->n == b->n && !memcmp(v->p + a->at, v->p + at + b->at, a->n));
        }
    free(f.v);
    return again;
}

/* A number chooses a column by its place, so it says nothing about the first row. */
static bool is_wanted(const char *const wanted[2], const char *p, size_t n)
{
    for (int i = 0; i < 2; i++)
        if (wanted[i] && wanted[i][strspn(wanted[i], "0123456789")] && strlen(wanted[i]) == n &&
            !memcmp(wanted[i], p, n))
            return true;
    return false;
}

bool header_guess(enum form form, const struct view *v, const char *const wanted[2])
{
    struct spans first = { 0 };
    size_t used = 0;
    bool names = scan(&first, form, v, 0, &used), usual = false, asked_for = false;

    for (int i = 0; i < first.n; i++) {
        const char *field = v->p + first.v[i].at;

        asked_for = asked_for || is_wanted(wanted, field, first.v[i].n);
        names = names && looks_like_name(field, first.v[i].n);
        usual = usual || is_usual_name(field, first.v[i].n);
    }
    names = names && usual && !comes_again(&first, form, v, used);
    free(first.v);
    return names || asked_for;
}

enum { SEEN_ROWS = 256 };

/* The two values of some rows, copied. */
struct pairs {
    struct buf text;
    size_t at[SEEN_ROWS][2], len[SEEN_ROWS][2];
    int n;
};

static void add_pair(struct pairs *s, const char *a, size_t na, const char *b, size_t nb)
{
    s->at[s->n][0] = s->text.n;
    s->len[s->n][0] = na;
    buf_add(&s->text, a, na);
    s->at[s->n][1] = s->text.n;
    s->len[s->n][1] = nb;
    buf_add(&s->text, b, nb);
    s->n++;
}

static void see_fields(struct pairs *s, enum form form, const struct view *v)
{
    struct spans f = { 0 };
    size_t used;

    for (size_t at = 0; s->n < SEEN_ROWS && scan(&f, form, v, at, &used); at += used)
        if (f.n == 2)
            add_pair(s, v->p + at + f.v[0].at, f.v[0].n, v->p + at + f.v[1].at, f.v[1].n);
    free(f.v);
}

static void see_objects(struct pairs *s, const struct view *v)
{
    struct members m = { 0 };
    struct buf line = BUF_INIT;
    const char *p = v->p, *const end = v->p + v->n, *nl;

    for (; s->n < SEEN_ROWS && p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
        buf_clear(&line);
        buf_add(&line, p, (size_t)(nl - p));
        if (jsonl_members(&m, line.p, line.n) == 0 && m.n == 2)
            add_pair(s, m.v[0].value.p, m.v[0].value.n, m.v[1].value.p, m.v[1].value.n);
    }
    members_free(&m);
    buf_free(&line);
}

static int different(const struct pairs *s, int column)
{
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        bool first = true;

        for (int k = 0; first && k < i; k++)
            first = s->len[i][column] != s->len[k][column] ||
                    memcmp(s->text.p + s->at[i][column], s->text.p + s->at[k][column],
                           s->len[i][column]) != 0;
        n += first;
    }
    return n;
}

int label_guess(enum form form, const struct view *v)
{
    struct pairs s = { .n = 0 };
    size_t bytes[2] = { 0, 0 };

    if (form == FORM_JSONL)
        see_objects(&s, v);
    else
        see_fields(&s, form, v);
    for (int i = 0; i < s.n; i++) {
        bytes[0] += s.len[i][0];
        bytes[1] += s.len[i][1];
    }
    const int a = different(&s, 0), b = different(&s, 1);

    buf_free(&s.text);
    return a != b ? a > b : bytes[0] >= bytes[1];
}
