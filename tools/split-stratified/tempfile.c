#include "tempfile.h"

#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder(void)
{
    const char *name = getenv("TMPDIR");

    return name && *name ? name : "/tmp";
}

static int fail(int error)
{
    return err_set(EXIT_IO, "%s: cannot hold a temporary file: %s; set TMPDIR to another folder",
                   folder(), error ? strerror(error) : "it was cut short");
}

int tempfile_open(int *fd)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s.XXXXXX", folder(), err_tool());
    *fd = mkstemp(path.p);
    const int error = errno;

    if (*fd >= 0)
        (void)unlink(path.p);
    buf_free(&path);
    return *fd < 0 ? fail(error) : 0;
}

int tempfile_write(int fd, const void *bytes, size_t n, size_t at)
{
    for (size_t done = 0; done < n;) {
        const ssize_t wrote = pwrite(fd, (const char *)bytes + done, n - done, (off_t)(at + done));

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fail(errno);
        done += (size_t)wrote;
    }
    return 0;
}

int tempfile_read(int fd, void *to, size_t n, size_t at)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(got < 0 ? errno : 0);
        done += (size_t)got;
    }
    return 0;
}
