#include "unicode_class.h"

#include "mem.h"

#include <string.h>

enum { L = UC_LETTER, N = UC_NUMBER, S = UC_SPACE, W = UC_WORD };

static const struct {
    uint32_t first, last;
    uint8_t classes;
} ranges[] = {
#include "unicode_class_table.h"
};

uint8_t *unicode_classes(void)
{
    uint8_t *table = xcalloc(UC_CODE_POINTS, 1);

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        memset(table + ranges[i].first, ranges[i].classes, ranges[i].last - ranges[i].first + 1);
    return table;
}
