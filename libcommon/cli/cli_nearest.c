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

/* Levenshtein's distance, in which two neighbours that changed places are one slip; the last three
 * rows of the table. */
static size_t distance(const char *word, size_t n, const char *name)
{
    const size_t m = strlen(name);
    size_t row[3][NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3];
        const size_t *last = row[(i - 1) % 3], *before = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = least(last[j - 1] + (dashed(word[i - 1]) != name[j - 1]),
                           least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && dashed(word[i - 1]) == name[j - 2] &&
                dashed(word[i - 2]) == name[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return row[n % 3][m];
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
