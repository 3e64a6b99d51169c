#include "cli_nearest.h"

#include <string.h>

enum { NAME_MAX_BYTES = 64 };

static char dashed(char c)
{
    return c == '_' ? '-' : c;
}

/* Whether WORD begins as NAME does, up to the end of the shorter one. */
static bool agree(const char *word, size_t n, const char *name)
{
    for (size_t i = 0; i < n && name[i]; i++)
        if (dashed(word[i]) != name[i])
            return false;
    return true;
}

bool cli_is_name(const char *word, size_t n, const char *name)
{
    return strlen(name) == n && agree(word, n, name);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, a row of the table at a time. */
static size_t distance(const char *word, size_t n, const char *name)
{
    const size_t m = strlen(name);
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 0; i < n; i++) {
        size_t corner = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < m; j++) {
            const size_t replaced = corner + (dashed(word[i]) != name[j]);

            corner = row[j + 1];
            row[j + 1] = least(replaced, least(corner, row[j]) + 1);
        }
    }
    return row[m];
}

/* The only name that WORD begins. */
static const char *completed(const char *word, size_t n, const char *const *names, int count)
{
    const char *found = NULL;

    for (int i = 0; i < count; i++)
        if (strlen(names[i]) > n && agree(word, n, names[i])) {
            if (found)
                return NULL;
            found = names[i];
        }
    return found;
}

const char *cli_nearest(const char *word, size_t n, const char *const *names, int count)
{
    const char *best = n >= 2 ? completed(word, n, names, count) : NULL;
    size_t slips = n / 3 + 1; /* from here on it is another word */

    if (best || n > NAME_MAX_BYTES)
        return best;
    for (int i = 0; i < count; i++) {
        const size_t away =
            strlen(names[i]) <= NAME_MAX_BYTES ? distance(word, n, names[i]) : slips;

        if (away < slips) {
            slips = away;
            best = names[i];
        }
    }
    return best;
}
