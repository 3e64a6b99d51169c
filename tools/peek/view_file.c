#include "pack.h"
#include "view.h"

#include "mem.h"

#include <string.h>

static int is_not_there(const struct pack *pack, const char *name)
{
    struct buf all = BUF_INIT;

    for (int i = 0; i < pack_count(pack) && i < 20; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", pack_at(pack, i)->name);
    const int rc = err_set(EXIT_NOINPUT, "%s: there is no file '%s' in it; there are: %s",
                           pack_name(pack), name, all.n ? all.p : "none");

    buf_free(&all);
    return rc;
}

static int show_file(const struct peek *p, const char *path)
{
    struct pack *pack;

    if (pack_open(&pack, path) < 0)
        return -1;
    const struct pack_file *f = pack_find(pack, p->file);
    const int rc = f ? write_text(p, (const char *)f->data, f->size) : is_not_there(pack, p->file);

    pack_close(pack);
    return rc;
}

int view_file(const struct peek *p)
{
    static const char *const standard[] = { "-", NULL };
    const char *const *path = p->paths[0] ? p->paths : standard;

    for (; *path; path++)
        if (show_file(p, *path) < 0)
            return -1;
    return 0;
}
