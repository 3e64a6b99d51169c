/* What of the options given goes into the chain of what is written, and into the settings of a run.
 */
#include "cli_chain.h"

#include "cli_help.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* Lives until exit, as cli.h promises. */
static struct {
    const struct cli_row *row;
    int rows;
    const struct cli_list *only;
    char **text;
    int n;
} made;

static bool recorded(const struct cli_row *r)
{
    return r->given && !r->opt->silent && r->opt->type != CLI_FILE && r->opt->type != CLI_FILES;
}

void cli_chain_add(const char *option)
{
    made.text = xnrealloc(made.text, (size_t)made.n + 1, sizeof *made.text);
    made.text[made.n++] = xstrdup(option);
}

static void chain_list(const struct cli_row *r, struct buf *b)
{
    const char **v = r->list.v;

    /* All conditions of --only have to hold: their order means nothing, so it must not show. */
    if (r->opt->value == made.only) {
        v = xnmalloc((size_t)r->list.n, sizeof *v);
        memcpy(v, r->list.v, (size_t)r->list.n * sizeof *v);
        qsort(v, (size_t)r->list.n, sizeof *v, text_order);
    }
    for (int i = 0; i < r->list.n; i++) {
        buf_clear(b);
        buf_printf(b, "%s=%s", r->opt->name, v[i]);
        cli_chain_add(b->p);
    }
    if (v != r->list.v)
        free(v);
}

static void chain_row(const struct cli_row *r, struct buf *b)
{
    const struct cli_opt *o = r->opt;

    buf_clear(b);
    if (o->type == CLI_FLAG) {
        buf_printf(b, "%s%s", *(bool *)o->value ? "" : "no-", o->name);
    } else {
        buf_printf(b, "%s=", o->name);
        cli_put_value(b, o);
    }
    cli_chain_add(b->p);
}

void cli_chain_make(const struct cli_row *row, int rows, const struct cli_list *only)
{
    struct buf b = BUF_INIT;

    made.row = row;
    made.rows = rows;
    made.only = only;
    for (int i = 0; i < made.rows; i++) {
        const struct cli_row *r = &made.row[i];

        if (recorded(r) && r->opt->type == CLI_LIST)
            chain_list(r, &b);
        else if (recorded(r))
            chain_row(r, &b);
    }
    buf_free(&b);
}

const char *const *cli_chain_options(int *n)
{
    *n = made.n;
    return (const char *const *)made.text;
}

static void put_setting(struct buf *text, const struct cli_opt *o)
{
    const struct cli_list *l = o->value;

    if (o->type == CLI_FLAG)
        buf_puts(text, *(const bool *)o->value ? "yes" : "no");
    else if (o->type == CLI_LIST)
        for (int i = 0; i < l->n; i++)
            buf_printf(text, "%s%s", i ? " and " : "", l->v[i]);
    else if (cli_has_value(o))
        cli_put_value(text, o);
}

void cli_put_settings(struct buf *b)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < made.rows; i++) {
        const struct cli_opt *o = made.row[i].opt;

        if (o->silent || o->type == CLI_FILE || o->type == CLI_FILES)
            continue;
        buf_clear(&text);
        put_setting(&text, o);
        buf_printf(b, "\"--%s\":", o->name);
        json_put_text(b, text.n ? text.p : "", text.n);
        buf_putc(b, ',');
    }
    buf_free(&text);
}
