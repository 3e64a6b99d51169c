#include "lines.h"

#include "mem.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 17, LINE_BYTES_MAX = 64 << 20 };

struct lines {
    struct input *in;
    struct sha256 *sha;
    struct buf text; /* used up to AT, without a newline up to SEARCHED */
    size_t at, searched;
    long long number;
    bool eof;
};

int lines_open(struct lines **out, const char *path)
{
    struct input *in;

    if (input_open(&in, path) < 0)
        return -1;
    struct lines *l = xcalloc(1, sizeof *l);

    l->in = in;
    l->sha = sha256_new();
    *out = l;
    return 0;
}

static int fill(struct lines *l)
{
    size_t got;

    if (l->text.n - l->at > LINE_BYTES_MAX)
        return err_set(EXIT_DATA, "%s:%lld: the line is longer than %d MiB", lines_name(l),
                       l->number + 1, LINE_BYTES_MAX >> 20);
    if (l->at) {
        memmove(l->text.p, l->text.p + l->at, l->text.n - l->at);
        l->text.n -= l->at;
        l->searched -= l->at;
        l->at = 0;
    }
    buf_reserve(&l->text, READ_BYTES);
    if (input_read(l->in, l->text.p + l->text.n, READ_BYTES, &got) < 0)
        return -1;
    sha256_add(l->sha, l->text.p + l->text.n, got);
    l->text.n += got;
    l->text.p[l->text.n] = 0;
    l->eof = got == 0;
    return 0;
}

int lines_next(struct lines *l, const char **line, size_t *n)
{
    const char *end = NULL;

    while (!l->eof) {
        end = l->text.n > l->searched
                  ? memchr(l->text.p + l->searched, '\n', l->text.n - l->searched)
                  : NULL;
        if (end)
            break;
        l->searched = l->text.n;
        if (fill(l) < 0)
            return -1;
    }
    if (!end && l->text.n > l->at) /* at the end there may be more lines, and one without newline */
        end = memchr(l->text.p + l->at, '\n', l->text.n - l->at);
    if (!end && l->text.n == l->at)
        return 0;
    *line = l->text.p + l->at;
    *n = end ? (size_t)(end - *line) : l->text.n - l->at;
    l->at += *n + (end != NULL);
    l->searched = l->at;
    const size_t mark = l->number++ ? 0 : utf8_mark(*line, *n);

    *line += mark;
    *n -= mark;
    return 1;
}

long long lines_number(const struct lines *l)
{
    return l->number;
}

const char *lines_name(const struct lines *l)
{
    return input_name(l->in);
}

void lines_digest(const struct lines *l, uint8_t out[SHA256_BYTES])
{
    sha256_peek(l->sha, out);
}

void lines_close(struct lines *l)
{
    input_close(l->in);
    sha256_free(l->sha);
    buf_free(&l->text);
    free(l);
}
