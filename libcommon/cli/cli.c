#include "cli.h"

#include "cli_chain.h"
#include "cli_help.h"
#include "cli_nearest.h"
#include "outfile.h"
#include "share.h"
#include "stop.h"
#include "utf8.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "unknown"
#endif
const char slmtools_version[] = VERSION;

enum { OPTION_FILES_MAX = 16, OPTION_FILE_BYTES = 1 << 20 };

/* Lives until exit, as cli.h promises for operands and values. */
static struct {
    const struct cli *cli;
    struct cli_opt *common; /* the rows that every tool has */
    struct cli_row *row;
    int rows;
    const char **word; /* arguments still to come; @FILE is put in place */
    int words, at;
    int option_files;
    char *option_text[OPTION_FILES_MAX];
    const char **operand;
    int operands;
    const char *name; /* of the tool */
} state;

static bool ask_help, ask_version;

static struct cli_opt *common_rows(struct cli_common *c)
{
    const struct cli_opt rows[] = {
        { 'o', "output", CLI_FILE, &c->output, .arg = "FILE",
          .help = "where the result goes; - is standard output", .group = "Common options" },
        { 0, "force", CLI_FLAG, &c->force, .help = "replace an existing output", .silent = true },
        { 0, "only", CLI_LIST, &c->only, .arg = "FIELD=VALUE",
          .help = "use only records with this value; may be repeated" },
        { 0, "limit", CLI_INT, &c->limit, .arg = "N", .help = "use only the first N records",
          .max = 9e15 },
        { 0, "limit-per", CLI_TEXT, &c->limit_per, .arg = "FIELD=N",
          .help = "use only the first N records of each value of FIELD" },
        { 0, "seed", CLI_INT, &c->seed, .arg = "N", .help = "of every random choice",
          .max = 4294967295.0 },
        { 'j', "threads", CLI_INT, &c->threads, .arg = "N",
          .help = "0: as many as there are; the result is the same for any", .max = 1024,
          .silent = true },
        { 0, "device", CLI_TEXT, &c->device, .arg = "auto|cpu|cuda[:N]|ref",
          .offered = "auto|cpu|cuda|ref", .help = "where models are computed", .silent = true },
        { 'l', "level", CLI_INT, &c->level, .arg = "N", .help = "zstd level of the output, 1 to 22",
          .min = 1, .max = 22, .silent = true },
        { 0, "progress", CLI_CHOICE, &c->progress, .arg = "auto|never|json",
          .help = "progress on standard error; auto: on a terminal", .silent = true },
        { 'q', "quiet", CLI_FLAG, &c->quiet, .help = "no warnings", .silent = true },
        { 'v', "verbose", CLI_FLAG, &c->verbose, .help = "say more on standard error",
          .silent = true },
        { 'h', "help", CLI_FLAG, &ask_help, .help = "print this text", .silent = true },
        { 0, "version", CLI_FLAG, &ask_version, .help = "print the version", .silent = true },
        { .type = CLI_END },
    };
    struct cli_opt *copy = xmalloc(sizeof rows);

    memcpy(copy, rows, sizeof rows);
    return copy;
}

static void add_rows(const struct cli_opt *opts)
{
    for (; opts->type != CLI_END; opts++) {
        for (int i = 0; i < state.rows; i++)
            assert(strcmp(state.row[i].opt->name, opts->name) != 0 &&
                   (!opts->letter || state.row[i].opt->letter != opts->letter));
        state.row = xnrealloc(state.row, (size_t)state.rows + 1, sizeof *state.row);
        state.row[state.rows++] = (struct cli_row){ .opt = opts };
    }
}

/* ---- arguments, @FILE ---- */

/* Puts N words where the next argument is read. */
static void splice(const char *const *words, int n)
{
    const int left = state.words - state.at;
    const char **all = xnmalloc((size_t)(n + left) + 1, sizeof *all);

    if (n)
        memcpy(all, words, (size_t)n * sizeof *all);
    if (left)
        memcpy(all + n, state.word + state.at, (size_t)left * sizeof *all);
    free(state.word);
    state.word = all;
    state.words = n + left;
    state.at = 0;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts the next word out of *P in place: quotes are taken off, what they hold is taken as it is.
 * NULL at the end of the text. */
static char *next_word(char **p, const char *path)
{
    char *s = *p;

    while (blank(*s) || *s == '#')
        if (*s == '#')
            s += strcspn(s, "\n");
        else
            s++;
    if (!*s)
        return NULL;
    char *word = s, *to = s;

    while (*s && !blank(*s)) {
        if (*s != '\'' && *s != '"') {
            *to++ = *s++;
            continue;
        }
        const char quote = *s++;

        while (*s && *s != quote)
            *to++ = *s++;
        if (!*s)
            die(EXIT_USAGE, "%s: a %c is not closed", path, quote);
        s++;
    }
    *p = *s ? s + 1 : s;
    *to = 0;
    return word;
}

static void splice_file(const char *path)
{
    struct buf text = BUF_INIT;
    const char **words = NULL;
    int n = 0;

    if (state.option_files == OPTION_FILES_MAX)
        die(EXIT_USAGE, "@%s: more than %d option files; do they name each other?", path,
            OPTION_FILES_MAX);
    if (read_text(&text, path, OPTION_FILE_BYTES) < 0)
        die_err();
    state.option_text[state.option_files++] = text.p;
    for (char *p = text.p, *w; (w = next_word(&p, path));) {
        words = xnrealloc(words, (size_t)n + 1, sizeof *words);
        words[n++] = w;
    }
    splice(words, n);
    free(words);
}

/* ---- values ---- */

/* How a message calls the option: "--name", "-n, --name". */
static const char *called(const struct cli_opt *o)
{
    static char text[80];

    (void)snprintf(text, sizeof text, "--%s", o->name);
    return text;
}

static void check_range(const struct cli_opt *o, double v, const char *text)
{
    if ((o->min != 0 || o->max != 0) && !(v >= o->min && v <= o->max))
        die(EXIT_USAGE, "option '%s': %s is out of range; from %.16g to %.16g", called(o), text,
            o->min, o->max);
}

static void set_int(const struct cli_opt *o, const char *text)
{
    const char *digits = text + (*text == '-');
    char *end;

    errno = 0;
    const long long v = strtoll(text, &end, 10);

    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        die(EXIT_USAGE, "option '%s': '%s' is not a whole number", called(o), text);
    if (errno)
        die(EXIT_USAGE, "option '%s': %s is too large", called(o), text);
    check_range(o, (double)v, text);
    *(int64_t *)o->value = v;
}

static void set_float(const struct cli_opt *o, const char *text)
{
    char *end;
    const double v = strtod(text, &end);

    /* strtod also takes blanks, "inf" and "0x1p3" */
    if (end == text || *end || strspn(text, "0123456789+-.eE") != strlen(text))
        die(EXIT_USAGE, "option '%s': '%s' is not a number", called(o), text);
    if (!isfinite(v))
        die(EXIT_USAGE, "option '%s': %s is too large", called(o), text);
    check_range(o, v, text);
    *(double *)o->value = v;
}

static void set_choice(const struct cli_opt *o, const char *text)
{
    const size_t n = strlen(text);
    struct buf known = BUF_INIT;

    for (const char *p = o->arg; *p; p += *p == '|') {
        const size_t len = strcspn(p, "|");

        if (len == n && !memcmp(p, text, n)) {
            *(const char **)o->value = text;
            buf_free(&known);
            return;
        }
        buf_printf(&known, "%s%.*s", known.n ? ", " : "", (int)len, p);
        p += len;
    }
    die(EXIT_USAGE, "option '%s': '%s' is not one of %s", called(o), text, known.p);
}

static void set_list(struct cli_row *r, const char *text)
{
    struct cli_list *l = &r->list;

    l->v = xnrealloc(l->v, (size_t)l->n + 1, sizeof *l->v);
    l->v[l->n++] = text;
    *(struct cli_list *)r->opt->value = *l;
}

static void set(struct cli_row *r, const char *text)
{
    const struct cli_opt *o = r->opt;

    if (!*text && (o->type == CLI_FILE || o->type == CLI_FILES || o->type == CLI_NAME) &&
        o->value != &state.cli->common->output) /* which says it itself */
        die(EXIT_USAGE, "option '%s': the value is empty; give the name of a file", called(o));
    r->given = true;
    if (o->given)
        *o->given = true;
    /* it may become part of a stream, which is UTF-8 */
    if (o->type != CLI_FILE && o->type != CLI_FILES &&
        utf8_valid(text, strlen(text)) != strlen(text))
        die(EXIT_USAGE, "option '%s': the value is not valid UTF-8", called(o));
    switch (o->type) {
    case CLI_INT:
        set_int(o, text);
        break;
    case CLI_FLOAT:
        set_float(o, text);
        break;
    case CLI_CHOICE:
        set_choice(o, text);
        break;
    case CLI_TEXT:
    case CLI_NAME:
    case CLI_FILE:
        *(const char **)o->value = text;
        break;
    case CLI_LIST:
    case CLI_FILES:
        set_list(r, text);
        break;
    case CLI_FLAG:
    case CLI_END:
        break;
    }
}

static void set_flag(struct cli_row *r, bool on)
{
    r->given = true;
    if (r->opt->given)
        *r->opt->given = true;
    *(bool *)r->opt->value = on;
}

/* ---- the command line ---- */

/* The word that was not known, and the option that may have been meant. */
static _Noreturn void unknown_name(const char *name, size_t n)
{
    const char **known = xnmalloc((size_t)state.rows, sizeof *known), *meant;

    for (int i = 0; i < state.rows; i++)
        known[i] = state.row[i].opt->name;
    meant = cli_nearest(name, n, known, state.rows);
    free(known);
    if (meant)
        die(EXIT_USAGE, "unknown option '--%.*s'; did you mean '--%s'?", (int)n, name, meant);
    die(EXIT_USAGE, "unknown option '--%.*s'; see %s --help", (int)n, name, err_tool());
}

static struct cli_row *find_long(const char *name, size_t n)
{
    for (int i = 0; i < state.rows; i++)
        if (cli_is_name(name, n, state.row[i].opt->name))
            return &state.row[i];
    return NULL;
}

static const char *next_value(const struct cli_opt *o)
{
    if (state.at == state.words)
        die(EXIT_USAGE, "option '%s' wants a value: %s", called(o), o->arg ? o->arg : "VALUE");
    return state.word[state.at++];
}

static void parse_long(const char *name)
{
    const size_t n = strcspn(name, "=");
    const char *value = name[n] ? name + n + 1 : NULL;
    struct cli_row *r = find_long(name, n);
    bool on = true;

    if (!r && n > 3 && cli_is_name(name, 3, "no-")) {
        r = find_long(name + 3, n - 3);
        on = false;
        if (r && !r->opt->negatable)
            r = NULL;
    }
    if (!r)
        unknown_name(name, n);
    if (r->opt->type != CLI_FLAG)
        set(r, value ? value : next_value(r->opt));
    else if (value)
        die(EXIT_USAGE, "option '--%.*s' takes no value; leave '%s' out", (int)n, name, value - 1);
    else
        set_flag(r, on);
}

/* "-v", "-qv", "-j4", "-j 4". */
static void parse_letters(const char *letters)
{
    for (; *letters; letters++) {
        struct cli_row *r = NULL;

        for (int i = 0; i < state.rows && !r; i++)
            if (state.row[i].opt->letter == *letters)
                r = &state.row[i];
        if (!r)
            die(EXIT_USAGE, "unknown option '-%c'; see %s --help", *letters, err_tool());
        if (r->opt->type != CLI_FLAG) {
            set(r, letters[1] ? letters + 1 : next_value(r->opt));
            return;
        }
        set_flag(r, true);
    }
}

static void parse_words(void)
{
    bool options = true;

    while (state.at < state.words) {
        const char *w = state.word[state.at++];

        if (options && !strcmp(w, "--")) {
            options = false;
        } else if (options && !strncmp(w, "--", 2)) {
            parse_long(w + 2);
        } else if (options && w[0] == '-' && w[1]) {
            parse_letters(w + 1);
        } else if (options && w[0] == '@' && w[1]) {
            splice_file(w + 1);
        } else {
            state.operand =
                xnrealloc(state.operand, (size_t)state.operands + 2, sizeof *state.operand);
            state.operand[state.operands++] = w;
        }
    }
}

/* ---- checks after all words are known ---- */

static void check_device(const char *device)
{
    static const char *const plain[] = { "auto", "cpu", "cuda", "ref" };

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(device, plain[i]))
            return;
    const char *number = strncmp(device, "cuda:", 5) ? "" : device + 5;

    if (!*number || strlen(number) > 3 || strspn(number, "0123456789") != strlen(number))
        die(EXIT_USAGE, "option '--device': '%s' is not one of auto, cpu, cuda, cuda:N, ref",
            device);
}

static void check_only(const struct cli_list *only)
{
    for (int i = 0; i < only->n; i++)
        if (!strchr(only->v[i] + (*only->v[i] != 0), '='))
            die(EXIT_USAGE, "option '--only': '%s' is not FIELD=VALUE", only->v[i]);
}

static void check_limit_per(const char *text)
{
    const char *equals = text ? strrchr(text, '=') : NULL;
    const size_t n = equals ? strlen(equals + 1) : 0;

    if (text &&
        (!equals || equals == text || n < 1 || n > 15 || strspn(equals + 1, "0123456789") != n))
        die(EXIT_USAGE, "option '--limit-per': '%s' is not FIELD=N, with a whole number", text);
}

static void check_all(void)
{
    const struct cli *c = state.cli;

    for (int i = 0; i < state.rows; i++)
        if (state.row[i].opt->required && !state.row[i].given)
            die(EXIT_USAGE, "option '%s' is required; see %s --help", called(state.row[i].opt),
                err_tool());
    if (c->max_operands >= 0 && state.operands > c->max_operands)
        die(EXIT_USAGE, "'%s' is one operand too many; usage: %s %s",
            state.operand[c->max_operands], err_tool(), c->synopsis);
    check_device(c->common->device);
    check_only(&c->common->only);
    check_limit_per(c->common->limit_per);
}

/* The text is made before the first value is replaced, while the table still holds the defaults. */
static char *help_text(void)
{
    const struct cli_opt *const tables[] = { state.cli->opts, state.common };
    struct buf b = BUF_INIT;

    cli_help(&b, state.cli, tables, 2);
    return b.p;
}

static _Noreturn void print_and_exit(const char *text)
{
    (void)fputs(text, stdout);
    if (fflush(stdout) == 0)
        exit(0);
    if (errno == EPIPE)
        stop_pipe();
    die(EXIT_IO, "cannot write standard output: %s", strerror(errno));
}

const char *const *cli_parse(int argc, char **argv, const struct cli *cli)
{
    static char *help;

    err_set_tool(argc > 0 && *argv[0] ? argv[0] : cli->name);
    err_prepare();
    outfile_prepare();
    state.cli = cli;
    state.common = common_rows(cli->common);
    add_rows(cli->opts);
    add_rows(state.common);
    state.operand = xcalloc(1, sizeof *state.operand);
    help = help_text();
    if (argc > 1)
        splice((const char *const *)argv + 1, argc - 1);
    parse_words();
    if (ask_help)
        print_and_exit(help);
    free(help);
    if (ask_version) {
        (void)printf("%s (slmtools) ", cli->name);
        print_and_exit(VERSION "\n");
    }
    state.operand[state.operands] = NULL;
    err_set_talk(cli->common->quiet ? 0 : cli->common->verbose ? 2 : 1);
    check_all();
    state.name = cli->name;
    cli_chain_make(state.row, state.rows, &cli->common->only);
    return state.operand;
}

const char *cli_tool(void)
{
    return state.name ? state.name : err_tool();
}
