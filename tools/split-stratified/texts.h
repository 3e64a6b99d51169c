/*
 * texts.h - which rows have the same text.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Two texts with the same key are taken for the same. A key is the text, as the coefficients of a
 * polynomial modulo 2^61 - 1, at two points that are drawn anew in each run: whatever two texts of
 * N bytes are, and whoever chose them, their keys agree for (N / 7 + 3)^2 of 2^122 pairs of points.
 * Nothing but equality may depend on a key.
 */
struct text_key {
    uint64_t at[2];
};

struct text_point {
    uint64_t x, square;
};

void text_points_draw(struct text_point x[2]);
struct text_key text_key_of(const struct text_point x[2], const void *text, size_t n);

struct texts;

struct texts *texts_new(void);
/* The text of the next row. */
void texts_add(struct texts *t, const void *text, size_t n);
/* For every row the first one that has its text, which mostly is the row itself; free it. Releases
 * T. */
int64_t *texts_first(struct texts *t);

#endif
