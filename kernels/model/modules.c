/* modules.c - names of linears. */
#include "modules.h"

#include <string.h>

const char *module_name(const struct module_info *info)
{
    const char *dot = strrchr(info->path, '.');

    return dot ? dot + 1 : info->path;
}

void module_path(struct buf *b, const struct modules *m, int layer, int module)
{
    const char *hole = strstr(m->layer_prefix, "%d");

    buf_add(b, m->layer_prefix, (size_t)(hole - m->layer_prefix));
    buf_printf(b, "%d%s%s", layer, hole + 2, m->at[module].path);
}
