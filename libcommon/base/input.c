#include "input.h"

#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct input {
    char *name;
    int fd;
    bool standard; /* the beginning may be in SEEN */
};

/* Standard input is one per process, and so is what was already taken from it. */
static struct {
    uint8_t bytes[INPUT_PEEK_MAX];
    size_t n, used;
} seen;

static int fill(int fd, void *bytes, size_t cap, size_t *n)
{
    ssize_t got;

    do
        got = read(fd, bytes, cap);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set(EXIT_IO, "cannot read: %s", strerror(errno));
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

static int open_path(int *fd, const char *path)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return err_set(EXIT_NOINPUT, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(*fd);
        return err_set(EXIT_NOINPUT, "%s: is a folder; give a file", path);
    }
    return 0;
}

static int peek_standard(uint8_t *bytes, size_t cap, size_t *n)
{
    size_t more = 0;

    if (cap > sizeof seen.bytes)
        cap = sizeof seen.bytes;
    if (seen.n < cap && fill_all(STDIN_FILENO, seen.bytes + seen.n, cap - seen.n, &more) < 0)
        return err_in("standard input");
    seen.n += more;
    *n = seen.n < cap ? seen.n : cap;
    memcpy(bytes, seen.bytes, *n);
    return 0;
}

int input_peek(const char *path, uint8_t *bytes, size_t cap, size_t *n)
{
    int fd, rc;

    if (!strcmp(path, "-"))
        return peek_standard(bytes, cap, n);
    if (open_path(&fd, path) < 0)
        return -1;
    rc = fill_all(fd, bytes, cap < INPUT_PEEK_MAX ? cap : INPUT_PEEK_MAX, n);
    close(fd);
    return rc < 0 ? err_in("%s", path) : 0;
}

int input_open(struct input **in, const char *path)
{
    const bool standard = !strcmp(path, "-");
    int fd = STDIN_FILENO;

    if (!standard && open_path(&fd, path) < 0)
        return -1;
    *in = xmalloc(sizeof **in);
    **in = (struct input){ xstrdup(standard ? "standard input" : path), fd, standard };
    return 0;
}

int input_read(struct input *in, void *bytes, size_t cap, size_t *n)
{
    if (in->standard && seen.used < seen.n) {
        *n = seen.n - seen.used < cap ? seen.n - seen.used : cap;
        memcpy(bytes, seen.bytes + seen.used, *n);
        seen.used += *n;
        return 0;
    }
    return fill(in->fd, bytes, cap, n) < 0 ? err_in("%s", in->name) : 0;
}

int64_t input_seek(struct input *in, int64_t offset, int whence)
{
    return in->standard ? -1 : lseek(in->fd, offset, whence);
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
    free(in->name);
    free(in);
}
