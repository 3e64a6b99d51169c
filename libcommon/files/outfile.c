#include "outfile.h"

#include "beside.h"
#include "claim.h"
#include "mem.h"
#include "outfile_parts.h"
#include "stop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16 };

struct outfile {
    int fd;
    char *path; /* final name; NULL: written in place, or inside a folder */
    char *name; /* for messages */
    struct unfinished *temp;
    struct claim *claim;
    bool force, inside;
    bool reserved; /* there may be more of it on the disk than was written */
    _Atomic bool failed;
    size_t n;
    char buffer[BUFFER_BYTES];
};

void outfile_prepare(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    /* A closed standard stream must not become the next file that is opened. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            _exit(EXIT_IO);
    unfinished_prepare();
    (void)signal(SIGXFSZ, SIG_IGN);
}

void outfile_remove(const char *path)
{
    if (unlink(path) == 0)
        return;
    DIR *d = beside_open_folder(path);

    if (d)
        beside_remove_folder(d, path);
}

/* ---- room ---- */

static int no_room(const char *name, uint64_t bytes, const char *why)
{
    return err_set(EXIT_IO, "%s: %.1f MB are wanted: %s; make room or choose another place", name,
                   (double)bytes * 1e-6, why);
}

/* What a file system does not tell is taken for enough. */
static int compare_room(const char *name, uint64_t bytes, const struct statvfs *fs)
{
    const uint64_t size = fs->f_frsize ? fs->f_frsize : fs->f_bsize;
    char why[64];

    if (!size || fs->f_blocks == 0 || fs->f_bavail >= bytes / size + (bytes % size != 0))
        return 0;
    (void)snprintf(why, sizeof why, "only %.1f MB are free",
                   (double)fs->f_bavail * (double)size * 1e-6);
    return no_room(name, bytes, why);
}

/* ---- open ---- */

int outfile_check_name(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return 0;
    if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        return errno == ENAMETOOLONG
                   ? err_set(EXIT_CREATE, "%s: cannot create: %s", path, strerror(errno))
                   : 0;
    return err_set(EXIT_CREATE,
                   "%s: is a link that leads to nothing; remove it or name what it should lead to",
                   path);
}

/* Opens what is no regular file (a device, a pipe) to be written in place. */
static int open_in_place(struct outfile *f, const char *path)
{
    f->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (f->fd < 0)
        return err_set(EXIT_CREATE, "%s: cannot open for writing: %s", path, strerror(errno));
    unfinished_in_place(&f->temp);
    return 0;
}

static int open_standard(struct outfile *f)
{
    f->fd = STDOUT_FILENO;
    unfinished_in_place(&f->temp);
    return claim_output_fd(&f->claim, f->fd, f->name);
}

/* OLD: what is there, NULL: nothing. Its permissions stay. */
static int open_temporary(struct outfile *f, const char *path, const struct stat *old)
{
    char real[PATH_MAX];

    /* The file behind a link is replaced, not the link. */
    f->path = xstrdup(old && realpath(path, real) ? real : path);
    if (claim_output(&f->claim, f->path, f->name) < 0)
        return -1;
    if (old && !f->force)
        return err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", path);
    if (unfinished_file(&f->temp, f->path) < 0)
        return err_set(EXIT_CREATE, "%s: cannot create: %s", path, strerror(errno));
    f->fd = unfinished_fd(f->temp);
    if (old)
        (void)fchmod(f->fd, old->st_mode & 0777);
    return 0;
}

static int open_named(struct outfile *f, const char *path)
{
    struct stat st;
    const bool exists = stat(path, &st) == 0;

    if (!*path)
        return err_set(EXIT_CREATE, "the output has an empty name; use '-' for standard output");
    if (outfile_check_name(path) < 0)
        return -1;
    if (exists && S_ISDIR(st.st_mode))
        return err_set(EXIT_CREATE, "%s: is a folder; give the name of a file", path);
    return exists && !S_ISREG(st.st_mode) ? open_in_place(f, path)
                                          : open_temporary(f, path, exists ? &st : NULL);
}

/* A regular file of ours; else it is written in place. */
static bool is_made(const struct outfile *f)
{
    return f->path || f->inside;
}

static void release(struct outfile *f)
{
    if (!is_made(f) && f->fd > STDERR_FILENO)
        (void)close(f->fd);
    unfinished_free(f->temp);
    claim_release(f->claim);
    free(f->path);
    free(f->name);
    free(f);
}

static struct outfile *new_outfile(const char *name, bool force)
{
    struct outfile *f = xmalloc(sizeof *f);

    outfile_prepare();
    *f = (struct outfile){ .fd = -1, .force = force };
    f->name = xstrdup(name);
    return f;
}

static int give_out(struct outfile **out, struct outfile *f, int rc)
{
    if (rc < 0)
        release(f);
    else
        *out = f;
    return rc;
}

int outfile_open(struct outfile **out, const char *path, bool force, bool binary)
{
    const bool standard = !strcmp(path, "-");
    struct outfile *f = new_outfile(standard ? "standard output" : path, force);
    int rc = standard ? open_standard(f) : open_named(f, path);

    if (!rc && binary && isatty(f->fd))
        rc = err_set(EXIT_USAGE,
                     "the output is binary and %s is a terminal; use -o FILE, or pipe it into peek",
                     f->name);
    return give_out(out, f, rc);
}

int outfile_inside(struct outfile **out, struct unfinished *folder, const char *file,
                   const char *name)
{
    struct outfile *f = new_outfile(name, false);
    int rc = unfinished_inside(&f->temp, folder, file);

    f->inside = true;
    if (rc < 0)
        rc = err_set(EXIT_CREATE, "%s: cannot create: %s", name, strerror(errno));
    else
        f->fd = unfinished_fd(f->temp);
    return give_out(out, f, rc);
}

/* A pipe is opened once only: its reader would take the second time for the end. */
int outfile_try(const char *path, bool force, bool binary)
{
    struct outfile *f;
    struct stat st;

    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
        return 0;
    if (outfile_open(&f, path, force, binary) < 0)
        return -1;
    outfile_abort(f);
    return 0;
}

/* ---- write ---- */

static int write_fail(struct outfile *f)
{
    f->failed = true;
    if (errno == EPIPE)
        stop_pipe();
    return err_set(EXIT_IO,
                   errno == EPIPE
                       ? "%s: cannot write: the program that reads it has ended; see what it says"
                   : errno == EBADF ? "%s: is closed; name a file with --output"
                                    : "%s: cannot write: %s",
                   f->name, strerror(errno));
}

/* AT: the place in the file; -1: behind what was written so before. */
static int write_out(struct outfile *f, int64_t at, const char *p, size_t n)
{
    while (n) {
        const ssize_t done = at < 0 ? write(f->fd, p, n) : pwrite(f->fd, p, n, at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_fail(f);
        p += done;
        n -= (size_t)done;
        at += at < 0 ? 0 : done;
    }
    return 0;
}

int outfile_write_at(struct outfile *f, uint64_t offset, const void *bytes, size_t n)
{
    assert(is_made(f));
    return write_out(f, (int64_t)offset, bytes, n);
}

int outfile_write(struct outfile *f, const void *bytes, size_t n)
{
    if (n > sizeof f->buffer - f->n) {
        if (write_out(f, -1, f->buffer, f->n) < 0)
            return -1;
        f->n = 0;
        if (n >= sizeof f->buffer)
            return write_out(f, -1, bytes, n);
    }
    if (n)
        memcpy(f->buffer + f->n, bytes, n);
    f->n += n;
    return 0;
}

/* Not all file systems can: then free bytes are all that may be known. */
int outfile_reserve(struct outfile *f, uint64_t bytes)
{
    struct statvfs fs;
    int rc;

    if (!is_made(f) || !bytes)
        return 0;
    do
        rc = fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
    while (rc < 0 && errno == EINTR);
    f->reserved = f->reserved || rc == 0;
    if (rc == 0)
        return 0;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return no_room(f->name, bytes, strerror(errno));
    return fstatvfs(f->fd, &fs) < 0 ? 0 : compare_room(f->name, bytes, &fs);
}

/* Gives back what was set aside and not used. */
static void trim(struct outfile *f)
{
    struct stat st;

    if (f->reserved && fstat(f->fd, &st) == 0 && ftruncate(f->fd, st.st_size) == 0)
        f->reserved = false;
}

static int flush(struct outfile *f)
{
    const size_t n = f->n;

    if (f->failed)
        return err_set(EXIT_IO, "%s: an earlier write failed", f->name);
    f->n = 0;
    return write_out(f, -1, f->buffer, n);
}

/* ---- commit ---- */

int outfile_sync(struct outfile *f)
{
    if (flush(f) < 0)
        return -1;
    trim(f);
    if (!f->inside && unfinished_sync(f->temp) < 0)
        return err_set(EXIT_IO, "%s: cannot write: %s", f->name, strerror(errno));
    return 0;
}

static int give_name(struct outfile *f)
{
    if (unfinished_rename(f->temp, f->path, !f->force) == 0)
        return 0;
    return err_set(EXIT_CREATE,
                   errno == EEXIST ? "%s: appeared meanwhile; use --force to replace it"
                                   : "%s: cannot create: %s",
                   f->name, strerror(errno));
}

static int end_in_place(struct outfile *f)
{
    const int fd = f->fd;

    f->fd = -1;
    if (fd > STDERR_FILENO && close(fd) < 0)
        return err_set(EXIT_IO, "%s: cannot write: %s", f->name, strerror(errno));
    unfinished_done(f->temp);
    return 0;
}

int outfile_commit(struct outfile *f)
{
    int rc = outfile_sync(f);

    if (!rc && f->inside)
        f->temp = NULL; /* the folder's */
    else if (!rc)
        rc = f->path ? give_name(f) : end_in_place(f);
    release(f);
    return rc;
}

void outfile_abort(struct outfile *f)
{
    if (f)
        release(f);
}

const char *outfile_name(const struct outfile *f)
{
    return f->name;
}
