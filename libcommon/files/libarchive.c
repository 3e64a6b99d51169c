#include "libarchive.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
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
    errno = 0;
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL), *f = library;

    for (size_t i = 0; f && i < sizeof functions / sizeof *functions; i++) {
        f = dlsym(library, functions[i].name);
        /* ISO C has no cast from an object's address to a function's */
        memcpy((char *)&la + functions[i].at, &f, sizeof f);
    }
    if (f)
        return 0;
    la = (struct libarchive){ 0 };
    if (errno == ENOMEM)
        return err_set(EXIT_MEMORY, "out of memory: libarchive was to be opened");
    return err_set(EXIT_NODEVICE, "archives need libarchive: %s; install libarchive13", dlerror());
}

int libarchive_reader(struct archive **a, struct archive_entry **e)
{
    if (libarchive_open() < 0)
        return -1;
    errno = 0;
    *a = la.archive_read_new();
    *e = la.archive_entry_new();
    return *a && *e ? 0 : err_set(EXIT_MEMORY, "out of memory: an archive reader was wanted");
}

void libarchive_free(struct archive *a, struct archive_entry *e)
{
    if (a)
        la.archive_read_free(a);
    if (e)
        la.archive_entry_free(e);
}

/* Often it does not say so itself. */
bool libarchive_is_out_of_memory(struct archive *a)
{
    return errno == ENOMEM || la.archive_errno(a) == ENOMEM;
}

int libarchive_fail(struct archive *a)
{
    if (libarchive_is_out_of_memory(a))
        return err_set(EXIT_MEMORY, "out of memory: an archive was to be read");
    const char *why = la.archive_error_string(a);

    return err_set(EXIT_DATA, "cannot be read: %s; get it again", why ? why : "it is cut");
}

static bool busy;

static void on_end(int status, void *unused)
{
    (void)unused;
    if (busy && status == 1) {
        busy = false;
        die(EXIT_MEMORY, "out of memory: a name in an archive was to be read");
    }
}

void libarchive_begin(void)
{
    static bool known;

    if (!known)
        known = on_exit(on_end, NULL) == 0;
    busy = true;
}

void libarchive_end(void)
{
    busy = false;
}
