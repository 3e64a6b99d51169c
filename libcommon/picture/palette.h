/*
 * palette.h - the colours of pictures and of the page they stand in, and the rules that use them.
 */
#ifndef PALETTE_H
#define PALETTE_H

#include "mem.h"

#include <stdint.h>

/* What a colour is for. Series: told apart with each kind of colour blindness; 3:1 or more against
 * PAPER. Text in INK and MUTED: 4.5:1 or more against PAPER, and INK against a cell filled with HEAT. */
enum palette {
    PALETTE_PAPER, PALETTE_INK, PALETTE_MUTED, PALETTE_GRID, PALETTE_HEAT, PALETTE_SERIES,
    PALETTE_SERIES_N = 6,
    PALETTE_N = PALETTE_SERIES + PALETTE_SERIES_N,
};

/* 0xRRGGBB on a light or a dark screen. */
uint32_t palette_colour(enum palette which, bool dark);

/* Appends ":root{--paper:#fff;--ink:...;--muted:...;--grid:...;--heat:...;--s0:... --s5:...}" and the
 * same for dark screens (prefers-color-scheme; paper is light). Once in a page. */
void palette_variables(struct buf *b);

/* Appends the rules of the classes in pictures, ".pic-line{stroke:...}". In a page (ALONE false) colours
 * are the variables; ALONE: the colours themselves, as not all programs that show SVG know variables.
 * Once in a page; plot_svg and heat_svg write them where a picture stands alone. */
void palette_rules(struct buf *b, bool alone);

#endif
