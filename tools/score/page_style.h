/* page_style.h - the style sheet of the page: for screens light and dark, phones and paper. */
#ifndef PAGE_STYLE_H
#define PAGE_STYLE_H

/* Colours are palette.h's variables. */
extern const char page_style[];

#endif
