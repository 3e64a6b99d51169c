/* page_file.h - from runs that were read to the page and the picture, each in its file. */
#ifndef PAGE_FILE_H
#define PAGE_FILE_H

#include "cli.h"
#include "outfile.h"
#include "page.h"

struct page_files {
    const char *html, *plot; /* NULL: not wanted; "-" is standard output */
    const char *metrics;     /* what lora-train --metrics wrote; NULL: there is none */
    struct cli_list notes;   /* lines of the user's own for the page */
};

static inline bool page_wanted(const struct page_files *f)
{
    return f->html || f->plot;
}
/* Whether one of them goes to standard output. */
bool page_on_stdout(const struct page_files *f);
/* EXIT_USAGE for what cannot be meant; else what outfile_try says of their places. */
MUST_USE int page_check(const struct page_files *f, const struct cli_common *common);

struct page_content { /* what a page tells beyond the reports of its slices */
    struct scored_run whole[PAGE_RUNS]; /* each run in one slice */
    struct comparison all;              /* of two; of one A alone */
    struct findings findings[PAGE_RUNS];
    int64_t *partner; /* of each record of the second run, that of the first */
    const struct scored_run *run; /* (n) as they were read */
    int n;
};

/* RUN (n, one or two) have kept texts, OTHER is pair_runs of two. They and CHOSEN must outlive C. */
MUST_USE int page_content_init(struct page_content *c, const struct scored_run *run, int n,
                               const int64_t *other, const struct labels *chosen,
                               const struct resampling *how);
void page_content_free(struct page_content *c);
struct page_out { /* files that are written and have no name yet */
    struct outfile *html, *plot;
};

/* Writes both; BY is the field of the runs' slices, NULL when they have one. */
MUST_USE int page_write(struct page_out *out, const struct page_files *f,
                        const struct page_content *c, const char *by,
                        const struct cli_common *common);
/* The same of what was made elsewhere. */
MUST_USE int page_write_out(struct page_out *out, const struct page_files *f, const struct buf *html,
                            const struct buf *svg, const struct cli_common *common);
/* Gives them their names. */
MUST_USE int page_commit(struct page_out *out);

#endif
