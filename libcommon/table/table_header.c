/* Whether the first row names the columns, and which of two is the label: by what the names are
 * mostly, and by what the rows below have in common that the first one has not. */
#include "table_rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const text_names[] = {
    "body",     "comment",   "content",  "description", "document", "email",     "excerpt",
    "feedback", "headline",  "input",    "message",     "news",     "paragraph", "phrase",
    "post",     "prompt",    "question", "quote",       "review",   "sentence",  "sms",
    "snippet",  "statement", "text",     "title",       "tweet",    "utterance", NULL,
};

static const char *const label_names[] = {
    "annotation", "answer", "category", "class",  "classification", "emotion", "gold",  "intent",
    "label",      "labels", "mood",     "output", "polarity",       "rating",  "score", "sentiment",
    "spam",       "stance", "stars",    "tag",    "target",         "topic",   "toxic", "toxicity",
    "type",       "y",      NULL,
};

static const char *const other_names[] = {
    "airline", "author",    "completion", "date",   "id",  "idx",    "index",
    "lang",    "language",  "name",       "number", "row", "source", "split",
    "time",    "timestamp", "url",        "user",   NULL,
};

static bool is_in(const char *const *names, const char *p, size_t n)
{
    for (; *names; names++)
        if (strlen(*names) == n && !strncasecmp(*names, p, n))
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The words of an identifier one after the other: comment_text, tweetId, v1; 0 at the end. A blank
 * ends it, for what has one may be a text. */
static size_t next_word(const char **p, const char *end)
{
    while (*p < end && !is_letter(**p) && **p != ' ')
        ++*p;
    const char *to = *p;

    while (to < end && is_letter(*to) &&
           (to == *p || !(*to >= 'A' && *to <= 'Z') || (to[-1] >= 'A' && to[-1] <= 'Z')))
        to++;
    return (size_t)(to - *p);
}

static bool has_word_in(const char *const *names, const struct cell *c)
{
    const char *p = c->p, *const end = c->p + c->n;
    size_t n;

    if (is_in(names, c->p, c->n))
        return true;
    if (memchr(c->p, ' ', c->n))
        return false;
    for (; (n = next_word(&p, end)) > 0; p += n)
        if (is_in(names, p, n))
            return true;
    return false;
}

/* "Unnamed: 0" is pandas' index, "v1" or "col_2" what has no name of its own. */
static bool is_numbered(const struct cell *c)
{
    static const char *const stems[] = { "unnamed:", "v",   "x",     "col",
                                         "column",   "var", "field", "feature" };

    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        const size_t n = strlen(stems[i]);
        size_t at = n;

        if (c->n <= n || strncasecmp(c->p, stems[i], n) != 0)
            continue;
        at += c->p[at] == ' ' || c->p[at] == '_';
        while (at < c->n && is_digit(c->p[at]))
            at++;
        if (at == c->n && is_digit(c->p[at - 1]))
            return true;
    }
    return false;
}

static bool is_usual_name(const struct cell *c)
{
    return has_word_in(text_names, c) || has_word_in(label_names, c) ||
           has_word_in(other_names, c) || is_numbered(c);
}

/* Could be the name of a column: begins like one, is short and not several sentences. */
static bool looks_like_name(const struct cell *c)
{
    int blanks = 0;

    if (c->n == 0 || c->n > 48 || (!is_letter(c->p[0]) && !strchr("_#$@(<[{", c->p[0])))
        return false;
    for (size_t i = 0; i < c->n; i++) {
        blanks += c->p[i] == ' ';
        if ((unsigned char)c->p[i] < ' ' || (c->p[i] == ',' && blanks > 0))
            return false;
    }
    return blanks <= 3;
}

bool is_plain_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!is_letter(*p) && !is_digit(*p) && *p != ' ' && *p != '_')
            return false;
    return is_letter(*name) || *name == '_';
}

/* A number chooses a column by its place, so it says nothing about the first row. */
static bool is_wanted(const char *const wanted[2], const struct cell *c)
{
    for (int i = 0; i < 2; i++)
        if (wanted[i] && wanted[i][strspn(wanted[i], "0123456789")] && strlen(wanted[i]) == c->n &&
            !memcmp(wanted[i], c->p, c->n))
            return true;
    return false;
}

/* What speaks for a header and against it. */
struct signs {
    int filled, usual;   /* fields of the first row: that there are, and are usual names */
    bool names;          /* each of them could be one */
    bool wanted;         /* one of them is asked for by name */
    bool one_word;       /* each of them is one */
    bool label_again;    /* one comes again in a column with few values, */
    bool again;          /* or in any */
    bool label_odd;      /* one does not come again where there are few values */
    bool number;         /* one is a number where others are none, */
    bool other_type;     /* or none where all others are numbers */
    bool other_length;   /* one word where others have several */
    bool text_and_label; /* two of them are just that */
};

static void look_at_column(struct signs *g, const struct sheet *s, int c)
{
    const struct cell *first = &s->cell[c];
    const struct column k = sheet_column(s, c, 1);
    const bool word = !memchr(first->p, ' ', first->n);
    const bool digit = is_digit(first->p[0]);

    if (first->n == 0)
        return;
    g->again = g->again || k.again;
    g->label_again = g->label_again || (k.again && column_is_label(&k));
    g->label_odd = g->label_odd || (!k.again && column_is_label(&k));
    g->number = g->number || (digit && word && k.filled >= 2 && k.numbers == 0);
    g->other_type = g->other_type || (!digit && k.filled >= 2 && k.numbers == k.filled);
    g->other_length = g->other_length || (word && k.filled >= 2 && k.words * 4 <= k.filled);
}

static struct signs look(const struct sheet *s, const char *const wanted[2])
{
    struct signs g = { .names = true, .one_word = true };
    int text = 0, label = 0;

    for (int c = 0; c < s->columns; c++) {
        const struct cell *first = &s->cell[c];

        look_at_column(&g, s, c);
        if (first->n == 0)
            continue;
        g.filled++;
        g.usual += is_usual_name(first);
        g.names = g.names && looks_like_name(first);
        g.one_word = g.one_word && !memchr(first->p, ' ', first->n);
        g.wanted = g.wanted || is_wanted(wanted, first);
        text += first->n == 4 && !strncasecmp(first->p, "text", 4);
        label += first->n == 5 && !strncasecmp(first->p, "label", 5);
    }
    g.text_and_label = text == 1 && label == 1;
    return g;
}

/* The first row has only what could be names. */
static struct header_guess judge_names(const struct signs *g, const struct sheet *s)
{
    const bool usual = g->usual >= 2 || g->usual == g->filled;
    const bool unlike = g->other_type || g->other_length;

    if (g->label_again)
        return (struct header_guess){ usual, g->usual == 0 && !unlike };
    if (usual)
        return (struct header_guess){ true, !g->again && (unlike || g->text_and_label) };
    if (g->usual > 0)
        return (struct header_guess){ !g->again, !g->again && g->other_type && s->rows > 2 };
    if (g->one_word && !g->again && s->rows > 4 && (g->other_type || (g->label_odd && unlike)))
        return (struct header_guess){ true, false };
    return (struct header_guess){ false, s->columns == 1 && !g->one_word };
}

/* 0, 1, ... in whatever order: pandas' names of columns that have none. */
static bool are_places(const struct sheet *s)
{
    for (int c = 0; c < s->columns; c++) {
        const struct cell *first = &s->cell[c];

        if (first->n > 0 && (first->n > 4 || strspn(first->p, "0123456789") < first->n ||
                             atoi(first->p) >= s->columns))
            return false;
    }
    return true;
}

struct header_guess header_guess(const struct sheet *s, const char *const wanted[2])
{
    const struct signs g = look(s, wanted);

    if (s->rows == 0 || g.wanted)
        return (struct header_guess){ g.wanted, true };
    if (g.names && g.filled > 0)
        return judge_names(&g, s);
    return (struct header_guess){ g.usual >= 2 && !g.label_again, g.usual < 2 && !g.label_odd &&
                                                                      !g.number && !g.other_type &&
                                                                      !are_places(s) };
}

struct label_guess label_guess(const struct sheet *s, const char *const name[2],
                               const int column[2], int from)
{
    struct column k[2];
    bool text[2], label[2];

    for (int i = 0; i < 2; i++) {
        const struct cell called = { name[i], strlen(name[i]), false };

        k[i] = sheet_column(s, column[i], from);
        text[i] = has_word_in(text_names, &called);
        label[i] = has_word_in(label_names, &called);
    }
    for (int i = 0; i < 2; i++) /* one of them says what it is, the other does not deny it */
        if ((label[i] && !text[i] && !label[1 - i]) || (text[1 - i] && !label[1 - i] && !text[i]))
            return (struct label_guess){ i, true };
    const bool differ = k[0].different != k[1].different;
    const int at = differ ? k[0].different > k[1].different : k[0].bytes >= k[1].bytes;

    return (struct label_guess){ at, column_is_label(&k[at]) && !column_is_label(&k[1 - at]) };
}
