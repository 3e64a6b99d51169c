/* Where the runs of a summary come from, and the commands that make some of them again. */
#include "cli.h"
#include "page_html.h"
#include "page_parts.h"
#include "shell.h"
#include "summary.h"

#include <stdlib.h>
#include <string.h>

/* The N bytes of the line at AT, margin and all; gives where the next begins. */
static const char *next_line(const char *at, size_t *n)
{
    *n = strcspn(at, "\n");
    return at + *n + (at[*n] == '\n');
}

static bool has_line(const char *lines, const char *line, size_t n)
{
    size_t other;

    for (const char *next; *lines; lines = next) {
        next = next_line(lines, &other);
        if (other == n && !memcmp(lines, line, n))
            return true;
    }
    return false;
}

static bool all_have_line(const struct summary *s, const char *line, size_t n)
{
    for (int i = 0; i < s->n; i++)
        for (int r = 0; r < s->row[i].runs; r++)
            for (int f = 0; f < s->row[i].run[r].files; f++)
                if (!has_line(s->row[i].run[r].file[f].lines.p, line, n))
                    return false;
    return true;
}

/* The lines that all files have, in the order of the first. */
static void find_common(struct buf *common, const struct summary *s)
{
    size_t n;

    buf_puts(common, "");
    for (const char *at = s->row[0].run[0].file[0].lines.p, *next; *at; at = next) {
        next = next_line(at, &n);
        if (all_have_line(s, at, n)) {
            buf_add(common, at, n);
            buf_putc(common, '\n');
        }
    }
}

static void put_own(struct buf *b, const char *name, const char *lines, const char *common)
{
    size_t n;

    buf_puts(b, "<tr><th scope=\"row\">");
    html_name(b, name, 2 * NAME_SHOWN);
    buf_puts(b, "</th><td class=\"t l\">");
    for (const char *next; *lines; lines = next) {
        next = next_line(lines, &n);
        if (has_line(common, lines, n))
            continue;
        char *const line = xstrndup(lines, n);

        html_put(b, "<div><code>%s</code></div>", line);
        free(line);
    }
    buf_puts(b, "</td></tr>\n");
}

static void put_chains(struct buf *b, const struct summary *s)
{
    struct buf common = BUF_INIT;

    find_common(&common, s);
    html_put(b,
             "<h3>What all runs have in common: programs, oldest first, and "
             "digests</h3>\n<pre>%s</pre>\n",
             common.p);
    buf_puts(b,
             "<h3>What each run has of its own</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th "
             "scope=\"col\">run</th><th scope=\"col\" class=\"t\">programs and "
             "digests</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < s->n; i++)
        for (int r = 0; r < s->row[i].runs; r++)
            for (int f = 0; f < s->row[i].run[r].files; f++)
                put_own(b, s->row[i].run[r].name, s->row[i].run[r].file[f].lines.p, common.p);
    buf_puts(b, "</tbody></table></div>\n");
    buf_free(&common);
}

/* Into files that a summary calls as it called these: "NAME/test.zst" where NAME says settings. */
static void put_run_commands(struct buf *b, const struct one_run *run)
{
    const bool settings = strchr(run->name, '=') != NULL;
    struct buf file = BUF_INIT;

    if (settings) {
        buf_puts(b, "mkdir -p -- ");
        shell_put_word(b, run->name);
        buf_putc(b, '\n');
    }
    for (int f = 0; f < run->files; f++) {
        buf_clear(&file);
        buf_printf(&file, "%s%s%s.zst", run->name,
                   settings            ? "/"
                   : run->file[f].eval ? "-"
                                       : "",
                   run->file[f].eval ? "eval"
                   : settings        ? "test"
                                     : "");
        page_run_commands(b, run->file[f].lines.p, file.p);
    }
    buf_free(&file);
}

static void put_commands(struct buf *b, const struct summary *s)
{
    const struct row *row = s->best ? s->best : &s->row[s->n - 1];
    struct buf text = BUF_INIT;
    int n;
    const char *const *settings = cli_chain_options(&n);

    for (int i = 0; i < row->runs; i++)
        put_run_commands(&text, &row->run[i]);
    page_score_command(&text, settings, n);
    buf_puts(&text, " --html report.html FILES\n");
    page_put_commands(b,
                      s->best ? "Commands that make the chosen row and this page again"
                              : "Commands that make the last row and this page again",
                      "FILES are the predictions of all runs. ", text.p);
    buf_free(&text);
}

void summary_origin(struct buf *b, const struct summary *s)
{
    put_chains(b, s);
    put_commands(b, s);
}
