#include "order_file.h"

#include "mem.h"
#include "share.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_BYTES_MAX ((size_t)1 << 32)

struct named {
    uint64_t id;
    int64_t position;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* The place of ID in the N sorted NAMES; -1 when it is not there or there twice. */
static int find(int64_t *position, const struct named *names, int64_t n, uint64_t id)
{
    const struct named key = { id, 0 };
    const struct named *at = bsearch(&key, names, (size_t)n, sizeof *names, by_id);

    if (!at)
        return err_set(EXIT_DATA, "no record to learn from has the id %" PRIu64, id);
    if ((at > names && at[-1].id == id) || (at < names + n - 1 && at[1].id == id))
        return err_set(EXIT_DATA, "several records have the id %" PRIu64, id);
    *position = at->position;
    return 0;
}

/* One line without its end. */
static int parse_id(uint64_t *id, const char *line, size_t len)
{
    char *end;

    errno = 0;
    *id = strtoull(line, &end, 10);
    if (len == 0 || *line < '0' || *line > '9' || end != line + len || errno)
        return err_set(EXIT_DATA, "'%.*s' is not a record id", (int)(len < 40 ? len : 40), line);
    return 0;
}

static int parse_lines(int64_t **use, int64_t *n, const struct buf *text, const char *path,
                       const struct named *names, int64_t n_names)
{
    const char *line = text->p, *end = text->p + text->n;
    int64_t cap = 0;

    for (*n = 0; line < end; ++*n) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        uint64_t id;

        if (*n == cap) {
            cap = cap ? 2 * cap : 1024;
            *use = xnrealloc(*use, (size_t)cap, sizeof **use);
        }
        if (parse_id(&id, line, (size_t)(stop - line)) < 0 ||
            find(*use + *n, names, n_names, id) < 0)
            return err_in("%s:%" PRId64, path, *n + 1);
        line = stop + 1;
    }
    return *n ? 0 : err_set(EXIT_DATA, "%s: the order is empty", path);
}

int order_file_read(int64_t **use, int64_t *n, const char *path, const struct train_set *train,
                    uint8_t digest[SHA256_BYTES])
{
    struct named *names = xnmalloc((size_t)train->n, sizeof *names);
    struct buf text = BUF_INIT;
    int rc;

    *use = NULL;
    for (int64_t i = 0; i < train->n; i++)
        names[i] = (struct named){ train->v[i].id, i };
    qsort(names, (size_t)train->n, sizeof *names, by_id);

    rc = read_text(&text, path, ORDER_BYTES_MAX);
    if (rc == 0)
        rc = parse_lines(use, n, &text, path, names, train->n);
    sha256_of(text.p, text.n, digest);
    buf_free(&text);
    free(names);
    if (rc < 0) {
        free(*use);
        *use = NULL;
    }
    return rc;
}
