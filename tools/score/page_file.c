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
        assess(&c->all.a, whole[0], 0, chosen);
        rc = assess_bootstrap(&c->all.a, how);
    } else {
        c->partner = turned(other, run[0].n);
        rc = compare_runs(&c->all, whole[0], whole[1], other, 0, chosen, how);
    }
    c->all.a.findings = &c->findings[0];
    c->all.b.findings = &c->findings[1];
    return rc;
}

void page_content_free(struct page_content *c)
{
    comparison_free(&c->all);
    free(c->partner);
    findings_free(c->findings, c->n);
    for (int i = 0; i < c->n; i++)
        part(&c->whole[i]);
}

/* ---- the slices ---- */

/* The second run has the slices of the first, perhaps in another order. */
static struct assessment *slice_up(const struct page_content *c, const struct labels *chosen)
{
    const int n = c->run[0].n_slices;
    struct assessment *v = xnmalloc((size_t)n * (size_t)c->n, sizeof *v);

    for (int i = 0; i < n; i++)
        for (int r = 0; r < c->n; r++)
            assess(&v[i * c->n + r], &c->run[r],
                   scored_run_slice(&c->run[r], c->run[0].slices[i].value), chosen);
    return v;
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
    struct assessment *slices = by ? slice_up(c, c->all.a.chosen) : NULL;
    struct page p = { .n = c->n,
                      .all = { &c->all.a, &c->all.b },
                      .findings = c->findings,
                      .comparison = c->n == 2 ? &c->all : NULL,
                      .partner = c->partner,
                      .notes = &f->notes,
                      .by = by,
                      .slices = slices,
                      .n_slices = by ? c->run[0].n_slices : 0 };
    struct training_log log = { 0 };
    struct buf html = BUF_INIT, svg = BUF_INIT;
    int rc = f->metrics ? training_log_read(&log, f->metrics) : 0;

    p.settings = cli_chain_options(&p.n_settings);
    p.log = f->metrics ? &log : NULL;
    if (rc == 0 && f->html)
        page_put(&html, &p);
    if (rc == 0 && f->plot)
        page_plot(&svg, &p);
    if (rc == 0)
        rc = page_write_out(out, f, &html, &svg, common);
    buf_free(&html);
    buf_free(&svg);
    for (int i = 0; i < p.n_slices * p.n; i++)
        assessment_free(&slices[i]);
    free(slices);
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
