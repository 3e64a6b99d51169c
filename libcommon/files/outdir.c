#include "outdir.h"

#include "beside.h"
#include "claim.h"
#include "mem.h"
#include "outfile_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct outdir {
    char *path, *name; /* where it will be; what messages call it, without a slash at the end */
    char **names;      /* patterns; NULL behind the last */
    bool force;
    struct unfinished *temp;
    struct claim *claim;
    struct outfile *room; /* holds what was set aside */
    DIR *old;             /* the folder to be replaced; NULL: none, or an empty one */
};

static int cannot(const struct outdir *d, const char *what)
{
    return err_set(err_cause(EXIT_CREATE), "%s: cannot %s: %s", d->name, what, strerror(errno));
}

/* ---- what is there ---- */

static bool is_ours(const struct outdir *d, int folder, const char *name)
{
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return false;
    for (char *const *pattern = d->names; *pattern; pattern++)
        if (fnmatch(*pattern, name, FNM_PERIOD) == 0)
            return true;
    return false;
}

static int check_entry(const struct outdir *d, int folder, const char *name)
{
    struct buf path = BUF_INIT;

    if (!is_ours(d, folder, name))
        return err_set(EXIT_CREATE,
                       "%s: holds '%s', which %s does not write; remove the folder yourself or "
                       "give another name",
                       d->name, name, err_tool());
    buf_printf(&path, "%s/%s", d->path, name);
    const int rc = claim_inside(d->claim, path.p);

    buf_free(&path);
    return rc;
}

/* The number of files in FOLDER, all of which may go; -1 when one may not, or the first name is not
 * among them: a folder of nothing but a README.md is somebody's own. */
static int check_entries(const struct outdir *d, DIR *folder)
{
    int n = 0, rc = 0;
    bool marked = false;

    for (const struct dirent *e; rc == 0 && (e = readdir(folder));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            rc = check_entry(d, dirfd(folder), e->d_name);
            marked = marked || fnmatch(d->names[0], e->d_name, FNM_PERIOD) == 0;
            n++;
        }
    if (rc == 0 && n > 0 && !marked)
        rc = err_set(EXIT_CREATE,
                     "%s: holds no '%s', so %s has not made it; remove the folder yourself or give "
                     "another name",
                     d->name, d->names[0], err_tool());
    return rc < 0 ? -1 : n;
}

/* What cannot change its name, or should not. */
static int check_place(const struct outdir *d, int folder)
{
    struct statx x;
    struct stat it, here;

    if (statx(folder, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x) == 0 &&
        x.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return err_set(EXIT_CREATE,
                       "%s: a file system is mounted there; give the name of a folder in it",
                       d->name);
    if (fstat(folder, &it) == 0 && stat(".", &here) == 0 && it.st_dev == here.st_dev &&
        it.st_ino == here.st_ino)
        return err_set(EXIT_CREATE,
                       "%s: is the folder that you are in; go out of it first, or give "
                       "the name of a folder in it",
                       d->name);
    return 0;
}

/* Sets old where a folder with something in it is to be replaced. At the beginning, and again at
 * the end: others may have come between. */
static int look(struct outdir *d)
{
    struct stat st;

    if (d->old)
        (void)closedir(d->old);
    d->old = NULL;
    if (stat(d->path, &st) < 0)
        return outfile_check_name(d->path);
    if (!S_ISDIR(st.st_mode))
        return err_set(EXIT_CREATE, "%s: is a file; remove it yourself or give another name",
                       d->name);
    DIR *folder = beside_open_folder(d->path);

    if (!folder)
        return cannot(d, "look into it");
    int n = check_place(d, dirfd(folder)) < 0 ? -1 : check_entries(d, folder);

    if (n > 0 && !d->force)
        n = err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", d->name);
    if (n > 0)
        d->old = folder;
    else
        (void)closedir(folder);
    return n < 0 ? -1 : 0;
}

/* ---- open ---- */

static void release(struct outdir *d)
{
    outfile_abort(d->room);
    unfinished_free(d->temp);
    claim_release(d->claim);
    if (d->old)
        (void)closedir(d->old);
    for (char **name = d->names; *name; name++)
        free(*name);
    free(d->names);
    free(d->path);
    free(d->name);
    free(d);
}

static char **copy_names(const char *const *names)
{
    size_t n = 0;

    while (names[n])
        n++;
    char **copy = xcalloc(n + 1, sizeof *copy);

    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(names[i]);
    return copy;
}

/* PATH without slashes at its end, and links behind it followed. */
static void set_path(struct outdir *d, const char *path)
{
    char real[PATH_MAX];
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    d->name = xstrndup(path, n);
    d->path = xstrdup(realpath(d->name, real) ? real : d->name);
}

/* A folder that others may not look into stays one; its owner is to write in it. */
static void keep_permissions(const struct outdir *d)
{
    struct stat st;

    if (stat(d->path, &st) == 0)
        (void)fchmod(unfinished_fd(d->temp), (st.st_mode & 07777) | S_IRWXU);
}

int outdir_open(struct outdir **out, const char *path, bool force, const char *const *names)
{
    struct outdir *d = xcalloc(1, sizeof *d);
    int rc;

    outfile_prepare();
    *d = (struct outdir){ .names = copy_names(names), .force = force };
    set_path(d, path);
    rc = claim_output(&d->claim, d->path, d->name);
    if (!rc)
        rc = look(d);
    if (!rc && unfinished_folder(&d->temp, d->path) < 0)
        rc = cannot(d, "create");
    if (rc) {
        release(d);
        return -1;
    }
    keep_permissions(d);
    *out = d;
    return 0;
}

/* ---- files ---- */

int outdir_reserve(struct outdir *d, uint64_t bytes)
{
    if (!d->room && outfile_inside(&d->room, d->temp, ".room", d->name) < 0)
        return -1;
    return outfile_reserve(d->room, bytes);
}

int outdir_file(struct outdir *d, struct outfile **f, const char *name)
{
    struct buf called = BUF_INIT;

    outfile_abort(d->room);
    d->room = NULL;
    buf_printf(&called, "%s/%s", d->name, name);
    const int rc = outfile_inside(f, d->temp, name, called.p);

    buf_free(&called);
    return rc;
}

/* ---- commit ---- */

int outdir_sync(struct outdir *d)
{
    outfile_abort(d->room);
    d->room = NULL;
    if (unfinished_sync(d->temp) < 0)
        return err_set(EXIT_IO, "%s: cannot write: %s", d->name, strerror(errno));
    return 0;
}

/* A name beside PATH that nobody has. */
static void put_aside_name(struct buf *b, const char *path)
{
    struct stat st;

    buf_printf(b, "%s.old", path);
    for (int i = 2; lstat(b->p, &st) == 0; i++) {
        buf_clear(b);
        buf_printf(b, "%s.old-%d", path, i);
    }
}

/* The old folder is locked, so that nobody else sweeps it, and somebody when we are killed. */
static int exchange(struct outdir *d)
{
    struct buf aside = BUF_INIT;

    (void)flock(dirfd(d->old), LOCK_EX | LOCK_NB);
    put_aside_name(&aside, d->path);
    const char *old = aside.p;
    const int rc = unfinished_exchange(d->temp, d->path, &old);

    if (!rc) {
        beside_remove_folder(d->old, old);
        d->old = NULL;
    }
    buf_free(&aside);
    return rc;
}

int outdir_commit(struct outdir *d)
{
    int rc = outdir_sync(d);

    if (!rc)
        rc = look(d);
    if (!rc && (d->old ? exchange(d) : unfinished_rename(d->temp, d->path, false)) < 0)
        rc = cannot(d, "create");
    release(d);
    return rc;
}

void outdir_abort(struct outdir *d)
{
    if (d)
        release(d);
}
