#include "tempfile.h"

#include "mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LEFT = 256 << 20 }; /* bytes of the file system, or a 64th where that is less */

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

/* Room is left for others: an endless input must not fill what all programs write to. */
static int leave_room(int fd, size_t n)
{
    struct statvfs fs;

    if (fstatvfs(fd, &fs) < 0)
        return fail(errno);
    const uint64_t all = (uint64_t)fs.f_blocks * fs.f_frsize / 64;

    if ((uint64_t)fs.f_bavail * fs.f_frsize < n + (all < LEFT ? all : LEFT))
        return err_set(EXIT_IO,
                       "%s: is nearly full with temporary files; set TMPDIR to a folder with more "
                       "room, or look whether the input ends",
                       folder());
    return 0;
}

int tempfile_write(int fd, const void *bytes, size_t n, size_t at)
{
    if (leave_room(fd, n) < 0)
        return -1;
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
