#include "beside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { NAME_BYTES = 200, SWEPT = 8, TRIES = 10000 };

void beside_folder_of(struct buf *b, const char *path)
{
    const char *slash = strrchr(path, '/');

    slash ? buf_add(b, path, (size_t)(slash - path) + 1) : buf_puts(b, ".");
}

/* ---- names ---- */

/* Whether all who write to the file system of FOLDER run on this machine, and so see our locks. */
static bool is_local(const char *folder)
{
    struct statfs fs;

    if (statfs(folder, &fs) < 0)
        return false;
    switch ((unsigned long)fs.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

/* What tells this machine, since it was started, from all others; where it is not known, this
 * process. */
static void put_machine(struct buf *b)
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char id[8];
    const ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof id);

    if (fd >= 0)
        (void)close(fd);
    if (n == (ssize_t)sizeof id)
        buf_printf(b, "%.*s-", (int)n, id);
    else
        buf_printf(b, "%ld-", (long)getpid());
}

/* All of the name but its number and ".tmp". */
static void put_stem(struct buf *b, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    struct buf folder = BUF_INIT;

    if (n > NAME_BYTES) /* between characters */
        for (n = NAME_BYTES; n > 1 && ((unsigned char)name[n] & 0xc0) == 0x80;)
            n--;
    beside_folder_of(&folder, path);
    buf_printf(b, "%.*s.%.*s.slmtools-", slash ? (int)folder.n : 0, folder.p, (int)n, name);
    if (!is_local(folder.p))
        put_machine(b);
    buf_free(&folder);
}

static void put_number(struct buf *b, size_t stem, int number)
{
    b->n = stem;
    buf_printf(b, "%d.tmp", number);
}

/* ---- locks ---- */

/* Whose PATH is, which was opened as FD. */
enum owner { OURS, OTHERS, UNKNOWN };

/* Locks it. Another process has the lock, or had it and took the name away: OTHERS. */
static enum owner lock(int fd, const char *path)
{
    struct stat held, named;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? OTHERS : UNKNOWN;
    if (fstat(fd, &held) < 0)
        return UNKNOWN;
    if (lstat(path, &named) < 0)
        return errno == ENOENT ? OTHERS : UNKNOWN;
    return held.st_ino == named.st_ino && held.st_dev == named.st_dev ? OURS : OTHERS;
}

DIR *beside_open_folder(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !d) {
        const int error = errno;

        (void)close(fd);
        errno = error;
    }
    return d;
}

void beside_remove_folder(DIR *d, const char *path)
{
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d));)
        (void)unlinkat(dirfd(d), e->d_name, 0); /* not a folder */
    (void)rmdir(path);
    (void)closedir(d);
}

/* ---- sweeping ---- */

/* Only what can be locked, and so is nobody's, goes. */
static void remove_stale_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    if (lock(fd, path) == OURS)
        (void)unlink(path);
    (void)close(fd);
}

static void remove_stale_folder(const char *path)
{
    DIR *d = beside_open_folder(path);

    if (d && lock(dirfd(d), path) == OURS)
        beside_remove_folder(d, path);
    else if (d)
        (void)closedir(d);
}

void beside_sweep(const char *path)
{
    struct buf temp = BUF_INIT;
    struct stat st;

    put_stem(&temp, path);
    const size_t stem = temp.n;

    for (int i = 0, there = 1; i < SWEPT || there; i++) {
        put_number(&temp, stem, i);
        there = lstat(temp.p, &st) == 0;
        if (there && S_ISREG(st.st_mode))
            remove_stale_file(temp.p);
        if (there && S_ISDIR(st.st_mode))
            remove_stale_folder(temp.p);
    }
    buf_free(&temp);
}

/* ---- making ---- */

static int make_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) < 0)
        return -1;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) /* swept before it was locked */
        errno = EEXIST;
    else if (fd < 0)
        (void)rmdir(path);
    return fd;
}

static int make_locked(int (*make)(const char *path), const char *path)
{
    const int fd = make(path);

    if (fd < 0 || lock(fd, path) != OTHERS)
        return fd;
    (void)close(fd);
    errno = EEXIST;
    return -1;
}

static int make_beside(struct buf *temp, const char *path, int (*make)(const char *path))
{
    int fd = -1;

    put_stem(temp, path);
    const size_t stem = temp->n;

    errno = EEXIST;
    for (int i = 0; fd < 0 && errno == EEXIST && i < TRIES; i++) {
        put_number(temp, stem, i);
        fd = make_locked(make, temp->p);
    }
    return fd;
}

int beside_file(struct buf *temp, const char *path)
{
    return make_beside(temp, path, make_file);
}

int beside_folder(struct buf *temp, const char *path)
{
    return make_beside(temp, path, make_folder);
}
