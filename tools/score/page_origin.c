#include "json.h"
#include "page_parts.h"
#include "shell.h"

#include <stdlib.h>
#include <string.h>

/* A line of provenance.h, the N bytes at P. */
struct line {
    const char *p;
    size_t n;
};

static bool next_line(struct line *l, const char **at)
{
    if (!*at || !**at)
        return false;
    l->p = *at;
    l->n = strcspn(l->p, "\n");
    *at = l->p + l->n + (l->p[l->n] == '\n');
    return true;
}

static const char *lines_of(const struct page *p, int run)
{
    return p->all[run]->run->provenance.p;
}

static bool is_input(const struct line *l)
{
    return l->n > 6 && !memcmp(l->p, "input ", 6);
}

/* ---- words of a line, as peek --chain has them: as they stand, or a JSON string ---- */

static void take_word(struct buf *word, const char **at, const char *end)
{
    const char *p = *at;

    buf_clear(word);
    buf_puts(word, "");
    if (p < end && *p == '"') {
        for (p++; p < end && *p != '"'; p++)
            p += *p == '\\' && p + 1 < end;
        p += p < end;
        cJSON *text = json_parse_any(*at, (size_t)(p - *at));

        buf_puts(word, cJSON_IsString(text) ? text->valuestring : "");
        cJSON_Delete(text);
    } else {
        while (p < end && *p != ' ')
            p++;
        buf_add(word, *at, (size_t)(p - *at));
    }
    while (p < end && *p == ' ')
        p++;
    *at = p;
}

/* ---- the commands ---- */

static bool names_one(const struct line *l, const char *what)
{
    const size_t n = strlen(what);

    return is_input(l) && l->n > 6 + n && !memcmp(l->p + 6, what, n) && l->p[6 + n] == ' ';
}

static int count_inputs(const char *lines, const char *what)
{
    struct line l;
    int n = 0;

    while (next_line(&l, &lines))
        n += names_one(&l, what);
    return n;
}

/* What TOOL was given that the chain knows by digest alone. */
static void put_files(struct buf *b, const char *tool, const char *lines)
{
    if (!strcmp(tool, "tokenize") || !strcmp(tool, "predict"))
        buf_puts(b, " --model MODEL");
    if (!strcmp(tool, "predict"))
        for (int i = count_inputs(lines, "adapter"); i > 0; i--)
            buf_puts(b, " --adapter ADAPTER");
}

/* OPTION is "name" or "name=value". */
static void put_option(struct buf *b, const char *option)
{
    struct buf word = BUF_INIT;

    buf_printf(&word, "--%s", option);
    buf_putc(b, ' ');
    shell_put_word(b, word.p);
    buf_free(&word);
}

static void put_command(struct buf *b, const struct line *l, const char *lines)
{
    const char *at = l->p, *const end = l->p + l->n;
    struct buf word = BUF_INIT, tool = BUF_INIT;

    take_word(&tool, &at, end);
    take_word(&word, &at, end); /* the version */
    shell_put_word(b, tool.p);
    while (at < end) {
        take_word(&word, &at, end);
        put_option(b, word.p);
    }
    put_files(b, tool.p, lines);
    buf_free(&word);
    buf_free(&tool);
}

/* The programs of a chain as one pipe. */
static void put_pipe(struct buf *b, const struct page *p, int run)
{
    const char *const lines = lines_of(p, run), *at = lines;
    struct line l;
    bool first = true;

    while (next_line(&l, &at)) {
        if (is_input(&l))
            continue;
        buf_puts(b, first ? "" : " |\n    ");
        put_command(b, &l, lines);
        buf_puts(b, first ? " DATA" : "");
        first = false;
    }
    buf_puts(b, " > ");
    shell_put_word(b, p->all[run]->run->name);
    buf_puts(b, ".zst\n");
}

/* Whether OPTION changes the page, not the report beside it. */
static bool is_of_page(const char *option)
{
    static const char *const report[] = { "json", "tsv", "report", "digits", "require" };

    for (size_t i = 0; i < sizeof report / sizeof *report; i++)
        if (!strncmp(option, report[i], strcspn(option, "=")) &&
            strlen(report[i]) == strcspn(option, "="))
            return false;
    return true;
}

static void put_score(struct buf *b, const struct page *p)
{
    buf_puts(b, "score");
    for (int i = 0; i < p->n_settings; i++)
        if (is_of_page(p->settings[i]))
            put_option(b, p->settings[i]);
    if (p->log)
        buf_puts(b, " --metrics METRICS");
    buf_puts(b, " --html report.html");
    for (int i = 0; i < p->n; i++) {
        buf_putc(b, ' ');
        shell_put_word(b, p->all[i]->run->name);
        buf_puts(b, ".zst");
    }
    buf_putc(b, '\n');
}

static void put_commands(struct buf *b, const struct page *p)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < p->n; i++)
        put_pipe(&text, p, i);
    put_score(&text, p);
    buf_puts(b,
             "<h3>Commands that make it again</h3>\n<p>Words in capitals stand for files, which no "
             "chain holds by name: DATA is what it begins with. ");
    if (count_inputs(lines_of(p, p->n - 1), "adapter"))
        buf_puts(b, "ADAPTER is what lora-train made of MODEL. ");
    buf_puts(b, "The digests above say whether a file is the same.</p>\n<pre>");
    html_put(b, "%s", text.p);
    buf_puts(b, "</pre>\n");
    buf_free(&text);
}

/* ---- digests and chain ---- */

static void put_digest(struct buf *b, const char *of, const char *what, const char *hex)
{
    buf_puts(b, "<tr><th scope=\"row\">");
    html_name(b, of, NAME_SHOWN);
    html_put(b, "</th><td class=\"t\">%s</td><td class=\"t l\"><code>%s</code></td></tr>\n", what,
             hex);
}

static void put_digests(struct buf *b, const struct page *p)
{
    struct buf what = BUF_INIT, hex = BUF_INIT;
    struct line l;

    buf_puts(
        b, "<div class=\"scroll\"><table>\n<caption>SHA-256 of what went in</caption>\n<thead><tr>"
           "<th scope=\"col\">run</th><th scope=\"col\" class=\"t\">input</th>"
           "<th scope=\"col\" class=\"t\">digest</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < p->n; i++)
        for (const char *at = lines_of(p, i); next_line(&l, &at);) {
            const char *word = l.p + 6;

            if (!is_input(&l))
                continue;
            take_word(&what, &word, l.p + l.n);
            take_word(&hex, &word, l.p + l.n);
            put_digest(b, p->all[i]->run->name, what.p, hex.p);
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
    for (const char *at = lines_of(p, run); next_line(&l, &at);)
        if (!is_input(&l)) {
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

static void put_notes(struct buf *b, const struct page *p)
{
    if (!p->notes->n)
        return;
    buf_puts(b, "<h3>Notes</h3>\n<ul>\n");
    for (int i = 0; i < p->notes->n; i++) {
        buf_puts(b, "<li>");
        html_text(b, p->notes->v[i], strlen(p->notes->v[i]), 0, false);
        buf_puts(b, "</li>\n");
    }
    buf_puts(b, "</ul>\n");
}

void page_origin(struct buf *b, const struct page *p)
{
    put_notes(b, p);
    put_digests(b, p);
    put_chains(b, p);
    put_commands(b, p);
}
