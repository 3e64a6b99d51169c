/* What the beginning of a table says about it. All of this can be wrong, and an option overrules
 * it. */
#include "table_rows.h"

#include <string.h>
#include <strings.h>

static bool ends_with(const char *name, size_t n, const char *suffix)
{
    const size_t len = strlen(suffix);

    return n >= len && !strncasecmp(name + n - len, suffix, len);
}

bool is_named(const char *name, const char *suffix)
{
    size_t n = strlen(name);

    if (ends_with(name, n, ".gz") || ends_with(name, n, ".zst"))
        n = (size_t)(strrchr(name, '.') - name);
    return ends_with(name, n, suffix);
}

static size_t behind_space(const struct view *v, size_t at)
{
    while (at < v->n && v->p[at] && strchr(" \t\r\n", v->p[at]))
        at++;
    return at;
}

/* Whether C is at AT, where the text goes on as JSON would. */
static bool begins(const struct view *v, size_t at, char c, const char *then)
{
    const size_t next = behind_space(v, at + 1);

    return at < v->n && v->p[at] == c && (next >= v->n || (v->p[next] && strchr(then, v->p[next])));
}

enum form form_guess(const char *name, const struct view *v)
{
    const size_t at = behind_space(v, 0);

    if (begins(v, at, '[', "{]"))
        return FORM_JSON;
    if (begins(v, at, '{', "\"}") || is_named(name, ".jsonl") || is_named(name, ".ndjson"))
        return FORM_JSONL;
    return FORM_CSV;
}
