#include "classes.h"

#include "split.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_separator(char c)
{
    return c && strchr(". _-/", c);
}

void classes_add(struct classes *c, const char *file)
{
    c->file = xnrealloc(c->file, (size_t)c->n + 1, sizeof *c->file);
    c->file[c->n++] = xstrdup(file);
}

bool classes_may_have(const char *name)
{
    static const char *const notes[] = { "readme",  "license", "licence", "copying", "notice",
                                         "authors", "credits", "change",  "citation" };
    static const char *const languages[] = { ".xml", ".html", ".htm", ".json", ".md",  ".yaml",
                                             ".yml", ".py",   ".js",  ".css",  ".tex", ".rst" };
    const char *last = last_part(name), *dot = strrchr(last, '.');

    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (!strncasecmp(last, notes[i], strlen(notes[i])))
            return false;
    for (size_t i = 0; dot && i < sizeof languages / sizeof *languages; i++)
        if (!strcasecmp(dot, languages[i]))
            return false;
    return true;
}

/* Bytes that all names begin with, up to the last separator among them. */
static size_t common_beginning(const struct classes *c)
{
    size_t n = strlen(c->file[0]);

    for (int i = 1; i < c->n; i++) {
        size_t same = 0;

        while (same < n && c->file[i][same] == c->file[0][same])
            same++;
        n = same;
    }
    while (n > 0 && !is_separator(c->file[0][n - 1]))
        n--;
    return n;
}

/* Bytes that all names end with, from the first separator among them. */
static size_t common_end(const struct classes *c)
{
    const size_t len = strlen(c->file[0]);
    size_t n = len;

    for (int i = 1; i < c->n; i++) {
        const size_t other = strlen(c->file[i]);
        size_t same = 0;

        while (same < n && same < other &&
               c->file[i][other - 1 - same] == c->file[0][len - 1 - same])
            same++;
        n = same;
    }
    while (n > 0 && !is_separator(c->file[0][len - n]))
        n--;
    return n;
}

/* Whether each name has something between these two. */
static bool all_have_more(const struct classes *c, size_t beginning, size_t end)
{
    for (int i = 0; i < c->n; i++)
        if (strlen(c->file[i]) <= beginning + end)
            return false;
    return true;
}

void classes_label(struct classes *c)
{
    const size_t beginning = common_beginning(c);
    const size_t end = all_have_more(c, beginning, common_end(c)) ? common_end(c) : 0;

    c->label = xnmalloc((size_t)c->n, sizeof *c->label);
    for (int i = 0; i < c->n; i++)
        c->label[i] = all_have_more(c, beginning, end)
                          ? xstrndup(c->file[i] + beginning, strlen(c->file[i]) - beginning - end)
                          : xstrdup(c->file[i]);
}

bool classes_are_likely(const struct classes *c)
{
    if (c->n < 2)
        return false;
    const size_t folder = (size_t)(last_part(c->file[0]) - c->file[0]);

    for (int i = 0; i < c->n; i++)
        if ((size_t)(last_part(c->file[i]) - c->file[i]) != folder ||
            split_of(c->label[i], strlen(c->label[i])))
            return false;
    return common_beginning(c) >= folder && (common_beginning(c) > folder || common_end(c) > 0);
}

void classes_describe(const struct classes *c, struct buf *text)
{
    int i = 0;

    for (; i < c->n && text->n < 300; i++)
        buf_printf(text, "%s'%s' is %s", i ? ", " : "", c->file[i], c->label[i]);
    if (i < c->n)
        buf_puts(text, ", ...");
}

int classes_find(const struct classes *c, const char *file)
{
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->file[i], file))
            return i;
    return -1;
}

void classes_free(struct classes *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->file[i]);
        if (c->label)
            free(c->label[i]);
    }
    free(c->file);
    free(c->label);
    *c = (struct classes){ 0 };
}
