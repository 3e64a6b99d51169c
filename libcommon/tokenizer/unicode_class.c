#include "unicode_class.h"

#include "mem.h"

#include <string.h>

enum { L = UC_LETTER, N = UC_NUMBER, S = UC_SPACE, W = UC_WORD, NFC = UC_NFC, F = UC_COMPOSES };

struct range {
    uint32_t first, last;
    uint8_t classes;
};

static const struct range ranges[] = {
#include "unicode_class_table.h"
};

static const struct range numeric[] = { { 0x11DE0, 0x11DE9, UC_NUMERIC },
                                        { 0x16FF4, 0x16FF6, UC_NUMERIC } };

static const struct range nfc[] = {
#include "unicode_nfc_table.h"
};

static const struct {
    uint32_t first, last, same;
} newer[] = {
#include "unicode_new_table.h"
};

static void add_all(uint8_t *table, const struct range *r, size_t n)
{
    for (; n--; r++)
        for (uint32_t cp = r->first; cp <= r->last; cp++)
            table[cp] |= r->classes;
}

uint8_t *unicode_classes(void)
{
    uint8_t *table = xcalloc(UC_CODE_POINTS, 1);

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        memset(table + ranges[i].first, ranges[i].classes, ranges[i].last - ranges[i].first + 1);
    add_all(table, numeric, sizeof numeric / sizeof *numeric);
    return table;
}

void unicode_add_nfc(uint8_t *classes)
{
    add_all(classes, nfc, sizeof nfc / sizeof *nfc);
}

void unicode_add_new(uint8_t *classes)
{
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        for (uint32_t cp = newer[i].first; cp <= newer[i].last; cp++)
            classes[cp] |= UC_NEW;
}

uint32_t unicode_same(uint32_t cp)
{
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        if (cp >= newer[i].first && cp <= newer[i].last)
            return newer[i].same;
    return cp;
}
