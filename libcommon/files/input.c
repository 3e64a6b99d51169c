#include "input.h"

#include "claim.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe, and the bytes that input_peek took from it for the one who opens it. */
struct pipe {
    struct pipe *next;
    char *path;
    int fd;
    size_t n, used;
    uint8_t bytes[INPUT_PEEK_MAX];
};

struct input {
    char *name;
    int fd;
    bool standard;
    struct pipe *pipe; /* NULL: nobody looked before, or it can be read again */
};

static struct pipe *looked_at; /* and not opened yet; or standard input, which is one per process */

static int fill(int fd, void *bytes, size_t cap, size_t *n)
{
    ssize_t got;

    do
        got = read(fd, bytes, cap);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EBADF)
        return err_set(EXIT_NOINPUT, "is closed; name a file, or pipe one in");
    if (got < 0)
        return err_set(EXIT_IO, "cannot read: %s; check the disk or network that it comes from",
                       strerror(errno));
    *n = (size_t)got;
    return 0;
}

static int fill_all(int fd, uint8_t *bytes, size_t cap, size_t *n)
{
    size_t got = 1;

    for (*n = 0; *n < cap && got; *n += got)
        if (fill(fd, bytes + *n, cap - *n, &got) < 0)
            return -1;
    return 0;
}

static bool is_standard(const char *path)
{
    return !strcmp(path, "-");
}

static const char *name_of(const char *path)
{
    return is_standard(path) ? "standard input" : path;
}

static int open_path(int *fd, const char *path)
{
    struct stat st;

    *fd = STDIN_FILENO;
    if (is_standard(path))
        return claim_input(*fd, name_of(path));
    if (!*path)
        return err_set(EXIT_NOINPUT, "an input has an empty name; give the name of a file");
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return err_set(EXIT_NOINPUT, "%s: cannot open: %s", path, strerror(errno));
    int rc = claim_input(*fd, path);

    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode))
        rc = err_set(EXIT_NOINPUT, "%s: is a folder; give a file", path);
    if (rc < 0)
        close(*fd);
    return rc;
}

static struct pipe **find_pipe(const char *path)
{
    struct pipe **p = &looked_at;

    while (*p && strcmp((*p)->path, path) != 0)
        p = &(*p)->next;
    return p;
}

static void add_pipe(const char *path, int fd)
{
    struct pipe *p = xmalloc(sizeof *p);

    memset(p, 0, offsetof(struct pipe, bytes));
    p->next = looked_at;
    p->path = xstrdup(path);
    p->fd = fd;
    looked_at = p;
}

static int peek_pipe(struct pipe *p, uint8_t *bytes, size_t cap, size_t *n)
{
    size_t more = 0;

    if (p->n < cap && fill_all(p->fd, p->bytes + p->n, cap - p->n, &more) < 0)
        return -1;
    p->n += more;
    *n = p->n < cap ? p->n : cap;
    memcpy(bytes, p->bytes, *n);
    return 0;
}

int input_peek(const char *path, uint8_t *bytes, size_t cap, size_t *n)
{
    const size_t most = cap < INPUT_PEEK_MAX ? cap : INPUT_PEEK_MAX;
    int fd = STDIN_FILENO, rc;

    if (!*find_pipe(path)) {
        if (open_path(&fd, path) < 0)
            return -1;
        if (!is_standard(path) && lseek(fd, 0, SEEK_CUR) >= 0) {
            rc = fill_all(fd, bytes, most, n);
            close(fd);
            return rc < 0 ? err_in("%s", path) : 0;
        }
        add_pipe(path, fd);
    }
    return peek_pipe(*find_pipe(path), bytes, most, n) < 0 ? err_in("%s", name_of(path)) : 0;
}

int input_open(struct input **in, const char *path)
{
    struct pipe **at = find_pipe(path), *pipe = *at;
    int fd = pipe ? pipe->fd : STDIN_FILENO;

    if (!pipe && open_path(&fd, path) < 0)
        return -1;
    if (pipe && !is_standard(path))
        *at = pipe->next; /* what comes behind is the input's alone */
    *in = xmalloc(sizeof **in);
    **in = (struct input){ xstrdup(name_of(path)), fd, is_standard(path), pipe };
    return 0;
}

int input_read(struct input *in, void *bytes, size_t cap, size_t *n)
{
    struct pipe *p = in->pipe;

    if (p && p->used < p->n) {
        *n = p->n - p->used < cap ? p->n - p->used : cap;
        memcpy(bytes, p->bytes + p->used, *n);
        p->used += *n;
        return 0;
    }
    return fill(in->fd, bytes, cap, n) < 0 ? err_in("%s", in->name) : 0;
}

int64_t input_seek(struct input *in, int64_t offset, int whence)
{
    return in->standard ? -1 : lseek(in->fd, offset, whence);
}

bool input_is_pipe(const struct input *in)
{
    struct stat st;

    return fstat(in->fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

const char *input_name(const struct input *in)
{
    return in->name;
}

void input_close(struct input *in)
{
    if (!in)
        return;
    if (!in->standard)
        close(in->fd);
    if (in->pipe && !in->standard) {
        free(in->pipe->path);
        free(in->pipe);
    }
    free(in->name);
    free(in);
}
