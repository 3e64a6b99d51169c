#include "unfinished.h"

#include "beside.h"
#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct unfinished {
    struct unfinished *before;       /* made before this one */
    const struct unfinished *folder; /* that it is inside of; NULL: an output */
    int fd;
    bool ready, named; /* it is on the disk; it has its name, or its folder has */
    struct buf path;
};

/* All below is touched by whoever is in turn only. */
static struct unfinished *newest;
static bool any_done; /* an output is whole */

/* ---- one at a time, and no signal in between ---- */

static atomic_flag turn = ATOMIC_FLAG_INIT;

/* A signal handler may wait too: whoever is in turn is another thread, and soon done. */
static void take_turn(void)
{
    const struct timespec nap = { 0, 100000 };

    while (atomic_flag_test_and_set(&turn))
        (void)nanosleep(&nap, NULL);
}

static _Thread_local bool in_turn; /* this thread is: also when it runs out of memory and exits */
static sigset_t masked;            /* what it had blocked before */

static void begin(void)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    if (in_turn)
        return;
    take_turn();
    in_turn = true;
    masked = before;
}

static void end(void)
{
    const int error = errno;
    const sigset_t before = masked;

    in_turn = false;
    atomic_flag_clear(&turn);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
}

/* ---- the end of the process ---- */

static void remove_one(const struct unfinished *u)
{
    if (!u->named && u->path.p && unlink(u->path.p) < 0)
        (void)rmdir(u->path.p);
}

/* Files first: they are newer than the folder that they are in. */
static void remove_all(void)
{
    for (struct unfinished *u = newest; u; u = u->before)
        remove_one(u);
}

static bool all_but_names_done(void)
{
    bool ready = any_done;

    for (const struct unfinished *u = newest; u; u = u->before)
        ready = ready && (u->ready || u->named || u->folder);
    return ready;
}

/* Called by a signal handler: whether the process is to end. Then the turn is kept: nobody makes
 * another one, or gives a name. */
static bool give_up(void)
{
    take_turn();
    const bool done = all_but_names_done();

    if (done)
        atomic_flag_clear(&turn);
    else
        remove_all();
    return !done;
}

static void at_exit(void)
{
    begin();
    remove_all();
    end();
}

void unfinished_prepare(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    stop_prepare(give_up);
    (void)atexit(at_exit);
}

/* ---- making ---- */

/* CREATE makes it and appends its name to the buffer. */
static int make(struct unfinished **out, const struct unfinished *folder, const char *path,
                int (*create)(struct buf *, const char *))
{
    struct unfinished *u = xcalloc(1, sizeof *u);

    u->folder = folder;
    begin();
    u->fd = create(&u->path, path);
    if (u->fd >= 0) {
        u->before = newest;
        *out = newest = u;
    }
    end();
    if (u->fd >= 0)
        return 0;
    const int error = errno;

    buf_free(&u->path);
    free(u);
    errno = error;
    return -1;
}

int unfinished_file(struct unfinished **out, const char *path)
{
    beside_sweep(path);
    return make(out, NULL, path, beside_file);
}

int unfinished_folder(struct unfinished **out, const char *path)
{
    beside_sweep(path);
    return make(out, NULL, path, beside_folder);
}

static int create_file(struct buf *name, const char *path)
{
    buf_puts(name, path);
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int unfinished_inside(struct unfinished **out, struct unfinished *folder, const char *name)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s", folder->path.p, name);
    const int rc = make(out, folder, path.p, create_file);

    buf_free(&path);
    return rc;
}

void unfinished_in_place(struct unfinished **out)
{
    struct unfinished *u = *out = xcalloc(1, sizeof *u);

    u->fd = -1;
    begin();
    u->before = newest;
    newest = u;
    end();
}

int unfinished_fd(const struct unfinished *u)
{
    return u->fd;
}

/* ---- to the disk ---- */

/* Some file systems have nothing to do, and say so with an error. */
static int sync_fd(int fd)
{
    int rc;

    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc < 0 && errno != EINVAL && errno != EROFS && errno != ENOSYS && errno != ENOTSUP ? -1
                                                                                              : 0;
}

/* The files are synced together, which is cheaper than each when it is written. */
int unfinished_sync(struct unfinished *u)
{
    for (const struct unfinished *v = newest; v; v = v->before)
        if (v->folder == u && sync_fd(v->fd) < 0)
            return -1;
    if (u->fd >= 0 && sync_fd(u->fd) < 0)
        return -1;
    u->ready = true;
    return 0;
}

/* Opened before a name changes in it: behind that, nothing may fail any more. */
static int open_folder_of(const char *path)
{
    struct buf folder = BUF_INIT;

    beside_folder_of(&folder, path);
    const int fd = open(folder.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    buf_free(&folder);
    return fd;
}

/* The new name itself. */
static void sync_and_close(int folder)
{
    const int error = errno;

    if (folder < 0)
        return;
    (void)fsync(folder);
    (void)close(folder);
    errno = error;
}

/* ---- names ---- */

/* In turn. */
static void set_named(struct unfinished *u)
{
    for (struct unfinished *v = newest; v; v = v->before)
        v->named = v->named || v == u || v->folder == u;
    any_done = true;
}

/* For a moment the old folder is not under its name but under ASIDE, where a person finds it. */
static int step_aside(const char *temp, const char *path, const char *aside)
{
    if (rename(path, aside) < 0)
        return -1;
    if (rename(temp, path) == 0)
        return 0;
    const int error = errno;

    (void)rename(aside, path);
    errno = error;
    return -1;
}

/* HOW of renameat2, which some file systems lack. OLD: as of unfinished_exchange, else NULL. */
static int give_name(struct unfinished *u, const char *path, unsigned how, const char **old)
{
    const char *const temp = u->path.p;
    const int folder = open_folder_of(path);

    begin();
    int rc = renameat2(AT_FDCWD, temp, AT_FDCWD, path, how);

    if (rc == 0 && old)
        *old = temp;
    else if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
        rc = old ? step_aside(temp, path, *old) : rename(temp, path);
    if (!rc)
        set_named(u);
    end();
    sync_and_close(folder);
    return rc;
}

int unfinished_rename(struct unfinished *u, const char *path, bool fresh)
{
    return give_name(u, path, fresh ? RENAME_NOREPLACE : 0, NULL);
}

int unfinished_exchange(struct unfinished *u, const char *path, const char **old)
{
    return give_name(u, path, RENAME_EXCHANGE, old);
}

void unfinished_done(struct unfinished *u)
{
    begin();
    set_named(u);
    end();
}

/* The files inside go first: they are newer than their folder, which is locked until then. */
void unfinished_free(struct unfinished *u)
{
    begin();
    for (struct unfinished **at = &newest, *v; u && (v = *at);) {
        if (v != u && v->folder != u) {
            at = &v->before;
            continue;
        }
        *at = v->before;
        remove_one(v);
        if (v->fd >= 0)
            (void)close(v->fd);
        buf_free(&v->path);
        if (v == u)
            u = NULL;
        free(v);
    }
    end();
}
