#include "page_line.h"

#include "json_walk.h"

#include <stdlib.h>
#include <string.h>

bool line_next(struct line *l, const char **at)
{
    if (!*at || !**at)
        return false;
    l->nested = !strncmp(*at, "  ", 2);
    l->p = *at + (l->nested ? 2 : 0);
    l->n = strcspn(l->p, "\n");
    *at = l->p + l->n + (l->p[l->n] == '\n');
    return true;
}

bool line_is_input(const struct line *l)
{
    return l->n > 6 && !memcmp(l->p, "input ", 6);
}

int line_adapter(const struct line *l)
{
    const bool begins = !l->nested && l->n > 8 && !memcmp(l->p, "adapter ", 8);

    return begins && strspn(l->p + 8, "0123456789") == l->n - 8 ? atoi(l->p + 8) : 0;
}

void line_word(struct buf *word, const char **at, const char *end)
{
    struct buf room = BUF_INIT;
    const char *text = *at;
    size_t n = strcspn(text, " \n");

    if (*text == '"')
        text = json_string(at, &room, &n);
    else
        *at += n;
    buf_clear(word);
    buf_add(word, text, n);
    buf_free(&room);
    while (*at < end && **at == ' ')
        ++*at;
}

void line_input(struct buf *what, struct buf *hex, const struct line *l)
{
    const char *at = l->p + 6, *const end = l->p + l->n;

    line_word(what, &at, end);
    line_word(hex, &at, end);
}
