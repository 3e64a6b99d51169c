#include "plugin.h"

#include "share.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "slmtools-NAME.so". */
static const char *file_of(const char *name)
{
    static char file[64];

    (void)snprintf(file, sizeof file, "slmtools-%s.so", name);
    return file;
}

static const struct plugin *opened(const char *path)
{
    void *const so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *const why = so ? NULL : dlerror();

    if (!so) {
        (void)err_set(EXIT_NODEVICE,
                      "cannot open the plug-in: %s; build it again, or use --device cpu",
                      why ? why : path);
        return NULL;
    }
    const struct plugin *const p = dlsym(so, PLUGIN_SYMBOL);

    if (!p || p->version != PLUGIN_VERSION || p->table_bytes != sizeof(struct ops)) {
        (void)dlclose(so);
        (void)err_set(
            EXIT_NODEVICE,
            "%s: is a plug-in of another version of slmtools; build and install both from "
            "the same source, or use --device cpu",
            path);
        return NULL;
    }
    return p;
}

bool plugin_is_there(const char *name)
{
    char *path;
    const int rc = lib_find(&path, file_of(name));

    if (rc > 0)
        free(path);
    return rc > 0;
}

const struct plugin *plugin_find(const char *name)
{
    static char *last; /* its path: a process opens each once */
    static const struct plugin *found;
    char *path;

    if (lib_find(&path, file_of(name)) <= 0)
        return NULL;
    if (!found || strcmp(path, last) != 0) {
        free(last);
        last = path;
        found = opened(path);
    } else {
        free(path);
    }
    return found;
}

int plugin_ops(struct ops *o, const char *name, int number, enum dtype act)
{
    const struct plugin *const p = plugin_find(name);
    const int n = p ? p->count(err_set) : -1;

    if (n < 0)
        return -1;
    if (number >= n)
        return err_set(
            EXIT_NODEVICE,
            "there is no device %d: this machine has %d, numbered from 0; see peek --devices",
            number, n);
    memset(o, 0, sizeof *o);
    return p->open(o, number, act, err_set);
}
