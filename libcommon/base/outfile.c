#include "outfile.h"

#include "mem.h"
#include "stop.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNFINISHED_MAX = 16, BUFFER_BYTES = 1 << 16, TREE_DEPTH = 8 };

/*
 * Temporary names that a signal or exit must remove. A slot's path is complete before its `used` is
 * set and stays until after it is cleared, so a handler may look at any moment.
 */
static struct unfinished {
    char path[PATH_MAX];
    volatile sig_atomic_t used;
} unfinished[UNFINISHED_MAX];

/* ---- removal: only calls that a signal handler may make ---- */

struct linux_dirent { /* what getdents64 fills: the kernel's layout */
    uint64_t ino;
    int64_t off;
    unsigned short len;
    unsigned char type;
    char name[];
};

/* Empties the folder behind FD. opendir allocates, which a handler must not. */
static void empty_folder(int fd, int depth)
{
    _Alignas(struct linux_dirent) char room[4096];
    long got;

    while ((got = syscall(SYS_getdents64, fd, room, sizeof room)) > 0) {
        for (long at = 0; at < got;) {
            const struct linux_dirent *e = (const struct linux_dirent *)(const void *)(room + at);

            at += e->len;
            if (!strcmp(e->name, ".") || !strcmp(e->name, ".."))
                continue;
            if (unlinkat(fd, e->name, 0) == 0 || depth >= TREE_DEPTH)
                continue;
            const int sub = openat(fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (sub >= 0) {
                empty_folder(sub, depth + 1);
                (void)close(sub);
                (void)unlinkat(fd, e->name, AT_REMOVEDIR);
            }
        }
    }
}

void outfile_remove(const char *path)
{
    if (unlink(path) == 0)
        return;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    empty_folder(fd, 0);
    (void)close(fd);
    (void)rmdir(path);
}

static void remove_unfinished(void)
{
    for (int i = 0; i < UNFINISHED_MAX; i++)
        if (unfinished[i].used)
            outfile_remove(unfinished[i].path);
}

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
    stop_prepare(remove_unfinished);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)atexit(remove_unfinished);
}

/* ---- temporary names ---- */

/* Takes a slot with an unused name beside PATH; MAKE creates it and returns -1 when it exists. */
static struct unfinished *reserve(const char *path, int (*make)(const char *path), int *made)
{
    static int serial;
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash - path + 1) : 0;
    struct unfinished *u = NULL;

    for (int i = 0; i < UNFINISHED_MAX && !u; i++)
        if (!unfinished[i].used)
            u = &unfinished[i];
    if (!u)
        die(EXIT_NUMERIC, "more than %d unfinished outputs", UNFINISHED_MAX);
    do {
        const int n = snprintf(u->path, sizeof u->path, "%.*s.%s-%ld-%d.tmp", folder, path,
                               err_tool(), (long)getpid(), serial++);

        if (n < 0 || (size_t)n >= sizeof u->path) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        *made = make(u->path);
    } while (*made < 0 && errno == EEXIST);
    if (*made < 0)
        return NULL;
    u->used = 1;
    return u;
}

static int make_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777);
}

/* Renames TEMP to PATH; without FORCE an existing PATH is never replaced, also not one that came
 * while we wrote. Old file systems cannot promise that; there the check at the beginning stands. */
static int put_in_place(const char *temp, const char *path, bool force)
{
    if (!force) {
        if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOSYS)
            return -1;
    }
    return rename(temp, path);
}

/* ---- room ---- */

/* The folder that PATH is in. */
static void put_folder_of(struct buf *b, const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    n ? buf_add(b, path, n) : buf_puts(b, ".");
}

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

int outfile_room(const char *path, uint64_t bytes)
{
    struct buf folder = BUF_INIT;
    struct statvfs fs;
    struct stat st;

    if (!strcmp(path, "-") ||
        (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    put_folder_of(&folder, path);
    const int rc = statvfs(folder.p, &fs);

    buf_free(&folder);
    return rc < 0 ? 0 : compare_room(path, bytes, &fs);
}

/* ---- one file ---- */

struct outfile {
    int fd;
    char *path; /* final name; NULL: written in place (standard output, a device) */
    char *name; /* for messages */
    struct unfinished *temp;
    bool force, reserved; /* RESERVED: there may be more of it on the disk than was written */
    _Atomic bool failed;
    size_t n;
    char buffer[BUFFER_BYTES];
};

/* Opens what is no regular file (a device, a pipe) to be written in place. */
static int open_in_place(struct outfile *f, const char *path)
{
    f->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (f->fd < 0)
        return err_set(EXIT_CREATE, "%s: cannot open for writing: %s", path, strerror(errno));
    return 0;
}

static int open_temporary(struct outfile *f, const char *path, bool exists)
{
    char real[PATH_MAX];

    if (exists && !f->force)
        return err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", path);
    /* The file behind a link is replaced, not the link. */
    f->path = xstrdup(exists && realpath(path, real) ? real : path);
    f->temp = reserve(f->path, make_file, &f->fd);
    if (!f->temp)
        return err_set(EXIT_CREATE, "%s: cannot create: %s", path, strerror(errno));
    return 0;
}

static int open_named(struct outfile *f, const char *path)
{
    struct stat st;
    const bool exists = stat(path, &st) == 0;

    if (!*path)
        return err_set(EXIT_CREATE, "the output has an empty name; use '-' for standard output");
    if (exists && S_ISDIR(st.st_mode))
        return err_set(EXIT_CREATE, "%s: is a folder; give the name of a file", path);
    return exists && !S_ISREG(st.st_mode) ? open_in_place(f, path)
                                          : open_temporary(f, path, exists);
}

static void release(struct outfile *f)
{
    if (f->fd > STDERR_FILENO)
        (void)close(f->fd);
    if (f->temp) {
        outfile_remove(f->temp->path); /* already gone when it was renamed */
        f->temp->used = 0;
    }
    free(f->path);
    free(f->name);
    free(f);
}

int outfile_open(struct outfile **out, const char *path, bool force, bool binary)
{
    const bool standard = !strcmp(path, "-");
    struct outfile *f = xmalloc(sizeof *f);
    int rc = 0;

    outfile_prepare();
    *f = (struct outfile){ .fd = STDOUT_FILENO, .force = force };
    f->name = xstrdup(standard ? "standard output" : path);
    if (!standard)
        rc = open_named(f, path);
    if (!rc && binary && isatty(f->fd))
        rc = err_set(EXIT_USAGE,
                     "the output is binary and %s is a terminal; use -o FILE, or pipe it into peek",
                     f->name);
    if (rc) {
        if (f->fd < 0)
            f->fd = STDOUT_FILENO;
        release(f);
        return -1;
    }
    *out = f;
    return 0;
}

static int write_fail(struct outfile *f)
{
    f->failed = true;
    return err_set(EXIT_IO,
                   errno == EPIPE
                       ? "%s: cannot write: the program that reads it has ended; see what it says"
                       : "%s: cannot write: %s",
                   f->name, strerror(errno));
}

static int write_out(struct outfile *f, const char *p, size_t n)
{
    while (n) {
        const ssize_t done = write(f->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_fail(f);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int outfile_write_at(struct outfile *f, uint64_t offset, const void *bytes, size_t n)
{
    const char *p = bytes;

    assert(f->temp);
    while (n) {
        const ssize_t done = pwrite(f->fd, p, n, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_fail(f);
        p += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return 0;
}

int outfile_write(struct outfile *f, const void *bytes, size_t n)
{
    if (n > sizeof f->buffer - f->n) {
        if (write_out(f, f->buffer, f->n) < 0)
            return -1;
        f->n = 0;
        if (n >= sizeof f->buffer)
            return write_out(f, bytes, n);
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

    if (!f->temp || !bytes)
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

int outfile_flush(struct outfile *f)
{
    const size_t n = f->n;

    if (f->failed)
        return err_set(EXIT_IO, "%s: an earlier write failed", f->name);
    f->n = 0;
    return write_out(f, f->buffer, n);
}

int outfile_commit(struct outfile *f)
{
    int rc = outfile_flush(f);

    trim(f);
    if (f->fd > STDERR_FILENO && close(f->fd) < 0 && !rc)
        rc = err_set(EXIT_IO, "%s: cannot write: %s", f->name, strerror(errno));
    f->fd = STDOUT_FILENO;
    if (!rc && f->path && put_in_place(f->temp->path, f->path, f->force) < 0)
        rc = err_set(EXIT_CREATE,
                     errno == EEXIST ? "%s: appeared meanwhile; use --force to replace it"
                                     : "%s: cannot create: %s",
                     f->name, strerror(errno));
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

/* ---- a folder ---- */

struct outdir {
    char *path; /* without a slash at the end */
    struct unfinished *temp;
    bool replace; /* something is there and may go */
};

enum found { NOTHING, EMPTY_FOLDER, MODEL_FOLDER, SOMETHING };

/* What is at PATH. Only a folder that holds a model or an adapter is ours to replace: --force with
 * a slip of the pen must not empty a home. */
static enum found look(const char *path)
{
    static const char *const ours[] = { "config.json", "adapter_config.json" };
    struct stat st;
    int entries = 0;

    if (lstat(path, &st) < 0)
        return NOTHING;
    DIR *d = opendir(path);

    if (!d)
        return SOMETHING;
    for (const struct dirent *e; (e = readdir(d));)
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    enum found what = entries ? SOMETHING : EMPTY_FOLDER;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (faccessat(dirfd(d), ours[i], F_OK, 0) == 0)
            what = MODEL_FOLDER;
    (void)closedir(d);
    return what;
}

static void outdir_release(struct outdir *d)
{
    if (d->temp) {
        outfile_remove(d->temp->path);
        d->temp->used = 0;
    }
    free(d->path);
    free(d);
}

int outdir_open(struct outdir **out, const char *path, bool force, const char **temp)
{
    struct outdir *d = xcalloc(1, sizeof *d);
    size_t n = strlen(path);
    int rc = 0, made;

    outfile_prepare();
    while (n > 1 && path[n - 1] == '/')
        n--;
    d->path = xstrndup(path, n);
    const enum found what = look(d->path);

    d->replace = what == MODEL_FOLDER;
    if (what == MODEL_FOLDER && !force)
        rc = err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", path);
    else if (what == SOMETHING)
        rc = err_set(EXIT_CREATE,
                     "%s: is there and is no model folder; remove it yourself or give another name",
                     path);
    else if (!(d->temp = reserve(d->path, make_folder, &made)))
        rc = err_set(EXIT_CREATE, "%s: cannot create: %s", path, strerror(errno));
    if (rc) {
        outdir_release(d);
        return -1;
    }
    *temp = d->temp->path;
    *out = d;
    return 0;
}

/* The old folder steps aside under a temporary name, the new one takes its place. No signal may
 * come between: it would leave the old one under a name that nobody knows. */
static int exchange(struct outdir *d)
{
    sigset_t all, before;
    int made, rc = -1;
    struct unfinished *old = reserve(d->path, make_folder, &made);

    if (!old)
        return -1;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    if (rename(d->path, old->path) == 0) {
        rc = rename(d->temp->path, d->path);
        if (rc < 0 && rename(old->path, d->path) < 0)
            old->used = 0; /* leave it where it is rather than remove it */
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (old->used)
        outfile_remove(old->path);
    old->used = 0;
    return rc;
}

int outdir_commit(struct outdir *d)
{
    /* rename replaces an empty folder by itself */
    int rc = d->replace ? exchange(d) : rename(d->temp->path, d->path);

    if (rc < 0)
        rc = err_set(EXIT_CREATE, "%s: cannot create: %s", d->path, strerror(errno));
    outdir_release(d);
    return rc;
}

void outdir_abort(struct outdir *d)
{
    if (d)
        outdir_release(d);
}
