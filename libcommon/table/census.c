#include "census.h"

#include "unarchive.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAMES_SHOWN = 6 };

static bool is_table_name(const char *path)
{
    static const char *const suffix[] = { ".csv", ".tsv", ".jsonl", ".ndjson" };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

    for (size_t i = 0; dot && i < sizeof suffix / sizeof *suffix; i++)
        if (!strcasecmp(dot, suffix[i]))
            return true;
    return false;
}

static void names_add(struct names *l, const char *name)
{
    if (l->n++ < NAMES_SHOWN)
        buf_printf(&l->text, "%s'%s'", l->text.n ? ", " : "", name);
    else if (l->n == NAMES_SHOWN + 1)
        buf_puts(&l->text, ", ...");
}

static bool is_pattern(const char *member)
{
    return member && strpbrk(member, "*?");
}

static bool is_asked_for(const char *name, const char *member)
{
    return !strcmp(name, member) ||
           (is_pattern(member) && !unarchive_is_hidden(name) && !fnmatch(member, name, 0));
}

bool census_add(struct census *c, const char *name, bool read)
{
    const bool hidden = unarchive_is_hidden(name);
    const bool wanted = c->member ? is_asked_for(name, c->member) : !hidden && is_table_name(name);

    if (wanted)
        names_add(&c->wanted, name);
    else if (!hidden)
        names_add(&c->others, name);
    if (wanted && !c->first)
        c->first = xstrdup(name);
    if (c->may_be_classes && read && (c->member ? wanted : !hidden && classes_may_have(name)))
        classes_add(&c->classes, name);
    return wanted;
}

/* A pattern says it, and several files that fit it are no tables; without one, the names have to.
 */
static bool has_classes(struct census *c)
{
    if (c->classes.n < 2 || (!c->member && c->wanted.n > 0))
        return false;
    for (int i = 0; i < c->classes.n; i++)
        if (is_table_name(c->classes.file[i]))
            return false;
    classes_label(&c->classes);
    return c->member || classes_are_likely(&c->classes);
}

int census_check(struct census *c, const char *archive)
{
    const char *rest = c->others.n ? c->others.text.p : "nothing";

    if (c->wanted.n == 1)
        return 0;
    if (has_classes(c))
        return 1;
    if (c->wanted.n > 1)
        return err_set(EXIT_DATA, "%s: holds %d tables: %s; choose one with --member", archive,
                       c->wanted.n, c->wanted.text.p);
    if (c->member)
        return err_set(EXIT_NOINPUT, "%s: has no member '%s'; it holds %s", archive, c->member,
                       rest);
    return err_set(EXIT_DATA,
                   "%s: holds no table (.csv, .tsv, .jsonl), it holds %s; name one of these with "
                   "--member if it is a table, or several by a pattern ('*.txt') if each holds "
                   "the texts of one label, a line each",
                   archive, rest);
}

void census_free(struct census *c)
{
    buf_free(&c->wanted.text);
    buf_free(&c->others.text);
    free(c->first);
    classes_free(&c->classes);
}
