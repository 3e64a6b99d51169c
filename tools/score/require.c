#include "require.h"

#include "mem.h"
#include "numbers.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct condition {
    char *name;
    char op[3];
    double value;
};

static int parse(struct condition *c, const char *text)
{
    const size_t name = strcspn(text, "<>=!"), op = strspn(text + name, "<>=!");
    const char *number = text + name + op;
    char *end;

    c->value = strtod(number, &end);
    if (name == 0 || op == 0 || op > 2 || end == number || *end || !isfinite(c->value))
        return -1;
    memcpy(c->op, text + name, op);
    c->op[op] = 0;
    if (!strcmp(c->op, "=") || !strcmp(c->op, "!") || (op == 2 && c->op[1] != '='))
        return -1;
    c->name = xstrndup(text, name);
    return 0;
}

int require_check(const char *text)
{
    struct condition c;

    if (parse(&c, text) < 0)
        return err_set(EXIT_USAGE, "--require '%s' is not like 'accuracy>=0.8'", text);
    free(c.name);
    return 0;
}

static bool compare(double a, const char *op, double b)
{
    if (!strcmp(op, "=="))
        return a == b;
    if (!strcmp(op, "!="))
        return a < b || a > b;
    if (op[0] == '<')
        return op[1] ? a <= b : a < b;
    return op[1] ? a >= b : a > b;
}

static int holds(const char *text, const struct assessment *a, const struct comparison *c)
{
    struct condition want;
    double value;
    int rc = parse(&want, text);

    if (rc < 0)
        return require_check(text);
    if (number_find(a, c, want.name, &value))
        rc = compare(value, want.op, want.value);
    else
        rc =
            err_set(EXIT_USAGE, "--require '%s': there is no number '%s'; --tsv prints their names",
                    text, want.name);
    free(want.name);
    return rc;
}

static void complain(const char *condition, const char *by, const char *value)
{
    struct buf line = BUF_INIT;

    buf_printf(&line, "%s: '%s' does not hold", err_tool(), condition);
    if (by) {
        buf_printf(&line, " for %s=", by);
        utf8_show_line(&line, value);
    }
    (void)fprintf(stderr, "%s\n", line.p);
    buf_free(&line);
}

int require_all(const struct cli_list *conditions, const struct assessment *a,
                const struct comparison *c, const char *by)
{
    int all = 1;

    for (int i = 0; i < conditions->n; i++) {
        const int rc = holds(conditions->v[i], a, c);

        if (rc < 0)
            return -1;
        if (rc == 0)
            complain(conditions->v[i], by, (a ? a : &c->a)->slice->value);
        all = all && rc;
    }
    return all;
}
