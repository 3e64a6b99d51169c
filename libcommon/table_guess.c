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
        "answer",   "body",     "category", "class",    "classification", "comment", "completion",
        "content",  "date",     "description", "document", "feedback",    "headline", "id",
        "index",    "intent",   "label",    "labels",   "message",        "name",    "news",
        "phrase",   "polarity", "prompt",   "question", "rating",         "review",  "sentence",
        "sentiment", "source",  "split",    "stars",    "statement",      "target",  "text",
        "title",    "topic",    "tweet",    "type",     "url",
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

bool header_guess(enum form form, const struct view *v)
{
    struct spans first = { 0 };
    size_t used = 0;
    bool names = scan(&first, form, v, 0, &used), usual = false;

    for (int i = 0; names && i < first.n; i++) {
        const char *field = v->p + first.v[i].at;

        names = looks_like_name(field, first.v[i].n);
        usual = usual || is_usual_name(field, first.v[i].n);
    }
    names = names && usual && !comes_again(&first, form, v, used);
    free(first.v);
    return names;
}
