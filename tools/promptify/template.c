#include "template.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* A run of literal text, or the name of a field. */
struct piece {
    char *text;
    size_t n;
    bool field;
    size_t most; /* characters of the field */
};

struct template
{
    struct piece *piece;
    int n;
    int prompt_end; /* pieces of the prompt; the others follow {completion} */
    bool place;     /* there is a {completion} */
    char *gap;      /* white space before the answer */
};

/* What str.strip takes off: str.isspace of Python 3, which is White_Space and 0x1c to 0x1f. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Bytes of white space at the beginning. */
static size_t leading_space(const char *p, size_t n)
{
    size_t at = 0;

    while (at < n) {
        int len;

        if (!is_space(utf8_decode(p + at, &len)))
            break;
        at += (size_t)len;
    }
    return at;
}

/* Bytes of white space at the end. */
static size_t trailing_space(const char *p, size_t n)
{
    size_t end = n;

    while (end > 0) {
        size_t at = end - 1;
        int len;

        while (at > 0 && ((unsigned char)p[at] & 0xc0) == 0x80)
            at--;
        if (!is_space(utf8_decode(p + at, &len)))
            break;
        end = at;
    }
    return n - end;
}

static void add_piece(struct template *t, const char *text, size_t n, bool field, size_t most)
{
    t->piece = xnrealloc(t->piece, (size_t)t->n + 1, sizeof *t->piece);
    t->piece[t->n++] = (struct piece){ xstrndup(text, n), n, field, most };
}

static void flush_literal(struct template *t, struct buf *literal)
{
    if (literal->n > 0)
        add_piece(t, literal->p, literal->n, false, 0);
    buf_clear(literal);
}

/* Everything so far is the prompt; the white space at the end of its last literal is the gap. */
static int mark_place(struct template *t)
{
    struct piece *last = t->n > 0 && !t->piece[t->n - 1].field ? &t->piece[t->n - 1] : NULL;
    const size_t space = last ? trailing_space(last->text, last->n) : 0;

    if (t->place)
        return err_set(EXIT_DATA, "{completion} is there twice");
    free(t->gap);
    t->gap = last ? xstrndup(last->text + last->n - space, space) : xstrdup("");
    t->place = true;
    t->prompt_end = t->n;
    return 0;
}

/* Takes ":.200" off the end of a field's name: 200; SIZE_MAX where it has none. */
static size_t take_most(const char *name, size_t *n)
{
    size_t digits = 0, most = 0;

    while (digits < *n && digits < 15 && name[*n - 1 - digits] >= '0' &&
           name[*n - 1 - digits] <= '9')
        digits++;
    if (!digits || *n < digits + 3 || memcmp(name + *n - digits - 2, ":.", 2) != 0)
        return SIZE_MAX;
    for (size_t i = *n - digits; i < *n; i++)
        most = 10 * most + (size_t)(name[i] - '0');
    *n -= digits + 2;
    return most;
}

/* The place that begins at *P, an opening brace; *P is left behind it. */
static int parse_place(struct template *t, const char **p, const char *end)
{
    const char *name = *p + 1;
    const char *close = memchr(name, '}', (size_t)(end - name));

    if (!close || memchr(name, '{', (size_t)(close - name)))
        return err_set(EXIT_DATA, "a '{' is not closed; write {{ for a brace");
    if (close == name)
        return err_set(EXIT_DATA, "'{}' names no field; write {{}} for braces");
    *p = close + 1;
    if (close - name == 10 && !memcmp(name, "completion", 10))
        return mark_place(t);
    size_t n = (size_t)(close - name);
    const size_t most = take_most(name, &n);

    add_piece(t, name, n, true, most);
    return 0;
}

static int parse(struct template *t, const char *p, const char *end)
{
    struct buf literal = BUF_INIT;
    int rc = 0;

    while (rc == 0 && p < end) {
        const bool twice = p + 1 < end && p[1] == p[0];

        if ((*p == '{' || *p == '}') && twice) {
            buf_putc(&literal, *p);
            p += 2;
        } else if (*p == '{') {
            flush_literal(t, &literal);
            rc = parse_place(t, &p, end);
        } else if (*p == '}') {
            rc = err_set(EXIT_DATA, "a '}' has no '{'; write }} for a brace");
        } else {
            buf_putc(&literal, *p++);
        }
    }
    flush_literal(t, &literal);
    buf_free(&literal);
    return rc;
}

static bool names_field(const struct template *t)
{
    for (int i = 0; i < t->n; i++)
        if (t->piece[i].field)
            return true;
    return false;
}

bool template_prompt_names(const struct template *t, const char *field)
{
    for (int i = 0; i < t->prompt_end; i++)
        if (t->piece[i].field && !strcmp(t->piece[i].text, field))
            return true;
    return false;
}

int template_parse(struct template **out, const char *name, const char *text, size_t n)
{
    struct template *t = xcalloc(1, sizeof *t);
    int rc = 0;

    t->gap = xstrdup(" ");
    if (utf8_valid(text, n) != n || memchr(text, 0, n)) /* names of fields are C strings below */
        rc = err_set(EXIT_DATA, "is not UTF-8 text");
    if (rc == 0)
        rc = parse(t, text, text + n);
    if (rc == 0 && !t->n && !t->place)
        rc = err_set(EXIT_DATA, "is empty; it is the prompt, with {text} where the text goes");
    if (rc < 0) {
        template_free(t);
        return err_in("%s", name);
    }
    if (!t->place)
        t->prompt_end = t->n;
    if (!names_field(t))
        warn("%s: names no field, so all prompts are the same; write {text} where the text goes",
             name);
    *out = t;
    return 0;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n; i++)
        free(t->piece[i].text);
    free(t->piece);
    free(t->gap);
    free(t);
}

/* The value of KEY among KEY=VALUE, NULL when it is not there. */
static const char *value_set(const struct cli_list *set, const struct piece *key)
{
    for (int i = 0; i < set->n; i++)
        if (!strncmp(set->v[i], key->text, key->n) && set->v[i][key->n] == '=')
            return set->v[i] + key->n + 1;
    return NULL;
}

static int no_field(const struct record *rec, const char *name)
{
    struct buf known = BUF_INIT;

    for (int i = 0; i < record_count(rec) && known.n < 200; i++) {
        const struct field *f = record_at(rec, i);

        buf_puts(&known, i ? ", " : "");
        buf_add(&known, f->key, f->key_len);
    }
    if (strpbrk(name, "\":,\n")) /* it is rather JSON or a program */
        (void)err_set(EXIT_DATA,
                      "there is no field '%s', which the template names; write {{ and "
                      "}} for braces",
                      name);
    else if (!strcmp(name, "labels"))
        (void)err_set(EXIT_DATA, "there is no field 'labels', which the template names, and the "
                                 "input names no labels; give them with --labels a,b,c");
    else
        (void)err_set(EXIT_DATA,
                      "there is no field '%s', which the template names; there are: "
                      "%s; or give it with --set %s=...",
                      name, known.p ? known.p : "none", name);
    buf_free(&known);
    return -1;
}

static int put_field(struct buf *b, const struct record *rec, const struct template_values *v,
                     const struct piece *key)
{
    const char *given = value_set(v->set, key);
    const struct field *f = record_find(rec, key->text);

    if (!given && !f && !strcmp(key->text, "labels"))
        given = v->labels;
    if (given)
        buf_puts(b, given);
    else if (!f)
        return no_field(rec, key->text);
    else if (f->type == ITEM_TEXT)
        buf_add(b, f->data, f->n);
    else if (f->type == ITEM_UINT)
        buf_printf(b, "%llu", (unsigned long long)f->u);
    else
        return err_set(EXIT_DATA, "field '%s' is neither text nor a whole number", key->text);
    return 0;
}

/* Takes off what is behind the first MOST characters from AT on. */
static void cut(struct buf *b, size_t at, size_t most)
{
    for (int len; most > 0 && at < b->n; most--, at += (size_t)len)
        (void)utf8_decode(b->p + at, &len);
    b->n = at;
}

static int fill(struct buf *b, const struct template *t, int from, int to, const struct record *rec,
                const struct template_values *v)
{
    for (int i = from; i < to; i++) {
        const struct piece *p = &t->piece[i];
        const size_t at = b->n;

        if (!p->field)
            buf_add(b, p->text, p->n);
        else if (put_field(b, rec, v, p) < 0)
            return -1;
        if (p->field)
            cut(b, at, p->most);
    }
    return 0;
}

static void strip_end(struct buf *b)
{
    b->n -= trailing_space(b->p, b->n);
    buf_reserve(b, 0);
    b->p[b->n] = 0;
}

int template_prompt(const struct template *t, const struct record *rec,
                    const struct template_values *v, struct buf *prompt)
{
    buf_clear(prompt);
    if (fill(prompt, t, 0, t->prompt_end, rec, v) < 0)
        return -1;
    strip_end(prompt);
    const size_t space = leading_space(prompt->p, prompt->n);

    memmove(prompt->p, prompt->p + space, prompt->n - space + 1);
    prompt->n -= space;
    return 0;
}

int template_completion(const struct template *t, const struct record *rec,
                        const struct template_values *v, const char *answer, size_t n,
                        struct buf *completion)
{
    buf_clear(completion);
    if (leading_space(answer, n) == 0)
        buf_puts(completion, t->gap);
    buf_add(completion, answer, n);
    if (fill(completion, t, t->prompt_end, t->n, rec, v) < 0)
        return -1;
    strip_end(completion);
    return 0;
}
