/*
 * ticks.h - round numbers along an axis: 1, 2 or 5 times a power of ten apart.
 */
#ifndef TICKS_H
#define TICKS_H

#include "mem.h"

enum { TICKS_MAX = 24 };

struct ticks {
    double at[TICKS_MAX]; /* ascending, within the range */
    int n;
    double step;
    int power;    /* of ten, that STEP is 1, 2 or 5 times of */
    int decimals; /* that tell them apart; -1: they are printed with an exponent */
};

/* Ticks within LOW..HIGH (finite, LOW < HIGH), about WANTED of them (2 to TICKS_MAX / 2);
 * WHOLE: whole numbers only. Never none. */
void ticks_make(struct ticks *t, double low, double high, int wanted, bool whole);
/* Widens *LOW and *HIGH (finite) to the ticks around them. All equal: to a range around the value. */
void ticks_widen(double *low, double *high, int wanted, bool whole);
/* Appends V as T's ticks are printed; PERCENT: 100 times as much, without the sign. */
void ticks_print(struct buf *b, const struct ticks *t, double v, bool percent);
/* Appends V in four digits: "0.01235", "1.2e-7". */
void ticks_value(struct buf *b, double v);

#endif
