#include "metrics_file.h"

#include "claim.h"
#include "mem.h"
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

struct metrics_file {
    int fd;
    char *name;         /* for messages */
    int64_t length;     /* bytes so far, also those of an earlier process */
    struct sha256 *sha; /* of them */
    bool regular;       /* a file on a disk, which can be cut and synced */
    struct claim *claim;
};

static int fail(const struct metrics_file *f, int code, const char *what)
{
    return err_set(code, "%s: cannot %s: %s", f->name, what, strerror(errno));
}

/* No input, and no other output, is opened for writing. */
static int claim(struct metrics_file *f, const char *path, bool standard)
{
    if (standard)
        return claim_output_fd(&f->claim, STDOUT_FILENO, f->name);
    return outfile_check_name(path) < 0 ? -1 : claim_output(&f->claim, path, f->name);
}

/* Opens PATH as it is, or makes it. */
static int open_or_make(struct metrics_file **out, const char *path)
{
    struct metrics_file *f = xcalloc(1, sizeof *f);
    const bool standard = !strcmp(path, "-");
    struct stat st;

    f->name = xstrdup(standard ? "standard output" : path);
    if (claim(f, path, standard) < 0) {
        metrics_file_close(f);
        return -1;
    }
    f->fd = standard ? STDOUT_FILENO : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f->fd < 0) /* a pipe, a device */
        f->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        (void)fail(f, EXIT_CREATE, "create");
        metrics_file_close(f);
        return -1;
    }
    f->regular = !standard && S_ISREG(st.st_mode);
    f->sha = sha256_new();
    *out = f;
    return 0;
}

int metrics_file_open(struct metrics_file **out, const char *path, bool force, bool spare_empty)
{
    struct stat st;
    struct metrics_file *f;
    const bool there = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);

    if (there && !force && !(spare_empty && st.st_size == 0))
        return err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", path);
    if (open_or_make(&f, path) < 0)
        return -1;
    if (f->regular && ftruncate(f->fd, 0) < 0) {
        (void)fail(f, EXIT_CREATE, "replace");
        metrics_file_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

/* Reads the first LENGTH bytes; what they are does not matter, only that they are the ones. */
static int pass_over(struct metrics_file *f, int64_t length, const char *digest)
{
    char *piece = xmalloc(PIECE), hex[SHA256_HEX + 1];
    ssize_t got = 1;

    while (f->length < length && got > 0) {
        const int64_t left = length - f->length;

        got = read(f->fd, piece, (size_t)(left < PIECE ? left : PIECE));
        if (got > 0)
            sha256_add(f->sha, piece, (size_t)got);
        f->length += got > 0 ? got : 0;
    }
    free(piece);
    if (got < 0)
        return fail(f, EXIT_IO, "read");
    metrics_file_digest(f, hex);
    if (f->length < length || (length && strcmp(hex, digest) != 0))
        return err_set(
            EXIT_DATA,
            "%s: does not begin with the lines that the checkpoint's run wrote; name that "
            "run's file, or begin anew with --force and without --resume",
            f->name);
    return ftruncate(f->fd, (off_t)length) < 0 ? fail(f, EXIT_IO, "cut") : 0;
}

int metrics_file_resume(struct metrics_file **out, const char *path, int64_t length,
                        const char *digest)
{
    struct metrics_file *f;

    if (length && access(path, F_OK) < 0)
        return err_set(EXIT_DATA,
                       "%s: is not there, but the checkpoint's run wrote it; put it back, or begin "
                       "anew with --force and without --resume",
                       path);
    if (open_or_make(&f, path) < 0)
        return -1;
    if (f->regular && pass_over(f, length, digest) < 0) {
        metrics_file_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

int metrics_file_write(struct metrics_file *f, const void *bytes, size_t n)
{
    const char *p = bytes;

    sha256_add(f->sha, bytes, n);
    f->length += (int64_t)n;
    while (n) {
        const ssize_t done = write(f->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(f, EXIT_IO, "write");
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int metrics_file_sync(struct metrics_file *f)
{
    return f->regular && fdatasync(f->fd) < 0 ? fail(f, EXIT_IO, "write") : 0;
}

int64_t metrics_file_length(const struct metrics_file *f)
{
    return f->length;
}

void metrics_file_digest(const struct metrics_file *f, char hex[SHA256_HEX + 1])
{
    uint8_t digest[SHA256_BYTES];

    sha256_peek(f->sha, digest);
    sha256_hex(digest, hex);
}

void metrics_file_close(struct metrics_file *f)
{
    if (!f)
        return;
    if (f->fd > STDERR_FILENO)
        (void)close(f->fd);
    claim_release(f->claim);
    sha256_free(f->sha);
    free(f->name);
    free(f);
}
