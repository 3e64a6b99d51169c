/* page_parts.h - the sections of the page, and what they share. */
#ifndef PAGE_PARTS_H
#define PAGE_PARTS_H

#include "page.h"
#include "page_html.h"
#include "plot.h"

enum {
    LABELS_DRAWN = 16,  /* rows of a matrix, bars of a picture */
    LABELS_SHOWN = 200, /* rows of a table */
    NAME_SHOWN = 40,    /* code points of a label's name */
};

/* What is in front of the names of run RUN's numbers: where there are two, "a." or "b.". */
const char *page_path(const struct page *p, int run);
/* A heading with the name of run RUN, where there are several. */
void page_run_heading(struct buf *b, const struct page *p, int run);

/* A row of heads over COLUMNS columns of each of the runs from FIRST up to END, behind two columns without
 * one; nothing where the page has one run. */
void page_run_groups(struct buf *b, const struct page *p, int first, int end, int columns);
/* The head of a column: the name of run RUN where there are several, else OTHERWISE. */
void page_run_column(struct buf *b, const struct page *p, int run, const char *otherwise);

/* What bars show of one run: a share each, with its interval. */
struct page_bars {
    double share[LABELS_DRAWN], low[LABELS_DRAWN], high[LABELS_DRAWN];
};
/* Draws HOW, which has no series yet, with BARS (n): as many for each run as there are categories. */
void page_draw_bars(struct buf *b, const struct page *p, const struct plot *how,
                    const struct page_bars *bars, bool alone);

/* In a few sentences what comes out. */
void page_words(struct buf *b, const struct page *p);
void page_summary(struct buf *b, const struct page *p);
/* What may be claimed of two runs, in a sentence. */
void page_conclusion(struct buf *b, const struct comparison *c);
void page_compare(struct buf *b, const struct page *p);
void page_confusion(struct buf *b, const struct page *p);
void page_classes(struct buf *b, const struct page *p);
void page_calibration(struct buf *b, const struct page *p);
void page_coverage(struct buf *b, const struct page *p);
void page_training(struct buf *b, const struct page *p);
void page_lengths(struct buf *b, const struct page *p);
void page_slices(struct buf *b, const struct page *p);
void page_mistakes(struct buf *b, const struct page *p);
void page_twins(struct buf *b, const struct page *p);
void page_origin(struct buf *b, const struct page *p);
/* The commands that make the predictions and this page again. */
void page_commands(struct buf *b, const struct page *p);
/* What both pages make them of. Commands that make FILE, whose provenance LINES are; trainings that stand in B
 * already are not repeated. */
void page_run_commands(struct buf *b, const char *lines, const char *file);
/* "score" with those of its options that are of the page. */
void page_score_command(struct buf *b, const char *const *settings, int n);
/* They under a heading, with what words in capitals mean; ALSO: a sentence more. */
void page_put_commands(struct buf *b, const char *heading, const char *also, const char *commands);
/* The user's own lines. */
void page_notes(struct buf *b, const struct cli_list *notes);

/* Whether the runs have the same labels, and no more than can be drawn; then page_recall draws the recall
 * of each as SVG. */
bool page_has_recall(const struct page *p);
void page_recall(struct buf *b, const struct page *p, bool alone);
/* The accuracies of the runs and of the baseline as SVG. */
void page_accuracies(struct buf *b, const struct page *p, bool alone);
/* The confusion matrix of A as SVG. */
void page_heat(struct buf *b, const struct assessment *a, const char *id, const char *title,
               bool alone);

#endif
