/* page_line.h - the lines of provenance.h, one after another, for what the page makes of them. */
#ifndef PAGE_LINE_H
#define PAGE_LINE_H

#include "mem.h"

#include <stdbool.h>

/* The N bytes at P, without the margin. */
struct line {
    const char *p;
    size_t n;
    bool nested; /* it is about an adapter that the run used */
};

/* The line at *AT, which goes behind it; false at the end. */
bool line_next(struct line *l, const char **at);
bool line_is_input(const struct line *l);
/* "adapter N" in front of the lines about it: N, else 0. */
int line_adapter(const struct line *l);
/* WORD gets what stands at *AT, as it is or what its JSON string says; *AT goes to the next before
 * END. */
void line_word(struct buf *word, const char **at, const char *end);
/* What an input is, and its digest. */
void line_input(struct buf *what, struct buf *hex, const struct line *l);

#endif
