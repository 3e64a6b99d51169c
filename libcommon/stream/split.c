#include "split.h"

#include <string.h>
#include <strings.h>

const char *split_of(const char *name, size_t n)
{
    static const struct {
        const char *called, *is;
    } known[] = {
        { "train", "train" }, { "eval", "eval" }, { "test", "test" }, { "validation", "eval" },
        { "valid", "eval" },  { "val", "eval" },  { "dev", "eval" },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].called) == n && !strncasecmp(known[i].called, name, n))
            return known[i].is;
    (void)err_set(EXIT_DATA,
                  "split '%.*s' is none of train, eval (or validation, valid, val, dev) and test; "
                  "correct it, or leave the field out",
                  n < 40 ? (int)n : 40, name);
    return NULL;
}

int record_split(const struct record *r, const char **name)
{
    const struct field *f = record_find(r, "split");

    if (!f)
        return 0;
    if (f->type != ITEM_TEXT)
        return err_set(EXIT_DATA, "field 'split' is no text; write train, eval or test");
    *name = split_of(f->data, f->n);
    return *name ? 1 : -1;
}

int record_name_split(struct record *r)
{
    const char *name = NULL;
    const int has = record_split(r, &name);

    if (has > 0) {
        const struct field *f = record_find(r, "split");

        if (!text_is(f->data, f->n, name))
            record_set_text(r, "split", name, strlen(name));
    }
    return has < 0 ? -1 : 0;
}
