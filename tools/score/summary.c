#include "summary.h"

#include "assess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool less_is_better(enum figure f)
{
    return f == LOG_LOSS || f == BRIER || f == ECE;
}

static int figure_of(const char *name)
{
    for (int f = 0; f < FIGURES; f++)
        if (!strcmp(figure_name[f], name))
            return f;
    return -1;
}

int summary_check(const char *best)
{
    if (figure_of(best) < 0)
        return err_set(EXIT_USAGE,
                       "--best '%s' is none of accuracy, balanced_accuracy, macro_f1, weighted_f1, "
                       "mcc, kappa, log_loss, brier and ece",
                       best);
    return 0;
}

/* ---- names and settings ---- */

static void settings_free(struct settings *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->v[i].key);
        free(s->v[i].value);
    }
    free(s->v);
    *s = (struct settings){ NULL, 0 };
}

/* The parts of NAME between commas, which all have a key; else none. */
static struct settings settings_of(const char *name)
{
    struct settings s = { NULL, 0 };

    for (const char *p = name; *p;) {
        const size_t len = strcspn(p, ","), key = strcspn(p, "=,");

        if (key == 0 || key == len) {
            settings_free(&s);
            return s;
        }
        s.v = xnrealloc(s.v, (size_t)s.n + 1, sizeof *s.v);
        s.v[s.n++] = (struct setting){ xstrndup(p, key), xstrndup(p + key + 1, len - key - 1) };
        p += len + (p[len] == ',');
    }
    return s;
}

const char *settings_find(const struct settings *s, const char *key)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->v[i].key, key))
            return s->v[i].value;
    return NULL;
}

/* The folder that holds PATH where it has a '=' in its name; NULL else. */
static char *folder_name(const char *path)
{
    const char *end = strrchr(path, '/'), *begin = end;

    if (!end)
        return NULL;
    while (begin > path && begin[-1] != '/')
        begin--;
    return memchr(begin, '=', (size_t)(end - begin)) ? xstrndup(begin, (size_t)(end - begin))
                                                     : NULL;
}

static bool is_one_of(const struct cli_list *list, const char *s)
{
    for (int i = 0; i < list->n; i++)
        if (!strcmp(list->v[i], s))
            return true;
    return false;
}

/* Takes the settings of OVER out of S; what is left as a name. */
static char *without(struct settings *s, const struct cli_list *over)
{
    struct buf name = BUF_INIT;
    int kept = 0;

    for (int i = 0; i < s->n; i++) {
        if (is_one_of(over, s->v[i].key)) {
            free(s->v[i].key);
            free(s->v[i].value);
            continue;
        }
        s->v[kept++] = s->v[i];
        buf_printf(&name, "%s%s=%s", kept > 1 ? "," : "", s->v[kept - 1].key, s->v[kept - 1].value);
    }
    s->n = kept;
    return name.p ? name.p : xstrdup("all");
}

/* ---- one file ---- */

static struct outcome outcome_of(const struct scored_run *run, int slice)
{
    struct outcome out = { 0 };
    struct assessment a;

    assess(&a, run, slice, NULL);
    out.n = a.m.n;
    out.right = (double)a.m.right;
    out.baseline = a.baseline;
    memcpy(out.figure, a.m.figure, sizeof out.figure);
    assessment_free(&a);
    return out;
}

static int read_file(struct outcome out[ROWS], struct buf *lines, char **name, const char *path,
                     const char *given, const struct summary_options *o)
{
    const struct read_options how = { o->common, "split", true, KEEP_COUNTS, NULL };
    char *folder = given ? NULL : folder_name(path);
    struct scored_run run;
    int rc = scored_run_read(&run, path, given ? given : folder, &how);

    for (int i = 0; rc == 0 && i < run.n_slices; i++) {
        const char *split = run.slices[i].value;
        const enum rows rows = strcmp(split, "eval") ? ROWS_TEST : ROWS_EVAL;

        if (out[rows].n)
            rc = err_set(
                EXIT_DATA,
                "%s: has records of split '%s' and of others that are not eval; choose with "
                "--only split=test",
                run.path, split);
        else
            out[rows] = outcome_of(&run, i);
    }
    *name = xstrdup(run.name);
    *lines = run.provenance;
    run.provenance = (struct buf)BUF_INIT;
    free(folder);
    scored_run_free(&run);
    return rc;
}

/* ---- runs, and rows of them ---- */

struct runs {
    struct one_run *v;
    int n;
};

static void run_free(struct one_run *run)
{
    for (int i = 0; i < run->files; i++)
        buf_free(&run->file[i].lines);
    free(run->name);
}

static struct one_run *run_of(struct runs *runs, char *name)
{
    for (int i = 0; i < runs->n; i++)
        if (!strcmp(runs->v[i].name, name)) {
            free(name);
            return &runs->v[i];
        }
    runs->v = xnrealloc(runs->v, (size_t)runs->n + 1, sizeof *runs->v);
    runs->v[runs->n] = (struct one_run){ .name = name };
    return &runs->v[runs->n++];
}

static int add_file(struct runs *runs, const char *path, const char *given,
                    const struct summary_options *o)
{
    struct outcome out[ROWS] = { { 0 } };
    struct buf lines = BUF_INIT;
    char *name;
    int rc = read_file(out, &lines, &name, path, given, o);
    struct one_run *run = run_of(runs, name);

    for (int i = 0; rc == 0 && i < ROWS; i++) {
        if (out[i].n && run->rows[i].n)
            rc = err_set(EXIT_DATA,
                         "%s and %s both have %s of the run '%s'; give them names with --name",
                         run->file[run->files - 1].path, path,
                         i == ROWS_EVAL ? "eval records" : "records", run->name);
        else if (out[i].n)
            run->rows[i] = out[i];
    }
    if (rc == 0)
        run->file[run->files++] = (struct run_file){ path, lines, !out[ROWS_TEST].n };
    else
        buf_free(&lines);
    return rc;
}

static void add_keys(struct summary *s, const struct settings *settings)
{
    for (int i = 0; i < settings->n; i++) {
        int k = 0;

        while (k < s->keys && strcmp(s->key[k], settings->v[i].key) != 0)
            k++;
        if (k < s->keys)
            continue;
        s->key = xnrealloc(s->key, (size_t)s->keys + 1, sizeof *s->key);
        s->key[s->keys++] = xstrdup(settings->v[i].key);
    }
}

/* Puts RUN, which is empty then, into its row. */
static void add_run(struct summary *s, struct one_run *run, const struct cli_list *over)
{
    struct settings settings = settings_of(run->name);
    char *name = settings.n ? without(&settings, over) : xstrdup(run->name);
    int at = 0;

    s->named = s->named || !settings.n;
    while (at < s->n && strcmp(s->row[at].name, name) != 0)
        at++;
    if (at == s->n) {
        add_keys(s, &settings);
        s->row = xnrealloc(s->row, (size_t)s->n + 1, sizeof *s->row);
        s->row[s->n++] = (struct row){ .name = name, .settings = settings };
    } else {
        settings_free(&settings);
        free(name);
    }
    struct row *row = &s->row[at];

    row->run = xnrealloc(row->run, (size_t)row->runs + 1, sizeof *row->run);
    row->run[row->runs++] = *run;
    *run = (struct one_run){ 0 };
}

/* ---- means, order, the best ---- */

static void sum_up(struct summed *sum, const struct row *row, enum rows rows)
{
    const double runs = row->runs;
    double right = 0;

    *sum = (struct summed){ .n = row->run[0].rows[rows].n };
    for (int i = 0; i < row->runs; i++) {
        const struct outcome *o = &row->run[i].rows[rows];

        sum->n = o->n < sum->n ? o->n : sum->n;
        sum->baseline += o->baseline;
        right += o->right;
        for (int f = 0; f < FIGURES; f++)
            sum->mean[f] += o->figure[f];
    }
    sum->baseline /= runs;
    for (int f = 0; f < FIGURES; f++) {
        double squares = 0;

        sum->mean[f] /= runs;
        for (int i = 0; i < row->runs; i++) {
            const double off = row->run[i].rows[rows].figure[f] - sum->mean[f];

            squares += off * off;
        }
        sum->sd[f] = row->runs > 1 ? sqrt(squares / (runs - 1)) : NAN;
    }
    /* of one run exactly what score says of it */
    sum->accuracy = row->runs == 1
                        ? interval_wilson(right, (double)sum->n)
                        : interval_wilson(sum->mean[ACCURACY] * (double)sum->n, (double)sum->n);
}

int settings_compare(const char *a, const char *b)
{
    char *end_a, *end_b;

    if (!a || !b)
        return (a != NULL) - (b != NULL);
    const double x = strtod(a, &end_a), y = strtod(b, &end_b);
    const bool number_a = *a && !*end_a && isfinite(x), number_b = *b && !*end_b && isfinite(y);

    if (number_a && number_b && x != y)
        return x < y ? -1 : 1;
    return number_a != number_b ? number_b - number_a : strcmp(a, b);
}

static int compare_rows(const struct summary *s, const struct row *a, const struct row *b)
{
    int order = 0;

    for (int k = 0; order == 0 && k < s->keys; k++)
        order = settings_compare(settings_find(&a->settings, s->key[k]),
                                 settings_find(&b->settings, s->key[k]));
    return order;
}

/* Rows that have no settings stay in the order of the files. */
static void sort_rows(struct summary *s)
{
    for (int i = 1; i < s->n; i++) {
        const struct row row = s->row[i];
        int k = i;

        for (; k > 0 && compare_rows(s, &s->row[k - 1], &row) > 0; k--)
            s->row[k] = s->row[k - 1];
        s->row[k] = row;
    }
}

/* Of A and B by F; negative: A is better. What is not there is worse. */
static int compare_figures(const struct row *a, const struct row *b, enum figure f)
{
    const double x = a->rows[ROWS_EVAL].mean[f], y = b->rows[ROWS_EVAL].mean[f];

    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return less_is_better(f) ? (x > y) - (x < y) : (x < y) - (x > y);
}

/* Of equals that with the smaller log-loss, else the first. No row is marked where the figure is
 * not there. */
static void mark_best(struct summary *s, enum figure f)
{
    for (int i = 0; i < s->n; i++) {
        const struct row *row = &s->row[i];
        const int order = s->best ? compare_figures(row, s->best, f) : -1;

        if (!isnan(row->rows[ROWS_EVAL].mean[f]) &&
            (order < 0 || (order == 0 && compare_figures(row, s->best, LOG_LOSS) < 0)))
            s->best = row;
    }
}

/* All runs have records of a kind, or none has: else rows would not be comparable. */
static int check_rows(const struct runs *runs, enum rows rows, bool *there)
{
    int without_any = -1, with = -1;

    for (int i = 0; i < runs->n; i++)
        *(runs->v[i].rows[rows].n ? &with : &without_any) = i;
    *there = with >= 0;
    if (with < 0 || without_any < 0)
        return 0;
    return err_set(EXIT_DATA,
                   "run '%s' has records %s split eval, run '%s' has none; add them or leave one "
                   "out",
                   runs->v[with].name, rows == ROWS_EVAL ? "with" : "without",
                   runs->v[without_any].name);
}

static int check_over(const struct runs *runs, const struct cli_list *over)
{
    for (int i = 0; i < over->n; i++) {
        bool found = false;

        for (int k = 0; !found && k < runs->n; k++) {
            struct settings settings = settings_of(runs->v[k].name);

            found = settings_find(&settings, over->v[i]) != NULL;
            settings_free(&settings);
        }
        if (!found)
            return err_set(EXIT_USAGE,
                           "--over '%s': no run has this setting; run '%s' is an example",
                           over->v[i], runs->v[0].name);
    }
    return 0;
}

/* Whether a column of the table is called so, such as "n", "eval_n" and "eval_mcc_sd". */
static bool is_column(const char *key)
{
    static const char *const once[] = { "name", "run", "runs", "best" };
    static const char *const of_rows[] = { "n", "baseline", "accuracy_low", "accuracy_high" };

    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        if (!strcmp(key, once[i]))
            return true;
    key += strncmp(key, "eval_", 5) ? 0 : 5;
    for (size_t i = 0; i < sizeof of_rows / sizeof *of_rows; i++)
        if (!strcmp(key, of_rows[i]))
            return true;
    for (int f = 0; f < FIGURES; f++) {
        const size_t n = strlen(figure_name[f]);

        if (!strncmp(key, figure_name[f], n) && (!key[n] || !strcmp(key + n, "_sd")))
            return true;
    }
    return false;
}

/* Columns of a table have names of their own. */
static int check_keys(const struct summary *s)
{
    for (int i = 0; i < s->keys; i++)
        if (is_column(s->key[i]))
            return err_set(EXIT_DATA,
                           "a setting is called '%s', as a number of the table is; rename it "
                           "with --name",
                           s->key[i]);
    return 0;
}

static int make_rows(struct summary *s, struct runs *runs)
{
    const struct cli_list *over = s->how->over;

    if (check_rows(runs, ROWS_EVAL, &s->rows[ROWS_EVAL]) < 0 ||
        check_rows(runs, ROWS_TEST, &s->rows[ROWS_TEST]) < 0 || check_over(runs, over) < 0)
        return -1;
    for (int i = 0; i < runs->n; i++)
        add_run(s, &runs->v[i], over);
    if (check_keys(s) < 0)
        return -1;
    for (int i = 0; i < s->n; i++)
        for (int rows = 0; rows < ROWS; rows++) {
            sum_up(&s->row[i].rows[rows], &s->row[i], rows);
            s->scored = s->scored || (s->rows[rows] && !isnan(s->row[i].rows[rows].mean[LOG_LOSS]));
        }
    sort_rows(s);
    if (s->rows[ROWS_EVAL])
        mark_best(s, (enum figure)figure_of(s->how->best));
    return 0;
}

int summary_read(struct summary *s, const char *const *files, const struct summary_options *how)
{
    struct runs runs = { NULL, 0 };
    int rc = 0;

    *s = (struct summary){ .how = how };
    for (int i = 0; rc == 0 && files[i]; i++)
        rc = add_file(&runs, files[i], i < how->names->n ? how->names->v[i] : NULL, how);
    if (rc == 0)
        rc = make_rows(s, &runs);
    for (int i = 0; i < runs.n; i++)
        run_free(&runs.v[i]);
    free(runs.v);
    return rc;
}

void summary_free(struct summary *s)
{
    for (int i = 0; i < s->n; i++) {
        settings_free(&s->row[i].settings);
        free(s->row[i].name);
        for (int r = 0; r < s->row[i].runs; r++)
            run_free(&s->row[i].run[r]);
        free(s->row[i].run);
    }
    for (int i = 0; i < s->keys; i++)
        free(s->key[i]);
    free(s->row);
    free(s->key);
}
