/*
 * page.h - the report as one page of HTML that needs no network and no script, and one picture of it
 * alone.
 */
#ifndef PAGE_H
#define PAGE_H

#include "cli.h"
#include "comparison.h"
#include "findings.h"
#include "training_log.h"

enum { PAGE_RUNS = 2 };

struct page {
    int n;                                   /* runs: one or two */
    const struct assessment *all[PAGE_RUNS]; /* each run as a whole */
    const struct findings *findings;         /* (n) */
    const struct comparison *comparison;     /* of the two; NULL: there is one run */
    const int64_t *partner;                  /* of each record of the second, that of the first */
    const char *by;                          /* the field of the slices; NULL: there are none */
    const struct assessment *slices;         /* (n_slices, n) the records with one value of BY */
    int n_slices;
    const struct training_log *log; /* NULL: there is none */
    const struct cli_list *notes;   /* lines of the user's own */
    const char *const *settings;    /* (n_settings) of this report, as the chain has options */
    int n_settings;
};

/* Appends the page. The runs have kept texts. */
void page_put(struct buf *b, const struct page *p);
/* Appends a picture, a whole file of SVG: the confusion matrix of one run, the recall of the labels of
 * two. */
void page_plot(struct buf *b, const struct page *p);

#endif
