#include "files/module_pattern.h"

#include "lora/lora_set.h"

#include <stdlib.h>
#include <string.h>

/* Larger ones come from nobody, and a hostile one must not take all memory: a counted repetition is
 * laid out as often as it counts. */
enum { TEXT_MAX = 4096, DEPTH_MAX = 64, COUNTED_MAX = 2 };

struct translation {
    const char *at; /* what comes next of Python's text */
    struct buf out;
    int depth, counted;
};

static int unknown(const struct translation *t)
{
    return err_set(EXIT_NODEVICE,
                   "'%.12s' of a regular expression is not supported; name the modules", t->at);
}

/* Behind a backslash: a class of characters, or a character that stands for itself. */
static int put_escape(struct translation *t, bool in_set)
{
    const char c = t->at[1];

    if (c == 'd' || c == 'w') {
        const char *set = c == 'd' ? "0-9" : "A-Za-z0-9_";

        buf_printf(&t->out, in_set ? "%s" : "[%s]", set);
    } else if (!c || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (in_set && strchr("]\\^-", c))) {
        return unknown(t);
    } else {
        buf_printf(&t->out, in_set ? "%c" : "\\%c", c);
    }
    t->at += 2;
    return 0;
}

/* "[...]": only there a backslash means nothing to POSIX. */
static int put_set(struct translation *t)
{
    const char *start = t->at;

    do
        buf_putc(&t->out, *t->at++);
    while (*t->at == '^' && t->at == start + 1);
    if (*t->at == ']')
        buf_putc(&t->out, *t->at++);
    while (*t->at && *t->at != ']') {
        if (*t->at == '[')
            return unknown(t);
        if (*t->at == '\\') {
            if (put_escape(t, true) < 0)
                return -1;
        } else {
            buf_putc(&t->out, *t->at++);
        }
    }
    if (*t->at)
        buf_putc(&t->out, *t->at++);
    return 0;
}

/* "{m}" and "{m,n}" of single digits. */
static int put_count(struct translation *t)
{
    const char *s = t->at + 1;
    const bool first = *s >= '0' && *s <= '9';

    s += first;
    if (*s == ',')
        s += s[1] >= '0' && s[1] <= '9' ? 2 : 1;
    if (!first || *s != '}' || ++t->counted > COUNTED_MAX)
        return unknown(t);
    buf_add(&t->out, t->at, (size_t)(s + 1 - t->at));
    t->at = s + 1;
    return 0;
}

/* A repetition; whether it is greedy changes nothing for a whole match. */
static int put_repetition(struct translation *t)
{
    if (*t->at == '{') {
        if (put_count(t) < 0)
            return -1;
    } else {
        buf_putc(&t->out, *t->at++);
    }
    t->at += *t->at == '?';
    return *t->at && strchr("*+?{", *t->at) ? unknown(t) : 0;
}

static int put_group(struct translation *t)
{
    if (++t->depth > DEPTH_MAX || (t->at[1] == '?' && t->at[2] != ':'))
        return unknown(t);
    t->at += t->at[1] == '?' ? 3 : 1;
    buf_putc(&t->out, '(');
    return 0;
}

static int put_next(struct translation *t)
{
    switch (*t->at) {
    case '\\':
        return put_escape(t, false);
    case '[':
        return put_set(t);
    case '*':
    case '+':
    case '?':
    case '{':
        return put_repetition(t);
    case '(':
        return put_group(t);
    case ')':
        if (t->depth-- == 0)
            return err_set(EXIT_DATA, "no regular expression: unmatched )");
        buf_putc(&t->out, *t->at++);
        return 0;
    default:
        buf_putc(&t->out, *t->at++);
        return 0;
    }
}

static int put_all(struct translation *t, const char *text)
{
    int rc = 0;

    for (t->at = text; *t->at && rc == 0;)
        rc = put_next(t);
    return rc;
}

static int compile(regex_t *expression, const char *text)
{
    char why[128];
    const int rc = regcomp(expression, text, REG_EXTENDED | REG_NOSUB);

    if (rc == 0)
        return 0;
    (void)regerror(rc, expression, why, sizeof why);
    return err_set(EXIT_DATA, "no regular expression: %s", why);
}

void module_pattern_name(struct module_pattern *p, const char *text)
{
    *p = (struct module_pattern){ .text = xstrdup(text) };
}

int module_pattern_expression(struct module_pattern *p, const char *before, const char *text,
                              const char *behind)
{
    struct translation t = { .out = BUF_INIT };
    int rc = strlen(text) <= TEXT_MAX ? 0
                                      : err_set(EXIT_NODEVICE,
                                                "a regular expression of more than %d "
                                                "characters",
                                                TEXT_MAX);

    *p = (struct module_pattern){ .is_expression = true };
    buf_puts(&t.out, "^(");
    if (rc == 0 && (put_all(&t, before) < 0 || put_all(&t, text) < 0 || put_all(&t, behind) < 0))
        rc = -1;
    buf_puts(&t.out, ")$");
    if (rc == 0)
        rc = compile(&p->expression, t.out.p);
    buf_free(&t.out);
    if (rc < 0)
        return err_in("'%.200s'", text);
    p->text = xstrdup(text);
    return 0;
}

bool module_pattern_matches(const struct module_pattern *p, const char *path)
{
    return p->is_expression ? regexec(&p->expression, path, 0, NULL, 0) == 0
                            : lora_path_matches(path, p->text, strlen(p->text));
}

void module_pattern_free(struct module_pattern *p)
{
    if (p->is_expression && p->text)
        regfree(&p->expression);
    free(p->text);
    *p = (struct module_pattern){ 0 };
}
