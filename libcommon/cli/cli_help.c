#include "cli_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN = 28, WIDTH = 80 };

/* As few digits as read back, but all of a whole number's: 40, not 4e+01. */
static void put_double(struct buf *b, double v)
{
    const bool whole = fabs(v) < 1e15 && v == floor(v);
    char text[32];

    (void)snprintf(text, sizeof text, "%.0f", v);
    for (int digits = 1; digits <= 17 && !whole; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_puts(b, text);
}

/* "a,b/c" is a list of names, not a path. */
static void put_name(struct buf *b, const char *path)
{
    const char *slash = strchr(path, ',') ? NULL : strrchr(path, '/');

    buf_puts(b, slash && slash[1] ? slash + 1 : path);
}

void cli_put_value(struct buf *b, const struct cli_opt *o)
{
    if (o->type == CLI_INT)
        buf_printf(b, "%lld", (long long)*(const int64_t *)o->value);
    else if (o->type == CLI_FLOAT)
        put_double(b, *(const double *)o->value);
    else if (o->type == CLI_NAME)
        put_name(b, *(const char *const *)o->value);
    else
        buf_puts(b, *(const char *const *)o->value);
}

/* A default outside the option's range means "not set". */
static bool is_set(const struct cli_opt *o, double v)
{
    return !isnan(v) && ((o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max));
}

bool cli_has_value(const struct cli_opt *o)
{
    switch (o->type) {
    case CLI_INT:
        return is_set(o, (double)*(const int64_t *)o->value);
    case CLI_FLOAT:
        return is_set(o, *(const double *)o->value);
    case CLI_TEXT:
    case CLI_NAME:
    case CLI_FILE:
    case CLI_CHOICE:
        return *(const char *const *)o->value && **(const char *const *)o->value;
    case CLI_FLAG:
        return o->negatable;
    default:
        return false;
    }
}

/* The help line with its default behind it. */
static void put_help(struct buf *b, const struct cli_opt *o)
{
    buf_puts(b, o->help);
    if (o->required)
        buf_puts(b, " (required)");
    if (!cli_has_value(o))
        return;
    buf_puts(b, " [");
    if (o->type == CLI_FLAG)
        buf_puts(b, *(const bool *)o->value ? "on" : "off");
    else
        cli_put_value(b, o);
    buf_putc(b, ']');
}

/* Appends TEXT from column AT on, broken at blanks before the last column. */
static void put_wrapped(struct buf *b, const char *text, size_t at)
{
    size_t column = at;

    while (*text) {
        const size_t n = strcspn(text, " ");

        if (column > at && column + 1 + n > WIDTH) {
            buf_printf(b, "\n%*s", (int)at, "");
            column = at;
        }
        if (column > at) {
            buf_putc(b, ' ');
            column++;
        }
        buf_add(b, text, n);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    buf_putc(b, '\n');
}

static void put_row(struct buf *b, const struct cli_opt *o)
{
    struct buf help = BUF_INIT;
    const size_t start = b->n;
    const char *arg = o->offered ? o->offered : o->arg;

    if (o->group)
        buf_printf(b, "\n%s:\n", o->group);
    const size_t line = o->group ? b->n : start;

    if (o->letter)
        buf_printf(b, "  -%c, ", o->letter);
    else
        buf_puts(b, "      ");
    buf_printf(b, "--%s%s%s%s", o->negatable ? "[no-]" : "", o->name, arg ? " " : "",
               arg ? arg : "");
    if (b->n - line + 2 > COLUMN)
        buf_printf(b, "\n%*s", COLUMN, "");
    else
        buf_printf(b, "%*s", (int)(COLUMN - (b->n - line)), "");
    put_help(&help, o);
    put_wrapped(b, help.p, COLUMN);
    buf_free(&help);
}

void cli_help(struct buf *b, const struct cli *cli, const struct cli_opt *const *tables, int n)
{
    buf_printf(b, "Usage: %s %s\n", err_tool(), cli->synopsis);
    put_wrapped(b, cli->about, 0);
    if (tables[0]->type != CLI_END && !tables[0]->group)
        buf_puts(b, "\nOptions:\n");
    for (int i = 0; i < n; i++)
        for (const struct cli_opt *o = tables[i]; o->type != CLI_END; o++)
            if (!o->offered || *o->offered)
                put_row(b, o);
}
