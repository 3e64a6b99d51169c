#include "spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_MEMORY = 8 << 20, /* bytes, before there is a file */
    PIECE = 1 << 20,     /* is written at a time, when there is one */
    BLOCK = 1 << 18,     /* is read */
};

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

static int open_file(struct spool *s)
{
    struct buf path = BUF_INIT;

    buf_printf(&path, "%s/%s.XXXXXX", folder(), err_tool());
    s->fd = mkstemp(path.p);
    const int error = errno;

    if (s->fd >= 0)
        (void)unlink(path.p);
    buf_free(&path);
    return s->fd < 0 ? fail(error) : 0;
}

static int write_piece(void *spool, const void *bytes, size_t n)
{
    struct spool *s = spool;

    for (size_t done = 0; done < n;) {
        const ssize_t wrote =
            pwrite(s->fd, (const char *)bytes + done, n - done, (off_t)(s->written + done));

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fail(errno);
        done += (size_t)wrote;
    }
    s->written += n;
    return 0;
}

/* Brings what is in memory to the end of the file. */
static int move_to_file(struct spool *s)
{
    if (!s->in_file) {
        if (open_file(s) < 0)
            return -1;
        s->behind = s->alone ? NULL : behind_new(write_piece, s);
    }
    s->in_file += s->last.n;
    if (s->behind)
        return behind_give(s->behind, &s->last);
    if (write_piece(s, s->last.p, s->last.n) < 0)
        return -1;
    buf_clear(&s->last);
    return 0;
}

void spool_init(struct spool *s, int64_t threads)
{
    *s = (struct spool){ .alone = !behind_helps(threads) };
}

int spool_add(struct spool *s, size_t n, uint8_t **to)
{
    const size_t most = s->in_file ? PIECE : IN_MEMORY;

    if (s->last.n && s->last.n + n > most && move_to_file(s) < 0)
        return -1;
    buf_reserve(&s->last, n);
    *to = (uint8_t *)s->last.p + s->last.n;
    s->last.n += n;
    return 0;
}

size_t spool_size(const struct spool *s)
{
    return s->in_file + s->last.n;
}

/* At least the N bytes at AT of the file into the block. */
static int read_block(struct spool *s, size_t at, size_t n)
{
    const size_t want = n > BLOCK ? n : s->in_file - at < BLOCK ? s->in_file - at : BLOCK;

    if (s->behind && behind_wait(s->behind) < 0)
        return -1;
    buf_clear(&s->block);
    buf_reserve(&s->block, want);
    s->block_at = at;
    while (s->block.n < want) {
        const ssize_t got =
            pread(s->fd, s->block.p + s->block.n, want - s->block.n, (off_t)(at + s->block.n));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(got < 0 ? errno : 0);
        s->block.n += (size_t)got;
    }
    return 0;
}

int spool_read(struct spool *s, size_t at, size_t n, const uint8_t **bytes)
{
    if (at >= s->in_file) {
        *bytes = (const uint8_t *)s->last.p + (at - s->in_file);
        return 0;
    }
    if ((at < s->block_at || at + n > s->block_at + s->block.n) && read_block(s, at, n) < 0)
        return -1;
    *bytes = (const uint8_t *)s->block.p + (at - s->block_at);
    return 0;
}

void spool_free(struct spool *s)
{
    behind_free(s->behind);
    if (s->in_file)
        (void)close(s->fd);
    buf_free(&s->last);
    buf_free(&s->block);
    *s = (struct spool){ 0 };
}
