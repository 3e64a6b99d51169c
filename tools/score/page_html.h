/*
 * page_html.h - a page of HTML that is well-formed XML too: its frame, sections, tables and numbers.
 *
 * Whatever is not a literal of ours goes through markup.h, so that data is never markup.
 */
#ifndef PAGE_HTML_H
#define PAGE_HTML_H

#include "interval.h"
#include "mem.h"

#include <stdint.h>

/* Everything before the first section, style included; TITLE is data. */
void html_begin(struct buf *b, const char *title);
void html_end(struct buf *b);

/* Appends MARKUP with %s as the text of a C string, %d an int64_t as html_count has it, %% a percent
 * sign. Nothing else follows a %. */
void html_put(struct buf *b, const char *markup, ...);

/* A section with its heading, and a sentence or two for people who read it first. LEAD is markup. */
void html_section(struct buf *b, const char *id, const char *heading, const char *lead);
void html_section_end(struct buf *b);

/* How a number is written; each with its unit. */
enum html_form {
    HTML_COUNT,  /* 1,234 */
    HTML_SHARE,  /* 0.883 -> 88.3 % */
    HTML_POINTS, /* 0.194 -> +19.4 points */
    HTML_FIGURE, /* 0.892, no unit: figures from 0 to 1 and their like */
    HTML_SIGNED, /* +0.194 */
    HTML_CHANCE, /* 0.0312, < 0.0001: of a test */
};
/* The text alone; NaN is an en dash. */
void html_figure(struct buf *b, enum html_form form, double v);
/* The same in an element that says which number of score --json it is (NAME, a format: a path in the JSON) and
 * all its digits, as --json prints them. */
void html_number(struct buf *b, enum html_form form, double v, const char *name, ...)
    PRINTF_LIKE(4, 5);
/* Digits in threes, as --json has none. */
void html_count(struct buf *b, int64_t n);

/* "38.4 to 52.8 %" in muted ink; NAME.0 and NAME.1 are the names of both. Nothing where there is none. */
void html_interval(struct buf *b, enum html_form form, struct interval in, const char *name, ...)
    PRINTF_LIKE(4, 5);

/* Text of a record, at most MAX code points of it, with a note where that or what MORE says has cut it; it
 * keeps its direction to itself. */
void html_text(struct buf *b, const char *text, size_t n, size_t max, bool more);
/* The name of a class or a value: cut after MAX code points, whole in the title of the element. */
void html_name(struct buf *b, const char *name, size_t max);

#endif
