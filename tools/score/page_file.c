#include "page_file.h"

#include "svg.h"

#include <stdlib.h>
#include <string.h>

static bool is_stdout(const char *path)
{
    return path && !strcmp(path, "-");
}

bool page_on_stdout(const struct page_files *f)
{
    return is_stdout(f->html) || is_stdout(f->plot);
}

int page_check(const struct page_files *f, const struct cli_common *common)
{
    if (f->metrics && !f->html)
        return err_set(EXIT_USAGE, "--metrics is for the page; give --html FILE");
    if (f->notes.n && !f->html)
        return err_set(EXIT_USAGE, "--note is for the page; give --html FILE");
    if (is_stdout(f->html) && is_stdout(f->plot))
        return err_set(EXIT_USAGE, "--html and --plot cannot both go to standard output");
    if (f->plot && svg_check_name(f->plot) < 0)
        return -1;
    if (f->html && outfile_try(f->html, common->force, false) < 0)
        return -1;
    return f->plot ? outfile_try(f->plot, common->force, false) : 0;
}

/* ---- the runs without their slices ---- */

static void join(struct scored_run *whole, const struct scored_run *run)
{
    *whole = *run;
    whole->n_slices = 1;
    whole->slices = xcalloc(1, sizeof *whole->slices);
    whole->slices[0].tally = run->whole;
    whole->kept = xnmalloc((size_t)run->n, sizeof *whole->kept);
    memcpy(whole->kept, run->kept, (size_t)run->n * sizeof *whole->kept);
    for (int64_t i = 0; i < run->n; i++)
        whole->kept[i].slice = 0;
}

static void part(struct scored_run *whole)
{
    free(whole->slices);
    free(whole->kept);
}

static int64_t *turned(const int64_t *other, int64_t n)
{
    int64_t *partner = xnmalloc((size_t)n, sizeof *partner);

    for (int64_t i = 0; i < n; i++)
        partner[other[i]] = i;
    return partner;
}

int page_content_init(struct page_content *c, const struct scored_run *run, int n,
                      const int64_t *other, const struct labels *chosen,
                      const struct resampling *how)
{
    const struct scored_run *whole[PAGE_RUNS] = { &c->whole[0], &c->whole[1] };
    int rc;

    memset(c, 0, sizeof *c);
    c->run = run;
    c->n = n;
    for (int i = 0; i < n; i++)
        join(&c->whole[i], &run[i]);
    findings_init(c->findings, whole, n);
    if (n == 1) {
        assess(&c->one, whole[0], 0, chosen);
        c->one.findings = &c->findings[0];
        rc = assess_bootstrap(&c->one, how);
    } else {
        c->partner = turned(other, run[0].n);
        rc = compare_runs(&c->two, whole[0], whole[1], other, 0, chosen, how);
        c->two.a.findings = &c->findings[0];
        c->two.b.findings = &c->findings[1];
    }
    return rc;
}

void page_content_free(struct page_content *c)
{
    if (c->n == 1)
        assessment_free(&c->one);
    else
        comparison_free(&c->two);
    free(c->partner);
    findings_free(c->findings, c->n);
    for (int i = 0; i < c->n; i++)
        part(&c->whole[i]);
}

/* ---- the slices ---- */

struct sliced {
    struct assessment *all; /* run by run */
    struct page_slice *slice;
    int n;
};

/* The second run has the slices of the first, perhaps in another order. */
static void slice_up(struct sliced *s, const struct page_content *c, const struct labels *chosen)
{
    s->n = c->run[0].n_slices;
    s->all = xnmalloc((size_t)s->n * (size_t)c->n, sizeof *s->all);
    s->slice = xcalloc((size_t)s->n, sizeof *s->slice);
    for (int i = 0; i < s->n; i++)
        for (int r = 0; r < c->n; r++) {
            struct assessment *a = &s->all[i * c->n + r];

            assess(a, &c->run[r], scored_run_slice(&c->run[r], c->run[0].slices[i].value), chosen);
            s->slice[i].run[r] = a;
        }
}

static void slices_free(struct sliced *s, int runs)
{
    for (int i = 0; i < s->n * runs; i++)
        assessment_free(&s->all[i]);
    free(s->all);
    free(s->slice);
}

/* ---- the files ---- */

/* B on the disk but without its name yet, if there is a PATH. */
static int write_one(struct outfile **f, const char *path, const struct buf *b, bool force)
{
    if (!path)
        return 0;
    if (outfile_open(f, path, force, false) < 0 || outfile_write(*f, b->p, b->n) < 0)
        return -1;
    return outfile_sync(*f);
}

int page_write_out(struct page_out *out, const struct page_files *f, const struct buf *html,
                   const struct buf *svg, const struct cli_common *common)
{
    return write_one(&out->html, f->html, html, common->force) < 0
               ? -1
               : write_one(&out->plot, f->plot, svg, common->force);
}

int page_write(struct page_out *out, const struct page_files *f, const struct page_content *c,
               const char *by, const struct cli_common *common)
{
    const struct assessment *first = c->n == 1 ? &c->one : &c->two.a;
    struct page p = { .n = c->n,
                      .all = { first, &c->two.b },
                      .findings = c->findings,
                      .comparison = c->n == 2 ? &c->two : NULL,
                      .partner = c->partner,
                      .notes = &f->notes,
                      .by = by };
    struct training_log log = { 0 };
    struct sliced sliced = { NULL, NULL, 0 };
    struct buf html = BUF_INIT, svg = BUF_INIT;
    int rc = f->metrics ? training_log_read(&log, f->metrics) : 0;

    p.settings = cli_chain_options(&p.n_settings);
    p.log = f->metrics ? &log : NULL;
    if (by)
        slice_up(&sliced, c, first->chosen);
    p.slices = sliced.slice;
    p.n_slices = sliced.n;
    if (rc == 0 && f->html)
        page_put(&html, &p);
    if (rc == 0 && f->plot)
        page_plot(&svg, &p);
    if (rc == 0)
        rc = page_write_out(out, f, &html, &svg, common);
    buf_free(&html);
    buf_free(&svg);
    slices_free(&sliced, c->n);
    training_log_free(&log);
    return rc;
}

static int commit(struct outfile **f)
{
    struct outfile *whole = *f;

    *f = NULL;
    return whole ? outfile_commit(whole) : 0;
}

int page_commit(struct page_out *out)
{
    return commit(&out->html) < 0 ? -1 : commit(&out->plot);
}
