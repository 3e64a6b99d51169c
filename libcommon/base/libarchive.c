#include "libarchive.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define SONAME "libarchive.so.13" /* of all versions since 3.0 */

struct libarchive la;

static const struct {
    const char *name;
    size_t at;
} functions[] = {
#define X(function) { #function, offsetof(struct libarchive, function) },
    LIBARCHIVE_FUNCTIONS(X)
#undef X
};

int libarchive_open(void)
{
    if (la.archive_read_new)
        return 0;
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL), *f = library;

    for (size_t i = 0; f && i < sizeof functions / sizeof *functions; i++) {
        f = dlsym(library, functions[i].name);
        /* ISO C has no cast from an object's address to a function's */
        memcpy((char *)&la + functions[i].at, &f, sizeof f);
    }
    if (f)
        return 0;
    la = (struct libarchive){ 0 };
    return err_set(EXIT_NODEVICE, "archives need libarchive: %s; install libarchive13", dlerror());
}
