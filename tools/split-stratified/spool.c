#include "spool.h"

#include "tempfile.h"

#include <unistd.h>

enum {
    IN_MEMORY = 8 << 20, /* bytes, before there is a file */
    BLOCK = 1 << 18,     /* is read at a time */
};

static int add_to_file(struct spool *s, const void *bytes, size_t n)
{
    if (n == 0)
        return 0;
    if ((s->in_file == 0 && tempfile_open(&s->fd) < 0) ||
        tempfile_write(s->fd, bytes, n, s->in_file) < 0)
        return -1;
    s->in_file += n;
    return 0;
}

int spool_add(struct spool *s, const void *bytes, size_t n)
{
    if (s->in_file == 0 && s->memory.n + n <= IN_MEMORY) {
        buf_add(&s->memory, bytes, n);
        return 0;
    }
    if (add_to_file(s, s->memory.p, s->memory.n) < 0 || add_to_file(s, bytes, n) < 0)
        return -1;
    buf_free(&s->memory);
    return 0;
}

/* At least the N bytes at AT of the file into the block. */
static int read_block(struct spool *s, size_t at, size_t n)
{
    const size_t left = s->in_file - at, most = n > BLOCK ? n : BLOCK;

    buf_clear(&s->block);
    buf_reserve(&s->block, most);
    s->block_at = at;
    s->block.n = most < left ? most : left;
    return tempfile_read(s->fd, s->block.p, s->block.n, at);
}

int spool_read(struct spool *s, size_t at, size_t n, const uint8_t **bytes)
{
    if (s->in_file == 0) {
        *bytes = (const uint8_t *)s->memory.p + at;
        return 0;
    }
    if ((at < s->block_at || at + n > s->block_at + s->block.n) && read_block(s, at, n) < 0)
        return -1;
    *bytes = (const uint8_t *)s->block.p + (at - s->block_at);
    return 0;
}

void spool_free(struct spool *s)
{
    if (s->in_file > 0)
        (void)close(s->fd);
    buf_free(&s->memory);
    buf_free(&s->block);
    *s = (struct spool){ 0 };
}

struct spool spool_reader(const struct spool *s)
{
    return (struct spool){ .memory = s->memory, .fd = s->fd, .in_file = s->in_file };
}

void spool_reader_free(struct spool *reader)
{
    buf_free(&reader->block);
}
