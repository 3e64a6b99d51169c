#include "page_line.h"
#include "page_parts.h"

#include <string.h>

static const char *lines_of(const struct page *p, int run)
{
    return p->all[run]->run->provenance.p;
}

/* What went into the run, or into the training of its adapter NUMBER. */
static void put_digest(struct buf *b, const char *of, int64_t number, const char *what,
                       const char *hex)
{
    buf_puts(b, "<tr><th scope=\"row\">");
    html_name(b, of, NAME_SHOWN);
    if (number)
        html_put(b, "</th><td class=\"t\">%s of adapter %d</td>", what, number);
    else
        html_put(b, "</th><td class=\"t\">%s</td>", what);
    html_put(b, "<td class=\"t l\"><code>%s</code></td></tr>\n", hex);
}

static void put_digests(struct buf *b, const struct page *p)
{
    struct buf what = BUF_INIT, hex = BUF_INIT;
    struct line l;

    buf_puts(
        b, "<div class=\"scroll\"><table>\n<caption>SHA-256 of what went in</caption>\n<thead><tr>"
           "<th scope=\"col\">run</th><th scope=\"col\" class=\"t\">input</th>"
           "<th scope=\"col\" class=\"t\">digest</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < p->n; i++) {
        int64_t number = 0;

        for (const char *at = lines_of(p, i); line_next(&l, &at);) {
            number = l.nested ? number : line_adapter(&l);
            if (!line_is_input(&l))
                continue;
            line_input(&what, &hex, &l);
            put_digest(b, p->all[i]->run->name, number, what.p, hex.p);
        }
    }
    buf_puts(b, "</tbody></table></div>\n");
    buf_free(&what);
    buf_free(&hex);
}

/* The chain without inputs, a line a program. */
static void chain_of(struct buf *b, const struct page *p, int run)
{
    struct line l;

    buf_clear(b);
    buf_puts(b, "");
    for (const char *at = lines_of(p, run); line_next(&l, &at);)
        if (!line_is_input(&l)) {
            buf_puts(b, l.nested ? "  " : "");
            buf_add(b, l.p, l.n);
            buf_putc(b, '\n');
        }
}

static void put_chains(struct buf *b, const struct page *p)
{
    struct buf chain = BUF_INIT, before = BUF_INIT;

    buf_puts(b, "<h3>Programs that made the predictions, oldest first</h3>\n");
    for (int i = 0; i < p->n; i++) {
        chain_of(&chain, p, i);
        if (i && !strcmp(chain.p, before.p))
            continue;
        html_put(b, "<pre>%s</pre>\n", chain.p);
        buf_clear(&before);
        buf_puts(&before, chain.p);
    }
    buf_free(&chain);
    buf_free(&before);
}

void page_notes(struct buf *b, const struct cli_list *notes)
{
    if (!notes->n)
        return;
    buf_puts(b, "<h3>Notes</h3>\n<ul>\n");
    for (int i = 0; i < notes->n; i++) {
        buf_puts(b, "<li>");
        html_text(b, notes->v[i], strlen(notes->v[i]), 0, false);
        buf_puts(b, "</li>\n");
    }
    buf_puts(b, "</ul>\n");
}

void page_origin(struct buf *b, const struct page *p)
{
    page_notes(b, p->notes);
    put_digests(b, p);
    put_chains(b, p);
    page_commands(b, p);
}
