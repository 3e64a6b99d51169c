#include "fit.h"

#include "item.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

static bool begins(const struct item *o, const char *with)
{
    return o->n >= strlen(with) && !memcmp(o->data, with, strlen(with));
}

/* Appends, and a newline, what an entry of promptify says of prompts and answers. Files have the
 * names that share's have, which go without their endings. */
static int put_way(struct buf *b, struct record *entry)
{
    struct items options = { 0 };
    struct item o;
    uint64_t n = 0;

    if (record_get_array(entry, "options", &options, &n) < 0)
        return -1;
    for (; n > 0; n--) {
        if (items_next(&options, &o, ITEM_TEXT) < 0)
            return -1;
        if (!begins(&o, "template=") && !begins(&o, "verbalizer="))
            continue;
        buf_puts(b, " --");
        buf_add(b, o.data, o.n - (o.n > 4 && !memcmp(o.data + o.n - 4, ".txt", 4) ? 4 : 0));
    }
    buf_putc(b, '\n');
    return 0;
}

/* Appends a line for each promptify of the N entries that S begins with. */
static int put_ways(struct buf *b, struct items *s, uint64_t n)
{
    struct record *entry = record_new();
    const char *tool;
    size_t len;
    int rc = 0;

    for (; rc >= 0 && n > 0; n--) {
        rc = record_of_items(entry, s);
        if (rc >= 0)
            rc = record_get_text(entry, "tool", &tool, &len);
        if (rc > 0 && text_is(tool, len, "promptify"))
            rc = put_way(b, entry);
    }
    record_free(entry);
    return rc < 0 ? -1 : 0;
}

static int put_ways_of_records(struct buf *b, const struct reader *r)
{
    struct record *header = record_new();
    struct buf bytes = BUF_INIT;
    struct items s, chain;
    struct item tag;
    uint64_t n = 0;

    reader_put_header(r, &bytes);
    s = (struct items){ (const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n };
    const int rc = items_next(&s, &tag, ITEM_TAG) < 0 || record_of_items(header, &s) < 0 ||
                           record_get_array(header, "chain", &chain, &n) < 0
                       ? -1
                       : put_ways(b, &chain, n);

    buf_free(&bytes);
    record_free(header);
    return rc < 0 ? err_in("%s", reader_name(r)) : 0;
}

/* The first line of SOME that is none of ALL, without its newline. NULL: each is one. */
static char *line_of_none(const char *some, const char *all)
{
    for (const char *end; *some; some = end + 1) {
        bool found = false;

        end = strchr(some, '\n');
        for (const char *p = all; *p && !found; p = strchr(p, '\n') + 1)
            found = !strncmp(p, some, (size_t)(end + 1 - some));
        if (!found)
            return xstrndup(some, (size_t)(end - some));
    }
    return NULL;
}

int fit_warn(const char *adapter, const struct buf *chain, const struct reader *r)
{
    struct buf learned = BUF_INIT, given = BUF_INIT;
    struct items s = { (const uint8_t *)chain->p, (const uint8_t *)chain->p + chain->n };
    struct item head;
    int rc = items_next(&s, &head, ITEM_ARRAY) < 0 ? -1 : put_ways(&learned, &s, head.u);

    if (rc < 0)
        (void)err_in("%s", adapter);
    else
        rc = put_ways_of_records(&given, r);
    if (rc == 0 && learned.n > 0 && given.n > 0) {
        char *other = line_of_none(given.p, learned.p);

        if (other)
            warn("%s: has learned prompts of promptify%.*s, and those here are of promptify%s; "
                 "make them alike",
                 adapter, (int)strcspn(learned.p, "\n"), learned.p, other);
        free(other);
    }
    buf_free(&learned);
    buf_free(&given);
    return rc;
}
