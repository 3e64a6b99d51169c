#include "palette.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t light, dark;
} colours[PALETTE_N] = {
    { "paper", 0xffffff, 0x15191e },
    { "ink", 0x1a1d21, 0xe8eaed },
    { "muted", 0x565d66, 0xa3abb5 },
    { "grid", 0xd9dde2, 0x383f48 },
    { "heat", 0x6baed6, 0x1f5f8f },
    /* The six that are furthest apart for the eye that tells them apart least, found by search
     * among those of enough contrast; tests/unit/test_palette.c says how far. */
    { "s0", 0x0e51c3, 0x5e88dd },
    { "s1", 0xfe5b16, 0xdf5223 },
    { "s2", 0x00a76c, 0x00ff9b },
    { "s3", 0xcb62af, 0xb35f7c },
    { "s4", 0x6a3a0c, 0xffd600 },
    { "s5", 0x393b37, 0xd4f1ff },
};

/* Dashes tell series apart where colours do not: in print, and for some eyes. */
static const char *const dashes[PALETTE_SERIES_N] = {
    "none", "7 3", "2 2.5", "9 3 2 3", "5 2 1.5 2 1.5 2", "12 4"
};

/* Of bars, for the same reason; their outline is the whole colour. */
static const char *const filled[PALETTE_SERIES_N] = { "1", ".35", ".7", "0", ".5", ".15" };

uint32_t palette_colour(enum palette which, bool dark)
{
    return dark ? colours[which].dark : colours[which].light;
}

static void put_variables(struct buf *b, bool dark)
{
    buf_puts(b, ":root{");
    for (int i = 0; i < PALETTE_N; i++)
        buf_printf(b, "--%s:#%06x;", colours[i].name,
                   (unsigned)palette_colour((enum palette)i, dark));
    buf_puts(b, "}");
}

void palette_variables(struct buf *b)
{
    put_variables(b, false);
    buf_puts(b, "\n@media screen and (prefers-color-scheme:dark){");
    put_variables(b, true);
    buf_puts(b, "}\n");
}

enum form { VARIABLE, LIGHT, DARK };

static void colour(struct buf *b, enum form form, enum palette which)
{
    if (form == VARIABLE)
        buf_printf(b, "var(--%s)", colours[which].name);
    else
        buf_printf(b, "#%06x", (unsigned)palette_colour(which, form == DARK));
}

static void rule(struct buf *b, enum form form, const char *selector, const char *property,
                 enum palette which)
{
    buf_printf(b, "%s{%s:", selector, property);
    colour(b, form, which);
    buf_puts(b, "}");
}

static void put_colours(struct buf *b, enum form form)
{
    rule(b, form, ".pic-paper", "fill", PALETTE_PAPER);
    rule(b, form, ".pic-text", "fill", PALETTE_INK);
    rule(b, form, ".pic-muted", "fill", PALETTE_MUTED);
    rule(b, form, ".pic-grid", "stroke", PALETTE_GRID);
    rule(b, form, ".pic-axis", "stroke", PALETTE_MUTED);
    rule(b, form, ".pic-ink", "stroke", PALETTE_INK);
    rule(b, form, ".pic-edge", "stroke", PALETTE_PAPER);
    rule(b, form, ".pic-heat", "fill", PALETTE_HEAT);
    rule(b, form, ".pic-cell", "stroke", PALETTE_GRID);
    for (int i = 0; i < PALETTE_SERIES_N; i++) {
        char name[24];

        (void)snprintf(name, sizeof name, ".pic-l%d", i);
        rule(b, form, name, "stroke", (enum palette)(PALETTE_SERIES + i));
        (void)snprintf(name, sizeof name, ".pic-f%d", i);
        rule(b, form, name, "fill", (enum palette)(PALETTE_SERIES + i));
    }
}

void palette_rules(struct buf *b, bool alone)
{
    buf_puts(b, ".pic{display:block;width:100%;height:auto;font-family:system-ui,sans-serif}"
                ".pic-text,.pic-muted{font-size:12px}.pic-head{font-size:14px;font-weight:600}"
                ".pic-grid,.pic-axis,.pic-cell,.pic-line,.pic-thin,.pic-edge{fill:none}.pic-line{"
                "stroke-width:2;"
                "stroke-linejoin:round}.pic-thin{stroke-width:1.2}.pic-edge{stroke-width:3.2}"
                ".pic-band{fill-opacity:.22}.pic-diagonal{stroke-dasharray:3 3}");
    for (int i = 0; i < PALETTE_SERIES_N; i++)
        buf_printf(b, ".pic-d%d{stroke-dasharray:%s}.pic-b%d{fill-opacity:%s}", i, dashes[i], i,
                   filled[i]);
    put_colours(b, alone ? LIGHT : VARIABLE);
    if (alone) {
        buf_puts(b, ".pic{max-width:45rem;margin:auto;color-scheme:light dark}@media screen and "
                    "(prefers-color-scheme:dark){");
        put_colours(b, DARK);
        buf_puts(b, "}");
    }
    buf_putc(b, '\n');
}
