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

static void begin(sigset_t *before)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, before);
    if (!in_turn)
        take_turn();
    in_turn = true;
}

static void end(const sigset_t *before)
{
    const int error = errno;

    in_turn = false;
    atomic_flag_clear(&turn);
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
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
    sigset_t before;

    begin(&before);
    remove_all();
    end(&before);
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

/* In turn. */
static void enter(struct unfinished *u, const struct unfinished *folder, int fd)
{
    u->folder = folder;
    u->fd = fd;
    u->before = newest;
    newest = u;
}

static int give_out(struct unfinished **out, struct unfinished *u)
{
    if (u->fd >= 0) {
        *out = u;
        return 0;
    }
    const int error = errno;

    buf_free(&u->path); /* nothing was made, so nothing goes */
    unfinished_free(u);
    errno = error;
    return -1;
}

static int make(struct unfinished **out, const char *path,
                int (*beside)(struct buf *, const char *))
{
    struct unfinished *u = xcalloc(1, sizeof *u);
    sigset_t before;

    beside_sweep(path);
    begin(&before);
    enter(u, NULL, beside(&u->path, path));
    end(&before);
    return give_out(out, u);
}

int unfinished_file(struct unfinished **out, const char *path)
{
    return make(out, path, beside_file);
}

int unfinished_folder(struct unfinished **out, const char *path)
{
    return make(out, path, beside_folder);
}

int unfinished_inside(struct unfinished **out, struct unfinished *folder, const char *name)
{
    struct unfinished *u = xcalloc(1, sizeof *u);
    sigset_t before;

    buf_printf(&u->path, "%s/%s", folder->path.p, name);
    begin(&before);
    enter(u, folder, open(u->path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    end(&before);
    return give_out(out, u);
}

void unfinished_in_place(struct unfinished **out)
{
    struct unfinished *u = xcalloc(1, sizeof *u);
    sigset_t before;

    begin(&before);
    enter(u, NULL, -1);
    end(&before);
    *out = u;
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

static int name_it(const char *temp, const char *path, bool fresh)
{
    if (fresh) {
        if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOSYS)
            return -1;
    }
    return rename(temp, path);
}

int unfinished_rename(struct unfinished *u, const char *path, bool fresh)
{
    const int folder = open_folder_of(path);
    sigset_t before;

    begin(&before);
    const int rc = name_it(u->path.p, path, fresh);

    if (!rc)
        set_named(u);
    end(&before);
    sync_and_close(folder);
    return rc;
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

int unfinished_exchange(struct unfinished *u, const char *path, const char *aside, const char **old)
{
    const int folder = open_folder_of(path);
    sigset_t before;

    *old = u->path.p;
    begin(&before);
    int rc = renameat2(AT_FDCWD, u->path.p, AT_FDCWD, path, RENAME_EXCHANGE);

    if (rc < 0 && (errno == EINVAL || errno == ENOSYS)) {
        *old = aside;
        rc = step_aside(u->path.p, path, aside);
    }
    if (!rc)
        set_named(u);
    end(&before);
    sync_and_close(folder);
    return rc;
}

void unfinished_done(struct unfinished *u)
{
    sigset_t before;

    begin(&before);
    set_named(u);
    end(&before);
}

/* ---- release ---- */

/* In turn: takes U, or the files inside of it, from the list, and gives them back as another list,
 * newest first. */
static struct unfinished *take_out(const struct unfinished *u)
{
    struct unfinished **at = &newest, *out = NULL, **last = &out;

    while (*at) {
        struct unfinished *v = *at;

        if (v != u && v->folder != u) {
            at = &v->before;
            continue;
        }
        *at = v->before;
        v->before = NULL;
        *last = v;
        last = &v->before;
    }
    return out;
}

void unfinished_free(struct unfinished *u)
{
    sigset_t before;

    if (!u)
        return;
    begin(&before);
    struct unfinished *gone = take_out(u);

    for (struct unfinished *v = gone; v; v = v->before)
        remove_one(v);
    end(&before);
    while (gone) { /* unlocks last */
        struct unfinished *v = gone;

        gone = v->before;
        if (v->fd >= 0)
            (void)close(v->fd);
        buf_free(&v->path);
        free(v);
    }
}
