#include "pack_parts.h"

#include "filetype.h"
#include "input.h"
#include "libarchive.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILES_MAX = 4096, /* a model has a dozen files; shards make it hundreds */
    PIPE_BYTES = 1 << 18,
    FIRST_BYTES = 1 << 20, /* grown as data really arrive, whatever a header promises */
    END_MARK = 1024,       /* a whole tar ends in two blocks of zeros */
};

struct pipe {
    struct input *in;
    uint8_t *bytes;
    size_t zeros; /* how many the bytes read so far end in */
};

struct reading {
    struct pack *pack;
    struct archive *a;
    const uint8_t *map; /* the archive in memory, NULL when it comes through a pipe */
    size_t map_size;
    struct pipe *pipe;
    size_t memory_max; /* no more than the machine has is ever asked for */
};

static int archive_fail(const struct reading *r)
{
    return err_set(EXIT_DATA, "cannot read the archive: %s", la.archive_error_string(r->a));
}

/* Relative, without ".." anywhere; a leading "./" is dropped. NULL: not allowed. */
static const char *plain_name(const char *name)
{
    while (!strncmp(name, "./", 2))
        name += 2;
    if (*name == '/')
        return NULL;
    for (const char *part = name; part; part = strchr(part, '/'), part += part ? 1 : 0)
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
            return NULL;
    return name;
}

struct block { /* N bytes of a file that belong at offset AT of it */
    const uint8_t *p;
    size_t n;
    int64_t at;
};

/* 1 and the next block, 0 at the end of the file. */
static int next_block(const struct reading *r, struct block *b)
{
    const void *p;
    const int rc = la.archive_read_data_block(r->a, &p, &b->n, &b->at);

    b->p = p;
    if (rc == ARCHIVE_EOF)
        return 0;
    return rc == ARCHIVE_OK ? 1 : archive_fail(r);
}

static bool in_map(const struct reading *r, const struct block *b)
{
    const uintptr_t map = (uintptr_t)r->map, p = (uintptr_t)b->p;

    return r->map && p >= map && p - map <= r->map_size && b->n <= r->map_size - (p - map);
}

struct content {
    uint8_t *copy; /* NULL while all blocks lie end to end in the map */
    const uint8_t *mapped;
    size_t n, cap;
};

static int reserve(const struct reading *r, struct content *c, size_t more)
{
    size_t want;

    if (add_size(&want, c->n, more) < 0)
        return -1;
    if (want <= c->cap)
        return 0;
    if (want > r->memory_max)
        return err_set(EXIT_DATA, "it unpacks to more than the memory of this machine");
    c->cap = want > FIRST_BYTES ? want : FIRST_BYTES;
    if (c->cap < 2 * c->n)
        c->cap = 2 * c->n;
    c->copy = xrealloc(c->copy, c->cap);
    return 0;
}

static int append(const struct reading *r, struct content *c, const struct block *b)
{
    if (b->at < 0 || (size_t)b->at != c->n)
        return err_set(EXIT_DATA, "it is a sparse file; make the archive without --sparse");
    if (!c->copy && in_map(r, b) && (!c->n || b->p == c->mapped + c->n)) {
        if (!c->n)
            c->mapped = b->p;
        c->n += b->n;
        return 0;
    }
    const size_t before = c->copy ? 0 : c->n;

    if (reserve(r, c, b->n) < 0)
        return -1;
    if (before)
        memcpy(c->copy, c->mapped, before);
    if (b->n)
        memcpy(c->copy + c->n, b->p, b->n);
    c->n += b->n;
    return 0;
}

static int read_content(const struct reading *r, struct archive_entry *e, const char *name)
{
    struct content c = { 0 };
    struct block b;
    int more;

    if (la.archive_entry_size_is_set(e) && la.archive_entry_size(e) < 0)
        return err_set(EXIT_DATA, "its size is negative");
    while ((more = next_block(r, &b)) > 0)
        if ((more = append(r, &c, &b)) < 0)
            break;
    if (!more && la.archive_entry_size_is_set(e) && (uint64_t)la.archive_entry_size(e) != c.n)
        more = err_set(EXIT_DATA, "it has %zu of %lld bytes", c.n,
                       (long long)la.archive_entry_size(e));
    if (more < 0) {
        free(c.copy);
        return -1;
    }
    if (c.copy)
        pack_keep(r->pack, c.copy, c.cap, false);
    pack_add(r->pack, name, c.copy ? c.copy : c.n ? c.mapped : (const uint8_t *)"", c.n);
    return 0;
}

static int read_entry(const struct reading *r, struct archive_entry *e)
{
    const char *raw = la.archive_entry_pathname(e), *name;

    if (!raw)
        raw = la.archive_entry_pathname_utf8(e);
    name = raw ? plain_name(raw) : NULL;
    if (!name)
        return err_set(EXIT_DATA, "file name '%s' is not allowed in a model", raw ? raw : "");
    if (la.archive_entry_filetype(e) == AE_IFDIR)
        return 0;
    if (la.archive_entry_hardlink(e) || la.archive_entry_filetype(e) != AE_IFREG)
        return err_set(EXIT_DATA, "'%s' is a link or a device; make the archive with tar -h", name);
    if (r->pack->n == FILES_MAX)
        return err_set(EXIT_DATA, "more than %d files", FILES_MAX);
    if (la.archive_entry_sparse_count(e) > 0)
        return err_set(EXIT_DATA, "'%s' is a sparse file; make the archive without --sparse", name);
    return read_content(r, e, name) < 0 ? err_in("%s", name) : 0;
}

static size_t zeros_at_end(const uint8_t *p, size_t n)
{
    size_t zeros = 0;

    while (zeros < n && !p[n - 1 - zeros])
        zeros++;
    return zeros;
}

static int next_bytes(struct pipe *p, size_t *n)
{
    if (input_read(p->in, p->bytes, PIPE_BYTES, n) < 0)
        return -1;
    const size_t zeros = zeros_at_end(p->bytes, *n);

    p->zeros = zeros == *n ? p->zeros + zeros : zeros;
    return 0;
}

/* Reads what is behind the archive's end mark, which libarchive leaves unread. */
static int drain(struct pipe *p)
{
    size_t n = 1;

    while (n)
        if (next_bytes(p, &n) < 0)
            return -1;
    return 0;
}

/* A tar that was cut between two files looks whole to libarchive. */
static int check_end(const struct reading *r)
{
    if (la.archive_filter_code(r->a, 0) != ARCHIVE_FILTER_NONE ||
        (la.archive_format(r->a) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_TAR)
        return 0;
    if (r->pipe && drain(r->pipe) < 0)
        return -1;
    if ((r->pipe ? r->pipe->zeros : zeros_at_end(r->map, r->map_size)) < END_MARK)
        return err_set(EXIT_DATA, "the archive has no end mark: it is cut");
    return 0;
}

/* Drops "top/" where every name has it, then everything in subfolders, and hidden files: what is
 * left is what a folder would give. */
static void flatten(struct pack *p)
{
    const char *slash = p->n ? strchr(p->file[0].name, '/') : NULL;
    size_t top = slash ? (size_t)(slash - p->file[0].name) + 1 : 0;
    int kept = 0;

    for (int i = 0; i < p->n; i++)
        if (top && strncmp(p->file[i].name, p->file[0].name, top))
            top = 0;
    for (int i = 0; i < p->n; i++) {
        char *name = (char *)(uintptr_t)p->file[i].name;

        memmove(name, name + top, strlen(name + top) + 1);
        if (strchr(name, '/') || *name == '.' || !*name)
            free(name);
        else
            p->file[kept++] = p->file[i];
    }
    p->n = kept;
}

static int read_entries(struct reading *r)
{
    struct archive_entry *e;
    int rc;

    while ((rc = la.archive_read_next_header(r->a, &e)) == ARCHIVE_OK || rc == ARCHIVE_WARN)
        if (read_entry(r, e) < 0)
            return -1;
    if (rc != ARCHIVE_EOF)
        return archive_fail(r);
    if (check_end(r) < 0)
        return -1;
    flatten(r->pack);
    return r->pack->n ? 0 : err_set(EXIT_DATA, "the archive has no files");
}

static size_t machine_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
}

/* Only what is read in this process: libarchive would start programs for other filters. */
static int new_archive(struct archive **a)
{
    if (libarchive_open() < 0)
        return -1;
    *a = la.archive_read_new();
    if (!*a || la.archive_read_support_filter_gzip(*a) < ARCHIVE_WARN ||
        la.archive_read_support_filter_zstd(*a) != ARCHIVE_OK ||
        la.archive_read_support_format_tar(*a) != ARCHIVE_OK ||
        la.archive_read_support_format_zip(*a) != ARCHIVE_OK)
        die(EXIT_NUMERIC, "libarchive cannot read tar, zip, gzip and zstd");
    return 0;
}

static int neither(const struct reading *r)
{
    if (r->map && filetype_refuse(r->map, r->map_size) < 0)
        return -1;
    return err_set(EXIT_DATA, "neither a folder nor a tar, tar.zst, tgz or zip archive");
}

static int read_opened(struct reading *r, int opened)
{
    const int rc = opened == ARCHIVE_OK ? read_entries(r) : neither(r);

    la.archive_read_free(r->a);
    return rc;
}

int pack_read_archive(struct pack *p, const uint8_t *data, size_t size)
{
    struct reading r = { p, NULL, data, size, NULL, machine_memory() };

    if (new_archive(&r.a) < 0)
        return -1;
    return read_opened(&r, la.archive_read_open_memory(r.a, data, size));
}

static la_ssize_t read_pipe(struct archive *a, void *client, const void **bytes)
{
    struct pipe *p = client;
    size_t n;

    if (next_bytes(p, &n) < 0) {
        la.archive_set_error(a, EIO, "%s", err_text());
        return -1;
    }
    *bytes = p->bytes;
    return (la_ssize_t)n;
}

int pack_read_archive_pipe(struct pack *p, const char *path)
{
    struct pipe pipe = { 0 };
    struct reading r = { p, NULL, NULL, 0, &pipe, machine_memory() };

    if (new_archive(&r.a) < 0)
        return -1;
    if (input_open(&pipe.in, path) < 0) {
        la.archive_read_free(r.a);
        return -1;
    }
    pipe.bytes = xmalloc(PIPE_BYTES);
    const int rc = read_opened(&r, la.archive_read_open(r.a, &pipe, NULL, read_pipe, NULL));

    free(pipe.bytes);
    input_close(pipe.in);
    return rc;
}
