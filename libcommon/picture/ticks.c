#include "ticks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The power of ten at or under V > 0. */
static int power(double v)
{
    int p = (int)floor(log10(v));

    if (pow(10, p) > v)
        p--;
    return p;
}

/* M * 10^P, rounded once where that can be. */
static double scaled(double m, int p)
{
    return p < 0 && p >= -22 ? m / pow(10, -p) : m * pow(10, p);
}

static double round_step(double low, double high, int wanted, bool whole, int *mantissa,
                         int *exponent)
{
    static const int round[] = { 1, 2, 5, 10 };
    const double raw = high / wanted - low / wanted; /* their difference alone may be infinite */
    int p = raw > 0 ? power(raw) : -300, i = 0;

    p = p < -300 ? -300 : p;
    while (i < 3 && scaled(round[i], p) < raw * (1 - 1e-9))
        i++;
    while (i > 0 && !isfinite(scaled(round[i], p)))
        i--;
    *mantissa = round[i];
    *exponent = p;
    if (whole && scaled(*mantissa, *exponent) < 1)
        *mantissa = 1, *exponent = 0;
    return scaled(*mantissa, *exponent);
}

void ticks_widen(double *low, double *high, int wanted, bool whole)
{
    int m, p;

    if (*high - *low < 1e-305) { /* equal, or too close for the arithmetic of an axis */
        const double around = *low != 0 ? fmax(fabs(*low) * 0.1, 1e-300) : 1;

        *low = fmax(*low - around, -1.79e308);
        *high = fmin(*high + around, 1.79e308);
    }
    const double step = round_step(*low, *high, wanted, whole, &m, &p);
    const double first = floor(*low / step + 1e-9), last = ceil(*high / step - 1e-9);

    if (fabs(first) < 1e15 && isfinite(first * step))
        *low = fmin(*low, first * step);
    if (fabs(last) < 1e15 && isfinite(last * step))
        *high = fmax(*high, last * step);
}

void ticks_make(struct ticks *t, double low, double high, int wanted, bool whole)
{
    int m, p;

    t->n = 0;
    t->step = round_step(low, high, wanted, whole, &m, &p);
    const double first = ceil(low / t->step - 1e-9);

    for (int i = 0; i < TICKS_MAX; i++) {
        const double k = first + i, at = p < 0 && p >= -22 ? k * m / pow(10, -p) : k * t->step;

        if (!(at <= high + t->step * 1e-9) || (t->n && at <= t->at[t->n - 1]))
            break;
        t->at[t->n++] = k == 0 ? 0 : at;
    }
    if (!t->n)
        t->at[t->n++] = low;
    const double most = fmax(fabs(t->at[0]), fabs(t->at[t->n - 1]));

    t->power = m == 10 ? p + 1 : p;
    t->decimals = t->power < 0 ? -t->power : 0;
    if (most >= 1e7 || t->decimals > 4)
        t->decimals = -1;
}

/* Appends a text of printf("%e") without what says nothing: "1.5e-04" as "1.5e-4", "1e+00" as "1".
 */
static void put_short(struct buf *b, const char *text)
{
    const char *const e = strchr(text, 'e');

    buf_add(b, text, e ? (size_t)(e - text) : strlen(text));
    if (e && atoi(e + 1))
        buf_printf(b, "e%d", atoi(e + 1));
}

void ticks_value(struct buf *b, double v)
{
    char text[40];

    (void)snprintf(text, sizeof text, "%.4g", v);
    put_short(b, text);
}

/* V with an exponent, in as many digits as the step has. */
static void put_scientific(struct buf *b, int step_power, double v)
{
    char text[40];
    const int digits = power(fabs(v)) - step_power;

    (void)snprintf(text, sizeof text, "%.*e", digits < 0 ? 0 : digits > 16 ? 16 : digits, v);
    put_short(b, text);
}

void ticks_print(struct buf *b, const struct ticks *t, double v, bool percent)
{
    const int decimals = t->decimals - (percent ? 2 : 0);

    if (v == 0)
        buf_putc(b, '0');
    else if (t->decimals < 0)
        put_scientific(b, t->power + (percent ? 2 : 0), percent ? v * 100 : v);
    else
        buf_printf(b, "%.*f", decimals < 0 ? 0 : decimals, percent ? v * 100 : v);
}
