/* What --device may name on this machine, and why not. */
#include "plugin.h"
#include "view.h"

#include "mem.h"

static void add_cards(struct buf *all, const struct plugin *cuda, int n)
{
    for (int i = 0; i < n; i++) {
        char text[512];

        if (cuda->describe(text, sizeof text, i, err_set) < 0)
            buf_printf(all, "cuda:%d\tcannot be used: %s\n", i, err_text());
        else
            buf_printf(all, "cuda:%d\t%s\n", i, text);
    }
}

int view_devices(const struct peek *p)
{
    const struct plugin *const cuda = plugin_find("cuda");
    const int n = cuda ? cuda->count(err_set) : -1;
    struct buf all = BUF_INIT;

    if (p->paths[0])
        return err_set(EXIT_USAGE, "--devices reads no file");
    buf_printf(&all, "cpu\tcan be used\n");
    if (n < 0)
        buf_printf(&all, "cuda\tcannot be used: %s\n", err_text());
    add_cards(&all, cuda, n);
    const int rc = write_text(p, all.p, all.n);

    buf_free(&all);
    return rc;
}
