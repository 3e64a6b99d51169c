#include "page_line.h"
#include "page_parts.h"
#include "shell.h"

#include <string.h>

/* ---- what commands are given that the chain knows by digest alone ---- */

/* WHAT is "adapter", or "adapter=0.5". */
static bool is_adapter(const char *what)
{
    return !strncmp(what, "adapter", 7) && (!what[7] || what[7] == '=');
}

/* The file of an adapter that a command above makes. */
static void put_adapter(struct buf *b, const char *hex)
{
    buf_printf(b, "adapter-%.8s.tar.zst", hex);
}

/* Whether the run of LINES has a chain for its adapter NUMBER. */
static bool has_chain(const char *lines, int number)
{
    struct line l;
    bool here = false;

    while (line_next(&l, &lines)) {
        if (here && l.nested)
            return true;
        here = line_adapter(&l) == number;
    }
    return false;
}

/* "FILE", or "FILE=0.5" as WHAT has it. */
static void put_scaled(struct buf *b, const char *what, const char *hex, bool made)
{
    struct buf word = BUF_INIT;

    if (made)
        put_adapter(&word, hex);
    else
        buf_puts(&word, "ADAPTER");
    buf_puts(&word, what + strlen("adapter"));
    buf_puts(b, " --adapter ");
    shell_put_word(b, word.p);
    buf_free(&word);
}

static void put_predict_files(struct buf *b, const char *lines)
{
    struct buf what = BUF_INIT, hex = BUF_INIT;
    struct line l;
    int number = 0;

    for (const char *at = lines; line_next(&l, &at);) {
        if (l.nested || !line_is_input(&l))
            continue;
        line_input(&what, &hex, &l);
        if (is_adapter(what.p)) {
            number++;
            put_scaled(b, what.p, hex.p, has_chain(lines, number));
        }
    }
    buf_free(&what);
    buf_free(&hex);
}

/* LINES are those of one training; AGAIN: what it began with is made by a command above. */
static void put_train_files(struct buf *b, const char *lines, const char *end, bool again)
{
    struct buf what = BUF_INIT, hex = BUF_INIT;
    struct line l;

    while (lines < end && line_next(&l, &lines)) {
        if (!line_is_input(&l))
            continue;
        line_input(&what, &hex, &l);
        if (is_adapter(what.p)) {
            buf_puts(b, " --init-adapter ");
            if (again)
                put_adapter(b, hex.p);
            else
                buf_puts(b, "ADAPTER");
        } else if (!strcmp(what.p, "order")) {
            buf_puts(b, " --order ORDER");
        }
    }
    buf_free(&what);
    buf_free(&hex);
}

/* ---- the commands ---- */

/* OPTION is "name" or "name=value". */
static void put_option(struct buf *b, const char *option)
{
    struct buf word = BUF_INIT;

    buf_printf(&word, "--%s", option);
    buf_putc(b, ' ');
    shell_put_word(b, word.p);
    buf_free(&word);
}

static void put_command(struct buf *b, const struct line *l)
{
    const char *at = l->p, *const end = l->p + l->n;
    struct buf word = BUF_INIT, tool = BUF_INIT;

    line_word(&tool, &at, end);
    line_word(&word, &at, end); /* the version */
    shell_put_word(b, tool.p);
    while (at < end) {
        line_word(&word, &at, end);
        put_option(b, word.p);
    }
    if (!strcmp(tool.p, "tokenize") || !strcmp(tool.p, "predict") || !strcmp(tool.p, "lora-train"))
        buf_puts(b, " --model MODEL");
    buf_free(&word);
    buf_free(&tool);
}

/* The programs from AT to END as one pipe. */
static void put_pipe(struct buf *b, const char *at, const char *end, bool nested)
{
    struct line l;
    bool first = true;

    while (at < end && line_next(&l, &at)) {
        if (l.nested != nested || line_is_input(&l) || line_adapter(&l))
            continue;
        buf_puts(b, first ? "" : " |\n    ");
        put_command(b, &l);
        buf_puts(b, first ? " DATA" : "");
        first = false;
    }
}

/* The end of a training's lines: behind the inputs of its last program. */
static const char *training_end(const char *at)
{
    struct line l;
    bool inputs = false;

    for (const char *next = at; line_next(&l, &next) && l.nested; at = next) {
        if (inputs && !line_is_input(&l))
            break;
        inputs = line_is_input(&l);
    }
    return at;
}

/* The digest of the first adapter among the inputs from AT to END, or of adapter NUMBER of a run.
 */
static bool find_adapter(struct buf *hex, const char *at, const char *end, bool nested, int number)
{
    struct buf what = BUF_INIT;
    struct line l;
    bool found = false;

    while (!found && at < end && line_next(&l, &at)) {
        if (l.nested != nested || !line_is_input(&l))
            continue;
        line_input(&what, hex, &l);
        found = is_adapter(what.p) && --number == 0;
    }
    buf_free(&what);
    return found;
}

/* The trainings one behind the other that made adapter NUMBER, whose lines begin at AT: each begins
 * with the adapter of the one before it where it names an adapter. */
static void put_trainings(struct buf *b, const char *lines, const char *at, int number)
{
    struct buf hex = BUF_INIT, command = BUF_INIT;
    bool again = false;

    for (const char *end = training_end(at); end > at; at = end, end = training_end(at)) {
        const char *const next = training_end(end);

        buf_clear(&command);
        put_pipe(&command, at, end, true);
        put_train_files(&command, at, end, again);
        if (find_adapter(&hex, end, next, true, 1) ||
            find_adapter(&hex, lines, lines + strlen(lines), false, number)) {
            buf_puts(&command, " --output ");
            put_adapter(&command, hex.p);
        }
        buf_putc(&command, '\n');
        if (!b->n || !strstr(b->p, command.p)) /* an earlier run has used it too */
            buf_add(b, command.p, command.n);
        again = true;
    }
    buf_free(&hex);
    buf_free(&command);
}

void page_run_commands(struct buf *b, const char *lines, const char *file)
{
    const char *at = lines;
    struct line l;

    while (line_next(&l, &at))
        if (line_adapter(&l))
            put_trainings(b, lines, at, line_adapter(&l));
    put_pipe(b, lines, lines + strlen(lines), false);
    put_predict_files(b, lines);
    buf_puts(b, " > ");
    shell_put_word(b, file);
    buf_putc(b, '\n');
}

/* Whether OPTION changes the page, not the report beside it. */
static bool is_of_page(const char *option)
{
    static const char *const report[] = { "json", "tsv", "report", "digits", "require" };

    const size_t name = strcspn(option, "=");

    for (size_t i = 0; i < sizeof report / sizeof *report; i++)
        if (text_is(option, name, report[i]))
            return false;
    return true;
}

void page_score_command(struct buf *b, const char *const *settings, int n)
{
    buf_puts(b, "score");
    for (int i = 0; i < n; i++)
        if (is_of_page(settings[i]))
            put_option(b, settings[i]);
}

static void put_score(struct buf *b, const struct page *p)
{
    page_score_command(b, p->settings, p->n_settings);
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

void page_put_commands(struct buf *b, const char *heading, const char *also, const char *commands)
{
    html_put(b,
             "<h3>%s</h3>\n<p>Words in capitals stand for files, which no chain holds by name: "
             "DATA is what it "
             "begins with. %s",
             heading, also);
    if (strstr(commands, " ADAPTER"))
        buf_puts(b, "ADAPTER does not say how it was made. ");
    buf_puts(b, "The digests above say whether a file is the same.</p>\n<pre>");
    html_put(b, "%s", commands);
    buf_puts(b, "</pre>\n");
}

void page_commands(struct buf *b, const struct page *p)
{
    struct buf text = BUF_INIT, file = BUF_INIT;

    for (int i = 0; i < p->n; i++) {
        const struct scored_run *run = p->all[i]->run;

        buf_clear(&file);
        buf_printf(&file, "%s.zst", run->name);
        page_run_commands(&text, run->provenance.p, file.p);
    }
    put_score(&text, p);
    page_put_commands(b, "Commands that make it again", "", text.p);
    buf_free(&text);
    buf_free(&file);
}
